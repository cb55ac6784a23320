package analysis_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
)

// tilted returns two files of rapidities: of the demonstration, and with another power of
// their distribution, and the logarithm of the ratio of the densities of the former.
func tilted(t testing.TB, n int) (source, target string, logRatio []float64) {
	t.Helper()
	g, h := zmumu.Default(), zmumu.Default()
	h.PtTail *= 1.3
	dir := t.TempDir()
	pick := func(all *rootio.Table) *rootio.Table {
		return &rootio.Table{Columns: all.Columns[:3]} // mass, y, pt
	}
	source = write(t, filepath.Join(dir, "source.root"), pick(g.Table(1, 0, n)))
	target = write(t, filepath.Join(dir, "target.root"), pick(h.Table(2, 0, n)))
	events := make([]zmumu.Event, n)
	g.Events(events, 1, 0)
	for _, e := range events {
		logRatio = append(logRatio, h.LogDensity(e)-g.LogDensity(e))
	}
	return source, target, logRatio
}

// The weights are those of the exact ratio of the densities, on average, and the same one by
// one and in batches.
func TestReweight(t *testing.T) {
	const n = 1200
	source, target, logRatio := tilted(t, n)
	var first []float64
	for _, batch := range []int{500, 0} {
		out := filepath.Join(t.TempDir(), "out.root")
		app := newApp(t, -1, 2)
		create(t, app, ours+"TreeReader", "events", props{"Files": []string{source}, "Batch": batch, "Entry": "entry"})
		create(t, app, ours+"Reweight", "weights", props{"Files": []string{source}, "Target": []string{target}, "Columns": []string{"pt"}})
		create(t, app, ours+"TreeWriter", "out", props{"File": out, "Batch": batch > 0, "Ports": []fwk.Port{{Name: "pt"}, {Name: "weight"}}})
		if err := job.Run(t.Context(), app); err != nil {
			t.Fatal(err)
		}
		weights := read(t, out).Columns[1].Values().([]float64)
		if first == nil {
			first = weights
			var wx, ww, xx, w, x float64
			for i, v := range weights {
				a, b := math.Log(v), logRatio[i]
				wx, ww, xx, w, x = wx+a*b, ww+a*a, xx+b*b, w+a, x+b
			}
			if r := (wx - w*x/n) / math.Sqrt((ww-w*w/n)*(xx-x*x/n)); r < 0.75 {
				t.Errorf("the correlation of the weights with the truth is %.2f", r)
			}
		}
		if !reflect.DeepEqual(weights, first) {
			t.Error("other weights one by one than in batches")
		}
	}
	selected := newApp(t, -1, 2)
	create(t, selected, ours+"TreeReader", "events", props{"Files": []string{source}, "Entry": "entry", "Where": "mass > 91"})
	create(t, selected, ours+"Reweight", "weights", props{"Files": []string{source}, "Target": []string{target}})
	complains(t, job.Run(t.Context(), selected), `"weights"`, "Where")
	for text, p := range map[string]props{
		"Target":    {"Files": []string{source}},
		"none.root": {"Files": []string{source}, "Target": []string{"none.root"}},
		`"ptt"`:     {"Files": []string{source}, "Target": []string{target}, "Columns": []string{"ptt"}},
		"NO KNOWN":  {"Files": []string{source}, "Target": []string{target}, "Entry": "number"},
		"no branch": {"Files": []string{source}, "Target": []string{target}, "Weight": "w"},
	} {
		app := newApp(t, -1, 2)
		create(t, app, ours+"TreeReader", "events", props{"Files": []string{source}, "Entry": "entry"})
		create(t, app, ours+"Reweight", "weights", p)
		complains(t, job.Run(t.Context(), app), "weights", text)
	}
}

// Events get weights with which they are distributed as others.
func ExampleReweight() {
	dir, events := exampleFiles(500)
	defer os.RemoveAll(dir)

	app := fwk.NewApp()
	set := func(c fwk.Component, name string, value any) {
		if err := app.SetProp(c, name, value); err != nil {
			panic(err)
		}
	}
	set(app, "MsgLevel", fwk.LvlWarning)
	for _, c := range []struct {
		typ, name string
		props     map[string]any
	}{
		{"TreeReader", "events", map[string]any{"Files": []string{events}, "Entry": "entry"}},
		{"Reweight", "weights", map[string]any{"Files": []string{events}, "Target": []string{events}, "Columns": []string{"pt"}}},
		{"TreeWriter", "out", map[string]any{"File": filepath.Join(dir, "out.root")}}, // all branches, entry and weight
	} {
		component, err := app.New("github.com/eidolon-hep/eidolon/analysis."+c.typ, c.name)
		if err != nil {
			fmt.Println(err)
			return
		}
		for name, value := range c.props {
			set(component, name, value)
		}
	}
	if err := job.Run(context.Background(), app); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(entries(filepath.Join(dir, "out.root")), "entries")
	// Output: 500 entries
}

// A ratio that was saved gives each event of a job its weight, one by one and in batches: that of the ratio itself.
func TestReweightByRatio(t *testing.T) {
	const n = 600
	source, target, _ := tilted(t, n)
	from, to := read(t, source), read(t, target)
	ratio, _, err := classify.Fit(t.Context(), classify.Sample{Table: from}, classify.Sample{Table: to}, classify.Options{Folds: 2, Hidden: 8})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "r.eidolon")
	if err := ratio.Save(file); err != nil {
		t.Fatal(err)
	}
	want := make([]float64, n)
	if err := ratio.LogRatio(t.Context(), want, from, 0); err != nil {
		t.Fatal(err)
	}
	mass := from.Columns[0].Float64s()
	for i, s := range want {
		want[i] = math.Exp(s) * mass[i]
	}
	for _, batch := range []int{250, 0} {
		out := filepath.Join(t.TempDir(), "out.root")
		app := newApp(t, -1, 2)
		create(t, app, ours+"TreeReader", "events", props{"Files": []string{source}, "Batch": batch})
		create(t, app, ours+"Reweight", "weights", props{"Ratio": file, "Weight": "mass"})
		create(t, app, ours+"TreeWriter", "out", props{"File": out, "Batch": batch > 0, "Ports": []fwk.Port{{Name: "pt"}, {Name: "weight"}}})
		if err := job.Run(t.Context(), app); err != nil {
			t.Fatal(err)
		}
		if got := read(t, out).Columns[1].Values().([]float64); !reflect.DeepEqual(got, want) {
			t.Errorf("batches of %d: other weights than those of the ratio", batch)
		}
	}
	for text, p := range map[string]props{
		"nothing is learnt": {"Ratio": file, "Target": []string{target}},
		"not a ratio file":  {"Ratio": source},
	} {
		app := newApp(t, -1, 2)
		create(t, app, ours+"TreeReader", "events", props{"Files": []string{source}})
		create(t, app, ours+"Reweight", "weights", p)
		complains(t, job.Run(t.Context(), app), "weights", text)
	}
}
