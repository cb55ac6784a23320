package step

import (
	"fmt"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// Rounded makes a branch continuous whose values are rounded to decimals, or to counts of
// a unit, by a uniform deviate within the cell of all that is rounded to the value, unless
// there are too many cells for that to matter. The way back rounds, between the first and the
// last value.
type Rounded struct {
	Variable string `json:"variable"`
	column.Decimals

	// Unbounded says that the way back may go beyond the first and the last value: the
	// branch is a component of a momentum, of which others are computed.
	Unbounded bool `json:"unbounded,omitempty"`

	// Within is the range of an angle, nil for other variables. A cell ends there.
	Within *column.Circle `json:"within,omitempty"`

	// Except are values that stay as they are: spikes.
	Except []float64 `json:"except,omitempty"`
}

// MostNoisy is the number of cells up to which the point within a cell matters.
// Where there are more it is always the middle, which keeps some 10⁶ cells apart in
// float32.
const MostNoisy = 1 << 17

func (r *Rounded) Variables() (read, taken []string, made []Coordinate) {
	return nil, []string{r.Variable}, []Coordinate{{Name: r.Variable}}
}

func (r *Rounded) IsNoisy() bool { return r.Last < MostNoisy }

func (r *Rounded) IsSound() bool {
	return r.Decimals.IsSound() && (r.Within == nil || r.Within.IsSound())
}

func (r *Rounded) Forward(f *Frame, _ []float64, uniform func([]float64)) {
	if !r.IsNoisy() {
		return
	}
	x, u := f.At(r.Variable), f.Add(Scratch)
	uniform(u)
	for k, v := range x {
		if slices.Contains(r.Except, v) {
			continue
		}
		lo, hi := r.Cell(v)
		if r.Within != nil {
			lo, hi = max(lo, r.Within.Start), min(hi, r.Within.Start+r.Within.Period)
		}
		x[k] = lo + u[k]*(hi-lo)
	}
}

func (r *Rounded) Inverse(f *Frame) {
	x := f.At(r.Variable)
	for k, v := range x {
		switch {
		case slices.Contains(r.Except, v):
		case r.Unbounded:
			x[k] = r.RoundBeyond(v)
		default:
			x[k] = r.Round(v)
		}
	}
}

func (r *Rounded) Describe() string { return fmt.Sprintf("rounded to %.10g", r.Unit()) }
