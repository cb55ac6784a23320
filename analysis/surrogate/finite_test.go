package surrogate

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// Of true events that were not learnt from none is impossible, whatever the model; nor is
// anything else but an unknown code.
func TestTrueEventsArePossible(t *testing.T) {
	testenv.Slow(t, "it trains several models")
	r := rand.New(rand.NewPCG(5, 6))
	events := func(n int) *rootio.Table {
		x, y, e, code, count := make([]float64, n), make([]float32, n), make([]float64, n), make([]int32, n), make([]int32, n)
		for i := range n {
			sin, cos := math.Sincos(math.Pi * r.Float64())
			if r.IntN(2) == 0 {
				sin, cos = 0.5-sin, 1-cos
			}
			x[i], y[i] = cos+0.1*r.NormFloat64(), float32(sin+0.1*r.NormFloat64())
			e[i], code[i], count[i] = r.ExpFloat64(), int32(2*r.IntN(2)-1), int32(500*r.ExpFloat64())
		}
		return &rootio.Table{Columns: []rootio.Column{
			rootio.ColumnOf("x", x), rootio.ColumnOf("y", y), rootio.ColumnOf("e", e), rootio.ColumnOf("code", code), rootio.ColumnOf("count", count),
		}}
	}
	learnt, fresh := events(1000), events(4000)
	for i, far := range []float64{-1e300, -1e6, -0.001, 1e9, 1e300} {
		fresh.Columns[0].SetFloats(2*i, []float64{far})
		fresh.Columns[2].SetFloats(2*i+1, []float64{far})
	}
	fresh.Columns[4].SetFloats(10, []float64{math.MaxInt32})
	for _, model := range []string{autoregressive, spline, realNVP, kernelSums, denoiser} {
		opts := Options{Model: model, Seed: 1, Refine: RefineOff, Train: training.Options{Epochs: 3}}
		if model != kernelSums {
			opts.Hidden, opts.Depth = 16, 1
		} else {
			opts.Train = training.Options{}
		}
		s := train(t, learnt, nil, opts)
		p := make([]float64, fresh.Len())
		if model == denoiser { // an equation for each
			p = p[:40]
		}
		if err := s.LogDensity(t.Context(), p, fresh.Slice(0, len(p)), 0); err != nil {
			t.Fatal(err)
		}
		for i, l := range p {
			if math.IsInf(l, 0) || math.IsNaN(l) {
				t.Errorf("%s: log-density %g of event %d", model, l, i)
			}
		}
		unknown := events(1)
		unknown.Columns[3].SetFloats(0, []float64{0})
		if err := s.LogDensity(t.Context(), p[:1], unknown, 0); err != nil || !math.IsInf(p[0], -1) {
			t.Errorf("%s: an unknown code has log-density %g, error %v", model, p[0], err)
		}
	}
}
