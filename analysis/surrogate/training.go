package surrogate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/rows"
	"github.com/eidolon-hep/eidolon/flows"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// Training is a surrogate that is about to be trained: its features are known,
// and how many events it will see.
type Training struct {
	*Surrogate

	begin  time.Time // from which on the time for training counts
	table  *rootio.Table
	w      []float64
	copies rows.Copies // among the events: they go where the first of them goes
	z, c   []float32   // the events in model space, and their context

	of           identity
	checkpoint   string // the file
	checkpointed bool   // it has been written
}

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
	tr.Card.Different = copies.Different
	for _, first := range copies.First {
		if isHeldOut(first) {
			tr.Card.HeldOut++
		}
	}
	if tr.Card.Learnt() == 0 { // a handful of events
		tr.Card.HeldOut = 0
	}
	return tr, nil
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

// streamSplit is the stream of a seed that decides which events validate. It does
// not depend on the seed of the training, so that trainings can be compared.
const streamSplit = 1 << 48

// isHeldOut reports whether event i validates: one in ten, by a fixed hash.
func isHeldOut(i int) bool { return philox.Uint64(0, streamSplit, uint64(i))%10 == 0 }

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
		case tr.Card.HeldOut > 0 && isHeldOut(i):
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

func checkWeights(w []float64) error {
	sum := 0.0
	for i, v := range w {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("surrogate: the weight is %v in entry %d", v, i)
		}
		sum += v
	}
	if w != nil && sum <= 0 {
		return fmt.Errorf("surrogate: the sum of the weights is %g, must be positive", sum)
	}
	return nil
}
