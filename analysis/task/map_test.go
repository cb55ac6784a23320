package task

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/origin"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// mapped has a file of events with a code, and models of them.
type mapped struct {
	t      *testing.T
	folder string
	n      int
}

func (m mapped) file(name string) string { return filepath.Join(m.folder, name) }

// train trains a model under a name.
func (m mapped) train(name string, o surrogate.Options) string {
	m.t.Helper()
	o.Seed = 1
	if o.Uses("hidden") == nil {
		o.Hidden, o.Depth, o.Train.Epochs = 8, 1, 2
	}
	if _, err := Train(m.t.Context(), TrainOptions{Inputs: []string{m.file("events.root")}, Features: []string{"x", "k"}, Model: o, Output: m.file(name)}, Progress{}); err != nil {
		m.t.Fatal(err)
	}
	return m.file(name)
}

// run maps to a file and reads it.
func (m mapped) run(o MapOptions, output string) (*MapResult, *rootio.Table) {
	m.t.Helper()
	o.Output = m.file(output)
	r, err := Map(m.t.Context(), o, Progress{})
	if err != nil {
		m.t.Fatal(err)
	}
	t, err := rootio.ReadFile(m.t.Context(), "", o.Output)
	if err != nil {
		m.t.Fatal(err)
	}
	if from, err := origin.Of(m.t.Context(), o.Output); err != nil || from == nil || from.File != o.Model {
		m.t.Errorf("%s does not say where it comes from: %v (%v)", output, from, err)
	}
	return r, t
}

func newMapped(t *testing.T) mapped {
	const n = 600
	m := mapped{t, t.TempDir(), n}
	e, x, c, k := make([]float32, 2*n), make([]float32, n), make([]float64, n), make([]int32, n)
	philox.Normal(e, 1, 0, 0)
	for i := range n {
		k[i] = int32(philox.Uint64(1, 1, uint64(i)) % 3)
		c[i] = float64(e[2*i])
		x[i] = e[2*i+1] + float32(c[i]) + float32(k[i])
	}
	events := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x), rootio.ColumnOf("k", k), rootio.ColumnOf("c", c)}}
	if err := rootio.WriteFile(m.file("events.root"), "Events", events); err != nil {
		t.Fatal(err)
	}
	return m
}

func floatsOf(t *testing.T, events *rootio.Table, name string) []float64 {
	t.Helper()
	c, ok := events.Column(name)
	if !ok {
		t.Fatalf("there is no branch %q in %v", name, events.Fields())
	}
	return c.Float64s()
}

// TestMap maps a file there and back, draws pairs for conditions, and follows a path.
func TestMap(t *testing.T) {
	m := newMapped(t)
	events := []string{m.file("events.root")}
	flow := m.train("flow.eidolon", surrogate.Options{Model: "realnvp", Layers: 2, Condition: []string{"c"}})
	r, y := m.run(MapOptions{Model: flow, Inputs: events, Layers: true}, "y.root")
	if !slices.Equal(r.Columns, []string{"code_k", "y_x"}) || r.Events != int64(m.n) || r.NoImage != 0 {
		t.Errorf("the result is %+v", r)
	}
	if _, err := Score(t.Context(), ScoreOptions{Model: flow, Inputs: events, Output: m.file("score.root")}, Progress{}); err != nil {
		t.Fatal(err)
	}
	scored, err := rootio.ReadFile(t.Context(), "", m.file("score.root"))
	if err != nil {
		t.Fatal(err)
	}
	logQ, logDet := floatsOf(t, y, "log_q"), floatsOf(t, y, "log_det_J")
	for i, p := range floatsOf(t, scored, "log_prob") {
		if math.Abs(logQ[i]+logDet[i]-p) > 1e-5 {
			t.Fatalf("log q + log|det J| = %v + %v, log p = %v", logQ[i], logDet[i], p)
		}
	}
	for i := range r.Layers {
		for j, v := range floatsOf(t, y, "log_det_J_"+string(rune('1'+i))) {
			logDet[j] -= v
		}
	}
	for _, v := range logDet {
		if math.Abs(v) > 1e-9 {
			t.Fatalf("log|det J| is %v more than that of its layers", v)
		}
	}
	_, back := m.run(MapOptions{Model: flow, Inputs: []string{m.file("y.root")}, Inverse: true}, "back.root")
	x, again := floatsOf(t, y, "x"), floatsOf(t, back, "x")
	for i := range x {
		if math.Abs(x[i]-again[i]) > 1e-4 {
			t.Fatalf("x = %v comes back as %v", x[i], again[i])
		}
	}
	if !slices.Equal(floatsOf(t, y, "k"), floatsOf(t, back, "k")) || !slices.Equal(floatsOf(t, y, "c"), floatsOf(t, back, "c")) {
		t.Error("codes or conditions do not come back")
	}

	// Two pairs for each event are two draws for each, and y of them leads to x again.
	seed := uint64(5)
	_, pairs := m.run(MapOptions{Model: flow, Inputs: events, Pairs: 2, Seed: &seed}, "pairs.root")
	if pairs.Len() != 2*m.n || floatsOf(t, pairs, "c")[3] != floatsOf(t, y, "c")[1] {
		t.Errorf("there are %d pairs", pairs.Len())
	}
	_, back = m.run(MapOptions{Model: flow, Inputs: []string{m.file("pairs.root")}, Inverse: true}, "back.root")
	if !slices.Equal(floatsOf(t, pairs, "x"), floatsOf(t, back, "x")) {
		t.Error("the x of pairs is not that of their y")
	}
	// The y of another map does not stay beside that of this one.
	other := m.train("other.eidolon", surrogate.Options{Model: "realnvp", Layers: 3, Condition: []string{"c"}})
	_, fresh := m.run(MapOptions{Model: other, Inputs: events}, "fresh.root")
	_, remapped := m.run(MapOptions{Model: other, Inputs: []string{m.file("y.root")}}, "again.root")
	if !slices.Equal(floatsOf(t, fresh, "y_x"), floatsOf(t, remapped, "y_x")) || len(remapped.Columns) != len(fresh.Columns)+1 {
		t.Errorf("y of events that had one already is another; the branches are %v", remapped.Fields())
	}

	sums := m.train("sums.eidolon", surrogate.Options{Model: "diffusion"})
	o := MapOptions{Model: sums, Pairs: 50, Seed: &seed}
	_, pairs = m.run(o, "pairs.root")
	o.Path = []float64{1, 0.5, 0}
	r, path := m.run(o, "path.root")
	if r.Events != 50 || r.Rows != 150 || path.Len() != 150 {
		t.Errorf("the path of 50 events has %d entries", path.Len())
	}
	o.Pairs, o.Seed, o.Inverse, o.Inputs = 0, nil, true, []string{m.file("pairs.root")}
	_, same := m.run(o, "same.root")
	for _, name := range []string{"x", "k", "event_index", "time"} {
		if !slices.Equal(floatsOf(t, path, name), floatsOf(t, same, name)) {
			t.Errorf("%s of a path depends on where y comes from", name)
		}
	}
	for i, v := range floatsOf(t, pairs, "x") {
		row := 3*i + 2
		if floatsOf(t, path, "x")[row] != v || floatsOf(t, path, "time")[row] != 0 || floatsOf(t, path, "event_index")[row] != float64(i) {
			t.Fatalf("the path of event %d does not end with it", i)
		}
	}
}

// TestMapErrors asks for what does not go together, and for files that lack something: one line each, and
// no output.
func TestMapErrors(t *testing.T) {
	m := newMapped(t)
	events, seed, zero := []string{m.file("events.root")}, uint64(1), 0.0
	flow := m.train("flow.eidolon", surrogate.Options{Model: "realnvp", Layers: 2})
	given := m.train("given.eidolon", surrogate.Options{Model: "realnvp", Layers: 2, Condition: []string{"c"}})
	copies := m.train("copies.eidolon", surrogate.Options{Model: "diffusion", Diffusion: surrogate.DiffusionOptions{SigmaMin: &zero}})
	_, y := m.run(MapOptions{Model: flow, Inputs: events}, "y.root")
	bad, _ := y.Column("y_x")
	bad.Values().([]float32)[7] = float32(math.NaN())
	if err := rootio.WriteFile(m.file("bad.root"), "Events", y); err != nil {
		t.Fatal(err)
	}
	if err := rootio.WriteFile(m.file("lacks.root"), "Events", &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", []float32{1})}}); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]MapOptions{
		"map needs -i":                       {Model: flow},
		"--inverse does not go with --pairs": {Model: flow, Inputs: events, Inverse: true, Pairs: 3},
		"--seed goes with --pairs":           {Model: flow, Inputs: events, Seed: &seed},
		"--path goes with":                   {Model: copies, Inputs: events, Path: []float64{0}},
		"--layers goes with events":          {Model: flow, Pairs: 3, Layers: true},
		"--where goes with events":           {Model: flow, Pairs: 3, Where: "x > 0"},
		"less than one pair":                 {Model: flow, Pairs: -1},
		"has no path in time":                {Model: flow, Pairs: 3, Path: []float64{1}},
		"the time 2 is none of a path":       {Model: copies, Pairs: 3, Path: []float64{2}},
		"--pairs needs no -i":                {Model: flow, Inputs: events, Pairs: 3},
		"is conditional on c":                {Model: given, Pairs: 3},
		"has no map from events to noise":    {Model: copies, Inputs: events},
		"--inverse reads the columns":        {Model: flow, Inputs: events, Inverse: true},
		"y of x is NaN in entry 7":           {Model: flow, Inputs: []string{m.file("bad.root")}, Inverse: true},
		`"k"`:                                {Model: flow, Inputs: []string{m.file("lacks.root")}},
	} {
		o.Output = m.file("out.root")
		_, err := Map(t.Context(), o, Progress{})
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %q", err, want)
		}
		if _, err := rootio.ReadFile(t.Context(), "", o.Output); err == nil {
			t.Errorf("%q leaves an output", want)
		}
	}
	if _, err := Map(t.Context(), MapOptions{Model: flow, Pairs: 3, Inverse: true, Output: m.file("out.root")}, Progress{}); !errors.Is(err, ErrUsage) {
		t.Errorf("%v is no wrong usage", err)
	}
}
