package surrogate

import (
	"context"
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
func choose(ctx context.Context, part *Part, t *rootio.Table, w []float64, o Options, first draft, begin time.Time) (draft, error) {
	const (
		most = 1 << 15 // events
		long = 1 << 19 // events of all passes
		many = 50      // passes
		// margin is how much better splines must be, in nats per feature, where the events
		// of the trial are a small part.
		margin = 0.005
		// enough is the number of steps that say something.
		enough = 50
		widest = 256 // features
	)
	kinds, dim := inTrial(), part.Features.Dim()
	if first.settings.Components > 1 {
		i := slices.IndexFunc(kinds, func(k factor.Kind) bool { return k.Islands })
		first.kind, first.choice = kinds[i], &Choice{Model: kinds[i].Name}
		return first, nil
	}
	c := &Choice{Model: first.kind.Name}
	first.choice = c
	if dim > widest {
		c.Wide = dim
		return first, nil
	}
	n := min(t.Len(), most)
	some, someW := t, w
	if n < t.Len() {
		some, someW = spread[float64](t, w, n, 0)
	}
	epochs := min(max(long/n, 1), many)
	if o.Train.Epochs > 0 {
		epochs = min(epochs, o.Train.Epochs)
	}
	shortly := training.Options{
		Epochs: epochs, MaxTime: o.Train.Since(begin).MaxTime / 20, Batch: o.Train.Batch, Rate: o.Train.Rate, Clip: o.Train.Clip,
		Patience: o.Train.Patience, Decay: o.Train.Decay, Average: o.Train.Average,
	}
	o.log("a trial of the models %s on %d events", strings.Join(factor.Names(kinds), ", "), n)
	c.Events, c.Losses = n, map[string]float64{}
	c.Margin = margin * float64(dim) * (1 - float64(n)/float64(t.Len()))
	chosen, best := first, math.Inf(1)
	o.Train.Progress = nil
	for _, kind := range kinds {
		d := first
		if d.kind = kind; kind.Normals != nil {
			if err := o.base(ctx, &d, part, t, w); err != nil {
				return d, err
			}
		}
		short := d
		short.settings.Train = shortly
		tr, err := newTraining(ctx, *part, some, someW, o, short) // in the same features, so that losses can be compared
		if err != nil {
			return d, err
		}
		tr.begin = time.Now()
		_, err = tr.Run(ctx)
		if ctx.Err() != nil {
			return d, ctx.Err()
		}
		h := tr.Card.History
		if steps := len(h.Points); h.Stopped == training.OutOfTime && (steps == 0 || h.Points[steps-1].Step < enough) {
			c.Model, c.Losses, c.Margin = first.kind.Name, nil, 0
			return first, nil
		}
		if err != nil {
			continue // it may be able to learn nothing of so few events
		}
		loss := h.Best
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
