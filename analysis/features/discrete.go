package features

import (
	"math"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// Discrete is a feature that is, or may be, one of a few values: that of a column
// of codes, or of one with spikes or missing values. It parts the feature in a code
// and in what is left, and joins them again, so that a model can give every code its
// own density instead of one smooth curve over all of their cells.
type Discrete struct {
	// Feature is its place among the features.
	Feature int
	// Codes is the number of codes: first that of missing values, then those of the
	// spikes, then those of a column of codes, or one for all other events.
	Codes int
	// Pure says that nothing is left beside the code.
	Pure bool

	column *Column
	cells  []cell    // of missing values and the spikes
	at     []float64 // where these are among the features of the other events
	centre []float32 // of the cells of pure codes
}

// Discrete lists the features that are, or may be, one of a few values.
func (s *Spec) Discrete() []Discrete {
	var list []Discrete
	for feature, c := range s.learnt() {
		d := Discrete{Feature: feature, Pure: c.As.IsUniform(), column: c, cells: c.cells()}
		if !d.Pure && len(d.cells) == 0 {
			continue
		}
		for _, s := range d.cells {
			d.centre = append(d.centre, float32(quantileOf(s.below+s.Fraction/2, s.above+s.Fraction/2)))
			at := math.Inf(-1)
			if !math.IsNaN(s.Value) {
				at, _ = c.encodeRest(s.Value, 0.5)
			}
			d.at = append(d.at, at)
		}
		for _, v := range c.Codes {
			z, _ := c.encode(v, 0.5)
			d.centre = append(d.centre, float32(z))
		}
		d.Codes = len(d.centre)
		if !d.Pure {
			d.Codes++
		}
		list = append(list, d)
	}
	return list
}

// Split parts the feature z in its code and what is left, y. Where the code says all,
// y is 0 in a pure feature, and standard normal in others, as z is uniform in the cell
// of the code but for the shape of the normal. So the density of z is
//
//	p(z) = P(code) p(y | code) exp(logDet), for pure features without p(y | code).
func (d *Discrete) Split(z float32) (code int, y float32, logDet float64) {
	below, above := normalCDF(float64(z)), normalCDF(-float64(z))
	i, restBelow, restAbove := cellOf(d.cells, below, above)
	logDet = logNormal(float64(z))
	if i < len(d.cells) {
		s := d.cells[i]
		logDet -= math.Log(s.Fraction)
		if d.Pure {
			return i, 0, logDet
		}
		const edge = 1.0 / 1024 // rounding must not carry it beyond the cell
		u := min(max((below-s.below)/s.Fraction, edge), 1-edge)
		left := normalQuantile(u)
		return i, float32(left), logDet - logNormal(left)
	}
	c := d.column
	rest := c.Rest()
	logDet -= math.Log(rest)
	if d.Pure {
		k := c.CodeAt(restBelow / rest)
		_, share := c.Share(k)
		return len(d.cells) + k, 0, logDet - math.Log(share)
	}
	left := quantileOf(restBelow/rest, restAbove/rest)
	return len(d.cells), float32(left), logDet - logNormal(left)
}

// Join is the inverse of Split: it returns a feature that has the code, and y left.
func (d *Discrete) Join(code int, y float32) float32 {
	if code < len(d.centre) {
		return d.centre[code]
	}
	rest := d.column.Rest()
	below, above := rest*normalCDF(float64(y)), rest*normalCDF(-float64(y))
	for i, s := range d.cells {
		if d.at[i] < float64(y) {
			below += s.Fraction
		} else {
			above += s.Fraction
		}
	}
	return float32(quantileOf(below, above))
}

// Counted is the feature of a column of counts, for models that give every count its own probability
// instead of a smooth density. It turns the feature into the count, and back.
type Counted struct {
	// Feature is its place among the features.
	Feature int
	// Least is the least count; there is no largest but that of the branch's type.
	Least float64

	column *Column
}

// Counted lists the features of columns of counts that have no missing values.
func (s *Spec) Counted() []Counted {
	var list []Counted
	for feature, c := range s.learnt() {
		if c.As == column.Count && len(c.cells()) == 0 {
			list = append(list, Counted{feature, c.Min, c})
		}
	}
	return list
}

// Split returns the count of a feature. The density of the feature is P(count) exp(logDet), since
// the deviate of the count is uniform.
func (d *Counted) Split(z float32) (count, logDet float64) {
	c := d.column
	y := max(c.fromLine(c.Normal.Inverse(push(float64(z)))*c.Std+c.Mean), d.Least)
	count = c.Close(y)
	_, slope := c.encodeRest(count, y-count)
	return count, -slope
}

// Join returns the feature in the middle of the cell of a count.
func (d *Counted) Join(count float64) float32 {
	z, _ := d.column.encodeRest(max(math.Floor(count), d.Least), 0.5)
	return float32(z)
}
