package features

import (
	"cmp"
	"fmt"
	"math"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// This file treats variables between hard edges, by logarithms of the distances from these.

// fitShape decides whether the density of a continuous column ends at a hard
// edge on either side, and where; and, failing that, whether positive values
// have a tail that is heavy enough for a logarithm, or others have any events so far
// out that the rest would be nowhere. The values lie between first
// and last.
func (c *Column) fitShape(s *column.Sample, first, last float64) {
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
	if c.fitAsinh(s); max(last-c.Center, c.Center-first) <= farOut*c.Width {
		c.Center, c.Width = 0, 0
	}
}

// fitLog makes the lower edge, or zero, that from which the logarithm is taken.
func (c *Column) fitLog(s *column.Sample, first, last float64) {
	if c.fitShape(s, first, last); c.Low == nil {
		c.fromZero(first)
	}
	c.High, c.Roof, c.Width = nil, 0, 0
}

func refuseLog(s *column.Sample) string {
	first, last := s.Values[0], s.Values[len(s.Values)-1]
	c := Column{}
	if c.fitShape(s.Monotone(), first, last); c.Low == nil && first <= 0 {
		return fmt.Sprintf("it has values down to %g, and no edge there", first)
	}
	return ""
}

// fromZero makes zero the edge below positive values, the least of them first.
func (c *Column) fromZero(first float64) {
	zero := 0.0
	c.Low, c.Floor = &zero, first
}

// heavyTailed reports whether positive values are more symmetric about their
// median on a logarithmic scale than on a linear one.
func heavyTailed(s *column.Sample) bool {
	lo, mid, hi := s.Quantile(0.01), s.Quantile(0.5), s.Quantile(0.99)
	linear := math.Abs((hi - mid) - (mid - lo))
	log := math.Abs(math.Log(hi/mid) - math.Log(mid/lo))
	return hi-mid > 2*(mid-lo) && log/math.Log(hi/lo) < linear/(hi-lo)
}

// confine adds edges where values between lo and hi cannot be beyond, unless there
// are nearer ones, or the tails before them are so thin that asinh is looked at.
func (c *Column) confine(legal *[2]float64, lo, hi float64) {
	if legal == nil || c.Width > 0 {
		return
	}
	least := 1e-9 * (hi - lo)
	if a := legal[0]; !math.IsInf(a, 0) && (c.Low == nil || *c.Low < a) {
		c.Low, c.Floor = &a, least
	}
	if b := legal[1]; !math.IsInf(b, 0) && (c.High == nil || *c.High > b) {
		c.High, c.Roof = &b, least
	}
}

// logFromEdges maps a value to the whole line: log(x−low) behind an edge, −log(high−x)
// before one, the difference of the logarithms between two. Nearer to an edge than Floor or
// Roof, and beyond, it goes on as the logarithm of the distance from there. It returns log of the
// slope, too.
func (c *Column) logFromEdges(x float64) (y, logSlope float64) {
	from, to := c.sure()
	at := min(max(x, from), to)
	y, slope := c.between(at)
	logSlope = math.Log(slope)
	if at == x {
		return y, logSlope
	}
	tail := math.Log1p(min(math.Abs(x-at)*slope, math.MaxFloat64))
	return y + math.Copysign(tail, x-at), logSlope - tail
}

// expToEdges is the inverse of logFromEdges.
func (c *Column) expToEdges(y float64) float64 {
	x := c.within(y)
	if from, to := c.sure(); x < from {
		at, slope := c.between(from)
		return from - math.Expm1(at-y)/slope
	} else if x > to {
		at, slope := c.between(to)
		return to + math.Expm1(y-at)/slope
	}
	return x
}

// sure returns where the values are that are not too near to an edge, ±∞ where there is none.
func (c *Column) sure() (from, to float64) {
	from, to = math.Inf(-1), math.Inf(1)
	if c.Low != nil {
		from = *c.Low + c.Floor
	}
	if c.High != nil {
		to = *c.High - cmp.Or(c.Roof, c.Floor)
	}
	return from, to
}

// between is logFromEdges for a value that is not too near to an edge. It returns the slope.
func (c *Column) between(x float64) (y, slope float64) {
	if c.Low != nil {
		d := x - *c.Low
		y += math.Log(d)
		slope += 1 / d
	}
	if c.High != nil {
		d := *c.High - x
		y -= math.Log(d)
		slope += 1 / d
	}
	return y, slope
}

// within is the inverse of between.
func (c *Column) within(y float64) float64 {
	switch {
	case c.High == nil:
		return *c.Low + math.Exp(y)
	case c.Low == nil:
		return *c.High - math.Exp(-y)
	}
	lo, hi := *c.Low, *c.High
	if y < 0 { // the nearer edge counts, for precision
		e := math.Exp(y)
		return lo + (hi-lo)*e/(1+e)
	}
	e := math.Exp(-y)
	return hi - (hi-lo)*e/(1+e)
}
