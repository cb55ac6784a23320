package analysis_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/rootio"
)

// takes are columns of a table, in the rows that are chosen.
func takes(t *rootio.Table, chosen func(row int) bool, names ...string) *rootio.Table {
	var rows []int
	for i := range t.Len() {
		if chosen == nil || chosen(i) {
			rows = append(rows, i)
		}
	}
	taken := &rootio.Table{}
	for _, name := range names {
		c, _ := t.Column(name)
		taken.Columns = append(taken.Columns, c.Take(rows))
	}
	return taken
}

// A job may have several writers: each has all events, in order, whatever else the job
// does and however many events it processes at the same time.
func TestSeveralWriters(t *testing.T) {
	plain, model := models()
	const n = 200
	events := sample(n)
	barrel := make([]bool, n)
	for i := range barrel {
		barrel[i] = i%3 == 0
	}
	events.Columns = append(events.Columns, rootio.ColumnOf("barrel", barrel))
	in := write(t, filepath.Join(t.TempDir(), "in.root"), events)
	pt, mu := events.Columns[1].Name, events.Columns[2].Name
	want := map[string]*rootio.Table{
		"first":  takes(events, nil, "mass", pt),
		"second": takes(events, nil, mu),
		"third":  takes(events, func(i int) bool { return barrel[i] }, pt, "charge"),
	}
	for name, c := range map[string]struct {
		batch, runs int
		more        func(t *testing.T, app fwk.App, dir string)
	}{
		"a batch at a time":  {10, 3, nil},
		"an event at a time": {0, 1, nil},
		"with many tasks": {10, 1, func(t *testing.T, app fwk.App, _ string) {
			for i := range 12 {
				create(t, app, wrongType, fmt.Sprintf("idle%d", i), nil)
			}
		}},
		"with models": {20, 1, func(t *testing.T, app fwk.App, dir string) {
			create(t, app, ours+"FastSim", "detector", props{"Model": model, "Prefix": "fast_", "Entry": "entry", "Seed": uint64(1)})
			create(t, app, ours+"Score", "score", props{"Model": plain, "Entry": "entry"})
			create(t, app, ours+"TreeWriter", "fast", props{"Batch": true, "File": filepath.Join(dir, "fast.root"),
				"Ports": []fwk.Port{{Name: "fast_" + pt}, {Name: "log_prob"}}})
			create(t, app, ours+"Train", "train", props{"Output": filepath.Join(dir, "m.eidolon"), "Options": quick,
				"Ports": []fwk.Port{{Name: "mass"}, {Name: pt}}})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var fast *rootio.Table
			for _, nprocs := range []int{0, 1, 2, 8} {
				for range c.runs {
					dir := t.TempDir()
					app := newApp(t, -1, nprocs)
					create(t, app, ours+"TreeReader", "events", props{"Files": []string{in}, "Batch": c.batch, "Entry": "entry"})
					for name, table := range want {
						p := props{"Batch": c.batch > 0, "File": filepath.Join(dir, name+".root")}
						var ports []fwk.Port
						for _, column := range table.Columns {
							ports = append(ports, fwk.Port{Name: column.Name})
						}
						if name == "third" {
							p["Select"], ports = "barrel", append(ports, fwk.Port{Name: "barrel"})
						}
						p["Ports"] = ports
						create(t, app, ours+"TreeWriter", name, p)
					}
					if c.more != nil {
						c.more(t, app, dir)
					}
					if err := within(t, func() error { return job.Run(t.Context(), app) }); err != nil {
						t.Fatalf("%d at a time: %v", nprocs, err)
					}
					for name, table := range want {
						equal(t, read(t, filepath.Join(dir, name+".root")), table)
					}
					if name == "with models" {
						got := read(t, filepath.Join(dir, "fast.root"))
						if fast == nil {
							fast = got
						}
						equal(t, got, fast)
					}
				}
			}
		})
	}
}

// collector is an output streamer of somebody else, which knows nothing of orders.
type collector struct {
	got   []int64
	fault func(id int64) error
}

func (c *collector) Connect([]fwk.Port) error { return nil }
func (c *collector) Disconnect() error        { return nil }

func (c *collector) Write(ctx fwk.Context) error {
	if _, err := ctx.Store().Get("x"); err != nil {
		return err
	}
	c.got = append(c.got, ctx.ID())
	if c.fault != nil {
		return c.fault(ctx.ID())
	}
	return nil
}

// Streamers of others get the events in order, too, one at a time.
func TestForeignWriters(t *testing.T) {
	const n = 500
	all := make([]int64, n)
	for i := range all {
		all[i] = int64(i)
	}
	for run := range 40 {
		nprocs := []int{0, 1, 2, 8}[run%4]
		app := newApp(t, n, nprocs)
		create(t, app, wrongType, "maker", props{"Out": []string{"x"}, "Process": put("x")})
		first, second := &collector{}, &collector{}
		for name, c := range map[string]*collector{"first": first, "second": second} {
			create(t, app, "go-hep.org/x/hep/fwk.OutputStream", name, props{
				"Ports": []fwk.Port{{Name: "x", Type: float64Port}}, "Streamer": fwk.OutputStreamer(c),
			})
		}
		if err := within(t, func() error { return job.Run(t.Context(), app) }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(first.got, all) || !slices.Equal(second.got, all) {
			t.Errorf("%d at a time: %d and %d events, want %d in order", nprocs, len(first.got), len(second.got), n)
		}
	}
}

// After an error in one of several writers there is no file of any.
func TestOneWriterFails(t *testing.T) {
	for _, nprocs := range []int{0, 2, 8} {
		dir := t.TempDir()
		app := newApp(t, 1000, nprocs)
		create(t, app, wrongType, "maker", props{"Out": []string{"x"}, "Process": put("x")})
		create(t, app, ours+"TreeWriter", "out", props{"File": filepath.Join(dir, "out.root"), "Ports": []fwk.Port{{Name: "x", Type: float64Port}}})
		create(t, app, "go-hep.org/x/hep/fwk.OutputStream", "bad", props{
			"Ports": []fwk.Port{{Name: "x", Type: float64Port}},
			"Streamer": fwk.OutputStreamer(&collector{fault: func(id int64) error {
				if id == 300 {
					return errors.New("no luck")
				}
				return nil
			}}),
		})
		complains(t, within(t, func() error { return job.Run(t.Context(), app) }), "event 300", `"bad"`, "no luck")
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
			t.Errorf("%v is left", left)
		}
	}
}
