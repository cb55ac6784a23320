package surrogate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// Choice says which kind of flow was taken, and why.
type Choice struct {
	Model string `json:"model"`
	// Losses are those of a trial, in nats, of the kinds that could be trained in it on
	// Events of the events; without a trial, or where there was no time for it, there are
	// none.
	Losses map[string]float64 `json:"losses,omitempty"`
	Events int                `json:"events,omitempty"`
	// Margin is how much better the others had to be than the default.
	Margin float64 `json:"margin,omitempty"`
	// Wide is the number of features, where these are too many for a trial.
	Wide int `json:"wide,omitempty"`
	// Small says that the sample is so small that an ensemble is the default.
	Small bool `json:"small,omitempty"`
}

// String is a line, such as “trial on 32768 events: autoregressive 5.1200, spline 5.3000
// nats: autoregressive”.
func (c *Choice) String() string {
	if c.Small {
		return fmt.Sprintf("no trial: %d events are a small sample: %s, in which densities of several kinds are weighted", c.Events, c.Model)
	}
	if c.Wide > 0 {
		return fmt.Sprintf("no trial: with %d features it takes too long: %s, the default", c.Wide, c.Model)
	}
	if c.Events == 0 {
		return fmt.Sprintf("no trial: events that come as islands are for the model %s", c.Model)
	}
	if c.Losses == nil {
		return fmt.Sprintf("there is no time for a trial: %s, the default", c.Model)
	}
	var losses []string
	for _, kind := range inTrial() {
		if loss, ok := c.Losses[kind.Name]; ok {
			losses = append(losses, fmt.Sprintf("%s %.4f", kind.Name, loss))
		} else {
			losses = append(losses, kind.Name+" could not be trained")
		}
	}
	text := fmt.Sprintf("trial on %d events: %s nats: %s", c.Events, strings.Join(losses, ", "), c.Model)
	first := inTrial()[0].Name
	for _, kind := range inTrial()[1:] {
		if loss, ok := c.Losses[kind.Name]; ok && c.Model == first && loss < c.Losses[first] {
			text += fmt.Sprintf(" (%s must be better by %.3g)", kind.Name, c.Margin)
		}
	}
	return text
}

// widestOfTrial is the number of features with which a trial takes too long.
const widestOfTrial = 256

// inTrial are the kinds of models that a trial compares; the first is the default.
func inTrial() []factor.Kind {
	return slices.DeleteFunc(factor.Models(), func(k factor.Kind) bool { return !k.Trial })
}

// choose decides which kind of flow learns the events of t, where that was left open, and
// New began a while ago. What is steep in single branches, such as integers, the edges of sectors
// and dead modules, is for an autoregressive flow; what goes across many branches, such as
// a system of momenta, for splines in couplings. So both are trained on some of the events,
// shortly, and the one with the better loss on others is taken. The tables of an
// autoregressive flow gain most by the events that are left out; so splines must be better
// by a margin, the more the more these are, and so must affine couplings. These learn over a mixture
// wherever it helps. Of events that come as islands, for which the default has a mixture,
// there are no features that are better looked at one by one: over one, it is splines.
func choose(ctx context.Context, of *Surrogate, t *rootio.Table, w []float64, o Options, first draft, begin time.Time) (draft, error) {
	// margin is how much better splines must be, in nats per feature, where the events
	// of the trial are a small part.
	const margin = 0.005
	kinds, dim := inTrial(), of.Parts[0].Features.Dim()
	if first.settings.Components > 1 {
		i := slices.IndexFunc(kinds, func(k factor.Kind) bool { return k.Islands })
		first.kind, first.choice = kinds[i], &Choice{Model: kinds[i].Name}
		return first, nil
	}
	c := &Choice{Model: first.kind.Name}
	first.choice = c
	if dim > widestOfTrial {
		c.Wide = dim
		return first, nil
	}
	short := newTrial(of, t, w, o, begin)
	n := short.t.Len()
	o.log("a trial of the models %s on %d events", strings.Join(factor.Names(kinds), ", "), n)
	c.Events, c.Losses = n, map[string]float64{}
	c.Margin = margin * float64(dim) * (1 - float64(n)/float64(t.Len()))
	chosen, best := first, math.Inf(1)
	for _, kind := range kinds {
		d := first
		if d.kind = kind; kind.Normals != nil {
			if err := o.base(ctx, &d, &of.Parts[0].Features, t, w); err != nil {
				return d, err
			}
		}
		loss, err := short.loss(ctx, d)
		switch {
		case ctx.Err() != nil:
			return d, ctx.Err()
		case errors.Is(err, errNoTime):
			c.Model, c.Losses, c.Margin = first.kind.Name, nil, 0
			return first, nil
		case err != nil:
			continue // it may be able to learn nothing of so few events
		}
		c.Losses[kind.Name] = loss
		if kind.Name != first.kind.Name {
			loss += c.Margin
		}
		if loss < best {
			best, c.Model, chosen = loss, kind.Name, d
		}
	}
	return chosen, nil
}

// coupling decides which form of couplings a draft has. Steep ones learn by heart where events are few and
// nothing is steep.
func coupling(ctx context.Context, of *Surrogate, t *rootio.Table, w []float64, o Options, d draft, begin time.Time) (string, error) {
	chosen, best := d.kind.Couplings[0], math.Inf(1)
	if of.Parts[0].Features.Dim() > widestOfTrial {
		return chosen, nil
	}
	short := newTrial(of, t, w, o, begin)
	var losses []string
	for _, form := range d.kind.Couplings {
		d.settings.Coupling = form
		loss, err := short.loss(ctx, d)
		switch {
		case ctx.Err() != nil:
			return "", ctx.Err()
		case errors.Is(err, errNoTime):
			o.log("there is no time for a trial of couplings: %s, the default", d.kind.Couplings[0])
			return d.kind.Couplings[0], nil
		case err != nil:
			continue // the training on all events says why
		}
		losses = append(losses, fmt.Sprintf("%s %.4f", form, loss))
		if loss < best {
			chosen, best = form, loss
		}
	}
	o.log("trial of couplings on %d events: %s nats: %s", short.t.Len(), strings.Join(losses, ", "), chosen)
	return chosen, nil
}

// trial is a short training on some of the events, which are the same for all that it compares.
type trial struct {
	of      *Surrogate
	t       *rootio.Table
	w       []float64
	options Options
	train   training.Options
}

// errNoTime says that a trial made too few steps to say something.
var errNoTime = errors.New("no time for a trial")

func newTrial(of *Surrogate, t *rootio.Table, w []float64, o Options, begin time.Time) trial {
	const (
		most = 1 << 15 // events
		long = 1 << 19 // events of all passes, by default
		many = 50      // passes
	)
	n := min(t.Len(), most)
	if n < t.Len() {
		t, w = spread[float64](t, w, n, 0)
	}
	epochs := min(max(int(o.effort().trials*long)/n, 1), many)
	if o.Train.Epochs > 0 {
		epochs = min(epochs, o.Train.Epochs)
	}
	short := training.Options{
		Epochs: epochs, MaxTime: o.Train.Since(begin).MaxTime / 20, Batch: o.Train.Batch, Rate: o.Train.Rate, Clip: o.Train.Clip,
		Patience: o.Train.Patience, Decay: o.Train.Decay, Average: o.Train.Average,
	}
	o.Train.Progress, o.Refine = nil, RefineOff
	return trial{of.columns(&of.Parts[0].Features), t, w, o, short}
}

// loss returns that of a draft in a trial: the best one of held-out events, in the features of the trial, so
// that losses can be compared.
func (tr trial) loss(ctx context.Context, d draft) (float64, error) {
	const enough = 50 // steps, which say something
	d.settings.Train = tr.train
	short, err := newTraining(ctx, tr.of, tr.t, tr.w, tr.options, d)
	if err != nil {
		return 0, err
	}
	short.begin = time.Now()
	_, err = short.Run(ctx)
	h := short.Card.History
	if steps := len(h.Points); h.Stopped == training.OutOfTime && (steps == 0 || h.Points[steps-1].Step < enough) {
		return 0, errNoTime
	}
	return h.Best, err
}
