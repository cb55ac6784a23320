package features

import (
	"math"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// This file treats variables of which both tails are heavy: by asinh((x − Center)/Width).

// fitAsinh sets the centre and the width: the median, and half of the interval of 68 %.
func (c *Column) fitAsinh(s *column.Sample) {
	c.Center, c.Width = s.Quantile(0.5), s.HalfWidth()
}

// asinh returns the treated variable and the logarithm of the slope.
func (c *Column) asinh(x float64) (y, logSlope float64) {
	t := (x - c.Center) / c.Width
	return math.Asinh(t), -math.Log(c.Width) - logHypot1(t)
}

// logHypot1 is log √(1 + t²).
func logHypot1(t float64) float64 {
	if t = math.Abs(t); t > 1e100 {
		return math.Log(t)
	}
	return math.Log1p(t*t) / 2
}
