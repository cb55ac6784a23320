package diffusion

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/kernels/philox"
)

// Kernels is the model without training: its posterior mean are kernel sums over the
// training events, which it holds, whitened. Its density is the mixture of normals of
// width Width around them in white space, where the mixture is made as wide as the
// events are: with h = Width, around each event times 1/√(1+h²), of width h/√(1+h²).
//
// The smaller the width, the nearer the events it draws are to training events, until
// they are copies; [Kernels.Copies] counts these.
type Kernels struct {
	dim     int
	about   KernelsOptions
	white   *whitening
	mixture *Mixture
	end     ending
	times   []float64
	direct  bool
}

// KernelsOptions say how a [Kernels] draws.
type KernelsOptions struct {
	// Width is σ_min, the width of the normals, in units of the events' spread in
	// white space. When it is nil, training chooses the one for which events that are
	// left out are most likely. With 0, events are copies of training events.
	Width *float64 `json:"width,omitempty"`
	// Epsilon is the part of the sums that may be left out, see [Mixture]; by default
	// [DefaultEpsilon]. When negative, nothing is.
	Epsilon float64 `json:"epsilon,omitempty"`
	// Solver is how the equation is solved.
	Solver Solver `json:"solver"`
	// CopyDistance is set by training: the 1 % quantile, over training events, of the
	// distance to the nearest other one, in white space.
	CopyDistance float64 `json:"copy_distance,omitempty"`
}

// Check says which option makes no sense, if any.
func (o KernelsOptions) Check() error {
	if o.Width != nil && !(*o.Width >= 0 && *o.Width <= 10) {
		return fmt.Errorf("the width σ_min cannot be %g: it is in units of the events' spread", *o.Width)
	}
	if !(o.Epsilon < 0.1) {
		return fmt.Errorf("the part of the sums to leave out cannot be %g: want a small number, such as 1e-5", o.Epsilon)
	}
	return o.Solver.Check()
}

func (o KernelsOptions) epsilon() float64 {
	if o.Epsilon == 0 {
		return DefaultEpsilon
	}
	return max(0, o.Epsilon)
}

// NewKernels returns the model for events with dim features. Train gives it events.
func NewKernels(dim int, opts KernelsOptions) (*Kernels, error) {
	if dim < 1 {
		return nil, fmt.Errorf("diffusion: %d features", dim)
	}
	if err := opts.Check(); err != nil {
		return nil, fmt.Errorf("diffusion: %w", err)
	}
	return &Kernels{dim: dim, about: opts}, nil
}

// Dim returns the number of features of an event.
func (k *Kernels) Dim() int { return k.dim }

// Context returns 0: kernel sums are not conditional.
func (k *Kernels) Context() int { return 0 }

// Width returns σ_min, in units of the events' spread.
func (k *Kernels) Width() float64 { return *k.about.Width }

// Mixture returns the mixture of the training events, in white space.
func (k *Kernels) Mixture() *Mixture { return k.mixture }

// Direct returns the model that draws from the mixture itself and solves no equation:
// choose an event, shrink it, smear it. The events are as good; what is lost is the
// smooth map from noise to events.
func (k *Kernels) Direct() *Kernels {
	direct := *k
	direct.direct = true
	return &direct
}

func (k *Kernels) String() string {
	if k.mixture == nil {
		return "kernel sums over the training events"
	}
	how := "by the reverse-time equation"
	if k.direct {
		how = "directly"
	}
	return fmt.Sprintf("kernel sums over %d events, σ_min %.3g, drawn %s", k.mixture.Len(), k.Width(), how)
}

// Train takes over the rows of train and their weights, which must not be negative, and
// chooses the width. The loss is the mean of −log p over the rows of valid.
func (k *Kernels) Train(ctx context.Context, train, valid Data, _ TrainOptions) (History, error) {
	if err := checkData(k.dim, 0, train, valid); err != nil {
		return History{}, err
	}
	for i, w := range train.W {
		if w < 0 {
			return History{}, fmt.Errorf("diffusion: event %d has the weight %g: kernel sums need weights that are not negative (a flow or --model denoiser takes them)", i, w)
		}
	}
	var err error
	if k.white, err = newWhitening(train); err != nil {
		return History{}, err
	}
	z := make([]float32, len(train.X))
	k.white.forward(z, train.X)
	apart, err := newApart(z, train.W, k.dim)
	if err != nil {
		return History{}, err
	}
	k.about.CopyDistance = apart.quantile(0.01)
	if k.about.Width == nil {
		width, err := apart.bestWidth(ctx)
		if err != nil {
			return History{}, err
		}
		k.about.Width = &width
	}
	if k.mixture, err = NewMixture(z, train.W, k.dim, k.about.epsilon()); err != nil {
		return History{}, err
	}
	if err := k.finish(); err != nil {
		return History{}, err
	}
	h := History{Stopped: "nothing to train"}
	if n := valid.Len(); n > 0 && k.Width() > 0 {
		const most = 1 << 12
		n = min(n, most)
		p := make([]float64, n)
		k.LogDensity(p, valid.X[:n*k.dim], nil)
		sum, total := 0.0, 0.0
		for i, l := range p {
			w := 1.0
			if valid.W != nil {
				w = float64(valid.W[i])
			}
			sum -= w * l
			total += w
		}
		h.Best = sum / total
		h.Points = []nn.Point{{Valid: h.Best}}
	}
	return h, ctx.Err()
}

// finish derives what follows from the rest.
func (k *Kernels) finish() error {
	var err error
	k.times, err = k.about.Solver.Times(k.mixture, k.Width())
	if err != nil {
		return err
	}
	k.end = endOf(k.about.Solver.Schedule, k.times[len(k.times)-1])
	return nil
}

// Sample draws the events first, first+1, … of a seed into x (n×Dim). Event i depends on
// (seed, attempt, i) alone; another attempt is another event.
func (k *Kernels) Sample(x, _ []float32, seed, attempt, first uint64) {
	drawNoise(x, k.dim, seed, attempt, first)
	if k.direct {
		k.smear(x, seed, attempt, first)
	} else {
		k.generate(x, nil)
	}
	k.white.back(x, x)
}

// generate takes noise to white events, in place.
func (k *Kernels) generate(x, _ []float32) {
	if err := k.about.Solver.along(k.mixture, x, nil, k.times); err != nil {
		panic(err) // the times were looked at before
	}
}

func (k *Kernels) space() *whitening { return k.white }

func (k *Kernels) trained() []float32 { return nil }

func (k *Kernels) adopt(ctx context.Context, train Data) error {
	_, err := k.Train(ctx, train, Data{}, TrainOptions{})
	return err
}

// smear turns noise into draws from the mixture.
func (k *Kernels) smear(x []float32, seed, attempt, first uint64) {
	m, dim := k.mixture, k.dim
	cumulated := m.cumulated()
	u := make([]float64, len(x)/dim)
	philox.Uniform64(u, seed, streamDirect+attempt, first)
	alpha, sigma := k.end.alpha*k.end.scale, k.end.sigma*k.end.scale
	for i, u := range u {
		at, _ := slices.BinarySearch(cumulated, u*cumulated[m.n-1])
		for d, c := range m.x[min(at, m.n-1)*dim:][:dim] {
			x[i*dim+d] = float32(alpha*float64(c) + sigma*float64(x[i*dim+d]))
		}
	}
}

// LogDensity stores log p(x) of each row of x (n×Dim) in dst (n), in closed form. With a
// width of 0 there is no density, and all are −∞.
func (k *Kernels) LogDensity(dst []float64, x, _ []float32) {
	z := make([]float32, len(x))
	k.white.forward(z, x)
	if k.end.sigma == 0 {
		for i := range dst {
			dst[i] = math.Inf(-1)
		}
		return
	}
	k.mixture.LogDensity(dst, z, k.end.alpha*k.end.scale, k.end.sigma*k.end.scale)
	for i := range dst {
		dst[i] += k.white.logDet
	}
}

// LogDensityByPath is LogDensity by the equation: it takes the events to noise and
// integrates the divergence on the way. It agrees with the closed form to the accuracy of
// the solver.
func (k *Kernels) LogDensityByPath(dst []float64, x []float32) error {
	z := make([]float32, len(x))
	k.white.forward(z, x)
	if err := k.about.Solver.up(dst, k.mixture, z, nil, k.times); err != nil {
		return err
	}
	for i := range dst {
		dst[i] += k.white.logDet
	}
	return nil
}

// Copies returns the share of the rows of x (n×Dim) that are nearer to a training event
// than 99 % of the training events are to each other.
func (k *Kernels) Copies(x []float32) float64 {
	z := make([]float32, len(x))
	k.white.forward(z, x)
	return share(k.mixture.Nearest(z), k.about.CopyDistance)
}

const kernelsKind = "kernels"

// kernelsFile is what a model file says of a model beside its events.
type kernelsFile struct {
	Kind      string         `json:"kind"`
	Dim       int            `json:"dim"`
	Options   KernelsOptions `json:"options"`
	Whitening *whitening     `json:"whitening"`
}

// MarshalJSON describes the model, without its events.
func (k *Kernels) MarshalJSON() ([]byte, error) {
	return json.Marshal(kernelsFile{kernelsKind, k.dim, k.about, k.white})
}

// Tensors returns the whitened events and their weights.
func (k *Kernels) Tensors() []Tensor {
	if k.mixture == nil {
		return nil
	}
	n := k.mixture.n
	return []Tensor{
		{Name: "events", Shape: []int{n, k.dim}, Value: k.mixture.x},
		{Name: "weights", Shape: []int{n}, Value: k.mixture.w},
	}
}

func loadKernels(text []byte, tensors []Tensor) (*Kernels, error) {
	var f kernelsFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("diffusion: could not read the description of a model: %w", err)
	}
	damaged := errors.New("diffusion: the model's events do not fit its description")
	if len(tensors) != 2 || f.Dim < 1 || f.Whitening == nil || len(f.Whitening.Mean) != f.Dim || f.Options.Width == nil {
		return nil, damaged
	}
	n := len(tensors[1].Value)
	if tensors[0].Name != "events" || tensors[1].Name != "weights" || !slices.Equal(tensors[0].Shape, []int{n, f.Dim}) {
		return nil, damaged
	}
	k, err := NewKernels(f.Dim, f.Options)
	if err != nil {
		return nil, err
	}
	k.white = f.Whitening
	if err := k.white.finish(); err != nil {
		return nil, err
	}
	if k.mixture, err = NewMixture(tensors[0].Value, tensors[1].Value, f.Dim, k.about.epsilon()); err != nil {
		return nil, err
	}
	return k, k.finish()
}
