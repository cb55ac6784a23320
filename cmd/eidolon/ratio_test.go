package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/task"
	"github.com/eidolon-hep/eidolon/internal/known"
	"github.com/eidolon-hep/eidolon/rootio"
)

// A ratio is fitted, weights a sample, and multiplies the density of a model, which is scored and
// drawn from; what does not go together is refused in one line, before the work.
func TestRatio(t *testing.T) {
	const n = 1000
	dir := t.TempDir()
	moons, _ := known.Named("moons")
	normals := known.TwoNormals()
	write(t, filepath.Join(dir, "normals.root"), "Events", normals.Table(1, 0, n))
	write(t, filepath.Join(dir, "moons.root"), "Events", moons.Table(2, 0, n))
	write(t, filepath.Join(dir, "other.root"), "Events", normals.Table(3, 0, n))
	must(t, dir, "train", "-i", "normals.root", "--model", "spline", "--layers", "2", "--components", "1", "--hidden", "16", "--epochs", "10", "--refine", "off", "-o", "m.eidolon")
	text := must(t, dir, "reweight", "--fit", "-s", "normals.root", "-r", "moons.root", "-o", "r.eidolon")
	if !strings.Contains(text, "ratio of densities of x0, x1, from 1000 and 1000 events") {
		t.Errorf("--fit says %s", text)
	}
	if text := must(t, dir, "info", "r.eidolon"); !strings.Contains(text, "p(x|1)/p(x|0)") || !strings.Contains(text, "1000 events of moons.root") {
		t.Errorf("info says %s", text)
	}

	text = must(t, dir, "reweight", "--apply", "r.eidolon", "-s", "other.root", "--branch", "r", "--clip", "9", "-o", "w.root")
	if !strings.Contains(text, "1000 events with branch r") || !strings.Contains(text, "ratios from") {
		t.Errorf("--apply says %s", text)
	}
	weighted := open(t, filepath.Join(dir, "w.root"))
	r, _ := weighted.Column("r")
	sum := 0.0
	for _, v := range r.Float64s() {
		sum += v
	}
	if len(weighted.Columns) != 3 || math.Abs(sum/n-1) > 0.4 {
		t.Errorf("%d branches, mean weight %g", len(weighted.Columns), sum/n)
	}

	must(t, dir, "score", "-m", "m.eidolon", "-i", "w.root", "-o", "plain.root")
	var scored task.ScoreResult
	if err := json.Unmarshal([]byte(must(t, dir, "score", "--json", "-m", "m.eidolon", "--ratio", "r.eidolon", "-i", "w.root", "-o", "scored.root")), &scored); err != nil {
		t.Fatal(err)
	}
	log := func(file string) []float64 {
		c, _ := open(t, filepath.Join(dir, file)).Column("log_prob")
		return c.Float64s()
	}
	before, after := log("plain.root"), log("scored.root")
	for i, w := range r.Float64s() {
		if want := before[i] + math.Log(min(w, scored.Ratio.Largest)/scored.Ratio.Z); w < 9 && math.Abs(after[i]-want) > 1e-9 {
			t.Fatalf("log_prob of event %d is %v, want %v", i, after[i], want)
		}
	}

	stdout, stderr, code := eidolon(t, dir, "generate", "-m", "m.eidolon", "--ratio", "r.eidolon", "-n", "300", "--seed", "7", "-o", "g.root")
	if code != 0 || !strings.Contains(stdout, "events of the model were accepted") || !strings.Contains(stderr, "ratio r.eidolon: Z = ") {
		t.Errorf("generate says %s%s", stdout, stderr)
	}
	if text := must(t, dir, "info", "g.root"); !strings.Contains(text, "with ratio r.eidolon (SHA-256 ") {
		t.Errorf("the events do not say where they come from: %s", text)
	}

	write(t, filepath.Join(dir, "less.root"), "Events", &rootio.Table{Columns: normals.Table(4, 0, n).Columns[:1]})
	must(t, dir, "train", "-i", "less.root", "--model", "spline", "--layers", "2", "--components", "1", "--hidden", "8", "--epochs", "1", "--refine", "off", "-o", "less.eidolon")
	w := make([]float64, n)
	w[3] = math.NaN()
	bad := normals.Table(5, 0, n)
	bad.Columns = append(bad.Columns, rootio.ColumnOf("w", w))
	write(t, filepath.Join(dir, "bad.root"), "Events", bad)
	if err := os.WriteFile(filepath.Join(dir, "mine"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"score -m r.eidolon -i w.root -o x.root", exitInput, "it is the ratio of two densities"},
		{"score -m m.eidolon --ratio m.eidolon -i w.root -o x.root", exitInput, "it is a model"},
		{"generate -m m.eidolon --ratio w.root -n 5 -o x.root", exitInput, "not a ratio file"},
		{"generate -m less.eidolon --ratio r.eidolon -n 5 -o x.root", exitUsage, "it depends on x1, which the model has not"},
		{"reweight --apply r.eidolon -s less.root -o x.root", exitError, `no branch "x1"`},
		{"reweight --apply r.eidolon -s w.root -r moons.root -o x.root", exitUsage, "--target does not go with --apply"},
		{"reweight --apply r.eidolon -s w.root --branch r -o x.root", exitUsage, "--branch"},
		{"reweight --apply r.eidolon -s bad.root --source-weight w -o x.root", exitError, `the weight, branch "w", is NaN in entry 3`},
		{"reweight --fit -s normals.root -r moons.root --clip 3 -o x", exitUsage, "--clip does not go with --fit"},
		{"reweight --fit -s normals.root -r moons.root -o mine", exitUsage, "mine"},
	} {
		_, stderr, code := eidolon(t, dir, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(stderr, c.says) || strings.Count(strings.TrimSpace(stderr), "\n") > 0 {
			t.Errorf("%s: code %d, %s", c.args, code, stderr)
		}
	}
}
