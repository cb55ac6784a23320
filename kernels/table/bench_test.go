package table

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/internal/limits"
)

// Benchmark prints the speed of every function and of its twin in pure Go, in function
// values: m·k·n of them are in a call. The limit is that of loads from the first cache,
// measured in turn: a value needs two numbers of a table; in the gradients, two of dt,
// which are also stored, and unless dx is nil two of t. Tables larger than the first
// cache cannot reach it: the second gives half as much.
func Benchmark(b *testing.B) {
	for _, s := range []shape{
		{64, 4, 4, 16, 64}, {64, 8, 8, 16, 64}, {64, 8, 8, 64, 64}, {64, 20, 20, 64, 64},
		{64, 8, 8, 16, 128}, {64, 8, 8, 64, 128}, {64, 20, 20, 128, 128}, {64, 8, 8, 64, 16}, {64, 8, 8, 64, 256}, {64, 1, 1, 64, 64},
	} {
		p := newProblem(rand.New(rand.NewPCG(1, 2)), s)
		y, x, t, dy, dx, dt := p.y.Inside, p.x.Inside, p.t.Inside, p.dy.Inside, p.dx.Inside, p.dt.Inside
		for _, f := range []struct {
			name      string
			bytes     float64
			run, twin func()
		}{
			{"Forward", 8, p.forward, func() { forwardPure(y, x, t, s.m, s.k, s.stride, s.cells, s.n) }},
			{"Backward", 16, p.backward, func() { backwardPure(dx, dt, dy, x, t, s.m, s.k, s.stride, s.cells, s.n) }},
			{"GradTables", 8, func() { Backward(nil, dt, dy, x, t, s.m, s.k, s.stride, s.cells, s.n) },
				func() { backwardPure(nil, dt, dy, x, t, s.m, s.k, s.stride, s.cells, s.n) }},
		} {
			b.Run(fmt.Sprintf("%s/k=%d,cells=%d,n=%d", f.name, s.k, s.cells, s.n), func(b *testing.B) {
				values := float64(s.m * s.k * s.n)
				work := func(run func()) func() limits.Work {
					return func() limits.Work { return limits.Work{Amount: values, Run: run} }
				}
				limit := limits.Measure(1, 100*time.Millisecond, work(f.run), func() limits.Work { return limits.Load(f.bytes) })
				pure := limits.Measure(1, 100*time.Millisecond, work(f.run), work(f.twin))
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(limit.Speed, "Gvalues/s")
				b.ReportMetric(100*limit.Fraction, "%limit")
				b.ReportMetric(pure.Fraction, "x_pure")
			})
		}
	}
}
