package classify

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/training"
)

// relation predicts an input from those of other columns.
type relation struct {
	*network
	Target int     `json:"target"`
	Others []int   `json:"others"`
	Hidden []int   `json:"hidden"` // the widths of the layers of the network
	Usual  float64 `json:"usual"`  // how far the target usually is from what is predicted
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
	for k, of := range in.Of {
		if of.Aspect != Value || in.width(of.Column) != 1 || tried == maxTried {
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
		r, err := in.relate(ctx, first.Target, max(hidden/2, 8), 1_200_000, seed)
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
	for _, of := range in.Of {
		if of.Column == column && of.Aspect == Value {
			n++
		}
	}
	return n
}

// relate trains a relation for the input target, on so many events, each as often as
// needed; nil if there is nothing to predict it from.
func (in *inputs) relate(ctx context.Context, target, width, events int, seed uint64) (*relation, error) {
	r := &relation{Target: target, Hidden: []int{width, width}}
	for k, of := range in.Of {
		if of.Column != in.Of[target].Column && of.Aspect != Relation {
			r.Others = append(r.Others, k)
		}
	}
	if len(r.Others) == 0 {
		return nil, nil
	}
	r.network = newRegressor(len(r.Others), r.Hidden, seed)
	train := training.Data{Dim: len(r.Others), Context: 1}
	valid := train
	n := len(in.x) / in.dim()
	step := (n + relationEvents - 1) / relationEvents
	for i := 0; i < n; i += step {
		to := &train
		if isValid(uint64(i)) {
			to = &valid
		}
		for _, k := range r.Others {
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
	n, dim := len(in.x)/in.dim(), in.dim()
	left := r.left(in.x, dim)
	size := make([]float64, n)
	for i, v := range left {
		size[i] = math.Abs(v)
	}
	slices.Sort(size)
	r.Usual = max(size[n/2], 1e-6)
	x := make([]float32, n*(dim+1))
	for i := range n {
		copy(x[i*(dim+1):], in.row(i))
	}
	r.store(x[dim:], dim+1, left)
	in.Of = append(in.Of, input{Column: in.Of[r.Target].Column, Aspect: Relation})
	in.Relations = append(in.Relations, r)
	in.x = x
}

// left returns for rows of inputs how far the target is from what is predicted.
func (r *relation) left(x []float32, dim int) []float64 {
	n := len(x) / dim
	others := make([]float32, 0, n*len(r.Others))
	for i := range n {
		for _, k := range r.Others {
			others = append(others, x[i*dim+k])
		}
	}
	left := make([]float64, n)
	r.logits(left, others)
	for i, y := range left {
		left[i] = float64(x[i*dim+r.Target] - float32(y))
	}
	return left
}

// store stores the input that the relation makes in x[0], x[stride], …
func (r *relation) store(x []float32, stride int, left []float64) {
	for i, v := range left {
		x[i*stride] = float32(math.Asinh(v / r.Usual))
	}
}
