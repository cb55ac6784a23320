package diffusion

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"gonum.org/v1/gonum/floats"

	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/kernels/table"
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
// the edge of a detector or an integer; and, of those that are angles, [Waves].
//
// Angles are larger than white on the path, by [Denoiser.Sizes], so that they emerge from
// the noise before the others do: x_t = α s x_0 + σ ε with the size s, and all that is above
// with α s in place of α. What is solved for is s x_0.
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
	sizes        []float64 // of the features on the path, where not all are 1
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
	// Waves are functions of angles that the network reads; by default none.
	Waves Waves `json:"waves,omitzero"`
	// Width is σ_min, where the path ends: events keep a noise of this width, in units
	// of their spread; by default 0.01.
	Width float64 `json:"width"`
	// Solver is how the equation is solved.
	Solver Solver `json:"solver"`
}

// Check says which option makes no sense, if any.
func (o DenoiserOptions) Check() error {
	for _, h := range o.Hidden {
		if h < 1 || h > 1<<16 {
			return fmt.Errorf("a hidden layer cannot be %d wide", h)
		}
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
	if err := o.Waves.check(); err != nil {
		return err
	}
	if o.Components > 1 && len(o.Waves.Angles) > 0 {
		return errors.New("a denoiser over a mixture of normals reads no waves of angles")
	}
	return o.Solver.Check()
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

// early is how much larger than other features angles are on the path, so that they emerge
// from the noise before these do: what depends on where a detector is crossed is
// decided when that is known.
const early = 4

// NewDenoiser returns the model of events with dim features, and context features to be
// conditional on (0 for none). Its parameters are at their starting values for the seed.
func NewDenoiser(dim, context int, seed uint64, opts DenoiserOptions) (*Denoiser, error) {
	if dim < 1 || context < 0 {
		return nil, fmt.Errorf("diffusion: %d features with %d context features", dim, context)
	}
	if err := opts.Check(); err != nil {
		return nil, fmt.Errorf("diffusion: %w", err)
	}
	if a := opts.Waves.Angles; len(a) > 0 && a[len(a)-1] >= dim {
		return nil, fmt.Errorf("diffusion: feature %d of %d cannot be an angle", a[len(a)-1], dim)
	}
	d := &Denoiser{dim: dim, context: context, about: opts.withDefaults(), white: unchanged(dim)}
	d.net = nn.NewMLP(&d.params, "net", d.inputs(), d.about.Hidden, dim, dense.SiLU)
	if d.about.Cells > 0 {
		d.net.AddTables("net", d.tabled(), d.about.Cells)
	}
	d.net.Init(seed, 0)
	d.net.Pack()
	if angles := d.about.Waves.Angles; len(angles) > 0 {
		d.sizes = slices.Repeat([]float64{1}, dim)
		for _, j := range angles {
			d.sizes[j] = early
		}
	}
	d.stand(nil)
	return d, nil
}

// inputs is the number of what the network reads: features, functions of time, context,
// waves.
func (d *Denoiser) inputs() int { return d.dim + timeFeatures + d.context + d.about.Waves.inputs() }

// eachAngle calls f with the place of each angle in a row that the network reads, and with
// that of its waves there.
func (d *Denoiser) eachAngle(f func(feature, from, to int)) {
	from, n := d.dim+timeFeatures+d.context, 2*d.about.Waves.Count
	for _, l := range d.about.Waves.Angles {
		f(l, from, from+n)
		from += n
	}
}

// waveOf returns the first wave of angle l, for an alpha and a sigma whose squares sum to 1.
func (d *Denoiser) waveOf(l int, alpha, sigma float64) wave {
	return d.about.Waves.waveOf(d.white.Mean[l], d.white.spread[l], alpha, sigma)
}

// tabled is the number of those that pass through tables, which are the first: features
// and one function of time.
func (d *Denoiser) tabled() int { return d.dim + 1 }

// Dim returns the number of features of an event.
func (d *Denoiser) Dim() int { return d.dim }

// Context returns the number of features that the density is conditional on.
func (d *Denoiser) Context() int { return d.context }

// Waves returns what the network reads of angles.
func (d *Denoiser) Waves() Waves { return d.about.Waves }

// Sizes returns how large the features are on the path, in units of their spread; nil: 1
// each. The rows that [Solver.Solve] takes to events of [Denoiser.Mean] are such.
func (d *Denoiser) Sizes() []float64 { return slices.Clone(d.sizes) }

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
	of       []noisy   // what is noisy of which feature
	normals  *normalsState
}

func (d *Denoiser) newDenoising() *denoising {
	s := &denoising{
		state: d.net.NewState(nn.Tile), in: make([]float32, nn.Tile*d.inputs()),
		dy: make([]float32, nn.Tile*d.dim), dx: make([]float32, nn.Tile*d.inputs()),
		noise: make([]float32, d.dim), u: make([]float32, 1),
		x: make([]float32, nn.Tile*d.dim), own: make([]float32, nn.Tile*d.dim), of: make([]noisy, d.dim),
	}
	if d.base != nil {
		s.normals = d.base.newState()
	}
	return s
}

// noisy is a feature of events x_t: where a white one is w, this is size·(alpha·w +
// sigma·ε) times as large as norm/size says, alpha and sigma having squares that sum to 1.
type noisy struct{ alpha, sigma, norm, size float64 }

// noisy says what feature j is on the path.
func (d *Denoiser) noisy(j int, alpha, sigma float64) noisy {
	size := 1.0
	if d.sizes != nil {
		size = d.sizes[j]
	}
	norm := math.Hypot(alpha*size, sigma)
	return noisy{alpha * size / norm, sigma / norm, norm, size}
}

// Mean makes the network a [Posterior], of events in white space, with sizes.
func (d *Denoiser) Mean(q []float32, div []float64, x, c []float32, alpha, sigma float64) {
	norm := math.Hypot(alpha, sigma)
	width := d.inputs()
	var time [timeFeatures]float32
	embed(time[:], alpha/norm, sigma/norm)
	nn.Parallel(len(x)/d.dim, rowsPerGoroutine, func(lo, hi int) {
		s := d.memory.Get().(*denoising)
		defer d.memory.Put(s)
		for j := range s.of {
			s.of[j] = d.noisy(j, alpha, sigma)
		}
		out := 0.0 // of F over a mixture
		if d.base != nil {
			d.base.at(s.normals, alpha/norm, sigma/norm)
			out = d.spread(alpha/norm, sigma/norm)
		}
		for ; lo < hi; lo += nn.Tile {
			m := min(nn.Tile, hi-lo)
			for r := range m {
				row := s.in[r*width : (r+1)*width]
				copy(row[d.dim:], time[:])
				copy(row[d.dim+timeFeatures:], c[(lo+r)*d.context:(lo+r+1)*d.context])
				for j, of := range s.of {
					s.x[r*d.dim+j] = float32(float64(x[(lo+r)*d.dim+j]) / of.norm)
				}
			}
			d.readFeatures(s, m)
			d.eachAngle(func(l, from, to int) {
				v := d.waveOf(l, s.of[l].alpha, s.of[l].sigma)
				for r := range m {
					row := s.in[r*width : (r+1)*width]
					v.forward(row[from:to], row[l])
				}
			})
			y := d.net.Forward(s.state, s.in[:m*width], m)
			var part []float64
			if div != nil {
				part = div[lo : lo+m]
			}
			to := q[lo*d.dim : (lo+m)*d.dim]
			if d.base != nil {
				d.base.evaluate(s.normals, to, part, s.x[:m*d.dim])
				for r := range part {
					part[r] /= norm
				}
				for j, f := range y {
					to[j] += float32(out) * f
				}
			} else {
				own := 0.0 // ∇·q without F
				for _, of := range s.of {
					own += of.size * of.alpha / of.norm
				}
				for r := range part {
					part[r] = own
				}
				for r := range m {
					for j, of := range s.of {
						k := r*d.dim + j
						to[k] = float32(of.size * (of.alpha*float64(s.x[k]) + of.sigma*float64(y[k])))
					}
				}
			}
			if div == nil {
				continue
			}
			dy, dx := s.dy[:m*d.dim], s.dx[:m*width]
			for j := range d.dim { // the diagonal of the Jacobian, row by row
				clear(dy)
				for r := range m {
					dy[r*d.dim+j] = 1
				}
				d.net.Backward(s.state, nil, dx, s.in[:m*width], dy, m)
				d.eachAngle(func(l, from, to int) {
					v := d.waveOf(l, s.of[l].alpha, s.of[l].sigma)
					for r := range m {
						dx[r*width+l] += v.backward(dx[r*width+from:r*width+to], s.in[r*width+l])
					}
				})
				factor := out / norm
				if d.base == nil {
					factor = s.of[j].size * s.of[j].sigma / s.of[j].norm
				}
				to := d.white.toOwn[j*d.dim : (j+1)*d.dim] // the features that x_j is part of
				for r := range part {
					slope := 0.0
					for l, v := range dx[r*width : r*width+d.dim] {
						slope += float64(v) * float64(to[l])
					}
					part[r] += factor * slope
				}
			}
		}
	})
}

// readFeatures writes the features of the m rows of s.x where the network reads them.
func (d *Denoiser) readFeatures(s *denoising, m int) {
	d.white.own(s.own, s.x, m)
	width := d.inputs()
	for r := range m {
		copy(s.in[r*width:], s.own[r*d.dim:(r+1)*d.dim])
	}
}

// spread returns the factor of F over a mixture, for α and σ whose squares sum to 1.
func (d *Denoiser) spread(alpha, sigma float64) float64 { return sigma * d.base.scaleAt(alpha, sigma) }

// rowsPerGoroutine is how many rows a goroutine takes along the path at a time.
const rowsPerGoroutine = 4 * nn.Tile

// The logarithms of α/σ that are trained have this mean and this width, and are bounded.
const meanLogSNR, widthLogSNR, mostLogSNR = 1, 1.8, 6

// Train fits the network to the rows of train: the loss is the weighted mean of the
// squared error of F, per feature. ctx, valid and opts are as for flows, but for their
// defaults: the parameters are averaged, the rate is 4e-3 (2e-3 for fewer than 20,000
// rows, 3e-3 and steps of 1024 rows for 50,000 or more), and there are as many epochs as make
// 48 million rows, but at most 500, and all of them are made.
func (d *Denoiser) Train(ctx context.Context, train, valid Data, opts TrainOptions) (History, error) {
	if err := checkData(d.dim, d.context, train, valid); err != nil {
		return History{}, err
	}
	begin := time.Now()
	d.seed = opts.Seed
	if err := d.prepare(train); err != nil {
		return History{}, err
	}
	if opts.MaxTime > 0 {
		opts.MaxTime = max(opts.MaxTime-time.Since(begin), 1)
	}
	if train.Len() >= 50_000 {
		// Smaller steps leave more noise in a posterior mean that is nearly simple, larger ones
		// are too few for one that is not.
		opts.Batch = cmp.Or(opts.Batch, 1024)
		opts.Rate = cmp.Or(opts.Rate, 3e-3)
	}
	opts = regressing(opts, train.Len(), 48_000_000)
	h, err := nn.Fit(ctx, (*regression)(d), d.whiten(train), d.whiten(valid), opts)
	d.net.Pack()
	if e := d.finish(); e != nil {
		return h, e
	}
	return h, err
}

// prepare finds what does not take a training, from the rows of one.
func (d *Denoiser) prepare(train Data) (err error) {
	if d.white, err = newWhitening(train, d.about.Waves.Angles...); err != nil || d.about.Components < 2 {
		return err
	}
	base, err := findNormals(d.whiten(train), d.about.Components, d.seed)
	d.stand(base)
	return err
}

// stand puts the network over a mixture.
func (d *Denoiser) stand(base *normals) {
	d.base = base
	d.memory = sync.Pool{New: func() any { return d.newDenoising() }}
}

func (d *Denoiser) unwhiten(x, _ []float32) { d.white.back(x, x) }

func (d *Denoiser) trained() []float32 { return d.params.Value }

func (d *Denoiser) adopt(_ context.Context, train Data, seed uint64) error {
	d.seed = seed
	if err := d.prepare(train); err != nil {
		return err
	}
	d.net.Pack()
	return d.finish()
}

// regressing fills in the options of a training by regression, which by default reads so
// many rows in all. Its loss is noisy, and falls most when the rate does: to lose patience
// before that is a loss of quality.
func regressing(o TrainOptions, events, rows int) TrainOptions {
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
func (d *Denoiser) whiten(rows Data) Data {
	from := rows
	rows.X = make([]float32, len(from.X))
	d.white.forward(rows.X, from.X)
	if from.Refresh != nil {
		rows.Refresh = func(pass uint64) {
			from.Refresh(pass)
			d.white.forward(rows.X, from.X)
		}
	}
	return rows
}

// largest returns the size of the largest feature on the path.
func (d *Denoiser) largest() float64 { return slices.Max(append(slices.Clone(d.sizes), 1)) }

// densitySolver integrates the divergence. Its error of log p is 0.002 where the truth is
// known; for equal work, multistep methods have more of it, and all of the same sign.
// What is larger on the path begins to emerge earlier, in steps that are longer.
func (d *Denoiser) densitySolver() Solver {
	if d.sizes != nil {
		return Solver{Method: Heun, Steps: 48}
	}
	return Solver{Method: Heun, Steps: 36}
}

// finish derives what follows from the rest.
func (d *Denoiser) finish() (err error) {
	if d.times, err = d.about.Solver.Times(d, d.about.Width); err != nil {
		return err
	}
	if d.timesUp, err = d.densitySolver().Times(d, d.about.Width); err != nil {
		return err
	}
	d.timesOutline, err = outlineSolver().Times(d, d.about.Width)
	return err
}

// outlineSolver solves the equation of the mixture alone, for a start.
func outlineSolver() Solver { return Solver{Steps: 12} }

// outline takes noise to white events of the mixture alone, in place.
func (d *Denoiser) outline(x []float32) {
	s := d.memory.Get().(*denoising)
	defer d.memory.Put(s)
	if err := outlineSolver().along(outlined{d, s}, nil, x, nil, d.timesOutline); err != nil {
		panic(err)
	}
}

// outlined is a mixture as a [Posterior], for one goroutine.
type outlined struct {
	d *Denoiser
	s *denoising
}

func (o outlined) Dim() int     { return o.d.dim }
func (o outlined) Context() int { return 0 }

func (o outlined) Mean(q []float32, _ []float64, x, _ []float32, alpha, sigma float64) {
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

func (g *regression) Params() *nn.Params { return &g.params }

func (g *regression) Pack(part, _ int) {
	if part == 0 {
		g.net.Pack()
	}
}

func (g *regression) NewWorker() nn.Worker {
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
func (g *regressor) Loss(grad []float32, rows nn.Rows) float64 {
	width, m := g.inputs(), rows.N
	target := rows.X
	for r := range m {
		philox.Normal(g.u, g.seed, streamTime+rows.Pass, uint64(rows.Index[r]))
		philox.Normal(g.noise, g.seed, streamNoise+rows.Pass, uint64(rows.Index[r])*uint64(g.dim))
		alpha, sigma := unit(min(max(meanLogSNR+widthLogSNR*float64(g.u[0]), -mostLogSNR), mostLogSNR))
		row, in := g.x[r*g.dim:(r+1)*g.dim], g.in[r*width:(r+1)*width]
		goal := target[r*g.dim : (r+1)*g.dim]
		for j, e := range g.noise {
			of := g.noisy(j, alpha, sigma)
			row[j] = float32(of.alpha)*goal[j] + float32(of.sigma)*e
			if g.base == nil {
				goal[j] = float32(of.sigma)*goal[j] - float32(of.alpha)*e
			}
		}
		if g.base != nil {
			g.base.at(g.normals, alpha, sigma)
			g.base.residual(g.normals, goal, row, g.spread(alpha, sigma))
		}
		embed(in[g.dim:], alpha, sigma)
		copy(in[g.dim+timeFeatures:], rows.C[r*g.context:(r+1)*g.context])
	}
	g.readFeatures(g.denoising, m)
	g.eachAngle(func(l, from, to int) {
		for r := range m {
			in := g.in[r*width : (r+1)*width]
			of := g.noisy(l, float64(in[g.dim+1]), float64(in[g.dim+2]))
			g.waveOf(l, of.alpha, of.sigma).forward(in[from:to], in[l])
		}
	})
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
// is another event.
func (d *Denoiser) Sample(x, c []float32, seed, attempt, first uint64) {
	drawNoise(x, d.dim, seed, attempt, first)
	d.Generate(x, c)
}

// Generate takes noise to events, in place. It is a smooth map.
func (d *Denoiser) Generate(x, c []float32) {
	d.generate(x, c)
	d.white.back(x, x)
}

// generate takes noise to white events, in place.
func (d *Denoiser) generate(x, c []float32) {
	nn.Parallel(len(x)/d.dim, rowsPerGoroutine, func(lo, hi int) {
		if err := d.about.Solver.along(d, d.sizes, x[lo*d.dim:hi*d.dim], c[lo*d.context:hi*d.context], d.times); err != nil {
			panic(err) // the times were looked at before
		}
	})
}

// LogDensity stores log p(x|c) of each row of x (n×Dim) in dst (n), by integrating the
// divergence of the equation, which is exact for the network: the trace of its Jacobian,
// row by row. c is the context, n×Context. Near the cut of a circle the density is that on
// both sides of it.
func (d *Denoiser) LogDensity(dst []float64, x, c []float32) {
	d.logDensity(dst, x, c)
	if len(d.about.Waves.Angles) == 0 {
		return
	}
	var of []int // the events of the images
	var images, contexts []float32
	for i := range dst {
		first := len(images)
		images = append(images, x[i*d.dim:(i+1)*d.dim]...)
		for _, j := range d.about.Waves.Angles {
			for from, to := first, len(images); from < to; from += d.dim {
				images = append(images, images[from:from+d.dim]...)
				if !d.about.Waves.image(images[len(images)-d.dim:], j) {
					images = images[:len(images)-d.dim]
				}
			}
		}
		copy(images[first:], images[first+d.dim:]) // the event itself is done
		images = images[:len(images)-d.dim]
		for range (len(images) - first) / d.dim {
			of, contexts = append(of, i), append(contexts, c[i*d.context:(i+1)*d.context]...)
		}
	}
	across := make([]float64, len(of))
	d.logDensity(across, images, contexts)
	for k, i := range of {
		dst[i] = floats.LogSumExp([]float64{dst[i], across[k]})
	}
}

// logDensity is LogDensity on the one side.
func (d *Denoiser) logDensity(dst []float64, x, c []float32) {
	z := make([]float32, len(x))
	d.white.forward(z, x)
	nn.Parallel(len(dst), rowsPerGoroutine, func(lo, hi int) {
		if err := d.densitySolver().up(dst[lo:hi], d, d.sizes, z[lo*d.dim:hi*d.dim], c[lo*d.context:hi*d.context], d.timesUp); err != nil {
			panic(err)
		}
	})
	for i := range dst {
		dst[i] += d.white.logDet
	}
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
func (d *Denoiser) Tensors() []Tensor {
	tensors := d.params.Views()
	if d.base != nil {
		for _, t := range d.base.params.Views() {
			t.Name = basePrefix + t.Name
			tensors = append(tensors, t)
		}
	}
	return tensors
}

func loadDenoiser(text []byte, tensors []Tensor) (*Denoiser, error) {
	var f denoiserFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("diffusion: could not read the description of a model: %w", err)
	}
	if err := f.Options.Check(); err != nil {
		return nil, fmt.Errorf("diffusion: %w", err)
	}
	const most = 1 << 20
	if f.Dim < 1 || f.Dim > most || f.Context < 0 || f.Context > most || f.Whitening == nil || len(f.Whitening.Mean) != f.Dim {
		return nil, errors.New("diffusion: the description of the denoiser is damaged")
	}
	var own, of []Tensor
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
	want := nn.MLPLen(f.Dim+timeFeatures+f.Context+f.Options.Waves.inputs(), f.Options.Hidden, f.Dim)
	if o := f.Options; o.Cells > 0 && len(o.Hidden) > 0 {
		want += table.Len(f.Dim+1, o.Cells, o.Hidden[0])
	}
	if f.Options.Components > 1 {
		want += normalsLen(f.Dim, f.Options.Components)
	}
	if want != have {
		return nil, fmt.Errorf("diffusion: %d parameters for a denoiser of %d", have, want)
	}
	d, err := NewDenoiser(f.Dim, f.Context, 0, f.Options)
	if err != nil {
		return nil, err
	}
	if err := take(&d.params, own); err != nil {
		return nil, err
	}
	if f.Options.Components > 1 {
		base := newNormals(f.Dim, f.Options.Components)
		if err := take(&base.params, of); err != nil {
			return nil, err
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
	return d, d.finish()
}
