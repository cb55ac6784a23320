// Package trees fits gradient-boosted regression trees (Friedman, Ann. Statist. 29 (2001) 1189) with
// second derivatives and splits between the bins of histograms, as XGBoost (arXiv:1603.02754) and
// LightGBM (NeurIPS 2017) do.
//
// Three things make it fast. Eight columns of bins, a byte each, are one word per row, so that a
// histogram of eight columns reads one word of each row. First and second derivatives are whole numbers, rounded
// up or down at random such that their means are right, and stand in the two halves of one word: a row is added to a
// bin by one addition. And of two leaves that come of one, only the histogram of the smaller is
// filled; the other is the difference, which is exact for whole numbers. Sums of whole numbers do not depend on
// their order, so results do not depend on the number of processors.
package trees

import (
	"context"
	"fmt"
	"math"

	"github.com/eidolon-hep/eidolon/internal/parallel"
)

// Forest is a sum of regression trees.
type Forest struct{ Trees [][]Node }

// Node sends events with x[Feature] ≤ Threshold, or without a number there, to the node Left and others to
// the one after it. A leaf has Left = 0, and the Value that the tree has there.
type Node struct {
	Feature   int32
	Left      int32
	Threshold float32
	Value     float32
}

// Options say how a forest is grown.
type Options struct {
	Rounds   int     // the number of trees at most
	Patience int     // trees without a lower loss on events that validate, after which growing ends; 0: Rounds
	Leaves   int     // of a tree at most
	Depth    int     // splits from the root to a leaf at most; 0: Leaves
	Rate     float64 // what each tree is multiplied by
	Ridge    float64 // added to the second derivatives in a leaf
	Least    float64 // sum of the second derivatives in a leaf at least; that of an event is about its weight, or a quarter
	Seed     uint64  // of rounding
}

// Loss is what trees make small: a function of the output s of an event that should have y.
type Loss struct {
	// Values stores the losses of events in dst.
	Values func(dst, s, y []float32)
	// Slopes stores the first and second derivatives by s in first and second.
	Slopes func(first, second, s, y []float32)
}

// Fit grows trees on the rows train of a matrix, until the loss on the rows valid gets no better. y is
// what each row of the matrix should have, and w its weight. Without valid rows all rounds are made. It uses one
// processor: whoever needs several forests fits them side by side. The error is that of ctx.
func Fit(ctx context.Context, m *Matrix, train, valid []int32, y, w []float32, loss Loss, o Options) (*Forest, error) {
	if len(y) != m.Rows() || len(w) != m.Rows() {
		panic(fmt.Sprintf("trees: %d targets and %d weights of %d rows", len(y), len(w), m.Rows()))
	}
	f := &Forest{}
	if len(train) == 0 || m.Dim() == 0 {
		return f, ctx.Err()
	}
	g := newGrower(m, train, y, w, loss, o)
	judge := newJudge(valid, y, w, loss)
	best, bestLen := judge.loss(), 0
	for len(f.Trees) < o.Rounds && (o.Patience == 0 || len(f.Trees)-bestLen < o.Patience) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t := g.grow(len(f.Trees))
		if len(t) == 1 && math.Abs(float64(t[0].Value)) < 1e-9 {
			break // nothing is left to learn
		}
		f.Trees = append(f.Trees, t)
		if len(valid) == 0 {
			bestLen = len(f.Trees)
			continue
		}
		m.add(judge.s, valid, m.binned(t))
		if l := judge.loss(); l < best {
			best, bestLen = l, len(f.Trees)
		}
	}
	f.Trees = f.Trees[:bestLen:bestLen]
	return f, nil
}

// judge knows the outputs for the rows that validate.
type judge struct {
	s, y, w []float32
	values  []float32
	of      Loss
}

func newJudge(rows []int32, y, w []float32, of Loss) *judge {
	n := len(rows)
	j := &judge{s: make([]float32, n), y: make([]float32, n), w: make([]float32, n), values: make([]float32, n), of: of}
	for k, i := range rows {
		j.y[k], j.w[k] = y[i], w[i]
	}
	return j
}

// loss returns the mean loss.
func (j *judge) loss() float64 {
	j.of.Values(j.values, j.s, j.y)
	var sum, weights float64
	for k, v := range j.values {
		sum += float64(j.w[k]) * float64(v)
		weights += float64(j.w[k])
	}
	return sum / weights
}

// pieceOfRows is how many rows go through a forest at a time.
const pieceOfRows = 2048

// Add adds factor times the outputs for the rows of x (len(dst)×dim) to dst, on all processors.
func (f *Forest) Add(dst []float64, x []float32, factor float64) {
	if len(dst) == 0 {
		return
	}
	c, dim := f.Compile(), len(x)/len(dst)
	parallel.Ranges(len(dst), pieceOfRows, func(lo, hi int) {
		c.Add(dst[lo:hi], x[lo*dim:hi*dim], factor)
	})
}

// Compiled is a forest that is fast: its leaves lead to themselves, so that all rows take as many steps in a tree, and numbers
// are compared as whole ones, which takes no branch of the program that would be foreseen wrong.
type Compiled []flatTree

type flatTree struct {
	nodes []flatNode
	depth int
}

type flatNode struct {
	feature, left int32
	threshold     uint32 // its place in the order of all numbers
	value         float32
}

// Add does what that of the forest does, on one processor.
func (c Compiled) Add(dst []float64, x []float32, factor float64) {
	const inCache = 1 << 13 // numbers
	dim := len(x) / max(len(dst), 1)
	piece := max(inCache/max(dim, 1), 16)
	sums, order := make([]float32, piece), make([]uint32, piece*dim)
	for at := 0; at < len(dst); at += piece {
		to := min(at+piece, len(dst))
		s, rows := sums[:to-at], order[:(to-at)*dim]
		clear(s)
		for i, v := range x[at*dim : to*dim] {
			rows[i] = orderOf(v)
		}
		for _, t := range c { // a tree stays in the cache while several rows go through it
			t.add(s, rows, dim)
		}
		for i, v := range s {
			dst[at+i] += factor * float64(v)
		}
	}
}

// add adds the tree's outputs for the rows of x to s.
func (t flatTree) add(s []float32, x []uint32, dim int) {
	nodes := t.nodes
	for i := range s {
		row := x[i*dim : (i+1)*dim]
		k := int32(0)
		for range t.depth {
			n := &nodes[k]
			above := uint64(int64(n.threshold)-int64(row[n.feature])) >> 63 // 1 if it is
			k = n.left + int32(above)
		}
		s[i] += nodes[k].value
	}
}

// Compile returns the forest in a form that is evaluated fast.
func (f *Forest) Compile() Compiled {
	c := make(Compiled, len(f.Trees))
	for k, t := range f.Trees {
		c[k] = flatTree{make([]flatNode, len(t)), depth(t)}
		for i, n := range t {
			c[k].nodes[i] = flatNode{n.Feature, n.Left, orderOf(n.Threshold), n.Value}
			if n.Left == 0 {
				c[k].nodes[i] = flatNode{0, int32(i), math.MaxUint32, n.Value}
			}
		}
	}
	return c
}

// depth returns the number of splits from the root to the deepest leaf.
func depth(t []Node) int {
	of := make([]int, len(t))
	deepest := 0
	for i, n := range t { // children come after their parents
		if n.Left != 0 {
			of[n.Left], of[n.Left+1] = of[i]+1, of[i]+1
			deepest = max(deepest, of[i]+1)
		}
	}
	return deepest
}

// Outputs returns the outputs for some rows of a matrix that has the bins of the one that the forest was fitted to.
func (f *Forest) Outputs(m *Matrix, rows []int32) []float32 {
	s := make([]float32, len(rows))
	for _, t := range f.Trees {
		m.add(s, rows, m.binned(t))
	}
	return s
}

// Check reports whether trees that were read from a file make sense for events of dim features.
func (f *Forest) Check(dim int) error {
	for k, t := range f.Trees {
		if len(t) == 0 {
			return fmt.Errorf("tree %d is empty", k)
		}
		for i, n := range t {
			switch {
			case n.Threshold-n.Threshold != 0 || n.Value-n.Value != 0:
				return fmt.Errorf("node %d of tree %d has the threshold %v and the value %v", i, k, n.Threshold, n.Value)
			case n.Feature < 0 || int(n.Feature) >= dim:
				return fmt.Errorf("node %d of tree %d splits by feature %d of %d", i, k, n.Feature, dim)
			case n.Left != 0 && (int(n.Left) <= i || int(n.Left)+1 >= len(t)): // paths go down, so they end
				return fmt.Errorf("node %d of tree %d is above node %d of %d", i, k, n.Left, len(t))
			}
		}
	}
	return nil
}
