package features

import (
	"math"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// findEdges decides whether the density of a continuous column ends at a hard
// edge on either side, and where; and, failing that, whether positive values
// have a tail that is heavy enough for a logarithm, or others have any events so far
// out that the rest would be nowhere. The values lie between first
// and last.
func (c *Column) findEdges(s *column.Sample, first, last float64) {
	lo, low := s.Edge(first, false)
	hi, high := s.Edge(last, true)
	if low {
		c.Low, c.Floor = &lo.At, lo.Reach
	}
	if high {
		c.High, c.Roof = &hi.At, hi.Reach
	}
	if low || high {
		return
	}
	if first > 0 && heavyTailed(s) {
		c.fromZero(first)
		return
	}
	// Of a million events of an exponential density the outermost is at 17 half-widths.
	const farOut = 25
	if c.bothTails(s); max(last-c.Center, c.Center-first) <= farOut*c.Width {
		c.Center, c.Width = 0, 0
	}
}

// fromZero makes zero the edge below positive values, the least of them first.
func (c *Column) fromZero(first float64) {
	zero := 0.0
	c.Low, c.Floor = &zero, first
}

// bothTails sets the centre and the width for asinh: the median, and half of the
// interval of 68 %.
func (c *Column) bothTails(s *column.Sample) {
	c.Center, c.Width = s.Quantile(0.5), s.HalfWidth()
}

// heavyTailed reports whether positive values are more symmetric about their
// median on a logarithmic scale than on a linear one.
func heavyTailed(s *column.Sample) bool {
	lo, mid, hi := s.Quantile(0.01), s.Quantile(0.5), s.Quantile(0.99)
	linear := math.Abs((hi - mid) - (mid - lo))
	log := math.Abs(math.Log(hi/mid) - math.Log(mid/lo))
	return hi-mid > 2*(mid-lo) && log/math.Log(hi/lo) < linear/(hi-lo)
}
