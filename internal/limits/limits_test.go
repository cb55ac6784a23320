package limits_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/internal/limits"
)

func sum(x []float32) (s float32) {
	for _, v := range x {
		s += v
	}
	return s
}

// chain is additions that wait for one another, far from what the vector units
// could do.
func chain() limits.Work {
	x := make([]float32, 1000)
	var sink float32
	return limits.Work{Amount: float64(len(x)), Run: func() { sink += sum(x) }}
}

func fma() limits.Work { return limits.FMA(1) }

func TestMeasure(t *testing.T) {
	for threads := 1; threads <= 2; threads++ {
		r := limits.Measure(threads, 20*time.Millisecond, chain, fma)
		if r.Speed <= 0 {
			t.Errorf("%d threads: %+v", threads, r)
		}
		if limits.Available() {
			if !(r.Fraction > 0 && r.Fraction < 0.5 && r.Median > 0) {
				t.Errorf("%d threads: a chain of additions: %+v", threads, r)
			}
		} else if r.Limit != 0 || r.Fraction != 0 || r.Median != 0 {
			t.Errorf("%d threads: a limit without the assembly: %+v", threads, r)
		}
	}
}

func TestDense(t *testing.T) {
	speed, limit := limits.Dense(1000, chain().Run)
	if speed <= 0 || (limit > 0) != limits.Available() || limit > 0 && speed > limit {
		t.Errorf("%v of %v GFLOP/s", speed, limit)
	}
}

// A unit of work that costs twice as much has half the limit.
func TestUnits(t *testing.T) {
	for name, limit := range map[string]func(float64) limits.Work{
		"FMA": limits.FMA, "Exp": limits.Exp, "Divide": limits.Divide, "Philox": limits.Philox, "Normal": limits.Normal, "Read": limits.Read,
	} {
		one, two := limit(1), limit(2)
		if one.Amount != 2*two.Amount || limits.Available() != (one.Amount > 0) {
			t.Errorf("%s: %v and %v units a call", name, one.Amount, two.Amount)
		}
	}
}

func ExampleMeasure() {
	r := limits.Measure(1, 10*time.Millisecond, chain, fma)
	fmt.Println(r.Speed > 0)
	// Output: true
}
