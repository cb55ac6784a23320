package column

import (
	"fmt"
	"math"
)

// Angle columns are continuous, and their values fill a circle. It is opened at the edge Low, where
// few events are.
var Angle = Kind{angle{}}

type angle struct{ common }

func (angle) name() string { return "angle" }

func (angle) is(d *Data) bool { return d.Circle != nil }

func (angle) refuse(d *Data) string {
	s := d.Sample
	if s.Missing > 0 {
		return "it has missing values"
	}
	lo, hi := s.Values[0], s.Values[len(s.Values)-1]
	for _, c := range circles {
		if slack := c.Period / 100; lo >= c.Start-slack && hi <= c.Start+c.Period+slack {
			d.Circle = &c
			return ""
		}
	}
	return fmt.Sprintf("it goes from %g to %g", lo, hi)
}

func (angle) find(c *Column, d *Data) *Sample {
	circle := *d.Circle
	lo := circle.Cut(d.Values, d.Weights)
	hi := lo + circle.Period
	c.Circle, c.Low, c.High = &circle, &lo, &hi
	c.Floor = 1e-3 * circle.Period / float64(len(d.Values)) // nothing is beyond
	wrapped := make([]float64, len(d.Values))
	for k, v := range d.Values {
		wrapped[k] = circle.Wrap(v, lo)
	}
	return NewSample(wrapped, d.Weights).Monotone()
}

func (angle) open(c *Column, x, _ float64) (y, logSlope float64) { return c.Circle.Wrap(x, *c.Low), 0 }

// close makes the start of the circle of what a wild model puts so far out that it is infinite.
func (angle) close(c *Column, y float64) float64 {
	if y-y != 0 {
		return c.Circle.Start
	}
	return c.Circle.Wrap(y, c.Circle.Start)
}

func (angle) isSound(c *Column) bool {
	return c.Floor > 0 && c.Circle != nil && c.Circle.IsSound() && c.Low != nil && c.High != nil
}

func (angle) describe(c *Column) string { return fmt.Sprintf("angle, cut at %.3g", *c.Low) }

// nearest knows the two conventions for where a circle begins.
func (angle) nearest(c *Column, v float64) float64 {
	return min(max(v, c.Circle.Start-c.Circle.Period), c.Circle.Start+2*c.Circle.Period)
}

func (angle) had(c *Column) string {
	return fmt.Sprintf("angles from %.6g to %.6g", c.Circle.Start, c.Circle.Start+c.Circle.Period)
}

func (angle) width(*Column) int { return 2 }

// indicate stores the cosine and the sine, times √2.
func (angle) indicate(c *Column, v float64, z []float32) bool {
	sin, cos := math.Sincos(v * 2 * math.Pi / c.Circle.Period)
	z[0], z[1] = float32(math.Sqrt2*cos), float32(math.Sqrt2*sin)
	return true
}
