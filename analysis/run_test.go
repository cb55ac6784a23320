package analysis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go-hep.org/x/hep/fmom"
	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
)

// muon and pair are the branches that the mass task reads.
var muons = []string{"mu1_pt", "mu1_eta", "mu1_phi", "mu2_pt", "mu2_eta", "mu2_phi"}

// mass is a task as a user would write it: the mass of two muons.
type mass struct {
	fwk.TaskBase
	fault func(id int64) error // instead of the work
	batch bool
}

func init() {
	fwk.Register(reflect.TypeFor[mass](), func(typ, name string, app fwk.App) (fwk.Component, error) {
		t := &mass{TaskBase: fwk.NewTask(typ, name, app)}
		if err := t.DeclProp("Fault", &t.fault); err != nil {
			return nil, err
		}
		return t, t.DeclProp("Batch", &t.batch)
	})
}

func (t *mass) Configure(fwk.Context) error {
	in, out := reflect.TypeFor[float32](), reflect.TypeFor[float64]()
	if t.batch {
		in, out = reflect.TypeFor[[]float32](), reflect.TypeFor[[]float64]()
	}
	for _, name := range muons {
		if err := t.DeclInPort(name, in); err != nil {
			return err
		}
	}
	return t.DeclOutPort("m12", out)
}

func (t *mass) StartTask(fwk.Context) error { return nil }
func (t *mass) StopTask(fwk.Context) error  { return nil }

func (t *mass) Process(ctx fwk.Context) error {
	if t.fault != nil {
		if err := t.fault(ctx.ID()); err != nil {
			return err
		}
	}
	var x [6][]float32
	for i, name := range muons {
		v, err := ctx.Store().Get(name)
		if err != nil {
			return err
		}
		if t.batch {
			x[i] = v.([]float32)
		} else {
			x[i] = []float32{v.(float32)}
		}
	}
	m := make([]float64, len(x[0]))
	for k := range m {
		mu1 := fmom.NewPtEtaPhiM(float64(x[0][k]), float64(x[1][k]), float64(x[2][k]), zmumu.MuonMass)
		mu2 := fmom.NewPtEtaPhiM(float64(x[3][k]), float64(x[4][k]), float64(x[5][k]), zmumu.MuonMass)
		m[k] = fmom.InvMass(&mu1, &mu2)
	}
	if t.batch {
		return ctx.Store().Put("m12", m)
	}
	return ctx.Store().Put("m12", m[0])
}

// newApp returns a quiet application.
func newApp(t testing.TB, evtmax int64, nprocs int) fwk.App {
	t.Helper()
	app := fwk.NewApp()
	for name, value := range map[string]any{"EvtMax": evtmax, "NProcs": nprocs, "MsgLevel": fwk.LvlError} {
		if err := app.SetProp(app, name, value); err != nil {
			t.Fatal(err)
		}
	}
	return app
}

type props map[string]any

// create adds a component.
func create(t testing.TB, app fwk.App, typ, name string, p props) fwk.Component {
	t.Helper()
	c, err := app.New(typ, name)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range p {
		if err := app.SetProp(c, k, v); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// ours is where the types of this package are registered.
const ours = "github.com/eidolon-hep/eidolon/analysis."

// massType is the type of the task mass.
var massType = reflect.TypeFor[mass]().PkgPath() + ".mass"

// numbers and slices of them as types of ports.
var (
	float64Port  = reflect.TypeFor[float64]()
	float64sPort = reflect.TypeFor[[]float64]()
)

func write(t testing.TB, file string, table *rootio.Table) string {
	t.Helper()
	if err := rootio.WriteFile(file, "Events", table); err != nil {
		t.Fatal(err)
	}
	return file
}

func read(t testing.TB, file string) *rootio.Table {
	t.Helper()
	table, err := rootio.ReadFile(context.Background(), "", file)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// zmumuFile writes n events of the demonstration.
func zmumuFile(t testing.TB, n int) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "zmumu.root"), zmumu.Default().Table(1, 0, n))
}

// equal checks that two tables are the same to the bit, but for titles, which are not
// written.
func equal(t testing.TB, got, want *rootio.Table) {
	t.Helper()
	if len(got.Columns) != len(want.Columns) || got.Len() != want.Len() {
		t.Fatalf("%d entries of %v, want %d of %v", got.Len(), got.Fields(), want.Len(), want.Fields())
	}
	for i := range got.Columns {
		if got.Columns[i].Name != want.Columns[i].Name {
			t.Errorf("column %q, want %q", got.Columns[i].Name, want.Columns[i].Name)
		}
		if !reflect.DeepEqual(got.Columns[i].Values(), want.Columns[i].Values()) {
			t.Errorf("column %q differs", got.Columns[i].Name)
		}
	}
}

// massJob reads, computes and writes.
func massJob(t testing.TB, in, out string, nprocs, batch int, fault func(int64) error) fwk.App {
	app := newApp(t, -1, nprocs)
	create(t, app, ours+"TreeReader", "events", props{"Files": []string{in}, "Batch": batch})
	create(t, app, massType, "mass", props{"Fault": fault, "Batch": batch > 0})
	port := fwk.Port{Name: "m12", Type: float64Port}
	if batch > 0 {
		port.Type = float64sPort
	}
	create(t, app, ours+"TreeWriter", "out", props{
		"File": out, "Batch": batch > 0, "Ports": []fwk.Port{{Name: "mass"}, port, {Name: "mu1_pt"}},
	})
	return app
}

// The same file comes out for any number of events at a time, one by one or in batches.
func TestReaderWriter(t *testing.T) {
	const n = 2003
	in := zmumuFile(t, n)
	all := read(t, in)
	var want *rootio.Table
	for _, batch := range []int{0, 1000, 7, n, 2 * n} {
		for _, nprocs := range []int{0, 1, 2, 4, -1} {
			if batch > 0 && nprocs == 1 {
				continue
			}
			out := filepath.Join(t.TempDir(), "out.root")
			if err := job.Run(t.Context(), massJob(t, in, out, nprocs, batch, nil)); err != nil {
				t.Fatal(err)
			}
			got := read(t, out)
			if want == nil {
				want = got
				if got.Len() != n || got.Columns[2].Name != "mu1_pt" {
					t.Fatalf("%d entries of %v", got.Len(), got.Fields())
				}
				m, m12 := got.Columns[0].Values().([]float64), got.Columns[1].Values().([]float64)
				for i := range m {
					if math.Abs(m12[i]/m[i]-1) > 1e-5 {
						t.Fatalf("entry %d: the muons have mass %v, their pair %v", i, m12[i], m[i])
					}
				}
				for i, c := range all.Columns {
					if c.Name == "mass" && !reflect.DeepEqual(got.Columns[0].Values(), all.Columns[i].Values()) {
						t.Error("the masses are not those of the input")
					}
				}
			}
			equal(t, got, want)
		}
	}
}

// A job that fails in any way leaves the directory as it was, and says what happened
// and where.
func TestFailures(t *testing.T) {
	in := zmumuFile(t, 1000)
	at := func(event int64, f func() error) func(int64) error {
		return func(id int64) error {
			if id == event {
				return f()
			}
			return nil
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, c := range map[string]struct {
		ctx   context.Context
		fault func(int64) error
		texts []string
	}{
		"error":     {nil, at(300, func() error { return errors.New("no luck") }), []string{"event 300", `"mass"`, "no luck"}},
		"panic":     {nil, at(300, func() error { panic("no luck") }), []string{"event 300", `"mass"`, "no luck"}},
		"interrupt": {ctx, at(300, func() error { cancel(); return nil }), []string{"canceled"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, nprocs := range []int{0, 1, 2, 4} {
				if c.ctx == nil {
					c.ctx = t.Context()
				}
				dir := t.TempDir()
				out := filepath.Join(dir, "out.root")
				old := []byte("root: old")
				if err := os.WriteFile(out, old, 0o644); err != nil {
					t.Fatal(err)
				}
				err := within(t, func() error { return job.Run(c.ctx, massJob(t, in, out, nprocs, 0, c.fault)) })
				complains(t, err, c.texts...)
				onlyFile(t, dir, "out.root", old)
			}
		})
	}
}

// within runs a job that could hang.
func within(t *testing.T, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("the job hangs")
	}
	return nil
}

func complains(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("there is no error")
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not contain %q", err, text)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q has several lines", err)
	}
}

// onlyFile checks that a directory has one file with these contents.
func onlyFile(t *testing.T, dir, name string, text []byte) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != name {
			t.Errorf("%s is left", e.Name())
		}
	}
	if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != string(text) {
		t.Errorf("the old file has changed: %v", err)
	}
}

// any task may be wrong in its own way.
type wrong struct {
	fwk.TaskBase
	in, out []string // ports
	process func(ctx fwk.Context) error
	stop    func() error
}

func init() {
	fwk.Register(reflect.TypeFor[wrong](), func(typ, name string, app fwk.App) (fwk.Component, error) {
		t := &wrong{TaskBase: fwk.NewTask(typ, name, app)}
		for name, p := range map[string]any{"In": &t.in, "Out": &t.out, "Process": &t.process, "Stop": &t.stop} {
			if err := t.DeclProp(name, p); err != nil {
				return nil, err
			}
		}
		return t, nil
	})
}

var wrongType = reflect.TypeFor[wrong]().PkgPath() + ".wrong"

func (t *wrong) Configure(fwk.Context) error {
	for _, p := range t.in {
		if err := t.DeclInPort(p, float64Port); err != nil {
			return err
		}
	}
	for _, p := range t.out {
		if err := t.DeclOutPort(p, float64Port); err != nil {
			return err
		}
	}
	return nil
}

func (t *wrong) StartTask(fwk.Context) error { return nil }

func (t *wrong) Process(ctx fwk.Context) error {
	if t.process == nil {
		return nil
	}
	return t.process(ctx)
}

func (t *wrong) StopTask(fwk.Context) error {
	if t.stop == nil {
		return nil
	}
	return t.stop()
}

func get(port string) func(fwk.Context) error {
	return func(ctx fwk.Context) error { _, err := ctx.Store().Get(port); return err }
}

func put(ports ...string) func(fwk.Context) error {
	return func(ctx fwk.Context) error {
		for _, p := range ports {
			if err := ctx.Store().Put(p, 1.0); err != nil {
				return err
			}
		}
		return nil
	}
}

// What hangs in fwk is an error here, and what fwk passes over in silence, too.
func TestTraps(t *testing.T) {
	writer := func(t *testing.T, app fwk.App, dir, port string) {
		create(t, app, ours+"TreeWriter", "out", props{
			"File": filepath.Join(dir, "out.root"), "Ports": []fwk.Port{{Name: port, Type: float64Port}},
		})
	}
	for name, c := range map[string]struct {
		evtmax int64
		build  func(t *testing.T, app fwk.App, dir string)
		texts  []string
	}{
		"nothing put, a task waits": {10, func(t *testing.T, app fwk.App, _ string) {
			create(t, app, wrongType, "maker", props{"Out": []string{"x"}})
			create(t, app, wrongType, "taker", props{"In": []string{"x"}, "Process": get("x")})
		}, []string{`"taker"`, `"x"`, "nothing was put"}},
		"nothing put, a chain waits": {10, func(t *testing.T, app fwk.App, _ string) {
			create(t, app, wrongType, "maker", props{"Out": []string{"x"}})
			create(t, app, wrongType, "middle", props{"In": []string{"x"}, "Out": []string{"y"}, "Process": get("x")})
			create(t, app, wrongType, "last", props{"In": []string{"y"}, "Process": get("y")})
		}, []string{"nothing was put"}},
		"nothing put in one event, the writer waits": {10, func(t *testing.T, app fwk.App, dir string) {
			create(t, app, wrongType, "maker", props{"Out": []string{"x"}, "Process": func(ctx fwk.Context) error {
				if ctx.ID() == 7 {
					return nil
				}
				return ctx.Store().Put("x", 1.0)
			}})
			writer(t, app, dir, "x")
		}, []string{"event 7", `"out"`, `"x"`, "nothing was put"}},
		"put twice": {10, func(t *testing.T, app fwk.App, dir string) {
			create(t, app, wrongType, "maker", props{"Out": []string{"x"}, "Process": put("x", "x")})
			writer(t, app, dir, "x")
		}, []string{`"maker"`, `"x"`, "second"}},
		"put on no port": {10, func(t *testing.T, app fwk.App, dir string) {
			create(t, app, wrongType, "maker", props{"Out": []string{"x"}, "Process": put("z", "x")})
			writer(t, app, dir, "x")
		}, []string{`"maker"`, `"z"`, "not declared"}},
		"get of no port": {10, func(t *testing.T, app fwk.App, _ string) {
			create(t, app, wrongType, "taker", props{"Process": get("z")})
		}, []string{`"taker"`, `"z"`, "not declared"}},
		"another type": {10, func(t *testing.T, app fwk.App, dir string) {
			create(t, app, wrongType, "maker", props{"Out": []string{"x"}, "Process": func(ctx fwk.Context) error {
				return ctx.Store().Put("x", "text")
			}})
			writer(t, app, dir, "x")
		}, []string{`"out"`, `"x"`, "string", "float64"}},
		"StopTask fails before the output": {10, func(t *testing.T, app fwk.App, dir string) {
			create(t, app, wrongType, "maker", props{"Out": []string{"x"}, "Process": put("x"), "Stop": func() error { return errors.New("no luck") }})
			writer(t, app, dir, "x")
		}, []string{`"maker"`, "no luck"}},
		"StopTask fails after the output": {10, func(t *testing.T, app fwk.App, dir string) {
			create(t, app, wrongType, "maker", props{"Out": []string{"x"}, "Process": put("x")})
			writer(t, app, dir, "x")
			create(t, app, wrongType, "idle", props{"Stop": func() error { panic("no luck") }})
		}, []string{`"idle"`, "no luck"}},
		"no task": {10, func(t *testing.T, app fwk.App, _ string) {
			create(t, app, ours+"TreeReader", "events", props{"Files": []string{"none.root"}})
		}, []string{"no task"}},
		"no end": {-1, func(t *testing.T, app fwk.App, _ string) {
			create(t, app, wrongType, "idle", nil)
		}, []string{"EvtMax"}},
		"a negative number of events": {-2, func(t *testing.T, app fwk.App, _ string) {
			create(t, app, wrongType, "idle", nil)
		}, []string{"EvtMax", "-2"}},
		"no file": {10, func(t *testing.T, app fwk.App, _ string) {
			create(t, app, ours+"TreeReader", "events", props{"Files": []string{"none.root"}})
			create(t, app, wrongType, "idle", nil)
		}, []string{`"events"`, "none.root"}},
		"a port of unknown type": {10, func(t *testing.T, app fwk.App, dir string) {
			create(t, app, wrongType, "maker", props{"Out": []string{"x"}, "Process": put("x")})
			create(t, app, ours+"TreeWriter", "out", props{"File": filepath.Join(dir, "out.root"), "Ports": []fwk.Port{{Name: "x"}}})
		}, []string{`"out"`, `"x"`, "type"}},
		"no directory": {10, func(t *testing.T, app fwk.App, dir string) {
			create(t, app, wrongType, "maker", props{"Out": []string{"x"}, "Process": put("x")})
			writer(t, app, filepath.Join(dir, "none"), "x")
		}, []string{`"out"`, "no directory"}},
		"no producer": {10, func(t *testing.T, app fwk.App, dir string) {
			create(t, app, wrongType, "idle", nil)
			writer(t, app, dir, "x")
		}, []string{"out", "[x]"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, nprocs := range []int{0, 2} {
				dir := t.TempDir()
				app := newApp(t, c.evtmax, nprocs)
				c.build(t, app, dir)
				complains(t, within(t, func() error { return job.Run(t.Context(), app) }), c.texts...)
				if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
					t.Errorf("%v is left, %v", left, err)
				}
			}
		})
	}
}

// After the first error no further event begins; fwk itself would go on for hours.
func TestEndsSoon(t *testing.T) {
	app := newApp(t, 1_000_000_000, 2)
	create(t, app, wrongType, "maker", props{"Process": func(ctx fwk.Context) error {
		if ctx.ID() == 5 {
			return errors.New("no luck")
		}
		return nil
	}})
	complains(t, within(t, func() error { return job.Run(t.Context(), app) }), "event 5", "no luck")
	complains(t, job.Run(t.Context(), app), "again")
}

// Streamers of others are disconnected whatever happens, once.
type foreign struct {
	events, disconnected int
	fault                func(ctx fwk.Context, event int) error
}

func (f *foreign) Connect([]fwk.Port) error { return nil }

func (f *foreign) Read(ctx fwk.Context) error {
	if f.events == 20 {
		return io.EOF
	}
	f.events++
	return f.fault(ctx, f.events-1)
}

func (f *foreign) Disconnect() error {
	f.disconnected++
	return nil
}

func TestForeignStreamer(t *testing.T) {
	good := func(ctx fwk.Context, _ int) error { return ctx.Store().Put("x", 1.0) }
	for name, c := range map[string]struct {
		fault func(ctx fwk.Context, event int) error
		text  string
	}{
		"good": {good, ""},
		"error": {func(ctx fwk.Context, event int) error {
			if event == 4 {
				return fmt.Errorf("damaged: %w", io.ErrUnexpectedEOF)
			}
			return good(ctx, event)
		}, "damaged"},
		"panic":        {func(fwk.Context, int) error { panic("damaged") }, "damaged"},
		"nothing put":  {func(fwk.Context, int) error { return nil }, `nothing was put on port "x"`},
		"another port": {func(ctx fwk.Context, _ int) error { return ctx.Store().Put("y", 1.0) }, `"y"`},
		"wrapped EOF": {func(ctx fwk.Context, event int) error {
			if event == 4 {
				return fmt.Errorf("truncated: %w", io.EOF)
			}
			return good(ctx, event)
		}, "truncated"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, nprocs := range []int{0, 2} {
				app := newApp(t, -1, nprocs)
				in := &foreign{fault: c.fault}
				create(t, app, "go-hep.org/x/hep/fwk.InputStream", "in", props{
					"Ports": []fwk.Port{{Name: "x", Type: float64Port}}, "Streamer": fwk.InputStreamer(in),
				})
				create(t, app, wrongType, "taker", props{"In": []string{"x"}, "Process": get("x")})
				err := within(t, func() error { return job.Run(t.Context(), app) })
				if c.text == "" && err != nil {
					t.Error(err)
				}
				if c.text != "" {
					complains(t, err, c.text, `"in"`)
				}
				if in.disconnected != 1 {
					t.Errorf("the streamer was disconnected %d times", in.disconnected)
				}
			}
		})
	}
}
