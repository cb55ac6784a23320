package classify

import (
	"context"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/eidolon-hep/eidolon/internal/trees"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// weightsOf returns the weights with which a classifier learns from the rows of a sample:
// their own, or, if the sample has negative ones, their mean at the place of each event.
// Trees and a network find it by least squares, each on three quarters of the events and for
// the last, so that no event tells its own; a linear regression on all events combines
// them.
func (f *folds) weightsOf(ctx context.Context, sample int, rows []int) ([]float64, error) {
	w := make([]float64, len(rows))
	for j, i := range rows {
		w[j] = f.samples[sample].weight(i) * f.scale[sample]
	}
	if !f.signed[sample] || f.in.dim() == 0 {
		return w, nil
	}
	const (
		parts = 4
		least = 1e-3 // of the mean size of a weight
	)
	var sum, size float64
	for _, v := range w {
		sum += v
		size += math.Abs(v) / float64(len(w))
	}
	sum = max(sum, least*size)
	mean := sum / float64(len(w)) / size

	partOf := func(j int) uint64 { return philox.Uint64(0, streamHalf, f.keys[sample][rows[j]]) % parts }
	boosted, smooth := make([]float64, len(w)), make([]float64, len(w))
	for k := range uint64(parts) {
		var learn, judge, rest part
		var places []int // of the rest
		for j, i := range rows {
			to := &learn
			switch {
			case partOf(j) == k:
				to = &rest
				places = append(places, j)
			case isValid(f.keys[sample][i]):
				to = &judge
			}
			to.add(f.start[sample]+i, w[j]/size-mean, 1)
		}
		o := grown
		o.Least *= 4 // second derivatives are 1, not a quarter
		t, err := f.boost(ctx, learn, judge, trees.Square(), o)
		if err != nil {
			return nil, err
		}
		train, valid, others := learn.data(f.in), judge.data(f.in), rest.data(f.in)
		r := newRegressor(f.in.dim(), slices.Repeat([]int{max(f.opts.Hidden/4, 8)}, 2), f.opts.Seed)
		if _, err := training.Fit(ctx, r, train, valid, training.Options{
			Epochs: min(max(600_000/train.Len(), 1), 150), Batch: min(max(train.Len()/50, 32), 512), Rate: 3e-3, Decay: 1e-2, Patience: 20, Seed: f.opts.Seed + k,
		}); err != nil {
			return nil, err
		}
		byTrees, byNetwork := make([]float64, len(places)), make([]float64, len(places))
		t.Add(byTrees, others.X, 1)
		r.logits(byNetwork, others.X)
		for i, j := range places {
			boosted[j], smooth[j] = byTrees[i], byNetwork[i]
		}
	}

	var all float64
	at := leastSquares(w, mean, size, boosted, smooth)
	local := make([]float64, len(w))
	for j := range local {
		local[j] = max(at(j), least)
		all += local[j]
	}
	for j := range local {
		local[j] *= sum / all
	}
	return local, nil
}

// leastSquares is the linear function of x and y that is nearest to w, in units of size;
// little is learnt where they say nothing.
func leastSquares(w []float64, mean, size float64, x, y []float64) func(j int) float64 {
	const prior = 10 // events, whose mean is half of each
	h, g := mat.NewSymDense(3, nil), mat.NewVecDense(3, []float64{0, prior * 0.5, prior * 0.5})
	for i := range 3 {
		h.SetSym(i, i, prior)
	}
	for j, v := range w {
		row := [3]float64{1, x[j], y[j]}
		for a := range 3 {
			g.SetVec(a, g.AtVec(a)+row[a]*(v/size-mean))
			for b := range a + 1 {
				h.SetSym(a, b, h.At(a, b)+row[a]*row[b])
			}
		}
	}
	var chol mat.Cholesky
	var c mat.VecDense
	if !chol.Factorize(h) || chol.SolveVecTo(&c, g) != nil {
		c.CloneFromVec(mat.NewVecDense(3, []float64{0, 0.5, 0.5}))
	}
	return func(j int) float64 { return mean + c.AtVec(0) + c.AtVec(1)*x[j] + c.AtVec(2)*y[j] }
}
