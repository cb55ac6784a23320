package classify

import (
	"context"
	"slices"

	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/training"
)

// trees are gradient-boosted regression trees (Friedman, Ann. Statist. 29 (2001)
// 1189) for the same loss as the network's, with splits between the bins of
// histograms as in LightGBM (NeurIPS 2017). They see steps and thin structures that
// a network is slow to learn.
type trees struct{ roots [][]node }

// node sends events with x[feature] ≤ threshold to left and the others to the
// node after it. A leaf has left = 0.
type node struct {
	feature   int32
	left      int32
	threshold float32
	value     float32
}

const (
	maxTrees    = 300
	maxLeaves   = 31
	maxBins     = 255
	fewest      = 20 // events in a leaf
	shrinkage   = 0.1
	ridge       = 1.0 // added to the second derivatives in a leaf
	maxStale    = 15  // trees without a better loss on validation events
	pieceOfRows = 4096
)

// leafOf returns the value of the leaf of a tree that a row comes to.
func leafOf(nodes []node, x []float32) float64 {
	k := int32(0)
	for nodes[k].left != 0 {
		n := &nodes[k]
		k = n.left
		if x[n.feature] > n.threshold {
			k++
		}
	}
	return float64(nodes[k].value)
}

// logits stores the outputs for the rows of x in dst.
func (t *trees) logits(dst []float64, x []float32) {
	dim := len(x) / max(len(dst), 1)
	parallel.Ranges(len(dst), pieceOfRows, func(lo, hi int) {
		clear(dst[lo:hi])
		for _, nodes := range t.roots { // a tree stays in the cache while many rows go through it
			for i := lo; i < hi; i++ {
				dst[i] += leafOf(nodes, x[i*dim:(i+1)*dim])
			}
		}
	})
}

// loss is what trees make small, and its first and second derivatives by the output s, for an event that
// should have y.
type loss struct {
	value  func(s, y float64) float64
	slopes func(s, y float64) (first, second float64)
}

// logisticLoss is that of the network.
func logisticLoss() loss {
	return loss{
		func(s, y float64) float64 { l, _ := logistic(s, y); return l },
		func(s, y float64) (first, second float64) {
			p := probability(s)
			return p - y, p * (1 - p)
		},
	}
}

// squareLoss finds means.
func squareLoss() loss {
	return loss{
		func(s, y float64) float64 { return (s - y) * (s - y) / 2 },
		func(s, y float64) (first, second float64) { return s - y, 1 },
	}
}

// boost fits trees until the loss on valid gets no better.
func boost(ctx context.Context, train, valid training.Data, loss loss) (*trees, error) {
	g := newGrower(train, loss)
	score, validScore := make([]float64, train.Len()), make([]float64, valid.Len())
	t := &trees{}
	best, bestLen := meanLoss(validScore, valid, loss), 0
	for len(t.roots) < maxTrees && len(t.roots)-bestLen < maxStale {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		nodes := g.grow(score)
		t.roots = append(t.roots, nodes)
		parallel.Ranges(len(validScore), pieceOfRows, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				validScore[i] += leafOf(nodes, valid.X[i*valid.Dim:(i+1)*valid.Dim])
			}
		})
		if l := meanLoss(validScore, valid, loss); l < best {
			best, bestLen = l, len(t.roots)
		}
	}
	t.roots = t.roots[:bestLen]
	return t, nil
}

func meanLoss(score []float64, d training.Data, loss loss) float64 {
	var sum, weights float64
	for i, s := range score {
		sum += float64(d.W[i]) * loss.value(s, float64(d.C[i]))
		weights += float64(d.W[i])
	}
	return sum / weights
}

// grower grows trees on the rows of a sample.
type grower struct {
	data   training.Data
	loss   loss
	edges  [][]float32 // of each feature, between its bins: bin k is (edges[k-1], edges[k]]
	bins   [][]uint8   // of each feature, of each row
	g, h   []float32   // first and second derivatives of the loss of each row
	rows   []int32     // rows of the leaves, leaf by leaf
	spare  []int32
	gs, hs []float32 // of the rows of a leaf, in order
	free   []histogram
}

// cell is a bin of a histogram of the rows of a leaf.
type cell struct {
	g, h float64
	n    int
}

func (c *cell) add(o cell) { c.g += o.g; c.h += o.h; c.n += o.n }

func (c cell) less(o cell) cell { return cell{c.g - o.g, c.h - o.h, c.n - o.n} }

// gain is how much a leaf of these rows lowers the loss, times two.
func (c cell) gain() float64 { return c.g * c.g / (c.h + ridge) }

// histogram has maxBins+1 cells for each feature.
type histogram []cell

// leaf is a part of the rows that may be split.
type leaf struct {
	lo, hi int // in grower.rows
	node   int
	sum    cell
	hist   histogram
	split  split
}

type split struct {
	gain    float64
	feature int
	bin     int // the last one on the left
	left    cell
}

func newGrower(d training.Data, loss loss) *grower {
	n := d.Len()
	g := &grower{
		data: d, loss: loss, edges: make([][]float32, d.Dim), bins: make([][]uint8, d.Dim),
		g: make([]float32, n), h: make([]float32, n), gs: make([]float32, n), hs: make([]float32, n),
		rows: make([]int32, n), spare: make([]int32, n),
	}
	parallel.Ranges(d.Dim, 1, func(f, _ int) {
		x := make([]float32, n)
		for i := range x {
			x[i] = d.X[i*d.Dim+f]
		}
		g.edges[f] = binEdges(x)
		g.bins[f] = make([]uint8, n)
		for i, v := range x {
			k, _ := slices.BinarySearch(g.edges[f], v)
			g.bins[f][i] = uint8(k)
		}
	})
	return g
}

// binEdges returns at most maxBins−1 edges between values of x: all of them if
// there are so few, and quantiles otherwise.
func binEdges(x []float32) []float32 {
	x = slices.Clone(x)
	slices.Sort(x)
	between := func(a, b float32) float32 {
		if m := a + (b-a)/2; m < b {
			return m
		}
		return a
	}
	distinct := slices.Compact(slices.Clone(x))
	var edges []float32
	if len(distinct) <= maxBins {
		for k := range len(distinct) - 1 {
			edges = append(edges, between(distinct[k], distinct[k+1]))
		}
		return edges
	}
	for k := 1; k < maxBins; k++ {
		v := x[k*len(x)/maxBins]
		i, _ := slices.BinarySearch(distinct, v)
		if i == 0 {
			i = 1
		}
		e := between(distinct[i-1], distinct[i])
		if len(edges) == 0 || e > edges[len(edges)-1] {
			edges = append(edges, e)
		}
	}
	return edges
}

// grow returns the tree that lowers the loss at the scores most, and adds it to
// them.
func (g *grower) grow(score []float64) []node {
	for i, s := range score {
		y, w := float64(g.data.C[i]), float64(g.data.W[i])
		first, second := g.loss.slopes(s, y)
		g.g[i], g.h[i] = float32(w*first), float32(w*second)
		g.rows[i] = int32(i)
	}
	root := leaf{hi: len(g.rows), hist: g.histogramOf(0, len(g.rows))}
	for _, c := range root.hist[:maxBins+1] {
		root.sum.add(c)
	}
	g.findSplit(&root)
	nodes := []node{{}}
	leaves := []leaf{root}
	for len(leaves) < maxLeaves {
		best := 0
		for k := range leaves {
			if leaves[k].split.gain > leaves[best].split.gain {
				best = k
			}
		}
		l := leaves[best]
		if l.split.gain <= 0 {
			break
		}
		s := l.split
		mid := g.partition(l.lo, l.hi, s)
		nodes[l.node].feature, nodes[l.node].threshold = int32(s.feature), g.edges[s.feature][s.bin]
		nodes[l.node].left = int32(len(nodes))
		a := leaf{lo: l.lo, hi: mid, node: len(nodes), sum: s.left}
		b := leaf{lo: mid, hi: l.hi, node: len(nodes) + 1, sum: l.sum.less(s.left)}
		nodes = append(nodes, node{}, node{})
		small, large := &a, &b
		if mid-l.lo > l.hi-mid {
			small, large = &b, &a
		}
		small.hist = g.histogramOf(small.lo, small.hi)
		large.hist = l.hist // what is left of it
		for k, c := range small.hist {
			large.hist[k] = large.hist[k].less(c)
		}
		g.findSplit(&a)
		g.findSplit(&b)
		leaves[best] = a
		leaves = append(leaves, b)
	}
	for _, l := range leaves {
		v := -shrinkage * l.sum.g / (l.sum.h + ridge)
		nodes[l.node].value = float32(v)
		for _, i := range g.rows[l.lo:l.hi] {
			score[i] += v
		}
		g.free = append(g.free, l.hist)
	}
	return nodes
}

// histogramOf fills the histograms of all features of the rows [lo, hi).
func (g *grower) histogramOf(lo, hi int) histogram {
	var hist histogram
	if last := len(g.free) - 1; last >= 0 {
		hist, g.free = g.free[last], g.free[:last]
		clear(hist)
	} else {
		hist = make(histogram, g.data.Dim*(maxBins+1))
	}
	rows := g.rows[lo:hi]
	gs, hs := g.gs[:len(rows)], g.hs[:len(rows)]
	for k, i := range rows {
		gs[k], hs[k] = g.g[i], g.h[i]
	}
	parallel.Ranges(g.data.Dim, 1, func(f, _ int) {
		cells := (*[maxBins + 1]cell)(hist[f*(maxBins+1):])
		bins := g.bins[f]
		for k, i := range rows {
			c := &cells[bins[i]]
			c.g += float64(gs[k])
			c.h += float64(hs[k])
			c.n++
		}
	})
	return hist
}

// findSplit finds the best split of a leaf, of the first feature if several are as
// good.
func (g *grower) findSplit(l *leaf) {
	l.split = split{}
	if l.hi-l.lo < 2*fewest {
		return
	}
	whole := l.sum.gain()
	for f := range g.data.Dim {
		cells := l.hist[f*(maxBins+1) : (f+1)*(maxBins+1)]
		var left cell
		for k := range g.edges[f] {
			if cells[k].n == 0 {
				continue
			}
			left.add(cells[k])
			right := l.sum.less(left)
			if left.n < fewest {
				continue
			}
			if right.n < fewest {
				break
			}
			if gain := left.gain() + right.gain() - whole; gain > l.split.gain+1e-9 {
				l.split = split{gain, f, k, left}
			}
		}
	}
}

// partition sorts the rows [lo, hi) into those on the left and those on the right
// of a split, keeps their order, and returns where the latter begin.
func (g *grower) partition(lo, hi int, s split) int {
	bins := g.bins[s.feature]
	left, right := lo, 0
	for _, i := range g.rows[lo:hi] {
		if int(bins[i]) <= s.bin {
			g.rows[left] = i
			left++
		} else {
			g.spare[right] = i
			right++
		}
	}
	copy(g.rows[left:hi], g.spare[:right])
	return left
}
