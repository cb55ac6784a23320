package analysis_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/analysis"
	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/internal/parallel"
)

// faults are what happens at places of a component; at those of events, in event 7.
type faults map[string]func() error

func (f faults) at(place string) error {
	if fault := f[place]; fault != nil {
		return fault()
	}
	return nil
}

func (f faults) in(ctx fwk.Context, place string) error {
	if ctx.ID() == 7 {
		return f.at(place)
	}
	return nil
}

// faulty is a task that fails where it is told to.
type faulty struct {
	fwk.TaskBase
	faults faults
}

func init() {
	fwk.Register(reflect.TypeFor[faulty](), func(typ, name string, app fwk.App) (fwk.Component, error) {
		t := &faulty{TaskBase: fwk.NewTask(typ, name, app)}
		return t, t.DeclProp("Faults", &t.faults)
	})
}

func (t *faulty) Configure(fwk.Context) error {
	if err := t.faults.at("Configure"); err != nil {
		return err
	}
	return t.DeclOutPort("y", float64Port)
}
func (t *faulty) StartTask(fwk.Context) error { return t.faults.at("StartTask") }
func (t *faulty) StopTask(fwk.Context) error  { return t.faults.at("StopTask") }

func (t *faulty) Process(ctx fwk.Context) error {
	if err := t.faults.in(ctx, "Process"); err != nil {
		return err
	}
	return ctx.Store().Put("y", 1.0)
}

// faultyIn and faultyOut are streamers that do.
type faultyIn struct {
	faults faults
	event  int
}

func (s *faultyIn) Connect([]fwk.Port) error { return s.faults.at("in.Connect") }
func (s *faultyIn) Disconnect() error        { return s.faults.at("in.Disconnect") }

func (s *faultyIn) Read(ctx fwk.Context) error {
	if s.event == 100 {
		return io.EOF
	}
	s.event++
	if err := s.faults.in(ctx, "Read"); err != nil {
		return err
	}
	return ctx.Store().Put("x", 1.0)
}

type faultyOut struct{ faults faults }

func (s *faultyOut) Connect([]fwk.Port) error { return s.faults.at("out.Connect") }
func (s *faultyOut) Disconnect() error        { return s.faults.at("out.Disconnect") }

func (s *faultyOut) Write(ctx fwk.Context) error {
	if _, err := ctx.Store().Get("y"); err != nil {
		return err
	}
	return s.faults.in(ctx, "Write")
}

// Whatever happens in whatever part of a component, the job ends with an error that names
// the component, and the event where there is one; no output is left.
func TestFaultEverywhere(t *testing.T) {
	for what, fault := range map[string]func() error{
		"error":            func() error { return errors.New("no luck") },
		"panic":            func() error { panic("no luck") },
		"end of goroutine": func() error { runtime.Goexit(); return nil },
	} {
		for place, texts := range map[string][]string{
			"Configure": {`"task"`}, "StartTask": {`"task"`}, "Process": {"event 7", `"task"`}, "StopTask": {`"task"`},
			"in.Connect": {`"in"`}, "Read": {"event 7", `"in"`}, "in.Disconnect": {`"in"`},
			"out.Connect": {`"out"`}, "Write": {"event 7", `"out"`}, "out.Disconnect": {`"out"`},
		} {
			t.Run(what+" in "+place, func(t *testing.T) {
				switch what {
				case "error":
					texts = append(texts, "no luck")
				case "panic":
					texts = append(texts, "panic: no luck", "panic_test.go:")
				default:
					if place != "Process" && place != "Write" { // others are called in our goroutine
						return
					}
				}
				for _, nprocs := range []int{0, 2} {
					dir := t.TempDir()
					app := newApp(t, -1, nprocs)
					f := faults{place: fault}
					create(t, app, "go-hep.org/x/hep/fwk.InputStream", "in", props{
						"Ports": []fwk.Port{{Name: "x", Type: float64Port}}, "Streamer": fwk.InputStreamer(&faultyIn{faults: f}),
					})
					create(t, app, reflect.TypeFor[faulty]().PkgPath()+".faulty", "task", props{"Faults": f})
					create(t, app, wrongType, "taker", props{"In": []string{"y"}, "Process": get("y")})
					create(t, app, "go-hep.org/x/hep/fwk.OutputStream", "out", props{
						"Ports": []fwk.Port{{Name: "y", Type: float64Port}}, "Streamer": fwk.OutputStreamer(&faultyOut{f}),
					})
					create(t, app, ours+"TreeWriter", "tree", props{"File": filepath.Join(dir, "out.root"), "Ports": []fwk.Port{{Name: "x", Type: float64Port}}})
					complains(t, within(t, func() error { return job.Run(t.Context(), app) }), texts...)
					if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 && place != "out.Disconnect" {
						t.Errorf("%v is left", left)
					}
				}
			})
		}
	}
}

// A component that waits for one that has failed does not hold the job.
func TestWaitingComponent(t *testing.T) {
	for _, nprocs := range []int{0, 2} {
		procs := runtime.GOMAXPROCS(0)
		dir := t.TempDir()
		never := make(chan bool)
		app := newApp(t, 1000, nprocs)
		create(t, app, wrongType, "broken", props{"Process": func(ctx fwk.Context) error {
			if ctx.ID() == 5 {
				panic("no luck")
			}
			return nil
		}})
		create(t, app, wrongType, "waits", props{"Out": []string{"x"}, "Process": func(ctx fwk.Context) error {
			if ctx.ID() == 5 {
				<-never
			}
			return ctx.Store().Put("x", 1.0)
		}})
		create(t, app, ours+"TreeWriter", "tree", props{"File": filepath.Join(dir, "out.root"), "Ports": []fwk.Port{{Name: "x", Type: float64Port}}})
		complains(t, within(t, func() error { return job.Run(t.Context(), app) }), "event 5", `"broken"`, "no luck")
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
			t.Errorf("%v is left", left)
		}
		if now := runtime.GOMAXPROCS(0); now != procs {
			t.Errorf("GOMAXPROCS is %d, it was %d", now, procs)
		}
		close(never)
	}
}

// fragile is a factor that panics at one event, in a goroutine of its own.
type fragile struct {
	factor.Factor
	event uint64
}

func (f fragile) Sample(ctx context.Context, x, c []float32, seed, attempt uint64, numbers []uint64) error {
	err := f.Factor.Sample(ctx, x, c, seed, attempt, numbers)
	parallel.Ranges(len(numbers), 1, func(lo, hi int) {
		if slices.Contains(numbers[lo:hi], f.event) {
			panic("no such density")
		}
	})
	return err
}

// A panic of a density, of which many objects wait to be drawn at the same time, is that of
// its event, and none waits on.
func TestPanicOfDensity(t *testing.T) {
	const n = 2000
	_, file := models()
	in := write(t, filepath.Join(t.TempDir(), "in.root"), sample(n))
	for _, nprocs := range []int{0, 1, 2, 8} {
		model := load(t, file)
		last := len(model.Parts[0].Chain.Factors) - 1
		model.Parts[0].Chain.Factors[last] = fragile{model.Parts[0].Chain.Factors[last], 1234}
		app := newApp(t, -1, nprocs)
		create(t, app, ours+"TreeReader", "events", props{"Files": []string{in}})
		sim := create(t, app, ours+"FastSim", "detector", props{"Prefix": "fast_"})
		sim.(*analysis.FastSim).SetModel(model)
		complains(t, within(t, func() error { return job.Run(t.Context(), app) }), "event 1234", `"detector"`, "no such density", "panic_test.go:")
	}
}
