package main

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// sortedJets returns events of jets in descending order of pt, with a number of each jet,
// and muons that point to them.
func sortedJets(n int) *rootio.Table {
	t := jets(n)
	offsets := t.Jagged[0].Offsets
	pt := t.Jagged[0].Values().([]float32)
	for i := range n {
		slices.SortFunc(pt[offsets[i]:offsets[i+1]], func(a, b float32) int { return int(b*1e4 - a*1e4) })
	}
	number := make([]int64, len(pt))
	for i := range number {
		number[i] = 1<<53 + int64(i)
	}
	tag, index := rootio.ColumnOf("Jet_tag", number), rootio.ColumnOf("Muon_jetIdx", make([]int16, len(pt)))
	tag.Counter, index.Counter = "nJet", rootio.Vector
	t.Jagged = slices.Insert(t.Jagged, 3, rootio.Jagged{Column: tag, Offsets: offsets})
	t.Jagged = append(t.Jagged, rootio.Jagged{Column: index, Offsets: offsets})
	return t
}

// TestObjectsOutsideStay replaces the objects that pass the selection of the training, one
// for one; the others, and what is not theirs, stay as they are.
func TestObjectsOutsideStay(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in.root"), "Events", sortedJets(1500))
	small := []string{"--epochs", "1", "--hidden", "8", "--layers", "2", "--model", "spline", "--refine", "off"}
	in := open(t, filepath.Join(dir, "in.root"))
	column := func(table *rootio.Table, name string) rootio.Jagged {
		for _, j := range table.Jagged {
			if j.Name == name {
				return j
			}
		}
		return rootio.Jagged{}
	}
	pt, met := column(in, "Jet_pt").Values().([]float32), in.Columns[0].Values().([]float32)
	offsets := column(in, "Jet_pt").Offsets
	for _, c := range []struct {
		where, features string
		pass            func(event, object int) bool
		keep            string // that is kept by name
		left            string // of the branches of jets
	}{
		{"pt > 40", "pt,eta", func(_, k int) bool { return pt[k] > 40 }, "", "Jet_flavour, Jet_tag"},
		{"MET > 45", "eta,r=pt/MET", func(i, _ int) bool { return met[i] > 45 }, "tag", "Jet_pt, Jet_flavour"},
		{"pt > 40 && flavour == 5", "pt", func(_, k int) bool { return pt[k] > 40 && k%3 == 2 }, "Jet_tag", "Jet_eta"},
		{"pt > 1", "pt,eta,flavour", func(_, k int) bool { return true }, "", "Jet_tag"},
	} {
		must(t, dir, append([]string{"train", "-i", "in.root", "--each", "Jet", "--where", c.where, "--features", c.features, "-o", "m.eidolon"}, small...)...)
		args := []string{"generate", "-m", "m.eidolon", "-i", "in.root", "-o", "out.root"}
		if c.keep != "" {
			args = append(args, "--keep", c.keep)
		}
		_, stderr, code := eidolon(t, dir, args...)
		if code != 0 || !strings.Contains(stderr, "("+c.left+")") || !strings.Contains(stderr, c.where) || !strings.Contains(stderr, "Muon_jetIdx point") {
			t.Errorf("%s: exit code %d, %s", c.where, code, stderr)
		}
		if makesPt := strings.Contains(c.features, "pt,") || c.features == "pt"; makesPt != strings.Contains(stderr, "descending order of Jet_pt") {
			t.Errorf("%s: of the order it says %s", c.where, stderr)
		}
		out := open(t, "out.root")
		for i, before := range in.Columns {
			if !reflect.DeepEqual(out.Columns[i].Values(), before.Values()) {
				t.Errorf("%s: %s is other than in the input", c.where, before.Name)
			}
		}
		for _, before := range in.Jagged {
			after := column(out, before.Name)
			isLeft := strings.Contains(", "+c.left+",", ", "+before.Name+",")
			switch {
			case isLeft && after.Name != "":
				t.Errorf("%s: %s is there", c.where, before.Name)
				continue
			case isLeft:
				continue
			case !reflect.DeepEqual(before.Offsets, after.Offsets):
				t.Fatalf("%s: %s has other lengths", c.where, before.Name)
			}
			_, short, _ := strings.Cut(before.Name, "_")
			made := strings.HasPrefix(before.Name, "Jet_") && slices.Contains(strings.Split(c.features, ","), short)
			a, b := make([]float64, before.Len()), make([]float64, before.Len())
			before.Floats(a, 0)
			after.Floats(b, 0)
			moved := 0
			for i := range in.Len() {
				for k := before.Offsets[i]; k < before.Offsets[i+1]; k++ {
					switch passes := made && c.pass(i, k); {
					case !passes && a[k] != b[k]:
						t.Fatalf("%s: %s of object %d of event %d was %v and is %v", c.where, before.Name, k-before.Offsets[i], i, a[k], b[k])
					case passes && a[k] != b[k]:
						moved++
					}
				}
			}
			if made && moved == 0 {
				t.Errorf("%s: no value of %s is new", c.where, before.Name)
			}
		}
		if r := column(out, "r"); strings.Contains(c.features, "r=") { // computed for what stays
			for i := range in.Len() {
				for k := offsets[i]; k < offsets[i+1]; k++ {
					if want := float64(pt[k]) / float64(met[i]); !c.pass(i, k) && r.Values().([]float64)[k] != want {
						t.Fatalf("r of an object that stays is %v, want %v", r.Values().([]float64)[k], want)
					}
				}
			}
		}
	}

	var report struct {
		Objects int `json:"objects"`
		Stayed  int `json:"objects_as_they_were"`
	}
	must(t, dir, append([]string{"train", "-i", "in.root", "--each", "Jet", "--where", "pt > 40", "--features", "pt", "-o", "m.eidolon"}, small...)...)
	if err := json.Unmarshal([]byte(must(t, dir, "generate", "-m", "m.eidolon", "-i", "in.root", "-o", "out.root", "--json")), &report); err != nil {
		t.Fatal(err)
	}
	pass := 0
	for _, v := range pt {
		if v > 40 {
			pass++
		}
	}
	if report.Objects != pass || report.Stayed != len(pt)-pass {
		t.Errorf("%+v, want %d new objects of %d", report, pass, len(pt))
	}

	// What cannot be told is refused.
	bare := &rootio.Table{Columns: in.Columns}
	write(t, filepath.Join(dir, "bare.root"), "Events", bare)
	noPt := &rootio.Table{Columns: in.Columns, Jagged: in.Jagged[1:]}
	write(t, filepath.Join(dir, "nopt.root"), "Events", noPt)
	must(t, dir, append([]string{"train", "-i", "in.root", "--each", "Jet", "--where", "eta > 0", "--features", "pt", "-o", "e.eidolon"}, small...)...)
	must(t, dir, append([]string{"train", "-i", "in.root", "--each", "Jet", "--features", "pt", "-o", "all.eidolon"}, small...)...)
	must(t, dir, "generate", "-m", "all.eidolon", "-i", "bare.root", "-o", "x.root")
	for _, c := range []struct{ model, input, keep, want string }{
		{"m.eidolon", "bare.root", "", "cannot tell"},
		{"m.eidolon", "nopt.root", "", `"pt`},
		{"e.eidolon", "nopt.root", "", `no branch "Jet_pt"`},
		{"m.eidolon", "in.root", "pt", "--keep"},
		{"m.eidolon", "in.root", "MET", "--keep"},
	} {
		args := []string{"generate", "-m", c.model, "-i", c.input, "-o", "y.root"}
		if c.keep != "" {
			args = append(args, "--keep", c.keep)
		}
		_, stderr, code := eidolon(t, dir, args...)
		if code == 0 || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit code %d, %s", args, code, stderr)
		}
	}
}

// TestConstantConditions looks for columns of the condition that are the same in all events.
func TestConstantConditions(t *testing.T) {
	dir := t.TempDir()
	table := jets(800)
	beam := make([]float32, 800)
	for i := range beam {
		beam[i] = 6500
	}
	table.Columns = append(table.Columns, rootio.ColumnOf("beam", beam))
	write(t, filepath.Join(dir, "in.root"), "Events", table)
	small := []string{"--epochs", "1", "--hidden", "8", "--layers", "2", "--model", "spline", "--refine", "off"}
	must(t, dir, append([]string{"train", "-i", "in.root", "--features", "MET", "--condition", "beam", "-o", "a.eidolon"}, small...)...)
	must(t, dir, append([]string{"train", "-i", "in.root", "--features", "MET", "--condition", "beam,nJet", "-o", "b.eidolon"}, small...)...)
	must(t, dir, append([]string{"train", "-i", "in.root", "--each", "Jet", "--features", "pt", "--condition", "beam", "-o", "c.eidolon"}, small...)...)
	for _, args := range [][]string{
		{"generate", "-m", "a.eidolon", "-n", "100", "-o", "out.root"},
		{"generate", "-m", "a.eidolon", "-i", "in.root", "-o", "out.root"},
		{"generate", "-m", "b.eidolon", "-i", "in.root", "-o", "out.root"},
		{"generate", "-m", "c.eidolon", "-n", "100", "-o", "out.root"},
		{"generate", "-m", "c.eidolon", "-i", "in.root", "-o", "out.root"},
		{"score", "-m", "a.eidolon", "-i", "in.root", "-o", "out.root"},
	} {
		must(t, dir, args...)
		out := open(t, "out.root")
		c, ok := out.Column("beam")
		if !ok {
			t.Fatalf("%v: no beam", args)
		}
		if values := c.Values().([]float32); slices.Min(values) != 6500 || slices.Max(values) != 6500 {
			t.Errorf("%v: beam is %v", args, values[:5])
		}
	}
	if _, stderr, code := eidolon(t, dir, "generate", "-m", "b.eidolon", "-n", "5", "-o", "x.root"); code != exitUsage {
		t.Errorf("-n for a condition that varies: exit code %d, %s", code, stderr)
	}
}

// TestEventsOutsideTheSelection draws for events of which the model was trained on a part.
func TestEventsOutsideTheSelection(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in.root"), "Events", jets(900))
	small := []string{"--epochs", "1", "--hidden", "8", "--layers", "2", "--model", "spline", "--refine", "off"}
	must(t, dir, append([]string{"train", "-i", "in.root", "--features", "r=log(MET),l=sum(Jet_pt)", "--condition", "nJet", "--where", "MET > 40", "-o", "m.eidolon"}, small...)...)
	met, _ := open(t, "in.root").Column("MET")
	pass := 0
	for _, v := range met.Values().([]float32) {
		if v > 40 {
			pass++
		}
	}
	for outside, events := range map[string]int{"clip": 900, "skip": pass} {
		_, stderr, code := eidolon(t, dir, "generate", "-m", "m.eidolon", "-i", "in.root", "--outside", outside, "-o", "out.root")
		if code != 0 || !strings.Contains(stderr, "MET > 40") {
			t.Errorf("--outside %s: exit code %d, %s", outside, code, stderr)
		}
		out := open(t, "out.root")
		met, _ := out.Column("MET")
		known, _ := out.Column("known")
		if out.Len() != events {
			t.Errorf("--outside %s: %d events, want %d", outside, out.Len(), events)
		}
		for i, v := range met.Values().([]float32) {
			if known.Values().([]bool)[i] != (v > 40) {
				t.Fatalf("--outside %s: event with MET %v is known: %v", outside, v, v <= 40)
			}
		}
	}
	if _, stderr, code := eidolon(t, dir, "generate", "-m", "m.eidolon", "-i", "in.root", "--outside", "refuse", "-o", "no.root"); code == 0 || !strings.Contains(stderr, "does not pass") {
		t.Errorf("--outside refuse: exit code %d, %s", code, stderr)
	}
	// A cut on what is learnt cannot be told where that is not there yet.
	bare := &rootio.Table{Columns: open(t, "in.root").Columns[1:2]}
	write(t, filepath.Join(dir, "bare.root"), "Events", bare)
	if _, stderr, code := eidolon(t, dir, "generate", "-m", "m.eidolon", "-i", "bare.root", "-o", "out.root"); code != 0 || !strings.Contains(stderr, "cannot tell") {
		t.Errorf("without MET: exit code %d, %s", code, stderr)
	}
	_, stderr, code := eidolon(t, dir, "score", "-m", "m.eidolon", "-i", "in.root", "-o", "scored.root")
	if code != 0 || !strings.Contains(stderr, "MET > 40") {
		t.Errorf("score: exit code %d, %s", code, stderr)
	}
}
