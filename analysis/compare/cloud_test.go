package compare

import (
	"math/rand/v2"
	"testing"
)

func points2(rng *rand.Rand, n int, mean, sigma float64) *cloud {
	c := &cloud{n: n, dim: 2, x: make([]float64, 2*n)}
	for i := range c.x {
		c.x[i] = mean + sigma*rng.NormFloat64()
	}
	return c
}

// An event of weight 3 is drawn as often as three events, one of negative weight
// never.
func TestDrawnByWeight(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	c := &cloud{n: 3, dim: 1, x: []float64{0, 1, 2}}
	count := map[float64]int{}
	for _, x := range c.draw(8000, cumulative([]float64{1, 3, -2}), rng).x {
		count[x]++
	}
	near(t, "draws", float64(count[1]), 6000, 200)
	if count[2] > 0 || count[0]+count[1] != 8000 {
		t.Errorf("draws %v", count)
	}
	chosen := 0
	for range 4000 {
		if choose(2, 1, []float64{1, 3}, rng)[0] == 1 {
			chosen++
		}
	}
	near(t, "chosen", float64(chosen), 3000, 120)
}
