package diffusion

import (
	"fmt"
	"math"
)

// Grid is a rule for where the steps between t = 1 and an end are placed.
type Grid uint8

// The grids, with the quantity in which all their n steps are equally long.
const (
	// Uniform is uniform in t.
	Uniform Grid = iota

	// Quadratic is uniform in √σ, which is √t for the [Linear] schedule: denser than Uniform
	// where little of the noise is left, for all schedules alike.
	Quadratic

	// GeometricSigma is uniform in log σ. It needs an end with σ > 0.
	GeometricSigma

	// UniformLogSNR is uniform in log(α/σ), but for the first step: that comes from
	// −∞, and goes to
	//
	//	α/σ = min(1, α_end/σ_end) · (2/(n+1))^(3/2)
	//
	// For data of unit variance an order-1 step from t = 1 to α/σ = r has the
	// relative error r²/2, as q starts as a constant. That falls like n⁻³: the first
	// step does not limit solvers of orders up to 3, and the others grow by no more
	// than a logarithm of n. A multistep solver begins its history with the second
	// step. The end must have σ > 0.
	UniformLogSNR
)

// grids is the table of the grids.
var grids = [...]struct {
	name     string
	positive bool // the end must have σ > 0
	// time returns the time after step i of n, 0 < i < n, where f = i/n of the way is done.
	time func(s Schedule, i, n int, f, end float64) (float64, error)
}{
	Uniform: {"uniform", false, func(_ Schedule, _, _ int, f, end float64) (float64, error) {
		return 1 - f*(1-end), nil
	}},
	Quadratic: {"quadratic", false, func(s Schedule, _, _ int, f, end float64) (float64, error) {
		u := 1 - f*(1-math.Sqrt(s.Sigma(end)))
		return s.TimeAtSigma(u * u)
	}},
	GeometricSigma: {"geometric-sigma", true, func(s Schedule, _, _ int, f, end float64) (float64, error) {
		return s.TimeAtSigma(math.Pow(s.Sigma(end), f))
	}},
	UniformLogSNR: {"uniform-logsnr", true, func(s Schedule, i, n int, _, end float64) (float64, error) {
		last := s.LogSNR(end)
		first := min(0, last) + 1.5*math.Log(2/float64(n+1))
		return s.TimeAtLogSNR(first + (last-first)*float64(i-1)/float64(n-1))
	}},
}

// maxSteps keeps a mistyped number of steps from asking for all memory.
const maxSteps = 1 << 20

// Times returns the steps+1 times of a grid: the first is 1, the last is end, and
// each is smaller than the one before. It is an error if there are no steps or
// more than 2²⁰, if end is not in [0, 1), if σ is 0 at the end of a grid that
// takes its logarithm, and if the steps are too short for float64 to tell the
// times apart.
func (g Grid) Times(s Schedule, steps int, end float64) ([]float64, error) {
	if int(g) >= len(grids) {
		return nil, fmt.Errorf("diffusion: unknown grid %d", uint8(g))
	}
	if steps < 1 || steps > maxSteps {
		return nil, fmt.Errorf("diffusion: a grid of times must have 1 to %d steps, not %d", maxSteps, steps)
	}
	if !(end >= 0 && end < 1) {
		return nil, fmt.Errorf("diffusion: a grid of times must end in [0, 1), not at %g", end)
	}
	if s.Sigma(end) == 0 && grids[g].positive {
		return nil, fmt.Errorf("diffusion: a %v grid of schedule %v cannot end at t = %g, where σ = 0", g, s, end)
	}

	times := make([]float64, steps+1)
	times[0], times[steps] = 1, end
	for i := 1; i < steps; i++ {
		t, err := grids[g].time(s, i, steps, float64(i)/float64(steps), end)
		if err != nil {
			return nil, err
		}
		times[i] = t
	}
	for i := range steps {
		if !(times[i] > times[i+1]) {
			return nil, fmt.Errorf("diffusion: %d steps of a %v grid are too many between t = 1 and %g: they cannot be told apart", steps, g, end)
		}
	}
	return times, nil
}

// String returns the grid's name: uniform, quadratic, geometric-sigma or
// uniform-logsnr.
func (g Grid) String() string {
	if int(g) < len(grids) {
		return grids[g].name
	}
	return fmt.Sprintf("Grid(%d)", uint8(g))
}

// MarshalText returns the grid's name. An unknown grid is an error.
func (g Grid) MarshalText() ([]byte, error) {
	if int(g) >= len(grids) {
		return nil, fmt.Errorf("diffusion: unknown grid %d", uint8(g))
	}
	return []byte(grids[g].name), nil
}

// UnmarshalText sets the grid by its name. An unknown name is an error and leaves
// the grid as it was.
func (g *Grid) UnmarshalText(text []byte) error {
	var names []string
	for i, row := range grids {
		if string(text) == row.name {
			*g = Grid(i)
			return nil
		}
		names = append(names, row.name)
	}
	return fmt.Errorf("diffusion: unknown grid %q: want one of %q", text, names)
}
