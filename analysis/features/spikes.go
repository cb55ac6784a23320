package features

import (
	"fmt"
	"math"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// cell is the part of the unit interval that belongs to a spike.
type cell struct {
	column.Spike
	below, above float64 // what there is on either side of it
}

// cells returns the cells of the spikes, ascending, after that of missing values,
// NaN. The rest of the unit interval belongs to the rest of the events, in the order
// of their values.
func (c *Column) cells() []cell {
	var cells []cell
	if c.Missing > 0 {
		cells = append(cells, cell{column.Spike{Value: math.NaN(), Fraction: c.Missing}, 0, 1 - c.Missing})
	}
	rest := c.Rest()
	for i, s := range c.Spikes {
		const middle = 0.5 // of an integer's own cell
		z, _ := c.encodeRest(s.Value, middle)
		at := cell{s, rest*normalCDF(z) + c.Missing, rest * normalCDF(-z)}
		for j, other := range c.Spikes {
			switch {
			case j < i:
				at.below += other.Fraction
			case j > i:
				at.above += other.Fraction
			}
		}
		cells = append(cells, at)
	}
	return cells
}

// encodeAmong is encode with the cells of the spikes at hand. The probabilities of both tails are
// kept, so that neither loses precision.
func (c *Column) encodeAmong(cells []cell, x, u float64) (z, logDet float64) {
	if len(cells) == 0 {
		return c.encodeRest(x, u)
	}
	for _, s := range cells {
		if s.IsAt(x) {
			z = quantileOf(s.below+u*s.Fraction, s.above+(1-u)*s.Fraction)
			return z, math.Log(s.Fraction) - logNormal(z)
		}
	}
	zRest, ld := c.encodeRest(x, u)
	rest := c.Rest()
	below, above := rest*normalCDF(zRest), rest*normalCDF(-zRest)
	for _, s := range cells {
		if !(s.Value > x) { // or NaN
			below += s.Fraction
		} else {
			above += s.Fraction
		}
	}
	z = quantileOf(below, above)
	return z, ld + math.Log(rest) + logNormal(zRest) - logNormal(z)
}

// decodeAmong returns the value with the feature z, with the cells of the spikes at hand.
func (c *Column) decodeAmong(cells []cell, z float64) float64 {
	if len(cells) == 0 {
		return c.decodeRest(z)
	}
	i, below, above := cellOf(cells, normalCDF(z), normalCDF(-z))
	if i < len(cells) {
		return cells[i].Value
	}
	rest := c.Rest()
	return c.decodeRest(quantileOf(below/rest, above/rest))
}

// cellOf returns the place of the cell where a point of the unit interval is, with what there is on
// either side of it; the number of cells where it is in none. The sides then have the rest of the
// interval only, without cells.
func cellOf(cells []cell, below, above float64) (i int, restBelow, restAbove float64) {
	restBelow, restAbove = below, above
	for i, s := range cells {
		switch {
		case below < s.below:
			restAbove -= s.Fraction
		case above < s.above:
			restBelow -= s.Fraction
		default:
			return i, restBelow, restAbove
		}
	}
	return len(cells), restBelow, restAbove
}

// Outliers tells of the values that are far outside of the others of their columns, in a
// sentence for each column.
func (s *Spec) Outliers() []string {
	var sentences []string
	for i := range s.Columns {
		c := &s.Columns[i]
		const most = 4
		var values []string
		share, nearest := 0.0, math.Inf(1)
		for _, o := range c.Spikes {
			if o.Outlier {
				values = append(values, fmt.Sprintf("%.6g", o.Value))
				share += o.Fraction
				nearest = min(nearest, math.Abs(o.Value))
			}
		}
		if len(values) == 0 {
			continue
		}
		count := "a value"
		if n := len(values); n > 1 {
			count = fmt.Sprintf("%d values", n)
		}
		if len(values) > most {
			values = append(values[:most-1], "…")
		}
		const outermost = 4 // standard deviations
		lo, hi := c.decodeRest(-outermost), c.decodeRest(outermost)
		between := math.Pow(10, math.Round(math.Log10(math.Sqrt(nearest)*math.Sqrt(max(math.Abs(lo), math.Abs(hi))))))
		sentences = append(sentences, fmt.Sprintf(
			"%s has %s, in %.2g %% of the events, far outside of the others, which are within about %.3g and %.3g: %s; such events are kept as they are (--where 'abs(%s) < %g' leaves them out)",
			c.Name, count, 100*share, lo, hi, strings.Join(values, ", "), c.Name, between))
	}
	return sentences
}
