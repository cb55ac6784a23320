package step

import (
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// Rounded makes a branch continuous whose values are rounded to decimals, or to counts of a
// unit, or to significant digits, or to fewer bits of mantissa than its type has: by a uniform deviate within the cell of
// all that is rounded to the value, unless the cells are so many that it does not matter. The way
// back rounds, to the same floating-point number.
type Rounded struct {
	Variable string `json:"variable"`

	// One of these is there: what the values are rounded to.
	Decimals    *column.Decimals    `json:"decimals,omitempty"`
	Significant *column.Significant `json:"significant,omitempty"`
	Bits        *column.Bits        `json:"bits,omitempty"`

	// Unbounded says that the way back may go beyond the first and the last of the decimals:
	// the branch is a component of a momentum, of which others are computed.
	Unbounded bool `json:"unbounded,omitempty"`

	// Within is the range of an angle, nil for other variables. A cell ends there.
	Within *column.Circle `json:"within,omitempty"`

	// Except are values that stay as they are: spikes.
	Except []float64 `json:"except,omitempty"`
}

// mostNoisyBits and mostNoisyDigits are the bits and the significant digits up to which the point within a cell matters.
const mostNoisyBits, mostNoisyDigits = 10, 3

func (r *Rounded) Variables() (read, taken []string, made []Coordinate) {
	return nil, []string{r.Variable}, []Coordinate{{Name: r.Variable}}
}

func (r *Rounded) IsNoisy() bool {
	switch {
	case r.Bits != nil:
		return *r.Bits <= mostNoisyBits
	case r.Significant != nil:
		return *r.Significant <= mostNoisyDigits
	}
	return r.Decimals.Last < column.MostNoisy
}

func (r *Rounded) IsSound() bool {
	kinds := 0
	for _, is := range []bool{r.Decimals != nil, r.Significant != nil, r.Bits != nil} {
		if is {
			kinds++
		}
	}
	isOne := kinds == 1 && (r.Decimals == nil || r.Decimals.IsSound()) && (r.Significant == nil || r.Significant.IsSound()) && (r.Bits == nil || r.Bits.IsSound())
	return isOne && (r.Within == nil || r.Within.IsSound())
}

// Cell returns the interval of what is rounded to the value x; a point where x stays what it is.
func (r *Rounded) Cell(x float64) (lo, hi float64) {
	switch {
	case slices.Contains(r.Except, x):
		return x, x
	case r.Bits != nil:
		lo, hi = r.Bits.Cell(x)
	case r.Significant != nil:
		lo, hi = r.Significant.Cell(x)
	default:
		lo, hi = r.Decimals.Cell(x)
	}
	if r.Within != nil && lo < hi {
		lo, hi = max(lo, r.Within.Start), min(hi, r.Within.Start+r.Within.Period)
	}
	return lo, hi
}

func (r *Rounded) Forward(f *Frame, _ []float64, uniform func([]float64)) {
	if !r.IsNoisy() {
		return
	}
	x, u := f.At(r.Variable), f.Add(Scratch)
	uniform(u)
	WithinCells(u)
	for k, v := range x {
		if lo, hi := r.Cell(v); lo < hi {
			x[k] = lo + u[k]*(hi-lo)
		}
	}
}

// WithinCells moves uniform deviates to the middles of the 256ths of the unit interval. So none is so close to the wall of a
// cell that the rounding of its feature to float32 could move it to the next one, be there some 10⁵ of them.
func WithinCells(u []float64) {
	for i, v := range u {
		u[i] = (math.Floor(256*v) + 0.5) / 256
	}
}

func (r *Rounded) Inverse(f *Frame) {
	x := f.At(r.Variable)
	for k, v := range x {
		switch {
		case slices.Contains(r.Except, v):
		case r.Bits != nil:
			x[k] = r.Bits.Round(v)
		case r.Significant != nil:
			x[k] = r.Significant.Round(v)
		case r.Unbounded:
			x[k] = r.Decimals.RoundBeyond(v)
		default:
			x[k] = r.Decimals.Round(v)
		}
	}
}

func (r *Rounded) Describe() string {
	switch {
	case r.Bits != nil:
		return fmt.Sprintf("rounded to %d bits of mantissa", *r.Bits)
	case r.Significant != nil:
		return fmt.Sprintf("rounded to %d significant digits", *r.Significant)
	}
	return fmt.Sprintf("rounded to %.10g", r.Decimals.Unit())
}
