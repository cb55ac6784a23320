package surrogate

import (
	"context"
	"math"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/known"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// archipelago returns n events of six narrow normals in four dimensions, of equal
// weight and parted in all of them, and the log-density of each.
func archipelago(seed uint64, n int) (*rootio.Table, []float64) {
	const dim, islands, width = 4, 6, 0.3
	at := make([]float32, dim*islands)
	philox.Normal(at, 99, 0, 0)
	g := make([]float32, n*dim)
	philox.Normal(g, seed, 0, 0)
	columns, log := make([][]float64, dim), make([]float64, n)
	for j := range columns {
		columns[j] = make([]float64, n)
	}
	for i := range n {
		k := int(philox.Uint64(seed, 1, uint64(i)) % islands)
		for j := range dim {
			columns[j][i] = 2*float64(at[k*dim+j]) + width*float64(g[i*dim+j])
		}
		for k := range islands {
			square := 0.0
			for j := range dim {
				d := (columns[j][i] - 2*float64(at[k*dim+j])) / width
				square += d * d
			}
			log[i] += math.Exp(-0.5*square) / islands
		}
		log[i] = math.Log(log[i]) - dim*math.Log(width*math.Sqrt(2*math.Pi))
	}
	t := &rootio.Table{}
	for j, c := range columns {
		t.Columns = append(t.Columns, rootio.ColumnOf(string(rune('a'+j)), c))
	}
	return t, log
}

// TestIslands checks that events that come as islands are learnt over a mixture, and
// well after a few steps; and that others are not.
func TestIslands(t *testing.T) {
	testenv.Slow(t, "it trains")
	table, _ := archipelago(1, 20_000)
	weights := make([]float64, table.Len())
	for i := range weights {
		weights[i] = 2
		if i%10 == 0 {
			weights[i] = -1
		}
	}
	for _, w := range [][]float64{nil, weights} {
		training, err := New(t.Context(), table, w, Options{Layers: 2, Hidden: 16, Seed: 1, Refine: RefineOff, Train: training.Options{Epochs: 1}})
		if err != nil {
			t.Fatal(err)
		}
		if got := training.Card.Plan.Components; got < 6 {
			t.Fatalf("six islands are learnt over %d normals", got)
		}
		s, err := training.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		fresh, truth := archipelago(2, 20_000)
		p := make([]float64, len(truth))
		if err := s.LogDensity(t.Context(), p, fresh, 0); err != nil {
			t.Fatal(err)
		}
		kl := 0.0
		for i := range p {
			kl += (truth[i] - p[i]) / float64(len(p))
		}
		if !(math.Abs(kl) < 0.03) {
			t.Errorf("KL(truth ‖ model) = %g", kl)
		}
	}
	for _, o := range []Options{
		{Model: denoiser, Hidden: 16, Depth: 1},
		{Model: distilled, Hidden: 16, Depth: 1},
	} {
		training, err := New(t.Context(), table.Slice(0, 10_000), nil, o)
		if err != nil {
			t.Fatal(err)
		}
		if got := training.Card.Plan; got.Components < 6 || !got.Plain {
			t.Errorf("%s: six islands are learnt over %d normals", o.Model, got.Components)
		}
	}
	if training, err := New(t.Context(), table, nil, Options{Model: kernelSums}); err != nil || training.Card.Plan.Components > 1 {
		t.Errorf("kernel sums are over normals (%v)", err)
	}
	training, err := New(t.Context(), codesAndMore(1, 20_000), nil, Options{Model: autoregressive})
	if err != nil {
		t.Fatal(err)
	}
	if got := training.Card.Plan.Components; got != 1 {
		t.Errorf("what is no islands is learnt over %d normals", got)
	}
}

// TestPlainKernels wants kernel sums in standardised columns where these are smooth, and in columns that
// are made normal where each of them has a width of its own at places.
func TestPlainKernels(t *testing.T) {
	moons, _ := known.Named("moons")
	const n = 2000
	peaks := make([][]float64, 2)
	g := make([]float32, 2*n)
	philox.Normal(g, 1, 0, 0)
	for i, v := range g { // half of the events are in a peak
		width := 1.0
		if philox.Uint64(1, 1, uint64(i))%2 == 0 {
			width = 0.02
		}
		peaks[i%2] = append(peaks[i%2], width*float64(v))
	}
	for _, c := range []struct {
		name  string
		table *rootio.Table
		plain bool
	}{
		{"moons", moons.Table(1, 0, n), true},
		{"peaks", &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("a", peaks[0]), rootio.ColumnOf("b", peaks[1])}}, false},
	} {
		tr, err := New(t.Context(), c.table, nil, Options{Model: "diffusion"})
		if err != nil {
			t.Fatal(err)
		}
		if plan := tr.Card.Plan; plan.Plain != c.plain {
			t.Errorf("%s: the columns are only standardised: %v, want %v", c.name, plan.Plain, c.plain)
		}
	}
}
