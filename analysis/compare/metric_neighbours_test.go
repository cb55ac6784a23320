package compare

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
)

func TestNeighbours(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	const n = 600
	ref := points2(rng, n, 0, 1)
	equal := neighbours(context.Background(), ref, points2(rng, n, 0, 1))
	near(t, "density of equal samples", equal.Density, 1, 0.15)
	near(t, "coverage of equal samples", equal.Coverage, 1-math.Pow(0.5, neighbour), 0.04)
	if equal.Precision < 0.9 || equal.Recall < 0.9 {
		t.Errorf("equal samples: %+v", equal)
	}
	// A mode that collapsed is precise, and covers little.
	narrow := neighbours(context.Background(), ref, points2(rng, n, 0, 0.2))
	if narrow.Precision < 0.95 || narrow.Recall > 0.3 || narrow.Coverage > 0.5 {
		t.Errorf("collapsed: %+v", narrow)
	}
	wide := neighbours(context.Background(), ref, points2(rng, n, 0, 4))
	if wide.Precision > 0.4 || wide.Recall < 0.8 {
		t.Errorf("wide: %+v", wide)
	}
}

func TestReachByHand(t *testing.T) {
	c := &cloud{n: 5, dim: 1, x: []float64{0, 1, 3, 7, 8}}
	for _, test := range []struct {
		x       float64
		k, skip int
		want    float64
	}{{0, 1, 0, 1}, {0, 2, 0, 9}, {0, 1, -1, 0}, {7.25, 2, -1, 0.75 * 0.75}, {100, 5, -1, 10_000}} {
		if got := c.reach([]float64{test.x}, test.k, test.skip); got != test.want {
			t.Errorf("squared distance from %g to neighbour %d is %g, want %g", test.x, test.k, got, test.want)
		}
	}
}
