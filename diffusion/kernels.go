package diffusion

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// Kernels is the model without training: it holds the training events, whitened, and its
// posterior mean is computed from them by kernel sums. Its density in white space is a
// mixture of normals, one for each event. The mixture is as wide as the events are: with h =
// Width, the normals have the width h/√(1+h²) and stand at the events times 1/√(1+h²).
//
// It can be conditional on a context of few values, such as codes: each value has the mixture
// of its own events, and all have one width. A context that no training event has gets the
// mixture of the nearest one.
//
// The smaller the width, the nearer are the drawn events to training events, until
// they are copies; [Kernels.Copies] counts these.
type Kernels struct {
	dim     int
	context int
	opts    KernelsOptions
	white   *whitening
	groups  []group
	place   map[string]int // of a group, by its context
	end     ending
	times   []float64
	direct  bool
}

// group are the training events of one context.
type group struct {
	context   []float32
	mean      []float64 // which is the origin of their white space
	mixture   *Mixture
	cumulated []float64 // weights
}

// mostGroups is the number of different contexts that kernel sums can have.
const mostGroups = 1 << 10

// KernelsOptions say how a [Kernels] draws.
type KernelsOptions struct {
	// Width is σ_min, the width of the normals, in units of the events' spread in
	// white space. When it is nil, training chooses the one for which events that are
	// left out are most likely. With 0, events are copies of training events.
	Width *float64 `json:"width,omitempty"`
	// Epsilon is the part of the sums that may be left out, see [Mixture]; by default
	// [DefaultEpsilon]. When negative, nothing is.
	Epsilon float64 `json:"epsilon,omitempty"`
	// Events is K, the number of training events that the sums are over, chosen at random by
	// the seed of the training; 0 means all. The model is that of a sample of K events:
	// whitening, width and density follow from these alone. With weights w an event is chosen
	// with a probability proportional to w, and the sums stay unbiased; each context keeps its
	// weight and has one event at least.
	Events int `json:"events,omitempty"`
	// Of is set by training: the number of events that those were chosen from.
	Of int `json:"of,omitempty"`
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
	if o.Events < 0 {
		return fmt.Errorf("kernel sums cannot be over %d events", o.Events)
	}
	if err := o.Solver.Check(); err != nil || o.Width == nil {
		return err
	}
	return o.Solver.Schedule.checkWidth(*o.Width)
}

func (o KernelsOptions) epsilon() float64 {
	return max(0, cmp.Or(o.Epsilon, DefaultEpsilon))
}

// NewKernels returns the model for events with dim features and context features of few
// values to be conditional on (0 for none). Train gives it events.
func NewKernels(dim, context int, opts KernelsOptions) (*Kernels, error) {
	if dim < 1 || context < 0 {
		return nil, fmt.Errorf("diffusion: %d features with %d context features", dim, context)
	}
	if err := opts.Check(); err != nil {
		return nil, fmt.Errorf("diffusion: %w", err)
	}
	return &Kernels{dim: dim, context: context, opts: opts}, nil
}

// Dim returns the number of features of an event.
func (k *Kernels) Dim() int { return k.dim }

// Context returns the number of features that the density is conditional on.
func (k *Kernels) Context() int { return k.context }

// Width returns σ_min, in units of the events' spread.
func (k *Kernels) Width() float64 { return *k.opts.Width }

// Solver returns how the equation is solved by which events are drawn.
func (k *Kernels) Solver() Solver { return k.opts.Solver }

// SetSolver changes it, by any schedule whose path ends at Width or below. Schedules do not
// change where a path leads, only how the steps lie on it. It is not for while the model is in use.
func (k *Kernels) SetSolver(s Solver) error {
	if len(k.groups) == 0 {
		k.opts.Solver = s
		return k.opts.Check()
	}
	times, err := s.Times(k.groups[0].mixture, k.Width())
	if err != nil {
		return err
	}
	k.opts.Solver, k.times = s, times
	return nil
}

// Direct returns the same model, which draws from the mixture and solves no equation: it
// chooses an event, shrinks it and smears it. The density is the same; there is no smooth map
// from noise to events.
func (k *Kernels) Direct() *Kernels {
	direct := *k
	direct.direct = true
	return &direct
}

func (k *Kernels) String() string {
	if k.groups == nil {
		return "kernel sums over the training events"
	}
	how, n := "by the reverse-time equation", 0
	if k.direct {
		how = "directly"
	}
	for _, g := range k.groups {
		n += g.mixture.Len()
	}
	of := ""
	if k.opts.Events > 0 {
		of = fmt.Sprintf(" of %d", k.opts.Of)
	}
	return fmt.Sprintf("kernel sums over %d%s events, σ_min %.3g, drawn %s", n, of, k.Width(), how)
}

// key is a context as a key of a map.
func key(c []float32) string {
	b := make([]byte, 0, 64)
	for _, v := range c {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v+0)) // −0 is 0
	}
	return string(b)
}

// Train takes over the rows of train and their weights, which must not be negative, or as many
// of them as were asked for, chosen by the seed of opts; and it chooses the width, where that is
// left open: at least the σ(0) of the schedule, where paths end. The loss is the mean of −log p
// over the rows of valid.
func (k *Kernels) Train(ctx context.Context, train, valid training.Data, opts training.Options) (training.History, error) {
	if err := checkData(k.dim, k.context, train, valid); err != nil {
		return training.History{}, err
	}
	for i, w := range train.W {
		if w < 0 {
			return training.History{}, fmt.Errorf("diffusion: event %d has the weight %g: kernel sums need weights that are not negative (a flow or --model denoiser takes them)", i, w)
		}
	}
	if k.opts.Events > 0 {
		k.opts.Of = train.Len()
		var err error
		if train, err = choose(train, k.opts.Events, opts.Seed); err != nil {
			return training.History{}, err
		}
	}
	parts, err := k.splitByContext(ctx, train)
	if err != nil {
		return training.History{}, err
	}
	others := &heldOut{dim: k.dim}
	for _, p := range parts {
		if err := others.add(ctx, p.x, p.w, train.Len()); err != nil {
			return training.History{}, err
		}
	}
	k.opts.CopyDistance = others.quantile(ctx, 0.01)
	if k.opts.Width == nil {
		width, err := others.bestWidth(ctx)
		if err != nil {
			return training.History{}, err
		}
		width = max(width, k.opts.Solver.Schedule.Sigma(0))
		k.opts.Width = &width
	}
	if err := k.fill(ctx, parts); err != nil {
		return training.History{}, err
	}
	h := training.History{Stopped: "nothing to train"}
	if n := valid.Len(); n > 0 && k.Width() > 0 {
		const most = 1 << 12
		n = min(n, most)
		p := make([]float64, n)
		if err := k.LogDensity(ctx, p, valid.X[:n*k.dim], valid.C[:n*k.context]); err != nil {
			return training.History{}, err
		}
		sum, total := 0.0, 0.0
		for i, l := range p {
			w := valid.Weight(i)
			sum -= w * l
			total += w
		}
		h.Best = sum / total
		h.Points = []training.Point{{Valid: h.Best}}
	}
	return h, ctx.Err()
}

// contextEvents are the events of one context, whitened, relative to their mean.
type contextEvents struct {
	x, w, context []float32
	mean          []float64
}

// splitByContext returns the events of each context, whitened, all by one matrix.
func (k *Kernels) splitByContext(ctx context.Context, d training.Data) ([]contextEvents, error) {
	dim := k.dim
	place := map[string]int{}
	var parts []contextEvents
	var total []float64
	of := make([]int, d.Len())
	for i := range of {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		w := d.Weight(i)
		if of[i] = -1; w == 0 {
			continue
		}
		c := d.C[i*k.context : (i+1)*k.context]
		at, ok := place[key(c)]
		if !ok {
			if at = len(parts); at == mostGroups {
				return nil, fmt.Errorf("diffusion: kernel sums can be conditional on few codes only, and there are more than %d different conditions: use --model denoiser", mostGroups)
			}
			place[key(c)] = at
			parts = append(parts, contextEvents{context: c, mean: make([]float64, dim)})
			total = append(total, 0)
		}
		of[i] = at
		total[at] += w
		for j, v := range d.X[i*dim : (i+1)*dim] {
			parts[at].mean[j] += w * float64(v)
		}
	}
	if len(parts) == 0 {
		return nil, errors.New("diffusion: all events have the weight 0")
	}
	for at, p := range parts {
		for j := range p.mean {
			p.mean[j] /= total[at]
		}
	}
	centred := d // the events minus the mean of their context
	centred.X = make([]float32, len(d.X))
	for i, at := range of {
		for j := range dim {
			if at >= 0 {
				centred.X[i*dim+j] = float32(float64(d.X[i*dim+j]) - parts[at].mean[j])
			}
		}
	}
	var err error
	if k.white, err = newWhitening(ctx, centred); err != nil {
		return nil, err
	}
	k.white.forward(ctx, centred.X, centred.X)
	for i, at := range of {
		if at < 0 {
			continue
		}
		p := &parts[at]
		p.x = append(p.x, centred.X[i*dim:(i+1)*dim]...)
		if d.W != nil {
			p.w = append(p.w, d.W[i])
		}
	}
	return parts, nil
}

// fill makes the mixture of each context.
func (k *Kernels) fill(ctx context.Context, parts []contextEvents) error {
	k.groups, k.place = nil, map[string]int{}
	for i, p := range parts {
		m, err := NewMixture(ctx, p.x, p.w, k.dim, k.opts.epsilon())
		if err != nil {
			return err
		}
		k.groups = append(k.groups, group{slices.Clone(p.context), p.mean, m, m.cumulated()})
		k.place[key(p.context)] = i
	}
	return k.finish()
}

// groupOf returns the group of a context, or the nearest one.
func (k *Kernels) groupOf(c []float32) int {
	if at, ok := k.place[key(c)]; ok {
		return at
	}
	best, least := 0, math.Inf(1)
	for i, g := range k.groups {
		sum := 0.0
		for j, v := range g.context {
			sum += float64(v-c[j]) * float64(v-c[j])
		}
		if sum < least {
			best, least = i, sum
		}
	}
	return best
}

// eachGroup calls f for each group with its rows of x (n×Dim), in place; at are their places.
func (k *Kernels) eachGroup(x, c []float32, f func(g *group, x []float32, at []int)) {
	n := len(x) / k.dim
	of := make([][]int, len(k.groups))
	for i := range n {
		g := 0
		if k.context > 0 {
			g = k.groupOf(c[i*k.context : (i+1)*k.context])
		}
		of[g] = append(of[g], i)
	}
	for g, at := range of {
		if len(at) == 0 {
			continue
		}
		part := make([]float32, 0, len(at)*k.dim)
		for _, i := range at {
			part = append(part, x[i*k.dim:(i+1)*k.dim]...)
		}
		f(&k.groups[g], part, at)
		for j, i := range at {
			copy(x[i*k.dim:(i+1)*k.dim], part[j*k.dim:])
		}
	}
}

// finish derives what follows from the rest.
func (k *Kernels) finish() error {
	var err error
	k.times, err = k.opts.Solver.Times(k.groups[0].mixture, k.Width())
	if err != nil {
		return err
	}
	k.end = endOf(k.opts.Solver.Schedule, k.times[len(k.times)-1])
	return nil
}

// Sample draws the events first, first+1, … of a seed into x (n×Dim). c is the context,
// n×Context. Event i depends on (seed, attempt, i) and its context alone; another attempt
// is another event. The error is that of ctx.
func (k *Kernels) Sample(ctx context.Context, x, c []float32, seed, attempt, first uint64) error {
	k.Noise(x, seed, attempt, first)
	if !k.direct {
		return k.Inverse(ctx, x, x, c)
	}
	u := make([]float64, len(x)/k.dim)
	philox.Uniform64(u, seed, streamDirect+attempt, first)
	k.eachGroup(x, c, func(g *group, x []float32, at []int) { k.smear(g, x, u, at) })
	k.unwhiten(ctx, x, c)
	return ctx.Err()
}

// Noise draws the noise y (n×Dim) of the events first, first+1, … of a seed.
func (k *Kernels) Noise(y []float32, seed, attempt, first uint64) {
	drawNoise(y, k.dim, seed, attempt, first)
}

// Inverse maps noise y to events x (both n×Dim), which may be the same, by the equation. The
// error is that of ctx.
func (k *Kernels) Inverse(ctx context.Context, x, y, c []float32) error {
	copy(x, y)
	if err := k.generate(ctx, x, c); err != nil {
		return err
	}
	k.unwhiten(ctx, x, c)
	return ctx.Err()
}

// Forward maps events x to noise y (both n×Dim), which may be the same, and adds log|det J| of
// each of the [Layers] to its slice of logDet (n each), unless that is nil: the divergence of
// the equation is integrated. A width of 0 is an error; else the error is that of ctx.
func (k *Kernels) Forward(ctx context.Context, y []float32, logDet [][]float64, x, c []float32) (failed error) {
	copy(y, x)
	k.whiten(ctx, y, c)
	k.white.addLogDet(logDet)
	k.eachGroup(y, c, func(g *group, y []float32, at []int) {
		var part []float64
		if logDet != nil {
			part = make([]float64, len(at))
		}
		if err := k.opts.Solver.toNoise(ctx, g.mixture, y, nil, part, k.times); err != nil {
			failed = err
		}
		for j, l := range part {
			logDet[1][at[j]] += l
		}
	})
	return failed
}

// Path stores in at[k] where the events that come from noise y are at times[k]: see [Model].
// The error is that of ctx.
func (k *Kernels) Path(ctx context.Context, at [][]float32, y, c []float32, times []float64) (failed error) {
	stops, places := falling(times)
	k.eachGroup(slices.Clone(y), c, func(g *group, x []float32, rows []int) {
		err := k.opts.Solver.along(ctx, g.mixture, x, nil, k.times, stops, func(stop int, x []float32) {
			for j, i := range rows {
				copy(at[places[stop]][i*k.dim:(i+1)*k.dim], x[j*k.dim:])
			}
		})
		if err != nil {
			failed = err
		}
	})
	if failed != nil {
		return failed
	}
	for _, x := range at {
		k.unwhiten(ctx, x, c)
	}
	return ctx.Err()
}

// generate takes noise to white events, in place.
func (k *Kernels) generate(ctx context.Context, x, c []float32) (failed error) {
	k.eachGroup(x, c, func(g *group, x []float32, _ []int) {
		if err := k.opts.Solver.toEvents(ctx, g.mixture, x, nil, k.times); err != nil {
			failed = err
		}
	})
	return failed
}

// whiten and unwhiten take rows to white space, in place, and back.
func (k *Kernels) whiten(ctx context.Context, x, c []float32) {
	k.eachGroup(x, c, func(g *group, x []float32, _ []int) {
		for i := range x {
			x[i] = float32(float64(x[i]) - g.mean[i%k.dim])
		}
	})
	k.white.forward(ctx, x, x)
}

func (k *Kernels) unwhiten(ctx context.Context, x, c []float32) {
	k.white.back(ctx, x, x)
	k.eachGroup(x, c, func(g *group, x []float32, _ []int) {
		for i := range x {
			x[i] = float32(float64(x[i]) + g.mean[i%k.dim])
		}
	})
}

func (k *Kernels) trained() []float32 { return nil }

func (k *Kernels) adopt(ctx context.Context, train, _ training.Data, seed uint64) error {
	_, err := k.Train(ctx, train, training.Data{}, training.Options{Seed: seed})
	return err
}

// smear turns noise into draws from a mixture; u chooses the event of each row.
func (k *Kernels) smear(g *group, x []float32, u []float64, at []int) {
	m, dim := g.mixture, k.dim
	alpha, sigma := k.end.alpha*k.end.scale, k.end.sigma*k.end.scale
	for j, i := range at {
		event, _ := slices.BinarySearch(g.cumulated, u[i]*g.cumulated[m.n-1])
		for d, c := range m.x[min(event, m.n-1)*dim:][:dim] {
			x[j*dim+d] = float32(alpha*float64(c) + sigma*float64(x[j*dim+d]))
		}
	}
}

// LogDensity stores log p(x|c) of each row of x (n×Dim) in dst (n), in closed form. With a
// width of 0 there is no density, and all are −∞. The error is that of ctx.
func (k *Kernels) LogDensity(ctx context.Context, dst []float64, x, c []float32) error {
	if k.end.sigma == 0 {
		for i := range dst {
			dst[i] = math.Inf(-1)
		}
		return ctx.Err()
	}
	z := slices.Clone(x)
	k.whiten(ctx, z, c)
	k.eachGroup(z, c, func(g *group, z []float32, at []int) {
		p := make([]float64, len(at))
		g.mixture.LogDensity(ctx, p, z, k.end.alpha*k.end.scale, k.end.sigma*k.end.scale)
		for j, i := range at {
			dst[i] = p[j] + k.white.logDet
		}
	})
	return ctx.Err()
}

// LogDensityByPath is LogDensity by the equation: it takes the events to noise and
// integrates the divergence on the way. It agrees with the closed form to the accuracy of
// the solver.
func (k *Kernels) LogDensityByPath(ctx context.Context, dst []float64, x, c []float32) error {
	z := make([]float32, len(x))
	clear(dst)
	err := k.Forward(ctx, z, [][]float64{dst, dst}, x, c)
	addNormal(dst, z)
	return err
}

// Copies returns the share of the rows of x (n×Dim) that are nearer to a training event
// of their context than 99 % of the training events are to each other. The error is that
// of ctx.
func (k *Kernels) Copies(ctx context.Context, x, c []float32) (float64, error) {
	z := slices.Clone(x)
	k.whiten(ctx, z, c)
	distances := make([]float64, 0, len(x)/k.dim)
	k.eachGroup(z, c, func(g *group, z []float32, _ []int) {
		distances = append(distances, g.mixture.Nearest(ctx, z)...)
	})
	return shareBelow(distances, k.opts.CopyDistance), ctx.Err()
}

const kernelsKind = "kernels"

// kernelsFile is what a model file says of a model beside its events, which are in the
// order of the groups.
type kernelsFile struct {
	Kind      string         `json:"kind"`
	Dim       int            `json:"dim"`
	Context   int            `json:"context,omitempty"`
	Options   KernelsOptions `json:"options"`
	Whitening *whitening     `json:"whitening"`
	Groups    []groupFile    `json:"groups"`
}

type groupFile struct {
	Context []float32 `json:"context,omitempty"`
	Mean    []float64 `json:"mean"`
	Events  int       `json:"events"`
}

// MarshalJSON describes the model, without its events.
func (k *Kernels) MarshalJSON() ([]byte, error) {
	f := kernelsFile{Kind: kernelsKind, Dim: k.dim, Context: k.context, Options: k.opts, Whitening: k.white}
	for _, g := range k.groups {
		f.Groups = append(f.Groups, groupFile{g.context, g.mean, g.mixture.n})
	}
	return json.Marshal(f)
}

// Tensors returns the whitened events and their weights.
func (k *Kernels) Tensors() []training.Tensor {
	if len(k.groups) == 0 {
		return nil
	}
	x, w := k.groups[0].mixture.x, k.groups[0].mixture.w
	if len(k.groups) > 1 {
		x, w = nil, nil
		for _, g := range k.groups {
			x, w = append(x, g.mixture.x...), append(w, g.mixture.w...)
		}
	}
	return []training.Tensor{
		{Name: "events", Shape: []int{len(w), k.dim}, Value: x},
		{Name: "weights", Shape: []int{len(w)}, Value: w},
	}
}

func loadKernels(text []byte, tensors []training.Tensor) (*Kernels, error) {
	f, err := described[kernelsFile](text)
	if err != nil {
		return nil, err
	}
	damaged := errors.New("diffusion: the model's events do not fit its description")
	if len(tensors) != 2 || f.Dim < 1 || f.Options.Width == nil || len(f.Groups) > mostGroups {
		return nil, damaged
	}
	if err := f.Whitening.check(f.Dim); err != nil {
		return nil, err
	}
	x, w := tensors[0].Value, tensors[1].Value
	n := len(w)
	if tensors[0].Name != "events" || tensors[1].Name != "weights" || !slices.Equal(tensors[0].Shape, []int{n, f.Dim}) {
		return nil, damaged
	}
	k, err := NewKernels(f.Dim, f.Context, f.Options)
	if err != nil {
		return nil, err
	}
	k.white = f.Whitening
	if err := k.white.finish(); err != nil {
		return nil, err
	}
	var parts []contextEvents
	for _, g := range f.Groups {
		if len(g.Context) != f.Context || len(g.Mean) != f.Dim || g.Events < 1 || g.Events > len(w) {
			return nil, damaged
		}
		parts = append(parts, contextEvents{x[:g.Events*f.Dim], w[:g.Events], g.Context, g.Mean})
		x, w = x[g.Events*f.Dim:], w[g.Events:]
	}
	if len(w) > 0 || n == 0 {
		return nil, damaged
	}
	if err := k.fill(context.Background(), parts); err != nil {
		return nil, err
	}
	return k, nil
}
