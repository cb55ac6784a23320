package measure

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/internal/known"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// Accuracy is what limits the accuracy of kernel sums: the number of events K that they are over, and the
// solver of the reverse-time equation.
type Accuracy struct {
	Density string       `json:"density"`
	Dim     int          `json:"dim"`
	Events  []SampleSize `json:"events"`
	Slopes  Slopes       `json:"slopes"`
	// The solvers are compared on sums over SolverEvents events.
	SolverEvents int           `json:"solver_events"`
	Solvers      []SolverError `json:"solvers"`
}

// SampleSize is what sums over so many events reach, as a mean of several samples.
type SampleSize struct {
	Events  int     `json:"events"`
	Samples int     `json:"samples"`
	Width   float64 `json:"sigma_min"`
	KL      Value   `json:"kl"`   // KL(truth ‖ model), in nats, if the equation is solved exactly
	Bulk    Value   `json:"bulk"` // the part of it from the half of the events where the density is largest
	// Solver are the KL of the events that the default solver draws, in so many steps, from those of an
	// exact solution.
	Solver []StepsKL `json:"solver"`
	// Enough is the smallest of these numbers of steps with which the solver costs less than the
	// choice of the events, KL; 0 if there is none.
	Enough  int     `json:"enough_steps"`
	Seconds float64 `json:"train_seconds"`
	Speed   float64 `json:"events_per_second"` // with the default solver
}

// StepsKL is what a number of steps costs.
type StepsKL struct {
	Steps int   `json:"steps"`
	KL    Value `json:"kl"`
}

// Value is a number and its statistical error.
type Value struct {
	Value float64 `json:"value"`
	Error float64 `json:"error"`
}

// Slopes are powers of the number of events K.
type Slopes struct {
	Theory float64 `json:"theory"` // see [SlopeOfTheory]
	KL     Value   `json:"kl"`
	Bulk   Value   `json:"bulk"`
}

// SolverError are the errors of a solver by its number of steps.
type SolverError struct {
	Schedule diffusion.Schedule `json:"schedule"`
	Method   diffusion.Method   `json:"solver"`
	Order    float64            `json:"order"` // with which the smallest errors above rounding fall; 0 if there are none
	Steps    []StepsError       `json:"steps"`
	Seconds  float64            `json:"seconds"` // for a step of 1000 events
}

// StepsError is what so many steps reach for so many evaluations of q.
type StepsError struct {
	Steps       int `json:"steps"`
	Evaluations int `json:"evaluations"`
	// Error is the median distance between the end of a path and that of the exact solution, in
	// white space, where the events have the standard deviation 1 in each direction.
	Error float64 `json:"x_error"`
}

// SlopeOfTheory is the power of the number of events K with which KL(truth ‖ model) falls, for a
// kernel density estimate with Gaussian kernels of the best width h in D dimensions. To second order
// in the error of the estimate p̂, KL is ½ ∫ (p̂ − p)²/p. The bias of p̂ is ½ h² Δp, its
// variance p/((4π)^(D/2) K h^D), so that
//
//	KL ≈ ⅛ h⁴ ∫ (Δp)²/p + V/(2 (4π)^(D/2) K h^D)
//
// where V is the volume in which there are events. The best h falls as K^(−1/(4+D)), and then both
// terms as K^(−4/(4+D)) (Hall, Ann. Stat. 15 (1987) 1491). This holds for a density with two
// derivatives, where a kernel has many events, K h^D p ≫ 1. Tails have no such place: V grows with
// the logarithm of K, and KL falls more slowly. Along sharp edges
// the first term is of the order h, and KL falls as K^(−1/(1+D)).
func SlopeOfTheory(dim int) float64 { return -4 / float64(4+dim) }

// sizes are the samples that are studied, their number by their size.
var sizes = []struct{ events, samples int }{{300, 12}, {1000, 8}, {5000, 6}, {20000, 4}, {100000, 2}}

// The numbers of steps that are tried: for errors of x, and for KL.
var (
	numbersOfSteps = []int{6, 8, 12, 16, 24, 32, 48, 64, 96, 128}
	stepsForKL     = []int{8, 12, 16, 24, 32}
)

const (
	studyFresh  = 20000 // true events that judge a sample
	studyPaths  = 2000  // noise that becomes events
	studyEvents = 5000  // that the solvers are compared on
	fineSteps   = 128   // of a solution that counts as exact, in KL
	finestSteps = 512   // and in x
	// What the sums leave out where solutions are compared closely.
	studyEpsilon = 1e-7
)

// studied are the solvers that are compared.
var studied = []diffusion.Method{diffusion.DPM1, diffusion.DPM2M, diffusion.DPM3M, diffusion.DPM2S, diffusion.DPM3S, diffusion.Heun}

// MeasureAccuracy studies kernel sums over up to so many events of a known density. progress is
// called before each part.
func MeasureAccuracy(ctx context.Context, d known.Density, most int, progress func(what string)) (*Accuracy, error) {
	a := &Accuracy{Density: d.Name, Dim: d.Dim(), Slopes: Slopes{Theory: SlopeOfTheory(d.Dim())}, SolverEvents: min(studyEvents, most)}
	for _, size := range sizes {
		if size.events > most {
			break
		}
		progress(fmt.Sprintf("%d events", size.events))
		s, err := measureSize(ctx, d, size.events, size.samples)
		if err != nil {
			return nil, err
		}
		a.Events = append(a.Events, s)
	}
	a.Slopes.KL = a.slope(func(s SampleSize) Value { return s.KL })
	a.Slopes.Bulk = a.slope(func(s SampleSize) Value { return s.Bulk })
	progress("solvers")
	var err error
	a.Solvers, err = measureSolvers(ctx, d, a.SolverEvents)
	return a, err
}

// rowsOf returns events as a matrix.
func rowsOf(t *rootio.Table) training.Data {
	d := training.Data{Dim: len(t.Columns), X: make([]float32, t.Len()*len(t.Columns))}
	for j, c := range t.Columns {
		for i, v := range c.Float64s() {
			d.X[i*d.Dim+j] = float32(v)
		}
	}
	return d
}

// The seeds of samples: of those that are learnt, and of the events that judge them.
const seedLearn, seedJudge, seedNoise = 1000, 2000, 3000

// learn returns the kernel sums over n events.
func learn(ctx context.Context, d known.Density, seed uint64, n int) (*diffusion.Kernels, error) {
	k, err := diffusion.NewKernels(d.Dim(), 0, diffusion.KernelsOptions{})
	if err != nil {
		return nil, err
	}
	_, err = k.Train(ctx, rowsOf(d.Table(seedLearn+seed, 0, n)), training.Data{}, training.Options{})
	return k, err
}

// measureSize measures sums over n events, for several samples.
func measureSize(ctx context.Context, d known.Density, n, samples int) (SampleSize, error) {
	s := SampleSize{Events: n, Samples: samples}
	var kl, bulk judged
	for i := range samples {
		begin := time.Now()
		k, err := learn(ctx, d, uint64(i), n)
		if err != nil {
			return s, err
		}
		s.Seconds += time.Since(begin).Seconds() / float64(samples)
		s.Width += k.Width() / float64(samples)
		if err := judge(ctx, d, k, uint64(i), &kl, &bulk); err != nil {
			return s, err
		}
		if i < samples-1 {
			continue
		}
		x := make([]float32, studyPaths*d.Dim())
		begin = time.Now()
		if err := k.Sample(ctx, x, nil, seedNoise, 0, 0); err != nil {
			return s, err
		}
		s.Speed = studyPaths / time.Since(begin).Seconds()
		p, err := newPaths(ctx, k)
		if err != nil {
			return s, err
		}
		if s.Solver, err = p.divergences(ctx, diffusion.Solver{}); err != nil {
			return s, err
		}
	}
	s.KL, s.Bulk = kl.value(), bulk.value()
	for _, c := range s.Solver {
		if c.KL.Value < s.KL.Value {
			s.Enough = c.Steps
			break
		}
	}
	return s, ctx.Err()
}

// paths are noise on the way to events of kernel sums, in white space.
type paths struct {
	mixture *diffusion.Mixture
	width   float64
	noise   []float32
}

// newPaths returns paths of sums from which next to nothing is left out, so that errors are those
// of the steps alone.
func newPaths(ctx context.Context, k *diffusion.Kernels) (paths, error) {
	events := k.Tensors()
	m, err := diffusion.NewMixture(ctx, events[0].Value, events[1].Value, k.Dim(), studyEpsilon)
	p := paths{m, k.Width(), make([]float32, studyPaths*k.Dim())}
	philox.Normal(p.noise, seedNoise, 0, 0)
	return p, err
}

// solve returns where the paths of some noise end, as events, and how often q was evaluated.
func (p *paths) solve(ctx context.Context, s diffusion.Solver, noise []float32) (x []float32, evaluations int, err error) {
	times, err := s.Times(p.mixture, p.width)
	if err != nil {
		return nil, 0, err
	}
	x = slices.Clone(noise)
	if evaluations, err = s.Solve(ctx, p.mixture, x, nil, nil, times); err != nil {
		return nil, 0, err
	}
	end := times[len(times)-1]
	scale := 1 / math.Hypot(s.Schedule.Alpha(end), s.Schedule.Sigma(end))
	for i, v := range x {
		x[i] = float32(scale * float64(v))
	}
	return x, evaluations, nil
}

// divergences measures what numbers of steps of a solver cost. The map y → x of so many steps gives events
// of the density N(y)/|det ∂x/∂y|, and an exact solution those of the mixture, so that
//
//	KL(steps ‖ exact) = E[log N(y) − log|det ∂x/∂y| − log p(x)]
//
// over noise y. The derivatives are central differences. As errors of these, and the fluctuations of the
// mean, are much the same for all steps, those of a fine solution are subtracted.
func (p *paths) divergences(ctx context.Context, s diffusion.Solver) ([]StepsKL, error) {
	var fine []float64
	var all []StepsKL
	for _, steps := range append([]int{fineSteps}, stepsForKL...) {
		s.Steps = steps
		excess, err := p.excess(ctx, s)
		if err != nil {
			return nil, err
		}
		if fine == nil {
			fine = excess
			continue
		}
		floats.Sub(excess, fine)
		var j judged
		j.add(excess)
		all = append(all, StepsKL{steps, j.value()})
	}
	return all, nil
}

// excess is log N(y) − log|det ∂x/∂y| − log p(x) for each y.
func (p *paths) excess(ctx context.Context, s diffusion.Solver) ([]float64, error) {
	const step = 1e-3
	dim := p.mixture.Dim()
	x, _, err := p.solve(ctx, s, p.noise)
	if err != nil {
		return nil, err
	}
	n := len(x) / dim
	jacobians := make([]float64, n*dim*dim)
	for j := range dim {
		var ends, starts [2][]float32
		for side, h := range []float32{-step, step} {
			starts[side] = slices.Clone(p.noise)
			for i := range n {
				starts[side][i*dim+j] += h
			}
			if ends[side], _, err = p.solve(ctx, s, starts[side]); err != nil {
				return nil, err
			}
		}
		for i := range n {
			h := float64(starts[1][i*dim+j]) - float64(starts[0][i*dim+j])
			for l := range dim {
				jacobians[(i*dim+l)*dim+j] = (float64(ends[1][i*dim+l]) - float64(ends[0][i*dim+l])) / h
			}
		}
	}
	excess := make([]float64, n)
	scale := 1 / math.Hypot(1, p.width)
	p.mixture.LogDensity(ctx, excess, x, scale, p.width*scale)
	for i, logp := range excess {
		logdet, _ := mat.LogDet(mat.NewDense(dim, dim, jacobians[i*dim*dim:(i+1)*dim*dim]))
		y := 0.0
		for _, v := range p.noise[i*dim : (i+1)*dim] {
			y -= 0.5*float64(v)*float64(v) + 0.5*math.Log(2*math.Pi)
		}
		excess[i] = y - logdet - logp
	}
	return excess, ctx.Err()
}

// judged are the results of several samples, with the squares of their errors by the events that
// judge them.
type judged struct{ means, squares []float64 }

func (j *judged) add(all []float64) {
	mean, std := stat.MeanStdDev(all, nil)
	j.means = append(j.means, mean)
	j.squares = append(j.squares, std*std/float64(len(all)))
}

// value is the mean over samples. Its error is from what they differ by, or, if that is less by
// chance, from the events that judge them.
func (j judged) value() Value {
	n := float64(len(j.means))
	square := stat.Mean(j.squares, nil)
	if n > 1 {
		square = max(square, stat.Variance(j.means, nil))
	}
	return Value{stat.Mean(j.means, nil), math.Sqrt(square / n)}
}

// judge adds what fresh events of the truth say of a model. The bulk is measured by the mean of
// r − 1 − log r, r = model/truth, which is the divergence of two measures that are not normalised, as
// these are there.
func judge(ctx context.Context, d known.Density, m *diffusion.Kernels, seed uint64, kl, bulk *judged) error {
	t := d.Table(seedJudge+seed, 0, studyFresh)
	truth, model := make([]float64, studyFresh), make([]float64, studyFresh)
	d.LogDensity(truth, t)
	if err := m.LogDensity(ctx, model, rowsOf(t).X, nil); err != nil {
		return err
	}
	sorted := slices.Sorted(slices.Values(truth))
	median := sorted[len(sorted)/2]
	all, dense := make([]float64, studyFresh), make([]float64, studyFresh)
	for i, l := range truth {
		all[i] = l - model[i]
		if l >= median {
			dense[i] = math.Expm1(model[i]-l) + all[i]
		}
	}
	kl.add(all)
	bulk.add(dense)
	return nil
}

// slope is the power of K with which a number falls. Where the points are farther from the line than
// their errors say, its error is larger in proportion.
func (a *Accuracy) slope(of func(SampleSize) Value) Value {
	var x, y, w []float64
	for _, s := range a.Events {
		if v := of(s); v.Value > 0 && v.Error > 0 {
			x, y, w = append(x, math.Log(float64(s.Events))), append(y, math.Log(v.Value)), append(w, math.Pow(v.Value/v.Error, 2))
		}
	}
	if len(x) < 2 {
		return Value{}
	}
	from, slope := stat.LinearRegression(x, y, w, false)
	mean, spread, chi2 := stat.Mean(x, w), 0.0, 0.0
	for i := range x {
		spread += w[i] * (x[i] - mean) * (x[i] - mean)
		chi2 += w[i] * math.Pow(y[i]-from-slope*x[i], 2)
	}
	return Value{slope, math.Sqrt(max(1, chi2/max(1, float64(len(x)-2))) / spread)}
}

// measureSolvers compares the solvers on the same paths.
func measureSolvers(ctx context.Context, d known.Density, n int) ([]SolverError, error) {
	k, err := learn(ctx, d, 0, n)
	if err != nil {
		return nil, err
	}
	p, err := newPaths(ctx, k)
	if err != nil {
		return nil, err
	}
	const few = 500
	noise := p.noise[:few*d.Dim()]
	exact, _, err := p.solve(ctx, diffusion.Solver{Method: diffusion.DPM3S, Steps: finestSteps}, noise)
	if err != nil {
		return nil, err
	}
	shifted, err := diffusion.Shifted(diffusion.DefaultSigma0)
	if err != nil {
		return nil, err
	}
	var all []SolverError
	for _, schedule := range []diffusion.Schedule{diffusion.Linear(), diffusion.Sqrt(), shifted} {
		for _, method := range studied {
			e := SolverError{Schedule: schedule, Method: method}
			seconds, made := 0.0, 0
			for _, steps := range numbersOfSteps {
				begin := time.Now()
				x, evaluations, err := p.solve(ctx, diffusion.Solver{Method: method, Schedule: schedule, Steps: steps}, noise)
				if err != nil {
					return nil, err
				}
				seconds, made = seconds+time.Since(begin).Seconds(), made+steps
				e.Steps = append(e.Steps, StepsError{steps, evaluations, medianApart(x, exact, d.Dim())})
			}
			e.Seconds = 1000. / few * seconds / float64(made)
			e.Order = e.order()
			all = append(all, e)
		}
	}
	return all, nil
}

// medianApart is the median distance of rows. The mean would be that of a few paths that have gone
// to another part of the events.
func medianApart(x, y []float32, dim int) float64 {
	apart := make([]float64, len(x)/dim)
	for i := range apart {
		for j := i * dim; j < (i+1)*dim; j++ {
			apart[i] += float64(x[j]-y[j]) * float64(x[j]-y[j])
		}
	}
	slices.Sort(apart)
	return math.Sqrt(stat.Quantile(0.5, stat.Empirical, apart, nil))
}

// order is the power with which errors fall, from the last three numbers of steps whose errors
// are above rounding.
func (e *SolverError) order() float64 {
	const rounding, last = 1e-5, 3
	var x, y []float64
	for _, s := range slices.Backward(e.Steps) {
		if s.Error > rounding && len(x) < last {
			x, y = append(x, math.Log(float64(s.Steps))), append(y, math.Log(s.Error))
		}
	}
	if len(x) < 2 {
		return 0
	}
	_, slope := stat.LinearRegression(x, y, nil, false)
	return -slope
}
