package spline

import (
	"fmt"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/internal/limits"
)

// BenchmarkSpline prints the speed of every function and what part it is of that at
// which the instructions of its formulas go through the multiply-add pipes, measured
// in turn with it. These are, per element,
//
//	a bin     27: two exponentials of 8, the two largest logits, and to find the bin
//	          a comparison, six choices and two products
//	the rest  93 forward: two shares of 2, two softplus of 22, a logarithm of 18, and
//	          27 in the rational function, where a division is 2
//
// where the inverse needs 12 more for its root, and the gradient 6 more for a bin
// and 51 more for the rest.
func BenchmarkSpline(b *testing.B) {
	const m, n = 64, 4
	for _, bins := range []int{4, 8, 16, 32} {
		for _, k := range []struct {
			name         string
			perBin, rest int
			run          func(c *batch)
		}{
			{"Forward", 27, 93, func(c *batch) { Forward(c.y, c.logDet, c.x, c.params, m, n, bins, bound) }},
			{"Inverse", 27, 105, func(c *batch) { Inverse(c.back, c.logDet, c.x, c.params, m, n, bins, bound) }},
			{"Backward", 33, 144, func(c *batch) { Backward(c.gx, c.gparams, c.gy, c.gl, c.x, c.params, m, n, bins, bound) }},
		} {
			b.Run(fmt.Sprintf("%s/bins=%d", k.name, bins), func(b *testing.B) {
				r := limits.Measure(1, 100*time.Millisecond, func() limits.Work {
					c := newBatch(m, n, bins)
					return limits.Work{Amount: m * n, Run: func() { k.run(c) }}
				}, func() limits.Work { return limits.FMA(2 * float64(k.perBin*bins+k.rest)) })
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(1e3*r.Speed, "Melements/s")
				b.ReportMetric(100*r.Fraction, "%limit")
			})
		}
	}
}
