package features

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// cell is the part of the unit interval that belongs to a spike.
type cell struct {
	column.Spike
	below, above  float64 // what there is on either side of it
	before, after float64 // the sums of the cells on either side
}

// cells returns the cells of the spikes, ascending, after that of missing values,
// NaN. The rest of the unit interval belongs to the rest of the events, in the order
// of their values.
func (c *Column) cells() []cell {
	var cells []cell
	if c.Missing > 0 {
		cells = append(cells, cell{Spike: column.Spike{Value: math.NaN(), Fraction: c.Missing}})
	}
	for _, s := range c.Spikes {
		cells = append(cells, cell{Spike: s})
	}
	for i := 1; i < len(cells); i++ {
		cells[i].before = cells[i-1].before + cells[i-1].Fraction
	}
	for i := len(cells) - 2; i >= 0; i-- {
		cells[i].after = cells[i+1].after + cells[i+1].Fraction
	}
	rest := c.Rest()
	for i := range cells {
		s := &cells[i]
		if math.IsNaN(s.Value) {
			s.above = 1 - c.Missing
			continue
		}
		const middle = 0.5 // of an integer's own cell
		z, _ := c.encodeRest(s.Value, middle)
		s.below, s.above = rest*normalCDF(z)+s.before, rest*normalCDF(-z)+s.after
	}
	return cells
}

// sides returns the sums of the cells before the one in a place, and of those from it on.
func sides(cells []cell, place int) (before, after float64) {
	if place == len(cells) {
		last := cells[place-1]
		return last.before + last.Fraction, 0
	}
	return cells[place].before, cells[place].after + cells[place].Fraction
}

// encodeAmong is encode with the cells of the spikes at hand. The probabilities of both tails are
// kept, so that neither loses precision.
func (c *Column) encodeAmong(cells []cell, x, u float64) (z, logDet float64) {
	if len(cells) == 0 {
		return c.encodeRest(x, u)
	}
	if math.IsNaN(x) && c.Missing > 0 {
		return cells[0].encode(u)
	}
	i := sort.Search(len(cells), func(i int) bool { return cells[i].Value >= x }) // NaN is first, and false
	if i < len(cells) && cells[i].IsAt(x) {
		return cells[i].encode(u)
	}
	zRest, ld := c.encodeRest(x, u)
	before, after := sides(cells, i)
	rest := c.Rest()
	z = quantileOf(before+rest*normalCDF(zRest), after+rest*normalCDF(-zRest))
	return z, ld + math.Log(rest) + logNormal(zRest) - logNormal(z)
}

// encode returns the feature of a value at the spike, with the uniform deviate u.
func (s *cell) encode(u float64) (z, logDet float64) {
	z = quantileOf(s.below+u*s.Fraction, s.above+(1-u)*s.Fraction)
	return z, math.Log(s.Fraction) - logNormal(z)
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
	if len(cells) == 0 {
		return 0, below, above
	}
	next := sort.Search(len(cells), func(i int) bool { return below < cells[i].below })
	if next > 0 && !(above < cells[next-1].above) {
		return next - 1, below, above
	}
	before, after := sides(cells, next)
	return len(cells), below - before, above - after
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
