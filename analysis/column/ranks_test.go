package column

import (
	"math"
	"slices"
	"testing"
)

func TestRanks(t *testing.T) {
	got := Ranks([]float64{3, 1, 3, 9})
	if want := []float64{0, -0.75, 0, 0.75}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := Ranks([]float64{math.NaN(), 1}); got[0] != 0 || math.IsNaN(got[1]) {
		t.Errorf("with a number that is none: %v", got)
	}
}
