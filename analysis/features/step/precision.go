package step

import (
	"fmt"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// Precision makes a branch continuous whose values have fewer bits of mantissa than its
// type, such as those of files that are to be small, or a float64 that was a float32: by a
// uniform deviate within the cell of all that is rounded to the value, unless the cells are so
// many that it does not matter. The way back rounds.
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

func (p *Precision) Variables() (read, taken []string, made []Coordinate) {
	return nil, []string{p.Variable}, []Coordinate{{Name: p.Variable}}
}

func (p *Precision) IsNoisy() bool { return p.Bits <= mostNoisyBits }

func (p *Precision) IsSound() bool {
	return p.Bits.IsSound() && (p.Within == nil || p.Within.IsSound())
}

// Cell returns the interval of what is rounded to the value x; a point where x stays.
func (p *Precision) Cell(x float64) (lo, hi float64) {
	if slices.Contains(p.Except, x) {
		return x, x
	}
	lo, hi = p.Bits.Cell(x)
	if p.Within != nil && lo < hi {
		lo, hi = max(lo, p.Within.Start), min(hi, p.Within.Start+p.Within.Period)
	}
	return lo, hi
}

func (p *Precision) Forward(f *Frame, _ []float64, uniform func([]float64)) {
	if !p.IsNoisy() {
		return
	}
	x, u := f.At(p.Variable), f.Add(Scratch)
	uniform(u)
	for k, v := range x {
		if lo, hi := p.Cell(v); lo < hi {
			x[k] = lo + u[k]*(hi-lo)
		}
	}
}

func (p *Precision) Inverse(f *Frame) {
	x := f.At(p.Variable)
	for k, v := range x {
		if !slices.Contains(p.Except, v) {
			x[k] = p.Bits.Round(v)
		}
	}
}

func (p *Precision) Describe() string { return fmt.Sprintf("rounded to %d bits of mantissa", p.Bits) }
