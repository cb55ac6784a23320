package diffusion

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/eidolon-hep/eidolon/kernels/philox"
)

// Method is a rule for the steps of a solver.
//
// The methods of DPM-Solver++ (arXiv:2211.01095) integrate
//
//	d(x/σ) = q dr,  r = α/σ
//
// with q as a polynomial in λ = log r, which leaves the integral of e^λ times that,
// and is exact for a constant q. The weights are those of the exact integral, which
// is also where the published multistep method of order 3 loses its order: it has
// half of the second difference. Multistep takes the polynomial through the ends of
// the steps before, at one evaluation of q per step; singlestep through points
// within the step. The missing history of the first steps is made up for by
// singlestep ones. Where α = 0 there is no log r: steps that begin or end there have
// the polynomial in r, of order 2 at most; those that end where σ = 0 are of order 1.
type Method uint8

// The methods.
const (
	DPM3M Method = iota // DPM-Solver++, multistep of order 3
	DPM2M               // DPM-Solver++, multistep of order 2
	DPM1                // DPM-Solver++ of order 1, which is DDIM
	DPM2S               // DPM-Solver++, singlestep of order 2
	DPM3S               // DPM-Solver++, singlestep of order 3
	Euler               // Euler's, in t
	Heun                // Heun's, of order 2, in t; Euler's for a step to σ = 0
)

var methodNames = [...]string{"dpm3m", "dpm2m", "dpm1", "dpm2s", "dpm3s", "euler", "heun"}

// String returns the method's name: dpm1, dpm2m, dpm3m, dpm2s, dpm3s, euler or heun.
func (m Method) String() string {
	if int(m) < len(methodNames) {
		return methodNames[m]
	}
	return fmt.Sprintf("Method(%d)", uint8(m))
}

// MarshalText returns the method's name. An unknown method is an error.
func (m Method) MarshalText() ([]byte, error) {
	if int(m) >= len(methodNames) {
		return nil, fmt.Errorf("diffusion: unknown solver %d", uint8(m))
	}
	return []byte(methodNames[m]), nil
}

// UnmarshalText sets the method by its name. An unknown name is an error and leaves
// the method as it was.
func (m *Method) UnmarshalText(text []byte) error {
	for i, name := range methodNames {
		if string(text) == name {
			*m = Method(i)
			return nil
		}
	}
	return fmt.Errorf("diffusion: unknown solver %q: want one of %q", text, methodNames)
}

// Solver says how the reverse-time equation is solved. The zero value asks for the
// defaults: 24 steps of [DPM3M] on the [Quadratic] grid of the [Linear] schedule.
type Solver struct {
	Method   Method   `json:"method"`
	Schedule Schedule `json:"schedule"`
	// Grid is where the steps are; by default [Quadratic].
	Grid *Grid `json:"grid,omitempty"`
	// Steps is their number; by default 24.
	Steps int `json:"steps,omitempty"`
	// Tolerance, when not 0, asks for steps of which none has a larger error, in
	// units of the events' standard deviation, in place of Method, Grid and Steps:
	// those of [DPM3S], compared with what order 2 makes of the same evaluations. The
	// steps are chosen by 64 rows of noise (and a context of zeros) and then the same
	// for all events, so that these stay independent of each other.
	Tolerance float64 `json:"tolerance,omitempty"`
}

// Check says which setting makes no sense, if any.
func (s Solver) Check() error {
	switch {
	case int(s.Method) >= len(methodNames):
		return fmt.Errorf("diffusion: unknown solver %d", uint8(s.Method))
	case s.Steps < 0 || s.Steps > mostSteps:
		return fmt.Errorf("diffusion: a solver cannot make %d steps: want 1 to %d", s.Steps, mostSteps)
	case s.Tolerance != 0 && !(s.Tolerance >= leastTolerance && s.Tolerance < 1):
		return fmt.Errorf("diffusion: the tolerance of a solver cannot be %g: want a small number, such as 1e-3, of at least %g", s.Tolerance, leastTolerance)
	}
	return nil
}

const (
	defaultSteps = 24
	mostSteps    = 1 << 12 // beyond which there are only more rounding errors

	leastTolerance = 1e-9 // below which there is nothing but these
)

// Times returns the times of the steps from t = 1 to where σ/α has fallen to width.
// A solver with a tolerance asks q.
func (s Solver) Times(q Posterior, width float64) ([]float64, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	end, err := s.Schedule.TimeAtLogSNR(-math.Log(width))
	if err != nil {
		return nil, fmt.Errorf("diffusion: schedule %v does not reach the width %g", s.Schedule, width)
	}
	if s.Tolerance > 0 {
		return s.adapt(q, end)
	}
	grid, steps := Quadratic, defaultSteps
	if s.Grid != nil {
		grid = *s.Grid
	}
	if s.Steps > 0 {
		steps = s.Steps
	}
	return grid.Times(s.Schedule, steps, end)
}

// Solve takes the rows of x (n×Dim), with the context c (n×Context), along the
// equation of q, from times[0] to the last of times, which rise or fall. It adds to
// logDet (n), unless nil, log|det ∂x_last/∂x_first|, and returns the number of
// evaluations of q. σ is nowhere 0, but for the last time without logDet. Rows are
// independent of each other if those of q are. When ctx is cancelled its error is returned.
func (s Solver) Solve(ctx context.Context, q Posterior, x, c []float32, logDet []float64, times []float64) (evaluations int, err error) {
	return s.solve(ctx, q, x, c, logDet, times, func(int) {})
}

// Follow is Solve, without a log-density, that calls at with each of the times, the first
// and the last too, and the rows as they are then. These are not to be kept.
func (s Solver) Follow(ctx context.Context, q Posterior, x, c []float32, times []float64, at func(t float64, x []float32)) (evaluations int, err error) {
	return s.solve(ctx, q, x, c, nil, times, func(i int) { at(times[i], x) })
}

// solve is Solve that calls at before the first step and after each.
func (s Solver) solve(ctx context.Context, q Posterior, x, c []float32, logDet []float64, times []float64, at func(i int)) (evaluations int, err error) {
	last := len(times) - 1
	for i, t := range times {
		if s.Schedule.Sigma(t) == 0 && (i < last || logDet != nil) {
			return 0, errors.New("diffusion: σ = 0 can only be the end of a path, and one without a log-density")
		}
	}
	n := len(x) / max(q.Dim(), 1)
	if len(x) != n*q.Dim() || len(c) != n*q.Context() || logDet != nil && len(logDet) != n {
		return 0, fmt.Errorf("diffusion: %d and %d values do not make rows of %d features and %d of the context", len(x), len(c), q.Dim(), q.Context())
	}
	p := &path{ctx: ctx, Solver: s, q: q, x: x, c: c, logDet: logDet, y: make([]float32, len(x))}
	if s.Tolerance > 0 {
		p.Method = DPM3S
	}
	if last >= 0 {
		at(0)
	}
	for i := range last {
		p.step(times[i], times[i+1])
		if err := ctx.Err(); err != nil {
			return p.evaluations, err
		}
		at(i + 1)
	}
	if logDet != nil && p.Method != Euler && p.Method != Heun {
		more := float64(q.Dim()) * math.Log(s.Schedule.Sigma(times[last])/s.Schedule.Sigma(times[0]))
		for i := range logDet {
			logDet[i] += more
		}
	}
	return p.evaluations, nil
}

// path is a solution on its way.
type path struct {
	Solver
	ctx    context.Context
	q      Posterior
	x, c   []float32
	logDet []float64
	y      []float32 // a point within a step

	spare       []*stage
	history     []*stage // at the ends of the steps before, the last first
	evaluations int
}

// stage is q somewhere on the path.
type stage struct {
	lambda float64 // log(α/σ) there
	q      []float32
	div    []float64 // σ ∇·q: the divergence in terms of x/σ
}

// evaluate returns q at x and time t.
func (p *path) evaluate(x []float32, t float64) *stage {
	var v *stage
	if k := len(p.spare); k > 0 {
		v, p.spare = p.spare[k-1], p.spare[:k-1]
	} else {
		v = &stage{q: make([]float32, len(x))}
		if p.logDet != nil {
			v.div = make([]float64, len(p.logDet))
		}
	}
	sigma := p.Schedule.Sigma(t)
	p.q.Mean(p.ctx, v.q, v.div, x, p.c, p.Schedule.Alpha(t), sigma)
	for i := range v.div {
		v.div[i] *= sigma
	}
	v.lambda = p.Schedule.LogSNR(t)
	p.evaluations++
	return v
}

func (p *path) free(stages ...*stage) { p.spare = append(p.spare, stages...) }

// term is a stage with its weight.
type term struct {
	*stage
	weight float64
}

// advance stores in y the solution of x at time to, where between the times q is, in
// the mean over r, the sum of the terms.
func (p *path) advance(y, x []float32, from, to float64, terms ...term) {
	a, b := p.Schedule.Step(from, to)
	for i, v := range x {
		sum := 0.0
		for _, t := range terms {
			sum += t.weight * float64(t.q[i])
		}
		y[i] = float32(a*float64(v) + b*sum)
	}
}

// finish ends a step as advance does, and takes the log-determinant along.
func (p *path) finish(from, to float64, terms ...term) {
	p.advance(p.x, p.x, from, to, terms...)
	if p.logDet == nil {
		return
	}
	_, b := p.Schedule.Step(from, to)
	dr := b / p.Schedule.Sigma(to)
	for i := range p.logDet {
		for _, t := range terms {
			p.logDet[i] += dr * t.weight * t.div[i]
		}
	}
}

// step goes from one time to the next.
func (p *path) step(from, to float64) {
	if p.Method == Euler || p.Method == Heun {
		p.stepInTime(from, to)
		return
	}
	here := p.evaluate(p.x, from)
	h := p.Schedule.LogSNR(to) - here.lambda
	history := len(p.history)
	keep := 0 // stages that later steps want
	switch {
	case p.Method == DPM1 || p.Schedule.Sigma(to) == 0:
		p.finish(from, to, term{here, 1})
	case math.IsInf(h, 0): // α = 0 at one of the ends
		p.advance(p.y, p.x, from, to, term{here, 1})
		there := p.evaluate(p.y, to)
		p.finish(from, to, term{here, 0.5}, term{there, 0.5})
		p.free(there)
	case p.Method == DPM3S:
		second, third := p.within(here, from, h)
		p.finish(from, to, term{here, 1 - moment1(h)*3/(2*h)}, term{third, moment1(h) * 3 / (2 * h)})
		p.free(second, third)
	case p.Method == DPM2S || history == 0:
		middle := p.timeAt(here.lambda + h/2)
		p.advance(p.y, p.x, from, middle, term{here, 1})
		second := p.evaluate(p.y, middle)
		p.finish(from, to, term{here, 1 - moment1(h)*2/h}, term{second, moment1(h) * 2 / h})
		p.free(second)
		keep = 2
	case p.Method == DPM2M || history == 1:
		before := p.history[0]
		d := moment1(h) / (here.lambda - before.lambda)
		p.finish(from, to, term{here, 1 + d}, term{before, -d})
		keep = 2
	default:
		p.finish(from, to, p.newton(here, h)...)
		keep = 2
	}
	p.history = append([]*stage{here}, p.history...)
	for len(p.history) > keep {
		k := len(p.history) - 1
		p.free(p.history[k])
		p.history = p.history[:k]
	}
}

// within returns q at a third and at two thirds of a step of h in log(α/σ).
func (p *path) within(here *stage, from, h float64) (second, third *stage) {
	t := p.timeAt(here.lambda + h/3)
	p.advance(p.y, p.x, from, t, term{here, 1})
	second = p.evaluate(p.y, t)
	t = p.timeAt(here.lambda + 2*h/3)
	d := moment1(2*h/3) * 3 / h
	p.advance(p.y, p.x, from, t, term{here, 1 - d}, term{second, d})
	return second, p.evaluate(p.y, t)
}

// newton returns the terms of the parabola through q here and at the last two ends of
// steps, in Newton's form: q0 + l f01 + l (l−l1) f012, where l is 0 here.
func (p *path) newton(here *stage, h float64) []term {
	l1, l2 := p.history[0].lambda-here.lambda, p.history[1].lambda-here.lambda
	m1, m2 := moment1(h), moment2(h)
	w01, w012 := m1, m2-l1*m1 // of the divided differences
	w01 -= w012 / l2          // f012 = (f12 − f01)/l2
	w12 := w012 / l2
	// f01 = (q1 − q0)/l1, f12 = (q2 − q1)/(l2 − l1)
	d01, d12 := w01/l1, w12/(l2-l1)
	return []term{{here, 1 - d01}, {p.history[0], d01 - d12}, {p.history[1], d12}}
}

// timeAt is the inverse of LogSNR, for a value between two that were taken.
func (p *path) timeAt(lambda float64) float64 {
	t, err := p.Schedule.TimeAtLogSNR(lambda)
	if err != nil { // by rounding, at the very end
		return 0
	}
	return t
}

// stepInTime steps in the variable t.
func (p *path) stepInTime(from, to float64) {
	here := p.evaluate(p.x, from)
	dt := to - from
	type slope struct {
		*stage
		lambda, mu, inverse float64 // the coefficients; 1/σ
	}
	at := func(v *stage, t, weight float64) slope {
		return slope{v, weight * p.Schedule.Lambda(t), weight * p.Schedule.Mu(t), 1 / p.Schedule.Sigma(t)}
	}
	first := at(here, from, dt)
	for i, v := range p.x {
		p.y[i] = float32(float64(v) + first.lambda*float64(v) + first.mu*float64(here.q[i]))
	}
	slopes := []slope{first}
	if p.Method == Heun && p.Schedule.Sigma(to) > 0 {
		there := p.evaluate(p.y, to)
		slopes = []slope{at(here, from, dt/2), at(there, to, dt/2)}
		a, b := slopes[0], slopes[1]
		for i, v := range p.x {
			p.y[i] = float32(float64(v) + a.lambda*float64(v) + a.mu*float64(here.q[i]) + b.lambda*float64(p.y[i]) + b.mu*float64(there.q[i]))
		}
	}
	copy(p.x, p.y)
	for i := range p.logDet {
		for _, s := range slopes {
			p.logDet[i] += s.lambda*float64(p.q.Dim()) + s.mu*s.inverse*s.div[i]
		}
	}
	for _, s := range slopes {
		p.free(s.stage)
	}
}

// moment1 and moment2 are the means of l and l² over a step of length h in l = λ − λ_s,
// with the weight e^l:
//
//	∫₀ʰ eˡ lᵏ dl / ∫₀ʰ eˡ dl
func moment1(h float64) float64 { return tail(h, 2) / tail(h, 1) * -1 }
func moment2(h float64) float64 { return tail(h, 3) / tail(h, 1) * 2 }

// tail is the series of exp(−h) from the power k on, Σ_{i≥k} (−h)ⁱ/i!.
func tail(h float64, k int) float64 {
	if math.Abs(h) > 1 {
		sum, term := math.Exp(-h), 1.0
		for i := range k {
			sum -= term
			term *= -h / float64(i+1)
		}
		return sum
	}
	term := 1.0
	for i := range k {
		term *= -h / float64(i+1)
	}
	sum := 0.0
	for i := k + 1; math.Abs(term) > 1e-18*math.Abs(sum); i++ {
		sum += term
		term *= -h / float64(i)
	}
	return sum
}

// The noise that chooses the steps of a solver with a tolerance.
const (
	pilots      = 64
	streamPilot = 1 << 58
)

// adapt returns times from 1 to end between which steps of order 3 keep the tolerance.
func (s Solver) adapt(q Posterior, end float64) ([]float64, error) {
	p := &path{ctx: context.Background(), Solver: s, q: q, x: make([]float32, pilots*q.Dim()), c: make([]float32, pilots*q.Context())}
	p.Method, p.y = DPM3S, make([]float32, len(p.x))
	philox.Normal(p.x, 0, streamPilot, 0)

	// The first step, from where α = 0, has an error of r³; order 3 starts after it.
	r := math.Cbrt(s.Tolerance)
	t, err := s.Schedule.TimeAtLogSNR(math.Log(r))
	if err != nil || t <= end {
		return []float64{1, end}, nil
	}
	times := []float64{1, t}
	p.step(1, t)
	target := s.Schedule.LogSNR(end)
	if math.IsInf(target, 1) { // the last step, to σ = 0, is one of order 1
		target = max(-math.Log(s.Tolerance), s.Schedule.LogSNR(t)+1)
	}
	const most = 1 << 10 // steps, with those that were too long
	before, y2 := make([]float32, len(p.x)), make([]float32, len(p.x))
	h := 0.3
	lambda := s.Schedule.LogSNR(t)
	for tries := 0; ; tries++ {
		if tries > most {
			return nil, fmt.Errorf("diffusion: a tolerance of %g takes more than %d steps: it is below the rounding errors", s.Tolerance, most)
		}
		last := h >= target-lambda
		if last {
			h = target - lambda
		}
		to := p.timeAt(lambda + h)
		here := p.evaluate(p.x, t)
		second, third := p.within(here, t, h)
		w2, w3 := moment1(h)*3/h, moment1(h)*3/(2*h)
		p.advance(y2, p.x, t, to, term{here, 1 - w2}, term{second, w2})
		copy(before, p.x)
		p.advance(p.x, p.x, t, to, term{here, 1 - w3}, term{third, w3})
		p.free(here, second, third)
		norm := 0.0
		for i, v := range p.x {
			norm += float64(v-y2[i]) * float64(v-y2[i])
		}
		norm = math.Sqrt(norm/float64(len(p.x))) / s.Tolerance
		if math.IsNaN(norm) {
			return nil, errors.New("diffusion: the posterior mean is not finite")
		}
		factor := min(max(0.9*math.Pow(max(norm, 1e-9), -1./3), 0.2), 3)
		if norm > 1 {
			copy(p.x, before)
			h *= min(factor, 0.9)
			continue
		}
		lambda, t = lambda+h, to
		times = append(times, to)
		if last {
			break
		}
		h *= factor
	}
	if t != end && s.Schedule.Sigma(end) == 0 {
		return append(times, end), nil
	}
	times[len(times)-1] = end
	return times, nil
}
