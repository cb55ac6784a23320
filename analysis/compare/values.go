package compare

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/rootio"
)

// sampled is how the events of a sample came about.
type sampled struct {
	w     []float64 // their weights, nil if all are one
	block []int32   // the block of each, nil if all events are independent: see Options.Blocks

	paired bool // whether the other sample has some of the blocks
}

func (s sampled) weight(i int) float64 {
	if s.w == nil {
		return 1
	}
	return s.w[i]
}

func (s sampled) take(places []int) sampled {
	return sampled{taken(s.w, places), taken(s.block, places), s.paired}
}

func taken[T any](x []T, places []int) []T {
	if x == nil {
		return nil
	}
	t := make([]T, len(places))
	for k, i := range places {
		t[k] = x[i]
	}
	return t
}

// values are what a sample has in a column.
type values struct {
	x       []float64 // in rising order
	sampled           // of these values
	all     bin       // their sums
	left    bin       // of what is left out

	sums []float64 // of blocks, all zero between uses
}

// bin holds the number of values in an interval and sums over them.
type bin struct {
	n         int
	w, w2, wx float64 // Σw, Σw², Σwx; in blocks, w2 is that of the sums of their weights
}

func (b *bin) add(o bin) {
	b.n += o.n
	b.w += o.w
	b.w2 += o.w2
	b.wx += o.wx
}

// less returns the sums over what is in b and not in o, a part of it.
func (b bin) less(o bin) bin { return bin{b.n - o.n, b.w - o.w, b.w2 - o.w2, b.wx - o.wx} }

// usable reports whether x can enter sums of fourth powers.
func usable(x float64) bool { return math.Abs(x) <= beyond }

func newValues(c rootio.Column, of sampled) *values {
	v := &values{x: c.Float64s()}
	if of.w == nil && of.block == nil {
		n := len(v.x)
		v.x = slices.DeleteFunc(v.x, func(x float64) bool { return !usable(x) })
		slices.Sort(v.x)
		left := float64(n - len(v.x))
		v.left = bin{n: n - len(v.x), w: left, w2: left}
		v.all = v.sum(0, len(v.x))
		return v
	}
	var places, left []int
	for i, x := range v.x {
		if usable(x) {
			places = append(places, i)
		} else {
			left = append(left, i)
		}
	}
	slices.SortFunc(places, func(i, j int) int { return cmp.Or(cmp.Compare(v.x[i], v.x[j]), i-j) })
	out := &values{x: make([]float64, len(left)), sampled: of.take(left)}
	v.left = out.sum(0, len(left))
	v.x, v.sampled = taken(v.x, places), of.take(places)
	v.all = v.sum(0, len(v.x))
	return v
}

// sum adds up the values lo to hi−1.
func (v *values) sum(lo, hi int) bin {
	b := bin{n: hi - lo}
	if v.w == nil && v.block == nil {
		b.w, b.w2 = float64(b.n), float64(b.n)
		for _, x := range v.x[lo:hi] {
			b.wx += x
		}
		return b
	}
	for i := lo; i < hi; i++ {
		w := v.weight(i)
		b.w += w
		b.w2 += w * w
		b.wx += w * v.x[i]
	}
	if v.block != nil && hi-lo > 1 {
		b.w2 = v.squares(lo, hi, v.weight)
	}
	return b
}

// squares is the sum of the squares of f over the values lo to hi−1: of its sums in
// blocks, where events come in blocks. It is the variance of the sum of f, if the mean of f is
// zero or the number of events is random.
func (v *values) squares(lo, hi int, f func(i int) float64) (sum float64) {
	if v.block == nil {
		for i := lo; i < hi; i++ {
			sum += f(i) * f(i)
		}
		return sum
	}
	sums := v.blockSums(lo, hi, f)
	for _, b := range v.block[lo:hi] {
		sum += sums[b] * sums[b]
		sums[b] = 0
	}
	return sum
}

// blockSums returns the sums of f over the values lo to hi−1 in each block. Whoever
// asks for them sets them to zero again.
func (v *values) blockSums(lo, hi int, f func(i int) float64) []float64 {
	if v.sums == nil && len(v.block) > 0 {
		v.sums = make([]float64, slices.Max(v.block)+1)
	}
	for i := lo; i < hi; i++ {
		v.sums[v.block[i]] += f(i)
	}
	return v.sums
}

// effective is the effective number of values, (Σw)²/Σw².
func (b bin) effective() float64 { return b.w * b.w / b.w2 }

// events is the effective number of values as a whole number.
func (b bin) events() float64 {
	if b.w2 <= 0 {
		return 0
	}
	return math.Ceil(b.effective() - 1e-9)
}

func (v *values) summary() Summary {
	s := Summary{LeftOut: v.left.n}
	if v.all.w <= 0 {
		return s
	}
	mean, variance := stat.PopMeanVariance(v.x, v.w)
	s.Min, s.Max = v.x[0], v.x[len(v.x)-1]
	if s.Min == s.Max || variance <= 0 {
		s.Mean = mean
		return s
	}
	s.Mean, s.Std = mean, math.Sqrt(variance)
	// Events of large weight are rarely where those of small weight are.
	err := func(f func(x float64) float64) float64 {
		return math.Sqrt(v.squares(0, len(v.x), func(i int) float64 { return v.weight(i) * f(v.x[i]) })) / v.all.w
	}
	s.MeanError = err(func(x float64) float64 { return x - mean })
	s.StdError = err(func(x float64) float64 { return (x-mean)*(x-mean) - variance }) / (2 * s.Std)
	return s
}

// histogram sorts the values into the intervals [edges[k], edges[k+1]), the
// last of them closed. Edges rise strictly; values outside are not counted.
func (v *values) histogram(edges []float64) []bin {
	bins := make([]bin, len(edges)-1)
	lo, _ := slices.BinarySearch(v.x, edges[0])
	for k := range bins {
		n, _ := slices.BinarySearch(v.x[lo:], edges[k+1])
		hi := lo + n
		if k == len(bins)-1 {
			for hi < len(v.x) && v.x[hi] == edges[k+1] {
				hi++
			}
		}
		bins[k] = v.sum(lo, hi)
		lo = hi
	}
	return bins
}

// cellsIn returns the interval of each value, as in histogram.
func (v *values) cellsIn(edges []float64) []int {
	cell, k := make([]int, len(v.x)), 0
	for i, x := range v.x {
		for k < len(edges)-2 && x >= edges[k+1] {
			k++
		}
		cell[i] = k
	}
	return cell
}

// quantileEdges returns the edges of at most n cells that cover all of a and
// b, between equally spaced quantiles of each.
func quantileEdges(a, b *values, n int) []float64 {
	edges := make([]float64, 0, n+2)
	for _, x := range [][]float64{a.x, b.x} {
		for k := range n/2 + 1 {
			edges = append(edges, x[k*(len(x)-1)/(n/2)])
		}
	}
	slices.Sort(edges)
	return slices.Compact(edges)
}

// runs calls yield for each different value with its sums, in rising order,
// until yield returns false.
func (v *values) runs(yield func(x float64, b bin) bool) {
	for lo := 0; lo < len(v.x); {
		hi := lo + 1
		for hi < len(v.x) && v.x[hi] == v.x[lo] {
			hi++
		}
		if !yield(v.x[lo], v.sum(lo, hi)) {
			return
		}
		lo = hi
	}
}

// areCodes reports whether the column is categorical, as [Column] says.
func (v *values) areCodes(kind rootio.Kind) bool {
	n := 0
	for range v.runs {
		if n++; n > column.MaxCodes {
			return false
		}
	}
	return column.AreFew(n, len(v.x), kind.IsFloat())
}
