package gauss

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/internal/limits"
)

// Benchmark prints the speed on one thread and on two, and what part this is of
// a limit measured in turn with it: the pairs of a query and an event for which
// the processor could do the multiply-adds, if there were nothing else to do.
// These are, per pair, D squares of differences, 1 that scales the distance, 5
// of the exponential's polynomial and D products with the weight for the mean; for
// log Σ w alone there are no products, and for all results 3 more. A window
// holds a part of the events, which are passed in turn.
func Benchmark(b *testing.B) {
	for _, kind := range []struct {
		name  string
		slots string
		count func(dim int) int
		out   func(m, dim int) Result
	}{
		{"Mean", "2D+6", func(dim int) int { return 2*dim + 6 }, func(m, dim int) Result {
			return Result{LogSum: make([]float64, m), Mean: make([]float32, m*dim)}
		}},
		{"LogSum", "D+6", func(dim int) int { return dim + 6 }, func(m, _ int) Result {
			return Result{LogSum: make([]float64, m)}
		}},
		{"All", "2D+9", func(dim int) int { return 2*dim + 9 }, newResult},
	} {
		for _, dim := range []int{1, 2, 4, 8, 16, 32, 64} {
			for _, k := range []int{1 << 14, 1 << 20} {
				const m, part = 96, 2 * blocksOnce
				events, x := cloud(k, dim, m)
				work := func() limits.Work {
					s, out, at := NewSums(m, dim), kind.out(m, dim), events.Blocks()
					s.Start(out, x, m, 0.8, 0.6)
					return limits.Work{Amount: m * part * BlockLen, Run: func() {
						if at == events.Blocks() {
							s.Finish()
							s.Start(out, x, m, 0.8, 0.6)
							at = 0
						}
						s.Add(events, at, at+part)
						at += part
					}}
				}
				limit := func() limits.Work { return limits.FMA(2 * float64(kind.count(dim))) }
				b.Run(fmt.Sprintf("%s/D=%d,K=%d", kind.name, dim, k), func(b *testing.B) {
					one := limits.Measure(1, 200*time.Millisecond, work, limit)
					two := limits.Measure(2, 200*time.Millisecond, work, limit)
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(one.Speed, "Gpairs/s")
					if one.Limit > 0 {
						b.ReportMetric(100*one.Fraction, "%of_FMA/("+kind.slots+")")
					}
					b.ReportMetric(two.Speed/one.Speed, "x_on_two")
				})
			}
		}
	}
}

// cloud is k events of a standard normal and m queries drawn from them.
func cloud(k, dim, m int) (*Events, []float32) {
	rnd := rand.New(rand.NewPCG(1, 2))
	p := newProblem(rnd, k, dim, m, [2]float64{0.8, 0.6})
	events, err := NewEvents(p.x0, nil, k, dim)
	if err != nil {
		panic(err)
	}
	return events, p.x
}
