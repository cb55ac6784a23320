package step

import (
	"math"
	"testing"
)

// TestCloseEdges checks that the coordinate is finite, and can be undone, however close the edges of an event are: pT of the
// second jet may be nearly that of the first, and both nearly the threshold, in GeV or in eV.
func TestCloseEdges(t *testing.T) {
	for _, lo := range []float64{-30, 0.1, 3, 11.5, 17, 25} {
		for room := 1e-12; room < 1; room *= 1.7 {
			for _, part := range []float64{0, 1e-3, 0.5, 1, 2} { // of the room
				u := lo + part*room
				b := bendBetween(lo, lo+room, 0.02)
				y, logSlope := b.forward(u)
				if !(math.Abs(y) < 1e3) || !(math.Abs(logSlope) < 1e3) {
					t.Fatalf("%g between %g and %g more is %g, the derivative exp(%g)", u, lo, room, y, logSlope)
				}
				if back := b.inverse(y); !(math.Abs(back-u) <= 1e-9*(1+math.Abs(u))) {
					t.Fatalf("%g between %g and %g more comes back as %g", u, lo, room, back)
				}
			}
		}
	}
}
