package compare

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/rootio"
)

// values are what a sample has in a column.
type values struct {
	x    []float64 // in rising order
	w    []float64 // their weights, nil if all are one
	all  bin       // their sums
	left bin       // of what is left out
}

// bin holds the number of values in an interval and sums over them.
type bin struct {
	n         int
	w, w2, wx float64 // Σw, Σw², Σwx
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

func newValues(c rootio.Column, weights []float64) *values {
	v := &values{x: make([]float64, c.Len())}
	c.Floats(v.x, 0)
	if weights == nil {
		n := len(v.x)
		v.x = slices.DeleteFunc(v.x, func(x float64) bool { return !usable(x) })
		slices.Sort(v.x)
		left := float64(n - len(v.x))
		v.left = bin{n: n - len(v.x), w: left, w2: left}
	} else {
		type weighted struct{ x, w float64 }
		rows := make([]weighted, 0, len(v.x))
		for i, x := range v.x {
			if w := weights[i]; usable(x) {
				rows = append(rows, weighted{x, w})
			} else {
				v.left.add(bin{n: 1, w: w, w2: w * w})
			}
		}
		slices.SortFunc(rows, func(a, b weighted) int { return cmp.Compare(a.x, b.x) })
		v.x, v.w = v.x[:len(rows)], make([]float64, len(rows))
		for i, row := range rows {
			v.x[i], v.w[i] = row.x, row.w
		}
	}
	v.all = v.sum(0, len(v.x))
	return v
}

// sum adds up the values lo to hi−1.
func (v *values) sum(lo, hi int) bin {
	b := bin{n: hi - lo}
	if v.w == nil {
		b.w, b.w2 = float64(b.n), float64(b.n)
		for _, x := range v.x[lo:hi] {
			b.wx += x
		}
		return b
	}
	for i := lo; i < hi; i++ {
		w := v.w[i]
		b.w += w
		b.w2 += w * w
		b.wx += w * v.x[i]
	}
	return b
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
	n := v.all.effective()
	mean, variance := stat.PopMeanVariance(v.x, v.w)
	s.Min, s.Max = v.x[0], v.x[len(v.x)-1]
	if s.Min == s.Max || variance <= 0 {
		s.Mean = mean
		return s
	}
	s.Mean, s.Std = mean, math.Sqrt(variance)
	s.MeanError = s.Std / math.Sqrt(n)
	var fourth float64 // central moment
	for i, x := range v.x {
		d := x - mean
		fourth += v.weight(i) * d * d * d * d
	}
	fourth /= v.all.w
	s.StdError = math.Sqrt(max(0, fourth-variance*variance)/n) / (2 * s.Std)
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
		if n++; n > maxCodes {
			return false
		}
	}
	return n == 1 || !kind.IsFloat() || n*eventsPerFloatCode <= len(v.x)
}
