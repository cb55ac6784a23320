package coupling

import (
	"fmt"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/internal/limits"
)

// BenchmarkCoupling prints the speed of every function and what part it is of that at
// which its formula's instructions go through the multiply-add pipes, measured in
// turn with it. These are, per element,
//
//	soft bound  14: two products, and for tanh 10 and a division, which takes two
//	exp          7
//	the rest     1 forward and inverse, 5 backward, which needs no soft bound
func BenchmarkCoupling(b *testing.B) {
	const m = 64
	for _, n := range []int{1, 2, 3, 4, 5, 6, 8, 16, 21, 64} {
		for _, k := range []struct {
			name  string
			slots float64
			run   func(c *batch)
		}{
			{"Forward", 22, func(c *batch) { Forward(c.y, c.s, c.logDet, c.x, c.st, m, n, bound) }},
			{"Inverse", 22, func(c *batch) { Inverse(c.back, c.logDet, c.x, c.st, m, n, bound) }},
			{"Backward", 12, func(c *batch) { Backward(c.gx, c.gst, c.gy, c.gl, c.x, c.s, m, n, bound) }},
		} {
			b.Run(fmt.Sprintf("%s/n=%d", k.name, n), func(b *testing.B) {
				r := limits.Measure(1, 100*time.Millisecond, func() limits.Work {
					c := newBatch(m, n)
					Forward(c.y, c.s, c.logDet, c.x, c.st, m, n, bound)
					return limits.Work{Amount: m * float64(n), Run: func() { k.run(c) }}
				}, func() limits.Work { return limits.FMA(2 * k.slots) })
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(r.Speed, "Gelements/s")
				b.ReportMetric(100*r.Fraction, "%limit")
			})
		}
	}
}
