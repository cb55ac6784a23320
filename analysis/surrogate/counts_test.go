package surrogate

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// TestCountsInAChain learns a count whose mean depends on a code, and a number that depends on the
// count: the mean and the tail come out, and the log-density is the true one.
func TestCountsInAChain(t *testing.T) {
	const n, r = 20_000, 3.0
	means := []float64{6, 11}
	events := func(seed uint64) *rootio.Table {
		rng := rand.New(rand.NewPCG(seed, 1))
		code, k, x := make([]int32, n), make([]int32, n), make([]float64, n)
		for i := range n {
			code[i] = int32(rng.IntN(2))
			rate := 0.0 // a gamma deviate of shape 3
			for range int(r) {
				rate += rng.ExpFloat64() / r
			}
			for p := rng.ExpFloat64(); p < rate*means[code[i]]; p += rng.ExpFloat64() {
				k[i]++
			}
			x[i] = math.Log1p(float64(k[i])) + 0.3*rng.NormFloat64()
		}
		return &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("code", code), rootio.ColumnOf("k", k), rootio.ColumnOf("x", x)}}
	}
	o := Options{
		Model: spline, Layers: 2, Hidden: 16, Seed: 1, Components: 1, Refine: RefineOff, Train: training.Options{Epochs: 20},
		Features: features.Options{As: map[string]string{"k": "count"}},
	}
	learnt := events(3)
	s := train(t, learnt, nil, o)
	if len(s.Parts[0].Chain.Factors) != 3 || s.Parts[0].Chain.Factors[1].Kind() != "counts" {
		t.Fatalf("the chain is %v", s.Parts[0].Chain)
	}
	file := filepath.Join(t.TempDir(), "m")
	must(t, s.Save(file))
	s, err := Load(file)
	must(t, err)
	out := rootio.NewTable(s.Fields(), n)
	generate(t, s, out, 2, 0)
	values := func(t *rootio.Table, name string) []float64 {
		c, _ := t.Column(name)
		x := make([]float64, t.Len())
		c.Floats(x, 0)
		return x
	}
	moments := func(t *rootio.Table, of int) (mean, sigma, events float64) {
		code, k := values(t, "code"), values(t, "k")
		sum, squares := 0.0, 0.0
		for i, v := range k {
			if int(code[i]) == of {
				sum, squares, events = sum+v, squares+v*v, events+1
			}
		}
		mean = sum / events
		return mean, math.Sqrt(squares/events - mean*mean), events
	}
	for c, want := range means {
		mean, sigma, events := moments(out, c)
		inData, spread, _ := moments(learnt, c)
		if math.Abs(mean-inData) > 4*sigma*math.Sqrt(2/events) || math.Abs(sigma/spread-1) > 0.06 {
			t.Errorf("code %d: the mean is %.3f and the spread %.3f, in the data %.3f and %.3f (true: %g)", c, mean, sigma, inData, spread, want)
		}
	}
	fresh := events(2)
	p := make([]float64, n)
	must(t, s.LogDensity(t.Context(), p, fresh, 0))
	code, k, x := values(fresh, "code"), values(fresh, "k"), values(fresh, "x")
	kl := 0.0
	for i := range p {
		mean, d := means[int(code[i])], (x[i]-math.Log1p(k[i]))/0.3
		a, _ := math.Lgamma(k[i] + r)
		b, _ := math.Lgamma(k[i] + 1)
		truth := a - b - math.Log(2) + r*math.Log(r/(r+mean)) + k[i]*math.Log(mean/(r+mean)) // Γ(3) = 2
		kl += (truth - math.Log(2) - d*d/2 - math.Log(0.3*math.Sqrt(2*math.Pi)) - p[i]) / n
	}
	if !(math.Abs(kl) < 0.04) {
		t.Errorf("KL(truth ‖ model) = %.4f", kl)
	}
}

// A negative binomial takes the column of counts that it suits, which need not be the first one.
func TestCountsAfterOthers(t *testing.T) {
	const n = 3000
	rng := rand.New(rand.NewPCG(5, 1))
	far, near := make([]int32, n), make([]int32, n)
	for i := range n {
		far[i] = int32(1000*rng.IntN(2) + rng.IntN(3)) // islands
		for p := rng.ExpFloat64(); p < 7; p += rng.ExpFloat64() {
			near[i]++
		}
	}
	s := train(t, &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("far", far), rootio.ColumnOf("near", near)}}, nil, Options{
		Model: spline, Layers: 1, Hidden: 8, Seed: 1, Components: 1, Refine: RefineOff, Train: training.Options{Epochs: 1},
		Features: features.Options{As: map[string]string{"far": "count", "near": "count"}},
	})
	if len(s.Parts[0].Chain.Factors) != 2 || s.Parts[0].Chain.Factors[0].Kind() != "counts" {
		t.Fatalf("the chain is %v", s.Parts[0].Chain)
	}
	file := filepath.Join(t.TempDir(), "m")
	must(t, s.Save(file))
	if _, err := Load(file); err != nil {
		t.Error(err)
	}
}
