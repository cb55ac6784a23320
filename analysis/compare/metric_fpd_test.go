package compare

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
)

// For independent normals the Fréchet distance is Σ (μ₁−μ₂)² + (σ₁−σ₂)².
func TestFrechet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	a, b := points2(rng, 10_000, 0, 1), points2(rng, 10_000, 0.5, 2)
	value, err := fpd(context.Background(), a, b, nil, nil)
	near(t, "FPD", value, 2*(0.25+1), 0.1)
	if !(err > 0 && err < 0.05) {
		t.Errorf("error %g", err)
	}
	// Its bias for samples of finite size, some d²/n, is extrapolated away.
	value, _ = fpd(context.Background(), a, points2(rng, 10_000, 0, 1), nil, nil)
	near(t, "FPD of equal distributions", value, 0, 1e-3)
	// Correlations count: the matrices do not commute.
	c, d := points2(rng, 20_000, 0, 1), points2(rng, 20_000, 0, 1)
	for i := range c.n {
		c.row(i)[1] = 0.8*c.row(i)[0] + 0.6*c.row(i)[1]
		d.row(i)[0] *= 2
	}
	// tr Σ₁ + tr Σ₂ − 2 tr(Σ₁Σ₂)^½, and for 2×2 matrices the last trace is
	// √(tr Σ₁Σ₂ + 2√det Σ₁Σ₂).
	want := 2 + 5 - 2*math.Sqrt(5+2*math.Sqrt(0.36*4))
	near(t, "Fréchet distance", frechet(c, d), want, 0.05)
}
