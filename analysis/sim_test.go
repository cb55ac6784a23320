package analysis_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// sample has columns of several types; charge is a code.
func sample(n int) *rootio.Table {
	t := zmumu.Default().Table(1, 0, n)
	charge := make([]int32, n)
	for i := range charge {
		charge[i] = int32(philox.Uint64(2, 0, uint64(i))%3) - 1
	}
	return &rootio.Table{Columns: []rootio.Column{t.Columns[0], t.Columns[2], t.Columns[6], rootio.ColumnOf("charge", charge)}}
}

var quick = surrogate.Options{Layers: 2, Hidden: 8, Seed: 1, Refine: surrogate.RefineOff, Train: training.Options{Epochs: 1}}

// models trains a surrogate of the sample and one that is conditional on mass and charge.
var models = sync.OnceValues(func() (string, string) {
	dir, err := os.MkdirTemp("", "eidolon")
	if err != nil {
		panic(err)
	}
	files := [2]string{filepath.Join(dir, "m.eidolon"), filepath.Join(dir, "c.eidolon")}
	for i, file := range files {
		opts := quick
		if i == 1 {
			opts.Condition = []string{"mass", "charge"}
		}
		tr, err := surrogate.New(context.Background(), sample(2000), nil, opts)
		if err != nil {
			panic(err)
		}
		model, err := tr.Run(context.Background())
		if err != nil {
			panic(err)
		}
		if err := model.Save(file); err != nil {
			panic(err)
		}
	}
	return files[0], files[1]
})

func TestMain(m *testing.M) {
	if how := os.Getenv(asked); how != "" {
		os.Exit(aJob(how))
	}
	code := m.Run()
	file, _ := models()
	_ = os.RemoveAll(filepath.Dir(file))
	os.Exit(code)
}

func load(t testing.TB, file string) *surrogate.Surrogate {
	t.Helper()
	s, err := surrogate.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A source gives the events of Generate with the same seed, for any number of events at
// a time, and batch, and choice of ports.
func TestSource(t *testing.T) {
	file, conditional := models()
	const n, first = 3001, 500
	s := load(t, file)
	want := rootio.NewTable(s.Fields(), n)
	if _, err := s.Generate(t.Context(), want, nil, 7, first); err != nil {
		t.Fatal(err)
	}
	entries := make([]int64, n)
	for i := range entries {
		entries[i] = int64(i)
	}
	want.Columns = append(want.Columns, rootio.ColumnOf("entry", entries))
	for _, batch := range []int{0, 100, n} {
		for _, nprocs := range []int{0, 2, 4} {
			out := filepath.Join(t.TempDir(), "out.root")
			app := newApp(t, -1, nprocs)
			create(t, app, ours+"Source", "source", props{
				"Model": file, "Seed": uint64(7), "First": uint64(first), "N": int64(n), "Batch": batch, "Entry": "entry",
			})
			create(t, app, ours+"TreeWriter", "out", props{"File": out, "Batch": batch > 0})
			if err := job.Run(t.Context(), app); err != nil {
				t.Fatal(err)
			}
			equal(t, read(t, out), want)
		}
	}

	out := filepath.Join(t.TempDir(), "out.root")
	app := newApp(t, 1000, 2) // fewer, and not all columns
	create(t, app, ours+"Source", "source", props{"Model": file, "Seed": uint64(7), "First": uint64(first), "N": int64(n)})
	create(t, app, ours+"TreeWriter", "out", props{"File": out, "Ports": []fwk.Port{{Name: "charge"}, {Name: "mass"}}})
	if err := job.Run(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	equal(t, read(t, out), (&rootio.Table{Columns: []rootio.Column{want.Columns[3], want.Columns[0]}}).Slice(0, 1000))

	for text, p := range map[string]props{
		"is conditional": {"Model": conditional, "N": int64(1)},
		"how many":       {"Model": file},
		"no surrogate":   {"N": int64(1)},
		"could not load": {"Model": "none.eidolon", "N": int64(1)},
		`"pt"`:           {"Model": file, "N": int64(1), "Ports": []fwk.Port{{Name: "ptt"}}},
	} {
		app := newApp(t, -1, 2)
		create(t, app, ours+"Source", "source", p)
		create(t, app, wrongType, "idle", nil)
		complains(t, job.Run(t.Context(), app), `"source"`, text)
	}
}

// simulated runs reader, simulation, score and writer and returns what was written.
func simulated(t *testing.T, in, model string, nprocs, batch int, entry string) *rootio.Table {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.root")
	app := newApp(t, -1, nprocs)
	create(t, app, ours+"TreeReader", "events", props{"Files": []string{in}, "Batch": batch, "Entry": entry})
	create(t, app, ours+"TreeWriter", "out", props{
		"File": out, "Batch": batch > 0, "Ports": []fwk.Port{{Name: "mass"}, {Name: "fast_pt"}, {Name: "fast_mu1_pt"}, {Name: "log_prob"}},
	})
	create(t, app, ours+"Score", "score", props{"Model": model, "Entry": entry})
	create(t, app, ours+"FastSim", "detector", props{"Model": model, "Prefix": "fast_", "Seed": uint64(3), "Entry": entry})
	if err := within(t, func() error { return job.Run(t.Context(), app) }); err != nil {
		t.Fatal(err)
	}
	return read(t, out)
}

// A fast simulation gives what Generate does with the same seed and the numbers of the
// events, and a score what LogDensity does.
func TestFastSim(t *testing.T) {
	_, file := models()
	const n = 1503
	given := sample(n)
	in := write(t, filepath.Join(t.TempDir(), "in.root"), given)
	s := load(t, file)
	fast := rootio.NewTable(s.Fields(), n)
	if _, err := s.Generate(t.Context(), fast, given, 3, 0); err != nil {
		t.Fatal(err)
	}
	score := make([]float64, n)
	if err := s.LogDensity(t.Context(), score, given, 0); err != nil {
		t.Fatal(err)
	}
	want := &rootio.Table{Columns: []rootio.Column{
		given.Columns[0],
		rootio.ColumnOf("fast_pt", fast.Columns[0].Values().([]float64)),
		rootio.ColumnOf("fast_mu1_pt", fast.Columns[1].Values().([]float32)),
		rootio.ColumnOf("log_prob", score),
	}}
	for _, c := range []struct {
		batch int
		entry string
	}{{0, ""}, {0, "entry"}, {100, "entry"}, {7, "entry"}, {n, "entry"}} {
		for _, nprocs := range []int{0, 2, 16} {
			equal(t, simulated(t, in, file, nprocs, c.batch, c.entry), want)
		}
	}
	a, b := simulated(t, in, file, 0, 100, ""), simulated(t, in, file, 4, 100, "")
	equal(t, a, b) // numbered by event and element
	if reflect.DeepEqual(a.Columns[1].Values(), want.Columns[1].Values()) {
		t.Error("the numbers of elements are those of entries")
	}
}

// Objects of an event are drawn one by one; a number of the event holds for all of them.
func TestFastSimPerObject(t *testing.T) {
	_, file := models()
	s := load(t, file)
	given := sample(400)
	masses := given.Columns[0].Values().([]float64)
	counts := func(event int64) int { return int(philox.Uint64(9, 0, uint64(event)) % 5) } // 0 to 4
	var checked atomic.Int64
	app := newApp(t, 80, 4)
	create(t, app, portedType, "objects", props{"Out": []fwk.Port{{Name: "mass", Type: float64sPort}, {Name: "charge", Type: int32Port}}, "Process": func(ctx fwk.Context) error {
		k := counts(ctx.ID())
		first := int(ctx.ID()) * 5
		if err := ctx.Store().Put("mass", masses[first:first+k]); err != nil {
			return err
		}
		return ctx.Store().Put("charge", int32(ctx.ID()%3)-1)
	}})
	create(t, app, ours+"FastSim", "detector", props{"Seed": uint64(1),
		"Model": file, "Ports": []fwk.Port{{Name: "mass", Type: float64sPort}, {Name: "charge", Type: int32Port}},
	})
	create(t, app, portedType, "check", props{"In": []fwk.Port{{Name: "pt", Type: float64sPort}}, "Process": func(ctx fwk.Context) error {
		v, err := ctx.Store().Get("pt")
		if err != nil {
			return err
		}
		k := counts(ctx.ID())
		first := int(ctx.ID()) * 5
		charges := make([]int32, k)
		for i := range charges {
			charges[i] = int32(ctx.ID()%3) - 1
		}
		want := rootio.NewTable(s.Fields(), k)
		event := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("mass", masses[first:first+k]), rootio.ColumnOf("charge", charges)}}
		if _, err := s.Generate(t.Context(), want, event, 1, uint64(ctx.ID())<<20); err != nil {
			return err
		}
		if got := v.([]float64); len(got) != k || k > 0 && !reflect.DeepEqual(got, want.Columns[0].Values()) {
			return fmt.Errorf("%v, want %v", got, want.Columns[0].Values())
		}
		checked.Add(1)
		return nil
	}})
	if err := within(t, func() error { return job.Run(t.Context(), app) }); err != nil {
		t.Fatal(err)
	}
	if checked.Load() != 80 {
		t.Errorf("%d events", checked.Load())
	}
}

// ported is a task with ports of any type.
type ported struct {
	fwk.TaskBase
	in, out []fwk.Port
	process func(ctx fwk.Context) error
}

var (
	portedType = reflect.TypeFor[ported]().PkgPath() + ".ported"
	int32Port  = reflect.TypeFor[int32]()
)

func init() {
	fwk.Register(reflect.TypeFor[ported](), func(typ, name string, app fwk.App) (fwk.Component, error) {
		t := &ported{TaskBase: fwk.NewTask(typ, name, app)}
		for name, p := range map[string]any{"In": &t.in, "Out": &t.out, "Process": &t.process} {
			if err := t.DeclProp(name, p); err != nil {
				return nil, err
			}
		}
		return t, nil
	})
}

func (t *ported) Configure(fwk.Context) error {
	for _, p := range t.in {
		if err := t.DeclInPort(p.Name, p.Type); err != nil {
			return err
		}
	}
	for _, p := range t.out {
		if err := t.DeclOutPort(p.Name, p.Type); err != nil {
			return err
		}
	}
	return nil
}

func (t *ported) StartTask(fwk.Context) error   { return nil }
func (t *ported) StopTask(fwk.Context) error    { return nil }
func (t *ported) Process(ctx fwk.Context) error { return t.process(ctx) }

// A job trains the surrogate that the library does with the same events, for any number
// of events at a time.
func TestTrain(t *testing.T) {
	const n = 1000
	table := sample(n)
	in := write(t, filepath.Join(t.TempDir(), "in.root"), table)
	opts := quick
	opts.Condition = []string{"charge"}
	tr, err := surrogate.New(t.Context(), &rootio.Table{Columns: table.Columns[1:]}, weightsOf(table), opts)
	if err != nil {
		t.Fatal(err)
	}
	want, err := tr.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range []int{0, 64} {
		for _, nprocs := range []int{0, 4} {
			out := filepath.Join(t.TempDir(), "m.eidolon")
			app := newApp(t, -1, nprocs)
			create(t, app, ours+"TreeReader", "events", props{"Files": []string{in}, "Batch": batch, "Entry": "entry"})
			create(t, app, ours+"Train", "fit", props{"Output": out, "Options": opts, "Weight": "mass"})
			if err := job.Run(t.Context(), app); err != nil {
				t.Fatal(err)
			}
			got := load(t, out)
			if !reflect.DeepEqual(got.Parts[0].Chain.Tensors(), want.Parts[0].Chain.Tensors()) || got.Card.Events != n {
				t.Error("it is another surrogate")
			}
			if c := got.Card; !reflect.DeepEqual(c.Inputs, []string{in}) || c.Tree != "Events" || c.Weight != "mass" {
				t.Errorf("it says it comes from %q, tree %q, weight %q", c.Inputs, c.Tree, c.Weight)
			}
		}
	}
	for text, p := range map[string]props{
		"no file to write": {},
		"nothing to learn": {"Output": "x", "Ports": []fwk.Port{}},
		`"mass"`:           {"Output": "x", "Ports": []fwk.Port{{Name: "mass", Type: float64Port}}, "Weight": "masss"},
		"hidden":           {"Output": "x", "Ports": []fwk.Port{{Name: "mass", Type: float64Port}}, "Options": surrogate.Options{Hidden: -1}},
	} {
		app := newApp(t, 10, 2)
		create(t, app, ours+"Train", "fit", p)
		complains(t, job.Run(t.Context(), app), `"fit"`, text)
	}
}

func weightsOf(t *rootio.Table) []float64 {
	w := make([]float64, t.Len())
	t.Columns[0].Floats(w, 0)
	return w
}

// An interrupt during the training leaves a checkpoint and neither a surrogate nor output;
// the same job goes on from it, to the same surrogate as without the interrupt. A job that
// is interrupted earlier leaves nothing.
func TestTrainInterrupt(t *testing.T) {
	dir := t.TempDir()
	in := write(t, filepath.Join(t.TempDir(), "in.root"), sample(1000))
	output := func(name string) string { return filepath.Join(dir, name) }
	train := func(ctx context.Context, progress func(training.Status)) error {
		opts := quick
		opts.Train = training.Options{Epochs: 20, Progress: progress}
		app := newApp(t, -1, 2)
		create(t, app, ours+"TreeReader", "events", props{"Files": []string{in}})
		create(t, app, ours+"Train", "fit", props{"Output": output("m.eidolon"), "Options": opts})
		create(t, app, ours+"TreeWriter", "out", props{"File": output("out.root")})
		return job.Run(ctx, app)
	}
	if err := train(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	whole := load(t, output("m.eidolon"))
	for _, name := range []string{"m.eidolon", "out.root"} {
		if err := os.Remove(output(name)); err != nil {
			t.Fatal(err)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	complains(t, train(ctx, func(s training.Status) {
		if s.Step == 30 {
			cancel()
		}
	}), `"fit"`, "m.eidolon.checkpoint", "canceled")
	if left, _ := filepath.Glob(output("*")); len(left) != 1 || left[0] != output("m.eidolon.checkpoint") {
		t.Errorf("%v is left", left)
	}
	again := false
	if err := train(t.Context(), func(s training.Status) { again = again || s.Step < 30 }); err != nil || again {
		t.Fatalf("the training begins again: %v, %v", again, err)
	}
	if got := load(t, output("m.eidolon")); !reflect.DeepEqual(got.Parts[0].Chain.Tensors(), whole.Parts[0].Chain.Tensors()) {
		t.Error("the training that was gone on with comes to another surrogate")
	}
	if left, _ := filepath.Glob(output("*")); len(left) != 2 {
		t.Errorf("%v is left", left)
	}

	for _, name := range []string{"m.eidolon", "out.root"} {
		_ = os.Remove(output(name))
	}
	complains(t, train(ctx, nil), "canceled") // from the beginning
	if left, _ := filepath.Glob(output("*")); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

// A training that fails is not said to be interrupted, though there is a checkpoint.
func TestTrainFails(t *testing.T) {
	out := filepath.Join(t.TempDir(), "m.eidolon")
	opts := quick
	opts.Train = training.Options{Epochs: 2, SaveEvery: 1, Progress: func(training.Status) {
		_ = os.MkdirAll(filepath.Join(out, "in the way"), 0o700)
	}}
	app := newApp(t, -1, 0)
	create(t, app, ours+"TreeReader", "events", props{"Files": []string{write(t, filepath.Join(t.TempDir(), "in.root"), sample(1000))}})
	create(t, app, ours+"Train", "fit", props{"Output": out, "Options": opts})
	err := job.Run(t.Context(), app)
	complains(t, err, `"fit"`, "m.eidolon")
	if strings.Contains(err.Error(), "interrupted") || !surrogate.IsCheckpoint(out+".checkpoint") {
		t.Errorf("a model that cannot be written: %v", err)
	}
}

// The writer leaves out what is not selected.
func TestSelect(t *testing.T) {
	table := zmumu.Default().Table(1, 0, 2000)
	chosen := make([]bool, table.Len())
	var places []int
	for i := range chosen {
		if chosen[i] = philox.Uint64(5, 0, uint64(i))%4 == 0; chosen[i] {
			places = append(places, i)
		}
	}
	in := write(t, filepath.Join(t.TempDir(), "in.root"), &rootio.Table{Columns: []rootio.Column{table.Columns[0], rootio.ColumnOf("good", chosen), table.Columns[2]}})
	want := &rootio.Table{Columns: []rootio.Column{table.Columns[0].Take(places), table.Columns[2].Take(places)}}
	for _, batch := range []int{0, 150} {
		out := filepath.Join(t.TempDir(), "out.root")
		app := newApp(t, -1, 4)
		create(t, app, ours+"TreeReader", "events", props{"Files": []string{in}, "Batch": batch})
		create(t, app, ours+"TreeWriter", "out", props{"File": out, "Select": "good", "Batch": batch > 0})
		if err := job.Run(t.Context(), app); err != nil {
			t.Fatal(err)
		}
		equal(t, read(t, out), want)
	}
}

// jagged has events with a varying number of objects, in counted arrays and a vector.
func jagged(n int) *rootio.Table {
	all := sample(5 * n)
	objects := &rootio.Table{Columns: all.Columns}
	t := rootio.NewTable([]rootio.Field{
		{Name: "run", Kind: rootio.Int32}, {Name: "nMu", Kind: rootio.Int32},
		{Name: "mass", Kind: rootio.Float64, Counter: "nMu"}, {Name: "charge", Kind: rootio.Int32, Counter: "nMu"},
		{Name: "pt", Kind: rootio.Float64, Counter: rootio.Vector},
	}, n)
	runs, counts := t.Columns[0].Values().([]int32), t.Columns[1].Values().([]int32)
	var places []int
	for i := range n {
		runs[i], counts[i] = int32(i/10), int32(philox.Uint64(9, 0, uint64(i))%5)
		for k := range counts[i] {
			places = append(places, 5*i+int(k))
		}
		for j := range t.Jagged {
			t.Jagged[j].Offsets[i+1] = len(places)
		}
	}
	for j := range t.Jagged {
		field := t.Jagged[j].Field
		c, _ := objects.Column(field.Name)
		t.Jagged[j].Column = c.Take(places)
		t.Jagged[j].Field = field
	}
	return t
}

// Branches with a varying number of values are read and written as such, and objects are
// simulated one by one, as the library does with the same numbers.
func TestJagged(t *testing.T) {
	_, file := models()
	s := load(t, file)
	const n = 300
	table := jagged(n)
	in := write(t, filepath.Join(t.TempDir(), "in.root"), table)
	want := read(t, in)
	for _, nprocs := range []int{0, 4} {
		out := filepath.Join(t.TempDir(), "out.root")
		app := newApp(t, -1, nprocs)
		create(t, app, ours+"TreeReader", "events", props{"Files": []string{in}})
		create(t, app, ours+"FastSim", "detector", props{"Model": file, "Prefix": "fast_", "Seed": uint64(1)})
		create(t, app, ours+"TreeWriter", "out", props{"File": out})
		if err := job.Run(t.Context(), app); err != nil {
			t.Fatal(err)
		}
		got := read(t, out)
		if !reflect.DeepEqual(got.Columns, want.Columns) || !reflect.DeepEqual(got.Jagged[:3], want.Jagged) {
			t.Fatalf("%v, want %v", got.Fields(), want.Fields())
		}
		fast := got.Jagged[3]
		if fast.Name != "fast_pt" || fast.Counter != "nMu" {
			t.Fatalf("%+v", fast.Field)
		}
		for i := range n {
			event := &rootio.Table{Columns: []rootio.Column{want.Jagged[0].Event(i), want.Jagged[1].Event(i)}}
			drawn := rootio.NewTable(s.Fields(), event.Len())
			if _, err := s.Generate(t.Context(), drawn, event, 1, uint64(i)<<20); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(fast.Event(i).Values().([]float64), drawn.Columns[0].Values().([]float64)) {
				t.Fatalf("event %d: %v, want %v", i, fast.Event(i).Values(), drawn.Columns[0].Values())
			}
		}
	}
	app := newApp(t, -1, 2)
	create(t, app, ours+"TreeReader", "events", props{"Files": []string{in}, "Batch": 10, "Ports": []fwk.Port{{Name: "pt"}}})
	create(t, app, wrongType, "idle", nil)
	complains(t, job.Run(t.Context(), app), `"pt"`, "varies", "without Batch")
}

// Real events with jagged branches come out as they were.
func TestHZZ(t *testing.T) {
	in := testenv.SharedFile(t, "data/hzz.root")
	out := filepath.Join(t.TempDir(), "out.root")
	app := newApp(t, -1, 2)
	create(t, app, ours+"TreeReader", "events", props{"Files": []string{in}})
	create(t, app, ours+"TreeWriter", "out", props{"File": out})
	if err := job.Run(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	got, want := read(t, out), read(t, in)
	equal(t, got, want)
	if len(got.Jagged) == 0 || len(got.Jagged) != len(want.Jagged) {
		t.Fatalf("%d jagged branches, want %d", len(got.Jagged), len(want.Jagged))
	}
	for i, j := range want.Jagged {
		if !slices.Equal(got.Jagged[i].Offsets, j.Offsets) || !reflect.DeepEqual(got.Jagged[i].Values(), j.Values()) || got.Jagged[i].Counter != j.Counter {
			t.Errorf("branch %q differs", j.Name)
		}
	}
}

// A condition that cannot be is an error that names event, component, branch and element.
func TestBadCondition(t *testing.T) {
	_, file := models()
	for _, sliced := range []bool{false, true} {
		app := newApp(t, 100, 4)
		mass := fwk.Port{Name: "mass", Type: float64Port}
		if sliced {
			mass.Type = float64sPort
		}
		charge := fwk.Port{Name: "charge", Type: int32Port}
		create(t, app, portedType, "objects", props{"Out": []fwk.Port{mass, charge}, "Process": func(ctx fwk.Context) error {
			m := 91.0
			if ctx.ID() == 40 {
				m = math.NaN()
			}
			v := any(m)
			if sliced {
				v = []float64{90, 91, m}
			}
			if err := ctx.Store().Put("mass", v); err != nil {
				return err
			}
			return ctx.Store().Put("charge", int32(1))
		}})
		create(t, app, ours+"FastSim", "detector", props{"Model": file, "Seed": uint64(1), "Ports": []fwk.Port{mass, charge}})
		where := "entry 40"
		if sliced {
			where = "entry 2"
		}
		complains(t, within(t, func() error { return job.Run(t.Context(), app) }), "event 40", `"detector"`, `"mass"`, "NaN", where)
	}
}

// A reader computes columns and selects entries, the same ones in batches.
func TestWhere(t *testing.T) {
	table := zmumu.Default().Table(1, 0, 3000)
	mass, pt := table.Columns[0].Values().([]float64), table.Columns[2].Values().([]float64)
	var places []int
	var mt []float64
	var numbers []int64
	for i := range mass {
		if mass[i] > 91 && i >= 1200 { // none in the first batches
			places, mt, numbers = append(places, i), append(mt, math.Sqrt(mass[i]*mass[i]+pt[i]*pt[i])), append(numbers, int64(len(numbers)))
		}
	}
	want := &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("mt", mt), table.Columns[0].Take(places), rootio.ColumnOf("entry", numbers),
	}}
	late := make([]bool, len(mass))
	for i := range late {
		late[i] = i >= 1200
	}
	table.Columns = append(table.Columns, rootio.ColumnOf("late", late))
	in := write(t, filepath.Join(t.TempDir(), "in.root"), table)
	for _, batch := range []int{0, 100} {
		out := filepath.Join(t.TempDir(), "out.root")
		app := newApp(t, -1, 2)
		create(t, app, ours+"TreeReader", "events", props{
			"Files": []string{in}, "Batch": batch, "Entry": "entry",
			"Define": []string{"mt = sqrt(mass*mass + pt*pt)"}, "Where": "mass > 91 && late",
		})
		create(t, app, ours+"TreeWriter", "out", props{"File": out, "Batch": batch > 0, "Ports": []fwk.Port{{Name: "mt"}, {Name: "mass"}, {Name: "entry"}}})
		if err := job.Run(t.Context(), app); err != nil {
			t.Fatal(err)
		}
		equal(t, read(t, out), want)
	}
	for _, p := range []props{{"Where": "mas > 91"}, {"Define": []string{"mt = sqrt(mas)"}}} {
		p["Files"] = []string{in}
		app := newApp(t, -1, 2)
		create(t, app, ours+"TreeReader", "events", p)
		create(t, app, wrongType, "idle", nil)
		complains(t, job.Run(t.Context(), app), `"events"`, `"mas"`, `"mass"`)
	}
}

// Conditions that the training events did not have are met as a FastSim or Score is told, an
// event at a time or in batches; a port tells which they were.
func TestFastSimOutside(t *testing.T) {
	const n = 300
	_, file := models() // given mass and charge
	in := sample(n)
	number, code := in.Take(upTo(n)), in.Take(upTo(n))
	mass, _ := number.Column("mass")
	mass.Values().([]float64)[30] = 1e30
	charge, _ := code.Column("charge")
	charge.Values().([]int32)[40] = 7
	dir := t.TempDir()
	files := map[string]string{"": write(t, filepath.Join(dir, "in.root"), in), "number": write(t, filepath.Join(dir, "number.root"), number), "code": write(t, filepath.Join(dir, "code.root"), code)}
	run := func(in, task, outside string, batch int) (*rootio.Table, error) {
		out := filepath.Join(t.TempDir(), "out.root")
		app := newApp(t, -1, 2)
		create(t, app, ours+"TreeReader", "events", props{"Files": []string{files[in]}, "Batch": batch, "Entry": "entry"})
		p := props{"Model": file, "Entry": "entry", "Outside": outside}
		if task == "FastSim" {
			p["Prefix"], p["Seed"] = "fast_", uint64(1)
		}
		create(t, app, ours+task, "model", p)
		create(t, app, ours+"TreeWriter", "out", props{"File": out, "Batch": batch > 0})
		if err := within(t, func() error { return job.Run(t.Context(), app) }); err != nil {
			return nil, err
		}
		return read(t, out), nil
	}
	for _, batch := range []int{0, 50} {
		all, err := run("", "FastSim", "refuse", batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			in, outside string
			far         int
			refused     string
		}{
			{"number", "", 30, ""}, {"number", "skip", 30, ""}, {"number", "refuse", 0, `"mass"`},
			{"code", "", 0, `"charge"`}, {"code", "clip", 40, ""}, {"code", "skip", 40, ""},
			{"code", "often", 0, "often"},
		} {
			got, err := run(c.in, "FastSim", c.outside, batch)
			if c.refused != "" {
				complains(t, err, `"model"`, c.refused)
				continue
			}
			if err != nil {
				t.Fatalf("%s %s: %v", c.in, c.outside, err)
			}
			known, ok := got.Column("fast_known")
			if !ok {
				t.Fatalf("no branch fast_known among %v", got.Fields())
			}
			pt, _ := got.Column("fast_pt")
			before, _ := all.Column("fast_pt")
			x, y := make([]float64, n), make([]float64, n)
			pt.Floats(x, 0)
			before.Floats(y, 0)
			for i, k := range known.Values().([]bool) {
				if k == (i == c.far) || i != c.far && x[i] != y[i] || i == c.far && math.IsNaN(x[i]) != (c.outside == "skip") {
					t.Errorf("%s %s: event %d is known: %v, pt %g, before %g", c.in, c.outside, i, k, x[i], y[i])
				}
			}
		}
		if _, err := run("number", "Score", "", batch); err != nil {
			t.Error(err)
		}
		if _, err := run("code", "Score", "clip", batch); err != nil {
			t.Error(err)
		}
		_, err = run("code", "Score", "", batch)
		complains(t, err, `"model"`, `"charge"`)
		_, err = run("number", "Score", "skip", batch)
		complains(t, err, `"model"`, "Outside")
	}
}

// upTo returns 0, 1, …, n−1.
func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
