package column

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// TestSignificant checks that values are rounded as text of so many digits is, and that a cell is what is rounded to a value.
func TestSignificant(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 20000 {
		s := Significant(3 + r.IntN(5))
		x := math.Copysign(math.Pow(10, 80*r.Float64()-40), r.Float64()-0.5)
		want, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'e', int(s)-1, 64), 64)
		if got := s.Round(x); got != want {
			t.Fatalf("%g to %d digits is %v, want %v", x, s, got, want)
		}
		lo, hi := s.Cell(want)
		if !(lo <= x && x <= hi) {
			t.Fatalf("%v is rounded to %v, whose cell is %v to %v", x, want, lo, hi)
		}
		if in := 1e-6 * (hi - lo); s.Round(lo+in) != want || s.Round(hi-in) != want || s.Round(lo-in) == want || s.Round(hi+in) == want {
			t.Fatalf("the cell of %v is %v to %v", want, lo, hi)
		}
	}
	for _, x := range []float64{0, math.Inf(1), 1e300} {
		if got := Significant(6).Round(x); got != x {
			t.Errorf("%g becomes %g", x, got)
		}
	}
}

// TestFindRounding checks what numbers are found to be rounded to.
func TestFindRounding(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	sample := func(draw func() float64) []float64 {
		x := make([]float64, 3000)
		for i := range x {
			x[i] = draw()
		}
		slices.Sort(x)
		return slices.Compact(x)
	}
	digits := func(x float64, n int) float64 {
		v, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'e', n-1, 32), 32)
		return v
	}
	momentum := func() float64 { return 3 + 30*r.ExpFloat64() }
	field := rootio.Field{Name: "x", Kind: rootio.Float32}
	if got, ok := FindRounding(field, sample(func() float64 { return digits(momentum(), 6) })).(Significant); !ok || got != 6 {
		t.Errorf("six digits: %v", got)
	}
	if got, ok := FindRounding(field, sample(func() float64 { return digits(r.NormFloat64(), 4) })).(Significant); !ok || got != 4 {
		t.Errorf("four digits of both signs: %v", got)
	}
	if got, ok := FindRounding(field, sample(func() float64 { return float64(float32(math.Round(100*momentum()) / 100)) })).(*Decimals); !ok || got.Digits != 2 {
		t.Errorf("two decimals: %v", got)
	}
	if got, ok := FindRounding(field, sample(func() float64 { return math.Round(100 * momentum()) })).(*Decimals); !ok || got.Digits != 0 {
		t.Errorf("whole numbers: %v", got)
	}
	if got, ok := FindRounding(field, sample(func() float64 { return math.Ldexp(math.Round(256*math.Exp(r.NormFloat64())), -8) })).(*Decimals); ok {
		t.Errorf("few bits: %v", got)
	}
	for _, unit := range []float64{1, 1e-30, 1e25} {
		if got := FindRounding(field, sample(func() float64 { return float64(float32(unit * momentum())) })); got != nil {
			t.Errorf("not rounded: %v", got)
		}
	}
}
