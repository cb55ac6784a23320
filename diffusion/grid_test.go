package diffusion

import (
	"encoding/json"
	"math"
	"testing"
)

func TestTimes(t *testing.T) {
	for _, s := range schedules(t) {
		for g := range Grid(len(grids)) {
			for _, end := range []float64{0, 1e-300, 1e-12, 1e-3, 0.1, 0.6, 0.999} {
				for _, steps := range []int{1, 2, 3, 10, 500, 10000} {
					times, err := g.Times(s, steps, end)
					if s.Sigma(end) == 0 && grids[g].positive {
						if err == nil {
							t.Errorf("%v, %v: an end with σ = 0 is no error", s, g)
						}
						continue
					}
					if err != nil {
						t.Errorf("%v, %v, %d steps to %g: %v", s, g, steps, end, err)
						continue
					}
					if len(times) != steps+1 || times[0] != 1 || times[steps] != end {
						t.Errorf("%v, %v, %d steps to %g: %d times from %g to %g", s, g, steps, end, len(times), times[0], times[len(times)-1])
					}
					for i := range steps {
						if !(times[i] > times[i+1]) {
							t.Fatalf("%v, %v, %d steps to %g: time %d is %v, the next %v", s, g, steps, end, i, times[i], times[i+1])
						}
					}
				}
			}
		}
	}
}

// TestSpacing measures the steps in the quantity in which the grid has them
// equal. UniformLogSNR has its first one apart.
func TestSpacing(t *testing.T) {
	const n = 40
	for _, s := range schedules(t) {
		for _, end := range []float64{1e-3, 0.7} {
			for _, c := range []struct {
				grid  Grid
				u     func(float64) float64
				first int
			}{
				{Uniform, func(t float64) float64 { return t }, 0},
				{Quadratic, func(t float64) float64 { return math.Sqrt(s.Sigma(t)) }, 0},
				{GeometricSigma, func(t float64) float64 { return math.Log(s.Sigma(t)) }, 0},
				{UniformLogSNR, s.LogSNR, 1},
			} {
				times, err := c.grid.Times(s, n, end)
				if err != nil {
					t.Fatal(err)
				}
				want := (c.u(end) - c.u(times[c.first])) / float64(n-c.first)
				for i := c.first; i < n; i++ {
					if step := c.u(times[i+1]) - c.u(times[i]); math.Abs(step-want) > 1e-10*math.Abs(want) {
						t.Errorf("%v, %v: step %d is %v, want %v", s, c.grid, i, step, want)
					}
				}
				if c.grid == UniformLogSNR {
					want := min(1, s.SNR(end)) * math.Pow(2./(n+1), 1.5)
					if got := s.SNR(times[1]); !near(got, want, 1e-10) {
						t.Errorf("%v: the first step goes to α/σ = %v, want %v", s, got, want)
					}
				}
			}
		}
	}
}

// TestConvergence takes steps of order 1 along all grids: with twice the steps,
// half the error.
func TestConvergence(t *testing.T) {
	const x1 = 1.3
	data := gaussian{mean: 0.4, width: 0.6}
	solve := func(s Schedule, times []float64) float64 {
		x := x1
		for i, to := range times[1:] {
			a, b := s.Step(times[i], to)
			x = a*x + b*data.q(s, times[i], x)
		}
		return x
	}
	for _, s := range schedules(t) {
		for g := range Grid(len(grids)) {
			for _, end := range []float64{0, 0.01} {
				if end == 0 && s.Sigma(0) == 0 && grids[g].positive {
					continue
				}
				var errs [2]float64
				for i, steps := range []int{1000, 2000} {
					times, err := g.Times(s, steps, end)
					if err != nil {
						t.Fatal(err)
					}
					errs[i] = math.Abs(solve(s, times) - data.solution(s, 1, end, x1))
				}
				order := math.Log2(errs[0] / errs[1])
				// The steps of UniformLogSNR shrink a little more slowly than 1/n.
				if errs[1] > 2e-3 || order < 0.85 || order > 1.05 {
					t.Errorf("%v, %v to %g: error %g, order %.3f", s, g, end, errs[1], order)
				}
			}
		}
	}
}

// TestFirstStepOfLogSNR takes the first step at a constant q and the rest of the
// way exactly: the relative error must be half of r², and fall like n⁻³.
func TestFirstStepOfLogSNR(t *testing.T) {
	const x1, end = 1.3, 1e-3
	data := gaussian{mean: 0.4, width: 1}
	for _, s := range schedules(t) {
		var errs [2]float64
		for i, steps := range []int{100, 200} {
			times, err := UniformLogSNR.Times(s, steps, end)
			if err != nil {
				t.Fatal(err)
			}
			a, b := s.Step(1, times[1])
			x := a*x1 + b*data.q(s, 1, x1)
			got, want := data.solution(s, times[1], end, x), data.solution(s, 1, end, x1)
			errs[i] = math.Abs(got-want) / (data.spread(s, end) * x1)
		}
		order := math.Log2(errs[0] / errs[1])
		want := math.Pow(2./201, 3) / 2
		if math.Abs(order-3) > 0.05 || !near(errs[1], want, 0.01) {
			t.Errorf("%v: the first step's relative error is %g, want %g; order %.3f", s, errs[1], want, order)
		}
	}
}

func TestGridErrors(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		what  string
		grid  Grid
		steps int
		end   float64
	}{
		{"an unknown grid", UniformLogSNR + 1, 10, 0.1},
		{"no steps", Uniform, 0, 0.1},
		{"a negative number of steps", Uniform, -5, 0.1},
		{"a huge number of steps", Uniform, math.MaxInt, 0.1},
		{"an end at 1", Uniform, 10, 1},
		{"an end above 1", Uniform, 10, 1.5},
		{"a negative end", Uniform, 10, -0.1},
		{"an end that is NaN", Uniform, 10, nan},
		{"more steps than there are numbers", GeometricSigma, maxSteps, 5e-324},
		{"two steps of one unit in the last place", Uniform, 2, math.Nextafter(1, 0)},
	} {
		if times, err := c.grid.Times(Linear(), c.steps, c.end); err == nil {
			t.Errorf("%s is no error: %v", c.what, times)
		}
	}
	for g := range Grid(len(grids)) {
		for _, s := range schedules(t) {
			if _, err := g.Times(s, 5, math.Nextafter(1, 0)); err == nil {
				t.Errorf("%v, %v: five steps of no length are no error", s, g)
			}
		}
	}
}

func TestGridText(t *testing.T) {
	for g := range Grid(len(grids)) {
		text, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		back := UniformLogSNR + 1
		if err := json.Unmarshal(text, &back); err != nil || back != g {
			t.Errorf("%v → %s → %v (%v)", g, text, back, err)
		}
	}
	if _, err := (UniformLogSNR + 1).MarshalText(); err == nil {
		t.Error("an unknown grid has a text")
	}
	g := Quadratic
	if err := g.UnmarshalText([]byte("Uniform")); err == nil || g != Quadratic {
		t.Errorf("an unknown name gives %v (%v)", g, err)
	}
}
