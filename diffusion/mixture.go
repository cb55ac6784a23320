package diffusion

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/kernels/gauss"
)

// Mixture is the density of training events in noise: with α and σ it is a mixture of
// normals of width σ around the events shrunk by α,
//
//	p(x) = Σ ω_i N(x; α x_i, σ² 1) / Σ ω_i
//
// the kernel density estimate of width σ/α at x/α. Its posterior mean needs no
// training (arXiv:2310.14458): with w_i = ω_i exp(−½‖(x − α x_i)/σ‖²),
//
//	q = Σ w_i x_i / Σ w_i   ∇·q = (α/σ²) (Σ w_i ‖x_i‖² / Σ w_i − ‖q‖²)
//
// # What is left out
//
// The events are in a k-d tree, and for each x those parts of it are left out that
// together have less than epsilon of Σ w. It is known to be at least some S: what the
// leaf has on whose side of all cuts x/α lies, which is added first, and, by Jensen's
// inequality, the sum of Σ ω exp(−½(α/σ)² mean ‖x/α − x_i‖²) over all leaves. A part is
// left out when all its events are in a box so far away that
//
//	exp(−½(α/σ)² distance²) ≤ ε S / Σ ω
//
// # Broad kernels
//
// need all events, but not each of them. A part of the events of a cell, 64 neighbours in
// the tree or more, gets other weights, with which all moments up to a degree d are exactly
// what those of the whole cell are: d is 9 in 2 dimensions, 5 in 3, and 2 from 6 to 16, and
// no more events are left than there are moments (recombination: Litterer and Lyons, Ann.
// Appl. Probab. 22 (2012) 1301). These are put into a tree and recombined again, and so on.
// Such coarser events serve for q from that width σ/α on at which their error is at most
// 100 ε/(d − 1)², or ε if that is more, in the root mean square and relative to the spread
// of x_0 given x_t = x. That is not bounded but measured, when the mixture is made, on 64
// x. Densities and ∇·q are by all events, and so is q in more than 16 dimensions.
//
// Where there are so few events that to look for what may be left out would take longer
// than to add them all, this is done.
//
// All this is decided for each x by itself: its results do not depend on other rows, to
// the bit.
type Mixture struct {
	n, dim   int
	epsilon  float64
	tree     *tree
	events   *gauss.Events
	leaves   *gauss.Events // their means; the root of the trace of their covariance
	x        []float32     // the events in the order of the tree
	w        []float32
	logTotal float64      // log Σ ω
	mean     []float64    // of all events
	memory   sync.Pool    // of *walker
	blocks   atomic.Int64 // times rows that were added so far
	coarser  *Mixture     // does for q where σ/α is at least from; or nil
	from     float64
}

// DefaultEpsilon is the part of Σ w that [NewMixture] is best allowed to leave out.
const DefaultEpsilon = 1e-5

// NewMixture returns the mixture of the events x (n×dim) with the weights w (n, or nil
// for equal ones), none of them negative and not all 0. epsilon says how much may be
// left out, see [Mixture]; with 0 it is nothing. x and w are not kept. The error may be
// that of ctx.
func NewMixture(ctx context.Context, x, w []float32, dim int, epsilon float64) (*Mixture, error) {
	if dim < 1 || len(x) == 0 || len(x)%dim != 0 || w != nil && len(w) != len(x)/dim {
		return nil, fmt.Errorf("diffusion: %d values and %d weights do not make events of %d features", len(x), len(w), dim)
	}
	if !(epsilon >= 0 && epsilon < 0.1) {
		return nil, fmt.Errorf("diffusion: the part of the sums to leave out cannot be %g: want a small number, such as 1e-5", epsilon)
	}
	n, weighed := len(x)/dim, w == nil
	if n > math.MaxInt32/2 {
		return nil, fmt.Errorf("diffusion: %d events are too many", n)
	}
	for i, v := range w {
		if !(v >= 0) || math.IsInf(float64(v), 1) {
			return nil, fmt.Errorf("diffusion: event %d has the weight %v: kernel sums need weights that are not negative", i, v)
		}
		weighed = weighed || v > 0
	}
	if !weighed {
		return nil, errors.New("diffusion: all events have the weight 0")
	}
	for i, v := range x {
		if !(math.Abs(float64(v)) < 1<<40) {
			return nil, fmt.Errorf("diffusion: feature %d of event %d is %v", i%dim, i/dim, v)
		}
	}
	if slices.Contains(w, 0) { // such events are none, and would spoil the bounds
		var kept, weights []float32
		for i, v := range w {
			if v > 0 {
				kept, weights = append(kept, x[i*dim:(i+1)*dim]...), append(weights, v)
			}
		}
		x, w = kept, weights
	}
	m, err := newMixture(ctx, x, w, dim, epsilon)
	if err == nil && epsilon > 0 {
		err = m.coarsen(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("diffusion: %w", err)
	}
	return m, nil
}

// newMixture makes a mixture of events that are known to be good.
func newMixture(ctx context.Context, x, w []float32, dim int, epsilon float64) (*Mixture, error) {
	m := &Mixture{n: len(x) / dim, dim: dim, epsilon: epsilon, mean: make([]float64, dim)}
	m.memory.New = func() any { return m.newWalker() }
	m.tree, m.x, m.w = grow(ctx, x, w, dim)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	logw := make([]float32, m.n)
	for i, v := range m.w {
		logw[i] = float32(math.Log(float64(v)))
	}
	var err error
	if m.events, err = gauss.NewEvents(m.x, logw, m.n, dim); err != nil {
		return nil, err
	}
	total := 0.0
	var means, logws []float32
	for _, v := range m.tree.nodes {
		if !v.isLeaf() {
			continue
		}
		weight, mean, spread := moments(m.x[int(v.lo)*dim:int(v.hi)*dim], m.w[v.lo:v.hi], dim)
		total += weight
		logws = append(logws, float32(math.Log(weight)))
		for d, c := range mean {
			m.mean[d] += weight * c
			means = append(means, float32(c))
		}
		means = append(means, float32(math.Sqrt(spread)))
	}
	for d := range m.mean {
		m.mean[d] /= total
	}
	m.logTotal = math.Log(total)
	m.leaves, err = gauss.NewEvents(means, logws, len(logws), dim+1)
	return m, err
}

// moments returns the weight of events, their mean, and the trace of their covariance.
func moments(x, w []float32, dim int) (weight float64, mean []float64, spread float64) {
	mean = make([]float64, dim)
	for i, w := range w {
		weight += float64(w)
		for d, c := range x[i*dim:][:dim] {
			mean[d] += float64(w) * float64(c)
		}
	}
	for d := range mean {
		mean[d] /= weight
	}
	for i, w := range w {
		for d, c := range x[i*dim:][:dim] {
			spread += float64(w) / weight * (float64(c) - mean[d]) * (float64(c) - mean[d])
		}
	}
	return weight, mean, spread
}

// Dim returns the number of features of an event.
func (m *Mixture) Dim() int { return m.dim }

// Context returns 0: kernel sums are not conditional.
func (m *Mixture) Context() int { return 0 }

// Len returns the number of events with weight.
func (m *Mixture) Len() int { return m.n }

// Pairs returns the number of pairs of a row and an event, or of a point in place of
// some, that were worked on since the mixture was made.
func (m *Mixture) Pairs() int64 {
	pairs := m.blocks.Load() * gauss.BlockLen
	if m.coarser != nil {
		pairs += m.coarser.Pairs()
	}
	return pairs
}

// Mean makes a Mixture a [Posterior].
func (m *Mixture) Mean(ctx context.Context, q []float32, div []float64, x, _ []float32, alpha, sigma float64) {
	if alpha == 0 {
		for i := range q {
			q[i] = float32(m.mean[i%m.dim])
		}
		clear(div)
		return
	}
	if m.coarser != nil && div == nil && sigma >= m.from*alpha {
		m.coarser.Mean(ctx, q, nil, x, nil, alpha, sigma)
		return
	}
	m.meanOfAll(ctx, q, div, x, alpha, sigma)
}

// meanOfAll is Mean by the events themselves.
func (m *Mixture) meanOfAll(ctx context.Context, q []float32, div []float64, x []float32, alpha, sigma float64) {
	out := gauss.Result{Mean: q}
	if div != nil {
		out.Variance = make([]float32, len(div))
	}
	m.compute(ctx, out, x, alpha, sigma)
	for i := range div {
		div[i] = alpha / sigma / sigma * float64(out.Variance[i])
	}
}

// LogDensity stores in dst (n) log p(x) of each row of x (n×Dim), for α and σ > 0, until
// ctx is cancelled, as in [Posterior].
func (m *Mixture) LogDensity(ctx context.Context, dst []float64, x []float32, alpha, sigma float64) {
	m.compute(ctx, gauss.Result{LogSum: dst}, x, alpha, sigma)
	for i := range dst {
		dst[i] -= m.logTotal + float64(m.dim)*(math.Log(sigma)+0.5*math.Log(2*math.Pi))
	}
}

// Effective stores in dst (n) the effective number of events that q is the mean of at
// each row of x (n×Dim), (Σ w)²/Σ w². Where it is near 1, q is a copy of an event. ctx is
// as for LogDensity.
func (m *Mixture) Effective(ctx context.Context, dst []float32, x []float32, alpha, sigma float64) {
	if alpha == 0 || sigma == 0 {
		m.effectiveAtEnds(dst, alpha)
		return
	}
	m.compute(ctx, gauss.Result{InvNeff: dst}, x, alpha, sigma)
	for i, v := range dst {
		dst[i] = 1 / v
	}
}

// queries is the number of rows that walk through the tree together.
const queries = 384

// small is how many events, times their features and 4, are sooner added than looked
// through for what may be left out.
const small = 12 << 10

// compute stores what out asks for, for the rows of x, until ctx is cancelled.
func (m *Mixture) compute(ctx context.Context, out gauss.Result, x []float32, alpha, sigma float64) {
	n := len(x) / m.dim
	if n*m.dim != len(x) {
		panic(fmt.Sprintf("diffusion: %d values for rows of %d features", len(x), m.dim))
	}
	order := m.neighbours(x, alpha)
	parallel.RangesContext(ctx, n, queries, func(lo, hi int) {
		w := m.memory.Get().(*walker)
		defer m.memory.Put(w)
		w.walk(out, x, order[lo:hi], alpha, sigma)
	})
}

// place is a row and the leaf where it is at home.
type place struct{ leaf, row int32 }

// neighbours returns the rows of x in the order of their leaves, so that neighbours
// walk together.
func (m *Mixture) neighbours(x []float32, alpha float64) []place {
	n := len(x) / m.dim
	home := make([]int32, n)
	parallel.Ranges(n, 1<<12, func(lo, hi int) {
		y := make([]float64, m.dim)
		for i := lo; i < hi; i++ {
			unscale(y, x[i*m.dim:], alpha)
			home[i] = m.tree.home(y)
		}
	})
	next := make([]int32, len(m.tree.nodes)+1) // place of a row of each leaf
	for _, leaf := range home {
		next[leaf+1]++
	}
	for i := range len(next) - 1 {
		next[i+1] += next[i]
	}
	order := make([]place, n)
	for i, leaf := range home {
		order[next[leaf]] = place{leaf, int32(i)}
		next[leaf]++
	}
	return order
}

// unscale is y = x/α, rounded as in the kernels.
func unscale(y []float64, x []float32, alpha float64) {
	inverse := 1 / alpha
	for d := range y {
		y[d] = float64(float32(float64(x[d]) * inverse))
	}
}

// walker takes a block of rows through the tree.
type walker struct {
	*Mixture
	sums *gauss.Sums
	out  gauss.Result
	x    []float32

	sharp  float64   // ½ (α/σ)²
	y      []float64 // x/α
	log    []float64 // log(ε S/Σω) of each row
	home   []int32   // the leaf of each row
	all    []int32   // rows
	rows   []int32   // those that want something of a node, of one below it, and so on
	blocks int       // times rows that were added

	coarse *gauss.Sums // over leaves
	xs     []float32   // of x, with a 0 each
}

func (m *Mixture) newWalker() *walker {
	w := &walker{
		Mixture: m,
		sums:    gauss.NewSums(queries, m.dim),
		out: gauss.Result{
			LogSum: make([]float64, queries), Mean: make([]float32, queries*m.dim),
			Variance: make([]float32, queries), InvNeff: make([]float32, queries),
		},
		x: make([]float32, queries*m.dim), y: make([]float64, queries*m.dim),
		log: make([]float64, queries), home: make([]int32, queries), all: make([]int32, queries),

		coarse: gauss.NewSums(queries, m.dim+1),
		xs:     make([]float32, queries*(m.dim+1)),
	}
	for i := range w.all {
		w.all[i] = int32(i)
	}
	return w
}

// walk computes the rows of order.
func (w *walker) walk(out gauss.Result, x []float32, order []place, alpha, sigma float64) {
	m, dim := len(order), w.dim
	part := gauss.Result{}
	if out.LogSum != nil {
		part.LogSum = w.out.LogSum[:m]
	}
	if out.Mean != nil {
		part.Mean = w.out.Mean[:m*dim]
	}
	if out.Variance != nil {
		part.Variance = w.out.Variance[:m]
	}
	if out.InvNeff != nil {
		part.InvNeff = w.out.InvNeff[:m]
	}
	for k, o := range order {
		copy(w.x[k*dim:(k+1)*dim], x[int(o.row)*dim:])
	}
	w.sums.Start(part, w.x[:m*dim], m, alpha, sigma)
	w.blocks = 0
	if w.epsilon > 0 && w.n*(dim+4) > small {
		w.prepare(order, alpha, sigma)
		w.visit(0, 0, w.all[:m])
	} else {
		w.sums.Add(w.events, 0, w.events.Blocks())
		w.blocks = m * w.events.Blocks()
	}
	w.sums.Finish()
	w.Mixture.blocks.Add(int64(w.blocks))
	for k, o := range order {
		i := int(o.row)
		if out.LogSum != nil {
			out.LogSum[i] = part.LogSum[k]
		}
		if out.Mean != nil {
			copy(out.Mean[i*dim:(i+1)*dim], part.Mean[k*dim:])
		}
		if out.Variance != nil {
			out.Variance[i] = part.Variance[k]
		}
		if out.InvNeff != nil {
			out.InvNeff[i] = part.InvNeff[k]
		}
	}
}

// prepare adds for each row the leaf where it is at home, and finds what may be left out
// of the others.
func (w *walker) prepare(order []place, alpha, sigma float64) {
	m := len(order)
	sharp := min(alpha/sigma, 1<<35) // as in the kernels
	w.sharp = 0.5 * sharp * sharp
	if w.sharp < 1e-27 { // nothing is far away
		w.sharp = 0
	}
	for k, o := range order {
		w.home[k] = o.leaf
		unscale(w.y[k*w.dim:][:w.dim], w.x[k*w.dim:], alpha)
		copy(w.xs[k*(w.dim+1):][:w.dim], w.x[k*w.dim:])
	}
	for k, next := 0, 0; k < m; k = next {
		for next = k + 1; next < m && w.home[next] == w.home[k]; next++ {
		}
		w.add(&w.tree.nodes[w.home[k]], w.all[k:next])
	}
	w.coarse.Compute(gauss.Result{LogSum: w.log[:m]}, w.leaves, w.xs[:m*(w.dim+1)], m, alpha, sigma)
	for k := range m {
		least := max(w.sums.LogSum(k), w.log[k])
		w.log[k] = math.Log(w.epsilon) + least - 1e-6*math.Abs(least) - 1e-3 - w.logTotal // less for rounding
	}
}

// visit adds what a node has for some rows. It looks at every other level of the tree and
// at leaves.
func (w *walker) visit(at int32, depth int, rows []int32) {
	v := &w.tree.nodes[at]
	if depth%2 == 1 && !v.isLeaf() {
		w.visit(v.left, depth+1, rows)
		w.visit(v.right, depth+1, rows)
		return
	}
	first := len(w.rows)
	w.rows = slices.Grow(w.rows, len(rows))
	wanted, n := w.rows[first:][:len(rows)], 0
	for _, k := range rows {
		wanted[n] = k
		// No branches: which way they go is hard to tell in advance.
		one := 0
		if !(-w.sharp*w.tree.nearest(at, w.y[int(k)*w.dim:][:w.dim]) < w.log[k]) { // NaN where α = 0
			one = 1
		}
		n += one
	}
	wanted, w.rows = wanted[:n], w.rows[:first+n]
	switch {
	case len(wanted) == 0:
	case v.isLeaf():
		w.add(v, slices.DeleteFunc(wanted, func(k int32) bool { return w.home[k] == at }))
	default:
		w.visit(v.left, depth+1, wanted)
		w.visit(v.right, depth+1, wanted)
	}
	w.rows = w.rows[:first]
}

// add adds the events of a leaf.
func (w *walker) add(leaf *node, rows []int32) {
	lo, hi := int(leaf.lo)/gauss.BlockLen, (int(leaf.hi)+gauss.BlockLen-1)/gauss.BlockLen
	w.sums.AddRows(w.events, lo, hi, rows)
	w.blocks += (hi - lo) * len(rows)
}
