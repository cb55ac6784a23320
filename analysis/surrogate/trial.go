package surrogate

import (
	"context"
	"math"

	"github.com/eidolon-hep/eidolon/flows"
	"github.com/eidolon-hep/eidolon/rootio"
)

// trial decides which kind of flow learns the events of t, where that was left open. What
// is steep in single branches, such as integers, the edges of sectors and dead modules, is
// for an autoregressive flow; what goes across many branches, such as a system of momenta,
// for splines in couplings. So both are trained on some of the events, shortly, and the one
// with the better loss on others is taken. A few events are too few for the tables of an
// autoregressive flow, which gain most by more; so splines must be better by a margin. A
// mixture has no features that are better looked at one by one: over one, it is splines.
func trial(t *rootio.Table, w []float64, o Options) (model string, err error) {
	const (
		most = 1 << 15 // events
		long = 1 << 19 // events of all passes
		many = 50      // passes
		// margin is how much better splines must be, in nats per feature.
		margin = 0.005
	)
	if o.Components > 1 {
		return spline, nil
	}
	o.Components = 1 // that has been decided
	n := min(t.Len(), most)
	some, someW := t, w
	if n < t.Len() {
		some, someW = thin(t, w, n)
	}
	epochs := min(max(long/n, 1), many)
	if o.Train.Epochs > 0 {
		epochs = min(epochs, o.Train.Epochs)
	}
	o.Train = flows.TrainOptions{
		Epochs: epochs, MaxTime: o.Train.MaxTime / 20, Batch: o.Train.Batch, Rate: o.Train.Rate, Clip: o.Train.Clip,
		Patience: o.Train.Patience, Decay: o.Train.Decay, Average: o.Train.Average,
	}
	best := math.Inf(1)
	model = autoregressive
	for _, o.Model = range []string{autoregressive, spline} {
		tr, err := New(some, someW, o)
		if err != nil {
			return "", err
		}
		s, err := tr.Run(context.Background())
		if err != nil {
			continue // it may be able to learn nothing of so few events
		}
		loss := s.Card.History.Best
		if o.Model == spline {
			loss += margin * float64(s.Features.Dim())
		}
		if loss < best {
			best, model = loss, o.Model
		}
	}
	return model, nil
}

// thin returns n events from all over t, and their weights.
func thin(t *rootio.Table, w []float64, n int) (*rootio.Table, []float64) {
	places := make([]int, n)
	for i := range places {
		places[i] = int(int64(i) * int64(t.Len()) / int64(n))
	}
	some := &rootio.Table{}
	for _, c := range t.Columns {
		some.Columns = append(some.Columns, c.Take(places))
	}
	if w == nil {
		return some, nil
	}
	weights := make([]float64, n)
	for i, k := range places {
		weights[i] = w[k]
	}
	return some, weights
}
