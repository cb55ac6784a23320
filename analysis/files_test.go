package analysis_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/atomicfile"
	"github.com/eidolon-hep/eidolon/internal/output"
)

// contents returns what is in the files of a directory.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(data)
	}
	return all
}

// An output that is an input, or another output, under whatever name, is refused before
// anything is done; so is one that replaces what is no file of its kind.
func TestJobOutputIsInput(t *testing.T) {
	_, model := models()
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "in.root", sample(50))
	write(t, "target.root", sample(50))
	write(t, "training.root", sample(50))
	trained, err := surrogate.Load(model)
	if err != nil {
		t.Fatal(err)
	}
	trained.Card.Inputs = []string{"training.root"}
	if err := trained.Save("trained.eidolon"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"model.eidolon": string(data), "notes.txt": "precious", "notes.root": "precious"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	above := t.TempDir()
	for _, err := range []error{os.Symlink("in.root", "soft.root"), os.Link("in.root", "hard.root"), os.Symlink(dir, filepath.Join(above, "folder"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	before := contents(t, dir)

	reader := func(file string) string {
		return fmt.Sprintf("components:\n  - {name: events, type: TreeReader, props: {Files: [%q], Entry: entry}}\n", file)
	}
	writer := func(name, file string) string {
		return fmt.Sprintf("  - {name: %s, type: TreeWriter, props: {File: %q}}\n", name, file)
	}
	train := func(file string) string {
		return fmt.Sprintf("  - {name: fit, type: Train, props: {Output: %q}}\n", file)
	}
	detector := "  - {name: detector, type: FastSim, props: {Model: model.eidolon, Prefix: fast_}}\n"
	weights := "  - {name: weights, type: Reweight, props: {Files: [in.root], Target: ['target.roo?']}}\n"
	var jobs []string
	for _, in := range []string{"in.root", "./in.root", filepath.Join(dir, "in.root"), "file://" + filepath.Join(dir, "in.root"), "i?.root", "soft.root", "hard.root", filepath.Join(above, "folder", "in.root")} {
		for _, out := range []string{"in.root", filepath.Join(above, "folder", "soft.root"), "hard.root"} {
			jobs = append(jobs, reader(in)+writer("out", out), reader(in)+writer("first", "first.root")+writer("out", out))
		}
		jobs = append(jobs, reader(in)+train("hard.root"))
	}
	jobs = append(jobs,
		reader("in.root")+writer("first", "out.root")+writer("second", filepath.Join(above, "folder", "out.root")),
		reader("in.root")+writer("first", "out.root")+train("./out.root"),
		reader("in.root")+train("m.eidolon")+strings.Replace(train("./m.eidolon"), "fit", "again", 1),
		reader("in.root")+detector+train("model.eidolon"),
		reader("in.root")+detector+writer("out", "./model.eidolon"),
		reader("in.root")+strings.Replace(detector, "model.eidolon", "trained.eidolon", 1)+writer("out", "training.root"),
		reader("in.root")+weights+writer("out", "target.root"),
		reader("in.root")+train("notes.txt"),
		reader("in.root")+writer("out", "notes.root"),
		reader("in.root")+writer("out", "job.yaml"),
		reader("in.root")+writer("out", "https://example.org/out.root"),
	)
	for _, text := range jobs {
		before["job.yaml"] = text
		j, err := job.Load(jobFile(t, dir, text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j.Run(t.Context()); !errors.Is(err, output.ErrRefused) {
			t.Errorf("%s is not refused: %v", text, err)
		}
		if !maps.Equal(contents(t, dir), before) {
			t.Fatalf("%s has changed the files", text)
		}
	}

	// What cannot be written is told before the work, too, which here would fail at once.
	text := reader("in.root") + "  - {name: weights, type: Reweight, props: {Files: [none.root], Target: [target.root]}}\n" + writer("out", "none/out.root")
	j, err := job.Load(jobFile(t, dir, text))
	if err != nil {
		t.Fatal(err)
	}
	_, err = j.Run(t.Context())
	complains(t, err, `"out"`, "no directory")
	if !errors.Is(err, atomicfile.ErrOutput) {
		t.Errorf("%v is not of an output", err)
	}
}
