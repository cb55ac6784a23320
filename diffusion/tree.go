package diffusion

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/internal/panics"
	"github.com/eidolon-hep/eidolon/kernels/gauss"
)

// leafLen is the number of events in a leaf, whole blocks of the kernels.
const leafLen = 8 * gauss.BlockLen

// cellLen is the least number of neighbours that coarser events stand for.
const cellLen = leafLen / 2

// tree is a k-d tree of events. Its leaves have leafLen events each, but for the last,
// and cells of cellLen of these are neighbours.
type tree struct {
	dim   int
	nodes []node
	// box has for each node dim least and dim greatest coordinates.
	box []float32
}

// node is a range of events in the order of the tree.
type node struct {
	lo, hi      int32 // events
	left, right int32 // nodes; 0: this is a leaf
	axis        int32 // along which the children are apart
	cut         float32
}

func (n *node) isLeaf() bool { return n.left == 0 }

// grow orders the events and returns their tree, and x (n×dim) and w (n, or nil for
// weights of 1) in its order. When ctx is cancelled they are in none.
func grow(ctx context.Context, x, w []float32, dim int) (*tree, []float32, []float32) {
	n := len(x) / dim
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	t := &tree{dim: dim}
	t.split(0, n)
	t.box = make([]float32, 2*dim*len(t.nodes))
	g := grower{ctx: ctx, tree: t, x: x, w: w, order: order}
	g.sort(0)

	sorted, weights := make([]float32, 0, len(x)), make([]float32, 0, n)
	for _, i := range order {
		sorted = append(sorted, x[int(i)*dim:][:dim]...)
		weights = append(weights, g.weight(int(i)))
	}
	return t, sorted, weights
}

// split makes the nodes for the events from lo to hi and returns the first.
func (t *tree) split(lo, hi int) int32 {
	at := len(t.nodes)
	t.nodes = append(t.nodes, node{lo: int32(lo), hi: int32(hi)})
	if leaves := (hi - lo + leafLen - 1) / leafLen; leaves > 1 {
		middle := lo + leaves/2*leafLen
		left := t.split(lo, middle)
		right := t.split(middle, hi)
		t.nodes[at].left, t.nodes[at].right = left, right
	}
	return int32(at)
}

// grower is what growing a tree needs.
type grower struct {
	ctx context.Context
	*tree
	x, w  []float32
	order []int32
}

func (g *grower) weight(i int) float32 {
	if g.w == nil {
		return 1
	}
	return g.w[i]
}

// sort orders the events of a node and all below it, and finds their boxes. What comes
// out does not depend on the order in which events come in.
func (g *grower) sort(at int32) {
	if g.ctx.Err() != nil {
		return
	}
	v, dim := &g.nodes[at], g.dim
	events, box := g.order[v.lo:v.hi], g.box[2*dim*int(at):][:2*dim]
	g.bound(box, events)
	if v.isLeaf() {
		g.cells(events)
		return
	}
	k := int(g.nodes[v.left].hi - v.lo)
	v.axis = int32(widest(box))
	g.selectAt(events, k, int(v.axis))
	v.cut = g.x[int(events[k])*dim+int(v.axis)]
	if len(events) < 1<<14 {
		g.sort(v.left)
		g.sort(v.right)
		return
	}
	var both panics.Group
	both.Go(func() { g.sort(v.left) })
	g.sort(v.right)
	both.Wait()
}

// cells orders the events of a leaf such that those of a cell are neighbours.
func (g *grower) cells(events []int32) {
	if len(events) <= cellLen {
		slices.SortFunc(events, func(a, b int32) int { return g.compare(a, b, 0) })
		return
	}
	box := make([]float32, 2*g.dim)
	g.bound(box, events)
	k := (len(events)/cellLen + 1) / 2 * cellLen
	g.selectAt(events, k, widest(box))
	g.cells(events[:k])
	g.cells(events[k:])
}

// widest returns the axis along which a box is longest.
func widest(box []float32) int {
	dim, axis := len(box)/2, 0
	for d := range dim {
		if box[dim+d]-box[d] > box[dim+axis]-box[axis] {
			axis = d
		}
	}
	return axis
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

// bound finds the box of events.
func (g *grower) bound(box []float32, events []int32) {
	dim := g.dim
	for d := range dim {
		box[d], box[dim+d] = float32(math.Inf(1)), float32(math.Inf(-1))
	}
	for _, i := range events {
		for d, c := range g.x[int(i)*dim:][:dim] {
			box[d], box[dim+d] = min(box[d], c), max(box[dim+d], c)
		}
	}
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

// nearest returns the square of the distance of y from a node's box.
func (t *tree) nearest(at int32, y []float64) float64 {
	box := t.box[2*t.dim*int(at):][:2*t.dim]
	low, high := box[:len(y)], box[len(y):][:len(y)]
	sum := 0.0
	for d, y := range y {
		below, above := float64(low[d])-y, y-float64(high[d])
		below, above = below+math.Abs(below), above+math.Abs(above) // no branches
		sum += below*below + above*above
	}
	return sum / 4
}
