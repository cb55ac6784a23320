package compare

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// TestSlicedKS: the projections of two normals whose means differ by δ along one axis of d are
// normals that differ by δ|cos|, of which the KS distance is 2Φ(δ|cos|/2) − 1.
func TestSlicedKS(t *testing.T) {
	const n, dim, delta = 5000, 3, 0.5
	rng := rand.New(rand.NewPCG(6, 6))
	draw := func(shift float64) *cloud {
		c := &cloud{n: n, dim: dim, x: make([]float64, n*dim)}
		for i := range c.x {
			c.x[i] = rng.NormFloat64()
			if i%dim == 0 {
				c.x[i] += shift
			}
		}
		return c
	}
	// |cos| is uniform in [0, 1] in three dimensions.
	ks := func(cos float64) float64 { return 2*distuv.UnitNormal.CDF(delta*cos/2) - 1 }
	mean := 0.0
	const steps = 1000
	for k := range steps {
		mean += ks((float64(k)+0.5)/steps) / steps
	}
	// The mean of |cos| over 64 directions has an error of 0.29/8.
	s := slicedKS(t.Context(), draw(0), draw(delta))
	near(t, "mean", s.Mean, mean, 4*ks(1)*0.29/8+0.01)
	near(t, "max", s.Max, ks(1), 0.025)
	near(t, "p-value", s.PValue, 1./(1+permutations), 1e-9)

	// p-values of equal samples are uniform.
	low, sum := 0, 0.0
	const trials = 60
	for range trials {
		a, b := draw(0), draw(0)
		a.n, a.x, b.n, b.x = 200, a.x[:200*dim], 150, b.x[:150*dim]
		p := slicedKS(t.Context(), a, b).PValue
		sum += p / trials
		if p < 0.1 {
			low++
		}
	}
	near(t, "mean p-value of equal samples", sum, 0.5, 4*math.Sqrt(1./12/trials))
	if low > 16 {
		t.Errorf("%d of %d p-values are below 0.1", low, trials)
	}
}

// TestKSOfSorted: by hand, with values that both samples have.
func TestKSOfSorted(t *testing.T) {
	// a: 1, 2, 2, 4; b: 2, 3
	x, of := []float64{1, 2, 2, 2, 3, 4}, []bool{false, false, true, false, true, false}
	near(t, "KS", ksOfSorted(x, []int{0, 1, 2, 3, 4, 5}, of, 4, 2), 0.25, 1e-12)
	near(t, "KS of permuted events", ksOfSorted(x, []int{2, 0, 1, 3, 5, 4}, of, 4, 2), 0.5, 1e-12)
}
