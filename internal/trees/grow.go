package trees

import (
	"math"
)

// grower grows trees on some rows of a matrix.
type grower struct {
	m    *Matrix
	o    Options
	loss Loss

	y, w            []float32  // of the rows, in the order in which they were given
	score           []float32  // the outputs so far
	first, second   []float32  // derivatives of the loss
	units           [2]float64 // the derivatives that 1 stands for
	given           []int32
	rows, spareRows []row // leaf by leaf
	free            []histogram
}

// row is a row of the matrix, its number among those that were given, and its derivatives.
type row struct {
	slopes cell
	at     int32 // in the matrix
	number int32
}

// cell is a sum of derivatives: the first in its upper half, with a sign, and the second in its lower half.
type cell int64

// sums returns the sums of the derivatives that a cell holds.
func (g *grower) sums(c cell) (first, second float64) {
	return float64(int32(c>>32)) * g.units[0], float64(uint32(c)) * g.units[1]
}

// histogram has block×bins cells for each block of features.
type histogram []cell

const blockCells = block * bins

// leaf is a part of the rows that may be split.
type leaf struct {
	lo, hi int // in grower.rows
	node   int
	depth  int
	sum    cell
	hist   histogram // nil if it is not to be split
	split  split
}

type split struct {
	gain    float64
	feature int
	bin     int // the last one on the left
	left    cell
}

func newGrower(m *Matrix, train []int32, y, w []float32, loss Loss, o Options) *grower {
	n := len(train)
	if o.Depth == 0 {
		o.Depth = o.Leaves
	}
	g := &grower{
		m: m, o: o, loss: loss, given: train,
		y: make([]float32, n), w: make([]float32, n), score: make([]float32, n),
		first: make([]float32, n), second: make([]float32, n),
		rows: make([]row, n), spareRows: make([]row, n),
	}
	for k, i := range train {
		g.y[k], g.w[k] = y[i], w[i]
	}
	return g
}

// differentiate finds the derivatives of the loss by the outputs of all rows, as whole numbers, and their sum.
func (g *grower) differentiate(round int) (all cell) {
	n := len(g.given)
	g.loss.Slopes(g.first, g.second, g.score, g.y)
	var first, second float64 // sums of their sizes
	for i, w := range g.w {
		g.first[i] *= w
		g.second[i] *= w
		first += math.Abs(float64(g.first[i]))
		second += float64(g.second[i])
	}
	// No sum of rounded numbers leaves its half of a word.
	const most = 1<<31 - 1
	room := float64(most - n - 1)
	scale := [2]float64{room / max(first, 1e-30), room / max(second, 1e-30)}
	g.units = [2]float64{1 / scale[0], 1 / scale[1]}
	random := g.o.Seed*0x9e3779b97f4a7c15 ^ uint64(round)*0xbf58476d1ce4e5b9
	for k, i := range g.given {
		// Knuth's linear congruential generator: its upper bits are good enough for rounding.
		random = random*6364136223846793005 + 1442695040888963407
		const unit = 1.0 / (1 << 20)
		a := float64(g.first[k])*scale[0] + float64(random>>44)*unit
		b := float64(g.second[k])*scale[1] + float64(random>>24&(1<<20-1))*unit
		c := cell((int64(a+most)-most)<<32 + int64(b)) // of a positive number int64 is the floor
		g.rows[k] = row{c, i, int32(k)}
		all += c
	}
	return all
}

// grow returns the tree that lowers the loss most, and adds it to the outputs.
func (g *grower) grow(round int) []Node {
	root := leaf{hi: len(g.rows), sum: g.differentiate(round)}
	nodes := []Node{{}}
	if g.splits(&root) {
		root.hist = g.histogramOf(0, len(g.rows))
		g.findSplit(&root)
	}
	leaves := []leaf{root}
	for len(leaves) < g.o.Leaves {
		best := 0
		for k := range leaves {
			if leaves[k].split.gain > leaves[best].split.gain {
				best = k
			}
		}
		l := leaves[best]
		s := l.split
		if s.gain <= 0 {
			break
		}
		mid := g.partition(l.lo, l.hi, s)
		nodes[l.node].Feature, nodes[l.node].Threshold = int32(s.feature), g.m.edges[s.feature][s.bin]
		nodes[l.node].Left = int32(len(nodes))
		a := leaf{lo: l.lo, hi: mid, node: len(nodes), depth: l.depth + 1, sum: s.left}
		b := leaf{lo: mid, hi: l.hi, node: len(nodes) + 1, depth: l.depth + 1, sum: l.sum - s.left}
		nodes = append(nodes, Node{}, Node{})
		if len(leaves)+1 < g.o.Leaves {
			g.look(&a, &b, l.hist)
		} else {
			g.free = append(g.free, l.hist)
		}
		leaves[best] = a
		leaves = append(leaves, b)
	}
	for _, l := range leaves {
		first, second := g.sums(l.sum)
		v := float32(-g.o.Rate * first / (second + g.o.Ridge))
		nodes[l.node].Value = v
		for _, r := range g.rows[l.lo:l.hi] {
			g.score[r.number] += v
		}
		if l.hist != nil {
			g.free = append(g.free, l.hist)
		}
	}
	return nodes
}

// splits reports whether a leaf may be split.
func (g *grower) splits(l *leaf) bool {
	_, second := g.sums(l.sum)
	return l.depth < g.o.Depth && l.hi-l.lo >= 2 && second >= 2*g.o.Least
}

// look finds the splits of the two parts of a leaf that had the histogram hist.
func (g *grower) look(a, b *leaf, hist histogram) {
	if b.hi-b.lo < a.hi-a.lo {
		a, b = b, a
	}
	small, large := g.splits(a), g.splits(b)
	if small || large {
		a.hist = g.histogramOf(a.lo, a.hi)
	}
	if large {
		b.hist = hist
		for k, c := range a.hist {
			hist[k] -= c
		}
		g.findSplit(b)
	} else {
		g.free = append(g.free, hist)
	}
	if small {
		g.findSplit(a)
	}
}

// histogramOf fills the histograms of all features of the rows [lo, hi).
func (g *grower) histogramOf(lo, hi int) histogram {
	var hist histogram
	if last := len(g.free) - 1; last >= 0 {
		hist, g.free = g.free[last], g.free[:last]
		clear(hist)
	} else {
		hist = make(histogram, len(g.m.blocks)*blockCells)
	}
	for b, words := range g.m.blocks {
		fill((*[blockCells]cell)(hist[b*blockCells:]), words, g.rows[lo:hi])
	}
	return hist
}

// fill adds the derivatives of rows to the bins of eight features. No index needs a check: it is a byte and a constant.
func fill(cells *[blockCells]cell, words []uint64, rows []row) {
	for i := range rows {
		r := &rows[i]
		w, s := words[r.at], r.slopes
		cells[uint(uint8(w))] += s
		cells[1*bins+uint(uint8(w>>8))] += s
		cells[2*bins+uint(uint8(w>>16))] += s
		cells[3*bins+uint(uint8(w>>24))] += s
		cells[4*bins+uint(uint8(w>>32))] += s
		cells[5*bins+uint(uint8(w>>40))] += s
		cells[6*bins+uint(uint8(w>>48))] += s
		cells[7*bins+uint(uint8(w>>56))] += s
	}
}

// findSplit finds the best split of a leaf, of the first feature if several are as
// good.
func (g *grower) findSplit(l *leaf) {
	l.split = split{}
	ridge, least := g.o.Ridge, g.o.Least
	first, second := g.sums(l.sum)
	whole := first * first / (second + ridge)
	best := whole + 1e-9
	for f, edges := range g.m.edges {
		cells := l.hist[f*bins:][:len(edges)]
		var left cell
		for k, c := range cells {
			if c == 0 {
				continue
			}
			left += c
			ga, ha := g.sums(left)
			gb, hb := first-ga, second-ha
			if ha < least {
				continue
			}
			if hb < least {
				break
			}
			ha, hb = ha+ridge, hb+ridge
			if gain := ga*ga*hb + gb*gb*ha; gain > best*ha*hb {
				best = gain / (ha * hb)
				l.split = split{best - whole, f, k, left}
			}
		}
	}
}

// partition sorts the rows [lo, hi) into those on the left and those on the right
// of a split, keeps their order, and returns where the latter begin.
func (g *grower) partition(lo, hi int, s split) int {
	words, shift := g.m.blocks[s.feature/block], 8*(s.feature%block)
	rows, others, last := g.rows[lo:hi], g.spareRows[:hi-lo], uint32(s.bin)
	left, right := 0, 0
	for _, r := range rows {
		rows[left], others[right] = r, r
		step := int((uint32(uint8(words[r.at]>>shift)) - last - 1) >> 31) // 1 on the left: a branch would be wrong every other time
		left += step
		right += 1 - step
	}
	copy(rows[left:], others[:right])
	return lo + left
}
