package diffusion

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
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
// so that what F is to learn, (σ x_0 − α ε)/√(α²+σ²) with the noise ε of x = α x_0 + σ ε,
// has variance 1 at every time, and so has what it reads (the preconditioning of
// arXiv:2206.00364 for data of variance 1). F reads the ratio α/σ alone: it serves all
// schedules. It does not read x in white space, but the features of the noisy event, each
// divided by its spread, and tables help it to see what is sharp in one of them, such as
// the edge of a detector or an integer.
//
// The first term is the posterior mean of a normal. Where events come as islands, that of
// a mixture of normals stands there, found by EM and closed in form, and the second term
// is ρ(α/σ) times as large, which gives its target variance 1 again.
type Denoiser struct {
	dim, context int
	about        DenoiserOptions
	white        *whitening
	params       nn.Params
	net          *nn.MLP
	base         *normals  // nil stands for a single normal
	times        []float64 // of the path down
	timesUp      []float64 // of that of densitySolver
	timesOutline []float64 // of that of outlineSolver
	seed         uint64    // of the training
	memory       sync.Pool // of *denoising
}

// DenoiserOptions say how a [Denoiser] is made.
type DenoiserOptions struct {
	// Hidden are the widths of the hidden layers; by default three of 256.
	Hidden []int `json:"hidden"`
	// Cells is the number of cells of the tables that every feature passes through
	// beside the first layer (package kernels/table), and the time; none if negative, by
	// default 32.
	Cells int `json:"cells"`
	// Components is the number of normals that the network stands over; by default 1.
	Components int `json:"components,omitempty"`
	// Width is σ_min, where the path ends: events keep a noise of this width, in units
	// of their spread; by default 0.01.
	Width float64 `json:"width"`
	// Solver is how the equation is solved.
	Solver Solver `json:"solver"`
}

// Check says which option makes no sense, if any.
func (o DenoiserOptions) Check() error {
	if err := checkHidden(o.Hidden); err != nil {
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
	return o.Solver.Check()
}

// checkHidden checks the widths of the hidden layers of a network.
func checkHidden(hidden []int) error {
	const most, widest = 1 << 8, 1 << 14
	if len(hidden) > most {
		return fmt.Errorf("there cannot be %d hidden layers, at most %d", len(hidden), most)
	}
	for _, h := range hidden {
		if h < 1 || h > widest {
			return fmt.Errorf("a hidden layer cannot be %d wide, at most %d", h, widest)
		}
	}
	return nil
}

func (o DenoiserOptions) withDefaults() DenoiserOptions {
	if o.Hidden == nil {
		o.Hidden = []int{256, 256, 256}
	}
	if o.Cells == 0 {
		o.Cells = 32
	}
	if o.Width == 0 {
		o.Width = 0.01
	}
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
	d.white = unchanged(dim)
	return d, nil
}

// newDenoiser is [NewDenoiser] without a whitening.
func newDenoiser(dim, context int, seed uint64, opts DenoiserOptions) *Denoiser {
	d := &Denoiser{dim: dim, context: context, about: opts.withDefaults()}
	d.net = nn.NewMLP(&d.params, "net", d.inputs(), d.about.Hidden, dim, dense.SiLU)
	if d.about.Cells > 0 {
		d.net.AddTables("net", d.tabled(), d.about.Cells)
	}
	d.net.Init(seed, 0)
	d.net.Pack()
	d.stand(nil)
	return d
}

// inputs is the number of what the network reads: features, functions of time, context.
func (d *Denoiser) inputs() int { return d.dim + timeFeatures + d.context }

// tabled is the number of those that pass through tables, which are the first: features
// and one function of time.
func (d *Denoiser) tabled() int { return d.dim + 1 }

// Dim returns the number of features of an event.
func (d *Denoiser) Dim() int { return d.dim }

// Context returns the number of features that the density is conditional on.
func (d *Denoiser) Context() int { return d.context }

// Width returns σ_min.
func (d *Denoiser) Width() float64 { return d.about.Width }

func (d *Denoiser) String() string {
	over := ""
	if d.about.Components > 1 {
		over = fmt.Sprintf(" over %d normals", d.about.Components)
	}
	return fmt.Sprintf("denoiser %v%s, %d parameters, σ_min %.3g", d.about.Hidden, over, len(d.params.Value), d.about.Width)
}

// timeFeatures is the number of functions of time that the network reads.
const timeFeatures = 11

// embed writes functions of the time where the ratio of α and σ, of which the squares
// sum to 1, is what it is: log(α/σ) as trainings draw it, in units of its spread, α, σ,
// and waves in the logarithm within its bounds.
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
	own      []float32 // the features of the same
	normals  *normalsState
}

func (d *Denoiser) newDenoising() *denoising {
	s := &denoising{
		state: d.net.NewState(training.Tile), in: make([]float32, training.Tile*d.inputs()),
		dy: make([]float32, training.Tile*d.dim), dx: make([]float32, training.Tile*d.inputs()),
		noise: make([]float32, d.dim), u: make([]float32, 1),
		x: make([]float32, training.Tile*d.dim), own: make([]float32, training.Tile*d.dim),
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
				to := d.white.toOwn[j*d.dim : (j+1)*d.dim] // the features that x_j is part of
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
	own, width := s.own[:m*d.dim], d.inputs()
	dense.Forward(own, nil, s.x[:m*d.dim], d.white.packedOwn, d.white.zero, m, d.dim, d.dim, dense.None)
	for r := range m {
		copy(s.in[r*width:], own[r*d.dim:(r+1)*d.dim])
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
// squared error of F, per feature. ctx, valid and opts are as for flows, but for their
// defaults: the parameters are averaged, the rate is 4e-3 (2e-3 for fewer than 20,000
// rows, 3e-3 and steps of 1024 rows for 50,000 or more), and there are as many epochs as make
// 48 million rows, but at most 500, and all of them are made.
func (d *Denoiser) Train(ctx context.Context, train, valid training.Data, opts training.Options) (training.History, error) {
	if err := checkData(d.dim, d.context, train, valid); err != nil {
		return training.History{}, err
	}
	begin := time.Now()
	d.seed = opts.Seed
	if err := d.prepare(ctx, train); err != nil {
		return training.History{}, err
	}
	if opts.MaxTime > 0 {
		opts.MaxTime = max(opts.MaxTime-time.Since(begin), 1)
	}
	opts = DenoiserSchedule(opts, train.Len())
	h, err := training.Fit(ctx, (*regression)(d), d.whiten(ctx, train), d.whiten(ctx, valid), opts)
	d.net.Pack()
	if e := d.finish(); e != nil {
		return h, e
	}
	return h, err
}

// prepare finds what does not take a training, from the rows of one.
func (d *Denoiser) prepare(ctx context.Context, train training.Data) (err error) {
	if d.white, err = newWhitening(ctx, train); err != nil || d.about.Components < 2 {
		return err
	}
	base, err := findNormals(ctx, d.whiten(ctx, train), d.about.Components, d.seed)
	d.stand(base)
	return err
}

// stand puts the network over a mixture.
func (d *Denoiser) stand(base *normals) {
	d.base = base
	d.memory = sync.Pool{New: func() any { return d.newDenoising() }}
}

func (d *Denoiser) unwhiten(ctx context.Context, x, _ []float32) { d.white.back(ctx, x, x) }

func (d *Denoiser) trained() []float32 { return d.params.Value }

func (d *Denoiser) adopt(ctx context.Context, train training.Data, seed uint64) error {
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
	return regressing(opts, n, 48_000_000).Complete(n)
}

// regressing fills in the options of a training by regression, which by default reads so
// many rows in all. Its loss is noisy, and falls most when the rate does: to lose patience
// before that is a loss of quality.
func regressing(o training.Options, events, rows int) training.Options {
	if o.Epochs == 0 {
		o.Epochs = min(max(rows/events, 1), 500)
	}
	if o.Average == 0 {
		o.Average = 0.999
	}
	if o.Rate == 0 {
		o.Rate = 4e-3
		if events < 20_000 { // learnt by heart at that rate
			o.Rate = 2e-3
		}
	}
	if o.Patience == 0 {
		o.Patience = 1 << 30
	}
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

// densitySolver integrates the divergence. Its error of log p is 0.002 where the truth is
// known; for equal work, multistep methods have more of it, and all of the same sign.
func densitySolver() Solver { return Solver{Method: Heun, Steps: 36} }

// finish derives what follows from the rest.
func (d *Denoiser) finish() (err error) {
	if d.times, err = d.about.Solver.Times(d, d.about.Width); err != nil {
		return err
	}
	if d.timesUp, err = densitySolver().Times(d, d.about.Width); err != nil {
		return err
	}
	d.timesOutline, err = outlineSolver().Times(d, d.about.Width)
	return err
}

// outlineSolver solves the equation of the mixture alone, for a start.
func outlineSolver() Solver { return Solver{Steps: 12} }

// outline takes noise to white events of the mixture alone, in place.
func (d *Denoiser) outline(ctx context.Context, x []float32) error {
	s := d.memory.Get().(*denoising)
	defer d.memory.Put(s)
	return outlineSolver().along(ctx, outlined{d, s}, x, nil, d.timesOutline)
}

// outlined is a mixture as a [Posterior], for one goroutine.
type outlined struct {
	d *Denoiser
	s *denoising
}

func (o outlined) Dim() int     { return o.d.dim }
func (o outlined) Context() int { return 0 }

func (o outlined) Mean(_ context.Context, q []float32, _ []float64, x, _ []float32, alpha, sigma float64) {
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

// regression is a denoiser as what training minimises.
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

// Loss returns Σ w ‖F − (x_0 − q)/s‖²/Dim over the rows, with q before F is added and the
// factor s of F, which is Σ w ‖F − (σ x_0 − α ε)‖²/Dim for a single normal; at a time and
// with a noise of its own for each row and pass. It adds its gradient to grad.
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
	drawNoise(x, d.dim, seed, attempt, first)
	return d.Generate(ctx, x, c)
}

// Generate takes noise to events, in place. It is a smooth map. The error is that of ctx.
func (d *Denoiser) Generate(ctx context.Context, x, c []float32) error {
	if err := d.generate(ctx, x, c); err != nil {
		return err
	}
	d.white.back(ctx, x, x)
	return ctx.Err()
}

// generate takes noise to white events, in place.
func (d *Denoiser) generate(ctx context.Context, x, c []float32) error {
	return inParts(ctx, len(x)/d.dim, func(lo, hi int) error {
		return d.about.Solver.along(ctx, d, x[lo*d.dim:hi*d.dim], c[lo*d.context:hi*d.context], d.times)
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
	d.white.forward(ctx, z, x)
	err := inParts(ctx, len(dst), func(lo, hi int) error {
		return densitySolver().up(ctx, dst[lo:hi], d, z[lo*d.dim:hi*d.dim], c[lo*d.context:hi*d.context], d.timesUp)
	})
	for i := range dst {
		dst[i] += d.white.logDet
	}
	return err
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
	return json.Marshal(denoiserFile{denoiserKind, d.dim, d.context, d.about, d.white})
}

// Tensors returns the parameters, and those of the mixture that the network stands over.
func (d *Denoiser) Tensors() []training.Tensor {
	tensors := d.params.Tensors()
	if d.base != nil {
		for _, t := range d.base.params.Tensors() {
			t.Name = basePrefix + t.Name
			tensors = append(tensors, t)
		}
	}
	return tensors
}

func loadDenoiser(text []byte, tensors []training.Tensor) (*Denoiser, error) {
	var f denoiserFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("diffusion: could not read the description of a model: %w", err)
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
	var own, of []training.Tensor
	have := 0
	for _, t := range tensors {
		have += len(t.Value)
		if name, ok := strings.CutPrefix(t.Name, basePrefix); ok {
			t.Name = name
			of = append(of, t)
		} else {
			own = append(own, t)
		}
	}
	if want := f.Options.parameters(f.Dim, f.Context); want != have {
		return nil, fmt.Errorf("diffusion: %d parameters for a denoiser of %d", have, want)
	}
	d := newDenoiser(f.Dim, f.Context, 0, f.Options)
	if err := d.params.Load(own); err != nil {
		return nil, fmt.Errorf("diffusion: %w", err)
	}
	if f.Options.Components > 1 {
		base := newNormals(f.Dim, f.Options.Components)
		if err := base.params.Load(of); err != nil {
			return nil, fmt.Errorf("diffusion: %w", err)
		}
		if err := base.finish(); err != nil {
			return nil, err
		}
		d.stand(base)
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
