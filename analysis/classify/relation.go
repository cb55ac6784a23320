package classify

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/training"
)

// regressor is a perceptron that predicts one input from those of the other columns,
// by least squares. The context of a row is what is to be predicted.
type regressor struct {
	params nn.Params
	mlp    *nn.MLP
}

func newRegressor(dim, width int, seed uint64) *regressor {
	r := &regressor{}
	r.mlp = nn.NewMLP(&r.params, "relation", dim, []int{width, width}, 1, dense.SiLU)
	r.mlp.Init(seed, 1)
	r.mlp.Pack()
	return r
}

// Params implements training.Objective.
func (r *regressor) Params() []float32 { return r.params.Value }

// Pack implements training.Objective.
func (r *regressor) Pack(part, _ int) {
	if part == 0 {
		r.mlp.Pack()
	}
}

// NewWorker implements training.Objective.
func (r *regressor) NewWorker() training.Worker {
	return &regressorWorker{r, r.mlp.NewState(training.Tile), make([]float32, training.Tile)}
}

type regressorWorker struct {
	r     *regressor
	state *nn.MLPState
	dy    []float32
}

// Loss implements training.Worker.
func (w *regressorWorker) Loss(grad []float32, rows training.Rows) float64 {
	out := w.r.mlp.Forward(w.state, rows.X, rows.N)
	loss := 0.0
	for i, y := range out {
		d := y - rows.C[i]
		loss += float64(rows.W[i] * d * d)
		w.dy[i] = 2 * rows.W[i] * d
	}
	if grad != nil {
		w.r.mlp.Backward(w.state, grad, nil, rows.X, w.dy[:rows.N], rows.N)
	}
	return loss
}

// predict calls found with the prediction for each row of x.
func (r *regressor) predict(x []float32, dim int, found func(i int, y float32)) {
	state := r.mlp.NewState(training.Tile)
	n := len(x) / dim
	for lo := 0; lo < n; lo += training.Tile {
		m := min(training.Tile, n-lo)
		for i, y := range r.mlp.Forward(state, x[lo*dim:(lo+m)*dim], m) {
			found(lo+i, y)
		}
	}
}

// relation predicts an input from those of other columns.
type relation struct {
	*regressor
	target int
	others []int
	error  float64 // root of the mean square on events that it was not trained on; 1 knows nothing
}

const (
	maxRelations   = 4
	maxTried       = 48 // columns, the first ones
	relationEvents = 60_000
	promising      = 0.5 // error after a first try below which it is worth more
	sharp          = 0.2 // error of a relation
)

// addRelations looks for columns that others nearly determine, such as a mass beside
// the momenta that it is computed from, and adds inputs that say how far off
// each event is. A classifier that has to find such a relation by itself hardly
// ever does. The relation is learnt from both samples together.
func (in *inputs) addRelations(ctx context.Context, hidden int, seed uint64) error {
	var found []*relation
	tried := 0
	for k, of := range in.of {
		if of.aspect != Value || in.width(of.column) != 1 || tried == maxTried {
			continue
		}
		tried++
		r, err := in.relate(ctx, k, max(hidden/4, 8), 120_000, seed)
		if err != nil {
			return err
		}
		if r != nil && r.error < promising {
			found = append(found, r)
		}
	}
	slices.SortStableFunc(found, func(a, b *relation) int { return cmp.Compare(a.error, b.error) })
	for _, first := range found[:min(len(found), maxRelations)] {
		r, err := in.relate(ctx, first.target, max(hidden/2, 8), 1_200_000, seed)
		if err != nil {
			return err
		}
		if r.error < sharp {
			in.append(r)
		}
	}
	return nil
}

// width is the number of inputs that tell the value of a column.
func (in *inputs) width(column int) int {
	n := 0
	for _, of := range in.of {
		if of.column == column && of.aspect == Value {
			n++
		}
	}
	return n
}

// relate trains a relation for the input target, on so many events, each as often as
// needed; nil if there is nothing to predict it from.
func (in *inputs) relate(ctx context.Context, target, width, events int, seed uint64) (*relation, error) {
	r := &relation{target: target}
	for k, of := range in.of {
		if of.column != in.of[target].column && of.aspect != Relation {
			r.others = append(r.others, k)
		}
	}
	if len(r.others) == 0 {
		return nil, nil
	}
	r.regressor = newRegressor(len(r.others), width, seed)
	train := training.Data{Dim: len(r.others), Context: 1}
	valid := train
	n := len(in.x) / in.dim
	step := (n + relationEvents - 1) / relationEvents
	for i := 0; i < n; i += step {
		to := &train
		if isValid(uint64(i)) {
			to = &valid
		}
		for _, k := range r.others {
			to.X = append(to.X, in.row(i)[k])
		}
		to.C = append(to.C, in.row(i)[target])
	}
	h, err := training.Fit(ctx, r, train, valid, training.Options{Epochs: max(events/train.Len(), 1), Batch: 256, Rate: 5e-3, Patience: 100, Seed: seed})
	if err != nil {
		return nil, err
	}
	var power float64
	for _, y := range valid.C {
		power += float64(y*y) / float64(len(valid.C))
	}
	r.error = math.Sqrt(h.Best / max(power, 1e-9))
	return r, nil
}

// append adds an input: what is left of the relation's target, in units of the
// usual size, on a scale that is linear for small values and logarithmic for large.
func (in *inputs) append(r *relation) {
	n := len(in.x) / in.dim
	left := make([]float32, n)
	parallel.Ranges(n, 16*training.Tile, func(lo, hi int) {
		state := r.mlp.NewState(training.Tile)
		x := make([]float32, training.Tile*len(r.others))
		for ; lo < hi; lo += training.Tile {
			m := min(training.Tile, hi-lo)
			for i := range m {
				for j, k := range r.others {
					x[i*len(r.others)+j] = in.row(lo + i)[k]
				}
			}
			for i, y := range r.mlp.Forward(state, x[:m*len(r.others)], m) {
				left[lo+i] = in.row(lo + i)[r.target] - y
			}
		}
	})
	size := make([]float32, n)
	for i, v := range left {
		size[i] = float32(math.Abs(float64(v)))
	}
	slices.Sort(size)
	usual := float64(max(size[n/2], 1e-6))
	x := make([]float32, 0, n*(in.dim+1))
	for i := range n {
		x = append(append(x, in.row(i)...), float32(math.Asinh(float64(left[i])/usual)))
	}
	in.of = append(in.of, input{in.of[r.target].column, Relation})
	in.dim++
	in.x = x
}
