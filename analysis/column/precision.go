package column

import (
	"math"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Precision says how the values of a column were rounded when they were written: to so many decimals, to so
// many significant digits, to so many bits, and to numbers of its type.
type Precision struct {
	Kind     rootio.Kind `json:"kind"`
	Decimals *int        `json:"decimals,omitempty"`
	Digits   int         `json:"digits,omitempty"` // significant ones; 0: not to these
	Bits     *Bits       `json:"bits,omitempty"`
}

// FindPrecision returns the precision of values of a column, but for those that are to be left out: NaN, and
// what stands for no value. It is a good one if the values are some thousands.
func FindPrecision(field rootio.Field, values []float64) Precision {
	p := Precision{Kind: field.Kind}
	if !field.Kind.IsFloat() {
		return p
	}
	for digits := range mostDigits + 1 {
		unit := math.Pow10(digits)
		if isRounded(field.Kind, values, func(v float64) (near, step float64) {
			return math.Round(v*unit) / unit, 1 / unit
		}) {
			p.Decimals = &digits
			break
		}
	}
	if s := findSignificant(field.Kind, values); s != nil {
		p.Digits = int(*s)
	}
	if p.Decimals == nil && p.Digits == 0 {
		p.Bits = findBits(field, values)
	}
	return p
}

// isRounded reports whether values are as near to the rounded ones as their type allows, and whether that is seen in enough
// of them: those of which the type is finer than the step.
func isRounded(kind rootio.Kind, values []float64, round func(v float64) (near, step float64)) bool {
	seen := 0
	for _, v := range values {
		if v == 0 || math.IsNaN(v) {
			continue
		}
		near, step := round(v)
		ulp := ULP(kind, v)
		if !(math.Abs(near-v) <= ulp) {
			return false
		}
		if step >= stepInULP*ulp {
			seen++
		}
	}
	return seen >= fewestRounded
}

// unit is the distance of neighbouring decimals at x; 0 where values are not rounded to these.
func (p *Precision) unit(x float64) (unit float64) {
	if p.Decimals != nil {
		unit = math.Pow10(-*p.Decimals)
	}
	if p.Digits > 0 && x != 0 {
		unit = max(unit, Significant(p.Digits).unit(x))
	}
	return unit
}

// Error is how far what was rounded to x may be from it. A number of floating point may have lost some digits
// before it was written.
func (p *Precision) Error(x float64) float64 {
	if !p.Kind.IsFloat() {
		return 0
	}
	const lost32, lost64 = 4, 1 << 9 // half of what sums and boosts of other programs lose, in units in the last place
	err := lost32 * ULP(p.Kind, x)
	if p.Kind == rootio.Float64 {
		err = lost64 * ULP(p.Kind, x)
	}
	if p.Bits != nil {
		lo, hi := p.Bits.Cell(x)
		err = max(err, (hi-lo)/2)
	}
	return max(err, p.unit(x)/2)
}

// Round returns the value that is written for x.
func (p *Precision) Round(x float64) float64 {
	switch {
	case x == 0 || math.IsNaN(x) || math.IsInf(x, 0):
		return x
	case !p.Kind.IsFloat():
		return math.Round(x)
	case p.Bits != nil:
		return p.Bits.Round(x)
	}
	if p.Digits > 0 {
		digits := p.Digits
		if p.Decimals != nil {
			digits = min(digits, int(math.Floor(math.Log10(math.Abs(x))))+1+*p.Decimals)
		}
		if digits > 0 {
			return Significant(digits).Round(x)
		}
	}
	if p.Decimals != nil {
		unit := math.Pow10(*p.Decimals)
		return math.Round(x*unit) / unit
	}
	return x
}

// IsSound reports whether a precision that was read from a file makes sense.
func (p *Precision) IsSound() bool {
	return p.Kind != 0 && p.Digits >= 0 && p.Digits <= 17 && (p.Decimals == nil || *p.Decimals >= 0 && *p.Decimals <= mostDigits) && (p.Bits == nil || p.Bits.IsSound())
}

// Written returns x as a number of the column's type, without other rounding.
func (p *Precision) Written(x float64) float64 {
	if p.Kind == rootio.Float32 {
		return float64(float32(x))
	}
	return x
}
