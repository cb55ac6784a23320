package features

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/rootio"
)

// hits draws from a geometric distribution with a random mean: a count with a long tail.
func hits(r *rand.Rand) float64 {
	mean := 3 * math.Exp(1.2*r.NormFloat64())
	return math.Floor(math.Log(1-r.Float64()) / math.Log(mean/(1+mean)))
}

func fitCounts(t *testing.T, kind rootio.Kind, x []float64) *Spec {
	t.Helper()
	s, err := Fit(t.Context(), &rootio.Table{Columns: []rootio.Column{columnOf(kind, x)}}, nil, Options{As: map[string]string{"x": "count"}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCounts checks that all that is drawn are counts, with the right frequencies, and that the
// probabilities of all counts add up to one, those of counts that no event had included.
func TestCounts(t *testing.T) {
	const n = 50000
	for _, kind := range []rootio.Kind{rootio.Int32, rootio.Int16, rootio.Uint8, rootio.Float32} {
		x := draw(n, func(r *rand.Rand) float64 { return min(hits(r), 200) })
		s := fitCounts(t, kind, x)
		c := &s.Columns[0]
		if c.As != column.Count {
			t.Fatalf("%v: treated as %s", kind, c.Describe())
		}
		inData := map[float64]int{}
		for _, v := range x {
			inData[v]++
		}
		drawn := map[float64]int{}
		r := rand.New(rand.NewPCG(2, 9))
		for range n {
			v := c.decode(r.NormFloat64())
			if v < 0 || v != math.Trunc(v) {
				t.Fatalf("%v: %g is drawn", kind, v)
			}
			drawn[v]++
		}
		for v := range 30 {
			a, b := float64(inData[float64(v)]), float64(drawn[float64(v)])
			if math.Abs(a-b) > 5*math.Sqrt(a+b)+0.05*a {
				t.Errorf("%v: %d is drawn %g times, and %g times in the data", kind, v, b, a)
			}
		}
		for _, z := range []float64{-40, 40, 1e6} {
			col := columnOf(kind, []float64{0})
			got := make([]float64, 1)
			col.SetFloats(0, []float64{c.decode(z)})
			if col.Floats(got, 0); got[0] != c.decode(z) || got[0] < 0 {
				t.Errorf("%v: the feature %g makes %g, which is %g in its type", kind, z, c.decode(z), got[0])
			}
		}
		sum, before := 0.0, 0.0
		for v := 0.0; v < 3e5; v++ {
			const parts = 8
			p := 0.0
			for i := range parts {
				z, logDet := c.encode(v, (float64(i)+0.5)/parts)
				p += math.Exp(logNormal(z)+logDet) / parts
			}
			if !(p > 0) || v > 1000 && p > before {
				t.Fatalf("%v: the probability of %g is %g, after %g", kind, v, p, before)
			}
			sum += p
			before = p
		}
		if math.Abs(sum-1) > 5e-3 {
			t.Errorf("%v: the probabilities of all counts add up to %g", kind, sum)
		}
	}
}

// TestCountsAreAskedFor checks that no column is taken for counts by itself, and that what are no
// counts is refused.
func TestCountsAreAskedFor(t *testing.T) {
	if c := fitOne(t, columnOf(rootio.Int32, draw(20000, hits))).Columns[0]; c.As == column.Count {
		t.Error("counts are recognised")
	}
	for _, x := range [][]float64{{0, 1, -1, 2}, {0, 1.5, 2, 3}} {
		table := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x)}}
		if _, err := Fit(t.Context(), table, nil, Options{As: map[string]string{"x": "count"}}); err == nil {
			t.Errorf("%g are taken for counts", x)
		}
	}
}

// TestCounted checks that the density of the feature is the probability of the count, spread over its cell.
func TestCounted(t *testing.T) {
	x := draw(20000, hits)
	s := fitCounts(t, rootio.Int32, x)
	list := s.Counted()
	if len(list) != 1 || list[0].Feature != 0 || list[0].Least != 0 {
		t.Fatalf("the features of counts are %+v", list)
	}
	d, c := &list[0], &s.Columns[0]
	for _, v := range append(x[:2000], 1000) {
		for _, u := range []float64{1.0 / 512, 0.3, 511.0 / 512} {
			z, slope := c.encode(v, u)
			if n, logDet := d.Split(float32(z)); n != v || math.Abs(logDet+slope) > 0.02 {
				t.Fatalf("the feature %g of %g is split in %g with %g, not %g", z, v, n, logDet, -slope)
			}
		}
		if got := c.decode(float64(d.Join(v))); got != v {
			t.Fatalf("%g becomes %g", v, got)
		}
	}
}
