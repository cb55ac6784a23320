package column

import (
	"math"
	"math/bits"
	"slices"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Rounding is what all values of a column are rounded to, but for its spikes: [*Decimals], [Significant] or
// [Bits].
type Rounding interface {
	// Round returns the nearest rounded value.
	Round(x float64) float64
	// Cell returns the interval of what is rounded to the value x.
	Cell(x float64) (lo, hi float64)
}

// FindRounding returns what the values, ascending and without spikes, are rounded to, nil if they
// are not. Where several kinds of rounding would do, it is decimals, unless another has much fewer values there.
func FindRounding(field rootio.Field, values []float64) (best Rounding) {
	const much = 2
	fewest := math.Inf(1)
	if d := findDecimals(field, values); d != nil {
		best, fewest = d, d.Last
	}
	if b := findBits(field, values); b != nil {
		if n := between(values, func(x float64) float64 { return float64(b.number(x)) }); much*n < fewest {
			best, fewest = *b, much*n
		}
	}
	if s := findSignificant(field.Kind, values); s != nil && field.Kind.IsFloat() {
		if n := between(values, s.number); much*n < fewest {
			best = *s
		}
	}
	return best
}

// between returns how many of the values that a rounding numbers, the positive ones, are between the least and the greatest of a sample, ascending, without
// those that are nearer to zero than all.
func between(values []float64, number func(x float64) float64) float64 {
	least := math.Inf(1)
	for _, v := range values {
		if v != 0 {
			least = min(least, math.Abs(v))
		}
	}
	n := 0.0
	for _, outermost := range []float64{-values[0], values[len(values)-1]} {
		if outermost >= least {
			n += number(outermost) - number(least) + 1
		}
	}
	return n
}

// Decimals says that the values are (Origin + i·Step)/10^Digits, i a whole number from 0 to Last:
// decimals, or counts of a unit.
type Decimals struct {
	Digits int     `json:"digits"`
	Step   float64 `json:"step"`
	Origin float64 `json:"origin"`
	Last   float64 `json:"last"`
}

// findDecimals returns the decimals that values are rounded to, nil if they are not.
func findDecimals(field rootio.Field, values []float64) *Decimals {
	if len(values) < fewestRounded {
		return nil
	}
	lo, hi := values[0], values[len(values)-1]
	largest := max(math.Abs(lo), math.Abs(hi))
	for digits := range mostDigits + 1 {
		unit := math.Pow10(digits)
		if 1/unit < stepInULP*ULP(field.Kind, largest) || largest*unit > maxExact {
			return nil
		}
		isNone := func(v float64) bool { return math.Abs(math.Round(v*unit)/unit-v) > ULP(field.Kind, v) }
		if slices.ContainsFunc(values, isNone) { // no multiple of 1/unit, but for the rounding of floating-point numbers
			continue
		}
		origin := math.Round(lo * unit)
		var step int64
		for _, v := range values {
			step = gcd(step, int64(math.Round(v*unit)-origin))
		}
		return &Decimals{Digits: digits, Step: float64(step), Origin: origin, Last: (math.Round(hi*unit) - origin) / float64(step)}
	}
	return nil
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, -a)
}

// filled is the part of the steps between the 5 % and the 95 % quantile of a sample
// that occurs among the values.
func (d *Decimals) filled(s *Sample) float64 {
	_, events := s.Tails()
	from, _ := slices.BinarySearch(events, s.N/20)
	to, _ := slices.BinarySearch(events, s.N-s.N/20)
	to = min(to, len(events)-1)
	return float64(to-from+1) / (d.number(s.Values[to]) - d.number(s.Values[from]) + 1)
}

// number returns the i of the value nearest to x, which may be outside of 0 to Last.
func (d *Decimals) number(x float64) float64 {
	return math.Round((x*math.Pow10(d.Digits) - d.Origin) / d.Step)
}

// Value returns (Origin + i·Step)/10^Digits.
func (d *Decimals) Value(i float64) float64 {
	return (d.Origin + i*d.Step) / math.Pow10(d.Digits)
}

// Round returns the nearest value with 0 ≤ i ≤ Last.
func (d *Decimals) Round(x float64) float64 {
	return d.Value(min(max(d.number(x), 0), d.Last))
}

// RoundBeyond returns the nearest value, whether or not i is between 0 and Last.
func (d *Decimals) RoundBeyond(x float64) float64 { return d.Value(d.number(x)) }

// Unit is the distance of neighbouring values.
func (d *Decimals) Unit() float64 { return d.Step / math.Pow10(d.Digits) }

// Cell returns the interval of what is rounded to the value x.
func (d *Decimals) Cell(x float64) (lo, hi float64) {
	half := 0.5 * d.Unit()
	return x - half, x + half
}

// IsSound reports whether decimals that were read from a file make sense.
func (d *Decimals) IsSound() bool {
	return d.Digits >= 0 && d.Digits <= mostDigits && d.Step > 0 && d.Last >= 1
}

// Bits is the number of bits that the mantissas of all values have at most, after the leading
// one, where that is less than their type has: in files that are to be small, or in a float64 that
// was a float32.
type Bits int

// findBits returns the bits that the values have, nil if they have as many as their type.
func findBits(field rootio.Field, values []float64) *Bits {
	most := Bits(mostBitsOfFloat64)
	switch field.Kind {
	case rootio.Float32:
		most = mostBitsOfFloat32
	case rootio.Float64:
	default:
		return nil
	}
	if len(values) < fewestRounded {
		return nil
	}
	used := uint64(0)
	for _, v := range values {
		used |= math.Float64bits(v)
	}
	b := Bits(mantissa - min(bits.TrailingZeros64(used), mantissa))
	if b > most {
		return nil
	}
	return &b
}

// number numbers the positive values with so many bits.
func (b Bits) number(x float64) uint64 { return math.Float64bits(x) >> (mantissa - b) }

// filled is the part of the values with so many bits that occurs, between the 30 % and the
// 95 % quantile of the absolute values of a sample.
func (b Bits) filled(s *Sample) float64 {
	size := make([]float64, len(s.Values))
	for i, v := range s.Values {
		size[i] = math.Abs(v)
	}
	slices.Sort(size)
	size = slices.Compact(size)
	from, to := len(size)*3/10, len(size)*95/100
	if to <= from {
		return 0
	}
	return float64(to-from+1) / float64(b.number(size[to])-b.number(size[from])+1)
}

// Round returns the nearest value with so many bits; of two, that which is away from zero. Zero,
// NaN and ±∞ stay what they are.
func (b Bits) Round(x float64) float64 {
	if b.stays(x) {
		return x
	}
	spare := mantissa - b
	m := math.Float64bits(x)
	return math.Float64frombits((m + 1<<spare>>1) &^ (1<<spare - 1))
}

func (b Bits) stays(x float64) bool { return x == 0 || math.IsNaN(x) || math.IsInf(x, 0) }

// Cell returns the interval of what is rounded to the value x: a point where x always stays what
// it is.
func (b Bits) Cell(x float64) (lo, hi float64) {
	if b.stays(x) {
		return x, x
	}
	spare := mantissa - b
	m := math.Float64bits(x)
	lo, hi = math.Float64frombits(m-1<<spare>>1), math.Float64frombits(m+1<<spare>>1)
	if x < 0 {
		lo, hi = hi, lo
	}
	return lo, hi
}

// IsSound reports whether bits that were read from a file make sense.
func (b Bits) IsSound() bool { return b >= 0 && b < mantissa }

// ULP is the distance of neighbouring numbers of a kind at x.
func ULP(kind rootio.Kind, x float64) float64 {
	x = math.Abs(x)
	if kind == rootio.Float32 {
		return float64(math.Nextafter32(float32(x), math.MaxFloat32) - float32(x))
	}
	return math.Nextafter(x, math.MaxFloat64) - x
}

// Ascend reports whether numbers ascend, none being as large as the one before.
func Ascend(x []float64) bool {
	for i := 1; i < len(x); i++ {
		if !(x[i] > x[i-1]) {
			return false
		}
	}
	return true
}
