package rows

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

func TestHashIsOfContents(t *testing.T) {
	a := Hash([]rootio.Column{rootio.ColumnOf("x", []float32{1, 0, 2, float32(math.NaN())}), rootio.ColumnOf("k", []int32{7, 8, 7, 0})})
	b := Hash([]rootio.Column{rootio.ColumnOf("x", []float64{1, math.Copysign(0, -1), 7, -math.NaN()}), rootio.ColumnOf("k", []uint64{7, 8, 2, 0})})
	if a[0] != b[0] || a[1] != b[1] || a[3] != b[3] {
		t.Errorf("equal rows of other types are %x and %x", a, b)
	}
	if a[2] == b[2] {
		t.Error("the order of the columns says nothing")
	}
	if h := Hash([]rootio.Column{rootio.ColumnOf("event", []uint64{1 << 53, 1<<53 + 1, 1<<64 - 1, 1<<64 - 2})}); h[0] == h[1] || h[2] == h[3] {
		t.Errorf("large integers are equal: %x", h)
	}
}

// Copies are rows that are equal for no reason of their own: given twice, drawn with
// repetition. Codes and rounded values repeat by nature.
func TestCopiesAreToldFromEqualRows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const n = 700
	draw := func(f func() float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = f()
		}
		return x
	}
	twice := func(x []float64) []float64 { return slices.Concat(x, x) }
	x, y := draw(r.NormFloat64), draw(r.NormFloat64)
	code := draw(func() float64 { return float64(r.IntN(4)) })
	half := func() float64 { return float64(float32(math.Round(16*(8+r.NormFloat64()))) / 16) } // about 64 values
	var coarse []rootio.Column
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		coarse = append(coarse, rootio.ColumnOf(name, twice(draw(half))))
	}
	column := rootio.ColumnOf[float64]
	for _, c := range []struct {
		name      string
		columns   []rootio.Column
		different int
	}{
		{"all different", []rootio.Column{column("x", x), column("y", y)}, n},
		{"given twice", []rootio.Column{column("x", twice(x)), column("y", twice(y))}, n},
		{"one column, twice", []rootio.Column{column("x", twice(x))}, n},
		{"with codes, twice", []rootio.Column{column("x", twice(x)), column("code", twice(code))}, n},
		{"codes", []rootio.Column{column("code", code)}, n},
		{"codes, twice", []rootio.Column{column("code", twice(code)), column("other", slices.Concat(code[1:], code[:1], code))}, 2 * n},
		{"rounded columns, twice", coarse, n},
		{"all equal", []rootio.Column{column("one", make([]float64, n))}, n},
		{"three rows", []rootio.Column{column("x", []float64{1, 2, 2})}, 2},
		{"none", []rootio.Column{column("x", []float64{})}, 0},
	} {
		got := FindCopies(c.columns)
		different := 0
		for i, first := range got.First {
			if first > i || got.First[first] != first {
				t.Fatalf("%s: row %d is a copy of %d, which is one of %d", c.name, i, first, got.First[first])
			}
			if first == i {
				different++
			}
		}
		if got.Different != c.different || different != c.different {
			t.Errorf("%s: %d rows are different, %d said, want %d", c.name, different, got.Different, c.different)
		}
	}
}

func TestFewEffectiveEvents(t *testing.T) {
	w := slices.Repeat([]float64{1}, 1000)
	if text := WeightsOf(w).Few(); text != "" {
		t.Errorf("of equal weights it says %q", text)
	}
	if (*Weights)(nil).Few() != "" {
		t.Error("no weights are few")
	}
	w[17], w[3] = -1000, 500
	want := "1000 weighted events are as good as 0.198 of equal weight only; the heaviest, with their part of the sum of |weight|, are entries 17 (40 %), 3 (20 %), 0 (0.040 %)"
	if text := WeightsOf(w).Few(); text != want {
		t.Errorf("it says %q, want %q", text, want)
	}
}
