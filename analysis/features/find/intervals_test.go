package find

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestCutOfRoundedNumbers checks that the best wall is found between numbers that many events have, whatever the order of
// these events: against all walls that there are.
func TestCutOfRoundedNumbers(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 3))
		const n, numbers, exceptions = 600, 6, 0.1
		x, code := make([]float64, n), make([]uint8, n)
		for k := range x {
			x[k] = float64(r.IntN(numbers))
			if (x[k] >= 3) != (r.Float64() < exceptions) {
				code[k] = 1
			}
		}
		entropy := func(isIn func(x float64) bool) (h float64) {
			var count [2]float64
			for k, v := range x {
				if isIn(v) {
					count[code[k]]++
				}
			}
			for _, c := range count {
				h -= c * math.Log(c/(count[0]+count[1]))
			}
			return h
		}
		best := math.Inf(1)
		for wall := 0.5; wall < numbers-1; wall++ {
			best = min(best, entropy(func(x float64) bool { return x < wall })+entropy(func(x float64) bool { return x > wall }))
		}
		if c := cut(x, code, 2, 10); len(c.walls) != 1 || math.Abs(c.entropy-best) > 1e-9*n {
			t.Errorf("seed %d: walls %v with %g nats, the best one has %g", seed, c.walls, c.entropy, best)
		}
	}
}
