package diffusion

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/kernels/table"
	"github.com/eidolon-hep/eidolon/training"
)

// Denoiser is the model whose posterior mean is a network, trained by regression on x_0:
// it generalises where kernel sums copy. In white space,
//
//	q(x) = α/(α²+σ²) x + σ/√(α²+σ²) F(x/√(α²+σ²), time, context)
//
// Then the target of F, (σ x_0 − α ε)/√(α²+σ²) with the noise ε of x = α x_0 + σ ε,
// has variance 1 at every time, and so has the input of F (the preconditioning of
// arXiv:2206.00364 for data of variance 1). Of the schedule F reads only the ratio α/σ: it
// serves all schedules. It does not read x in white space, but the features of the noisy
// event, each divided by its spread. Tables help it to see what is sharp in one feature, such
// as the edge of a detector or an integer.
//
// The first term is the posterior mean of a normal. Where events come as islands, the
// posterior mean of a mixture of normals takes its place: the mixture is found by EM, and its
// posterior mean is known in closed form. The second term is multiplied by ρ(α/σ), which
// gives its target variance 1 again.
type Denoiser struct {
	dim, context int
	opts         DenoiserOptions
	white        *whitening
	params       nn.Params
	net          *nn.MLP
	base         *normals  // nil stands for a single normal
	times        []float64 // of the path from noise to events
	density      Solver    // of the path from events to noise, by which log-densities are integrated
	timesUp      []float64 // of that path
	timesBase    []float64 // of the path of baseSolver
	seed         uint64    // of the training
	memory       sync.Pool // of *denoising
}

// DenoiserOptions say how a [Denoiser] is made.
type DenoiserOptions struct {
	// Hidden are the widths of the hidden layers; by default three of 256.
	Hidden []int `json:"hidden"`
	// Cells is the number of cells of the tables of functions of one feature, or of the
	// time, that are added to the outputs of the first layer (package kernels/table); by
	// default 32; when negative there are no tables.
	Cells int `json:"cells"`
	// Components is the number of normals of the mixture whose posterior mean the network
	// corrects; by default 1.
	Components int `json:"components,omitempty"`
	// Width is σ_min, the noise that is left in events where the path ends, in units
	// of their spread; by default 0.01, or the σ(0) of the schedule if that is larger.
	Width float64 `json:"width"`
	// Solver is how the equation is solved.
	Solver Solver `json:"solver"`
}

// Check says which option makes no sense, if any.
func (o DenoiserOptions) Check() error {
	if err := nn.CheckHidden(o.Hidden); err != nil {
		return err
	}
	if o.Cells > 1<<12 {
		return fmt.Errorf("a table cannot have %d cells", o.Cells)
	}
	if o.Components < 0 || o.Components > 1<<12 {
		return fmt.Errorf("there cannot be %d normals", o.Components)
	}
	if !(o.Width >= 0 && o.Width <= 1) {
		return fmt.Errorf("the width σ_min cannot be %g: it is in units of the events' spread", o.Width)
	}
	if err := o.Solver.Check(); err != nil || o.Width == 0 {
		return err
	}
	return o.Solver.Schedule.checkWidth(o.Width)
}

func (o DenoiserOptions) withDefaults() DenoiserOptions {
	if o.Hidden == nil {
		o.Hidden = []int{256, 256, 256}
	}
	o.Cells, o.Width = cmp.Or(o.Cells, 32), cmp.Or(o.Width, max(0.01, o.Solver.Schedule.Sigma(0)))
	return o
}

// parameters returns how many a model has, the mixture included. Options that [Check] has
// passed do not make it overflow.
func (o DenoiserOptions) parameters(dim, context int) int {
	o = o.withDefaults()
	n := nn.MLPLen(dim+timeFeatures+context, o.Hidden, dim)
	if o.Cells > 0 {
		n += table.Len(dim+1, o.Cells, append(slices.Clone(o.Hidden), dim)[0])
	}
	if o.Components > 1 {
		n += normalsLen(dim, o.Components)
	}
	return n
}

// NewDenoiser returns the model of events with dim features, and context features to be
// conditional on (0 for none). Its parameters are at their starting values for the seed.
func NewDenoiser(dim, context int, seed uint64, opts DenoiserOptions) (*Denoiser, error) {
	if dim < 1 || context < 0 {
		return nil, fmt.Errorf("diffusion: %d features with %d context features", dim, context)
	}
	if err := opts.Check(); err != nil {
		return nil, fmt.Errorf("diffusion: %w", err)
	}
	d := newDenoiser(dim, context, seed, opts)
	d.white = identity(dim)
	return d, nil
}

// newDenoiser is [NewDenoiser] without a whitening.
func newDenoiser(dim, context int, seed uint64, opts DenoiserOptions) *Denoiser {
	d := &Denoiser{dim: dim, context: context, opts: opts.withDefaults(), density: densitySolver()}
	d.net = nn.NewMLP(&d.params, "net", d.inputs(), d.opts.Hidden, dim, dense.SiLU)
	if d.opts.Cells > 0 {
		d.net.AddTables("net", d.tabled(), d.opts.Cells)
	}
	d.net.Init(seed, 0)
	d.net.Pack()
	d.setBase(nil)
	return d
}

// inputs is the number of what the network reads: features, functions of time, context.
func (d *Denoiser) inputs() int { return d.dim + timeFeatures + d.context }

// tabled is the number of inputs that have tables. They are the first ones: the features
// and one function of time.
func (d *Denoiser) tabled() int { return d.dim + 1 }

// Dim returns the number of features of an event.
func (d *Denoiser) Dim() int { return d.dim }

// Context returns the number of features that the density is conditional on.
func (d *Denoiser) Context() int { return d.context }

// Width returns σ_min.
func (d *Denoiser) Width() float64 { return d.opts.Width }

func (d *Denoiser) String() string {
	over := ""
	if d.opts.Components > 1 {
		over = fmt.Sprintf(" over %d normals", d.opts.Components)
	}
	return fmt.Sprintf("denoiser %v%s, %d parameters, σ_min %.3g", d.opts.Hidden, over, len(d.params.Value), d.opts.Width)
}

// timeFeatures is the number of functions of time that the network reads.
const timeFeatures = 11

// embed writes the functions of time that the network reads, for α and σ whose squares sum
// to 1: log(α/σ), standardised by its distribution in training; α; σ; and sines and cosines of
// the logarithm.
func embed(dst []float32, alpha, sigma float64) {
	u := min(max(math.Log(alpha/sigma), -mostLogSNR), mostLogSNR)
	dst[0], dst[1], dst[2] = float32((u-meanLogSNR)/widthLogSNR), float32(alpha), float32(sigma)
	for k := range 4 {
		s, c := math.Sincos(math.Pi / 2 * u / mostLogSNR * float64(int(1)<<k))
		dst[3+2*k], dst[4+2*k] = float32(s), float32(c)
	}
}

// denoising is the memory for a tile of rows.
type denoising struct {
	state    *nn.MLPState
	in       []float32 // what the network reads
	dy, dx   []float32
	noise, u []float32
	x        []float32 // white, of variance 1
	features []float32 // the same as features, each divided by its spread
	normals  *normalsState
}

func (d *Denoiser) newDenoising() *denoising {
	s := &denoising{
		state: d.net.NewState(training.Tile), in: make([]float32, training.Tile*d.inputs()),
		dy: make([]float32, training.Tile*d.dim), dx: make([]float32, training.Tile*d.inputs()),
		noise: make([]float32, d.dim), u: make([]float32, 1),
		x: make([]float32, training.Tile*d.dim), features: make([]float32, training.Tile*d.dim),
	}
	if d.base != nil {
		s.normals = d.base.newState()
	}
	return s
}

// Mean makes the network a [Posterior], of events in white space.
func (d *Denoiser) Mean(ctx context.Context, q []float32, div []float64, x, c []float32, alpha, sigma float64) {
	norm := math.Hypot(alpha, sigma)
	scale, skip, out := float32(1/norm), alpha/norm/norm, d.spread(alpha/norm, sigma/norm)
	width := d.inputs()
	var time [timeFeatures]float32
	embed(time[:], alpha/norm, sigma/norm)
	parallel.RangesContext(ctx, len(x)/d.dim, rowsPerGoroutine, func(lo, hi int) {
		s := d.memory.Get().(*denoising)
		defer d.memory.Put(s)
		if d.base != nil {
			d.base.at(s.normals, alpha/norm, sigma/norm)
		}
		for ; lo < hi && ctx.Err() == nil; lo += training.Tile {
			m := min(training.Tile, hi-lo)
			for r := range m {
				row := s.in[r*width : (r+1)*width]
				copy(row[d.dim:], time[:])
				copy(row[d.dim+timeFeatures:], c[(lo+r)*d.context:(lo+r+1)*d.context])
			}
			for j, v := range x[lo*d.dim : (lo+m)*d.dim] {
				s.x[j] = scale * v
			}
			d.readFeatures(s, m)
			y := d.net.Forward(s.state, s.in[:m*width], m)
			var part []float64
			if div != nil {
				part = div[lo : lo+m]
			}
			if d.base != nil {
				d.base.evaluate(s.normals, q[lo*d.dim:(lo+m)*d.dim], part, s.x[:m*d.dim])
				for r := range part {
					part[r] /= norm
				}
				for j, f := range y {
					q[lo*d.dim+j] += float32(out) * f
				}
			} else {
				for j, f := range y {
					q[lo*d.dim+j] = float32(skip*float64(x[lo*d.dim+j]) + out*float64(f))
				}
				for r := range part {
					part[r] = skip * float64(d.dim)
				}
			}
			if div == nil {
				continue
			}
			dy, dx := s.dy[:m*d.dim], s.dx[:m*width]
			for j := range d.dim { // the diagonal of the Jacobian, row by row
				if ctx.Err() != nil {
					return
				}
				clear(dy)
				for r := range m {
					dy[r*d.dim+j] = 1
				}
				d.net.Backward(s.state, nil, dx, s.in[:m*width], dy, m)
				to := d.white.toFeatures[j*d.dim : (j+1)*d.dim] // the features that x_j is part of
				for r := range part {
					slope := 0.0
					for l, v := range dx[r*width : r*width+d.dim] {
						slope += float64(v) * float64(to[l])
					}
					part[r] += out / norm * slope
				}
			}
		}
	})
}

// readFeatures writes the features of the m rows of s.x where the network reads them.
func (d *Denoiser) readFeatures(s *denoising, m int) {
	features, width := s.features[:m*d.dim], d.inputs()
	dense.Forward(features, nil, s.x[:m*d.dim], d.white.packedFeatures, d.white.zero, m, d.dim, d.dim, dense.None)
	for r := range m {
		copy(s.in[r*width:], features[r*d.dim:(r+1)*d.dim])
	}
}

// spread returns the factor of F, for α and σ whose squares sum to 1.
func (d *Denoiser) spread(alpha, sigma float64) float64 {
	if d.base == nil {
		return sigma
	}
	return sigma * d.base.scaleAt(alpha, sigma)
}

// rowsPerGoroutine is how many rows a goroutine takes along the path at a time.
const rowsPerGoroutine = 4 * training.Tile

// The logarithms of α/σ that are trained have this mean and this width, and are bounded.
const meanLogSNR, widthLogSNR, mostLogSNR = 1, 1.8, 6

// Train fits the network to the rows of train: the loss is the weighted mean of the
// squared error of F, per feature. ctx, valid and opts are those of [training.Fit], but some
// defaults differ: the average of the parameters has a decay of 0.999; the learning rate is
// 4e-3 (2e-3 for fewer than 20,000 rows, 3e-3 and batches of 1024 for 50,000 or more); there
// are as many epochs as make 48 million rows, at most 500, and all of them are made.
func (d *Denoiser) Train(ctx context.Context, train, valid training.Data, opts training.Options) (training.History, error) {
	if err := checkData(d.dim, d.context, train, valid); err != nil {
		return training.History{}, err
	}
	begin := time.Now()
	d.seed = opts.Seed
	if err := d.prepare(ctx, train); err != nil {
		return training.History{}, err
	}
	opts = DenoiserSchedule(opts.Since(begin), train.Len())
	h, err := training.Fit(ctx, (*regression)(d), d.whiten(ctx, train), d.whiten(ctx, valid), opts)
	d.net.Pack()
	if e := d.finish(); e != nil {
		return h, e
	}
	return h, err
}

// prepare finds the whitening and the mixture from the rows of a training.
func (d *Denoiser) prepare(ctx context.Context, train training.Data) (err error) {
	if d.white, err = newWhitening(ctx, train); err != nil || d.opts.Components < 2 {
		return err
	}
	base, err := findNormals(ctx, d.whiten(ctx, train), d.opts.Components, d.seed)
	d.setBase(base)
	return err
}

// setBase lets the network correct a mixture; nil stands for a single normal.
func (d *Denoiser) setBase(base *normals) {
	d.base = base
	d.memory = sync.Pool{New: func() any { return d.newDenoising() }}
}

func (d *Denoiser) unwhiten(ctx context.Context, x, _ []float32) { d.white.back(ctx, x, x) }

func (d *Denoiser) trained() []float32 { return d.params.Value }

func (d *Denoiser) adopt(ctx context.Context, train, _ training.Data, seed uint64) error {
	d.seed = seed
	if err := d.prepare(ctx, train); err != nil {
		return err
	}
	d.net.Pack()
	return d.finish()
}

// DenoiserSchedule returns the options for the training of a [Denoiser] on n events with the defaults
// in the place of zeros.
func DenoiserSchedule(opts training.Options, n int) training.Options {
	if n >= 50_000 {
		// Smaller steps leave more noise in a posterior mean that is nearly simple, larger ones
		// are too few for one that is not.
		opts.Batch = cmp.Or(opts.Batch, 1024)
		opts.Rate = cmp.Or(opts.Rate, 3e-3)
	}
	return regressing(opts, n, denoiserRows).Complete(n)
}

// denoiserRows is how many rows the training of a denoiser reads.
const denoiserRows = 48_000_000

// epochsOf returns the number of passes over n events that make so many rows.
func epochsOf(rows, n int) int { return min(max(rows/n, 1), 500) }

// regressing fills in the options of a training by regression, which by default reads so
// many rows in all. Its loss is noisy, and falls most when the learning rate does: a training
// that stopped before that would lose quality.
func regressing(o training.Options, events, rows int) training.Options {
	rate := 4e-3
	if events < 20_000 { // a higher rate learns them by heart
		rate = 2e-3
	}
	o.Epochs = o.EpochsOr(epochsOf(rows, events))
	o.Average, o.Rate, o.Patience = cmp.Or(o.Average, 0.999), cmp.Or(o.Rate, rate), cmp.Or(o.Patience, training.Off)
	return o
}

// whiten returns the rows in white space; fresh noise in the features stays fresh.
func (d *Denoiser) whiten(ctx context.Context, rows training.Data) training.Data {
	from := rows
	rows.X = make([]float32, len(from.X))
	d.white.forward(ctx, rows.X, from.X)
	if from.Refresh != nil {
		rows.Refresh = func(ctx context.Context, pass uint64) {
			from.Refresh(ctx, pass)
			d.white.forward(ctx, rows.X, from.X)
		}
	}
	return rows
}

// densitySolver integrates the divergence by default. Its error of log p is 0.002 where the truth is
// known. Multistep methods have larger errors for equal work, and all of the same sign.
func densitySolver() Solver { return Solver{Method: Heun, Steps: 36} }

// Solver returns how the equation is solved by which events are drawn, and DensitySolver how it
// is solved for log-densities: by default by Heun's method in 36 steps, whatever the other is.
func (d *Denoiser) Solver() Solver        { return d.opts.Solver }
func (d *Denoiser) DensitySolver() Solver { return d.density }

// SetSolver changes how events are drawn, by any schedule whose path ends at Width or below: the
// network knows of the schedule α/σ alone. It is not for while the model is in use.
func (d *Denoiser) SetSolver(s Solver) error { return d.change(&d.opts.Solver, s) }

// SetDensitySolver changes how log-densities are integrated, as [Denoiser.SetSolver] does how
// events are drawn. A model file does not keep it.
func (d *Denoiser) SetDensitySolver(s Solver) error { return d.change(&d.density, s) }

// change gives a solver another value, unless its path does not end where those of the model do.
func (d *Denoiser) change(solver *Solver, s Solver) error {
	before := *solver
	*solver = s
	err := d.finish()
	if err != nil {
		*solver = before
	}
	return err
}

// finish derives what follows from the rest.
func (d *Denoiser) finish() (err error) {
	if d.times, err = d.opts.Solver.Times(d, d.opts.Width); err != nil {
		return err
	}
	if d.timesUp, err = d.density.Times(d, d.opts.Width); err != nil {
		return err
	}
	d.timesBase, err = baseSolver().Times(d, d.opts.Width)
	return err
}

// baseSolver solves the equation of the mixture alone.
func baseSolver() Solver { return Solver{Steps: 12} }

// baseEvents takes noise to white events of the mixture alone, in place.
func (d *Denoiser) baseEvents(ctx context.Context, x []float32) error {
	s := d.memory.Get().(*denoising)
	defer d.memory.Put(s)
	return baseSolver().toEvents(ctx, basePosterior{d, s}, x, nil, d.timesBase)
}

// basePosterior makes the mixture of a denoiser a [Posterior], for one goroutine.
type basePosterior struct {
	d *Denoiser
	s *denoising
}

func (o basePosterior) Dim() int     { return o.d.dim }
func (o basePosterior) Context() int { return 0 }

func (o basePosterior) Mean(_ context.Context, q []float32, _ []float64, x, _ []float32, alpha, sigma float64) {
	norm, base := math.Hypot(alpha, sigma), o.d.base
	base.at(o.s.normals, alpha/norm, sigma/norm)
	for len(x) > 0 {
		n := min(len(x), len(o.s.x))
		for i, v := range x[:n] {
			o.s.x[i] = float32(float64(v) / norm)
		}
		base.evaluate(o.s.normals, q[:n], nil, o.s.x[:n])
		q, x = q[n:], x[n:]
	}
}

// regression makes a denoiser a [training.Objective].
type regression Denoiser

func (g *regression) Params() []float32 { return g.params.Value }

func (g *regression) Pack(part, _ int) {
	if part == 0 {
		g.net.Pack()
	}
}

func (g *regression) NewWorker() training.Worker {
	return &regressor{(*Denoiser)(g), (*Denoiser)(g).newDenoising()}
}

type regressor struct {
	*Denoiser
	*denoising
}

// The deviates of a training: of noise and of times.
const streamNoise, streamTime = 1 << 33, 1 << 34

// Loss returns Σ w ‖F − (x_0 − q)/s‖²/Dim over the rows, where q is the posterior mean
// without F and s the factor of F; for a single normal this is Σ w ‖F − (σ x_0 − α ε)‖²/Dim.
// Each row has a time and a noise of its own in each pass. It adds the gradient to grad.
func (g *regressor) Loss(grad []float32, rows training.Rows) float64 {
	width, m := g.inputs(), rows.N
	target := rows.X
	for r := range m {
		philox.Normal(g.u, g.seed, streamTime+rows.Pass, uint64(rows.Index[r]))
		philox.Normal(g.noise, g.seed, streamNoise+rows.Pass, uint64(rows.Index[r])*uint64(g.dim))
		alpha, sigma := unit(min(max(meanLogSNR+widthLogSNR*float64(g.u[0]), -mostLogSNR), mostLogSNR))
		row := g.x[r*g.dim : (r+1)*g.dim]
		for j, e := range g.noise {
			x := target[r*g.dim+j]
			row[j] = float32(alpha)*x + float32(sigma)*e
			if g.base == nil {
				target[r*g.dim+j] = float32(sigma)*x - float32(alpha)*e
			}
		}
		if g.base != nil {
			g.base.at(g.normals, alpha, sigma)
			g.base.residual(g.normals, target[r*g.dim:(r+1)*g.dim], row, g.spread(alpha, sigma))
		}
		row = g.in[r*width : (r+1)*width]
		embed(row[g.dim:], alpha, sigma)
		copy(row[g.dim+timeFeatures:], rows.C[r*g.context:(r+1)*g.context])
	}
	g.readFeatures(g.denoising, m)
	y := g.net.Forward(g.state, g.in[:m*width], m)
	loss := 0.0
	dy := g.dy[:m*g.dim]
	for r := range m {
		sum, w := 0.0, rows.W[r]/float32(g.dim)
		for j := r * g.dim; j < (r+1)*g.dim; j++ {
			e := y[j] - target[j]
			sum += float64(e) * float64(e)
			dy[j] = 2 * w * e
		}
		loss += float64(w) * sum
	}
	if grad != nil {
		g.net.Backward(g.state, grad, nil, g.in[:m*width], dy, m)
	}
	return loss
}

// Sample draws the events first, first+1, … of a seed into x (n×Dim). c is the context,
// n×Context. Event i depends on (seed, attempt, i) and its context alone; another attempt
// is another event. The error is that of ctx.
func (d *Denoiser) Sample(ctx context.Context, x, c []float32, seed, attempt, first uint64) error {
	d.Noise(x, seed, attempt, first)
	return d.Inverse(ctx, x, x, c)
}

// Noise draws the noise y (n×Dim) of the events first, first+1, … of a seed.
func (d *Denoiser) Noise(y []float32, seed, attempt, first uint64) {
	drawNoise(y, d.dim, seed, attempt, first)
}

// Inverse maps noise y to events x (both n×Dim), which may be the same. It is a smooth map. The
// error is that of ctx.
func (d *Denoiser) Inverse(ctx context.Context, x, y, c []float32) error {
	copy(x, y)
	if err := d.generate(ctx, x, c); err != nil {
		return err
	}
	d.white.back(ctx, x, x)
	return ctx.Err()
}

// Path stores in at[k] where the events that come from noise y are at times[k]: see [Model].
// The error is that of ctx.
func (d *Denoiser) Path(ctx context.Context, at [][]float32, y, c []float32, times []float64) error {
	stops, places := falling(times)
	err := inParts(ctx, len(y)/d.dim, func(lo, hi int) error {
		x := slices.Clone(y[lo*d.dim : hi*d.dim])
		return d.opts.Solver.along(ctx, d, x, c[lo*d.context:hi*d.context], d.times, stops, func(stop int, x []float32) {
			copy(at[places[stop]][lo*d.dim:hi*d.dim], x)
		})
	})
	if err != nil {
		return err
	}
	for _, x := range at {
		d.white.back(ctx, x, x)
	}
	return ctx.Err()
}

// generate takes noise to white events, in place.
func (d *Denoiser) generate(ctx context.Context, x, c []float32) error {
	return inParts(ctx, len(x)/d.dim, func(lo, hi int) error {
		return d.opts.Solver.toEvents(ctx, d, x[lo*d.dim:hi*d.dim], c[lo*d.context:hi*d.context], d.times)
	})
}

// inParts calls solve for ranges [lo, hi) of n rows, and returns the error of one of them,
// or that of ctx.
func inParts(ctx context.Context, n int, solve func(lo, hi int) error) error {
	failed := make(chan error, 1)
	parallel.RangesContext(ctx, n, rowsPerGoroutine, func(lo, hi int) {
		if err := solve(lo, hi); err != nil {
			select {
			case failed <- err:
			default:
			}
		}
	})
	select {
	case err := <-failed:
		return err
	default:
		return ctx.Err()
	}
}

// LogDensity stores log p(x|c) of each row of x (n×Dim) in dst (n), by integrating the
// divergence of the equation, which is exact for the network: the trace of its Jacobian,
// row by row. c is the context, n×Context. The error is that of ctx.
func (d *Denoiser) LogDensity(ctx context.Context, dst []float64, x, c []float32) error {
	z := make([]float32, len(x))
	clear(dst)
	err := d.Forward(ctx, z, [][]float64{dst, dst}, x, c)
	addNormal(dst, z)
	return err
}

// Forward maps events x to noise y (both n×Dim), which may be the same, and adds log|det J| of
// each of the [Layers] to its slice of logDet (n each), unless that is nil: the divergence of
// the equation is integrated, as by LogDensity. The error is that of ctx.
func (d *Denoiser) Forward(ctx context.Context, y []float32, logDet [][]float64, x, c []float32) error {
	d.white.forward(ctx, y, x)
	d.white.addLogDet(logDet)
	return inParts(ctx, len(y)/d.dim, func(lo, hi int) error {
		var part []float64
		if logDet != nil {
			part = logDet[1][lo:hi]
		}
		return d.density.toNoise(ctx, d, y[lo*d.dim:hi*d.dim], c[lo*d.context:hi*d.context], part, d.timesUp)
	})
}

const denoiserKind = "denoiser"

// denoiserFile is what a model file says of a model beside its parameters.
type denoiserFile struct {
	Kind      string          `json:"kind"`
	Dim       int             `json:"dim"`
	Context   int             `json:"context,omitempty"`
	Options   DenoiserOptions `json:"options"`
	Whitening *whitening      `json:"whitening"`
}

// basePrefix begins the names of the tensors of a mixture.
const basePrefix = "base."

// MarshalJSON describes the model, without its parameters.
func (d *Denoiser) MarshalJSON() ([]byte, error) {
	return json.Marshal(denoiserFile{denoiserKind, d.dim, d.context, d.opts, d.white})
}

// Tensors returns the parameters of the network and of the mixture.
func (d *Denoiser) Tensors() []training.Tensor {
	tensors := d.params.Tensors()
	if d.base != nil {
		tensors = training.Prefixed(basePrefix, d.base.params.Tensors(), tensors)
	}
	return tensors
}

func loadDenoiser(text []byte, tensors []training.Tensor) (*Denoiser, error) {
	f, err := described[denoiserFile](text)
	if err != nil {
		return nil, err
	}
	if err := f.Options.Check(); err != nil {
		return nil, fmt.Errorf("diffusion: %w", err)
	}
	const most = 1 << 20
	if f.Dim < 1 || f.Dim > most || f.Context < 0 || f.Context > most {
		return nil, fmt.Errorf("diffusion: a denoiser of %d features with %d context features", f.Dim, f.Context)
	}
	if err := f.Whitening.check(f.Dim); err != nil {
		return nil, err
	}
	if have, want := training.Values(tensors), f.Options.parameters(f.Dim, f.Context); want != have {
		return nil, fmt.Errorf("diffusion: %d parameters for a denoiser of %d", have, want)
	}
	d := newDenoiser(f.Dim, f.Context, 0, f.Options)
	ofBase, own := training.Under(basePrefix, tensors)
	if err := d.params.Load(own); err != nil {
		return nil, fmt.Errorf("diffusion: %w", err)
	}
	if f.Options.Components > 1 {
		base := newNormals(f.Dim, f.Options.Components)
		if err := base.params.Load(ofBase); err != nil {
			return nil, fmt.Errorf("diffusion: %w", err)
		}
		if err := base.finish(); err != nil {
			return nil, err
		}
		d.setBase(base)
	}
	d.net.Pack()
	d.white = f.Whitening
	if err := d.white.finish(); err != nil {
		return nil, err
	}
	if err := d.finish(); err != nil {
		return nil, err
	}
	return d, nil
}
