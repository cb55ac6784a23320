package surrogate

import (
	"context"
	"slices"
	"time"

	"gonum.org/v1/gonum/floats"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/training"
)

// A mixture of parts in different coordinates is trained in stages. Each part learns from all events for itself. Then the weights
// are found by expectation maximisation on held-out events: the mixture stays if it is better than the best part. At
// last all parts learn together, from where they stand: the loss is −log Σ w_k p_k(x) in the units of the branches
// ([training.Mixture]), and a step costs the sum of the steps of the parts. The factors before the last of each chain, such as codes,
// stay as all events have made them.
//
// Parts that are [factor.Folded] are weighed by all events, each judged by what has not learnt from it, and that is all.

// keepMixable leaves one part alone where the parts cannot be trained together, since nothing is left for a flow. It is the first one
// that can have all events.
func (tr *Training) keepMixable() {
	whole := func(k int) bool { return len(tr.impossible[k]) == 0 }
	for _, p := range tr.Parts {
		_, isMixable := p.Chain.last().(factor.Mixable)
		if _, isFolded := p.Chain.last().(factor.Folded); !isMixable && !isFolded {
			tr.keepOnly(max(slices.IndexFunc(upTo(len(tr.Parts)), whole), 0))
			return
		}
	}
}

// keepOnly leaves one part alone.
func (tr *Training) keepOnly(k int) {
	tr.Parts, tr.z, tr.impossible = tr.Parts[k:k+1], tr.z[k:k+1], tr.impossible[k:k+1]
	tr.Parts[0].Weight = 1
	tr.describeParts()
	if c := tr.Card.Plan.Coordinates; c != nil && len(c.Parts) > 1 {
		one := *c
		one.Parts = one.Parts[k : k+1]
		tr.Card.Plan.Coordinates = &one
	}
}

// trainMixture trains the parts, each for itself and then together.
func (tr *Training) trainMixture(ctx context.Context, each, last training.Options) error {
	begin := time.Now()
	goOn := tr.stage == len(tr.Parts) // from where the parts were learning together
	if err := tr.trainApart(ctx, each, last); err != nil {
		tr.keepOnly(0)
		return err
	}
	if tr.Card.Plan.Folds() {
		all, err := tr.allRows(ctx)
		if err == nil {
			_, err = tr.weigh(ctx, all)
		}
		return err
	}
	learn, judge := tr.newMixedRows(tr.learn), tr.newMixedRows(tr.judge)
	for _, rows := range []*mixedRows{learn, judge} {
		if err := rows.fill(ctx, tr.noise(), false); err != nil {
			return err
		}
	}
	if !goOn {
		judges := judge
		if len(tr.judge) == 0 {
			judges = learn
		}
		isMixture, err := tr.weigh(ctx, judges)
		if err != nil || !isMixture {
			return err
		}
		last.Resume = nil
		if err := tr.enter(len(tr.Parts)); err != nil {
			return err
		}
	}
	return tr.trainTogether(ctx, learn, judge, last.Since(begin))
}

// trainApart trains each part for itself, but for those that have learnt before a checkpoint. When the training is to be
// finished, only those parts stay that have learnt.
func (tr *Training) trainApart(ctx context.Context, each, last training.Options) error {
	begin, from, folds := time.Now(), tr.stage, tr.Card.Plan.Folds()
	for k := range tr.Parts {
		train, valid := tr.data(k)
		chain, own := tr.Parts[k].Chain, last.Since(begin)
		if k < from { // what the last factor has learnt is there
			if _, _, _, err := chain.trainHead(ctx, train, valid, each); err != nil {
				return err
			}
			chain.last().(factor.Mixable).Update()
			continue
		}
		if own.MaxTime > 0 {
			stages := len(tr.Parts) - k
			if !folds {
				stages++ // all together
			}
			own.MaxTime = max(own.MaxTime/time.Duration(stages), 1)
		}
		if k > from && !folds { // what begins anew in a training that goes on has no stages
			own.Resume = nil
			if err := tr.enter(k); err != nil {
				return err
			}
		}
		if own.Resume == nil && last.Finish && !folds { // it has learnt nothing
			tr.Parts = tr.Parts[:k]
			return nil
		}
		h, err := chain.Train(ctx, train, valid, each, own)
		if err != nil {
			return err
		}
		tr.done = append(tr.done, h)
	}
	return nil
}

// enter begins a stage, and saves what is there.
func (tr *Training) enter(stage int) error {
	if tr.stage = stage; tr.save == nil {
		return nil
	}
	return tr.save(training.Beginning())
}

// weigh gives the parts the weights under which some events are most likely, or leaves the best part alone if the mixture is not
// better.
func (tr *Training) weigh(ctx context.Context, rows *mixedRows) (isMixture bool, err error) {
	logs, err := rows.logDensities(ctx)
	if err != nil {
		return false, err
	}
	by := rows.judges()
	mixture, weights := by.mixed(logs...)
	best := 0
	for k := range logs {
		if gain, _ := by.paired(logs[k], logs[best]); gain > 0 {
			best = k
		}
	}
	tr.Card.History = tr.done[best]
	if !isBetter(by.paired(mixture, logs[best])) {
		tr.keepOnly(best)
		return false, nil
	}
	for k, w := range weights {
		tr.Parts[k].Weight = w
	}
	return true, nil
}

// trainTogether trains all parts together, from where they stand. Where that leads to nothing better they stay there.
func (tr *Training) trainTogether(ctx context.Context, learn, judge *mixedRows, opts training.Options) error {
	parts := make([]training.MixturePart, len(tr.Parts))
	for k, p := range tr.Parts {
		f := p.Chain.last()
		parts[k] = training.MixturePart{Density: f.(factor.Mixable).Objective(), Dim: f.Dim(), Context: f.Context(), Weight: p.Weight}
	}
	mixture := training.NewMixture(parts)
	train := learn.Data
	if learn.isNoisy() {
		train.Refresh = func(ctx context.Context, pass uint64) {
			noise := tr.noise()
			noise.Pass = pass + 1
			_ = learn.fill(ctx, noise, true) // the columns were readable before: an error is that of ctx
		}
	}
	const slower = 0.3 // the parts are near where they go
	opts.Rate *= slower
	h, err := training.Fit(ctx, mixture, train, judge.Data, opts)
	for k, w := range mixture.Weights() {
		tr.Parts[k].Weight = w
		tr.Parts[k].Chain.last().(factor.Mixable).Update()
	}
	if !untouched(h) {
		tr.Card.History = h
	}
	return err
}

// judges returns the weights of the events.
func (r *mixedRows) judges() (w judges) {
	for _, v := range r.W {
		w = append(w, float64(v))
	}
	return w
}

// logDensities returns the log-density of the events of the rows by each part, in the units of the branches.
func (r *mixedRows) logDensities(ctx context.Context) ([][]float64, error) {
	logs := make([][]float64, len(r.tr.Parts))
	for k := range logs {
		p := &r.ofPart[k]
		logs[k] = make([]float64, len(r.events))
		last := r.tr.Parts[k].Chain.last()
		if f, ok := last.(factor.Folded); ok && len(r.events) == len(f.OutOfFold()) {
			copy(logs[k], f.OutOfFold())
		} else if err := last.LogDensity(ctx, logs[k], p.own, p.context); err != nil {
			return nil, err
		}
		floats.Add(logs[k], p.offset)
	}
	return logs, nil
}

// impossible is the offset of an event that a part cannot have, far below all others.
const impossible = -1e9

// mixedRows are the rows of some events, for a [training.Mixture] of the last factors of the parts.
type mixedRows struct {
	training.Data
	tr     *Training
	events []int     // their places in the table
	ofPart []ofPart  // memory
	logDet []float64 // of all events
}

// ofPart is what one part sees of the events.
type ofPart struct {
	z            []float32 // of all events of the table
	x, c         []float32 // of the rows
	offset       []float64
	views        []view
	own, context []float32 // of the rows, for the last factor
}

func (tr *Training) newMixedRows(events []int) *mixedRows {
	r := &mixedRows{tr: tr, events: events, ofPart: make([]ofPart, len(tr.Parts)), logDet: make([]float64, tr.table.Len())}
	n, width := len(events), tr.Context.Dim()
	r.Dim = len(tr.Parts)
	for k := range tr.Parts {
		chain, p := tr.Parts[k].Chain, &r.ofPart[k]
		r.Dim += chain.last().Dim()
		r.Context += chain.last().Context()
		p.z, p.x, p.c = make([]float32, tr.table.Len()*chain.Dim()), make([]float32, n*chain.Dim()), make([]float32, n*width)
		p.offset = make([]float64, n)
		for j, i := range events {
			copy(p.c[j*width:(j+1)*width], tr.c[i*width:])
		}
	}
	r.X, r.C, r.W = make([]float32, n*r.Dim), make([]float32, n*r.Context), tr.weights(events)
	return r
}

// allRows returns the rows of all events, in the order in which factors are trained with them.
func (tr *Training) allRows(ctx context.Context) (*mixedRows, error) {
	r := tr.newMixedRows(slices.Concat(tr.learn, tr.judge))
	return r, r.fill(ctx, tr.noise(), false)
}

// isNoisy reports whether the rows depend on noise, or on the order of identical objects.
func (r *mixedRows) isNoisy() bool {
	return len(r.tr.Card.Plan.Exchanges) > 0 || slices.ContainsFunc(r.tr.Parts, func(p Part) bool { return p.Features.IsNoisy() })
}

// fill stores the rows, or only those of the parts that depend on noise. An error is that of ctx, or of columns that cannot be read.
func (r *mixedRows) fill(ctx context.Context, noise features.Noise, noisyOnly bool) error {
	at, atContext := 0, 0
	table, isExchanged := r.tr.exchanged(noise.Pass), len(r.tr.Card.Plan.Exchanges) > 0
	for k := range r.tr.Parts {
		part, p := &r.tr.Parts[k], &r.ofPart[k]
		dim, last := part.Chain.Dim(), part.Chain.last()
		if !noisyOnly || isExchanged || part.Features.IsNoisy() {
			if err := part.Features.Encode(ctx, p.z, r.logDet, table, noise); err != nil {
				return err
			}
			for j, i := range r.events {
				row := p.x[j*dim : (j+1)*dim]
				copy(row, p.z[i*dim:])
				if p.offset[j] = r.logDet[i]; !isFinite(p.offset[j]) {
					clear(row)
					p.offset[j] = impossible
				}
			}
			seen, err := part.Chain.toLast(ctx, p.offset, &p.views, p.x, p.c)
			if err != nil {
				return err
			}
			p.own, p.context = seen.own, seen.context
			own, context := last.Dim(), last.Context()
			for j := range r.events {
				row := r.X[j*r.Dim : (j+1)*r.Dim]
				copy(row[at:at+own], p.own[j*own:])
				row[r.Dim-len(r.tr.Parts)+k] = float32(p.offset[j])
				copy(r.C[j*r.Context+atContext:][:context], p.context[j*context:])
			}
		}
		at, atContext = at+last.Dim(), atContext+last.Context()
	}
	return nil
}
