package surrogate

import (
	"context"
	"reflect"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/flows"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// base decides in which features a flow or a denoiser learns the events of t, plain ones or
// those that are made normal, and over how many normals. Most densities are one continent, of
// whatever shape: columns that are made normal one by one, over a standard normal, are the best
// start. Events that come as islands are learnt better over a mixture, if they need not be bent one
// by one, that is, in columns without edges, heavy tails and spikes. So a mixture is fitted to some
// events in both kinds of columns, for no longer than limit (0: as long as it takes), and judged by
// others. A kind that needs a mixture for less than islands has it wherever it is more
// likely than one normal, in whichever columns.
func base(ctx context.Context, kind factor.Kind, spec *features.Spec, t *rootio.Table, w []float64, seed uint64, limit time.Duration) (components int, plain bool, err error) {
	const (
		look   = 1 << 13 // events to fit, and as many to judge
		many   = 16
		gain   = 0.03 // nats per feature by which the plain columns must be better
		widest = 64   // features, beyond which a mixture costs too much
	)
	if t.Len() < look || spec.Dim() < 2 || spec.Dim() > widest {
		return 1, false, nil
	}
	least := gain * float64(spec.Dim())
	n := min(t.Len()/2, look)
	learn, learnW := spread[float32](t, w, n, 0)
	judge, judgeW := spread[float32](t, w, n, 1)
	score := func(s *features.Spec, components int) (float64, error) {
		z, jacobian, p := make([]float32, n*s.Dim()), make([]float64, n), make([]float64, n)
		if err := s.Encode(ctx, z, nil, learn, features.Noise{Seed: seed}); err != nil {
			return 0, err
		}
		f, err := flows.New(s.Dim(), 0, seed, flows.Mixture{Components: components})
		if err != nil {
			return 0, err
		}
		within, cancel := ctx, func() {}
		if limit > 0 {
			within, cancel = context.WithTimeout(ctx, limit/2)
		}
		f.Start(within, training.Data{Dim: s.Dim(), X: z, W: learnW}, seed)
		cancel()
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if err := s.Encode(ctx, z, jacobian, judge, features.Noise{Seed: seed}); err != nil {
			return 0, err
		}
		if err := f.LogDensity(ctx, p, z, nil); err != nil {
			return 0, err
		}
		var sum, total float64
		for i, log := range p {
			weight := training.Data{W: judgeW}.Weight(i)
			sum += weight * (log + jacobian[i])
			total += weight
		}
		return sum / total, nil
	}
	components = many
	if kind.Normals != nil {
		components = kind.Normals(n, spec.Dim())
	}
	bent, err := score(spec, components)
	if err != nil {
		return 0, false, err
	}
	straight, err := score(spec.Plain(), components)
	if err != nil {
		return 0, false, err
	}
	if kind.Normals == nil {
		if straight > bent+least {
			return components, true, nil
		}
		return 1, false, nil
	}
	one, err := score(spec, 1)
	if err != nil || !(max(bent, straight) > one+least) {
		return 1, false, err
	}
	return kind.Normals(t.Len(), spec.Dim()), straight > bent, nil
}

// plainIsBetter reports whether mixtures of normals describe the events of a small sample better
// in columns that are standardised only than in columns that were made normal one by one.
func plainIsBetter(ctx context.Context, spec *features.Spec, t *rootio.Table, w []float64, seed uint64) (bool, error) {
	score := func(s *features.Spec) (float64, error) {
		n := t.Len()
		d, jacobian := training.Data{Dim: s.Dim(), X: make([]float32, n*s.Dim())}, make([]float64, n)
		if err := s.Encode(ctx, d.X, jacobian, t, features.Noise{Seed: seed}); err != nil {
			return 0, err
		}
		for _, v := range w {
			d.W = append(d.W, float32(v))
		}
		sum, total := 0.0, 0.0
		for i, log := range jacobian {
			sum += d.Weight(i) * log
			total += d.Weight(i)
		}
		log, err := factor.NormalsLogDensity(ctx, d, seed)
		return log + sum/total, err
	}
	bent, err := score(spec)
	if err != nil {
		return false, err
	}
	plain, err := score(spec.Plain())
	return plain > bent, err
}

// spread returns n events from all over t, and their weights: those at first, of every two.
func spread[W float32 | float64](t *rootio.Table, w []float64, n, first int) (some *rootio.Table, weights []W) {
	places := make([]int, n)
	for i := range places {
		places[i] = int(int64(2*i+first) * int64(t.Len()) / int64(2*n))
		if w != nil {
			weights = append(weights, W(w[places[i]]))
		}
	}
	return t.Take(places), weights
}

// plainer reports whether kernel sums are better in plain features ([features.Spec.Plain]). All
// kernels have one width. Columns that are made normal one by one may make thin places thinner and
// tails longer, or the opposite. So both are tried on some of the events, and the features in
// which others are more likely, in the units of the columns, are taken.
func plainer(ctx context.Context, of *Surrogate, t *rootio.Table, w []float64, o Options, d draft) (bool, error) {
	const (
		look = 1 << 13 // events to learn, and as many to judge
		few  = 20
	)
	n := min(t.Len()/2, look)
	plain := of.Parts[0].Features.Plain()
	if n < few || d.settings.SigmaMin != nil && *d.settings.SigmaMin == 0 || reflect.DeepEqual(plain, &of.Parts[0].Features) {
		return false, nil
	}
	learn, learnW := spread[float64](t, w, n, 0)
	judge, judgeW := spread[float32](t, w, n, 1)
	o.Train.Progress, o.Refine = nil, RefineOff
	var p [2][]float64
	for i, spec := range []*features.Spec{&of.Parts[0].Features, plain} {
		tr, err := newTraining(ctx, of.columns(spec), learn, learnW, o, d)
		if err != nil {
			return false, err
		}
		m, err := tr.Run(ctx)
		if err != nil { // the training on all events says why
			return false, ctx.Err()
		}
		p[i] = make([]float64, n)
		if err := m.LogDensity(ctx, p[i], judge, 0); err != nil {
			return false, err
		}
	}
	gain, total := 0.0, 0.0
	for i, bent := range p[0] {
		if g := p[1][i] - bent; g-g == 0 { // an event may be impossible in both
			weight := training.Data{W: judgeW}.Weight(i)
			gain += weight * g
			total += weight
		}
	}
	if !(gain > 0) {
		return false, nil
	}
	o.log("columns without edges, heavy tails and spikes are standardised, not made normal one by one: with kernel sums events are more likely by %.3g nats", gain/total)
	return true, nil
}
