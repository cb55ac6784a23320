package classify

import (
	"context"
	"math"

	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/training"
)

// network is a perceptron with one output. Its loss is
//
//	Σ w [log(1 + eˢ) − y s],  y = 0 or 1 the sample, s the output
//
// for a classifier: it is lowest where s is the logarithm of the ratio of the densities of
// samples 1 and 0, if the weights of both samples have the same sum. A regression has the sum
// of the squares. The context of a row is its y.
type network struct {
	params nn.Params
	mlp    *nn.MLP
	dim    int
	loss   networkLoss
}

// networkLoss is the loss of an event of weight w with the output s that should be y, and its
// derivative by s.
type networkLoss func(s, y, w float32) (loss float64, slope float32)

func newNetwork(dim int, hidden []int, seed, stream uint64, loss networkLoss) *network {
	n := &network{dim: dim, loss: loss}
	n.mlp = nn.NewMLP(&n.params, "network", dim, hidden, 1, dense.SiLU)
	n.mlp.Init(seed, stream)
	n.mlp.Pack()
	return n
}

func newClassifier(dim int, hidden []int, seed uint64) *network {
	return newNetwork(dim, hidden, seed, 0, func(s, y, w float32) (float64, float32) {
		l, p := logistic(float64(s), float64(y))
		return float64(w) * l, float32(float64(w) * (p - float64(y)))
	})
}

func newRegressor(dim int, hidden []int, seed uint64) *network {
	return newNetwork(dim, hidden, seed, 1, func(s, y, w float32) (float64, float32) {
		d := s - y
		return float64(w * d * d), 2 * w * d
	})
}

func (n *network) fit(ctx context.Context, train, valid training.Data, seed uint64) error {
	rows := train.Len()
	_, err := training.Fit(ctx, n, train, valid, training.Options{
		Epochs:   min(max(2_500_000/rows, 1), 150),
		Batch:    min(max(rows/50, 32), 512),
		Rate:     2e-3,
		Decay:    1e-2,
		Patience: 15,
		Seed:     seed,
	})
	return err
}

// logits stores the outputs for the rows of x in dst.
func (n *network) logits(dst []float64, x []float32) {
	const piece = 16 * training.Tile
	parallel.Ranges(len(dst), piece, func(lo, hi int) {
		state := n.mlp.NewState(training.Tile)
		for ; lo < hi; lo += training.Tile {
			m := min(training.Tile, hi-lo)
			for i, y := range n.mlp.Forward(state, x[lo*n.dim:(lo+m)*n.dim], m) {
				dst[lo+i] = float64(y)
			}
		}
	})
}

// Params implements training.Objective.
func (n *network) Params() []float32 { return n.params.Value }

// Pack implements training.Objective.
func (n *network) Pack(part, _ int) {
	if part == 0 {
		n.mlp.Pack()
	}
}

// NewWorker implements training.Objective.
func (n *network) NewWorker() training.Worker {
	return &worker{n, n.mlp.NewState(training.Tile), make([]float32, training.Tile)}
}

type worker struct {
	net   *network
	state *nn.MLPState
	dy    []float32
}

// Loss implements training.Worker.
func (w *worker) Loss(grad []float32, rows training.Rows) float64 {
	out := w.net.mlp.Forward(w.state, rows.X, rows.N)
	loss := 0.0
	for i, s := range out {
		l, slope := w.net.loss(s, rows.C[i], rows.W[i])
		loss += l
		w.dy[i] = slope
	}
	if grad != nil {
		w.net.mlp.Backward(w.state, grad, nil, rows.X, w.dy[:rows.N], rows.N)
	}
	return loss
}

// logistic returns log(1+eˢ) − ys and 1/(1+e⁻ˢ).
func logistic(s, y float64) (loss, p float64) {
	e := math.Exp(-math.Abs(s))
	return max(s, 0) + math.Log1p(e) - y*s, sigmoid(s, e)
}

// probability returns 1/(1+e⁻ˢ).
func probability(s float64) float64 {
	e := math.Exp(-math.Abs(s))
	return sigmoid(s, e)
}

// sigmoid returns 1/(1+e⁻ˢ), given e = exp(−|s|).
func sigmoid(s, e float64) float64 {
	if s >= 0 {
		return 1 / (1 + e)
	}
	return e / (1 + e)
}
