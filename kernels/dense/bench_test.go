package dense

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/limits"
)

// Benchmark prints for every product its speed and what part this is of the
// multiply-adds that one core can do, measured in turn with it.
func Benchmark(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, c := range [][3]int{
		{256, 8, 128}, {256, 16, 128}, {256, 64, 64}, {256, 128, 8}, {256, 128, 16}, {256, 128, 128},
		{256, 256, 256}, {256, 512, 512}, {256, 21, 128}, {256, 128, 43}, {64, 128, 128}, {1024, 128, 128}, {4096, 128, 128},
	} {
		m, k, n := c[0], c[1], c[2]
		x, y, z := random(rnd, m*k), random(rnd, m*n), random(rnd, m*n)
		w, bias := random(rnd, k*n), random(rnd, n)
		wp, wtp := make([]float32, PackedLen(k, n)), make([]float32, PackedLen(n, k))
		Pack(wp, w, k, n)
		PackT(wtp, w, k, n)
		dx, dw, db := random(rnd, m*k), random(rnd, k*n), random(rnd, n)
		for _, kernel := range []struct {
			name string
			call func()
		}{
			{"Forward", func() { Forward(y, nil, x, wp, bias, m, k, n, ReLU) }},
			{"ForwardSiLU", func() { Forward(y, z, x, wp, bias, m, k, n, SiLU) }},
			{"GradInput", func() { GradInput(dx, z, wtp, x, m, k, n, ReLU) }},
			{"GradWeights", func() { GradWeights(dw, db, x, z, m, k, n) }},
			{"Pack", func() { Pack(wp, w, k, n); PackT(wtp, w, k, n) }},
		} {
			b.Run(fmt.Sprintf("%s/m=%d,k=%d,n=%d", kernel.name, m, k, n), func(b *testing.B) {
				speed, limit := limits.Dense(2*float64(m)*float64(k)*float64(n), kernel.call)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(speed, "GFLOP/s")
				if limit > 0 {
					b.ReportMetric(100*speed/limit, "%peak")
				}
			})
		}
	}
}

func random(rnd *rand.Rand, n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(rnd.NormFloat64()) / 16
	}
	return s
}
