package classify

import (
	"context"

	"github.com/eidolon-hep/eidolon/internal/trees"
	"github.com/eidolon-hep/eidolon/training"
)

// grown says how the trees of a classifier are grown, for events of a mean weight of about one. They see steps and thin
// structures that a network is slow to learn.
var grown = trees.Options{Rounds: 400, Patience: 30, Leaves: 31, Rate: 0.05, Ridge: 1, Least: 5}

// part is a part of the events of both samples: their rows in the inputs, what they should have, and their weights.
type part struct {
	rows []int32
	y, w []float32
}

func (p *part) add(row int, y, w float64) {
	p.rows, p.y, p.w = append(p.rows, int32(row)), append(p.y, float32(y)), append(p.w, float32(w))
}

// data returns the events as a network learns from them.
func (p *part) data(in *inputs) training.Data {
	d := training.Data{Dim: in.dim(), Context: 1, C: p.y, W: p.w}
	for _, i := range p.rows {
		d.X = append(d.X, in.row(int(i))...)
	}
	return d
}

// boost fits trees to the events of train until the loss of valid gets no better.
func (f *folds) boost(ctx context.Context, train, valid part, loss trees.Loss, o trees.Options) (*trees.Forest, error) {
	if f.matrix == nil {
		f.matrix = trees.NewMatrix(f.in.x, f.in.dim(), len(f.in.x)/f.in.dim())
	}
	y, w := make([]float32, f.matrix.Rows()), make([]float32, f.matrix.Rows())
	for _, p := range []part{train, valid} {
		for k, i := range p.rows {
			y[i], w[i] = p.y[k], p.w[k]
		}
	}
	return trees.Fit(ctx, f.matrix, train.rows, valid.rows, y, w, loss, o)
}
