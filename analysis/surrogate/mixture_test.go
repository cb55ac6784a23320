package surrogate

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/internal/known"
	"github.com/eidolon-hep/eidolon/internal/modelfile"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// edged are n events with an edge, a peak, a code and a whole number: the columns x > 1, y, q and n.
func edged(n int, seed uint64) *rootio.Table {
	rng := rand.New(rand.NewPCG(seed, 2))
	x, y, q, jets := make([]float64, n), make([]float64, n), make([]int32, n), make([]int32, n)
	for i := range n {
		x[i], q[i], jets[i] = 1+rng.ExpFloat64(), int32(2*rng.IntN(2)-1), int32(rng.IntN(3))
		y[i] = rng.NormFloat64()/2 + float64(q[i])
	}
	return &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("x", x), rootio.ColumnOf("y", y), rootio.ColumnOf("q", q), rootio.ColumnOf("n", jets),
	}}
}

// mixture returns a model of t whose parts were trained each for itself, in the coordinates of the options.
func mixture(t *testing.T, table *rootio.Table, weights []float64, of ...Options) *Surrogate {
	t.Helper()
	mixed := &Surrogate{}
	for k, o := range of {
		tr, err := New(t.Context(), table, nil, o)
		must(t, err)
		s, err := tr.Run(t.Context())
		must(t, err)
		if k == 0 {
			*mixed = *s
			mixed.Parts = nil
		}
		part := s.Parts[0]
		part.Weight = weights[k]
		mixed.Parts = append(mixed.Parts, part)
	}
	return mixed
}

// TestModelOfOnePart checks that files of the format before mixtures are read as models of one part.
func TestModelOfOnePart(t *testing.T) {
	for name, m := range tiny(t) {
		m.Refined = nil // there was none
		file := filepath.Join(t.TempDir(), name)
		must(t, m.Save(file))
		tensors, text, err := modelfile.Read(file, modelfile.Model)
		must(t, err)
		var said map[string]json.RawMessage
		must(t, json.Unmarshal([]byte(text), &said))
		var parts []map[string]json.RawMessage
		must(t, json.Unmarshal(said["parts"], &parts))
		delete(said, "parts")
		said["format"], said["features"], said["density"] = json.RawMessage("5"), parts[0]["features"], parts[0]["density"]
		before, err := json.Marshal(said)
		must(t, err)
		own, others := training.Under("0.", tensors)
		if len(others) > 0 {
			t.Errorf("%s: tensors of no part: %v", name, others)
		}
		must(t, modelfile.Write(file, own, modelfile.Model, string(before)))
		read, err := Load(file)
		must(t, err)
		if a, b := saved(t, m), saved(t, read); string(a) != string(b) {
			t.Errorf("%s: the model of a file of format 5 is another one", name)
		}
	}
}

// mixedEdged is a mixture of edged events in the coordinates that are found for them, with more weight, and in such
// that columns are standardised only.
func mixedEdged(t *testing.T) *Surrogate {
	o := Options{Model: autoregressive, Hidden: 8, Depth: 1, Seed: 1, Refine: RefineOff, Train: training.Options{Epochs: 3}}
	plain := o
	plain.Features.Standard = true
	return mixture(t, edged(2000, 1), []float64{0.7, 0.3}, o, plain)
}

// TestMixture checks that the density of a mixture of parts in different coordinates adds up to 1, and that its events are
// distributed by it.
func TestMixture(t *testing.T) {
	testenv.Slow(t, "it integrates a density")
	m := mixedEdged(t)
	const (
		fine       = 0.02 // of x and y
		low, high  = -6.0, 14.0
		cells      = 5 // of x and y, in each of which events are counted
		n          = 20_000
		unexpected = 5 // standard deviations
	)
	side := int((high - low) / fine)
	expected, total := map[[4]int]float64{}, 0.0
	place := func(x, y float64, q, jets int32) [4]int {
		at := func(v float64) int { return int(math.Max(0, math.Min(cells-1, math.Floor(v+2)))) }
		return [4]int{at(x), at(y), int(q), int(jets)}
	}
	for _, q := range []int32{-1, 1} {
		for jets := range int32(3) {
			grid := rootio.NewTable(m.Fields(), side*side/2)
			x, y := grid.Columns[0].Values().([]float64), grid.Columns[1].Values().([]float64)
			for i := range x { // one half of a chessboard
				a, b := i/(side/2), 2*(i%(side/2))+i/(side/2)%2
				x[i], y[i] = low+fine*(float64(a)+0.5), low+fine*(float64(b)+0.5)
				grid.Columns[2].Values().([]int32)[i], grid.Columns[3].Values().([]int32)[i] = q, jets
			}
			p := make([]float64, grid.Len())
			must(t, m.LogDensity(t.Context(), p, grid, 0))
			for i, log := range p {
				total += math.Exp(log) * 2 * fine * fine
				expected[place(x[i], y[i], q, jets)] += math.Exp(log) * 2 * fine * fine
			}
		}
	}
	if math.Abs(total-1) > 0.01 {
		t.Errorf("the probabilities add up to %g", total)
	}
	drawn := rootio.NewTable(m.Fields(), n)
	_, err := m.Generate(t.Context(), drawn, nil, 3, 0)
	must(t, err)
	counts := map[[4]int]float64{}
	x, y := drawn.Columns[0].Values().([]float64), drawn.Columns[1].Values().([]float64)
	for i := range x {
		counts[place(x[i], y[i], drawn.Columns[2].Values().([]int32)[i], drawn.Columns[3].Values().([]int32)[i])]++
	}
	for at, p := range expected {
		mean := n * p / total
		if d := counts[at] - mean; math.Abs(d) > unexpected*math.Sqrt(mean+1)+0.005*mean {
			t.Errorf("%g events in cell %v, where %.1f are expected", counts[at], at, mean)
		}
	}
}

// TestEventsOfAMixture checks that event i depends on the seed and i alone, before and after a model file.
func TestEventsOfAMixture(t *testing.T) {
	m := mixedEdged(t)
	file := filepath.Join(t.TempDir(), "m")
	must(t, m.Save(file))
	read, err := Load(file)
	must(t, err)
	const n = 300
	all := rootio.NewTable(m.Fields(), n)
	_, err = m.Generate(t.Context(), all, nil, 7, 100)
	must(t, err)
	for lo := 0; lo < n; lo += 77 {
		some := rootio.NewTable(m.Fields(), min(77, n-lo))
		_, err := read.Generate(t.Context(), some, nil, 7, uint64(100+lo))
		must(t, err)
		for j, c := range some.Columns {
			if !reflect.DeepEqual(c.Values(), all.Columns[j].Slice(lo, lo+some.Len()).Values()) {
				t.Errorf("column %s of the events from %d on depends on where they begin", c.Name, lo)
			}
		}
	}
	p, again := make([]float64, n), make([]float64, n)
	must(t, m.LogDensity(t.Context(), p, all, 100))
	must(t, read.LogDensity(t.Context(), again, all, 100))
	if !slices.Equal(p, again) {
		t.Error("a model file changes log-densities")
	}
	if err := m.CheckMap(); err == nil || !strings.Contains(err.Error(), "--coordinates best") {
		t.Errorf("a mixture is a map: %v", err)
	}
}

// inMass declares the mass of the two muons of [known] pairs as a coordinate.
var inMass = features.Options{
	Vectors: []string{"a=pt1,eta1,phi1,0", "b=pt2,eta2,phi2,0"}, Systems: []string{"pair=a+b"},
}

// together returns the training of a mixture of parts in the coordinates of some options.
func together(t *testing.T, table *rootio.Table, o Options, of ...features.Options) *Training {
	t.Helper()
	s := &Surrogate{}
	for _, f := range of {
		spec, err := features.Fit(t.Context(), table, nil, f)
		must(t, err)
		s.Parts = append(s.Parts, Part{Weight: 1 / float64(len(of)), Features: *spec})
	}
	d := draft{settings: o.settings()}
	d.kind, _ = factor.ByName(o.Model)
	tr, err := newTraining(t.Context(), s, table, nil, o, d)
	must(t, err)
	return tr
}

// peakOverBox are n pairs of particles: every other one is of a two-body decay of a narrow peak in mass, and the others are
// independent, within edges. It returns log p of each, too.
func peakOverBox(n int, seed uint64) (*rootio.Table, []float64) {
	const threshold, scale, edge = 1.5, 3, 2.4
	decay, _ := known.Named("decay")
	table, p := decay.Table(seed, 0, n), make([]float64, n)
	rng := rand.New(rand.NewPCG(seed, 3))
	for _, c := range table.Columns {
		x := c.Values().([]float64)
		for i := 1; i < n; i += 2 {
			switch c.Name[:2] {
			case "pt":
				x[i] = threshold + scale*rng.ExpFloat64()
			case "et":
				x[i] = edge * (2*rng.Float64() - 1)
			default:
				x[i] = math.Pi * (2*rng.Float64() - 1)
			}
		}
	}
	decay.LogDensity(p, table)
	for i := range p {
		box := -2 * math.Log(scale*2*edge*2*math.Pi)
		for _, name := range []string{"pt1", "pt2"} {
			c, _ := table.Column(name)
			box -= (c.Values().([]float64)[i] - threshold) / scale
		}
		p[i] = logAddExp(p[i], box) - math.Ln2
	}
	return table, p
}

// TestTrainMixture checks that pairs of two kinds, each of which is described best in coordinates of its own, are learnt better by a
// mixture than in either, and that what one set of coordinates describes best has one part.
func TestTrainMixture(t *testing.T) {
	testenv.Slow(t, "it trains")
	table, _ := peakOverBox(8000, 1)
	fresh, truth := peakOverBox(4000, 2)
	o := Options{Model: autoregressive, Hidden: 16, Components: 1, Seed: 1, Refine: RefineOff, Train: training.Options{Epochs: 8}}
	kl := func(table *rootio.Table, of ...features.Options) (float64, *Surrogate) {
		m, err := together(t, table, o, of...).Run(t.Context())
		must(t, err)
		p := make([]float64, fresh.Len())
		must(t, m.LogDensity(t.Context(), p, fresh, 0))
		return stat.Mean(truth, nil) - stat.Mean(p, nil), m
	}
	plain, _ := kl(table, features.Options{})
	mass, _ := kl(table, inMass)
	mixed, m := kl(table, features.Options{}, inMass)
	t.Logf("KL %.3f of the mixture, %.3f of the columns as they are, %.3f with the mass", mixed, plain, mass)
	if len(m.Parts) != 2 || mixed > min(plain, mass)-0.1 {
		t.Fatalf("KL of %d parts is %.3f, of the columns as they are %.3f, with the mass %.3f", len(m.Parts), mixed, plain, mass)
	}
	if w := m.Parts[0].Weight; w < 0.1 || w > 0.9 || math.Abs(w+m.Parts[1].Weight-1) > 1e-6 {
		t.Errorf("the weights are %g and %g", w, m.Parts[1].Weight)
	}
	// What validates has the loss that is told.
	p, loss := make([]float64, table.Len()), 0.0
	must(t, m.LogDensity(t.Context(), p, table, 0))
	judge := together(t, table, o, features.Options{}).judge
	for _, i := range judge {
		loss -= p[i] / float64(len(judge))
	}
	if valid := m.Card.History.Best; math.Abs(loss-valid) > 1e-3 {
		t.Errorf("the validation loss is %.4f, and −log p of the same events %.4f", valid, loss)
	}
	if _, m := kl(table, features.Options{}, features.Options{}); len(m.Parts) != 1 || m.Parts[0].Weight != 1 {
		t.Errorf("twice the same coordinates stay, with the weight %g", m.Parts[0].Weight)
	}
}

// TestResumeMixture checks that the training of a mixture is the same to the bit whatever the number of processors, and when
// it was interrupted while one part learns, or all.
func TestResumeMixture(t *testing.T) {
	table, _ := peakOverBox(3000, 1)
	counts, codes := make([]int32, table.Len()), make([]int32, table.Len()) // with noise, which is refreshed
	for i := range counts {
		counts[i], codes[i] = int32(i*i%97), int32(i%2)
	}
	table.Columns = append(table.Columns, rootio.ColumnOf("count", counts), rootio.ColumnOf("code", codes))
	o := Options{Model: autoregressive, Hidden: 8, Depth: 1, Components: 1, Seed: 1, Refine: RefineOff, Train: training.Options{Epochs: 6}}
	coordinates := []features.Options{{}, inMass}
	want, err := together(t, table, o, coordinates...).Run(t.Context())
	must(t, err)
	if len(want.Parts) != 2 || want.Card.History.BestStep == 0 {
		t.Fatal("this is no mixture that has learnt as a whole")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for stage := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		file := filepath.Join(t.TempDir(), "checkpoint")
		tr := together(t, table, o, coordinates...)
		tr.Progress = func(s training.Status) {
			if tr.stage == stage && s.Step == 10 {
				cancel()
			}
		}
		tr.CheckpointTo(file, nil)
		if _, err := tr.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		paused, err := LoadCheckpoint(file)
		must(t, err)
		tr, err = paused.Finish(t.Context(), table, nil)
		must(t, err)
		finished, err := tr.Run(t.Context())
		must(t, err)
		if stage == 0 && len(finished.Parts) != 1 || stage == 2 && len(finished.Parts) != 2 {
			t.Errorf("a training that is finished in stage %d has %d parts", stage, len(finished.Parts))
		}
		paused, err = LoadCheckpoint(file)
		must(t, err)
		tr, err = paused.Resume(t.Context(), table, nil)
		must(t, err)
		got, err := tr.Run(t.Context())
		must(t, err)
		for k, p := range want.Parts {
			for i, tensor := range p.Chain.Tensors() {
				if again := got.Parts[k].Chain.Tensors()[i]; !slices.Equal(again.Value, tensor.Value) {
					t.Fatalf("interrupted in stage %d: tensor %s of part %d is another one", stage, tensor.Name, k)
				}
			}
			if got.Parts[k].Weight != p.Weight {
				t.Errorf("interrupted in stage %d: part %d has the weight %v, not %v", stage, k, got.Parts[k].Weight, p.Weight)
			}
		}
	}
}
