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
	r.network = newRegressor(len(r.others), width, seed)
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
	others := make([]float32, 0, n*len(r.others))
	for i := range n {
		for _, k := range r.others {
			others = append(others, in.row(i)[k])
		}
	}
	left, size := make([]float64, n), make([]float64, n)
	r.logits(left, others)
	for i, y := range left {
		left[i] = float64(in.row(i)[r.target] - float32(y))
		size[i] = math.Abs(left[i])
	}
	slices.Sort(size)
	usual := max(size[n/2], 1e-6)
	x := make([]float32, 0, n*(in.dim+1))
	for i := range n {
		x = append(append(x, in.row(i)...), float32(math.Asinh(left[i]/usual)))
	}
	in.of = append(in.of, input{in.of[r.target].column, Relation})
	in.dim++
	in.x = x
}
