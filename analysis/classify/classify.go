// Package classify trains a classifier to tell two samples of events apart: the
// strongest test that knows of no physics, and the ratio of their densities.
//
// [CrossFit] cuts both samples into folds by a fixed hash of the number of the row,
// and the events of each fold are scored by a classifier that was trained on the
// other folds only. The area under its ROC curve ([Result.AUC]) is the probability
// that of two events, one of each sample, it names the right one (Lopez-Paz and
// Oquab, "Revisiting classifier two-sample tests", arXiv:1610.06545): one half means
// that the samples cannot be told apart, and then no analysis of these columns can.
//
// The classifier is a network and gradient-boosted trees: the one is good at what is
// smooth, the other at steps, spikes and rounded values; a logistic regression on
// powers of the columns sees the small differences of small samples. Another logistic
// regression, on the events of the other folds, none of which its classifier was trained
// on, combines them, so that its output, s(x), is the logarithm of a density ratio:
//
//	p₁(x)/p₀(x) = exp s(x) = C/(1−C),  C = 1/(1+e⁻ˢ)
//
// Rows with the same number are in the same fold in both samples. So the samples may
// be one event by event, before and after something was done to it. Rows that are equal
// are in one fold as well: a classifier knows an event that it has seen.
//
// Weights may be negative, as those that subtract a background are. The sums of such weights
// are right, but a classifier would make a low loss of a few events of negative weight. So it
// learns from the mean weight of the events like each, which a regression finds and
// which is positive (Nachman and Thaler, arXiv:2007.11586).
package classify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/rows"
	"github.com/eidolon-hep/eidolon/internal/trees"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Sample is a sample of events.
type Sample struct {
	Table   *rootio.Table
	Weights []float64 // of the events, of either sign; nil: 1 each
	// Blocks, if not nil, number the events that belong together: they are in one fold, in
	// both samples, and errors are by blocks.
	Blocks []int32
}

func (s Sample) weight(i int) float64 {
	if s.Weights == nil {
		return 1
	}
	return s.Weights[i]
}

// Options say what is classified by and how. Zero values ask for the defaults.
type Options struct {
	// Columns are what the classifier looks at; by default the columns that both
	// samples have.
	Columns []string
	// MaxEvents is the number of events of each sample above which a part of it,
	// chosen by a hash of the row, is trained on; by default 50,000.
	MaxEvents int
	// All asks for scores of the other events as well.
	All bool
	// Folds is the number of parts that are scored in turn; by default 5.
	Folds int
	// Hidden is the width of the network's three hidden layers; by default 128.
	Hidden int
	// Trees asks for boosted trees alone, without the network and without relations
	// between columns: the judge that is commonly quoted, and a weaker one.
	Trees bool
	// Seed is that of everything random but the folds.
	Seed uint64
	// forOthers leaves out what is not known of events of other samples.
	forOthers bool
	// Progress, when not nil, is told which part of the work is done, 0 to 1.
	Progress func(done float64)
}

// ErrFewEvents says that there are too few events to train a classifier.
var ErrFewEvents = errors.New("classify: too few events")

// FewestEvents is the number of effective events of each sample that are needed.
const FewestEvents = 100

const beyond = 1e75 // as in analysis/compare: values beyond it mean "no value"

// Result is what a classifier finds.
type Result struct {
	AUC      float64  `json:"auc"`       // area under the ROC curve, the mean over folds
	AUCError float64  `json:"auc_error"` // its standard error
	PValue   float64  `json:"p_value"`   // probability of an AUC as far from one half if the samples have one distribution
	Events   [2]int   `json:"events"`    // that were trained on and judged, of samples 0 and 1
	Copies   int      `json:"copies"`    // of these, events that are equal to an earlier one
	Columns  []Column `json:"columns"`   // how each of them matters, as given

	// LogRatio is s(x) for the events of sample 0 and of sample 1, each by a
	// classifier that has not seen it: the logarithm of the ratio of the densities,
	// each normalised to one. It is NaN for events that were not scored.
	LogRatio [2][]float64 `json:"-"`
	// Folds are the folds of the events of sample 0 and of sample 1.
	Folds [2][]int `json:"-"`
}

// Column says how a column matters.
type Column struct {
	Name string `json:"name"`
	// Importance is by how much the AUC falls when the values of the column are
	// exchanged between events that the classifier was not trained on.
	Importance float64 `json:"importance"`
	Error      float64 `json:"importance_error"`
	// Aspect is what matters most about the column, if one aspect does alone.
	Aspect Aspect `json:"aspect,omitempty"`
}

// Streams of the hash of a row. Seeds of a training have nothing to do with it.
const (
	streamFold = iota + 1<<50
	streamValid
	streamPart
	streamPermute
	streamHalf
)

// CrossFit trains classifiers that tell sample 1 from sample 0, and scores each
// event by one that has not seen it.
//
// Errors are [ErrFewEvents], a column that is missing, weights that are not
// finite or whose sum is not positive, and the error of ctx.
func CrossFit(ctx context.Context, zero, one Sample, opts Options) (*Result, error) {
	f, err := newFolds(ctx, zero, one, opts)
	if err != nil {
		return nil, err
	}
	return f.run(ctx)
}

// folds is the work on two samples.
type folds struct {
	opts    Options
	samples [2]Sample
	in      *inputs
	matrix  *trees.Matrix          // of the inputs, once trees are grown
	start   [2]int                 // the first row of each sample in the inputs
	rows    [2][]int               // the rows of each that are trained on and judged
	keys    [2][]uint64            // of each row: rows with the same key stay together
	outputs [2][][learners]float64 // of the classifiers, NaN for events without
	signed  [2]bool                // whether a sample has negative weights
	scale   [2]float64             // of weights, so that both samples count as much
	result  *Result

	classifiers []*classifier // of the folds
}

func newFolds(ctx context.Context, zero, one Sample, opts Options) (*folds, error) {
	if opts.Folds == 0 {
		opts.Folds = 5
	}
	if opts.MaxEvents == 0 {
		opts.MaxEvents = 50_000
	}
	if opts.Hidden == 0 {
		opts.Hidden = 128
	}
	if opts.Folds < 2 || opts.MaxEvents < 0 || opts.Hidden < 0 {
		return nil, fmt.Errorf("classify: %d folds of at most %d events and a network of width %d asked for", opts.Folds, opts.MaxEvents, opts.Hidden)
	}
	f := &folds{opts: opts, samples: [2]Sample{zero, one}, result: &Result{}}
	names, err := f.columns()
	if err != nil {
		return nil, err
	}
	if err := f.findKeys(names); err != nil {
		return nil, err
	}
	for c, s := range f.samples {
		n := s.Table.Len()
		if s.Weights != nil && len(s.Weights) != n {
			return nil, fmt.Errorf("classify: %d weights for %d events", len(s.Weights), n)
		}
		part := float64(opts.MaxEvents) / float64(n)
		var sum, sum2 float64
		for i := range n {
			if part < 1 && uniform(0, streamPart, f.keys[c][i]) > part {
				continue
			}
			w := s.weight(i)
			if math.IsNaN(w) || math.IsInf(w, 0) {
				return nil, fmt.Errorf("classify: the weight is %v in entry %d of sample %d", w, i, c)
			}
			sum += w
			sum2 += w * w
			f.signed[c] = f.signed[c] || w < 0
			f.rows[c] = append(f.rows[c], i)
		}
		switch {
		case !(sum > 0) && n > 0:
			return nil, fmt.Errorf("classify: the weights of sample %d add up to %g, must be positive", c, sum)
		case !(sum*sum/sum2 >= FewestEvents):
			return nil, fmt.Errorf("%w: %.0f effective ones in sample %d, %d needed", ErrFewEvents, sum*sum/max(sum2, 1e-300), c, FewestEvents)
		}
		f.scale[c] = 1 / sum
		f.result.Events[c] = len(f.rows[c])
		f.result.LogRatio[c] = make([]float64, n)
		f.result.Folds[c] = make([]int, n)
		f.outputs[c] = make([][learners]float64, n)
		for i := range n {
			f.result.LogRatio[c][i] = math.NaN()
			f.outputs[c][i][0] = math.NaN()
			f.result.Folds[c][i] = f.foldOf(c, i)
		}
	}
	for c := range f.scale { // a mean weight of about one
		f.scale[c] *= float64(len(f.rows[0])+len(f.rows[1])) / 2
	}
	f.start[1] = zero.Table.Len()
	f.in, err = newInputs(ctx, names, f.samples, !opts.forOthers)
	return f, err
}

// columns returns the names of the columns to classify by.
func (f *folds) columns() ([]string, error) {
	names := f.opts.Columns
	if len(names) == 0 {
		for _, c := range f.samples[0].Table.Columns {
			if _, ok := f.samples[1].Table.Column(c.Name); ok {
				names = append(names, c.Name)
			}
		}
	}
	for _, name := range names {
		for c, s := range f.samples {
			column, ok := s.Table.Column(name)
			switch {
			case !ok:
				return nil, fmt.Errorf("classify: sample %d has no column %q", c, name)
			case column.Len() != s.Table.Len():
				return nil, fmt.Errorf("classify: column %q of sample %d has %d values, not %d", name, c, column.Len(), s.Table.Len())
			}
		}
	}
	if len(names) == 0 {
		return nil, errors.New("classify: the samples have no column in common")
	}
	return names, nil
}

// findKeys gives rows their keys: their number, the number of their block, or that of
// the first row that they are equal to.
func (f *folds) findKeys(names []string) error {
	n := [2]int{f.samples[0].Table.Len(), f.samples[1].Table.Len()}
	if f.samples[0].Blocks != nil || f.samples[1].Blocks != nil {
		for c, s := range f.samples {
			if len(s.Blocks) != n[c] {
				return fmt.Errorf("classify: %d blocks for %d events of sample %d", len(s.Blocks), n[c], c)
			}
			f.keys[c] = make([]uint64, n[c])
			for i, b := range s.Blocks {
				f.keys[c][i] = uint64(b)
			}
		}
		return nil
	}
	var columns []rootio.Column
	for _, name := range names {
		a, _ := f.samples[0].Table.Column(name)
		b, _ := f.samples[1].Table.Column(name)
		columns = append(columns, a.Concat(b))
	}
	copies := rows.FindCopies(columns)
	f.result.Copies = n[0] + n[1] - copies.Different
	alone := make([]bool, n[0]+n[1])
	for i, first := range copies.First {
		alone[i] = first == i
	}
	for i, first := range copies.First {
		if first != i {
			alone[first] = false
		}
	}
	for c := range f.samples {
		f.keys[c] = make([]uint64, n[c])
		for i := range f.keys[c] {
			f.keys[c][i] = uint64(i)
			if row := c*n[0] + i; !alone[row] {
				f.keys[c][i] = 1<<32 + uint64(copies.First[row])
			}
		}
	}
	return nil
}

func uniform(seed, stream, key uint64) float64 {
	return (float64(philox.Uint64(seed, stream, key)>>12) + 0.5) / (1 << 52)
}

// foldOf returns the fold of a row of a sample.
func (f *folds) foldOf(sample, row int) int {
	return int(philox.Uint64(0, streamFold, f.keys[sample][row]) % uint64(f.opts.Folds))
}

// isValid reports whether a row of the events trained on, by its key, stops the training
// instead: one in eight.
func isValid(key uint64) bool { return philox.Uint64(0, streamValid, key)%8 == 0 }

func (f *folds) progress(fold int, part float64) {
	if f.opts.Progress != nil {
		f.opts.Progress((float64(fold) + part) / float64(f.opts.Folds))
	}
}

func (f *folds) run(ctx context.Context) (*Result, error) {
	r := f.result
	if f.in.dim() > 0 && !f.opts.Trees {
		if err := f.in.addRelations(ctx, f.opts.Hidden, f.opts.Seed); err != nil {
			return nil, err
		}
	}
	f.classifiers = make([]*classifier, f.opts.Folds)
	for k := range f.classifiers {
		f.progress(k, 0)
		var err error
		if f.classifiers[k], err = f.train(ctx, k); err != nil {
			return nil, err
		}
		f.progress(k, 0.8)
		if err := f.score(ctx, f.classifiers[k], k); err != nil {
			return nil, err
		}
	}
	imp := newImportance(f.in)
	var sumWeights, sumVariance, sumNull float64
	for k, c := range f.classifiers {
		f.combine(c, k)
		var zero, one scored
		for s, to := range []*scored{&zero, &one} {
			for _, i := range f.rows[s] {
				if f.foldOf(s, i) == k {
					to.add(r.LogRatio[s][i], f.samples[s].weight(i))
					if f.samples[s].Blocks != nil {
						to.block = append(to.block, f.samples[s].Blocks[i])
					}
				}
			}
		}
		a := auc(&zero, &one)
		if math.IsNaN(a) || math.IsInf(a, 0) {
			return nil, fmt.Errorf("%w for %d folds", ErrFewEvents, f.opts.Folds)
		}
		n := float64(len(zero.score) + len(one.score))
		sumWeights += n
		r.AUC += n * a
		sumVariance += n * n * variance(&zero, &one)
		sumNull += n * n * nullVariance(&zero, &one)
		if err := imp.add(ctx, f, c, k); err != nil {
			return nil, err
		}
	}
	f.progress(f.opts.Folds, 0)
	r.AUC /= sumWeights
	r.AUCError = math.Sqrt(sumVariance) / sumWeights
	if r.AUCError == 0 && r.AUC != 0.5 { // not known better than to an event
		r.AUCError = 1 / float64(min(r.Events[0], r.Events[1]))
	}
	r.PValue = 1
	if sumNull > 0 {
		// The folds' classifiers learn from each other's events: for samples of one
		// distribution that doubles the variance (a term wᵢ·wⱼ is in the AUC of fold i and
		// in that of fold j; for linear classifiers, exactly).
		z := (r.AUC - 0.5) * sumWeights / math.Sqrt(2*sumNull)
		r.PValue = math.Erfc(math.Abs(z) / math.Sqrt2)
	}
	r.Columns = imp.columns()
	return r, nil
}

// combine finds how the outputs of the classifier of fold k are combined to the
// logarithm of a ratio, from the events of the other folds and the outputs of their
// classifiers, and stores s(x) for the events of the fold.
func (f *folds) combine(c *classifier, k int) {
	var outputs [learners][]float64
	var y, w []float64
	for s := range f.samples {
		for _, i := range f.rows[s] {
			if f.foldOf(s, i) == k {
				continue
			}
			for j := range outputs {
				outputs[j] = append(outputs[j], f.outputs[s][i][j])
			}
			y = append(y, float64(s))
		}
		w = append(w, c.weights[s]...)
	}
	c.blend = regress(c.blend, y, w, outputs[:]...)
	most := f.most()
	for s, all := range f.outputs {
		for i, v := range all {
			if f.foldOf(s, i) == k && v[0] == v[0] { // not every event has a score
				f.result.LogRatio[s][i] = min(max(-most, c.blend.at(v[:]...)), most)
			}
		}
	}
}

// most is how far from zero the logarithm of a ratio may be: so many events cannot tell that a density is
// less than a part of another.
func (f *folds) most() float64 { return math.Log(float64(max(len(f.rows[0]), len(f.rows[1])))) }

// classifier is trained on all folds but one.
type classifier struct {
	net        *network
	hidden     []int // the widths of its layers
	trees      *trees.Forest
	polynomial *polynomial
	weights    [2][]float64 // with which it was trained
	blend      regression   // of their outputs; first how far each is to be trusted before any event says
}

// train trains a classifier on all folds but k.
func (f *folds) train(ctx context.Context, k int) (*classifier, error) {
	var learn, judge part
	var trained [2][]float64
	for s := range f.samples {
		rows := slices.DeleteFunc(slices.Clone(f.rows[s]), func(i int) bool { return f.foldOf(s, i) == k })
		weights, err := f.weightsOf(ctx, s, rows)
		if err != nil {
			return nil, err
		}
		trained[s] = weights
		for j, i := range rows {
			to := &learn
			if isValid(f.keys[s][i]) {
				to = &judge
			}
			to.add(f.start[s]+i, float64(s), weights[j])
		}
	}
	c := &classifier{hidden: slices.Repeat([]int{f.opts.Hidden}, 3), weights: trained}
	c.net = newClassifier(f.in.dim(), c.hidden, f.opts.Seed+uint64(k))
	if f.in.dim() == 0 { // nothing varies
		c.trees, c.polynomial, c.blend = &trees.Forest{}, &polynomial{}, regression{0, 0, 0, 0}
		return c, nil
	}
	var err error
	if c.trees, err = f.boost(ctx, learn, judge, trees.Logistic(), grown); err != nil {
		return nil, err
	}
	if f.opts.Trees {
		c.polynomial, c.blend = &polynomial{}, regression{0, 0, 1, 0}
		return c, nil
	}
	train, valid := learn.data(f.in), judge.data(f.in)
	if c.polynomial, err = fitPolynomial(ctx, train); err != nil {
		return nil, err
	}
	f.progress(k, 0.3)
	if err := c.net.fit(ctx, train, valid, f.opts.Seed+uint64(k)); err != nil {
		return nil, err
	}
	c.blend = regression{0, 1. / learners, 1. / learners, 1. / learners}
	return c, nil
}

// learners is the number of outputs that are combined.
const learners = 3

// each calls found with the outputs for each row of x.
func (c *classifier) each(x []float32, n int, found func(i int, outputs [learners]float64)) {
	var outputs [learners][]float64
	for k, logits := range [learners]func(dst []float64, x []float32){c.net.logits, c.boosted, c.polynomial.logits} {
		outputs[k] = make([]float64, n)
		logits(outputs[k], x)
	}
	for i := range n {
		var v [learners]float64
		for k := range v {
			v[k] = outputs[k][i]
		}
		found(i, v)
	}
}

// boosted stores the outputs of the trees for the rows of x in dst.
func (c *classifier) boosted(dst []float64, x []float32) {
	clear(dst)
	c.trees.Add(dst, x, 1)
}

// logRatios stores s(x) for the rows of x in dst.
func (c *classifier) logRatios(dst []float64, x []float32) {
	c.each(x, len(dst), func(i int, v [learners]float64) { dst[i] = c.blend.at(v[:]...) })
}

// score stores the outputs for the events of fold k.
func (f *folds) score(ctx context.Context, c *classifier, k int) error {
	const piece = 1 << 14
	for s := range f.samples {
		rows := f.rows[s]
		if f.opts.All {
			rows = make([]int, f.samples[s].Table.Len())
			for i := range rows {
				rows[i] = i
			}
		}
		var mine []int
		for _, i := range rows {
			if f.foldOf(s, i) == k {
				mine = append(mine, i)
			}
		}
		for lo := 0; lo < len(mine); lo += piece {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			part := mine[lo:min(lo+piece, len(mine))]
			x := make([]float32, 0, len(part)*f.in.dim())
			for _, i := range part {
				x = append(x, f.in.row(f.start[s]+i)...)
			}
			c.each(x, len(part), func(j int, v [learners]float64) { f.outputs[s][part[j]] = v })
		}
	}
	return nil
}
