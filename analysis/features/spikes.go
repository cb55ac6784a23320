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

// encodeAmongSpikes is encode for a column with spikes or missing values. The probabilities of both
// tails are kept, so that neither loses precision.
func (c *Column) encodeAmongSpikes(cells []cell, x, u float64) (z, logDet float64) {
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

// decodeAmongSpikes is decode for a column with spikes or missing values.
func (c *Column) decodeAmongSpikes(cells []cell, z float64) float64 {
	below, above := normalCDF(z), normalCDF(-z)
	restBelow, restAbove := below, above
	for _, s := range cells {
		switch {
		case below < s.below:
			restAbove -= s.Fraction
		case above < s.above:
			restBelow -= s.Fraction
		default:
			return s.Value
		}
	}
	rest := c.Rest()
	return c.decodeRest(quantileOf(restBelow/rest, restAbove/rest))
}

// quantileOf is Φ⁻¹ of the point with the given probabilities on either side.
func quantileOf(below, above float64) float64 {
	if below < above {
		return normalQuantile(below)
	}
	return -normalQuantile(above)
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
