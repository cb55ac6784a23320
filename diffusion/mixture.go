package diffusion

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/eidolon-hep/eidolon/internal/nn"
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
// nearest event that was looked at has, and, by Jensen's inequality, the weights
// Σ ω exp(−½(α/σ)² mean ‖x/α − x_i‖²) of parts of the tree. A part is left out when
// all its events are in a box so far away that
//
//	exp(−½(α/σ)² distance²) ≤ ε S / Σ ω
//
// and it is replaced by a few points that have its mean and its covariance when that
// changes its part of Σ w, of Σ w x_i (and of Σ w ‖x_i‖², for ∇·q) by no more, in units
// of the events' spread R: they integrate all polynomials up to degree 2, so that with
// the part's radius ρ about its mean m, u = (α/σ)ρ, ζ = (α/σ)(‖x/α − m‖ + ρ), and the
// derivatives of a normal up to the third, the bound is
//
//	max(⅓u³(ζ³ + 3ζ), (ρ/R)u²(ζ² + 1), 2(ρ/R)²uζ) exp(−½(α/σ)² max(0, ‖x/α − m‖ − ρ)²) ≤ ε S / Σ ω
//
// which is so where kernels are broad and dimensions few. All this is decided for each
// x by itself: its results do not depend on other rows, to the bit.
type Mixture struct {
	n, dim   int
	epsilon  float64
	tree     *tree
	events   *gauss.Events
	x        []float32 // the events in the order of the tree
	w        []float32
	logTotal float64      // log Σ ω
	mean     []float64    // of all events
	spread   float64      // the square root of the trace of their covariance
	memory   sync.Pool    // of *walker
	blocks   atomic.Int64 // times rows that were added so far
}

// DefaultEpsilon is the part of Σ w that [NewMixture] is best allowed to leave out.
const DefaultEpsilon = 1e-5

// NewMixture returns the mixture of the events x (n×dim) with the weights w (n, or nil
// for equal ones), none of them negative and not all 0. epsilon says how much may be
// left out, see [Mixture]; with 0 it is nothing. x and w are not kept.
func NewMixture(x, w []float32, dim int, epsilon float64) (*Mixture, error) {
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
		if !(math.Abs(float64(v)) < 1<<50) {
			return nil, fmt.Errorf("diffusion: feature %d of event %d is %v", i%dim, i/dim, v)
		}
	}
	m := &Mixture{dim: dim, epsilon: epsilon}
	m.memory.New = func() any { return m.newWalker() }
	if slices.Contains(w, 0) { // such events are none, and would spoil the bounds
		var kept, weights []float32
		for i, v := range w {
			if v > 0 {
				kept, weights = append(kept, x[i*dim:(i+1)*dim]...), append(weights, v)
			}
		}
		x, w = kept, weights
		n = len(w)
	}
	m.n = n
	var all, weights []float32
	m.tree, all, weights = grow(x, w, dim)
	logw := make([]float32, len(weights))
	for i, v := range weights {
		logw[i] = float32(math.Log(float64(v)))
	}
	var err error
	if m.events, err = gauss.NewEvents(all, logw, len(logw), dim); err != nil {
		return nil, fmt.Errorf("diffusion: %w", err)
	}
	m.x, m.w = slices.Clone(all[:n*dim]), slices.Clone(weights[:n])
	m.logTotal = m.tree.nodes[0].logW
	m.spread = math.Sqrt(m.tree.nodes[0].spread)
	m.mean = make([]float64, dim)
	for d, v := range m.tree.mean[:dim] {
		m.mean[d] = float64(v)
	}
	return m, nil
}

// Dim returns the number of features of an event.
func (m *Mixture) Dim() int { return m.dim }

// Context returns 0: kernel sums are not conditional.
func (m *Mixture) Context() int { return 0 }

// Len returns the number of events with weight.
func (m *Mixture) Len() int { return m.n }

// Pairs returns the number of pairs of a row and an event, or of a point in place of
// some, that were worked on since the mixture was made.
func (m *Mixture) Pairs() int64 { return m.blocks.Load() * gauss.BlockLen }

// Mean makes a Mixture a [Posterior].
func (m *Mixture) Mean(q []float32, div []float64, x, _ []float32, alpha, sigma float64) {
	n := len(x) / m.dim
	if alpha == 0 {
		for i := range q {
			q[i] = float32(m.mean[i%m.dim])
		}
		clear(div)
		return
	}
	out := gauss.Result{Mean: q}
	if div != nil {
		out.Variance = make([]float32, n)
	}
	m.compute(out, x, alpha, sigma)
	for i := range div {
		div[i] = alpha / sigma / sigma * float64(out.Variance[i])
	}
}

// LogDensity stores in dst (n) log p(x) of each row of x (n×Dim), for α and σ > 0.
func (m *Mixture) LogDensity(dst []float64, x []float32, alpha, sigma float64) {
	m.compute(gauss.Result{LogSum: dst}, x, alpha, sigma)
	for i := range dst {
		dst[i] -= m.logTotal + float64(m.dim)*(math.Log(sigma)+0.5*math.Log(2*math.Pi))
	}
}

// Effective stores in dst (n) the effective number of events that q is the mean of at
// each row of x (n×Dim), (Σ w)²/Σ w². Where it is near 1, q is a copy of an event.
func (m *Mixture) Effective(dst []float32, x []float32, alpha, sigma float64) {
	m.compute(gauss.Result{InvNeff: dst}, x, alpha, sigma)
	for i, v := range dst {
		dst[i] = 1 / v
	}
}

// queries is the number of rows that walk through the tree together.
const queries = 96

// compute stores what out asks for, for the rows of x.
func (m *Mixture) compute(out gauss.Result, x []float32, alpha, sigma float64) {
	n := len(x) / m.dim
	if n*m.dim != len(x) {
		panic(fmt.Sprintf("diffusion: %d values for rows of %d features", len(x), m.dim))
	}
	// Neighbours walk together.
	order := make([]uint64, n) // leaf and row
	nn.Parallel(n, 1<<12, func(lo, hi int) {
		y := make([]float64, m.dim)
		for i := lo; i < hi; i++ {
			unscale(y, x[i*m.dim:], alpha)
			order[i] = uint64(m.tree.home(y))<<32 | uint64(i)
		}
	})
	slices.Sort(order)
	nn.Parallel(n, queries, func(lo, hi int) {
		w := m.memory.Get().(*walker)
		defer m.memory.Put(w)
		w.walk(out, x, order[lo:hi], alpha, sigma)
	})
}

// unscale is y = x/α, as far as float64 goes.
func unscale(y []float64, x []float32, alpha float64) {
	for d := range y {
		y[d] = float64(x[d]) / alpha
	}
}

// walker takes a block of rows through the tree.
type walker struct {
	*Mixture
	sums *gauss.Sums
	out  gauss.Result
	x    []float32

	sharp     float64   // ½ (α/σ)²
	y         []float64 // x/α
	low, high []float64 // the box about all y
	log       []float64 // log(ε S/Σω) of each row
	lowest    float64   // of these
	highest   float64
	terms     []float64
	use       [][]bool // rows that are concerned, by depth
	points    []bool   // rows for which points do
	added     int32    // the group of leaves that was last added
	blocks    int      // times rows that were added
	moments   int      // the highest moment that is asked for
}

func (m *Mixture) newWalker() *walker {
	return &walker{
		Mixture: m,
		sums:    gauss.NewSums(queries, m.dim),
		out: gauss.Result{
			LogSum: make([]float64, queries), Mean: make([]float32, queries*m.dim),
			Variance: make([]float32, queries), InvNeff: make([]float32, queries),
		},
		x: make([]float32, queries*m.dim), y: make([]float64, queries*m.dim),
		low: make([]float64, m.dim), high: make([]float64, m.dim),
		log: make([]float64, queries), points: make([]bool, queries),
	}
}

// walk computes the rows whose numbers are the low halves of order.
func (w *walker) walk(out gauss.Result, x []float32, order []uint64, alpha, sigma float64) {
	m, dim := len(order), w.dim
	part := gauss.Result{}
	w.moments = 0
	if out.LogSum != nil {
		part.LogSum = w.out.LogSum[:m]
	}
	if out.Mean != nil {
		part.Mean = w.out.Mean[:m*dim]
		w.moments = 1
	}
	if out.Variance != nil {
		part.Variance = w.out.Variance[:m]
		w.moments = 2
	}
	if out.InvNeff != nil {
		part.InvNeff = w.out.InvNeff[:m]
	}
	for k, o := range order {
		copy(w.x[k*dim:(k+1)*dim], x[int(uint32(o))*dim:])
	}
	w.sums.Start(part, w.x[:m*dim], m, alpha, sigma)
	if w.prepare(m, alpha, sigma) {
		w.visit(0, 0, m)
	} else {
		w.addAll(0, w.depth(0, m))
	}
	w.sums.Finish()
	w.Mixture.blocks.Add(int64(w.blocks))
	for k, o := range order {
		i := int(uint32(o))
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

// depth returns the marks of the rows at a depth, all set if it is 0.
func (w *walker) depth(depth, m int) []bool {
	for len(w.use) <= depth {
		w.use = append(w.use, make([]bool, queries))
	}
	use := w.use[depth][:m]
	if depth == 0 {
		for i := range use {
			use[i] = true
		}
	}
	return use
}

// prepare finds what may be left out for each of m rows. It returns false if that is
// nothing, for a row that is not a number or by demand.
func (w *walker) prepare(m int, alpha, sigma float64) bool {
	w.added, w.blocks = 0, 0
	sharpness := alpha / sigma
	w.sharp = 0.5 * sharpness * sharpness
	if w.epsilon == 0 || math.IsInf(w.sharp, 1) {
		return false
	}
	for d := range w.dim {
		w.low[d], w.high[d] = math.Inf(1), math.Inf(-1)
	}
	w.lowest, w.highest = math.Inf(1), math.Inf(-1)
	for k := range m {
		y := w.y[k*w.dim:][:w.dim]
		unscale(y, w.x[k*w.dim:], alpha)
		for d, v := range y {
			w.low[d], w.high[d] = min(w.low[d], v), max(w.high[d], v)
		}
		w.log[k] = math.Log(w.epsilon) + w.atLeast(y) - w.logTotal
		w.lowest, w.highest = min(w.lowest, w.log[k]), max(w.highest, w.log[k])
	}
	return w.lowest-w.highest == w.lowest-w.highest && !math.IsInf(w.lowest, 0)
}

// atLeast returns a number that log Σ w at y is not below.
func (w *walker) atLeast(y []float64) float64 {
	terms := w.terms[:0]
	jensen := func(at int32) {
		v := &w.tree.nodes[at]
		terms = append(terms, v.logW-w.sharp*(w.tree.fromMean(at, y)+v.spread))
	}
	at := int32(0)
	for !w.tree.nodes[at].isLeaf() {
		v := &w.tree.nodes[at]
		next := w.tree.below(at, y)
		jensen(v.left + v.right - next) // the sibling
		at = next
	}
	jensen(at)
	w.terms = terms
	most := slices.Max(terms)
	sum := 0.0
	for _, t := range terms {
		sum += math.Exp(t - most)
	}
	bound := most + math.Log(sum)

	best := math.Inf(-1)
	v := &w.tree.nodes[at]
	for i := int(v.lo); i < int(v.hi); i++ {
		square := 0.0
		for d, c := range w.Mixture.x[i*w.dim:][:w.dim] {
			square += (y[d] - float64(c)) * (y[d] - float64(c))
		}
		if w.w[i] == 1 {
			best = max(best, -w.sharp*square)
		} else {
			best = max(best, math.Log(float64(w.w[i]))-w.sharp*square)
		}
	}
	return max(bound, best) - 1e-3 // rounding
}

// visit adds what a node has for the rows that are marked at the depth.
func (w *walker) visit(at int32, depth, m int) {
	use := w.depth(depth, m)
	v := &w.tree.nodes[at]
	least, most, across := w.tree.bounds(at, w.low, w.high)
	if -w.sharp*least < w.lowest {
		return
	}
	if -w.sharp*most < w.highest { // for some, perhaps
		any := false
		for k, in := range use {
			if in {
				y := w.y[k*w.dim:][:w.dim]
				use[k] = -w.sharp*w.tree.distance(at, y) >= w.log[k]
				any = any || use[k]
			}
		}
		if !any {
			return
		}
	}
	// Can any points below do for any row?
	scale := math.Sqrt(2 * w.sharp)
	hopeful := scale*v.least <= smallEnough &&
		w.replacement(v.least, scale, scale*v.least, scale*math.Sqrt(across)) <= w.highest
	if hopeful && scale*v.radius <= smallEnough && w.byPoints(at, use, scale) {
		return
	}
	switch {
	case v.isLeaf():
		w.add(v, use)
	case !hopeful && -w.sharp*across >= w.highest:
		w.addAll(at, use)
	default:
		for _, child := range [2]int32{v.left, v.right} {
			copy(w.depth(depth+1, m), use)
			w.visit(child, depth+1, m)
		}
	}
}

// smallEnough is the radius, in units of σ/α, from which on points are not tried.
const smallEnough = 0.5

// replacement is the logarithm of the bound for replacing events within a radius by
// points, the furthest and the nearest of which are so many σ/α away.
func (w *walker) replacement(radius, scale, furthest, nearest float64) float64 {
	u, part := radius*scale, radius/w.spread
	if radius == 0 {
		return math.Inf(-1)
	}
	most := u * u * u * furthest * (furthest*furthest + 3) / 3
	if w.moments > 0 {
		most = max(most, part*u*u*(furthest*furthest+1))
	}
	if w.moments > 1 {
		most = max(most, 2*part*part*u*furthest)
	}
	return math.Log(most) - 0.5*nearest*nearest
}

// byPoints adds the points of a node for those rows for which they do, takes away the
// marks of these, and reports whether none is left.
func (w *walker) byPoints(at int32, use []bool, scale float64) bool {
	v := &w.tree.nodes[at]
	points, some, left := w.points[:len(use)], false, false
	for k, in := range use {
		points[k] = false
		if !in {
			continue
		}
		distance := math.Sqrt(w.tree.fromMean(at, w.y[k*w.dim:][:w.dim]))
		if w.replacement(v.radius, scale, scale*(distance+v.radius), scale*max(0, distance-v.radius)) <= w.log[k] {
			points[k], use[k], some = true, false, true
		} else {
			left = true
		}
	}
	if some {
		w.addWhere(v.lo, int(v.points), int(v.pointsEnd), points)
	}
	return !left
}

// add adds the events of a leaf.
func (w *walker) add(leaf *node, use []bool) {
	w.addWhere(leaf.lo, int(leaf.lo)/gauss.BlockLen, (int(leaf.hi)+gauss.BlockLen-1)/gauss.BlockLen, use)
}

// addAll adds all events of a node, leaf by leaf.
func (w *walker) addAll(at int32, use []bool) {
	v := &w.tree.nodes[at]
	if v.isLeaf() {
		w.add(v, use)
		return
	}
	w.addAll(v.left, use)
	w.addAll(v.right, use)
}

// addWhere adds blocks of events, or of the points that stand for those from the given
// one on. The sums are added up in float64 whenever another group of 16 leaves begins,
// which is so at the same places for each row, whatever other rows want.
func (w *walker) addWhere(event int32, lo, hi int, use []bool) {
	if group := event / (16 * leafLen); group != w.added {
		w.sums.Collect()
		w.added = group
	}
	w.sums.AddWhere(w.events, lo, hi, use)
	w.blocks += (hi - lo) * len(use)
}
