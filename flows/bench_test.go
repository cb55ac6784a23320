package flows

import (
	"context"
	"fmt"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/limits"
	"github.com/eidolon-hep/eidolon/training"
)

// flopsForward is the number of floating-point operations of the matrix products
// that one event needs in one direction.
func flopsForward(f *Flow) float64 {
	n := 0
	for _, t := range f.params.List {
		if len(t.Shape) == 2 {
			n += 2 * t.Len()
		}
	}
	return float64(n)
}

func benchFlow(b *testing.B, hidden int) *Flow {
	f, err := New(8, 0, 1, RealNVP(8, 1, RealNVPOptions{Layers: 8, Hidden: []int{hidden, hidden}})...)
	if err != nil {
		b.Fatal(err)
	}
	return f
}

// report prints events/s and the fraction of what multiply-adds alone would take.
func report(b *testing.B, flopsPerEvent float64, events int, run func()) {
	speed, limit := limits.Dense(flopsPerEvent*float64(events), run)
	b.ReportMetric(1e9*speed/flopsPerEvent, "events/s")
	if limit > 0 {
		b.ReportMetric(100*speed/limit, "%peak")
	}
	b.ReportMetric(0, "ns/op")
}

func BenchmarkTrain(b *testing.B) {
	for _, hidden := range []int{64, 128} {
		for _, batch := range []int{128, 512, 4096} {
			b.Run(fmt.Sprintf("H=%d/batch=%d", hidden, batch), func(b *testing.B) {
				f := benchFlow(b, hidden)
				const n = 1 << 12
				data := training.Data{Dim: 8, X: normals(8*n, 1)}
				valid := training.Data{Dim: 8, X: normals(8, 1)}
				report(b, 3*flopsForward(f), n, func() {
					if _, err := f.Train(context.Background(), data, valid, training.Options{Epochs: 1, Batch: batch, Patience: 1000}); err != nil {
						b.Fatal(err)
					}
				})
			})
		}
	}
}

func BenchmarkLogDensity(b *testing.B) {
	for _, n := range []int{512, 1 << 16} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := benchFlow(b, 128)
			x, p := normals(8*n, 1), make([]float64, n)
			report(b, flopsForward(f), n, func() { must(b, f.LogDensity(b.Context(), p, x, nil)) })
		})
	}
}

func BenchmarkSample(b *testing.B) {
	for _, n := range []int{512, 1 << 16} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := benchFlow(b, 128)
			x := make([]float32, 8*n)
			report(b, flopsForward(f), n, func() { must(b, f.Sample(b.Context(), x, nil, 1, 0, 0)) })
		})
	}
}
