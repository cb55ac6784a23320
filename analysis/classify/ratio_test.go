package classify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/internal/known"
	"github.com/eidolon-hep/eidolon/internal/modelfile"
	"github.com/eidolon-hep/eidolon/internal/mutate"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
)

// mixed are events with a number, a code, a spike, missing values, a rounded number and a relation; shift
// changes the number.
func mixed(seed uint64, n int, shift float64) *rootio.Table {
	x, y, rng := normals(seed, n, shift), normals(seed+1, n, 0), rand.New(rand.NewPCG(seed, 9))
	code, whole := make([]int32, n), make([]int64, n)
	gap, spike, rounded, radius := make([]float64, n), make([]float32, n), make([]float64, n), make([]float64, n)
	for i := range n {
		code[i], whole[i] = int32(11*rng.IntN(3)), int64(rng.IntN(1000))
		gap[i], spike[i] = y[i], float32(x[i])
		rounded[i], radius[i] = math.Round(100*y[i])/100, math.Hypot(x[i], y[i])
		if rng.IntN(4) == 0 {
			gap[i] = math.NaN()
		}
		if rng.IntN(4) == 0 {
			spike[i] = -1
		}
		if shift != 0 && rng.IntN(10) == 0 {
			rounded[i] += 0.003
		}
	}
	return table(rootio.ColumnOf("x", x), rootio.ColumnOf("y", y), rootio.ColumnOf("radius", radius), rootio.ColumnOf("code", code),
		rootio.ColumnOf("whole", whole), rootio.ColumnOf("gap", gap), rootio.ColumnOf("spike", spike), rootio.ColumnOf("rounded", rounded))
}

func fitted(tb testing.TB, zero, one *rootio.Table, opts Options) (*Ratio, *Result) {
	tb.Helper()
	r, result, err := Fit(context.Background(), Sample{Table: zero}, Sample{Table: one}, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return r, result
}

func logRatios(t *testing.T, r *Ratio, events *rootio.Table) []float64 {
	t.Helper()
	s := make([]float64, events.Len())
	if err := r.LogRatio(context.Background(), s, events, 0); err != nil {
		t.Fatal(err)
	}
	return s
}

// The density p₀ r is the one that is looked for: two moons, from two normals.
func TestRatioMakesMoons(t *testing.T) {
	testenv.Slow(t, "it trains a classifier")
	const n = 12_000
	moons, _ := known.Named("moons")
	normals := known.TwoNormals()
	r, _ := fitted(t, normals.Table(1, 0, n), moons.Table(2, 0, n), Options{Folds: 3, Hidden: 64})
	off, kl := closure(t, r, normals, moons, 20_000)
	// Over five seeds: off by −0.035 to 0.012, KL 0.011 to 0.017.
	if math.Abs(off) > 0.07 || kl > 0.03 {
		t.Errorf("the logarithm of the ratio is off by %.4f in the mean, KL %.4f", off, kl)
	}
}

// closure returns the mean of log r less the truth over n events of one, and KL(one ‖ zero·r/Z).
func closure(t *testing.T, r *Ratio, zero, one known.Density, n int) (off, kl float64) {
	t.Helper()
	events := one.Table(77, 0, n)
	p, q := make([]float64, n), make([]float64, n)
	zero.LogDensity(p, events)
	one.LogDensity(q, events)
	for i, s := range logRatios(t, r, events) {
		off += (s - (q[i] - p[i])) / float64(n)
	}
	z := 0.0
	for _, s := range logRatios(t, r, zero.Table(78, 0, n)) {
		z += math.Exp(s) / float64(n)
	}
	return off, math.Log(z) - off
}

// What is saved and loaded is the same to the bit, for events in any pieces; a code, a missing value or a
// fraction that no event of the samples had is an error.
func TestRatioOfNewEvents(t *testing.T) {
	r, result := fitted(t, mixed(1, 1500, 0), mixed(20, 1200, 0.6), Options{Folds: 2, Hidden: 16})
	if len(r.sight.Relations) == 0 {
		t.Error("the relation is not seen")
	}
	file := filepath.Join(t.TempDir(), "r")
	if err := r.Save(file); err != nil {
		t.Fatal(err)
	}
	again, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if again.Card.AUC != result.AUC || !slices.Equal(again.Names(), r.Names()) {
		t.Errorf("loaded as %+v of %v", again.Card, again.Names())
	}
	events := mixed(50, 300, 0.3)
	s := logRatios(t, r, events)
	var pieces []float64
	for lo := 0; lo < 300; lo += 77 {
		pieces = append(pieces, logRatios(t, again, events.Slice(lo, min(lo+77, 300)))...)
	}
	if !slices.Equal(s, pieces) {
		t.Error("loaded, or cut into pieces, it is another ratio")
	}
	if slices.ContainsFunc(s, func(v float64) bool { return math.IsNaN(v) || math.Abs(v) > math.Log(1500) }) {
		t.Error("a ratio is out of its bounds")
	}
	logRatios(t, r, events.Slice(0, 0))

	change := func(name string, c rootio.Column) *rootio.Table {
		changed := &rootio.Table{Columns: slices.Clone(events.Columns)}
		for i := range changed.Columns {
			if changed.Columns[i].Name == name {
				c.Name = name
				changed.Columns[i] = c
			}
		}
		return changed
	}
	with := func(name string, at int, v float64) *rootio.Table {
		c, _ := events.Column(name)
		x := c.Float64s()
		x[at] = v
		return change(name, rootio.ColumnOf("", x))
	}
	for want, bad := range map[string]*rootio.Table{
		`branch "code" is 12 in entry 1007`:   with("code", 7, 12),
		`branch "x" is NaN in entry 1003`:     with("x", 3, math.NaN()),
		`branch "gap" is +Inf in entry 1003`:  with("gap", 3, math.Inf(1)),
		`branch "whole" is 2.5 in entry 1004`: with("whole", 4, 2.5),
		`branch "x", which the ratio`:         table(events.Columns[1:]...),
	} {
		err := r.LogRatio(context.Background(), make([]float64, 300), bad, 1000)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	far := logRatios(t, r, with("x", 3, 1e30))
	if far[3] != far[3] || far[4] != s[4] {
		t.Errorf("the ratio is %v for a number far out, and %v, not %v, beside it", far[3], far[4], s[4])
	}
	for _, side := range []float64{-1, 1} { // no integer of the machine is 1e30
		far, near := logRatios(t, r, with("whole", 3, side*1e30)), logRatios(t, r, with("whole", 3, side*1e15))
		if far[3] != near[3] {
			t.Errorf("the ratio is %v for a whole number far out, %v for one that is nearer", far[3], near[3])
		}
	}

	r.most = 500 // its square is no number
	if err := r.Save(file); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); !errors.Is(err, ErrDamaged) {
		t.Errorf("a ratio up to exp 500 is loaded: %v", err)
	}
}

// A ratio of samples that do not differ, for which no tree may have grown, is saved and loaded, too.
func TestRatioOfEqualSamples(t *testing.T) {
	x := func(seed uint64) *rootio.Table { return table(rootio.ColumnOf("x", normals(seed, 300, 0))) }
	r, _ := fitted(t, x(1), x(2), Options{Folds: 2, Hidden: 4})
	for _, m := range r.members {
		m.trees.Trees, *m.polynomial = nil, polynomial{dim: m.polynomial.dim}
	}
	file := filepath.Join(t.TempDir(), "r")
	if err := r.Save(file); err != nil {
		t.Fatal(err)
	}
	again, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if s := logRatios(t, again, x(3)); !slices.Equal(s, logRatios(t, r, x(3))) {
		t.Error("loaded, it is another ratio")
	}
}

// Constants have no ratio.
func TestRatioOfNothing(t *testing.T) {
	five := Sample{Table: table(rootio.ColumnOf("x", slices.Repeat([]float64{5}, 300)))}
	if _, _, err := Fit(context.Background(), five, five, Options{}); err == nil {
		t.Error("no error for samples in which nothing varies")
	}
}

// Files that are no ratios are refused in one line that says what they are.
func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name, key, text string) string {
		name = filepath.Join(dir, name)
		if err := modelfile.Write(name, nil, key, text); err != nil {
			t.Fatal(err)
		}
		return name
	}
	events := filepath.Join(dir, "events.root")
	if err := os.WriteFile(events, []byte("root, or something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file, want string
		kind       error
	}{
		{filepath.Join(dir, "none"), "no such file", os.ErrNotExist},
		{events, "not a ratio file; “eidolon reweight --fit” makes them", ErrNotRatio},
		{file("model", modelfile.Model, "{}"), "it is a model", ErrNotRatio},
		{file("old", modelfile.Ratio, `{"format": 77}`), "fit the ratio again", ErrVersion},
		{file("empty", modelfile.Ratio, `{"format": 1}`), "damaged", ErrDamaged},
	} {
		if _, err := Load(c.file); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", c.file, err)
		}
	}
	if err := CheckOutput(events); err == nil {
		t.Error("a file of the user's would be replaced")
	}
}

// Any bytes are a ratio or an error in one line; a ratio that is loaded gives finite numbers.
func FuzzRatio(f *testing.F) {
	r, _ := fitted(f, mixed(1, 300, 0), mixed(20, 300, 0.6), Options{Folds: 2, Hidden: 4})
	name := filepath.Join(f.TempDir(), "r")
	if err := r.Save(name); err != nil {
		f.Fatal(err)
	}
	file, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	for harm := range uint64(200) {
		f.Add(file, harm)
	}
	events := mixed(50, 20, 0.3)
	f.Fuzz(func(t *testing.T, file []byte, harm uint64) {
		if harm != 0 {
			file = mutate.Safetensors(rand.New(rand.NewPCG(harm, 0)), bytes.Clone(file), modelfile.Ratio)
		}
		defer time.AfterFunc(time.Minute, func() { panic("the ratio hangs") }).Stop()
		name := filepath.Join(t.TempDir(), "r")
		if err := os.WriteFile(name, file, 0o600); err != nil {
			t.Fatal(err)
		}
		allocated := testenv.Allocated()
		r, err := Load(name)
		if asked := allocated(); asked > 256<<20 {
			t.Errorf("%d MB are asked for to load %d kB: %v", asked>>20, len(file)>>10, err)
		}
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotRatio) && !errors.Is(err, ErrVersion) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is %q", err)
			}
			return
		}
		_ = fmt.Sprint(r.Card, r.Names())
		s := make([]float64, events.Len())
		if err := r.LogRatio(t.Context(), s, events, 0); err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is %q", err)
			}
			return
		}
		for i, v := range s {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("the logarithm of the ratio of event %d is %v", i, v)
			}
		}
	})
}
