package main

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// contents returns the digests of the files of a folder and of those in it, but for links.
func contents(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	all := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		all[path] = sha256.Sum256(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// refused runs commands that would destroy files, each of which must end with exit code 2
// and one line, leave all files of the folder as they are, and add none.
func refused(t *testing.T, dir string, commands ...[]string) {
	t.Helper()
	before := contents(t, dir)
	for _, args := range commands {
		_, stderr, code := eidolon(t, dir, args...)
		if code != exitUsage || strings.Count(stderr, "\n") != 1 {
			t.Errorf("eidolon %s: exit code %d, %s", strings.Join(args, " "), code, stderr)
		}
		after := contents(t, dir)
		for name, sum := range before {
			if after[name] != sum {
				t.Fatalf("eidolon %s: %s is lost", strings.Join(args, " "), name)
			}
		}
		if len(after) != len(before) {
			t.Fatalf("eidolon %s: left something behind", strings.Join(args, " "))
		}
	}
}

// TestOutputIsInput gives an input as the output, under another name, to each command.
func TestOutputIsInput(t *testing.T) {
	dir := trained(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.Link(in("in.root"), in("hard.root")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("in.root", in("soft.root")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, in("folder")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("card.yaml"), []byte("epochs: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for _, input := range []string{
		"in.root", "./in.root", in("in.root"), "file://" + in("in.root"), "i?.root", "*.root", "hard.root", "soft.root", "folder/in.root", "none.root,in.root",
	} {
		for _, output := range []string{"in.root", in("soft.root"), "folder/hard.root"} {
			all = append(all,
				[]string{"train", "-i", input, "-o", output},
				[]string{"train", "-i", input, "-o", "x", "--checkpoint", output},
				[]string{"generate", "-m", "m.eidolon", "-i", input, "-o", output},
				[]string{"generate", "-m", "m.eidolon", "-n", "10", "--reweight-to", input, "-o", output},
				[]string{"score", "-m", "m.eidolon", "-i", input, "-o", output},
				[]string{"reweight", "-s", input, "-r", "m.eidolon", "-o", output},
				[]string{"reweight", "-s", "m.eidolon", "-r", input, "-o", output},
				[]string{"compare", "-r", input, "-c", "in.root", "-o", output},
			)
		}
	}
	refused(t, dir, append(all,
		[]string{"generate", "-m", "m.eidolon", "-n", "10", "-o", "folder/m.eidolon"},
		[]string{"score", "-m", "m.eidolon", "-i", "in.root", "-o", "./m.eidolon"},
		[]string{"train", "-c", "card.yaml", "-i", "in.root", "-o", "card.yaml"},
		[]string{"train", "-c", "card.yaml", "-i", "in.root", "-o", "x", "--checkpoint", "card.yaml"},
		[]string{"train", "-i", "in.root", "-o", "x", "--checkpoint", "folder/x"},
		[]string{"train", "-i", "in.root", "-o", "x", "--checkpoint", "x"},
	)...)
}

// TestOutputIsOfTheUser gives files that are there, and of another kind than what is to be
// written, as outputs; and folders with files of the user.
func TestOutputIsOfTheUser(t *testing.T) {
	dir := trained(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	put := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(in(name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("notes.txt", "precious")
	put("page.html", "precious")
	put("x.png", "precious")
	put("report/report.txt", "precious")
	put("plots/mass.png", "precious")
	put("demo/zmumu.root", "precious")
	put("m2.eidolon.checkpoint", "precious")
	put("foreign.safetensors", "\x02\x00\x00\x00\x00\x00\x00\x00{}")
	must(t, dir, "generate", "-m", "m.eidolon", "-n", "20", "-o", "other.root")
	refused(t, dir,
		[]string{"train", "-i", "in.root", "-o", "other.root"},
		[]string{"train", "-i", "in.root", "-o", "notes.txt"},
		[]string{"train", "-i", "in.root", "-o", "foreign.safetensors"},
		[]string{"train", "-i", "in.root", "-o", "m2.eidolon"},
		[]string{"train", "-i", "in.root", "-o", "x", "--checkpoint", "notes.txt"},
		[]string{"train", "-i", "in.root", "-o", "x", "--checkpoint", "other.root"},
		[]string{"train", "-i", "in.root", "-o", "x", "--checkpoint", "m.eidolon"},
		[]string{"generate", "-m", "m.eidolon", "-n", "10", "-o", "notes.txt"},
		[]string{"score", "-m", "m.eidolon", "-i", "in.root", "-o", "notes.txt"},
		[]string{"reweight", "-s", "in.root", "-r", "in.root", "-o", "m.eidolon"},
		[]string{"info", "m.eidolon", "--plot", "x.png"},
		[]string{"info", "m.eidolon", "--plot", "m.eidolon"},
		[]string{"compare", "-r", "in.root", "-c", "in.root", "-o", "page.html"},
		[]string{"compare", "-r", "in.root", "-c", "in.root", "-o", "report"},
		[]string{"compare", "-r", "in.root", "-c", "in.root", "-o", "plots"},
		[]string{"compare", "-r", "in.root", "-c", "in.root", "-o", "."},
		[]string{"compare", "-r", "in.root", "-c", "in.root", "-o", "notes.txt"},
		[]string{"demo", "-n", "1000", "-o", "demo"},
		[]string{"demo", "-n", "1000", "-o", "notes.txt"},
		[]string{"generate", "-m", "m.eidolon", "-n", "10", "-o", "root://host//x.root"},
		[]string{"compare", "-r", "in.root", "-c", "in.root", "-o", "http://host/report"},
	)
	// What is ours is replaced, and what stands beside it is kept.
	for range 2 {
		must(t, dir, "compare", "-r", "other.root", "-c", "other.root", "--no-classifier", "--features", "pdg", "-o", "ours")
		must(t, dir, "compare", "-r", "other.root", "-c", "other.root", "--no-classifier", "--features", "pdg", "-o", "ours.html")
		must(t, dir, "info", "m.eidolon", "--plot", "training.svg")
		must(t, dir, "score", "-m", "m.eidolon", "-i", "other.root", "-o", "scored.root")
		put("ours/notes.txt", "precious")
	}
	if got := names(t, in("ours")); !slices.Contains(got, "notes.txt") {
		t.Errorf("the folder of the report holds %v", got)
	}
}

// TestOutputCannotBeWritten checks that this is found before the work, in each command.
func TestOutputCannotBeWritten(t *testing.T) {
	dir := trained(t)
	before := contents(t, dir)
	for _, output := range []string{"none/x", "in.root/x", os.DevNull} {
		for _, args := range [][]string{
			{"train", "-i", "missing.root", "-o"},
			{"train", "-i", "missing.root", "-o", "x", "--checkpoint"},
			{"generate", "-m", "missing", "-n", "10", "-o"},
			{"generate", "-m", "missing", "-i", "missing.root", "-o"},
			{"score", "-m", "missing", "-i", "missing.root", "-o"},
			{"reweight", "-s", "missing.root", "-r", "missing.root", "-o"},
			{"info", "missing", "--plot"},
			{"compare", "-r", "missing.root", "-c", "missing.root", "-o"},
			{"demo", "-o"},
		} {
			output := output
			switch {
			case args[0] == "info" && output == os.DevNull:
				continue
			case args[0] == "info":
				output += ".png"
			case args[0] == "compare":
				output += ".html"
			case args[0] == "demo" && output != "in.root/x":
				continue // a folder is made
			}
			if output == os.DevNull+".html" {
				continue
			}
			_, stderr, code := eidolon(t, dir, append(slices.Clone(args), output)...)
			if code != exitOutput || strings.Count(stderr, "\n") != 1 {
				t.Errorf("eidolon %s %s: exit code %d, %s", strings.Join(args, " "), output, code, stderr)
			}
		}
	}
	if len(contents(t, dir)) != len(before) {
		t.Errorf("left behind: %v", names(t, dir))
	}
}

// TestOutputIsTraining draws onto the file that the model was trained on, which is no input of
// the command, and onto one of that name that was drawn.
func TestOutputIsTraining(t *testing.T) {
	dir := trained(t)
	before := contents(t, dir)
	for _, args := range [][]string{
		{"generate", "-m", "m.eidolon", "-n", "10", "-o", "in.root"},
		{"generate", "-m", "m.eidolon", "-n", "10", "-o", filepath.Join(dir, "in.root")},
		{"score", "-m", "m.eidolon", "-i", "other.root", "-o", "in.root"},
	} {
		_, stderr, code := eidolon(t, dir, args...)
		if code != exitUsage || !strings.Contains(stderr, "trained on") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit code %d, %s", args, code, stderr)
		}
	}
	if !reflect.DeepEqual(contents(t, dir), before) {
		t.Error("files have changed")
	}
	elsewhere := t.TempDir()
	model := filepath.Join(dir, "m.eidolon")
	for range 2 { // its own output may be replaced
		must(t, elsewhere, "generate", "-m", model, "-n", "10", "-o", "in.root")
	}
}
