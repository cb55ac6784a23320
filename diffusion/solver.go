package diffusion

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

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

// methods is the table of the methods.
var methods = [...]struct {
	name   string
	order  int
	fewest int  // steps from pure noise of which one, at least, is of the order
	inTime bool // the variable is t, not log(α/σ)
	// step takes p.x from one time to another, a step of h in log(α/σ), where q here is
	// known. It returns how many stages the next steps want to look back at.
	step func(p *path, here *stage, from, to, h float64) (keep int)
}{
	DPM3M: {"dpm3m", 3, 4, false, (*path).multistep3},
	DPM2M: {"dpm2m", 2, 1, false, (*path).multistep2},
	DPM1:  {"dpm1", 1, 1, false, (*path).order1},
	DPM2S: {"dpm2s", 2, 1, false, (*path).singlestep2},
	DPM3S: {"dpm3s", 3, 2, false, (*path).singlestep3},
	Euler: {"euler", 1, 1, true, (*path).euler},
	Heun:  {"heun", 2, 1, true, (*path).heun},
}

// Order returns the order of the method: the error of a path falls as its power of the length
// of the steps.
func (m Method) Order() int { return methods[m].order }

// String returns the method's name: dpm1, dpm2m, dpm3m, dpm2s, dpm3s, euler or heun.
func (m Method) String() string {
	if int(m) < len(methods) {
		return methods[m].name
	}
	return fmt.Sprintf("Method(%d)", uint8(m))
}

// MarshalText returns the method's name. An unknown method is an error.
func (m Method) MarshalText() ([]byte, error) {
	if int(m) >= len(methods) {
		return nil, fmt.Errorf("diffusion: unknown solver %d", uint8(m))
	}
	return []byte(methods[m].name), nil
}

// UnmarshalText sets the method by its name. An unknown name is an error and leaves
// the method as it was.
func (m *Method) UnmarshalText(text []byte) error {
	var names []string
	for i, row := range methods {
		if string(text) == row.name {
			*m = Method(i)
			return nil
		}
		names = append(names, row.name)
	}
	return fmt.Errorf("diffusion: unknown solver %q: want one of %q", text, names)
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
	case int(s.Method) >= len(methods):
		return fmt.Errorf("diffusion: unknown solver %d", uint8(s.Method))
	case s.Steps < 0 || s.Steps > mostSteps:
		return fmt.Errorf("diffusion: a solver cannot make %d steps: want 1 to %d", s.Steps, mostSteps)
	case s.Tolerance != 0 && !(s.Tolerance >= leastTolerance && s.Tolerance < 1):
		return fmt.Errorf("diffusion: the tolerance of a solver cannot be %g: want a small number, such as 1e-3, of at least %g", s.Tolerance, leastTolerance)
	}
	return nil
}

// Complete returns the solver with the defaults in the place of zeros, and with the method that
// one with a tolerance has.
func (s Solver) Complete() Solver {
	if s.Tolerance > 0 {
		return Solver{Method: DPM3S, Schedule: s.Schedule, Tolerance: s.Tolerance}
	}
	if s.Grid == nil {
		grid := Quadratic
		s.Grid = &grid
	}
	s.Steps = cmp.Or(s.Steps, defaultSteps)
	return s
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
	if err := s.Schedule.checkWidth(width); err != nil {
		return nil, err
	}
	end := 0.0
	if width > s.Schedule.sigma0 {
		var err error
		if end, err = s.Schedule.TimeAtLogSNR(-math.Log(width)); err != nil {
			return nil, err
		}
	}
	if s.Tolerance > 0 {
		return s.adapt(q, end)
	}
	s = s.Complete()
	return s.Grid.Times(s.Schedule, s.Steps, end)
}

// Solve takes the rows of x (n×Dim), with the context c (n×Context), along the
// equation of q, from times[0] to the last of times, which rise or fall. It adds to
// logDet (n), unless nil, log|det ∂x_last/∂x_first|, and returns the number of
// evaluations of q. σ is nowhere 0, but for the last time without logDet. Rows are
// independent of each other if those of q are. When ctx is cancelled its error is returned.
func (s Solver) Solve(ctx context.Context, q Posterior, x, c []float32, logDet []float64, times []float64) (evaluations int, err error) {
	return s.solve(ctx, q, x, c, logDet, times, func(*path, int) {})
}

// Follow is Solve, without a log-density, that calls at with each of the times, the first
// and the last too, and the rows as they are then. These are not to be kept.
func (s Solver) Follow(ctx context.Context, q Posterior, x, c []float32, times []float64, at func(t float64, x []float32)) (evaluations int, err error) {
	return s.solve(ctx, q, x, c, nil, times, func(_ *path, i int) { at(times[i], x) })
}

// visit is Solve, without a log-density, along times that fall. It calls at with each of the
// stops, which fall too, and the rows as they are then, which are not to be kept. A stop
// between two times is reached by a shorter step from the first of them, so that the path does
// not depend on the stops. Beyond the last time the rows are those of the last time.
func (s Solver) visit(ctx context.Context, q Posterior, x, c []float32, times, stops []float64, at func(stop int, x []float32)) error {
	next := 0
	_, err := s.solve(ctx, q, x, c, nil, times, func(p *path, i int) {
		for ; next < len(stops) && (i == len(times)-1 || stops[next] > times[i+1]); next++ {
			there := x
			if i < len(times)-1 && stops[next] < times[i] {
				there = p.aside(times[i], stops[next])
			}
			at(next, there)
		}
	})
	return err
}

// solve is Solve that calls at before the first step and after each.
func (s Solver) solve(ctx context.Context, q Posterior, x, c []float32, logDet []float64, times []float64, at func(p *path, i int)) (evaluations int, err error) {
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
		at(p, 0)
	}
	for i := range last {
		p.step(times[i], times[i+1])
		if err := ctx.Err(); err != nil {
			return p.evaluations, err
		}
		at(p, i+1)
	}
	if logDet != nil && !methods[p.Method].inTime { // what has been summed up is that of x/σ
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

// aside returns the rows at a time after that at which they are, and leaves them where they are.
func (p *path) aside(from, to float64) []float32 {
	side := *p
	side.x, side.y = slices.Clone(p.x), make([]float32, len(p.x))
	side.history, side.spare = slices.Clone(p.history), nil // p goes on with its stages
	side.step(from, to)
	return side.x
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
	method := methods[p.Method]
	here := p.evaluate(p.x, from)
	h := p.Schedule.LogSNR(to) - here.lambda
	keep := 0
	switch {
	case method.inTime:
		method.step(p, here, from, to, h)
	case p.Schedule.Sigma(to) == 0:
		p.order1(here, from, to, h)
	case math.IsInf(h, 0) && method.order > 1: // α = 0 at one of the ends
		p.trapezoid(here, from, to)
	default:
		keep = method.step(p, here, from, to, h)
	}
	p.history = append([]*stage{here}, p.history...)
	for len(p.history) > keep {
		k := len(p.history) - 1
		p.free(p.history[k])
		p.history = p.history[:k]
	}
}

// order1 takes q for constant.
func (p *path) order1(here *stage, from, to, _ float64) (keep int) {
	p.finish(from, to, term{here, 1})
	return 0
}

// trapezoid takes q for linear in α/σ.
func (p *path) trapezoid(here *stage, from, to float64) {
	p.advance(p.y, p.x, from, to, term{here, 1})
	there := p.evaluate(p.y, to)
	p.finish(from, to, term{here, 0.5}, term{there, 0.5})
	p.free(there)
}

// singlestep2 looks at the middle of the step, too.
func (p *path) singlestep2(here *stage, from, to, h float64) (keep int) {
	middle := p.timeAt(here.lambda + h/2)
	p.advance(p.y, p.x, from, middle, term{here, 1})
	second := p.evaluate(p.y, middle)
	p.finish(from, to, term{here, 1 - moment1(h)*2/h}, term{second, moment1(h) * 2 / h})
	p.free(second)
	return 2
}

// singlestep3 looks at a third and at two thirds of the step, too.
func (p *path) singlestep3(here *stage, from, to, h float64) (keep int) {
	second, third := p.within(here, from, h)
	p.finish(from, to, term{here, 1 - moment1(h)*3/(2*h)}, term{third, moment1(h) * 3 / (2 * h)})
	p.free(second, third)
	return 0
}

// multistep2 looks back at the end of the step before.
func (p *path) multistep2(here *stage, from, to, h float64) (keep int) {
	if len(p.history) == 0 {
		return p.singlestep2(here, from, to, h)
	}
	before := p.history[0]
	d := moment1(h) / (here.lambda - before.lambda)
	p.finish(from, to, term{here, 1 + d}, term{before, -d})
	return 2
}

// multistep3 looks back at the ends of the two steps before.
func (p *path) multistep3(here *stage, from, to, h float64) (keep int) {
	if len(p.history) < 2 {
		return p.multistep2(here, from, to, h)
	}
	p.finish(from, to, p.newton(here, h)...)
	return 2
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

// slope is λ x + μ q somewhere on the path, times the weight of the place in a step of t.
type slope struct {
	*stage
	lambda, mu, inverse float64 // the weighted coefficients; 1/σ
}

func (p *path) slope(at *stage, t, weight float64) slope {
	return slope{at, weight * p.Schedule.Lambda(t), weight * p.Schedule.Mu(t), 1 / p.Schedule.Sigma(t)}
}

// euler makes Euler's step in t.
func (p *path) euler(here *stage, from, to, _ float64) (keep int) {
	s := p.slope(here, from, to-from)
	p.alongSlope(s)
	p.endInTime(s)
	return 0
}

// heun makes Heun's step in t.
func (p *path) heun(here *stage, from, to, h float64) (keep int) {
	if p.Schedule.Sigma(to) == 0 {
		return p.euler(here, from, to, h)
	}
	dt := to - from
	p.alongSlope(p.slope(here, from, dt))
	there := p.evaluate(p.y, to)
	a, b := p.slope(here, from, dt/2), p.slope(there, to, dt/2)
	for i, v := range p.x {
		p.y[i] = float32(float64(v) + a.lambda*float64(v) + a.mu*float64(here.q[i]) + b.lambda*float64(p.y[i]) + b.mu*float64(there.q[i]))
	}
	p.endInTime(a, b)
	p.free(there)
	return 0
}

// alongSlope stores in y where one slope leads.
func (p *path) alongSlope(s slope) {
	for i, v := range p.x {
		p.y[i] = float32(float64(v) + s.lambda*float64(v) + s.mu*float64(s.q[i]))
	}
}

// endInTime ends a step in t at y, and takes the log-determinant along.
func (p *path) endInTime(slopes ...slope) {
	copy(p.x, p.y)
	for i := range p.logDet {
		for _, s := range slopes {
			p.logDet[i] += s.lambda*float64(p.q.Dim()) + s.mu*s.inverse*s.div[i]
		}
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
