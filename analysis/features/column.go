package features

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
)

// Column is the specification of a column: the facts about it, and its treatment.
type Column struct {
	column.Column

	// Low and High are the hard edges; nil where there is none. Floor is the distance
	// from Low within which about one event is, and so little is known: from there on, and
	// beyond the edge, there is a thin tail. Roof is that from High; 0: as from Low.
	// A circle is opened at Low.
	Low   *float64 `json:"low,omitempty"`
	High  *float64 `json:"high,omitempty"`
	Floor float64  `json:"floor,omitempty"`
	Roof  float64  `json:"roof,omitempty"`

	// Width, where it is not zero, says that both tails are heavy, and that it is
	// asinh((x − Center)/Width) that is looked at.
	Center float64 `json:"center,omitempty"`
	Width  float64 `json:"width,omitempty"`

	// Periodic says that the feature is linear in the angle, see [Spec.Periodic].
	Periodic bool `json:"periodic,omitempty"`

	// Mean and Std standardise what is left after the edges.
	Mean float64 `json:"mean,omitempty"`
	Std  float64 `json:"std,omitempty"`

	// Normal makes the standardised value a standard normal; empty for small
	// samples.
	Normal Spline `json:"normal,omitzero"`
}

// isFeature reports whether a column has a feature.
func (c *Column) isFeature() bool { return c.As != column.Constant && c.As != column.Number }

func (c *Column) isNoisy() bool {
	return c.As == column.Codes || c.As == column.Integer && c.Max-c.Min < step.MostNoisy || len(c.Spikes) > 0 || c.Missing > 0 && c.As != column.Constant
}

// isSound reports whether a column that was read from a file is one.
func (c *Column) isSound() bool {
	if c.Kind == 0 || !c.Normal.isSound() || !c.areSpikesSound() || c.Periodic && c.As != column.Angle {
		return false
	}
	switch c.As {
	case column.Number:
		return !math.IsInf(c.First, 0) && !math.IsNaN(c.First) && (c.Step == 0 || c.Step == 1)
	case column.Constant:
		return true
	case column.Codes:
		return len(c.Codes) > 0 && len(c.Codes) == len(c.Cumulative) && column.Ascend(c.Codes) && slices.IsSorted(c.Cumulative) &&
			c.Cumulative[0] > 0 && c.Cumulative[len(c.Cumulative)-1] == 1
	case column.Angle:
		return c.Std > 0 && c.Floor > 0 && c.Circle != nil && c.Circle.IsSound() && c.Low != nil && c.High != nil && *c.Low < *c.High &&
			!(c.Periodic && (len(c.Spikes) > 0 || c.Missing > 0))
	case column.Integer, column.Continuous:
		return c.Std > 0 && c.Min <= c.Max && c.Floor >= 0 && c.Roof >= 0 && c.Width >= 0 && (c.Width == 0 || c.Low == nil && c.High == nil) &&
			(c.Low == nil || c.High == nil || *c.Low < *c.High)
	}
	return false
}

// areSpikesSound reports whether spikes and missing values are some of the events, and
// leave others in all columns but constants.
func (c *Column) areSpikesSound() bool {
	for i, s := range c.Spikes {
		if !(s.Fraction > 0) || i > 0 && !(s.Value > c.Spikes[i-1].Value) {
			return false
		}
	}
	rest := c.rest()
	return c.Missing >= 0 && rest <= 1 && (rest > 0 || c.As == column.Constant)
}

// encode returns the feature of the value x with the deviate u, and log|∂z/∂x|.
func (c *Column) encode(x, u float64) (z, logDet float64) {
	if cells := c.cells(); len(cells) > 0 {
		return c.encodeAmongSpikes(cells, x, u)
	}
	return c.encodeRest(x, u)
}

// encodeRest is encode for what is no spike and not missing.
func (c *Column) encodeRest(x, u float64) (z, logDet float64) {
	switch c.As {
	case column.Codes:
		k := sort.SearchFloat64s(c.Codes, x)
		logP := 0.0
		if k == len(c.Codes) || c.Codes[k] != x {
			if k, logP = c.unseen(x); math.IsInf(logP, -1) {
				return 0, logP
			}
		}
		lo, p := c.share(k)
		z = normalQuantile(lo + u*p)
		if logP == 0 {
			logP = math.Log(p)
		}
		return z, logP - logNormal(z)
	case column.Integer:
		x += u
	case column.Angle:
		x = c.Circle.Wrap(x, *c.Low)
		if c.Periodic {
			return (x - c.middle()) / unit(c.Circle), -math.Log(unit(c.Circle))
		}
	}
	y, ld := c.unbound(x)
	z, slope := c.Normal.Forward((y - c.Mean) / c.Std)
	z, ldFar := pull(z)
	return z, ld - math.Log(c.Std) + math.Log(slope) + ldFar
}

// share returns the proportion of events with lesser codes, and with code k.
func (c *Column) share(k int) (below, of float64) {
	if k > 0 {
		below = c.Cumulative[k-1]
	}
	return below, c.Cumulative[k] - below
}

// unseen returns the code that is nearest to a value that is none, and the logarithm of the
// probability of that value: −∞, as of a code, but where codes are counts, with few events at
// the nearest. Such a count is as likely as the rarest, halved at each step.
func (c *Column) unseen(x float64) (k int, logP float64) {
	const (
		fewest = 5   // codes that can be counts
		rare   = 0.1 // of the events with the commonest
	)
	n := len(c.Codes)
	first, last := c.Codes[0], c.Codes[n-1]
	if n < fewest || last-first >= float64(2*n) || x != math.Trunc(x) || slices.ContainsFunc(c.Codes, func(v float64) bool { return v != math.Trunc(v) }) {
		return 0, math.Inf(-1)
	}
	most, least := 0.0, 1.0
	for i, v := range c.Codes {
		_, p := c.share(i)
		most, least = max(most, p), min(least, p)
		if math.Abs(v-x) < math.Abs(c.Codes[k]-x) {
			k = i
		}
	}
	if _, p := c.share(k); p > rare*most {
		return k, math.Inf(-1)
	}
	return k, math.Log(least) - math.Ln2*math.Abs(x-c.Codes[k])
}

// remote is where features begin to be pulled in: no value of a sample is there, but
// what is beyond all of them has a density too, however far it is.
const remote = 8

// pull brings features in that are remote: they grow as the logarithm of the distance. It
// returns the logarithm of the slope, too.
func pull(z float64) (pulled, logSlope float64) {
	d := math.Abs(z) - remote
	if !(d > 0) {
		return z, 0
	}
	log := math.Log1p(min(d, math.MaxFloat64))
	return math.Copysign(remote+log, z), -log
}

// push is the inverse of pull.
func push(z float64) float64 {
	d := math.Abs(z) - remote
	if !(d > 0) {
		return z
	}
	return math.Copysign(remote+math.Expm1(d), z)
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
		var f, ld float64
		if len(cells) > 0 {
			f, ld = c.encodeAmongSpikes(cells, v, deviate)
		} else {
			f, ld = c.encodeRest(v, deviate)
		}
		z[k*stride] = float32(f)
		if logDet != nil {
			logDet[k] += ld
		}
	}
}

// decode returns the value with the feature z.
func (c *Column) decode(z float64) float64 { return c.decodeAmong(c.cells(), z) }

// decodeAmong is decode with the cells of the spikes at hand.
func (c *Column) decodeAmong(cells []cell, z float64) float64 {
	if len(cells) > 0 {
		return c.decodeAmongSpikes(cells, z)
	}
	return c.decodeRest(z)
}

// decodeRest is decode for what is no spike and not missing.
func (c *Column) decodeRest(z float64) float64 {
	if c.As == column.Codes {
		u := normalCDF(z)
		k := sort.Search(len(c.Codes)-1, func(k int) bool { return u < c.Cumulative[k] })
		return c.Codes[k]
	}
	if c.Periodic {
		return c.Circle.Wrap(c.middle()+z*unit(c.Circle), c.Circle.Start)
	}
	x := c.bound(c.Normal.Inverse(push(z))*c.Std + c.Mean)
	switch c.As {
	case column.Integer:
		x = min(max(math.Floor(x), c.Min), c.Max)
	case column.Continuous:
		if c.Low != nil {
			x = max(x, *c.Low)
		}
		if c.High != nil {
			x = min(x, *c.High)
		}
	case column.Angle:
		x = c.Circle.Wrap(x, c.Circle.Start)
	}
	return x
}

// unbound maps a value to the whole line: log(x−low) behind an edge, −log(high−x)
// before one, the difference of the logarithms between two, asinh where both tails
// are heavy. Nearer to an edge than Floor or Roof, and beyond, it goes on as the
// logarithm of the distance from there. It returns log of the slope, too.
func (c *Column) unbound(x float64) (y, logSlope float64) {
	switch {
	case c.Width > 0:
		t := (x - c.Center) / c.Width
		return math.Asinh(t), -math.Log(c.Width) - logHypot1(t)
	case c.Low == nil && c.High == nil:
		return x, 0
	}
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

// logHypot1 is log √(1 + t²).
func logHypot1(t float64) float64 {
	if t = math.Abs(t); t > 1e100 {
		return math.Log(t)
	}
	return math.Log1p(t*t) / 2
}

// sure returns where the values are that are not too near to an edge, ±∞ where there is none.
func (c *Column) sure() (from, to float64) {
	from, to = math.Inf(-1), math.Inf(1)
	if c.Low != nil {
		from = *c.Low + c.Floor
	}
	if c.High != nil {
		roof := c.Roof
		if roof == 0 {
			roof = c.Floor
		}
		to = *c.High - roof
	}
	return from, to
}

// between is unbound for a value that is not too near to an edge. It returns the slope.
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

// bound is the inverse of unbound.
func (c *Column) bound(y float64) float64 {
	switch {
	case c.Width > 0:
		return c.Center + c.Width*math.Sinh(y)
	case c.Low == nil && c.High == nil:
		return y
	}
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

// middle returns the angle that is farthest from where the circle is cut.
func (c *Column) middle() float64 { return *c.Low + c.Circle.Period/2 }

// normalCDF is Φ, the distribution function of the standard normal.
func normalCDF(z float64) float64 { return 0.5 * math.Erfc(-z/math.Sqrt2) }

// normalQuantile is Φ⁻¹. Its argument is kept 1e-15 away from 0 and 1.
func normalQuantile(u float64) float64 {
	u = min(max(u, 1e-15), 1-1e-15)
	return -math.Sqrt2 * math.Erfcinv(2*u)
}

// logNormal is the logarithm of the density of the standard normal.
func logNormal(z float64) float64 { return -0.5*z*z - 0.5*math.Log(2*math.Pi) }

// constant is the value of a constant column.
func (c *Column) constant() float64 {
	if c.As == column.Number {
		return c.First
	}
	if c.Missing > 0 {
		return math.NaN()
	}
	return c.Min
}

// Describe says in words how the column is treated.
func (c *Column) Describe() string {
	how := "standardised"
	switch {
	case c.As == column.Number:
		return c.describeNumber()
	case c.As == column.Constant && c.Missing > 0:
		return "always missing (NaN), restored on output"
	case c.As == column.Constant:
		return "constant, restored on output"
	case c.As == column.Codes:
		how = fmt.Sprintf("%d codes, dequantised", len(c.Codes))
	case c.As == column.Integer:
		how = "integer, dequantised"
	case c.As == column.Angle:
		how = fmt.Sprintf("angle, cut at %.3g", *c.Low)
	case c.Low != nil && c.High != nil:
		how = fmt.Sprintf("logit between %.6g and %.6g", *c.Low, *c.High)
	case c.Low != nil:
		how = fmt.Sprintf("log above %.6g", *c.Low)
	case c.High != nil:
		how = fmt.Sprintf("log below %.6g", *c.High)
	case c.Width > 0:
		sign := '−'
		if c.Center < 0 {
			sign = '+'
		}
		how = fmt.Sprintf("asinh of (x %c %.3g)/%.3g", sign, math.Abs(c.Center), c.Width)
	}
	for _, s := range c.Spikes {
		how += fmt.Sprintf(", %.3g %% at %g", 100*s.Fraction, s.Value)
	}
	if c.Missing > 0 {
		how += fmt.Sprintf(", %.3g %% missing (NaN)", 100*c.Missing)
	}
	if c.Periodic {
		how += ", linear: something repeats around it"
	} else if len(c.Normal.X) > 0 {
		how += fmt.Sprintf(", normal spline of %d knots", len(c.Normal.X))
	}
	return how
}
