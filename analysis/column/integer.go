package column

import "math"

// Integer columns have many distinct whole numbers. They become continuous by a uniform
// deviate in [0, 1), and lie between hard edges. The way back rounds down.
var Integer = Kind{integer{}}

type integer struct{ common }

func (integer) name() string { return "integer" }

func (integer) is(d *Data) bool { return d.Field.Kind.IsInteger() }

func (integer) refuse(d *Data) string {
	if !d.Field.Kind.IsInteger() {
		return "its type is " + d.Field.Kind.String()
	}
	return ""
}

func (integer) find(c *Column, d *Data) *Sample {
	s := c.findSpikes(d)
	lo, hi := s.Values[0], s.Values[len(s.Values)-1]+1
	c.Low, c.High = &lo, &hi
	// About one event is within the outer cells' parts that begin the tails.
	c.Floor, c.Roof = 1/float64(s.Counts[0]), 1/float64(s.Counts[len(s.Counts)-1])
	return s.shifted(0.5) // the middle of the cells, which the deviates fill
}

func (integer) open(_ *Column, x, u float64) (y, logSlope float64) { return x + u, 0 }

func (integer) close(c *Column, y float64) float64 { return min(max(math.Floor(y), c.Min), c.Max) }

func (integer) isNoisy(c *Column) bool  { return c.Max-c.Min < MostNoisy }
func (integer) describe(*Column) string { return "integer, dequantised" }
