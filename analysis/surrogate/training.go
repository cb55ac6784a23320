package surrogate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/rows"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// Training is a surrogate that is about to be trained: its features are known, the plan is made,
// and the chain is composed.
type Training struct {
	*Surrogate
	// Progress, when not nil, is called after every step. It begins as that of the options.
	Progress func(training.Status)

	begin        time.Time // from which on the time for training counts
	table        *rootio.Table
	w            []float64
	copies       rows.Copies    // among the events: they go where the first of them goes
	learn, judge []int          // the events that are trained on and that validate, without copies
	z            [][]float32    // the events in the model space of each part
	impossible   []map[int]bool // those that a part cannot have: they have no features in it, and it does not learn from them
	c            []float32      // their context

	goOn         *training.Checkpoint // to go on from; nil: from the start
	finish       bool                 // without further steps
	stage        int                  // of a mixture: how many parts have learnt for themselves
	done         []training.History   // of these
	of           identity
	checkpoint   string // the file
	save         func(*training.Checkpoint) error
	checkpointed bool // it has been written
}

// New looks at the events of t and their weights w (nil: 1 each), chooses the
// features, makes the plan and composes the density. Call [Training.Run] to train it. When ctx
// is cancelled its error is returned.
func New(ctx context.Context, t *rootio.Table, w []float64, opts Options) (*Training, error) {
	begin := time.Now()
	if !opts.Begin.IsZero() {
		begin = opts.Begin
	}
	if err := opts.Check(); err != nil {
		return nil, fmt.Errorf("surrogate: %w", err)
	}
	if err := checkWeights(w); err != nil {
		return nil, err
	}
	if k := opts.Diffusion.KernelEvents; k > 0 {
		if n := learnt(t.Len()); k > n {
			return nil, fmt.Errorf("surrogate: kernel sums over %d events need as many to train on: there are %d, as %d of %d are held out", k, n, t.Len()-n, t.Len())
		}
	}
	s, err := opts.look(ctx, t, w, begin)
	if err != nil {
		return nil, err
	}
	chosen, err := opts.compete(ctx, s, t, w, begin)
	if err != nil {
		return nil, err
	}
	draft, err := opts.draft(ctx, s, t, w, begin)
	if err != nil {
		return nil, err
	}
	tr, err := newTraining(ctx, s, t, w, opts, draft)
	if err != nil {
		return nil, err
	}
	tr.begin, tr.Card.Weights, tr.Card.Plan.Coordinates = begin, rows.WeightsOf(w), chosen
	tr.keepMixable()
	exchanges, err := opts.findExchanges(ctx, s, t, w, begin)
	if err != nil {
		return nil, err
	}
	if err := tr.exchange(ctx, exchanges); err != nil {
		return nil, err
	}
	if n, different := t.Len(), tr.copies.Different; different < n {
		opts.log("note: of %d events %d are different: the others are copies, and each is learnt from and judged together with its like", n, different)
	}
	for _, outliers := range tr.Parts[0].Features.Outliers() {
		opts.log("note: %s", outliers)
	}
	if few := tr.Card.Weights.Few(); few != "" {
		opts.log("note: %s", few)
	}
	return tr, nil
}

// look returns a surrogate of the columns of t and of the condition in the coordinates that the columns themselves
// suggest, without a density. A third of the time is for looking for relations between the columns.
func (o Options) look(ctx context.Context, t *rootio.Table, w []float64, begin time.Time) (*Surrogate, error) {
	target, condition, err := split(t, o.Condition)
	if err != nil {
		return nil, err
	}
	of := o.Features
	of.Standard = of.Standard || o.Coupling == factor.Lecture
	if limit := o.Train.MaxTime; limit > 0 {
		of.Until = begin.Add(limit / 3)
	}
	spec, err := features.FitGiven(ctx, target, condition, w, of)
	if err != nil {
		return nil, err
	}
	if numbers := spec.Numbers(); len(numbers) > 0 {
		o.log("note: %s: numbers of events or runs; they are not learnt, and new events are numbered", strings.Join(numbers, ", "))
	}
	if len(spec.Cut) > 0 {
		o.log("note: not looked for among all columns: %s", strings.Join(spec.Cut, "; "))
	}
	s := (&Surrogate{}).columns(spec)
	if len(o.Condition) > 0 {
		conditions, err := features.FitContext(ctx, condition, w)
		if err != nil {
			return nil, fmt.Errorf("condition: %w", err)
		}
		s.Context = *conditions
	}
	return s, ctx.Err()
}

// newTraining returns the training of a surrogate, whose features are known, on the events of t by a
// draft of a plan.
func newTraining(ctx context.Context, s *Surrogate, t *rootio.Table, w []float64, opts Options, d draft) (*Training, error) {
	tr := &Training{
		Surrogate: &Surrogate{Parts: slices.Clone(s.Parts), Context: s.Context, Card: Card{Events: t.Len(), Options: opts}},
		Progress:  opts.Train.Progress,
		begin:     time.Now(),
		table:     t,
		w:         w,
		copies:    rows.FindCopies(t.Columns),
		z:         make([][]float32, len(s.Parts)),
		c:         make([]float32, t.Len()*s.Context.Dim()),
	}
	card := &tr.Card
	card.Different = tr.copies.Different
	for i, first := range tr.copies.First {
		heldOut := isHeldOut(first)
		if heldOut {
			card.HeldOut++
		}
		switch {
		case first < i:
		case heldOut:
			tr.judge = append(tr.judge, i)
		default:
			tr.learn = append(tr.learn, i)
		}
	}
	if card.Learnt() == 0 { // a handful of events
		card.HeldOut = 0
		tr.learn, tr.judge = tr.judge, nil
	}
	settings, err := d.kind.Decide(d.settings, card.Different, tr.Parts[0].Features.Dim())
	if err != nil {
		return nil, fmt.Errorf("surrogate: %w", err)
	}
	if d.settings.Hidden == 0 && settings.Hidden == d.kind.Default.Hidden { // not narrower, as for small samples
		settings.Hidden = int(opts.effort().width * float64(settings.Hidden))
	}
	if err := tr.Context.Encode(tr.c, t, 0); err != nil {
		return nil, err
	}
	for k := range tr.Parts {
		p := &tr.Parts[k]
		tr.z[k] = make([]float32, t.Len()*p.Features.Dim())
		logDet := make([]float64, t.Len())
		if err := p.Features.Encode(ctx, tr.z[k], logDet, t, tr.noise()); err != nil {
			return nil, err
		}
		impossible := map[int]bool{}
		for i, ld := range logDet {
			if !isFinite(ld) {
				impossible[i] = true
				clear(tr.z[k][i*p.Features.Dim() : (i+1)*p.Features.Dim()])
			}
		}
		tr.impossible = append(tr.impossible, impossible)
		events := factor.Events{
			Features: factor.Of(&p.Features), Context: tr.Context.Dim(),
			N: t.Len(), Rows: func() []float32 { return tr.z[k] }, Weights: w,
		}
		if p.Chain, err = compose(ctx, d.kind, events, tr.Context.Steep(), settings); err != nil {
			return nil, err
		}
	}
	card.Plan = newPlan(d, settings, tr.Parts[0].Chain, len(tr.learn))
	tr.describeParts()
	return tr, nil
}

// noise is that of the first pass over the events.
func (tr *Training) noise() features.Noise { return features.Noise{Seed: tr.Card.Options.Seed} }

// streamSplit is the stream of a seed that decides which events validate. It does
// not depend on the seed of the training, so that trainings can be compared.
const streamSplit = 1 << 48

// isHeldOut reports whether event i validates: one in ten, by a fixed hash.
func isHeldOut(i int) bool { return philox.Uint64(0, streamSplit, uint64(i))%10 == 0 }

// learnt returns the number of n different events that are trained on.
func learnt(n int) (learnt int) {
	for i := range n {
		if !isHeldOut(i) {
			learnt++
		}
	}
	return learnt
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
	each, last := tr.Card.Plan.options(tr.Parts[0].Chain)
	last.Progress, last.Save, last.SaveEvery = tr.Progress, tr.save, tr.Card.Options.Train.SaveEvery
	last.Resume, last.Finish = tr.goOn, tr.finish
	if tr.countsCopies() {
		each.MaxTime -= each.MaxTime / 10
		last.MaxTime = each.MaxTime
	}
	if rounds, _ := tr.Card.Options.refineRounds(); rounds != 0 && tr.unrefinable() == "" {
		last.SaveLast = true
		each.MaxTime -= each.MaxTime / refinePart
		last.MaxTime = each.MaxTime
	}
	var train training.Data
	var err error
	if len(tr.Parts) > 1 {
		err = tr.trainMixture(ctx, each.Since(tr.begin), last.Since(tr.begin))
	} else {
		var valid training.Data
		train, valid = tr.data(0)
		tr.Card.History, err = tr.Parts[0].Chain.Train(ctx, train, valid, each.Since(tr.begin), last.Since(tr.begin))
	}
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("surrogate: could not train: %w", err)
	}
	if err != nil {
		return tr.Surrogate, err
	}
	if err := checkLearnt(tr.Card.History); err != nil {
		return nil, err
	}
	tr.describeParts() // which a training may have chosen
	if err := tr.countCopies(ctx, train.X); err != nil {
		return tr.Surrogate, err
	}
	if err := tr.refine(ctx); err != nil {
		if tr.save != nil && !tr.checkpointed { // a model that goes on from the beginning
			return tr.Surrogate, cmp.Or(tr.save(training.Beginning()), err)
		}
		return tr.Surrogate, err
	}
	return tr.Surrogate, nil
}

// data returns the rows that part k is trained on and validated by. The noise of the events that validate stays, that
// of the others is refreshed.
func (tr *Training) data(k int) (train, valid training.Data) {
	spec, z, width := &tr.Parts[k].Features, tr.z[k], tr.Context.Dim()
	dim := spec.Dim()
	take := func(rows []int) training.Data {
		d := training.Data{Dim: dim, X: make([]float32, len(rows)*dim), Context: width, C: make([]float32, len(rows)*width), W: tr.weights(rows)}
		if d.W == nil && len(tr.impossible[k]) > 0 {
			d.W = slices.Repeat([]float32{1}, len(rows))
		}
		for j, i := range rows {
			copy(d.X[j*dim:(j+1)*dim], z[i*dim:])
			copy(d.C[j*width:(j+1)*width], tr.c[i*width:])
			if tr.impossible[k][i] {
				d.W[j] = 0
			}
		}
		return d
	}
	valid, train = take(tr.judge), take(tr.learn)
	isExchanged := len(tr.Card.Plan.Exchanges) > 0
	if !spec.IsNoisy() && !isExchanged {
		tr.z[k] = nil
		return train, valid
	}
	train.Refresh = func(ctx context.Context, pass uint64) {
		noise := tr.noise()
		noise.Pass = pass + 1
		// The columns were readable before: an error is that of ctx.
		if isExchanged {
			_ = spec.Encode(ctx, z, nil, tr.exchanged(noise.Pass), noise)
		} else {
			_ = spec.Refresh(ctx, z, tr.table, noise)
		}
		for j, i := range tr.learn {
			if !tr.impossible[k][i] {
				copy(train.X[j*dim:(j+1)*dim], z[i*dim:])
			}
		}
	}
	return train, valid
}

// weights returns those of the events in some places, none of which is a copy; nil stands for 1 each. Copies are one event
// with the sum of their weights, so that nothing is judged by its like.
func (tr *Training) weights(places []int) []float32 {
	if tr.w == nil && tr.copies.Different == tr.table.Len() {
		return nil
	}
	sums := make([]float64, tr.table.Len())
	for i, first := range tr.copies.First {
		sums[first] += weightOf(tr.w, i)
	}
	w := make([]float32, len(places))
	for k, i := range places {
		w[k] = float32(sums[i])
	}
	return w
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

func weightOf(w []float64, i int) float64 {
	if w == nil {
		return 1
	}
	return w[i]
}
