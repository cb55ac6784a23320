package features

import (
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// Rounded is the map of a branch whose values are decimals. The value becomes continuous by a
// uniform deviate within its cell, one step wide and centred on the value, unless
// there are too many cells for that to matter. The way back goes to the nearest value, between
// the first and the last.
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

func (r *Rounded) variables() (read, taken, made []string) {
	return nil, []string{r.Variable}, []string{r.Variable}
}

// mostNoisy is the number of cells up to which the point within a cell matters.
// Where there are more it is always the middle, which keeps some 10⁶ cells apart in
// float32.
const mostNoisy = 1 << 17

func (r *Rounded) isNoisy() bool { return r.Last < mostNoisy }

func (r *Rounded) forward(f *frame, _ []float64, uniform func([]float64)) {
	if !r.isNoisy() {
		return
	}
	x, u := f.at(r.Variable), f.add(scratch)
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

func (r *Rounded) inverse(f *frame) {
	x := f.at(r.Variable)
	for k, v := range x {
		x[k] = r.round(v)
	}
}

// round returns the nearest value to x.
func (r *Rounded) round(x float64) float64 {
	switch {
	case slices.Contains(r.Except, x):
		return x
	case r.Unbounded:
		return r.RoundBeyond(x)
	}
	return r.Round(x)
}

func (r *Rounded) isSound() bool {
	return r.IsSound() && (r.Within == nil || r.Within.IsSound())
}
