package vmath

import (
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/internal/limits"
)

// BenchmarkFunctions prints for each function its speed and what part this is of
// the speed that the same instructions have without loads and stores, measured
// in turn with it.
func BenchmarkFunctions(b *testing.B) {
	const n = 2048
	for _, fn := range functions {
		work := func() limits.Work {
			src, dst := make([]float32, n), make([]float32, n)
			for i := range src {
				src[i] = 0.001 + float32(i%613)/100
			}
			return limits.Work{Amount: n, Run: func() { fn.f(dst, src) }}
		}
		b.Run(fn.name, func(b *testing.B) {
			r := limits.Measure(1, 200*time.Millisecond, work, func() limits.Work { return inRegisters(fn.name, n) })
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(r.Speed, "G/s")
			b.ReportMetric(100*r.Fraction, "%limit")
		})
	}
}
