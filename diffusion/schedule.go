package diffusion

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Schedule is a pair of functions α(t), σ(t). There are three, all of them with
// α = 1−t, and with
//
//	σ = t              [Linear], the zero value
//	σ = √t             [Sqrt]
//	σ = σ₀ + (1−σ₀)t   [Shifted]
//
// The methods take a time t in [0, 1], which they do not check. What is infinite
// at an end is returned as ±Inf and said so. Schedules can be compared with ==.
type Schedule struct {
	family family
	sigma0 float64 // σ(0)
}

// family is a row of the table of schedules.
type family uint8

const (
	shifted family = iota // the linear one is that with σ₀ = 0
	sqrt
)

// formulas are what tells a family from another: the methods of [Schedule] say what they are.
// s is σ₀.
type formulas struct {
	name         string
	sigma        func(t, s float64) float64
	lambda       func(t, s float64) float64
	mu           func(t, s float64) float64
	muOverLambda func(t, s float64) float64
	step         func(from, to, s float64) (a, b float64)
	timeAtSigma  func(sigma, s float64) float64
	timeAtRatio  func(ratio, s float64) float64 // the time at which σ/α has the value
}

func shiftedSigma(t, s float64) float64 { return t + s*(1-t) } // exact at both ends

var families = [...]formulas{
	shifted: {
		name:         "shifted",
		sigma:        shiftedSigma,
		lambda:       func(t, s float64) float64 { return (1 - s) / shiftedSigma(t, s) },
		mu:           func(t, s float64) float64 { return -1 / shiftedSigma(t, s) },
		muOverLambda: func(_, s float64) float64 { return -1 / (1 - s) },
		step: func(from, to, s float64) (a, b float64) {
			sigma := shiftedSigma(from, s)
			return shiftedSigma(to, s) / sigma, (from - to) / sigma
		},
		timeAtSigma: func(sigma, s float64) float64 { return (sigma - s) / (1 - s) },
		timeAtRatio: func(n, s float64) float64 { return max(0, (n-s)/(n+1-s)) },
	},
	sqrt: {
		name:         "sqrt",
		sigma:        func(t, _ float64) float64 { return math.Sqrt(t) },
		lambda:       func(t, _ float64) float64 { return 1 / (2 * t) },
		mu:           func(t, _ float64) float64 { return -(1 + t) / (2 * t) },
		muOverLambda: func(t, _ float64) float64 { return -(1 + t) },
		step: func(from, to, _ float64) (a, b float64) {
			v, u := math.Sqrt(from), math.Sqrt(to)
			return u / v, (from - to) / (u + v) * (1 + u*v) / v
		},
		timeAtSigma: func(sigma, _ float64) float64 { return sigma * sigma },
		timeAtRatio: func(n, _ float64) float64 {
			u := 2 * n / (1 + math.Hypot(1, 2*n)) // √t, from t + √t/n = 1
			return u * u
		},
	},
}

// Linear returns the schedule α = 1−t, σ = t. Order-1 steps are then Euler steps
// of dx/dt = (x − q)/t.
func Linear() Schedule { return Schedule{} }

// Sqrt returns the schedule α = 1−t, σ = √t, whose variance grows uniformly.
func Sqrt() Schedule { return Schedule{family: sqrt} }

// DefaultSigma0 is σ₀ of the schedule that is called "shifted" without a number.
const DefaultSigma0 = 0.01

// Shifted returns the schedule α = 1−t, σ = σ₀ + (1−σ₀)t with σ₀ in (0, 1); any
// other σ₀ is an error. It is the only schedule that is regular at t = 0:
// σ dx/dt = (1−σ₀) x − q, and x_0 keeps a noise of width σ₀, below which no path goes.
// With σ₀ = 0 it would be [Linear].
func Shifted(sigma0 float64) (Schedule, error) {
	if !(sigma0 > 0 && sigma0 < 1) {
		return Schedule{}, fmt.Errorf("diffusion: σ₀ of a shifted schedule must be between 0 and 1, such as shifted:%g, not %g", DefaultSigma0, sigma0)
	}
	return Schedule{sigma0: sigma0}, nil
}

// Alpha returns α, the factor by which events have shrunk at time t.
func (s Schedule) Alpha(t float64) float64 { return 1 - t }

// Sigma returns σ, the standard deviation of the noise at time t. It grows with
// t, to 1.
func (s Schedule) Sigma(t float64) float64 { return families[s.family].sigma(t, s.sigma0) }

// Lambda returns λ = d log σ/dt. It is +Inf where σ = 0.
func (s Schedule) Lambda(t float64) float64 { return families[s.family].lambda(t, s.sigma0) }

// Mu returns μ = α d log(α/σ)/dt = dα/dt − αλ. It is −1 at t = 1, where α = 0,
// and −Inf where σ = 0.
func (s Schedule) Mu(t float64) float64 { return families[s.family].mu(t, s.sigma0) }

// MuOverLambda returns μ/λ, which is finite at all times. With log σ for the
// variable in place of t, the equation is dx/d log σ = x + (μ/λ) q.
func (s Schedule) MuOverLambda(t float64) float64 {
	return families[s.family].muOverLambda(t, s.sigma0)
}

// SNR returns the signal-to-noise ratio α/σ, a ratio of amplitudes. It falls with
// t, to 0; it is +Inf where σ = 0.
func (s Schedule) SNR(t float64) float64 { return s.Alpha(t) / s.Sigma(t) }

// LogSNR returns log(α/σ), which is called λ in arXiv:2206.00927, and half the
// log-SNR where SNR means α²/σ². It is −Inf at t = 1, and +Inf where σ = 0.
func (s Schedule) LogSNR(t float64) float64 { return math.Log(s.Alpha(t)) - math.Log(s.Sigma(t)) }

// Step returns the coefficients of the solution at time t of the equation that
// starts from x_s at time s, for a constant q:
//
//	x_t = a x_s + b q,  a = σ_t/σ_s,  b = α_t − α_s σ_t/σ_s = σ_t (α_t/σ_t − α_s/σ_s)
//
// It holds in both directions of time. It starts at s = 1 like anywhere else, and
// ends where σ_t = 0 with x_t = q; σ_s must not be 0. Both coefficients are
// accurate to a few units in the last place, also when s ≈ t.
func (s Schedule) Step(from, to float64) (a, b float64) {
	return families[s.family].step(from, to, s.sigma0)
}

// TimeAtSigma returns the t at which the noise has the standard deviation σ, the
// inverse of [Schedule.Sigma]. A σ outside of [σ(0), 1] is an error.
func (s Schedule) TimeAtSigma(sigma float64) (float64, error) {
	if !(sigma >= s.sigma0 && sigma <= 1) {
		return 0, fmt.Errorf("diffusion: the width σ of schedule %v is never %g: it goes from %g to 1", s, sigma, s.sigma0)
	}
	return families[s.family].timeAtSigma(sigma, s.sigma0), nil
}

// TimeAtLogSNR returns the t at which log(α/σ) = l, the inverse of
// [Schedule.LogSNR]: 1 for −Inf. An l above LogSNR(0) or NaN is an error.
func (s Schedule) TimeAtLogSNR(l float64) (float64, error) {
	if highest := s.LogSNR(0); !(l <= highest) {
		return 0, fmt.Errorf("diffusion: log(α/σ) of schedule %v is never %g: its highest value is %g", s, l, highest)
	}
	ratio := math.Exp(-l)
	if math.IsInf(ratio, 1) {
		return 1, nil
	}
	return families[s.family].timeAtRatio(ratio, s.sigma0), nil
}

// checkWidth reports whether a path ends where σ/α has fallen to a width.
func (s Schedule) checkWidth(width float64) error {
	if width >= s.sigma0 {
		return nil
	}
	return fmt.Errorf("diffusion: the path of schedule %v ends at σ₀ = %g, above σ_min = %g: take a smaller σ₀ or a larger σ_min", s, s.sigma0, width)
}

// linearName is what the shifted schedule with σ₀ = 0 is called.
const linearName = "linear"

// String returns "linear", "sqrt" or, with the value of σ₀, "shifted:0.001".
func (s Schedule) String() string {
	switch {
	case s == Linear():
		return linearName
	case s.sigma0 > 0:
		return families[s.family].name + ":" + strconv.FormatFloat(s.sigma0, 'g', -1, 64)
	default:
		return families[s.family].name
	}
}

// MarshalText returns what [Schedule.String] does; no digit of σ₀ is lost.
func (s Schedule) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText sets the schedule by the text that [Schedule.MarshalText]
// returns; "shifted" alone has σ₀ = [DefaultSigma0]. Any other text, or a σ₀ outside of
// (0, 1), is an error and leaves the schedule as it was.
func (s *Schedule) UnmarshalText(text []byte) (err error) {
	name, value, hasValue := strings.Cut(string(text), ":")
	switch {
	case string(text) == linearName:
		*s = Linear()
	case string(text) == families[sqrt].name:
		*s = Sqrt()
	case name == families[shifted].name:
		sigma0 := DefaultSigma0
		if hasValue {
			if sigma0, err = strconv.ParseFloat(value, 64); err != nil {
				return fmt.Errorf("diffusion: σ₀ of the schedule %q is not a number: want shifted:σ₀, such as shifted:%g", text, DefaultSigma0)
			}
		}
		parsed, err := Shifted(sigma0)
		if err != nil {
			return err
		}
		*s = parsed
	default:
		return fmt.Errorf("diffusion: unknown schedule %q: want linear, sqrt or shifted:σ₀", text)
	}
	return nil
}
