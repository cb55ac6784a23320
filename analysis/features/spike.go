package features

import "math"

// Spike is a value that many events share.
type Spike struct {
	Value    float64 `json:"value"`
	Fraction float64 `json:"fraction"` // of the events
}

// restFraction is the proportion of events that are in no spike.
func restFraction(spikes []Spike) float64 {
	rest := 1.0
	for _, s := range spikes {
		rest -= s.Fraction
	}
	return rest
}

// cell is the part of the unit interval that belongs to a spike.
type cell struct {
	Spike
	below, above float64 // what there is on either side of it
}

// cells returns the cells of the spikes, ascending. The rest of the unit interval
// belongs to the rest of the events, in the order of their values.
func (c *Column) cells() []cell {
	if len(c.Spikes) == 0 {
		return nil
	}
	rest := restFraction(c.Spikes)
	cells := make([]cell, len(c.Spikes))
	for i, s := range c.Spikes {
		const middle = 0.5 // of an integer's own cell
		z, _ := c.encodeRest(s.Value, middle)
		cells[i] = cell{s, rest * normalCDF(z), rest * normalCDF(-z)}
		for j, other := range c.Spikes {
			switch {
			case j < i:
				cells[i].below += other.Fraction
			case j > i:
				cells[i].above += other.Fraction
			}
		}
	}
	return cells
}

// encodeAmongSpikes is encode for a column with spikes. The probabilities of both
// tails are kept, so that neither loses precision.
func (c *Column) encodeAmongSpikes(cells []cell, x, u float64) (z, logDet float64) {
	for _, s := range cells {
		if s.Value == x {
			z = quantileOf(s.below+u*s.Fraction, s.above+(1-u)*s.Fraction)
			return z, math.Log(s.Fraction) - logNormal(z)
		}
	}
	zRest, ld := c.encodeRest(x, u)
	rest := restFraction(c.Spikes)
	below, above := rest*normalCDF(zRest), rest*normalCDF(-zRest)
	for _, s := range cells {
		if s.Value < x {
			below += s.Fraction
		} else {
			above += s.Fraction
		}
	}
	z = quantileOf(below, above)
	return z, ld + math.Log(rest) + logNormal(zRest) - logNormal(z)
}

// decodeAmongSpikes is decode for a column with spikes.
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
	rest := restFraction(c.Spikes)
	return c.decodeRest(quantileOf(restBelow/rest, restAbove/rest))
}

// quantileOf is Φ⁻¹ of the point with the given probabilities on either side.
func quantileOf(below, above float64) float64 {
	if below < above {
		return normalQuantile(below)
	}
	return -normalQuantile(above)
}
