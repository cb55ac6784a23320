package features

import (
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Rounded is the map of a branch whose values are (Origin + i·Step)/10^Digits, i a
// whole number: decimals, or counts of a unit. The value becomes continuous by a
// uniform deviate within its cell, one step wide and centred on the value, unless
// there are too many cells for that to matter. The way back goes to the nearest value, between those of i = 0 and i = Last.
type Rounded struct {
	Variable string  `json:"variable"`
	Digits   int     `json:"digits"`
	Step     float64 `json:"step"`
	Origin   float64 `json:"origin"`
	Last     float64 `json:"last"`

	// Unbounded says that the way back may go beyond the first and the last value: the
	// branch is a component of a momentum, of which others are computed.
	Unbounded bool `json:"unbounded,omitempty"`

	// Within is the range of an angle, nil for other variables. A cell ends there.
	Within *Circle `json:"within,omitempty"`

	// Except are values that stay as they are: spikes.
	Except []float64 `json:"except,omitempty"`
}

const (
	// fewestRounded is the number of different values from which on they are
	// believed to be rounded, when all are multiples of a step that is at least
	// stepInULP times as large as the spacing of floating-point numbers there: by
	// chance, the probability is below (3/8)^10.
	fewestRounded = 10
	stepInULP     = 8
	mostDigits    = 12
)

// findRounded returns the map for the values of a column, without its spikes, if
// they are rounded.
func findRounded(field rootio.Field, values []float64, spikes []Spike) *Rounded {
	if len(values) < fewestRounded {
		return nil
	}
	lo, hi := values[0], values[len(values)-1]
	largest := max(math.Abs(lo), math.Abs(hi))
	for digits := range mostDigits + 1 {
		unit := math.Pow10(digits)
		if 1/unit < stepInULP*ulp(field.Kind, largest) || largest*unit > maxExact {
			return nil
		}
		if !areMultiples(field.Kind, values, unit) {
			continue
		}
		origin := math.Round(lo * unit)
		var step int64
		for _, v := range values {
			step = gcd(step, int64(math.Round(v*unit)-origin))
		}
		r := &Rounded{
			Variable: field.Name, Digits: digits, Step: float64(step), Origin: origin,
			Last: (math.Round(hi*unit) - origin) / float64(step),
		}
		for _, s := range spikes {
			r.Except = append(r.Except, s.Value)
		}
		return r
	}
	return nil
}

// areMultiples reports whether all values are multiples of 1/unit but for the
// rounding of floating-point numbers.
func areMultiples(kind rootio.Kind, values []float64, unit float64) bool {
	for _, v := range values {
		if math.Abs(math.Round(v*unit)/unit-v) > ulp(kind, v) {
			return false
		}
	}
	return true
}

// ulp is the distance of neighbouring numbers of a kind at x.
func ulp(kind rootio.Kind, x float64) float64 {
	x = math.Abs(x)
	if kind == rootio.Float32 {
		return float64(math.Nextafter32(float32(x), math.MaxFloat32) - float32(x))
	}
	return math.Nextafter(x, math.MaxFloat64) - x
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, -a)
}

// filled is the part of the steps between the 5 % and the 95 % quantile of a sample
// that occurs among the values, where the step is r's.
func (r *Rounded) filled(s *sample) float64 {
	_, events := s.steps()
	from, _ := slices.BinarySearch(events, s.n/20)
	to, _ := slices.BinarySearch(events, s.n-s.n/20)
	to = min(to, len(events)-1)
	return float64(to-from+1) / (r.number(s.value[to]) - r.number(s.value[from]) + 1)
}

// number returns which value the nearest one to x is.
func (r *Rounded) number(x float64) float64 {
	return math.Round((x*math.Pow10(r.Digits) - r.Origin) / r.Step)
}

// value is the inverse of number.
func (r *Rounded) value(number float64) float64 {
	return (r.Origin + number*r.Step) / math.Pow10(r.Digits)
}

// round returns the nearest value to x.
func (r *Rounded) round(x float64) float64 {
	if slices.Contains(r.Except, x) {
		return x
	}
	if r.Unbounded {
		return r.value(r.number(x))
	}
	return r.value(min(max(r.number(x), 0), r.Last))
}

// unit is the distance of neighbouring values.
func (r *Rounded) unit() float64 { return r.Step / math.Pow10(r.Digits) }

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
	half := 0.5 * r.unit()
	for k, v := range x {
		if slices.Contains(r.Except, v) {
			continue
		}
		lo, hi := v-half, v+half
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

func (r *Rounded) isSound() bool {
	return r.Digits >= 0 && r.Digits <= mostDigits && r.Step > 0 && r.Last >= 1 && (r.Within == nil || r.Within.isSound())
}
