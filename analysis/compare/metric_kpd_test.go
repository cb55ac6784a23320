package compare

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/testenv"
)

// In one dimension (xy+1)⁴ = Σ C(4,k) xᵏyᵏ: the distance is Σ C(4,k) (difference of
// the k-th moments)².
func TestKernelDistance(t *testing.T) {
	testenv.Slow(t, "it computes distances of many samples")
	rng := rand.New(rand.NewPCG(2, 2))
	draw := func(n int, mean float64) *cloud {
		c := &cloud{n: n, dim: 1}
		for range n {
			c.x = append(c.x, mean+0.3*rng.NormFloat64())
		}
		return c
	}
	const m, v = 0.2, 0.09
	moments := [2][5]float64{{1, 0, v, 0, 3 * v * v}, {1, m, m*m + v, m*m*m + 3*m*v, m*m*m*m + 6*m*m*v + 3*v*v}}
	want := 0.0
	for k, binomial := range []float64{1, 4, 6, 4, 1} {
		d := moments[0][k] - moments[1][k]
		want += binomial * d * d
	}
	value, err := kpd(context.Background(), draw(2_000, 0), draw(2_000, m), nil, nil)
	near(t, "KPD", value, want, 4*err)
	if err > want/4 {
		t.Errorf("error %g of %g", err, want)
	}
	value, err = kpd(context.Background(), draw(2_000, 0), draw(2_000, 0), nil, nil)
	near(t, "KPD of equal distributions", value, 0, 4*err)
}
