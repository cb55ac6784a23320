package features

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// Column is the specification of a column: the facts about it, and its treatment. The kind of the
// column opens a value to a continuous variable ([column.Column.Open]), which is mapped to the whole
// line (edges.go, asinh.go), standardised, and made normal by a spline. What is uniform by its
// kind needs nothing of that, and a periodic angle is linear. Spikes have cells among the
// rest (spikes.go).
type Column struct {
	column.Column

	// Width, where it is not zero, says that both tails are heavy, and that it is
	// asinh((x − Center)/Width) that is looked at.
	Center float64 `json:"center,omitempty"`
	Width  float64 `json:"width,omitempty"`

	// Periodic says that the feature is linear in the angle, see [Spec.Periodic].
	Periodic bool `json:"periodic,omitempty"`

	// Independent says that the angle is uniform whatever the other columns are: see [find.Rotation]. Its feature is a standard
	// normal.
	Independent bool `json:"independent,omitempty"`

	// Mean and Std standardise what is left after the edges.
	Mean float64 `json:"mean,omitempty"`
	Std  float64 `json:"std,omitempty"`

	// Normal makes the standardised value a standard normal; empty for small
	// samples.
	Normal Spline `json:"normal,omitzero"`
}

// isSound reports whether a column that was read from a file is one.
func (c *Column) isSound() bool {
	return c.IsSound() && c.Normal.isSound() && (c.Std > 0 || !c.As.IsLearnt() || c.As.IsUniform()) &&
		c.Width >= 0 && (c.Width == 0 || c.Low == nil && c.High == nil) &&
		(!c.Periodic && !c.Independent || c.As == column.Angle && len(c.Spikes) == 0 && c.Missing == 0) && !(c.Periodic && c.Independent)
}

// encode returns the feature of the value x with the deviate u, and log|∂z/∂x|.
func (c *Column) encode(x, u float64) (z, logDet float64) { return c.encodeAmong(c.cells(), x, u) }

// encodeRest is encode for what is no spike and not missing.
func (c *Column) encodeRest(x, u float64) (z, logDet float64) {
	x, logDet = c.Open(x, u)
	switch {
	case c.As.IsUniform():
		z = normalQuantile(x)
		return z, logDet - logNormal(z)
	case c.Periodic:
		return (x - c.middle()) / unit(c.Circle), -math.Log(unit(c.Circle))
	case c.Independent:
		z = normalQuantile((x - *c.Low) / c.Circle.Period)
		return z, -math.Log(c.Circle.Period) - logNormal(z)
	}
	y, ld := c.toLine(x)
	z, slope := c.Normal.Forward((y - c.Mean) / c.Std)
	z, ldFar := pull(z)
	return z, logDet + (ld - math.Log(c.Std) + math.Log(slope) + ldFar)
}

// toLine maps a variable to the whole line. It returns log of the slope, too.
func (c *Column) toLine(x float64) (y, logSlope float64) {
	switch {
	case c.Width > 0:
		return c.asinh(x)
	case c.Low == nil && c.High == nil:
		return x, 0
	}
	return c.logFromEdges(x)
}

// encodeAll stores the features of the values x with the deviates u, nil for a column
// that needs none, in z[0], z[stride], …, and adds log|∂z/∂x| to logDet unless that is
// nil.
func (c *Column) encodeAll(z []float32, stride int, logDet, x, u []float64, cells []cell) {
	deviate := 0.5
	for k, v := range x {
		if u != nil {
			deviate = u[k]
		}
		f, ld := c.encodeAmong(cells, v, deviate)
		z[k*stride] = float32(f)
		if logDet != nil {
			logDet[k] += ld
		}
	}
}

// decodeRest is decode for what is no spike and not missing.
func (c *Column) decodeRest(z float64) float64 {
	switch {
	case c.As.IsUniform():
		return c.Close(normalCDF(z))
	case c.Periodic:
		return c.Close(c.middle() + z*unit(c.Circle))
	case c.Independent:
		return c.Close(*c.Low + c.Circle.Period*normalCDF(z))
	}
	return c.Close(c.fromLine(c.Normal.Inverse(push(z))*c.Std + c.Mean))
}

// fromLine is the inverse of toLine.
func (c *Column) fromLine(y float64) float64 {
	switch {
	case c.Width > 0:
		return c.Center + c.Width*math.Sinh(y)
	case c.Low == nil && c.High == nil:
		return y
	}
	return c.expToEdges(y)
}

// Describe says in words how the column is treated.
func (c *Column) Describe() string {
	how := c.Column.Describe()
	if !c.As.IsLearnt() {
		return how
	}
	if c.As == column.Continuous {
		how = c.describeLine()
	}
	how += c.describeSpikes()
	if c.Missing > 0 {
		how += fmt.Sprintf(", %.3g %% missing (NaN)", 100*c.Missing)
	}
	if c.Independent {
		how += ", uniform and independent of all else"
	} else if c.Periodic {
		how += ", linear: something repeats around it"
	} else if len(c.Normal.X) > 0 {
		how += fmt.Sprintf(", normal spline of %d knots", len(c.Normal.X))
	}
	return how
}

// describeSpikes says which values many events share: the most frequent ones, ascending, and how many more.
func (c *Column) describeSpikes() (text string) {
	const most = 4
	frequent := slices.Clone(c.Spikes)
	slices.SortStableFunc(frequent, func(a, b column.Spike) int { return cmp.Compare(b.Fraction, a.Fraction) })
	others := 0.0
	for len(frequent) > most {
		last := len(frequent) - 1
		others += frequent[last].Fraction
		frequent = frequent[:last]
	}
	slices.SortFunc(frequent, func(a, b column.Spike) int { return cmp.Compare(a.Value, b.Value) })
	for _, s := range frequent {
		text += fmt.Sprintf(", %.3g %% at %.7g", 100*s.Fraction, s.Value)
	}
	if n := len(c.Spikes) - len(frequent); n > 0 {
		text += fmt.Sprintf(", %.3g %% at %d other values that events share", 100*others, n)
	}
	return text
}

// describeLine says how a continuous variable is mapped to the whole line.
func (c *Column) describeLine() string {
	switch {
	case c.Low != nil && c.High != nil:
		return fmt.Sprintf("logit between %.6g and %.6g", *c.Low, *c.High)
	case c.Low != nil:
		return fmt.Sprintf("log above %.6g", *c.Low)
	case c.High != nil:
		return fmt.Sprintf("log below %.6g", *c.High)
	case c.Width > 0:
		sign := '−'
		if c.Center < 0 {
			sign = '+'
		}
		return fmt.Sprintf("asinh of (x %c %.3g)/%.3g", sign, math.Abs(c.Center), c.Width)
	}
	return "standardised"
}
