package column

import (
	"math"
	"testing"
)

// An angle is wrapped into the range by whole turns, however large it is.
func TestWrap(t *testing.T) {
	for _, c := range circles {
		for _, x := range []float64{0, 1, -1, c.Start, c.Start + c.Period, 1e6, -1e8, 1e17, -1e300, math.MaxFloat64} {
			got := c.Wrap(x, c.Start)
			if !(got >= c.Start && got < c.Start+c.Period) {
				t.Errorf("%g becomes %g, outside of %v", x, got, c)
			}
			if off := math.Abs(math.Remainder(x-got, c.Period)); math.Abs(x) < 1e9 && off > 1e-6 {
				t.Errorf("%g becomes %g, which is off by %g", x, got, off)
			}
		}
	}
}
