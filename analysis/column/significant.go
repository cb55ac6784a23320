package column

import (
	"math"
	"strconv"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Significant is the number of significant decimal digits that all values have at most, as in files that were made of text.
type Significant int

// fewestDigits and mostDecimalDigits are the significant digits that are looked for.
const fewestDigits, mostSignificant = 3, 15

// findSignificant returns the significant digits that values are rounded to, nil if they are not.
func findSignificant(kind rootio.Kind, values []float64) *Significant {
	for s := Significant(fewestDigits); s <= mostSignificant; s++ {
		if isRounded(kind, values, func(v float64) (near, step float64) { return s.Round(v), s.unit(v) }) {
			return &s
		}
	}
	return nil
}

// unit is the distance of neighbouring numbers at x.
func (s Significant) unit(x float64) float64 { return math.Pow10(s.place(x)) }

// place is the power of ten of the last digit of x.
func (s Significant) place(x float64) int {
	return int(math.Floor(math.Log10(math.Abs(x)))) + 1 - int(s)
}

func (s Significant) stays(x float64) bool { return x == 0 || math.IsNaN(x) || math.IsInf(x, 0) }

// Round returns the nearest value with so many digits. Zero, NaN and ±∞ stay what they are.
func (s Significant) Round(x float64) float64 {
	const exact = 22 // the largest power of ten that is a float64
	if s.stays(x) {
		return x
	}
	// Where the power of ten is exact, a quotient by it is the float64 nearest to the decimal number.
	switch place := s.place(x); {
	case place < -exact || place > exact:
		near, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'e', int(s)-1, 64), 64)
		return near
	case place < 0:
		p := math.Pow10(-place)
		return math.Round(x*p) / p
	default:
		p := math.Pow10(place)
		return math.Round(x/p) * p
	}
}

// Cell returns the interval of what is rounded to the value x: a point where x always stays what it is.
func (s Significant) Cell(x float64) (lo, hi float64) {
	if s.stays(x) {
		return x, x
	}
	const below = 1 - 1e-9 // of a power of ten the neighbours towards zero are nearer
	toZero, fromZero := s.unit(x*below)/2, s.unit(x)/2
	if x < 0 {
		return x - fromZero, x + toZero
	}
	return x - toZero, x + fromZero
}

// number numbers the positive values with so many digits.
func (s Significant) number(x float64) float64 {
	place := s.place(x)
	return float64(place)*9*math.Pow10(int(s)-1) + x/math.Pow10(place)
}

// IsSound reports whether digits that were read from a file make sense.
func (s Significant) IsSound() bool { return s >= fewestDigits && s <= mostSignificant }
