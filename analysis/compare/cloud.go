package compare

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/rootio"
)

// cloud is a sample as points.
type cloud struct {
	n, dim int
	x      []float64 // n×dim
}

func newCloud(t *rootio.Table, columns []*Column) *cloud {
	c := &cloud{n: t.Len(), dim: len(columns)}
	c.x = make([]float64, c.n*c.dim)
	values := make([]float64, c.n)
	for k, column := range columns {
		of, _ := t.Column(column.Name)
		of.Floats(values, 0)
		for i, v := range values {
			if !usable(v) {
				v = column.Reference.Mean
			}
			c.x[i*c.dim+k] = v
		}
	}
	return c
}

func (c *cloud) row(i int) []float64 { return c.x[i*c.dim : (i+1)*c.dim] }

func (c *cloud) take(places []int) *cloud {
	t := &cloud{n: len(places), dim: c.dim, x: make([]float64, 0, len(places)*c.dim)}
	for _, i := range places {
		t.x = append(t.x, c.row(i)...)
	}
	return t
}

func (c *cloud) scaled(by []float64) *cloud {
	s := &cloud{c.n, c.dim, slices.Clone(c.x)}
	for i := range s.x {
		if d := by[i%c.dim]; d > 0 {
			s.x[i] /= d
		}
	}
	return s
}

func (c *cloud) general() blas64.General {
	return blas64.General{Rows: c.n, Cols: c.dim, Stride: c.dim, Data: c.x}
}

// draw returns n events, drawn with replacement.
func (c *cloud) draw(n int, cumulative []float64, rng *rand.Rand) *cloud {
	rows := make([]int, n)
	for k := range rows {
		if cumulative == nil {
			rows[k] = rng.IntN(c.n)
			continue
		}
		rows[k], _ = slices.BinarySearch(cumulative, rng.Float64()*cumulative[c.n-1])
	}
	return c.take(rows)
}

func cumulative(w []float64) []float64 {
	if w == nil {
		return nil
	}
	sums, sum := make([]float64, len(w)), 0.0
	for i, v := range w {
		sum += max(v, 0)
		sums[i] = sum
	}
	return sums
}

// choose picks at most most of n events, without replacement and in proportion to
// their weights (Efraimidis and Spirakis, Inf. Process. Lett. 97 (2006) 181).
func choose(n, most int, w []float64, rng *rand.Rand) []int {
	key, places := make([]float64, n), make([]int, 0, n)
	for i := range n {
		key[i] = rng.ExpFloat64()
		if w != nil {
			if w[i] <= 0 {
				continue
			}
			key[i] /= w[i]
		}
		places = append(places, i)
	}
	slices.SortFunc(places, func(i, j int) int { return cmp.Compare(key[i], key[j]) })
	return places[:min(len(places), most)]
}

// spreadOf makes the columns of clouds comparable: the same monotonic function of
// each column, linear in the bulk and logarithmic in the tails.
type spreadOf struct{ middle, width []float64 }

func newSpread(c *cloud) *spreadOf {
	s := &spreadOf{make([]float64, c.dim), make([]float64, c.dim)}
	x := make([]float64, c.n)
	for k := range c.dim {
		for i := range x {
			x[i] = c.row(i)[k]
		}
		slices.Sort(x)
		s.middle[k] = x[c.n/2]
		s.width[k] = (x[c.n*3/4] - x[c.n/4]) / 1.349
		if s.width[k] <= 0 {
			s.width[k] = math.Sqrt(stat.PopVariance(x, nil))
		}
	}
	return s
}

func (s *spreadOf) apply(c *cloud) {
	for i := range c.x {
		k := i % c.dim
		c.x[i] = math.Asinh((c.x[i] - s.middle[k]) / s.width[k])
	}
}

// all calls f for each number below n, on all processors, until ctx ends.
func all(ctx context.Context, n int, f func(i int)) {
	_ = parallel.Each(n, runtime.GOMAXPROCS(0), func(i int) error {
		if ctx.Err() == nil {
			f(i)
		}
		return nil
	})
}

// squares is the squared distance of two points, or some number that is at least
// enough.
func squares(x, y []float64, enough float64) float64 {
	sum := 0.0
	for k, v := range x {
		d := v - y[k]
		if sum += d * d; sum >= enough {
			break
		}
	}
	return sum
}
