package diffusion

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
)

func shiftedOf(t testing.TB, sigma0 float64) Schedule {
	t.Helper()
	s, err := Shifted(sigma0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func schedules(t testing.TB) []Schedule {
	return []Schedule{Linear(), Sqrt(), shiftedOf(t, 1e-3), shiftedOf(t, 0.1), shiftedOf(t, 0.75)}
}

// near says whether a and b agree to a relative tolerance.
func near(a, b, tolerance float64) bool {
	return a == b || math.Abs(a-b) <= tolerance*max(math.Abs(a), math.Abs(b))
}

// interior are times without the ends.
var interior = []float64{1e-9, 1e-4, 0.01, 0.1, 0.25, 0.5, 0.7, 0.9, 0.99, 0.9999}

func TestRatesAreDerivatives(t *testing.T) {
	for _, s := range schedules(t) {
		derivative := func(f func(float64) float64, at float64) float64 {
			return fd.Derivative(f, at, &fd.Settings{Formula: fd.Central, Step: 1e-4 * min(at, 1-at)})
		}
		logSigma := func(t float64) float64 { return math.Log(s.Sigma(t)) }
		for _, at := range interior {
			// The difference of two values near 10 over a step of 1e-4·t: some 1e-10/t
			// is rounding, and 1e-8/t the third derivative.
			lambda, mu := derivative(logSigma, at), s.Alpha(at)*derivative(s.LogSNR, at)
			if got := s.Lambda(at); math.Abs(got-lambda) > 1e-7/at {
				t.Errorf("%v: λ(%g) = %v, numerically %v", s, at, got, lambda)
			}
			if got := s.Mu(at); math.Abs(got-mu) > 1e-7/at {
				t.Errorf("%v: μ(%g) = %v, numerically %v", s, at, got, mu)
			}
		}
		for _, at := range append([]float64{1}, interior...) {
			if got, want := s.MuOverLambda(at), s.Mu(at)/s.Lambda(at); !near(got, want, 1e-14) {
				t.Errorf("%v: μ/λ(%g) = %v, want %v", s, at, got, want)
			}
			if got, want := s.Mu(at), -1-s.Alpha(at)*s.Lambda(at); !near(got, want, 1e-14) {
				t.Errorf("%v: μ(%g) = %v, dα/dt − αλ = %v", s, at, got, want)
			}
		}
	}
}

func TestEnds(t *testing.T) {
	inf := math.Inf(1)
	equal := func(s Schedule, what string, got, want float64) {
		t.Helper()
		if got != want {
			t.Errorf("%v: %s = %v, want %v", s, what, got, want)
		}
	}
	for _, s := range schedules(t) {
		equal(s, "α(0)", s.Alpha(0), 1)
		equal(s, "α(1)", s.Alpha(1), 0)
		equal(s, "σ(0)", s.Sigma(0), s.sigma0)
		equal(s, "σ(1)", s.Sigma(1), 1)
		equal(s, "μ(1)", s.Mu(1), -1)
		equal(s, "α/σ(1)", s.SNR(1), 0)
		equal(s, "log α/σ(1)", s.LogSNR(1), -inf)
		if s.sigma0 == 0 {
			equal(s, "λ(0)", s.Lambda(0), inf)
			equal(s, "μ(0)", s.Mu(0), -inf)
			equal(s, "α/σ(0)", s.SNR(0), inf)
			equal(s, "log α/σ(0)", s.LogSNR(0), inf)
			equal(s, "μ/λ(0)", s.MuOverLambda(0), -1)
		} else {
			equal(s, "λ(0)", s.Lambda(0), (1-s.sigma0)/s.sigma0)
			equal(s, "μ(0)", s.Mu(0), -1/s.sigma0)
			equal(s, "α/σ(0)", s.SNR(0), 1/s.sigma0)
			equal(s, "log α/σ(0)", s.LogSNR(0), -math.Log(s.sigma0))
		}
	}
	if Linear() != (Schedule{}) {
		t.Error("Linear is not the zero value")
	}
}

// TestStep compares with the definition of the coefficients in 300 bits, also
// for times that are neighbours.
func TestStep(t *testing.T) {
	number := func(x float64) *big.Float { return new(big.Float).SetPrec(300).SetFloat64(x) }
	operation := func() *big.Float { return number(0) }
	one := number(1)
	for _, s := range schedules(t) {
		alpha := func(t float64) *big.Float { return operation().Sub(one, number(t)) }
		sigma := func(t float64) *big.Float {
			if s.family == sqrt {
				return operation().Sqrt(number(t))
			}
			rest := operation().Mul(number(s.sigma0), alpha(t))
			return rest.Add(rest, number(t))
		}
		times := append([]float64{1}, interior...)
		for _, t := range interior {
			times = append(times, math.Nextafter(t, 1), t*(1+1e-10))
		}
		for _, from := range times {
			for _, to := range append([]float64{0}, times...) {
				a := operation().Quo(sigma(to), sigma(from))
				b := operation().Sub(alpha(to), operation().Mul(alpha(from), a))
				wantA, _ := a.Float64()
				wantB, _ := b.Float64()
				gotA, gotB := s.Step(from, to)
				if !near(gotA, wantA, 1e-15) || !near(gotB, wantB, 1e-15) {
					t.Errorf("%v: Step(%v, %v) = %v, %v; want %v, %v", s, from, to, gotA, gotB, wantA, wantB)
				}
			}
		}
	}
}

// TestInverses goes from times to σ and to log(α/σ), and back.
func TestInverses(t *testing.T) {
	for _, s := range schedules(t) {
		for _, at := range append([]float64{0, 1}, interior...) {
			// Where σ has an offset σ₀, t is known to a fraction of σ₀ only.
			tolerance := 4e-16 * s.sigma0
			if at > 0 {
				tolerance += 5e-15 * at
			}
			if got, err := s.TimeAtSigma(s.Sigma(at)); err != nil || math.Abs(got-at) > tolerance/(1-s.sigma0) {
				t.Errorf("%v: σ(%g) is reached at %v (%v)", s, at, got, err)
			}
			tolerance += 4e-15 * s.sigma0
			if got, err := s.TimeAtLogSNR(s.LogSNR(at)); err != nil || math.Abs(got-at) > tolerance {
				t.Errorf("%v: log(α/σ)(%g) is reached at %v (%v)", s, at, got, err)
			}
		}
		for _, l := range []float64{-1e6, -800, -40, -5, -0.1, 0, 0.1} {
			at, err := s.TimeAtLogSNR(l)
			if err != nil || !(at > 0 && at <= 1) {
				t.Errorf("%v: log(α/σ) = %g at %v (%v)", s, l, at, err)
			} else if l > -10 && math.Abs(s.LogSNR(at)-l) > 1e-11 {
				t.Errorf("%v: log(α/σ) = %g at %v, where it is %g", s, l, at, s.LogSNR(at))
			}
		}
	}
	for _, s := range []Schedule{Linear(), Sqrt()} {
		if at, err := s.TimeAtLogSNR(math.Inf(1)); at != 0 || err != nil {
			t.Errorf("%v: log(α/σ) = ∞ at %v (%v)", s, at, err)
		}
	}
	// Rounding does not lead below t = 0.
	for i := range 99 {
		s := shiftedOf(t, float64(i+1)/100)
		if at, err := s.TimeAtLogSNR(s.LogSNR(0)); err != nil || !(at >= 0 && at < 1e-13) {
			t.Errorf("%v: log(α/σ)(0) is reached at %v (%v)", s, at, err)
		}
	}
	// The tiniest σ₀ overflows α/σ at t = 0.
	if at, err := shiftedOf(t, 5e-324).TimeAtLogSNR(0); at != 0.5 || err != nil {
		t.Errorf("σ₀ = 5e-324: log(α/σ) = 0 at %v (%v)", at, err)
	}
}

func TestOutOfRange(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, sigma0 := range []float64{-1e-9, 0, 1, 2, inf, -inf, nan} {
		if _, err := Shifted(sigma0); err == nil {
			t.Errorf("Shifted(%g) is no error", sigma0)
		}
	}
	for _, s := range schedules(t) {
		for _, sigma := range []float64{-1, math.Nextafter(s.sigma0, -1), math.Nextafter(1, 2), inf, nan} {
			if at, err := s.TimeAtSigma(sigma); err == nil {
				t.Errorf("%v: TimeAtSigma(%g) = %g is no error", s, sigma, at)
			}
		}
		above := []float64{nan}
		if s.sigma0 > 0 {
			above = append(above, math.Nextafter(s.LogSNR(0), inf), 100, inf)
		}
		for _, l := range above {
			if at, err := s.TimeAtLogSNR(l); err == nil {
				t.Errorf("%v: TimeAtLogSNR(%g) = %g is no error", s, l, at)
			}
		}
	}
}

// gaussian is N(mean, width²) for x_0, for which q is linear in x and the
// equation has a solution in closed form.
type gaussian struct{ mean, width float64 }

func (g gaussian) spread(s Schedule, t float64) float64 {
	return math.Hypot(s.Alpha(t)*g.width, s.Sigma(t))
}

func (g gaussian) q(s Schedule, t, x float64) float64 {
	v := g.spread(s, t)
	return g.mean + s.Alpha(t)*g.width*g.width/(v*v)*(x-s.Alpha(t)*g.mean)
}

// solution returns x_t for the x of time from: the quantiles stay what they are.
func (g gaussian) solution(s Schedule, from, to, x float64) float64 {
	return s.Alpha(to)*g.mean + (x-s.Alpha(from)*g.mean)*g.spread(s, to)/g.spread(s, from)
}

// rungeKutta integrates dx/du = f(u, x) from u to end.
func rungeKutta(f func(u, x float64) float64, u, end, x float64) float64 {
	const steps = 4000
	h := (end - u) / steps
	for range steps {
		k1 := f(u, x)
		k2 := f(u+h/2, x+h/2*k1)
		k3 := f(u+h/2, x+h/2*k2)
		k4 := f(u+h, x+h*k3)
		x, u = x+h/6*(k1+2*k2+2*k3+k4), u+h
	}
	return x
}

// TestEquation integrates the equation in its three forms and compares with its
// solution: for a constant q, that is Step, and for Gaussian data, the map of
// quantiles.
func TestEquation(t *testing.T) {
	const x1, end = 1.3, 0.02
	data := gaussian{mean: 0.4, width: 0.6}
	for _, s := range schedules(t) {
		a, b := s.Step(1, end)
		for _, c := range []struct {
			name string
			q    func(t, x float64) float64
			want float64
		}{
			{"constant q", func(_, _ float64) float64 { return 0.7 }, a*x1 + b*0.7},
			{"Gaussian", func(t, x float64) float64 { return data.q(s, t, x) }, data.solution(s, 1, end, x1)},
		} {
			inTime := rungeKutta(func(t, x float64) float64 {
				return s.Lambda(t)*x + s.Mu(t)*c.q(t, x)
			}, 1, end, x1)
			inLogSigma := rungeKutta(func(u, x float64) float64 {
				t, err := s.TimeAtSigma(min(1, math.Exp(u)))
				if err != nil {
					panic(err)
				}
				return x + s.MuOverLambda(t)*c.q(t, x)
			}, 0, math.Log(s.Sigma(end)), x1)
			inSNR := s.Sigma(end) * rungeKutta(func(r, y float64) float64 {
				t, err := s.TimeAtLogSNR(math.Log(r))
				if err != nil {
					panic(err)
				}
				return c.q(t, y*s.Sigma(t))
			}, 0, s.SNR(end), x1)
			for form, got := range map[string]float64{"t": inTime, "log σ": inLogSigma, "α/σ": inSNR} {
				if !near(got, c.want, 1e-8) {
					t.Errorf("%v, %s: integrating over %s gives %v, want %v", s, c.name, form, got, c.want)
				}
			}
		}
	}
}

func TestScheduleText(t *testing.T) {
	for _, s := range append(schedules(t), shiftedOf(t, 0.1+0.2), shiftedOf(t, 5e-324)) {
		text, err := json.Marshal(map[string]Schedule{"schedule": s})
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]Schedule
		if err := json.Unmarshal(text, &back); err != nil || back["schedule"] != s {
			t.Errorf("%v → %s → %v (%v)", s, text, back["schedule"], err)
		}
	}
	for text, want := range map[string]Schedule{
		"linear": Linear(), "sqrt": Sqrt(), "shifted": shiftedOf(t, 0.01), "shifted:1e-3": shiftedOf(t, 0.001),
	} {
		got := shiftedOf(t, 0.5)
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q is %v (%v)", text, got, err)
		}
	}
	for _, text := range []string{"", "Linear", "linear:0.1", "shifted:", "shifted:0", "shifted:x", "shifted:1", "shifted:-1", "shifted:NaN", "shifted:1e999"} {
		got := Sqrt()
		if err := got.UnmarshalText([]byte(text)); err == nil || got != Sqrt() {
			t.Errorf("%q is %v (%v)", text, got, err)
		}
	}
	if got := fmt.Sprint(Linear(), Sqrt(), shiftedOf(t, 0.001)); got != "linear sqrt shifted:0.001" {
		t.Error(got)
	}
}
