package column

import (
	"fmt"
	"math"
)

// Constant columns have the same value in every event, or none in any.
var Constant = Kind{constant{}}

type constant struct{ unlearnt }

func (constant) name() string { return "constant" }

func (constant) is(d *Data) bool {
	return len(d.Sample.Values) == 0 || len(d.Sample.Values) == 1 && d.Sample.Missing == 0
}

func (constant) open(c *Column, x, _ float64) (y, logSlope float64) {
	if v := c.Value(); x == v || math.IsNaN(x) && math.IsNaN(v) {
		return x, 0
	}
	return x, math.Inf(-1)
}

func (constant) close(c *Column, _ float64) float64 {
	if c.Missing > 0 {
		return math.NaN()
	}
	return c.Min
}

func (constant) isSound(*Column) bool { return true }

func (constant) describe(c *Column) string {
	if c.Missing > 0 {
		return "always missing (NaN), restored on output"
	}
	return "constant, restored on output"
}

func (constant) isCode(c *Column) bool { return !c.Field.Kind.IsFloat() }

func (constant) had(c *Column) string { return fmt.Sprintf("%.6g in all", c.Min) }
