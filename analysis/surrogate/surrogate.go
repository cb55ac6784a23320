// Package surrogate puts the parts together: what the columns of a sample look
// like ([features.Spec]), the density of its events in model space ([Density]), and
// where both came from ([Card]). A surrogate is trained on a
// table of events, asked for new events and for log-densities, saved and loaded.
package surrogate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/rows"
	"github.com/eidolon-hep/eidolon/flows"
	"github.com/eidolon-hep/eidolon/internal/panics"
	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// Surrogate is a model of the events of a sample.
type Surrogate struct {
	Features features.Spec
	Context  features.Context // what the density is conditional on, if anything
	Density  Density
	Card     Card
}

// Card says where a surrogate came from.
type Card struct {
	Version string           `json:"version,omitempty"` // of the program
	Command string           `json:"command,omitempty"` // that trained it
	Inputs  []string         `json:"inputs,omitempty"`  // the names of the files
	Tree    string           `json:"tree,omitempty"`
	Weight  string           `json:"weight,omitempty"`  // the branch of weights
	Events  int              `json:"events"`            // rows that were trained and validated on
	Weights *rows.Weights    `json:"weights,omitempty"` // what they are, if there are any
	Options Options          `json:"options"`
	History training.History `json:"history"`

	// Choice says why this kind of model was taken, where that was left open.
	Choice *Choice `json:"choice,omitempty"`

	// Different is the number of events without those that are copies of others
	// ([rows.Copies]), and HeldOut that of the events that validated. Both are 0 in
	// models of older programs.
	Different int `json:"different,omitempty"`
	HeldOut   int `json:"held_out,omitempty"`

	// Copies is the share of generated events that are copies of training events
	// ([diffusion.Copies]), for models that might make them.
	Copies *float64 `json:"copies,omitempty"`

	// View says which rows of the tree these are and which columns are computed.
	View rootio.ViewOptions `json:"view,omitzero"`

	// Collection is what the rows are objects of, nil if they are events, and
	// Multiplicity the fraction of events with 0, 1, 2, … of them.
	Collection   *rootio.Collection `json:"collection,omitempty"`
	Multiplicity []float64          `json:"multiplicity,omitempty"`
}

// check reports whether a card that was read from a file makes sense.
func (c *Card) check() error {
	const most, near = 1 << 16, 1e-6
	sum := 0.0
	for _, p := range c.Multiplicity {
		if !(p >= 0) {
			return fmt.Errorf("surrogate: the fraction of events with some number of objects is %g", p)
		}
		sum += p
	}
	if n := len(c.Multiplicity); n > most || n > 0 && !(math.Abs(sum-1) < near) {
		return errors.New("surrogate: the numbers of objects are damaged")
	}
	if c.Events < 0 || c.Collection != nil && len(c.Multiplicity) == 0 {
		return errors.New("surrogate: the card is damaged")
	}
	return nil
}

// Options say what to train and how. Zero values ask for the defaults; where a zero would
// mean something else, that is [training.Off].
type Options struct {
	Model  string `json:"model"`  // one of [Models]; by default the one of the first two that a short trial says
	Layers int    `json:"layers"` // coupling layers of a flow; by default 8, fewer for small samples; rounds of an autoregressive one, by default 1
	Hidden int    `json:"hidden"` // width of the conditioners' hidden layers; by default 128, less for small samples; for a denoiser 256
	Depth  int    `json:"depth"`  // number of these layers, or residual blocks; by default 2, for a denoiser or a one-step map 3
	Seed   uint64 `json:"seed"`   // of everything random

	// Components is the number of normals in the base distribution of a flow
	// ([flows.Mixture]), or that a denoiser stands over; by default 1, or 16 where the
	// events come as islands, which sets Features.Plain, too.
	Components int `json:"components,omitempty"`

	// Activation is that of the hidden layers of a flow's conditioners: relu, the
	// default, leaky_relu, silu or tanh.
	Activation string `json:"activation,omitempty"`
	// Residual makes residual networks of a flow's conditioners, of Depth blocks of
	// two layers ([flows.Conditioner]).
	Residual bool `json:"residual,omitempty"`
	// Dropout is the probability with which an output of a hidden layer of a flow's
	// conditioners is dropped in training ([flows.Conditioner]), in [0, 1); by
	// default 0.
	Dropout float64 `json:"dropout,omitempty"`

	// Condition names the columns that the density of the others is conditional
	// on; by default none.
	Condition []string `json:"condition,omitempty"`

	// Features say what is known about the columns; by default nothing.
	Features features.Options `json:"features,omitzero"`

	// Diffusion are the settings of the models that are no flows.
	Diffusion DiffusionOptions `json:"diffusion,omitzero"`

	// Begin, where it is not zero, is from when on MaxTime counts: when reading the events
	// began. By default that is the beginning of [New].
	Begin time.Time `json:"-"`

	// fitted are features to take as they are, those of a training that goes on; nil: New
	// looks for them.
	fitted *features.Spec

	// Train says how to train. Its MaxTime is for all of New and [Training.Run].
	Train training.Options `json:"train"`

	// Log, when not nil, is told in a line what New does where that takes time, and
	// what came of it. What is to be known of the events begins with "note: ".
	Log func(line string) `json:"-"`
}

func (o Options) log(format string, a ...any) {
	if o.Log != nil {
		o.Log(fmt.Sprintf(format, a...))
	}
}

// Check says which option makes no sense, if any.
func (o Options) Check() error {
	_, err := o.withDefaults()
	return err
}

// withDefaults fills in what was left open.
func (o Options) withDefaults() (Options, error) {
	if o.Model != "" && !slices.Contains(Models(), o.Model) {
		return o, fmt.Errorf("no model is called %q; there are %s", o.Model, strings.Join(Models(), ", "))
	}
	if err := o.checkSettings(); err != nil {
		return o, err
	}
	open := o.Model == ""
	if open {
		o.Model = Models()[0]
	}
	hidden, depth := o.network()
	layers := 0
	switch {
	case o.Model == autoregressive:
		layers = 1
	case o.isFlow():
		layers = 8
	}
	for _, v := range []struct {
		value *int
		otherwise,
		most int
		name string
	}{
		{&o.Layers, layers, 1024, "layers"},
		{&o.Hidden, hidden, 1 << 14, "hidden"},
		{&o.Depth, depth, 64, "depth"},
		{&o.Components, 0, 1 << 12, "components"},
	} {
		if *v.value == 0 {
			*v.value = v.otherwise
		}
		if *v.value < 1 && *v.value != v.otherwise || *v.value > v.most {
			return o, fmt.Errorf("%s must be between 1 and %d, not %d", v.name, v.most, *v.value)
		}
	}
	networks := max(o.Layers, 1)
	if open { // a trial may choose splines
		networks = max(networks, 8)
	}
	if most := widest(networks * o.Depth); o.Hidden > most {
		return o, fmt.Errorf("hidden must be at most %d with %d layers of networks, depth %d: larger ones take more than 8 GiB of memory", most, networks, o.Depth)
	}
	if !(o.Dropout >= 0 && o.Dropout < 1) {
		return o, fmt.Errorf("dropout must be at least 0 and below 1, not %g", o.Dropout)
	}
	if _, err := o.activation(); err != nil {
		return o, err
	}
	if err := o.Diffusion.check(o); err != nil {
		return o, err
	}
	if err := o.Features.Check(); err != nil {
		return o, err
	}
	o.Train.Seed = o.Seed
	return o, o.Train.Check()
}

// widest returns the largest width of so many hidden layers whose training has its place in memory:
// parameters, their moments, averages and best values, and the gradients of each goroutine.
func widest(layers int) int {
	const memory, perParameter = 8 << 30, 4 * 16
	return int(math.Sqrt(memory / perParameter / float64(max(layers, 1))))
}

// activation returns that of the conditioners.
func (o Options) activation() (act dense.Activation, err error) {
	if o.Activation == "" {
		return dense.ReLU, nil
	}
	if err = act.UnmarshalText([]byte(o.Activation)); err != nil || act == dense.None {
		return act, fmt.Errorf("no activation is called %q; there are %v, %v, %v, %v", o.Activation, dense.ReLU, dense.LeakyReLU, dense.SiLU, dense.Tanh)
	}
	return act, nil
}

// withDefaultsFor fills in what was left open, for a sample of n events of dim features.
// Full-sized networks learn a small sample by heart, and take too long for each of
// hundreds of features. And the parameters of flows are averaged: a
// small sample is learnt better so, and a large one no worse.
func (o Options) withDefaultsFor(n, dim int) (Options, error) {
	given := o
	o, err := o.withDefaults()
	if err != nil || !o.isFlow() {
		return o, err
	}
	if o.Train.Average == 0 {
		o.Train.Average = 0.998
	}
	if o.Model == autoregressive {
		// Networks with tables want to be learnt fast, and then to forget what is in a few
		// events only.
		if o.Train.Rate == 0 {
			o.Train.Rate = 3e-3
		}
		if o.Train.Decay == 0 {
			o.Train.Decay = 0.2
		}
	}
	layers, hidden := 0, 0
	switch {
	case n < 4_000:
		layers, hidden = 4, 16
	case n < 20_000:
		layers, hidden = 8, 32
	case n < 60_000:
		layers, hidden = 6, 64
	}
	if given.Layers == 0 && layers > 0 && o.Model != autoregressive {
		o.Layers = layers
	}
	if given.Hidden == 0 && hidden > 0 {
		o.Hidden = hidden
	}
	if given.Hidden == 0 && o.Model == autoregressive {
		const most, least = 1 << 22, 4 // values of all first layers; units
		for dim*dim/2*o.Hidden > most && o.Hidden > least {
			o.Hidden /= 2
		}
	}
	return o, nil
}

func (o Options) isFlow() bool { return o.Model == "" || slices.Contains(flowModels(), o.Model) }

// Models returns the names of the models that can be trained; the first is the
// default.
func Models() []string { return append(flowModels(), kernelSums, denoiser, distilled) }

// The kinds of flows.
const (
	autoregressive = "autoregressive"
	spline         = "spline"
	realNVP        = "realnvp"
)

func flowModels() []string { return []string{autoregressive, spline, realNVP} }

// cells returns the number of cells of the tables of an autoregressive flow of dim
// features: fewer where there were too many tables, and none at last.
func (o Options) cells(dim int) int {
	const most = 1 << 22 // values of all tables
	cells := 32
	for cells > 0 && dim*dim/2*cells*o.Hidden > most {
		cells /= 2
	}
	if cells == 0 {
		return -1
	}
	return cells
}

// Conditioners tells of the conditioners of a flow, such as “2 hidden layers of 128,
// relu”; nothing for other models.
func (o Options) Conditioners() string {
	act, err := o.activation()
	if err != nil || !o.isFlow() {
		return ""
	}
	kind := "hidden layers"
	if o.Residual {
		kind = "residual blocks"
	}
	text := fmt.Sprintf("%d %s of %d, %v", o.Depth, kind, o.Hidden, act)
	if o.Dropout > 0 {
		text += fmt.Sprintf(", dropout %g", o.Dropout)
	}
	return text
}

// hidden returns the widths of the hidden layers of a network.
func (o Options) hidden() []int { return slices.Repeat([]int{o.Hidden}, o.Depth) }

// leastParameters returns how many parameters a checkpoint with these options has at least,
// whatever the networks read. The one-step map is not there while its teacher learns.
func (o Options) leastParameters() int {
	if o.Model == distilled {
		return 0
	}
	return max(o.Layers, 1)*(max(o.Depth-1, 0)*o.Hidden*o.Hidden+o.Hidden) + max(o.Components-1, 0)
}

// network returns the default width and number of hidden layers.
func (o Options) network() (hidden, depth int) {
	switch o.Model {
	case kernelSums: // which has none
		return 0, 0
	case denoiser:
		return 256, 3
	case distilled:
		return 128, 3
	default:
		return 128, 2
	}
}

// newDensity returns the density that the options ask for. steep are the features of the
// context that others may depend on steeply.
func newDensity(dim, context int, steep []int, o Options) (Density, error) {
	act, err := o.activation()
	if err != nil {
		return nil, err
	}
	var layers []flows.Layer
	switch o.Model {
	case autoregressive:
		layers = flows.Autoregressive(dim, flows.AutoregressiveOptions{
			Layers: o.Layers, Hidden: o.hidden(), Activation: act, Residual: o.Residual, Dropout: o.Dropout, Components: o.Components,
			Cells: o.cells(dim + len(steep)), Tabled: steep, Standard: true,
		})
	case realNVP:
		layers = flows.RealNVP(dim, o.Seed, flows.RealNVPOptions{
			Layers: o.Layers, Hidden: o.hidden(), Activation: act, Residual: o.Residual, Dropout: o.Dropout, Components: o.Components,
		})
	case spline:
		layers = flows.Spline(dim, o.Seed, flows.SplineOptions{
			Layers: o.Layers, Hidden: o.hidden(), Activation: act, Residual: o.Residual, Dropout: o.Dropout, Components: o.Components,
		})
	default:
		return newDiffusion(dim, context, o)
	}
	return flows.New(dim, context, o.Seed, layers...)
}

// Training is a surrogate that is about to be trained: its features are known,
// and how many events it will see.
type Training struct {
	*Surrogate
	Train, Valid int // numbers of events

	begin  time.Time // from which on the time for training counts
	table  *rootio.Table
	w      []float64
	copies rows.Copies // among the events: they go where the first of them goes
	z, c   []float32   // the events in model space, and their context

	of           identity
	checkpoint   string // the file
	checkpointed bool   // it has been written
}

// noise is that of the first pass over the events.
func (tr *Training) noise() features.Noise { return features.Noise{Seed: tr.Card.Options.Seed} }

// compose returns the density to be trained: that of the recipe, codes beside it if there
// are any, and around an angle if something repeats there.
func (tr *Training) compose(ctx context.Context) (Density, error) {
	of, context, z := shapeOf(&tr.Features), tr.Context.Dim(), tr.z
	if !of.hasAngle {
		return tr.beside(ctx, of, context, z)
	}
	a := newAround(of.angle, of.dim, z, tr.w)
	y := make([]float32, len(z)/of.dim*(of.dim-1))
	a.split(y, nil, z)
	var err error
	a.rest, err = tr.beside(ctx, of.aroundAngle(), a.width(), y)
	return a, err
}

// beside returns the density of features z of a shape with so large a context: that of the
// recipe, and codes beside it.
func (tr *Training) beside(ctx context.Context, of shape, width int, z []float32) (Density, error) {
	o := tr.Card.Options
	recipe := func(dim, context int) (Density, error) { return newDensity(dim, context, tr.Context.Steep(), o) }
	m, err := newMixed(ctx, of, width, z, tr.w, o.hidden(), o.Seed, recipe)
	if m != nil || err != nil {
		return m, err
	}
	return recipe(of.dim, width)
}

// streamSplit is the stream of a seed that decides which events validate. It does
// not depend on the seed of the training, so that trainings can be compared.
const streamSplit = 1 << 48

// isHeldOut reports whether event i validates: one in ten, by a fixed hash.
func isHeldOut(i int) bool { return philox.Uint64(0, streamSplit, uint64(i))%10 == 0 }

// New looks at the events of t and their weights w (nil: 1 each), chooses the
// features and composes the density. Call [Training.Run] to train it. When ctx is cancelled
// its error is returned.
func New(ctx context.Context, t *rootio.Table, w []float64, opts Options) (*Training, error) {
	begin, asked := time.Now(), opts
	if !opts.Begin.IsZero() {
		begin = opts.Begin
	}
	if err := opts.Check(); err != nil {
		return nil, fmt.Errorf("surrogate: %w", err)
	}
	if err := checkWeights(w); err != nil {
		return nil, err
	}
	target, condition, err := split(t, opts.Condition)
	if err != nil {
		return nil, err
	}
	opts.Features.Periodic = false // until it is known what the model is
	spec, err := opts.fit(ctx, target, condition, w, begin)
	if err != nil {
		return nil, err
	}
	if numbers := spec.Numbers(); len(numbers) > 0 {
		opts.log("note: %s: numbers of events or runs; they are not learnt, and new events are numbered", strings.Join(numbers, ", "))
	}
	if len(spec.Cut) > 0 {
		opts.log("note: not looked for among all columns: %s", strings.Join(spec.Cut, "; "))
	}
	conditions := &features.Context{}
	if len(opts.Condition) > 0 {
		if conditions, err = features.FitContext(ctx, condition, w); err != nil {
			return nil, fmt.Errorf("condition: %w", err)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if opts.Components == 0 && opts.has("components") {
		if opts.Components, err = islands(ctx, spec, t, w, opts.Seed, opts.Train.MaxTime/10); err != nil {
			return nil, err
		}
		if opts.Components > 1 { // an option of its own, so that a checkpoint tells of it
			opts.Features.Plain, spec = true, spec.Plain()
		}
	}
	if opts.goesAround(t.Len()) {
		opts.Features.Periodic = true
		if spec, err = spec.Periodic(ctx, t, w); err != nil {
			return nil, err
		}
	}
	var choice *Choice
	if opts.Model == "" {
		if choice, err = choose(ctx, spec, conditions, t, w, opts, begin); err != nil {
			return nil, err
		}
		opts.Model = choice.Model
		opts.log("%v", choice)
	}
	tr, err := newTraining(ctx, spec, conditions, t, w, opts)
	if err != nil {
		return nil, err
	}
	tr.of.Asked = asked
	tr.begin, tr.Card.Choice, tr.Card.Weights = begin, choice, rows.WeightsOf(w)
	if n, different := t.Len(), tr.copies.Different; different < n {
		opts.log("note: of %d events %d are different: the others are copies, and each is learnt from and judged together with its like", n, different)
	}
	for _, outliers := range spec.Outliers() {
		opts.log("note: %s", outliers)
	}
	if few := tr.Card.Weights.Few(); few != "" {
		opts.log("note: %s", few)
	}
	return tr, nil
}

// fit returns the features of the columns of t, for the model not yet known. A third of the
// time is for looking for relations between them.
func (o Options) fit(ctx context.Context, t, condition *rootio.Table, w []float64, begin time.Time) (*features.Spec, error) {
	if o.fitted != nil {
		return o.fitted, nil
	}
	if limit := o.Train.MaxTime; limit > 0 {
		o.Features.Until = begin.Add(limit / 3)
	}
	return features.FitGiven(ctx, t, condition, w, o.Features)
}

// newTraining is [New] where features and model are chosen.
func newTraining(ctx context.Context, spec *features.Spec, conditions *features.Context, t *rootio.Table, w []float64, opts Options) (*Training, error) {
	copies := rows.FindCopies(t.Columns)
	opts, err := opts.withDefaultsFor(copies.Different, spec.Dim())
	if err != nil {
		return nil, fmt.Errorf("surrogate: %w", err)
	}
	tr := &Training{
		Surrogate: &Surrogate{Features: *spec, Context: *conditions, Card: Card{Events: t.Len(), Options: opts}},
		begin:     time.Now(),
		table:     t,
		w:         w,
		copies:    copies,
		z:         make([]float32, t.Len()*spec.Dim()),
		c:         make([]float32, t.Len()*conditions.Dim()),
	}
	if err := spec.Encode(ctx, tr.z, nil, t, tr.noise()); err != nil {
		return nil, err
	}
	if err := conditions.Encode(tr.c, t, 0); err != nil {
		return nil, err
	}
	if tr.Density, err = tr.compose(ctx); err != nil {
		return nil, err
	}
	for _, first := range copies.First {
		if isHeldOut(first) {
			tr.Valid++
		} else {
			tr.Train++
		}
	}
	if tr.Train == 0 { // a handful of events
		tr.Train, tr.Valid = tr.Valid, 0
	}
	tr.Card.Different, tr.Card.HeldOut = copies.Different, tr.Valid
	return tr, nil
}

// split parts the columns of t in those to learn and those of the condition.
func split(t *rootio.Table, condition []string) (target, context *rootio.Table, err error) {
	target, context = &rootio.Table{}, &rootio.Table{}
	for _, c := range t.Columns {
		if slices.Contains(condition, c.Name) {
			context.Columns = append(context.Columns, c)
		} else {
			target.Columns = append(target.Columns, c)
		}
	}
	for _, name := range condition {
		if _, ok := context.Column(name); !ok {
			return nil, nil, fmt.Errorf("surrogate: branch %q, of the condition, is missing", name)
		}
	}
	if len(target.Columns) == 0 {
		return nil, nil, errors.New("surrogate: all branches are in the condition, there is nothing to learn")
	}
	return target, context, nil
}

// Run trains the density and returns the surrogate. The error wraps [ErrNothingLearnt]
// when the training has failed in a way that leaves nothing of use. When ctx is cancelled it returns
// the best surrogate so far along with the error of ctx.
func (tr *Training) Run(ctx context.Context) (*Surrogate, error) {
	spec, dim, n := &tr.Features, tr.Features.Dim(), tr.table.Len()
	width := tr.Context.Dim()
	z, c := tr.z, tr.c

	// The noise of the events that validate stays, that of the others is refreshed. Copies
	// are one event with the sum of their weights, so that nothing is judged by its like.
	var learn, judge []int
	weight := make([]float64, n)
	for i, first := range tr.copies.First {
		weight[first] += weightOf(tr.w, i)
		switch {
		case first < i:
		case tr.Valid > 0 && isHeldOut(i):
			judge = append(judge, i)
		default:
			learn = append(learn, i)
		}
	}
	take := func(rows []int) training.Data {
		d := training.Data{Dim: dim, X: make([]float32, len(rows)*dim), Context: width, C: make([]float32, len(rows)*width)}
		for k, i := range rows {
			copy(d.X[k*dim:(k+1)*dim], z[i*dim:])
			copy(d.C[k*width:(k+1)*width], c[i*width:])
		}
		if tr.w != nil || tr.copies.Different < n {
			d.W = make([]float32, len(rows))
			for k, i := range rows {
				d.W[k] = float32(weight[i])
			}
		}
		return d
	}
	valid, train := take(judge), take(learn)
	if spec.IsNoisy() {
		train.Refresh = func(ctx context.Context, pass uint64) {
			noise := tr.noise()
			noise.Pass = pass + 1
			// The columns were readable before: an error is that of ctx.
			_ = spec.Refresh(ctx, z, tr.table, noise)
			for k, i := range learn {
				copy(train.X[k*dim:(k+1)*dim], z[i*dim:])
			}
		}
	} else {
		z, tr.z = nil, nil
	}

	opts := tr.Card.Options.Train
	if tr.countsCopies() {
		opts.MaxTime -= opts.MaxTime / 10
	}
	var err error
	tr.Card.History, err = tr.Density.Train(ctx, train, valid, opts.Since(tr.begin))
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("surrogate: could not train: %w", err)
	}
	if err != nil {
		return tr.Surrogate, err
	}
	if err := checkLearnt(tr.Card.History); err != nil {
		return nil, err
	}
	return tr.Surrogate, tr.countCopies(ctx, train.X)
}

// ErrNothingLearnt says that a training has failed without an error of its own.
var ErrNothingLearnt = errors.New("nothing was learnt")

// checkLearnt tells a training that has failed from one that found nothing better than
// its start. In a small sample, or in one of independent columns, there may be nothing: the
// features alone are the model, and the losses stay near the first one. But where there was
// no step, or the losses ran away from the beginning on, the parameters are those
// of an untrained network, which is no model of anything.
func checkLearnt(h training.History) error {
	const near = 1 // nats; the first validation is after a hundredth of the steps, with a rate that has hardly risen
	if !untouched(h) {
		return nil
	}
	if len(h.Points) == 0 {
		if h.Rollbacks == 0 {
			return fmt.Errorf("surrogate: %w: there was no time for a step of the training (--max-time)", ErrNothingLearnt)
		}
		return fmt.Errorf("surrogate: %w: the loss was not finite in all of the training: lower the learning rate (--rate)", ErrNothingLearnt)
	}
	nearest := math.Inf(1)
	for _, p := range h.Points {
		nearest = min(nearest, p.Valid)
	}
	if nearest > h.Best+near {
		return fmt.Errorf("surrogate: %w: the loss was never below %.4g, that of the untrained model is %.4g: lower the learning rate (--rate)", ErrNothingLearnt, nearest, h.Best)
	}
	return nil
}

// untouched reports whether no parameters were better than the first ones.
func untouched(h training.History) bool { return h.Batch > 0 && h.BestStep == 0 }

// Valid returns the number of events that were held out for validation: 0 where there are
// so few that the loss is that of the training events.
func (c Card) Valid() int {
	if c.Different > 0 {
		return c.HeldOut
	}
	n := 0
	for i := range c.Events {
		if isHeldOut(i) {
			n++
		}
	}
	if n == c.Events {
		return 0
	}
	return n
}

// Tails counts what had to be done about generated events outside the range of
// the training events.
type Tails struct {
	Redrawn int64 `json:"redrawn"` // draws that were thrown away
	Clipped int64 `json:"clipped"` // events that stayed outside and were moved to the limit
	// Clamped is the number of values at which the inverse of a spline had to be
	// corrected for rounding ([flows.Flow.Clamped]).
	Clamped int64 `json:"clamped"`
	// Copies is the number of events that are copies of training events
	// ([diffusion.Copies]), nil unless the model holds these.
	Copies *int64 `json:"copies,omitempty"`
}

// Add adds other events to the count.
func (t *Tails) Add(other Tails) {
	t.Redrawn += other.Redrawn
	t.Clipped += other.Clipped
	t.Clamped += other.Clamped
	if other.Copies != nil {
		sum := *other.Copies
		if t.Copies != nil {
			sum += *t.Copies
		}
		t.Copies = &sum
	}
}

// margin is how far outside the range of the training events, in units of model
// space where their standard deviation is about 1, generated ones may lie.
const margin = 0.1

// redraws is how often an event outside the range is drawn again.
const redraws = 20

// Generate draws the events first, first+1, … of a seed into t, which has the
// columns of [features.Spec.Fields]. Event i depends on (seed, i) alone and, if the
// surrogate is conditional, on its condition: the row of the same place in given,
// which is nil otherwise. Conditions that the training events did not have are met as
// [features.Context.Admit] does by default; whoever wants to know of them calls it before.
// Errors are about what is given, or that of ctx.
//
// An event with a feature further than a tenth of a standard deviation (of model
// space) outside the range of the training events is drawn again, 20 times at most,
// and then moved to that limit. Where the range ends at zero it ends there. The same holds
// for branches that are no features themselves, such as the momenta of a system; where
// these have a hard edge, as after a cut, nothing is beyond it ([features.Spec.Outside]).
func (s *Surrogate) Generate(ctx context.Context, t, given *rootio.Table, seed, first uint64) (Tails, error) {
	rows := make([]uint64, t.Len())
	for i := range rows {
		rows[i] = first + uint64(i)
	}
	return s.GenerateRows(ctx, t, given, seed, rows)
}

// GenerateRows is like [Surrogate.Generate] for events of the given numbers, which
// need not follow each other.
func (s *Surrogate) GenerateRows(ctx context.Context, t, given *rootio.Table, seed uint64, rows []uint64) (Tails, error) {
	n, dim, width := t.Len(), s.Density.Dim(), s.Density.Context()
	c := make([]float32, n*width)
	if width > 0 {
		if given == nil || given.Len() != n {
			return Tails{}, errors.New("surrogate: the model is conditional, and the conditions of the events are not given")
		}
		admitted, err := s.Context.Admit(given, "", rows)
		if err != nil {
			return Tails{}, err
		}
		given = admitted.Table
		if err := s.Context.Encode(c, given, 0); err != nil {
			return Tails{}, err
		}
	}
	clamped := clampedBy(s.Density)
	z := make([]float32, n*dim)
	if err := sampleRows(ctx, s.Density, z, c, seed, 0, rows); err != nil {
		return Tails{}, err
	}
	var redrawn, clipped atomic.Int64
	var all panics.Group
	const piece = 1 << 13
	failed := make([]error, (n+piece-1)/piece)
	for from := 0; from < n; from += piece {
		to := min(from+piece, n)
		all.Go(func() {
			var conditions *rootio.Table
			if given != nil {
				conditions = given.Slice(from, to)
			}
			r, m, err := s.keepWithin(ctx, t.Slice(from, to), conditions, z[from*dim:to*dim], c[from*width:to*width], seed, rows[from:to])
			redrawn.Add(r)
			clipped.Add(m)
			failed[from/piece] = err
		})
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return Tails{}, err
		}
	}
	s.Features.Number(t, rows)
	if err := s.Features.CheckDecoded(t); err != nil {
		return Tails{}, err
	}
	copies, err := s.copies(ctx, z, c)
	return Tails{redrawn.Load(), clipped.Load(), clampedBy(s.Density) - clamped, copies}, err
}

// keepWithin stores the events with the features z in t. Those outside the range of the
// training events are drawn again, as often as they may be, and then clipped. The error is
// that of ctx.
func (s *Surrogate) keepWithin(ctx context.Context, t, given *rootio.Table, z, c []float32, seed uint64, rows []uint64) (redrawn, clipped int64, err error) {
	dim, width := s.Density.Dim(), s.Density.Context()
	lo, hi := s.Features.Limits(margin)
	feature := func(i int) []float32 { return z[i*dim : (i+1)*dim] }
	decode := func(i int) (event *rootio.Table) {
		var condition *rootio.Table
		if given != nil {
			condition = given.Slice(i, i+1)
		}
		event = t.Slice(i, i+1)
		s.Features.Decode(event, feature(i), condition)
		return event
	}
	var outside []int
	for i := range rows {
		if !within(feature(i), lo, hi) {
			outside = append(outside, i)
		}
	}
	s.Features.Decode(t, z, given) // what is outside makes no sense yet
	outside = union(outside, s.Features.Outside(t, margin))
	for attempt := uint64(1); len(outside) > 0; attempt++ {
		if attempt > redraws {
			for _, i := range outside {
				row := feature(i)
				for j := range row {
					row[j] = min(max(row[j], lo[j]), hi[j])
					if row[j] != row[j] { // NaN
						row[j] = 0
					}
				}
				decode(i)
				s.Features.Clip(t, i, margin)
			}
			return redrawn, int64(len(outside)), nil
		}
		redrawn += int64(len(outside))
		again := make([]float32, len(outside)*dim)
		theirs, numbers := make([]float32, 0, len(outside)*width), make([]uint64, len(outside))
		for k, i := range outside {
			theirs, numbers[k] = append(theirs, c[i*width:(i+1)*width]...), rows[i]
		}
		if err := sampleRows(ctx, s.Density, again, theirs, seed, attempt, numbers); err != nil {
			return redrawn, 0, err
		}
		var left []int
		for k, i := range outside {
			row := feature(i)
			copy(row, again[k*dim:])
			event := decode(i)
			if !within(row, lo, hi) || len(s.Features.Outside(event, margin)) > 0 {
				left = append(left, i)
			}
		}
		outside = left
	}
	return redrawn, 0, nil
}

// union returns what is in a or b, both ascending.
func union(a, b []int) []int {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// clampedBy returns the number of corrections that a density has made so far.
func clampedBy(d Density) int64 {
	if f, ok := innermost(d).(interface{ Clamped() int64 }); ok {
		return f.Clamped()
	}
	return 0
}

// streamMultiplicity is the stream of a seed that draws numbers of objects.
const streamMultiplicity = 1 << 49

// ObjectRow is the number of the row of an object, for [Surrogate.GenerateRows]: an
// object depends on the number of its event and its place in it, and not on how many
// there are in other events. An event has less than 65536 objects.
func ObjectRow(event uint64, object int) uint64 { return event<<16 | uint64(object) }

// Multiplicities draws the numbers of objects of the events first, first+1, … of a
// seed, with the frequencies of the training events.
func (s *Surrogate) Multiplicities(dst []int, seed, first uint64) {
	u := make([]float64, len(dst))
	philox.Uniform64(u, seed, streamMultiplicity, first)
	for i, v := range u {
		n := 0
		for n < len(s.Card.Multiplicity)-1 && v >= s.Card.Multiplicity[n] {
			v -= s.Card.Multiplicity[n]
			n++
		}
		dst[i] = n
	}
}

// within reports whether all features are within the limits; NaN is not.
func within(row, lo, hi []float32) bool {
	for j, v := range row {
		if !(v >= lo[j] && v <= hi[j]) {
			return false
		}
	}
	return true
}

// LogDensity stores the log-density of the events of t in dst, given the columns of
// the condition, per unit of each other column that is not constant: −Inf where a value is
// an unknown code, and finite where an event is possible, however far outside of the
// training events. Columns of codes
// and integers are dequantised first; the density is that of value + uniform
// deviate, with the deviates of event first+i.
func (s *Surrogate) LogDensity(ctx context.Context, dst []float64, t *rootio.Table, first uint64) error {
	n, dim := t.Len(), s.Density.Dim()
	if len(dst) != n {
		panic(fmt.Sprintf("surrogate: LogDensity of %d events into %d values", n, len(dst)))
	}
	entries := make([]uint64, n)
	for i := range entries {
		entries[i] = first + uint64(i)
	}
	admitted, err := s.Context.Admit(t, "", entries)
	if err != nil {
		return err
	}
	t = admitted.Table
	z := make([]float32, n*dim)
	logDet := make([]float64, n)
	if err := s.Features.Encode(ctx, z, logDet, t, features.Noise{Seed: s.Card.Options.Seed, First: first}); err != nil {
		return err
	}
	c := make([]float32, n*s.Density.Context())
	if err := s.Context.Encode(c, t, first); err != nil {
		return err
	}
	if err := s.Density.LogDensity(ctx, dst, z, c); err != nil {
		return err
	}
	for i, ld := range logDet {
		if math.IsInf(ld, 0) || math.IsNaN(ld) { // of what cannot happen, features are none
			dst[i] = math.Inf(-1)
			continue
		}
		if math.IsInf(dst[i], 0) || math.IsNaN(dst[i]) {
			// Where a network overflows, so far out, the features alone are the model.
			dst[i] = 0
			for _, v := range z[i*dim : (i+1)*dim] {
				dst[i] -= (float64(v)*float64(v) + math.Log(2*math.Pi)) / 2
			}
		}
		dst[i] += ld
	}
	return nil
}
