package classify

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/vectors"
	"github.com/eidolon-hep/eidolon/rootio"
)

// TestRoundsAreBounded checks that the logarithm of a ratio of two rounds is the sum of theirs, each with its bound: that is
// what the gain of a round was found for.
func TestRoundsAreBounded(t *testing.T) {
	const n, folds, most = 600, 2, 0.3
	draw := func(seed uint64, mean float64) *rootio.Table {
		r := rand.New(rand.NewPCG(seed, 1))
		x, y := make([]float64, n), make([]float64, n)
		for i := range x {
			x[i], y[i] = mean+r.NormFloat64(), r.NormFloat64()
		}
		return &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x), rootio.ColumnOf("y", y)}}
	}
	zero, one, test := draw(1, 0), draw(2, 1), draw(3, 0.5)
	of := make([]int, n)
	for i := range of {
		of[i] = i % folds
	}
	none := NewBoosted([]string{"x", "y"}, vectors.Found{}, false)
	fit := func(seed uint64) *CrossFitted {
		c, err := none.Boost(t.Context(), zero, one, slices.Repeat([]float64{1}, n), [2][]int{of, of}, BoostOptions{Folds: folds, Trees: 20, Rate: 0.3, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	logs := func(b *Boosted) []float64 {
		dst := make([]float64, n)
		if err := b.LogRatio(t.Context(), dst, test, 0); err != nil {
			t.Fatal(err)
		}
		return dst
	}
	a, b := fit(1), fit(2)
	first, second := none.With(a, 1, 0, most), none.With(b, -1, 0, 2*most) // they say the opposite
	both := first.With(b, -1, 0, 2*most)
	if math.Abs(math.Log(both.Largest())-3*most) > 1e-12 {
		t.Errorf("the largest ratio is exp %g, want exp %g", math.Log(both.Largest()), 3*most)
	}
	x, y, atBound := logs(first), logs(second), 0
	for i, got := range logs(both) {
		if math.Abs(got-x[i]-y[i]) > 1e-12 || x[i] > most || y[i] > 2*most {
			t.Fatalf("event %d: %g of both rounds, %g and %g of each", i, got, x[i], y[i])
		}
		if x[i] == most || y[i] == 2*most {
			atBound++
		}
	}
	if atBound < n/10 {
		t.Errorf("%d events are at a bound", atBound)
	}
}
