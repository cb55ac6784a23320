package diffusion

import (
	"math"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/training"
)

func TestSolverOptions(t *testing.T) {
	trained := Solver{Method: Heun, Schedule: Sqrt(), Steps: 12}
	adaptive := Solver{Tolerance: 1e-3}
	for _, c := range []struct {
		options SolverOptions
		of      Solver
		want    Solver
	}{
		{SolverOptions{}, trained, trained},
		{SolverOptions{Steps: 5}, trained, Solver{Method: Heun, Schedule: Sqrt(), Steps: 5}},
		{SolverOptions{Schedule: "shifted:0.1"}, trained, Solver{Method: Heun, Schedule: shiftedOf(t, 0.1), Steps: 12}},
		{SolverOptions{Schedule: "linear"}, adaptive, adaptive},
		{SolverOptions{Method: "dpm2s"}, trained, Solver{Method: DPM2S, Schedule: Sqrt(), Steps: 12}},
		{SolverOptions{Method: "dpm2s", Order: 2}, trained, Solver{Method: DPM2S, Schedule: Sqrt(), Steps: 12}},
		{SolverOptions{Order: 1}, trained, Solver{Method: DPM1, Schedule: Sqrt(), Steps: 12}},
		{SolverOptions{Order: 2}, trained, Solver{Method: DPM2M, Schedule: Sqrt(), Steps: 12}},
		{SolverOptions{Order: 3, Steps: 4}, trained, Solver{Method: DPM3M, Schedule: Sqrt(), Steps: 4}},
		{SolverOptions{Tolerance: 1e-4}, trained, Solver{Schedule: Sqrt(), Tolerance: 1e-4}},
		{SolverOptions{Steps: 8}, adaptive, Solver{Steps: 8}},
	} {
		if got, err := c.options.Apply(c.of); got != c.want || err != nil {
			t.Errorf("%+v of %v is %v (%v), want %v", c.options, c.of, got, err, c.want)
		}
	}
	for says, options := range map[string]SolverOptions{
		"order 4":                     {Order: 4},
		"order -1":                    {Order: -1},
		"heun is of order 2, not 3":   {Method: "heun", Order: 3},
		"order 3 from 4 steps":        {Order: 3, Steps: 3},
		"tolerance chooses the steps": {Tolerance: 0.1, Steps: 3},
		"solver or order goes":        {Tolerance: 0.1, Order: 3},
		"cannot be 2":                 {Tolerance: 2},
		"unknown solver":              {Method: "rk4"},
		"unknown schedule":            {Schedule: "cosine"},
		"σ₀":                          {Schedule: "shifted:1"},
		"cannot make -3 steps":        {Steps: -3},
	} {
		if _, err := options.Apply(Solver{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, want “%s”", options, err, says)
		}
	}
}

// TestFewestSteps holds the methods to the number of steps from which on they have their order: with
// one less, no step of a path from pure noise is of that order.
func TestFewestSteps(t *testing.T) {
	q, x := oneNormal(), noise(2*200)
	for m, row := range methods {
		if row.order < 3 {
			continue
		}
		steps := func(n int) *path {
			s := Solver{Method: Method(m), Steps: n}
			times, err := s.Times(q, 0.1)
			if err != nil {
				t.Fatal(err)
			}
			p := &path{ctx: t.Context(), Solver: s, q: q, x: append([]float32(nil), x...), y: make([]float32, len(x))}
			for i := range n {
				p.step(times[i], times[i+1])
			}
			return p
		}
		// A singlestep of order 3 takes 3 evaluations, the first step 2, and multistep begins with
		// those of order 2 that take 2, 2 and 1.
		want := map[Method][2]int{DPM3S: {2, 5}, DPM3M: {5, 6}}[Method(m)]
		if got := [2]int{steps(row.fewest - 1).evaluations, steps(row.fewest).evaluations}; got != want {
			t.Errorf("%s: %d evaluations in %d steps and %d in one more, want %d", row.name, got[0], row.fewest-1, got[1], want)
		}
	}
}

// TestSchedulesLeadToTheSameEvents draws from one model by the paths of all schedules: the equation
// is the same in α/σ, so only the errors of the solver differ.
func TestSchedulesLeadToTheSameEvents(t *testing.T) {
	const n = 300
	width := 0.2
	k := newKernels(t, threeBlobs().draw(1000, 1), KernelsOptions{Width: &width, Solver: Solver{Method: DPM3S, Steps: 80}})
	want := make([]float32, 2*n)
	must(t, k.Sample(t.Context(), want, nil, 1, 0, 0))
	for _, schedule := range allSchedules(t) {
		solver := k.Solver()
		solver.Schedule = schedule
		must(t, k.SetSolver(solver))
		got := make([]float32, 2*n)
		must(t, k.Sample(t.Context(), got, nil, 1, 0, 0))
		if e := distance(got, want); !(e < 2e-3) {
			t.Errorf("%v: events are %.2g from those of the linear schedule", schedule, e)
		}
	}
	// A path that ends above the width of the model leads nowhere, and changes nothing.
	before := k.Solver()
	if err := k.SetSolver(Solver{Schedule: shiftedOf(t, 0.3)}); err == nil || k.Solver() != before {
		t.Errorf("a path that ends at 0.3 for a width of %g: %v, and the solver is %v", width, err, k.Solver())
	}
	if _, err := NewKernels(2, 0, KernelsOptions{Width: &width, Solver: Solver{Schedule: shiftedOf(t, 0.3)}}); err == nil {
		t.Error("no error for a width below σ₀")
	}
	wide := newKernels(t, threeBlobs().draw(1000, 1), KernelsOptions{Solver: Solver{Schedule: shiftedOf(t, 0.9)}})
	if wide.Width() != 0.9 {
		t.Errorf("the width is %g where paths end at σ₀ = 0.9", wide.Width())
	}
	d, err := NewDenoiser(2, 0, 1, DenoiserOptions{Hidden: []int{4}, Solver: Solver{Schedule: shiftedOf(t, 0.3)}})
	if err != nil || d.Width() != 0.3 {
		t.Errorf("a denoiser whose paths end at σ₀ = 0.3 has the width %g (%v)", d.Width(), err)
	}
}

// TestDensitySolver integrates the log-density of a denoiser in other steps than by default.
func TestDensitySolver(t *testing.T) {
	d, err := NewDenoiser(2, 0, 1, DenoiserOptions{Hidden: []int{8}})
	must(t, err)
	must(t, d.adopt(t.Context(), threeBlobs().draw(500, 1), training.Data{}, 1))
	x := threeBlobs().draw(50, 2).X
	byDefault, p := make([]float64, 50), make([]float64, 50)
	must(t, d.LogDensity(t.Context(), byDefault, x, nil))
	for _, c := range []struct {
		options SolverOptions
		most    float64
	}{{SolverOptions{Steps: 200}, 0.02}, {SolverOptions{Schedule: "sqrt", Method: "dpm3s", Steps: 60}, 0.02}, {SolverOptions{Tolerance: 1e-4}, 0.02}} {
		solver, err := c.options.Apply(d.DensitySolver())
		must(t, err)
		must(t, d.SetDensitySolver(solver))
		must(t, d.LogDensity(t.Context(), p, x, nil))
		worst := 0.0
		for i, l := range p {
			worst = max(worst, math.Abs(l-byDefault[i]))
		}
		if worst == 0 || worst > c.most {
			t.Errorf("%+v: log p differs by %.2g from that by default", c.options, worst)
		}
	}
	if d.Solver() != (Solver{}) {
		t.Errorf("the solver of events is %v", d.Solver())
	}
}
