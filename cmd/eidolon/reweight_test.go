package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/zmumu"
)

func TestReweight(t *testing.T) {
	dir := t.TempDir()
	a, b := zmumu.Default(), zmumu.Default()
	b.PtScale *= 1.3
	source := a.Table(1, 0, 1500)
	write(t, filepath.Join(dir, "source.root"), "Events", source)
	write(t, filepath.Join(dir, "target.root"), "Events", b.Table(2, 0, 1000))
	text := must(t, dir, "reweight", "-s", "source.root", "-r", "target.root", "--features", "mass,pt", "--max-events", "600", "-o", "out.root")
	for _, want := range []string{"KS after", "classifier AUC", "effective events", "branch weight"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	out := open(t, filepath.Join(dir, "out.root"))
	if len(out.Columns) != len(source.Columns)+1 || out.Len() != source.Len() {
		t.Fatalf("%d columns of %d events", len(out.Columns), out.Len())
	}
	w, ok := out.Column("weight")
	if !ok {
		t.Fatal("no weight")
	}
	x := make([]float64, out.Len())
	w.Floats(x, 0)
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	if sum < 1499 || sum > 1501 {
		t.Errorf("sum of weights %g", sum)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"reweight", "-s", "out.root", "-r", "target.root", "-o", "x.root"}, 2, "--branch"},
		{[]string{"reweight", "-s", "source.root", "-r", "target.root", "-o", "source.root"}, 2, "would be lost"},
		{[]string{"reweight", "-s", "source.root", "-r", "target.root", "--target-weight", "no", "-o", "x.root"}, 1, `"no"`},
		{[]string{"reweight", "-s", "source.root", "-r", "target.root", "--clip", "-1", "-o", "x.root"}, 2, "clip"},
		{[]string{"reweight", "-s", "source.root", "-r", "target.root", "--features", "mas", "-o", "x.root"}, 1, `"mas"`},
	} {
		_, stderr, code := eidolon(t, dir, c.args...)
		if code != c.code || !strings.Contains(stderr, c.says) {
			t.Errorf("%v: code %d, %s", c.args, code, stderr)
		}
	}
}

// Generated events can have weights from the start.
func TestGenerateReweighted(t *testing.T) {
	dir := trained(t)
	text := must(t, dir, "generate", "-m", "m.eidolon", "-n", "300", "--reweight-to", "in.root", "-o", "out.root")
	if !strings.Contains(text, "KS after") || !strings.Contains(text, "out.root: 300 events") {
		t.Errorf("the output is\n%s", text)
	}
	if _, ok := open(t, filepath.Join(dir, "out.root")).Column("weight"); !ok {
		t.Error("no weights")
	}
	if got := names(t, dir); len(got) != 3 {
		t.Errorf("files %v are left", got)
	}
	before := names(t, dir)
	if _, _, code := eidolon(t, dir, "generate", "-m", "m.eidolon", "-n", "1000", "--reweight-to", "none.root", "-o", "new.root"); code != exitInput {
		t.Errorf("exit code %d without a target", code)
	}
	if got := names(t, dir); len(got) != len(before) {
		t.Errorf("after an error files %v are left", got)
	}
}
