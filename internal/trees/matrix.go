package trees

import (
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/internal/parallel"
)

const (
	bins  = 256 // of a column
	block = 8   // columns whose bins are one word
)

// Matrix holds events as bins of their features.
type Matrix struct {
	rows   int
	edges  [][]float32 // of each feature, between its bins: bin k is (edges[k-1], edges[k]]
	blocks [][]uint64  // of each eight features, of each row, the bins: the first feature's in the lowest byte
}

// NewMatrix puts the features x (rows×dim) of events into at most 256 bins each: one for each value where there are
// so few, and otherwise with about as many events in each. What is not a number is below all others. The bins
// are those of the values in the first rows, so many as binned says.
func NewMatrix(x []float32, dim, binned int) *Matrix {
	if dim == 0 {
		return &Matrix{}
	}
	m := &Matrix{rows: len(x) / dim, edges: make([][]float32, dim), blocks: make([][]uint64, (dim+block-1)/block)}
	parallel.Ranges(len(m.blocks), 1, func(b, _ int) {
		words := make([]uint64, m.rows)
		values, spare := make([]uint32, binned), make([]uint32, binned)
		for f := b * block; f < min((b+1)*block, dim); f++ {
			for i := range values {
				values[i] = orderOf(x[i*dim+f])
			}
			values, spare = radixSort(values, spare)
			m.edges[f] = binEdges(values)
			find := newFinder(m.edges[f])
			shift := 8 * (f % block)
			for i := range words {
				words[i] |= uint64(find.bin(x[i*dim+f])) << shift
			}
		}
		m.blocks[b] = words
	})
	return m
}

// Rows returns the number of events.
func (m *Matrix) Rows() int { return m.rows }

// Dim returns the number of features.
func (m *Matrix) Dim() int { return len(m.edges) }

// orderOf returns a whole number that is in the order of the values; all that is not a number is 0.
func orderOf(v float32) uint32 {
	if v != v {
		return 0
	}
	u := math.Float32bits(v + 0) // not −0
	if u>>31 != 0 {
		return ^u
	}
	return u | 1<<31
}

// valueOf returns the value that has the order u, NaN for 0.
func valueOf(u uint32) float32 {
	switch {
	case u == 0:
		return float32(math.NaN())
	case u>>31 != 0:
		return math.Float32frombits(u &^ (1 << 31))
	}
	return math.Float32frombits(^u)
}

// radixSort sorts x. It returns the sorted slice and the other one.
func radixSort(x, spare []uint32) (sorted, other []uint32) {
	const digit = 11
	for shift := 0; shift < 32; shift += digit {
		var at [1 << digit]int
		for _, v := range x {
			at[v>>shift&(1<<digit-1)]++
		}
		sum := 0
		for d, n := range at {
			at[d] = sum
			sum += n
		}
		for _, v := range x {
			d := v >> shift & (1<<digit - 1)
			spare[at[d]] = v
			at[d]++
		}
		x, spare = spare, x
	}
	return x, spare
}

// binEdges returns at most bins−1 edges between sorted values. A value that fills a bin has one of its own.
func binEdges(sorted []uint32) []float32 {
	var values, counts []uint32
	for lo := 0; lo < len(sorted); {
		hi := lo + 1
		for hi < len(sorted) && sorted[hi] == sorted[lo] {
			hi++
		}
		values, counts = append(values, sorted[lo]), append(counts, uint32(hi-lo))
		lo = hi
	}
	var edges []float32
	left, free, inBin := len(sorted), bins, 0 // rows and bins that are left
	for k, n := range counts {
		inBin += int(n)
		last := k == len(counts)-1
		if !last && (len(counts) <= bins || inBin*free >= left || int(counts[k+1])*free >= left) && free > 1 {
			edges = append(edges, between(valueOf(values[k]), valueOf(values[k+1])))
			left, inBin = left-inBin, 0
			free--
		}
	}
	return edges
}

// between returns a number that is not below a and below b, as near the middle as can be.
func between(a, b float32) float32 {
	if m := a/2 + b/2; m >= a && m < b {
		return m
	}
	if a < -math.MaxFloat32 || a != a { // what is not a number is below all others
		return -math.MaxFloat32
	}
	return a
}

// finder finds bins fast: the edges, and where those of about the same value begin.
type finder struct {
	edges []float32
	start []uint16 // of each of some ranges of equal width, the number of edges in it and below
	low   float32
	scale float32
}

func newFinder(edges []float32) *finder {
	const ranges = 1024
	f := &finder{edges: edges}
	if len(edges) < 2 {
		return f
	}
	lo, hi := edges[0], edges[len(edges)-1]
	if f.scale = ranges / (hi - lo); !(f.scale > 0) || f.scale-f.scale != 0 || lo-lo != 0 {
		return f
	}
	f.low, f.start = lo, make([]uint16, ranges+1)
	for k, e := range edges {
		f.start[min(int((e-lo)*f.scale), ranges)] = uint16(k + 1)
	}
	for r := 1; r < len(f.start); r++ {
		f.start[r] = max(f.start[r], f.start[r-1])
	}
	return f
}

// bin returns the number of edges below v, which is that of its bin.
func (f *finder) bin(v float32) int {
	lo, hi := 0, len(f.edges)
	if f.start != nil {
		// Edges of lower ranges are below v, and those of higher ones are not.
		k := 0
		if r := (v - f.low) * f.scale; r >= 1 {
			k = int(min(r, float32(len(f.start)-1)))
			lo = int(f.start[k-1])
		}
		hi = int(f.start[k])
	}
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if v > f.edges[mid] {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// binned is a node whose threshold is a bin.
type binned struct {
	block int32
	left  int32
	value float32
	shift uint8
	bin   uint8 // the last one on the left
}

// binned returns a tree with bins as thresholds.
func (m *Matrix) binned(t []Node) []binned {
	b := make([]binned, len(t))
	for k, n := range t {
		b[k] = binned{left: n.Left, value: n.Value}
		if n.Left != 0 {
			f := int(n.Feature)
			b[k].block, b[k].shift = int32(f/block), uint8(8*(f%block))
			edge, _ := slices.BinarySearch(m.edges[f], n.Threshold)
			b[k].bin = uint8(edge)
		}
	}
	return b
}

// add adds the outputs of a tree for some rows to s.
func (m *Matrix) add(s []float32, rows []int32, tree []binned) {
	for j, i := range rows {
		k := int32(0)
		for tree[k].left != 0 {
			n := &tree[k]
			k = n.left
			if uint8(m.blocks[n.block][i]>>n.shift) > n.bin {
				k++
			}
		}
		s[j] += tree[k].value
	}
}
