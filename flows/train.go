package flows

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/eidolon-hep/eidolon/training"
)

// Train fits the flow to the rows of train by maximum likelihood: the loss is the
// weighted mean of −log p(x|c). The parameters end as those with the lowest loss
// on valid, which may be empty (then train serves). When ctx is cancelled the
// best parameters so far are kept and its error is returned.
func (f *Flow) Train(ctx context.Context, train, valid training.Data, opts training.Options) (training.History, error) {
	for _, d := range []training.Data{train, valid} {
		if d.Len() > 0 && (d.Dim != f.dim || d.Context != f.context) {
			return training.History{}, fmt.Errorf("flows: rows of %d features and %d context features for a flow of %d and %d", d.Dim, d.Context, f.dim, f.context)
		}
	}
	n := train.Len()
	if len(train.X) != n*f.dim || len(train.C) != n*f.context || train.W != nil && len(train.W) != n {
		return training.History{}, fmt.Errorf("flows: %d values, %d of the context and %d weights do not make rows of %d and %d features", len(train.X), len(train.C), len(train.W), f.dim, f.context)
	}
	if !f.started && n > 0 && opts.Resume == nil {
		begin, within, cancel := time.Now(), ctx, func() {}
		if opts.MaxTime > 0 {
			within, cancel = context.WithTimeout(ctx, opts.MaxTime/4)
		}
		f.Start(within, train, opts.Seed)
		cancel()
		opts = opts.Since(begin)
	}
	h, err := training.Fit(ctx, f.Objective(), train, valid, opts)
	f.Update()
	return h, err
}

// Start sets the layers that start from data, [ContextAffine], [ActNorm] and [Mixture], by some thousand
// rows from all over the data. Train calls it if nobody has. When ctx is cancelled it ends
// early, and the other layers stay as they are.
func (f *Flow) Start(ctx context.Context, data training.Data, seed uint64) {
	f.started = true
	through := 0 // the number of bijections that the rows must go through
	for i, b := range f.bijections {
		if _, ok := b.(starter); ok || f.base != nil {
			through = i + 1
		}
	}
	if through == 0 && f.base == nil {
		return
	}
	const most = 1 << 13 // rows that are looked at
	n := min(data.Len(), most)
	x, c, logDet := make([]float32, n*f.dim), make([]float32, n*f.context), make([]float32, training.Tile)
	var w []float32
	for i := range n {
		row := int(int64(i) * int64(data.Len()) / int64(n))
		copy(x[i*f.dim:(i+1)*f.dim], data.X[row*f.dim:])
		copy(c[i*f.context:(i+1)*f.context], data.C[row*f.context:])
		if data.W != nil {
			w = append(w, data.W[row])
		}
	}
	s := f.newStates()
	for i, b := range f.bijections[:through] {
		if ctx.Err() != nil {
			return // the rows are not those that the rest would see
		}
		if s, ok := b.(starter); ok {
			s.start(training.Data{X: x, Dim: f.dim, C: c, Context: f.context, W: w})
		}
		for lo := 0; lo < n && ctx.Err() == nil; lo += training.Tile {
			m := min(training.Tile, n-lo)
			b.forward(s.of[i], x[lo*f.dim:(lo+m)*f.dim], c[lo*f.context:(lo+m)*f.context], logDet, m)
		}
	}
	if f.base != nil {
		f.base.start(ctx, x, w, n, seed)
	}
}

// Objective returns the flow as what [training.Fit] minimises: −log p(x|c). Whoever trains it calls [Flow.Start] before,
// and [Flow.Update] after it.
func (f *Flow) Objective() training.Density { return (*likelihood)(f) }

// likelihood makes a flow a [training.Objective]: maximum likelihood.
type likelihood Flow

func (l *likelihood) Params() []float32 { return l.params.Value }

func (l *likelihood) Pack(part, parts int) {
	for i := part; i < len(l.bijections); i += parts {
		l.bijections[i].pack(false)
	}
	if l.base != nil && len(l.bijections)%parts == part {
		l.base.pack()
	}
}

func (l *likelihood) NewWorker() training.Worker {
	f := (*Flow)(l)
	return &worker{
		flow:    f,
		states:  f.newStates(),
		gLogDet: make([]float32, training.Tile),
	}
}

type worker struct {
	flow    *Flow
	states  *states
	gLogDet []float32
	z       []float32 // noise of the rows of the last LogDensity, in their memory
}

// Loss returns −Σ w log p(x|c) and adds its gradient to grad. It overwrites x.
func (w *worker) Loss(grad []float32, rows training.Rows) float64 {
	log := w.states.log[:rows.N]
	w.LogDensity(log, rows)
	loss := 0.0
	for i, weight := range rows.W {
		loss -= float64(weight) * log[i]
	}
	if grad != nil {
		w.Backward(grad, rows.W)
	}
	return loss
}

// LogDensity stores log p(x|c) of each row in dst. It overwrites x.
func (w *worker) LogDensity(dst []float64, rows training.Rows) {
	f := w.flow
	for i, state := range w.states.of {
		if s, ok := state.(dropper); ok {
			s.drop(rows, i)
		}
	}
	logDet := w.states.logDet[:rows.N]
	clear(logDet)
	w.z = rows.X
	f.forward(w.states, w.z, rows.C, logDet, rows.N)
	f.logBase(w.states, dst, w.z, rows.N)
	for i, ld := range logDet {
		dst[i] += float64(ld)
	}
}

// Backward adds the gradient of −Σ weight log p(x|c), over the rows of the last LogDensity, to grad.
func (w *worker) Backward(grad, weights []float32) {
	f, n := w.flow, len(weights)
	for i, weight := range weights {
		w.gLogDet[i] = -weight
	}
	f.backwardBase(w.states, grad, w.z, weights, n)
	f.backward(w.states, grad, w.z, w.gLogDet[:n], n)
}

// backwardBase follows logBase: it puts the gradient of −Σ w log p with respect to z in
// the place of z, and adds those of the parameters to grad.
func (f *Flow) backwardBase(s *states, grad, z, w []float32, m int) {
	if f.base != nil {
		f.base.backward(s.base, grad, z, w, m)
		return
	}
	for i, weight := range w {
		for j := i * f.dim; j < (i+1)*f.dim; j++ {
			z[j] *= weight
		}
	}
}

// RoundTrip returns the mean and the largest |f⁻¹(f(x)) − x|.
func (l *likelihood) RoundTrip(x, c []float32) (mean, largest float64) {
	f := (*Flow)(l)
	f.Update()
	back := make([]float32, len(x))
	f.Forward(back, nil, x, c)
	f.Inverse(back, nil, back, c)
	for i, v := range x {
		d := math.Abs(float64(back[i]) - float64(v))
		if !(d <= math.MaxFloat32) {
			d = math.MaxFloat32 // not finite
		}
		mean += d / float64(len(x))
		largest = max(largest, d)
	}
	return mean, largest
}
