package diffusion

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"gonum.org/v1/gonum/mat"

	"github.com/eidolon-hep/eidolon/kernels/gauss"
)

// leafLen is the number of events in a leaf, whole blocks of the kernels.
const leafLen = 8 * gauss.BlockLen

// tree is a k-d tree of events. Its leaves have leafLen events each, but for the last.
type tree struct {
	dim   int
	nodes []node
	// box has for each node dim least and dim greatest coordinates, mean dim means.
	box, mean []float32
}

// node is a range of events in the order of the tree.
type node struct {
	lo, hi      int32 // events
	left, right int32 // nodes; 0: this is a leaf
	axis        int32 // along which the children are apart
	cut         float32
	logW        float64 // log Σ ω
	spread      float64 // the trace of their covariance
	// The events can be replaced by the points from block lo to block hi, which have
	// their number, mean and covariance. All are within radius of the mean; least is
	// the least radius of this node and those below it, +Inf if none has points.
	points, pointsEnd int32
	radius, least     float64
}

func (n *node) isLeaf() bool { return n.left == 0 }

// grow orders the events and returns their tree. x (n×dim) and w (n, or nil) are put in
// its order; then come the points, which are appended to both with their weights.
func grow(x, w []float32, dim int) (*tree, []float32, []float32) {
	n := len(x) / dim
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	t := &tree{dim: dim}
	t.split(0, n)
	t.box, t.mean = make([]float32, 2*dim*len(t.nodes)), make([]float32, dim*len(t.nodes))
	g := grower{tree: t, x: x, w: w, order: order, points: make([][]float32, len(t.nodes))}
	g.sort(0)

	sorted, weights := make([]float32, 0, len(x)), make([]float32, 0, n)
	for _, i := range order {
		sorted = append(sorted, x[int(i)*dim:][:dim]...)
		weights = append(weights, g.weight(int(i)))
	}
	x = sorted
	fill := func() {
		for len(weights)%gauss.BlockLen > 0 {
			x, weights = append(x, make([]float32, dim)...), append(weights, 0)
		}
	}
	for i, points := range g.points {
		if points == nil {
			continue
		}
		fill()
		v := &t.nodes[i]
		v.points = int32(len(weights) / gauss.BlockLen)
		x = append(x, points...)
		for range 2 * dim {
			weights = append(weights, float32(math.Exp(v.logW)/float64(2*dim)))
		}
		fill()
		v.pointsEnd = int32(len(weights) / gauss.BlockLen)
	}
	t.leastRadius(0)
	return t, x, weights
}

// split makes the nodes for the events from lo to hi and returns the first.
func (t *tree) split(lo, hi int) int32 {
	at := len(t.nodes)
	t.nodes = append(t.nodes, node{lo: int32(lo), hi: int32(hi), radius: math.Inf(1)})
	if leaves := (hi - lo + leafLen - 1) / leafLen; leaves > 1 {
		middle := lo + leaves/2*leafLen
		left := t.split(lo, middle)
		right := t.split(middle, hi)
		t.nodes[at].left, t.nodes[at].right = left, right
	}
	return int32(at)
}

// leastRadius fills in the least radii below a node and returns that of the node.
func (t *tree) leastRadius(at int32) float64 {
	v := &t.nodes[at]
	v.least = v.radius
	if !v.isLeaf() {
		v.least = min(v.least, t.leastRadius(v.left), t.leastRadius(v.right))
	}
	return v.least
}

// grower is what growing a tree needs.
type grower struct {
	*tree
	x, w   []float32
	order  []int32
	points [][]float32 // of the nodes
}

func (g *grower) weight(i int) float32 {
	if g.w == nil {
		return 1
	}
	return g.w[i]
}

// sort orders the events of a node and all below it, and looks at them. What comes out
// does not depend on the order in which events come in.
func (g *grower) sort(at int32) {
	v, dim := &g.nodes[at], g.dim
	events := g.order[v.lo:v.hi]
	box := g.bound(at)
	if v.isLeaf() {
		slices.SortFunc(events, func(a, b int32) int { return g.compare(a, b, 0) })
		g.measure(at)
		return
	}
	// Apart along the axis on which the events are furthest spread.
	widest := float32(-1)
	for d := range dim {
		if width := box[dim+d] - box[d]; width > widest {
			v.axis, widest = int32(d), width
		}
	}
	k := int(g.nodes[v.left].hi - v.lo)
	g.selectAt(events, k, int(v.axis))
	v.cut = g.x[int(events[k])*dim+int(v.axis)]
	if len(events) < 1<<14 {
		g.sort(v.left)
		g.sort(v.right)
	} else {
		var both sync.WaitGroup
		both.Go(func() { g.sort(v.left) })
		g.sort(v.right)
		both.Wait()
	}
	g.measure(at)
}

// compare orders events along an axis; where they are equal, by their other features
// and their weights.
func (g *grower) compare(a, b int32, axis int) int {
	x, y := g.x[int(a)*g.dim:][:g.dim], g.x[int(b)*g.dim:][:g.dim]
	switch {
	case x[axis] < y[axis]:
		return -1
	case x[axis] > y[axis]:
		return 1
	}
	return cmp.Or(slices.Compare(x, y), cmp.Compare(g.weight(int(a)), g.weight(int(b))), cmp.Compare(a, b))
}

// selectAt orders events such that those before place k are not greater along the axis
// than the one there, and those behind it not less (Hoare's algorithm).
func (g *grower) selectAt(events []int32, k, axis int) {
	less := func(a, b int32) bool { return g.compare(a, b, axis) < 0 }
	lo, hi := 0, len(events)-1
	for lo < hi {
		pivot := events[lo+(hi-lo)/2]
		i, j := lo, hi
		for i <= j {
			for less(events[i], pivot) {
				i++
			}
			for less(pivot, events[j]) {
				j--
			}
			if i <= j {
				events[i], events[j] = events[j], events[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default:
			return
		}
	}
}

// bound finds the box of a node.
func (g *grower) bound(at int32) []float32 {
	v, dim := &g.nodes[at], g.dim
	box := g.box[2*dim*int(at):][:2*dim]
	for d := range dim {
		box[d], box[dim+d] = float32(math.Inf(1)), float32(math.Inf(-1))
	}
	for _, i := range g.order[v.lo:v.hi] {
		for d, c := range g.x[int(i)*dim:][:dim] {
			box[d], box[dim+d] = min(box[d], c), max(box[dim+d], c)
		}
	}
	return box
}

// measure finds weight, mean and spread of a node and, where they save work, the
// points that have the mean and the covariance of its events: along each principal
// axis two, at ±√dim standard deviations.
func (g *grower) measure(at int32) {
	v, dim := &g.nodes[at], g.dim
	mean := g.mean[dim*int(at):][:dim]
	sums, total := make([]float64, dim), 0.0
	events := g.order[v.lo:v.hi]
	for _, i := range events {
		w := float64(g.weight(int(i)))
		total += w
		for d, c := range g.x[int(i)*dim:][:dim] {
			sums[d] += w * float64(c)
		}
	}
	for d := range mean {
		mean[d] = float32(sums[d] / total)
	}
	v.logW = math.Log(total)

	blocks := (2*dim + gauss.BlockLen - 1) / gauss.BlockLen
	saves := len(events) >= 4*blocks*gauss.BlockLen
	covariance, from := mat.NewSymDense(dim, nil), make([]float64, dim)
	raw, furthest := covariance.RawSymmetric().Data, 0.0
	for _, i := range events {
		w, square := float64(g.weight(int(i)))/total, 0.0
		for d, c := range g.x[int(i)*dim:][:dim] {
			from[d] = float64(c) - float64(mean[d])
			square += from[d] * from[d]
		}
		v.spread += w * square
		furthest = max(furthest, square)
		if saves {
			for d, a := range from {
				for e, b := range from[d:] {
					raw[d*dim+d+e] += w * a * b
				}
			}
		}
	}
	var eigen mat.EigenSym
	if !saves || !eigen.Factorize(covariance, true) {
		return
	}
	var axes mat.Dense
	eigen.VectorsTo(&axes)
	points := make([]float32, 0, 2*dim*dim)
	for k, variance := range eigen.Values(nil) {
		length := math.Sqrt(max(0, variance) * float64(dim))
		furthest = max(furthest, length*length)
		for _, sign := range []float64{-1, 1} {
			for d := range dim {
				points = append(points, float32(float64(mean[d])+sign*length*axes.At(d, k)))
			}
		}
	}
	g.points[at] = points
	v.radius = math.Sqrt(furthest) * (1 + 1e-6)
}

// home returns the leaf on whose side of all cuts y lies.
func (t *tree) home(y []float64) int32 {
	at := int32(0)
	for !t.nodes[at].isLeaf() {
		at = t.below(at, y)
	}
	return at
}

// below returns the child of a node on whose side y lies.
func (t *tree) below(at int32, y []float64) int32 {
	v := &t.nodes[at]
	if y[v.axis] < float64(v.cut) {
		return v.left
	}
	return v.right
}

// fromMean returns ‖y − mean‖² of a node.
func (t *tree) fromMean(at int32, y []float64) float64 {
	sum := 0.0
	for d, m := range t.mean[int(at)*t.dim:][:t.dim] {
		sum += (y[d] - float64(m)) * (y[d] - float64(m))
	}
	return sum
}

// distance returns the square of the distance of y from a node's box.
func (t *tree) distance(at int32, y []float64) float64 {
	lo := t.box[2*t.dim*int(at):][:len(y)]
	hi := t.box[2*t.dim*int(at)+t.dim:][:len(y)]
	sum := 0.0
	for d, y := range y {
		u := max(float64(lo[d])-y, y-float64(hi[d]), 0)
		sum += u * u
	}
	return sum
}

// bounds returns the squares of the least and the greatest distance from a node's box
// that a y with low ≤ y ≤ high may have, and of the greatest distance of such a y from a
// place in the box.
func (t *tree) bounds(at int32, low, high []float64) (least, most, across float64) {
	box := t.box[2*t.dim*int(at):][:2*t.dim]
	for d, lo := range box[:t.dim] {
		lo, hi := float64(lo), float64(box[t.dim+d])
		u := max(lo-high[d], low[d]-hi, 0)
		least += u * u
		u = max(lo-low[d], high[d]-hi, 0)
		most += u * u
		u = max(high[d]-lo, hi-low[d])
		across += u * u
	}
	return least, most, across
}
