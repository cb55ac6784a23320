package surrogate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// Plan says what was decided for the events at hand, where [Options] left it open, too. How the
// columns are treated, the other part of what was decided, are the features.
type Plan struct {
	// Model is the kind of factor that learns most of the features, one of [Models].
	Model string `json:"model"`
	// Choice says why it was taken, where that was left open.
	Choice *Choice `json:"choice,omitempty"`
	// Coordinates says in which coordinates momenta are learnt, where there was a choice.
	Coordinates *Coordinates `json:"coordinates,omitempty"`
	// Exchanges are of the objects that are identical.
	Exchanges []Exchange `json:"exchanges,omitempty"`
	// Plain says that columns without edges, heavy tails and spikes are standardised only
	// ([features.Spec.Plain]), as is best for events that come as islands, and often for kernel sums.
	Plain bool `json:"plain,omitempty"`
	// Factors are those of the chain, in the order in which they are drawn. A loaded plan has
	// those of the chain that was loaded with it.
	Factors []string `json:"factors"`
	// Parts are the weights of the parts of a mixture of coordinates; none of a model of one part.
	// The parts differ in their features, not in this plan. Factors are those of the first.
	Parts []float64 `json:"parts,omitempty"`
	// Settings are those of the factors, complete but for Train, which is for all of them.
	factor.Settings
	// Schedule is how the model is trained, complete. It is the zero value where there is
	// nothing to train, and where each part of the model has its own.
	Schedule training.Options `json:"schedule,omitzero"`
}

// draft is a plan before it is known how many different events there are.
type draft struct {
	kind     factor.Kind
	choice   *Choice
	plain    bool
	settings factor.Settings // as asked, and with the number of components decided
}

// draft decides which kind of model learns the events of t, over how many normals, and in which
// features: it changes those of the parts. What is to be looked at are those of the first part, the most likely one.
func (o Options) draft(ctx context.Context, of *Surrogate, t *rootio.Table, w []float64, begin time.Time) (d draft, err error) {
	first := &of.Parts[0].Features
	if o.Model == "" && o.isSmall(t.Len(), first.Dim()) {
		o.Model = ensembleModel
		d.choice = &Choice{Model: o.Model, Events: t.Len(), Small: true}
		o.log("%v", d.choice)
	}
	d.kind, _ = factor.ByName(cmp.Or(o.Model, Models()[0])) // [Options.Check] knows it
	if err := o.base(ctx, &d, first, t, w); err != nil {
		return d, err
	}
	if o.Model == ensembleModel && len(o.Condition) == 0 && !o.Features.Plain {
		if d.plain, err = plainIsBetter(ctx, first, t, w, o.Seed); err != nil {
			return d, err
		}
	}
	if o.Model == "" {
		if d, err = choose(ctx, of, t, w, o, d, begin); err != nil {
			return d, err
		}
		o.log("%v", d.choice)
	}
	if kind, ok := d.kind.Smearing(d.settings); ok {
		settings := factor.Settings{SigmaMin: d.settings.SigmaMin, Epsilon: d.settings.Epsilon, Solver: d.settings.Solver, Seed: d.settings.Seed}
		if d.plain, err = plainer(ctx, of, t, w, o, draft{kind: kind, settings: settings}); err != nil {
			return d, err
		}
	}
	for k := range of.Parts {
		spec := &of.Parts[k].Features
		if d.plain {
			*spec = *spec.Plain()
		}
		if o.goesAround(d, t.Len()) {
			periodic, err := spec.Periodic(ctx, t, w)
			if err != nil {
				return d, err
			}
			*spec = *periodic
		}
	}
	if d.settings.Coupling == "" && len(d.kind.Couplings) > 0 {
		d.settings.Coupling, err = coupling(ctx, of, t, w, o, d, begin)
	}
	return d, err
}

// base decides over how many normals the kind of a draft learns, and in which features, where
// that was left open.
func (o Options) base(ctx context.Context, d *draft, spec *features.Spec, t *rootio.Table, w []float64) (err error) {
	d.settings = o.settings()
	if o.Components == 0 && o.Coupling != factor.Lecture && factor.CheckUse(d.kind.Name, "components", d.settings) == nil {
		d.settings.Components, d.plain, err = base(ctx, d.kind, spec, t, w, o.Seed, o.Train.MaxTime/10)
	}
	return err
}

// ensembleModel is the model of small samples.
const ensembleModel = "ensemble"

// isSmall reports whether an ensemble is the default model of n events of dim features: where they are few, and
// nothing is asked of the network of a single model or of its training.
func (o Options) isSmall(n, dim int) bool {
	if o.Train.Epochs > 0 || n > factor.SmallSample || n < factor.LeastOfEnsemble || dim > factor.MostOfEnsemble {
		return false
	}
	asked := o.settings()
	asked.Seed, asked.Train.MaxTime = 0, 0
	return asked.Check(ensembleModel) == nil
}

// goesAround reports whether an angle around which something repeats is drawn before the model of n
// events. The density of the angle given a condition is not known, with islands it depends on
// these, and few events are learnt by heart by their angles.
func (o Options) goesAround(d draft, n int) bool {
	const enough = 50_000
	return n >= enough && d.settings.Components < 2 && len(o.Condition) == 0 && d.kind.GoesAround(d.settings)
}

// newPlan returns the plan of a draft, given what else was decided, for n events to train on.
func newPlan(d draft, s factor.Settings, chain Chain, n int) Plan {
	s.Train.Progress, s.Train.Save, s.Train.Resume = nil, nil, nil
	p := Plan{Model: d.kind.Name, Choice: d.choice, Plain: d.plain, Factors: chain.names(), Settings: s}
	if schedule := d.kind.Schedule; schedule != nil && n > 0 {
		p.Schedule = schedule(s.Train, n)
	}
	return p
}

// options returns those by which the factors of a chain are trained: each one before the last, and the
// last one.
func (p *Plan) options(c Chain) (each, last training.Options) {
	each, last = p.Train, p.Train
	if p.Schedule.Epochs > 0 && c.last().Kind() == p.Model {
		last = p.Schedule
	}
	each.Seed, last.Seed = p.Seed, p.Seed
	return each, last
}

// Folds reports whether each event is learnt from and judges what was learnt from others.
func (p *Plan) Folds() bool {
	kind, _ := factor.ByName(p.Model)
	return kind.Folds
}

// check reports whether a plan that was read from a file makes sense.
func (p *Plan) check() error {
	if p.Model == "" {
		return errors.New("surrogate: the plan is damaged: it names no model")
	}
	if p.Choice != nil && p.Choice.Model != p.Model {
		return errors.New("surrogate: the plan is damaged: its model is not the one that was chosen")
	}
	if p.Coordinates != nil {
		if err := p.Coordinates.check(); err != nil {
			return err
		}
	}
	if err := p.Schedule.Check(); err != nil {
		return err
	}
	return p.Settings.Check(p.Model)
}

// String says what the model is, in some lines.
func (p *Plan) String() string {
	kind, _ := factor.ByName(p.Model)
	text := fmt.Sprintf("%s, %s", p.Model, listed(p.Factors))
	if len(p.Parts) > 1 {
		text = fmt.Sprintf("a mixture of %d models in different coordinates, of the kind %s", len(p.Parts), text)
	}
	if p.Coordinates != nil {
		text += "\n" + p.Coordinates.describe(p.Parts)
	}
	for i := range p.Exchanges {
		text += "\n" + p.Exchanges[i].String()
	}
	if networks := kind.NetworksOf(p.Settings); networks != "" {
		text += "\nnetworks of " + networks
	}
	if s := p.Schedule; s.Epochs > 0 {
		text += fmt.Sprintf("\ntraining: at most %d epochs, batches of %d events, learning rate %g", s.Epochs, s.Batch, s.Rate)
	}
	return text
}
