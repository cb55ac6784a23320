// Package flows holds normalizing flows: invertible maps between the density of
// the data and that of noise, composed of bijections, trained by maximum
// likelihood, with exact log-densities and independent samples.
//
// One convention holds everywhere: Forward maps data x to noise z, Inverse maps
// noise to data, and log|det J| is that of the direction that is taken. The
// log-density of x is that of z in the base distribution + log|det ∂z/∂x|. The base
// distribution is a standard normal, or a [Mixture] of normals.
//
// A flow knows nothing of files or columns: rows are float32, row-major, one
// event each, and every row is independent of all others. With a context, a
// second matrix with a row per event, the density is conditional: p(x|c).
package flows

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/eidolon-hep/eidolon/internal/em"
	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// Layer describes a bijection of a flow: what it is, without its parameters. It
// can be written as JSON: a model file describes its flow so. The layers of this package
// are [AffineCoupling], [SplineCoupling], [ContextAffine], [Linear], [ActNorm] and [Permutation]; the last layer may be a
// [Mixture], which takes the place of the standard normal.
type Layer interface {
	// build adds the parameters of the layer to p, under names that begin with
	// name.
	build(p *nn.Params, name string, dim, context int) (bijection, error)
	// parameters returns how many parameters build adds.
	parameters(dim, context int) (int, error)
}

// bijection is an invertible map of rows with parameters. All methods work in
// place on m rows; a state belongs to one goroutine.
type bijection interface {
	// init sets the parameters to their starting values.
	init(seed, stream uint64)
	// pack takes over changed parameters; for inverse, too, only where asked.
	pack(inverse bool)
	newState(rows int) any
	// forward maps x to noise and adds log|det J| of each row to logDet. What
	// backward needs is kept in the state.
	forward(state any, x, c, logDet []float32, m int)
	// inverse maps x to data and adds log|det J| of the inverse to logDet.
	inverse(state any, x, c, logDet []float32, m int)
	// backward follows forward: g enters as ∂L/∂y and leaves as ∂L/∂x, gLogDet
	// is ∂L/∂log|det J|, and the parameters' gradients are added to grad.
	backward(state any, grad, g, gLogDet []float32, m int)
}

// starter is a bijection that training starts from data: from rows of what arrives there.
type starter interface {
	start(d training.Data)
}

// dropper is the state of a bijection with dropout: it is told which rows it sees, and the
// number of the bijection.
type dropper interface {
	drop(rows training.Rows, id int)
}

// Flow is a composition of bijections, data → noise, over a base distribution: the
// standard normal, or a [Mixture] of normals. Its methods may be called by several
// goroutines at a time, but for Start, Train and Update, which change it.
type Flow struct {
	dim, context int
	layers       []Layer
	bijections   []bijection
	base         *mixture // nil stands for the standard normal
	params       nn.Params
	started      bool      // layers that start from data have done so
	memory       sync.Pool // of *states that no goroutine is using
}

// New returns the flow of events with dim features, and context features to be
// conditional on (0 for none), that applies the layers in order from data to
// noise. Its parameters are at their starting values for the seed.
func New(dim, context int, seed uint64, layers ...Layer) (*Flow, error) {
	if dim < 1 || context < 0 {
		return nil, fmt.Errorf("flows: %d features with %d context features", dim, context)
	}
	f := &Flow{dim: dim, context: context, layers: layers}
	for i, l := range layers {
		var b bijection
		var err error
		if base, ok := l.(Mixture); ok && i == len(layers)-1 {
			f.base, err = base.buildBase(&f.params, fmt.Sprint(i), dim)
		} else if b, err = l.build(&f.params, fmt.Sprint(i), dim, context); err == nil {
			f.bijections = append(f.bijections, b)
		}
		if err != nil {
			return nil, fmt.Errorf("flows: layer %d: %w", i, err)
		}
	}
	f.memory.New = func() any { return f.newStates() }
	for i, b := range f.bijections {
		b.init(seed, uint64(i))
	}
	if f.base != nil {
		f.base.init(seed, uint64(len(layers)))
	}
	f.Update()
	return f, nil
}

// Dim returns the number of features of an event.
func (f *Flow) Dim() int { return f.dim }

// Context returns the number of features that the density is conditional on.
func (f *Flow) Context() int { return f.context }

// Layers returns what the flow is composed of.
func (f *Flow) Layers() []Layer { return f.layers }

// Tensors returns the parameters. Whoever changes them calls [Flow.Update].
func (f *Flow) Tensors() []training.Tensor { return f.params.Tensors() }

// Update takes over changed parameters.
func (f *Flow) Update() {
	for _, b := range f.bijections {
		b.pack(true)
	}
	if f.base != nil {
		f.base.pack()
	}
}

// String says how many layers and parameters the flow has.
func (f *Flow) String() string {
	var kinds []string
	for _, l := range f.layers {
		kind := strings.TrimPrefix(fmt.Sprintf("%T", l), "flows.")
		if len(kinds) == 0 || kinds[len(kinds)-1] != kind {
			kinds = append(kinds, kind)
		}
	}
	return fmt.Sprintf("%d layers (%s), %d parameters", len(f.layers), repeated(kinds), len(f.params.Value))
}

// repeated lists kinds, and pairs that follow each other once, as in “8 × (Linear, AffineCoupling), Mixture”.
func repeated(kinds []string) string {
	var texts []string
	for i := 0; i < len(kinds); {
		n := 1
		for i+2*n+1 < len(kinds) && kinds[i+2*n] == kinds[i] && kinds[i+2*n+1] == kinds[i+1] {
			n++
		}
		if n == 1 {
			texts = append(texts, kinds[i])
			i++
			continue
		}
		texts = append(texts, fmt.Sprintf("%d × (%s, %s)", n, kinds[i], kinds[i+1]))
		i += 2 * n
	}
	return strings.Join(texts, ", ")
}

// states is the memory that one goroutine needs for a tile of rows.
type states struct {
	of     []any // the bijections
	base   *mixtureState
	x      []float32
	logDet []float32
	log    []float64 // of the base distribution
}

func (f *Flow) newStates() *states {
	s := &states{
		of:     make([]any, len(f.bijections)),
		x:      make([]float32, training.Tile*f.dim),
		logDet: make([]float32, training.Tile),
		log:    make([]float64, training.Tile),
	}
	if f.base != nil {
		s.base = f.base.newState(training.Tile)
	}
	for i, b := range f.bijections {
		s.of[i] = b.newState(training.Tile)
	}
	return s
}

func (f *Flow) forward(s *states, x, c, logDet []float32, m int) {
	for i, b := range f.bijections {
		b.forward(s.of[i], x, c, logDet, m)
	}
}

func (f *Flow) inverse(s *states, x, c, logDet []float32, m int) {
	for i := len(f.bijections) - 1; i >= 0; i-- {
		f.bijections[i].inverse(s.of[i], x, c, logDet, m)
	}
}

func (f *Flow) backward(s *states, grad, g, gLogDet []float32, m int) {
	for i := len(f.bijections) - 1; i >= 0; i-- {
		f.bijections[i].backward(s.of[i], grad, g, gLogDet, m)
	}
}

// Forward maps data to noise: z (n×Dim) gets f(x), and logDet (n), unless nil,
// log|det ∂z/∂x|. c is the context, n×Context. z may be x.
func (f *Flow) Forward(z, logDet, x, c []float32) {
	f.apply(context.Background(), z, logDet, x, c, f.forward)
}

// LayerNames returns the kinds of the bijections, in their order, such as “affine-coupling”. A
// [Mixture] is none.
func (f *Flow) LayerNames() []string {
	names := make([]string, len(f.bijections))
	for i := range names {
		names[i] = nameOf(f.layers[i])
	}
	return names
}

// ForwardLayers is [Flow.Forward] that adds log|det J_i| of each bijection to its slice of
// logDet (n each), unless that is nil. When ctx is cancelled its error is returned, within a tile of rows.
func (f *Flow) ForwardLayers(ctx context.Context, z []float32, logDet [][]float64, x, c []float32) error {
	n := len(x) / f.dim
	f.checkRows(n, len(x), len(z), len(c))
	f.tiles(ctx, n, func(s *states, lo, m int) {
		tile, ld := z[lo*f.dim:(lo+m)*f.dim], s.logDet[:m]
		copy(tile, x[lo*f.dim:])
		for k, b := range f.bijections {
			clear(ld)
			b.forward(s.of[k], tile, c[lo*f.context:(lo+m)*f.context], ld, m)
			if logDet == nil {
				continue
			}
			for i, v := range ld {
				logDet[k][lo+i] += float64(v)
			}
		}
	})
	return ctx.Err()
}

// LogBase stores the log-density of the base distribution in dst (n), of each row of noise z
// (n×Dim).
func (f *Flow) LogBase(dst []float64, z []float32) {
	f.tiles(context.Background(), len(dst), func(s *states, lo, m int) {
		f.logBase(s, dst[lo:lo+m], z[lo*f.dim:(lo+m)*f.dim], m)
	})
}

// Inverse maps noise to data: x (n×Dim) gets f⁻¹(z), and logDet (n), unless nil,
// log|det ∂x/∂z|. c is the context, n×Context. x may be z.
func (f *Flow) Inverse(x, logDet, z, c []float32) {
	f.apply(context.Background(), x, logDet, z, c, f.inverse)
}

func (f *Flow) apply(ctx context.Context, y, logDet, x, c []float32, direction func(s *states, x, c, logDet []float32, m int)) {
	n := len(x) / f.dim
	f.checkRows(n, len(x), len(y), len(c))
	if logDet != nil && len(logDet) != n {
		panic(fmt.Sprintf("flows: %d values of log|det J| for %d rows", len(logDet), n))
	}
	f.tiles(ctx, n, func(s *states, lo, m int) {
		ld := s.logDet[:m]
		if logDet != nil {
			ld = logDet[lo : lo+m]
		}
		clear(ld)
		tile := y[lo*f.dim : (lo+m)*f.dim]
		copy(tile, x[lo*f.dim:])
		direction(s, tile, c[lo*f.context:(lo+m)*f.context], ld, m)
	})
}

// tiles calls do for the tiles of n rows, m rows from lo on, until ctx is cancelled.
func (f *Flow) tiles(ctx context.Context, n int, do func(s *states, lo, m int)) {
	parallel.RangesContext(ctx, n, rowsPerGoroutine, func(lo, hi int) {
		s := f.memory.Get().(*states)
		defer f.memory.Put(s)
		for ; lo < hi && ctx.Err() == nil; lo += training.Tile {
			do(s, lo, min(training.Tile, hi-lo))
		}
	})
}

// rowsPerGoroutine is how many rows a goroutine takes at a time.
const rowsPerGoroutine = 64 * training.Tile

func (f *Flow) checkRows(n, x, y, c int) {
	if n*f.dim != x || x != y || n*f.context != c {
		panic(fmt.Sprintf("flows: slices of %d, %d and %d values for rows of %d features and %d context features", x, y, c, f.dim, f.context))
	}
}

// LogDensity stores log p(x|c) of each row of x (n×Dim) in dst (n): the sum of
// the base distribution's log-density of z and log|det ∂z/∂x|. c is the context,
// n×Context. When ctx is cancelled its error is returned, within a tile of rows.
func (f *Flow) LogDensity(ctx context.Context, dst []float64, x, c []float32) error {
	n := len(dst)
	f.checkRows(n, len(x), n*f.dim, len(c))
	f.tiles(ctx, n, func(s *states, lo, m int) {
		z, logDet := s.x[:m*f.dim], s.logDet[:m]
		copy(z, x[lo*f.dim:])
		clear(logDet)
		f.forward(s, z, c[lo*f.context:(lo+m)*f.context], logDet, m)
		f.logBase(s, dst[lo:lo+m], z, m)
		for i, v := range logDet {
			dst[lo+i] += float64(v)
		}
	})
	return ctx.Err()
}

// logBase stores the log-density of the base distribution of m rows of noise in dst.
func (f *Flow) logBase(s *states, dst []float64, z []float32, m int) {
	if f.base != nil {
		f.base.logDensity(s.base, dst, z, m)
		return
	}
	for i := range m {
		dst[i] = em.LogNormal(z[i*f.dim : (i+1)*f.dim])
	}
}

// streamSample is the first of the streams of a seed that samples are drawn from.
const streamSample = 1 << 56

// Sample draws the events first, first+1, … of a seed into x (n×Dim). c is the
// context, n×Context. Event i depends on (seed, attempt, i) and its context
// alone, however the events are cut into calls; another attempt is another event. When
// ctx is cancelled its error is returned, within a tile of rows.
func (f *Flow) Sample(ctx context.Context, x, c []float32, seed, attempt, first uint64) error {
	n := len(x) / f.dim
	f.checkRows(n, len(x), len(x), len(c))
	parallel.Ranges(n, rowsPerGoroutine, func(lo, hi int) {
		f.noise(x[lo*f.dim:hi*f.dim], seed, attempt, first+uint64(lo))
	})
	f.apply(ctx, x, nil, x, c, f.inverse)
	return ctx.Err()
}

// SampleRows is like [Flow.Sample] for events of the given numbers, one for each row
// of x, which need not follow each other.
func (f *Flow) SampleRows(ctx context.Context, x, c []float32, seed, attempt uint64, rows []uint64) error {
	n := len(x) / f.dim
	f.checkRows(n, len(x), len(x), len(c))
	f.Noise(x, seed, attempt, rows)
	f.apply(ctx, x, nil, x, c, f.inverse)
	return ctx.Err()
}

// Noise draws from the base distribution: z (n×Dim) gets the noise of the events of the given
// numbers of a seed. Their events are Inverse of it.
func (f *Flow) Noise(z []float32, seed, attempt uint64, rows []uint64) {
	parallel.Ranges(len(rows), rowsPerGoroutine, func(lo, hi int) {
		for from, to := range philox.Runs(rows[lo:hi]) {
			f.noise(z[(lo+from)*f.dim:(lo+to)*f.dim], seed, attempt, rows[lo+from])
		}
	})
}

// noise draws from the base distribution for the events first, first+1, … of a seed.
func (f *Flow) noise(z []float32, seed, attempt, first uint64) {
	philox.Normal(z, seed, streamSample+attempt, first*uint64(f.dim))
	if f.base != nil {
		for i := range len(z) / f.dim {
			f.base.place(z[i*f.dim:(i+1)*f.dim], seed, attempt, first+uint64(i))
		}
	}
}

// Clamped returns how often, since the flow was made, the inverse of a spline met a
// discriminant that was negative by rounding, and took it as zero. This happens now and then
// among millions of events, and harms none of them.
func (f *Flow) Clamped() int64 {
	n := int64(0)
	for _, b := range f.bijections {
		if l, ok := b.(*couplingLayer); ok {
			n += l.clamped.Load()
		}
	}
	return n
}
