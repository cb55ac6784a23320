package measure

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/internal/limits"
)

// Benchmark prints for every row of the table its speed, what part of its limit
// that is, and the median of the parts of all windows.
func Benchmark(b *testing.B) {
	for _, row := range rows() {
		for _, n := range threads() {
			b.Run(fmt.Sprintf("%s/%s/threads=%d", row.kernel, row.shape, n), func(b *testing.B) {
				r := row.measure(n, duration)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(r.Speed, r.Unit)
				if r.Limit > 0 {
					b.ReportMetric(100*r.Fraction, "%limit")
					b.ReportMetric(100*r.Median, "%median")
				}
			})
		}
	}
}

// TestRows runs every kernel of the table once.
func TestRows(t *testing.T) {
	seen := make(map[string]bool)
	for _, row := range rows() {
		name := fmt.Sprintf("%s %s", row.kernel, row.shape)
		if seen[name] {
			t.Errorf("%s is there twice", name)
		}
		seen[name] = true
		work, limit := row.work(), row.limit()
		work.Run()
		if !(work.Amount > 0) || (limit.Amount > 0) != limits.Available() {
			t.Errorf("%s: %v units of work, %v of its limit", name, work.Amount, limit.Amount)
		}
	}
}

func TestMeasure(t *testing.T) {
	some := philoxRows()
	count := 0
	results := measure(context.Background(), some, 0, func(r Result, done, total int) {
		count++
		if done != count || total != len(some)*len(threads()) {
			t.Errorf("%d of %d, want %d of %d", done, total, count, len(some)*len(threads()))
		}
	})
	if len(results) != count {
		t.Errorf("%d results, %d were told", len(results), count)
	}
	for _, r := range results {
		if !(r.Speed > 0) || math.IsInf(r.Speed, 0) || (r.Fraction > 0) != limits.Available() {
			t.Errorf("%+v", r)
		}
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	results := measure(ctx, rows(), time.Millisecond, func(Result, int, int) { cancel() })
	if len(results) != 1 {
		t.Errorf("%d results after the end, want 1", len(results))
	}
	if results, _ := Kernels(ctx, nil); len(results) != 0 {
		t.Errorf("%d results without time, want none", len(results))
	}
}

// The first kernel's line.
func ExampleKernels() {
	ctx, cancel := context.WithCancel(context.Background())
	results, _ := Kernels(ctx, func(Result, int, int) { cancel() })
	r := results[0]
	fmt.Println(r.Kernel, r.Shape, r.Threads, r.Unit)
	// Output: dense.Forward m=256 k=128 n=128 relu 1 GFLOP/s
}
