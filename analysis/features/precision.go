package features

import (
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// Precision is the map of a branch whose values have fewer bits of mantissa than its type:
// such as those of files that are to be small, or a float64 that was a float32. The
// value becomes continuous by a uniform deviate within its cell, all that is rounded to it,
// unless the cells are so many that it does not matter. The way back rounds to the nearest
// value of this precision.
type Precision struct {
	Variable string      `json:"variable"`
	Bits     column.Bits `json:"bits"`

	// Within is the range of an angle, nil for other variables. A cell ends there.
	Within *column.Circle `json:"within,omitempty"`

	// Except are values that stay as they are: spikes.
	Except []float64 `json:"except,omitempty"`
}

// mostNoisyBits is the number of bits up to which the point within a cell matters.
const mostNoisyBits = 10

// cell returns what is rounded to the value x; a point where x stays as it is.
func (p *Precision) cell(x float64) (lo, hi float64) {
	if slices.Contains(p.Except, x) {
		return x, x
	}
	lo, hi = p.Bits.Cell(x)
	if p.Within != nil && lo < hi {
		lo, hi = max(lo, p.Within.Start), min(hi, p.Within.Start+p.Within.Period)
	}
	return lo, hi
}

// round returns the nearest value of the precision to x.
func (p *Precision) round(x float64) float64 {
	if slices.Contains(p.Except, x) {
		return x
	}
	return p.Bits.Round(x)
}

func (p *Precision) variables() (read, taken, made []string) {
	return nil, []string{p.Variable}, []string{p.Variable}
}

func (p *Precision) isNoisy() bool { return p.Bits <= mostNoisyBits }

func (p *Precision) forward(f *frame, _ []float64, uniform func([]float64)) {
	if !p.isNoisy() {
		return
	}
	x, u := f.at(p.Variable), f.add(scratch)
	uniform(u)
	for k, v := range x {
		lo, hi := p.cell(v)
		if lo < hi {
			x[k] = lo + u[k]*(hi-lo)
		}
	}
}

func (p *Precision) inverse(f *frame) {
	x := f.at(p.Variable)
	for k, v := range x {
		x[k] = p.round(v)
	}
}

func (p *Precision) isSound() bool {
	return p.Bits.IsSound() && (p.Within == nil || p.Within.IsSound())
}
