package features

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
)

func moons(r *rand.Rand, sigma float64) (x, y float64) {
	sin, cos := math.Sincos(math.Pi * r.Float64())
	if x, y = cos, sin; r.IntN(2) == 0 {
		x, y = 1-cos, 0.5-sin
	}
	return x + sigma*r.NormFloat64(), y + sigma*r.NormFloat64()
}

// smooth are densities without edges.
var smooth = map[string]func(r *rand.Rand) float64{
	"normal":             func(r *rand.Rand) float64 { return r.NormFloat64() },
	"moons in x":         func(r *rand.Rand) float64 { x, _ := moons(r, 0.1); return x },
	"moons in y":         func(r *rand.Rand) float64 { _, y := moons(r, 0.1); return y },
	"sharper moons":      func(r *rand.Rand) float64 { x, _ := moons(r, 0.05); return x },
	"Student, ν = 3":     func(r *rand.Rand) float64 { return student(r, 3) },
	"smeared uniform":    func(r *rand.Rand) float64 { return r.Float64() + 0.1*r.NormFloat64() },
	"two tails, shifted": func(r *rand.Rand) float64 { return 1000 + math.Copysign(r.ExpFloat64(), r.Float64()-0.5) },
}

func student(r *rand.Rand, nu int) float64 {
	chi2 := 0.0
	for range nu {
		x := r.NormFloat64()
		chi2 += x * x
	}
	return r.NormFloat64() / math.Sqrt(chi2/float64(nu))
}

// hard are densities that end where they are not zero: at 0, and at 1 where both.
var hard = map[string]struct {
	draw func(r *rand.Rand) float64
	both bool
}{
	"uniform":     {func(r *rand.Rand) float64 { return r.Float64() }, true},
	"exponential": {func(r *rand.Rand) float64 { return r.ExpFloat64() }, false},
	"half normal": {func(r *rand.Rand) float64 { return math.Abs(r.NormFloat64()) }, false},
}

// TestEdgesNeedEvidence checks how often a density of a thousand events is said to have an
// edge where it has none, and to have none where it has one that is at no natural bound.
func TestEdgesNeedEvidence(t *testing.T) {
	testenv.Slow(t, "it looks for edges in many samples")
	const n, samples = 1000, 60
	r := rand.New(rand.NewPCG(1, 7))
	edges := func(f func(*rand.Rand) float64) (low, high int) {
		for range samples {
			x := make([]float64, n)
			for i := range x {
				x[i] = f(r)
			}
			c := fitOne(t, rootio.ColumnOf("x", x)).Columns[0]
			if c.Low != nil {
				low++
			}
			if c.High != nil {
				high++
			}
		}
		return low, high
	}
	for name, f := range smooth {
		if low, high := edges(f); low+high > 3 {
			t.Errorf("%s: %d and %d edges in %d samples", name, low, high, samples)
		}
	}
	for name, e := range hard {
		low, high := edges(func(r *rand.Rand) float64 { return 7.3 + 4.6*e.draw(r) })
		if low < samples*8/10 || (high > samples*8/10) != e.both {
			t.Errorf("%s: %d and %d edges in %d samples", name, low, high, samples)
		}
	}
}

// TestDensityIsFiniteWhereAnEventIsPossible checks true events that were not learnt from,
// and values far outside of the data: their log-density is finite, its Jacobian exact.
func TestDensityIsFiniteWhereAnEventIsPossible(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 7))
	all := map[string]func(r *rand.Rand) float64{
		"rounded":    func(r *rand.Rand) float64 { return math.Round(100*r.NormFloat64()) / 100 },
		"positive":   func(r *rand.Rand) float64 { return math.Exp(r.NormFloat64()) },
		"two spikes": func(r *rand.Rand) float64 { return []float64{0, 1, r.NormFloat64(), r.ExpFloat64()}[r.IntN(4)] },
	}
	for name, f := range smooth {
		all[name] = f
	}
	for name, e := range hard {
		all[name] = e.draw
	}
	for name, f := range all {
		for _, n := range []int{30, 1000, 20000} {
			s := fitOne(t, rootio.ColumnOf("x", draw(n, f)))
			c := &s.Columns[0]
			others := make([]float64, 5000)
			for i := range others {
				others[i] = f(r)
			}
			for _, scale := range []float64{1, 3, 1e3, 1e30, 1e300} {
				others = append(others, c.Min-scale*(c.Max-c.Min), c.Max+scale*(c.Max-c.Min))
			}
			z, logDet := make([]float32, len(others)), make([]float64, len(others))
			if err := s.Encode(t.Context(), z, logDet, &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", others)}}, Noise{}); err != nil {
				t.Fatal(err)
			}
			for i, x := range others {
				if p := logNormal(float64(z[i])) + logDet[i]; math.IsInf(p, 0) || math.IsNaN(p) {
					t.Fatalf("%s, %d events: log-density %g at %g, %s", name, n, p, x, c.Describe())
				}
			}
			if len(c.Spikes) > 0 {
				continue
			}
			for i := 1; i < len(others); i += 97 {
				x := others[i]
				_, logSlope := c.encode(x, 0)
				h := 1e-4 * math.Exp(-logSlope)
				up, _ := c.encode(x+h, 0)
				down, _ := c.encode(x-h, 0)
				if got := math.Log((up - down) / (2 * h)); math.Abs(x) < 1e9 && math.Abs(got-logSlope) > 1e-2 {
					t.Errorf("%s, %d events: log slope %g at %g, want %g, %s", name, n, logSlope, x, got, c.Describe())
				}
			}
		}
	}
}

// TestDecodeKeepsWithinEdges checks that no feature, however far out, is beyond an edge.
func TestDecodeKeepsWithinEdges(t *testing.T) {
	for name, e := range hard {
		c := fitOne(t, rootio.ColumnOf("x", draw(20000, e.draw))).Columns[0]
		for z := -900.0; z <= 900; z += 0.37 {
			if x := c.decode(z); x < 0 || e.both && x > 1 || math.IsNaN(x) {
				t.Errorf("%s: feature %g is %g", name, z, x)
			}
		}
	}
}

// TestCountsHaveATail checks that a count which was never seen is rare, and an unknown code
// impossible.
func TestCountsHaveATail(t *testing.T) {
	poisson := func(r *rand.Rand) float64 {
		n := -1.0
		for t := 0.0; t < 3; t += r.ExpFloat64() {
			n++
		}
		return n
	}
	jets := fitOne(t, columnOf(rootio.Int32, draw(2000, poisson))).Columns[0]
	layer := fitOne(t, columnOf(rootio.Int32, draw(2000, func(r *rand.Rand) float64 { return float64(r.IntN(9)) }))).Columns[0]
	pdg := fitOne(t, columnOf(rootio.Int32, draw(2000, func(r *rand.Rand) float64 { return []float64{-13, -11, 11, 13, 22}[r.IntN(5)] }))).Columns[0]
	for _, c := range []struct {
		column   Column
		x        float64
		possible bool
	}{
		{jets, jets.Max + 1, true}, {jets, jets.Max + 4, true}, {jets, 1.5, false}, {layer, 9, false}, {layer, -1, false}, {pdg, 12, false}, {pdg, 23, false},
	} {
		z, ld := c.column.encode(c.x, 0.5)
		if p := math.Exp(logNormal(z) + ld); (p > 0) != c.possible || p > 5e-3 {
			t.Errorf("%g has the probability %.3g, as %s", c.x, p, c.column.Describe())
		}
	}
}
