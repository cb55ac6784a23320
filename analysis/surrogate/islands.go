package surrogate

import (
	"context"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/flows"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// islands decides in which features a flow or a denoiser learns the events of t, and over
// how many normals. Most densities are one continent, of whatever shape: columns that are made
// normal one by one, over a standard normal, are the best start. Events that come as
// islands are learnt better over a mixture, if they need not be bent one by one, that
// is, in columns without edges, heavy tails and spikes. So a mixture is fitted to some
// events in both kinds of columns, for no longer than limit (0: as long as it takes), and
// judged by others.
func islands(ctx context.Context, spec *features.Spec, t *rootio.Table, w []float64, seed uint64, limit time.Duration) (components int, err error) {
	const (
		look   = 1 << 13 // events to fit, and as many to judge
		many   = 16
		gain   = 0.03 // nats per feature by which the plain columns must be better
		widest = 64   // features, beyond which a mixture costs too much
	)
	if t.Len() < look || spec.Dim() < 2 || spec.Dim() > widest {
		return 1, nil
	}
	n := min(t.Len()/2, look)
	learn, learnW := spread[float32](t, w, n, 0)
	judge, judgeW := spread[float32](t, w, n, 1)
	score := func(s *features.Spec) (float64, error) {
		z, jacobian, p := make([]float32, n*s.Dim()), make([]float64, n), make([]float64, n)
		if err := s.Encode(ctx, z, nil, learn, features.Noise{Seed: seed}); err != nil {
			return 0, err
		}
		f, err := flows.New(s.Dim(), 0, seed, flows.Mixture{Components: many})
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
	bent, err := score(spec)
	if err != nil {
		return 0, err
	}
	straight, err := score(spec.Plain())
	if err != nil || !(straight > bent+gain*float64(spec.Dim())) {
		return 1, err
	}
	return many, nil
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
