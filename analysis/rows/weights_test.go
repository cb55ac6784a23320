package rows

import (
	"math"
	"testing"
)

func TestWeightsOf(t *testing.T) {
	if s := WeightsOf(nil); s != nil {
		t.Errorf("no weights are %v", s)
	}
	if s := WeightsOf([]float64{3, 3, 3, 3, 3}); s.Effective != 5 || s.Negative != 0 || s.String() != "weights: as good as 5 events of equal weight, none negative" {
		t.Errorf("equal weights are %+v: %v", s, s)
	}
	for _, scale := range []float64{1, 1e-200, 1e200} { // (4 + 2 − 1)² / (16 + 4 + 1)
		s := WeightsOf([]float64{4 * scale, 2 * scale, -1 * scale})
		if math.Abs(s.Effective-25.0/21) > 1e-12 || math.Abs(s.Negative-1.0/3) > 1e-12 || math.Abs(s.NegativeSum-1.0/7) > 1e-12 || math.Abs(s.Sum/scale-5) > 1e-12 {
			t.Errorf("of 4, 2, −1 times %g: %+v", scale, s)
		}
		if want := "weights: as good as 1 events of equal weight; 33 % of the events have negative ones, which are 14 % of the sum of |weight|"; s.String() != want {
			t.Errorf("they are %q, want %q", s, want)
		}
	}
}

func TestPercent(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0 %", 1: "100 %", 0.999: "100 %", 0.5: "50 %", 0.104: "10 %", 0.0312: "3.1 %", 0.00123: "0.12 %", 0.000012: "0.0012 %", 1e-12: "0.000000 %",
	} {
		if got := Percent(x); got != want {
			t.Errorf("%g is %q, want %q", x, got, want)
		}
	}
}
