package classify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"

	"github.com/eidolon-hep/eidolon/analysis/vectors"
	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/internal/trees"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// Boosted is a bounded ratio of densities by boosted trees alone, which is fast enough to draw events by: of the columns, and of what
// follows from the momenta among them. It may have several rounds; in each the ratio to what the rounds before it made is learnt:
//
//	log r = Σ_rounds max(min(Factor · Σ trees, Most), Least) − log E[r | codes]
type Boosted struct {
	Columns []string      `json:"columns"`
	Vectors vectors.Found `json:"vectors"`
	Rounds  []Round       `json:"rounds"`
	// Frequencies, if there are some, are what the ratio is divided by at last.
	Frequencies *Frequencies `json:"frequencies,omitempty"`
	// Symmetric says that a common rotation of all azimuths changes nothing: azimuths are no inputs.
	Symmetric bool `json:"symmetric,omitempty"`

	quantities []vectors.Quantity
}

// Round is a sum of trees, those of all folds.
type Round struct {
	Factor float64 `json:"factor"` // 1 over the number of folds, times what calibrates the outputs
	Most   float64 `json:"most"`   // the largest logarithm of its ratio
	// Least is the smallest one, if it is negative: without it there is none.
	Least  float64 `json:"least,omitempty"`
	forest *trees.Forest
	fast   trees.Compiled
}

// Bounded returns a logarithm of the ratio within its bounds, of which least is one if it is negative.
func Bounded(log, least, most float64) float64 {
	if least < 0 {
		log = max(log, least)
	}
	return min(log, most)
}

// NewBoosted returns a ratio without rounds, 1 everywhere, of some columns and of the quantities of momenta that are all
// among them; with symmetric, of those that do not change when all azimuths are rotated.
func NewBoosted(columns []string, found vectors.Found, symmetric bool) *Boosted {
	b := &Boosted{Vectors: found, Symmetric: symmetric}
	changes := map[string]bool{}
	for _, v := range found.Vectors {
		if v.Relative {
			continue
		}
		for _, name := range []string{v.Phi, v.PX, v.PY} {
			changes[name] = symmetric
		}
	}
	b.Columns = slices.DeleteFunc(slices.Clone(columns), func(name string) bool { return changes[name] })
	b.derive()
	return b
}

// derive finds the quantities.
func (b *Boosted) derive() {
	b.quantities = b.Vectors.Quantities()
	if b.Symmetric {
		b.quantities = slices.DeleteFunc(b.quantities, func(q vectors.Quantity) bool { return q.Angle })
	}
}

// Names returns the names of the columns that the ratio depends on.
func (b *Boosted) Names() []string { return b.Columns }

// Trees returns the number of trees.
func (b *Boosted) Trees() (n int) {
	for _, r := range b.Rounds {
		n += len(r.forest.Trees)
	}
	return n
}

// Largest returns the bound of the ratio.
func (b *Boosted) Largest() float64 {
	sum := 0.0
	for _, r := range b.Rounds {
		sum += r.Most
	}
	if b.Frequencies != nil {
		sum -= math.Log(b.Frequencies.smallest())
	}
	return math.Exp(sum)
}

// Smallest returns the lower bound of the ratio, 0 if there is none.
func (b *Boosted) Smallest() float64 {
	sum := 0.0
	for _, r := range b.Rounds {
		if r.Least == 0 {
			return 0
		}
		sum += r.Least
	}
	return math.Exp(sum)
}

func (b *Boosted) dim() int { return len(b.Columns) + len(b.quantities) }

// inputs stores what the trees see of the events of t in x (n×dim). The error is that a column is missing.
func (b *Boosted) inputs(x []float32, t *rootio.Table) error {
	n, dim := t.Len(), b.dim()
	if err := fillRows(x, dim, t, b.Columns); err != nil {
		return err
	}
	if n == 0 || len(b.quantities) == 0 {
		return nil
	}
	derived := make([][]float64, len(b.quantities))
	for k := range derived {
		derived[k] = make([]float64, n)
	}
	vectors.Fill(derived, b.quantities, t, 0)
	for k, values := range derived {
		for i, v := range values {
			x[i*dim+len(b.Columns)+k] = float32(v)
		}
	}
	return nil
}

// fillRows stores some columns of t in the first places of the rows of x (n×dim). The error is that one is missing.
func fillRows(x []float32, dim int, t *rootio.Table, columns []string) error {
	values := make([]float64, t.Len())
	for j, name := range columns {
		c, ok := t.Column(name)
		if !ok {
			return fmt.Errorf("classify: branch %q, which the ratio depends on, is missing", name)
		}
		c.Floats(values, 0)
		for i, v := range values {
			x[i*dim+j] = float32(v)
		}
	}
	return nil
}

// LogRatio stores log r(x) of the events of t in dst. The columns are found by name. The error is that one is missing, or that of ctx.
func (b *Boosted) LogRatio(ctx context.Context, dst []float64, t *rootio.Table, _ uint64) error {
	const piece = 1 << 11
	n, dim := t.Len(), b.dim()
	errs := make([]error, (n+piece-1)/piece)
	parallel.Ranges(len(errs), 1, func(k, _ int) {
		if errs[k] = ctx.Err(); errs[k] != nil {
			return
		}
		lo, hi := k*piece, min((k+1)*piece, n)
		x := make([]float32, (hi-lo)*dim)
		if errs[k] = b.inputs(x, t.Slice(lo, hi)); errs[k] != nil {
			return
		}
		log, s := dst[lo:hi], make([]float64, hi-lo)
		clear(log)
		for _, r := range b.Rounds {
			clear(s)
			r.fast.Add(s, x, r.Factor)
			for i, v := range s {
				log[i] += Bounded(v, r.Least, r.Most)
			}
		}
		if b.Frequencies != nil {
			errs[k] = b.Frequencies.Divide(log, t.Slice(lo, hi))
		}
	})
	return errors.Join(errs...)
}

// BoostOptions say how a round is learnt.
type BoostOptions struct {
	Folds int
	Trees int // of a fold at most
	Rate  float64
	Seed  uint64
	// First asks for the first fold alone.
	First bool
}

// CrossFitted are classifiers of the events of one against those of zero, as many as there are folds.
type CrossFitted struct {
	// Outputs are those for the events of zero and of one, each by the classifier that has not seen it. With the first
	// fold alone, those of other folds are NaN.
	Outputs [2][]float64
	forests []*trees.Forest
}

// Boost learns a further round: the ratio of the density of the events of one, which have the weights w, to that of zero. Each event has a fold;
// those of a negative fold are learnt from by nobody, and have the mean output of all classifiers. The bins of a column
// have about as many events of zero each, so that values that these never have cannot be told from those that are near.
// The error is that of ctx, or that a column is missing.
func (b *Boosted) Boost(ctx context.Context, zero, one *rootio.Table, w []float64, folds [2][]int, o BoostOptions) (*CrossFitted, error) {
	n := [2]int{zero.Len(), one.Len()}
	all, dim := n[0]+n[1], b.dim()
	x := make([]float32, all*dim)
	if err := errors.Join(b.inputs(x[:n[0]*dim], zero), b.inputs(x[n[0]*dim:], one)); err != nil {
		return nil, err
	}
	m := trees.NewMatrix(x, dim, n[0])
	var sum float64
	for _, v := range w {
		sum += v
	}
	y, weights := make([]float32, all), make([]float32, all)
	for i := range all {
		weights[i] = float32(all) / float32(2*n[0])
		if i >= n[0] {
			y[i], weights[i] = 1, float32(w[i-n[0]]*float64(all)/(2*sum))
		}
	}
	foldOf := slices.Concat(folds[0], folds[1])
	c := &CrossFitted{forests: make([]*trees.Forest, o.Folds)}
	if o.First {
		c.forests = c.forests[:1]
	}
	outputs := slices.Repeat([]float64{math.NaN()}, all)
	var unseen []int32
	for i, f := range foldOf {
		if f < 0 {
			unseen = append(unseen, int32(i))
			outputs[i] = 0
		}
	}
	means := make([][]float32, len(c.forests))
	// A leaf has twenty events of one, or as many of zero as these are worth.
	least := 5 * max(1, float64(all)/float64(2*n[1]))
	err := parallel.Each(len(c.forests), runtime.GOMAXPROCS(0), func(k int) error {
		var learn, judge []int32
		for i, f := range foldOf {
			switch {
			case f == k:
				judge = append(judge, int32(i))
			case f >= 0:
				learn = append(learn, int32(i))
			}
		}
		f, err := trees.Fit(ctx, m, learn, judge, y, weights, trees.Logistic(), trees.Options{
			Rounds: o.Trees, Patience: max(o.Trees/12, 10), Leaves: 32, Depth: 5, Rate: o.Rate, Ridge: 1, Least: least, Seed: o.Seed + uint64(k),
		})
		if err != nil {
			return err
		}
		c.forests[k] = f
		for j, s := range f.Outputs(m, judge) {
			outputs[judge[j]] = float64(s)
		}
		means[k] = f.Outputs(m, unseen)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, of := range means {
		for j, i := range unseen {
			outputs[i] += float64(of[j]) / float64(len(means))
		}
	}
	c.Outputs = [2][]float64{outputs[:n[0]], outputs[n[0]:]}
	return c, nil
}

// With returns the ratio with a further round, the mean of the classifiers times factor, within the bounds of [Bounded]. It has no frequencies.
func (b *Boosted) With(c *CrossFitted, factor, least, most float64) *Boosted {
	forest := &trees.Forest{}
	for _, f := range c.forests {
		forest.Trees = append(forest.Trees, f.Trees...)
	}
	with := *b
	with.Frequencies = nil
	with.Rounds = append(slices.Clone(b.Rounds), Round{factor / float64(len(c.forests)), most, least, forest, forest.Compile()})
	return &with
}

// Tensors returns the trees as tensors.
func (b *Boosted) Tensors() (all []training.Tensor) {
	for k, r := range b.Rounds {
		all = training.Prefixed(strconv.Itoa(k)+".", r.forest.Tensors(), all)
	}
	return all
}

// Load takes over the trees, as [Boosted.Tensors] returns them, of a ratio that was read from a file, of a model of some branches. It checks all.
func (b *Boosted) Load(tensors []training.Tensor, branches []string) error {
	const mostRounds, largest = 20, 1e9
	known := map[string]bool{}
	for _, name := range branches {
		known[name] = true
	}
	for _, name := range b.Columns {
		if !known[name] {
			return fmt.Errorf("the ratio depends on %q, which is no branch of the model", name)
		}
	}
	for i := range b.Vectors.Vectors {
		for _, name := range b.Vectors.Vectors[i].Columns() {
			if !known[name] {
				return fmt.Errorf("the ratio depends on %q, which is no branch of the model", name)
			}
		}
	}
	if !b.Vectors.IsSound() {
		return errors.New("the momenta of the ratio are damaged")
	}
	b.derive()
	if b.dim() == 0 || len(b.Rounds) == 0 || len(b.Rounds) > mostRounds {
		return fmt.Errorf("a ratio of %d columns and %d rounds", len(b.Columns), len(b.Rounds))
	}
	if b.Frequencies != nil {
		if err := b.Frequencies.load(b.Columns); err != nil {
			return err
		}
	}
	for k := range b.Rounds {
		r := &b.Rounds[k]
		if !(r.Factor > 0 && r.Factor <= 2 && r.Most > 0 && r.Least <= 0 && b.Largest() < largest) {
			return fmt.Errorf("round %d has the factor %g and the largest logarithm %g", k, r.Factor, r.Most)
		}
		own, others := training.Under(strconv.Itoa(k)+".", tensors)
		var err error
		if r.forest, err = trees.Load(own, b.dim()); err != nil {
			return err
		}
		r.fast, tensors = r.forest.Compile(), others
	}
	if len(tensors) > 0 {
		return fmt.Errorf("the ratio has a tensor %q", tensors[0].Name)
	}
	return nil
}
