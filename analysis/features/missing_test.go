package features

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/rootio"
)

// TestMissing checks that missing values come back, that the others do beside them,
// that the right proportion is drawn, and that the density of the others is that of
// their share of the events.
func TestMissing(t *testing.T) {
	const n, part = 20000, 0.2
	for name, c := range map[string]struct {
		f     func(r *rand.Rand) float64
		kind  column.Kind
		exact bool
	}{
		"normal":       {func(r *rand.Rand) float64 { return r.NormFloat64() }, column.Continuous, false},
		"with a spike": {func(r *rand.Rand) float64 { return max(r.NormFloat64(), -0.5) }, column.Continuous, false},
		"rounded":      {func(r *rand.Rand) float64 { return math.Round(1000*r.NormFloat64()) / 1000 }, column.Continuous, true},
		"codes":        {func(r *rand.Rand) float64 { return float64(r.IntN(5)) }, column.Codes, true},
		"one value":    {func(r *rand.Rand) float64 { return 1 }, column.Codes, true},
		"nothing":      {func(r *rand.Rand) float64 { return math.NaN() }, column.Constant, true},
	} {
		x := draw(n, func(r *rand.Rand) float64 {
			if r.Float64() < part {
				return math.NaN()
			}
			return c.f(r)
		})
		w := make([]float64, n)
		for i := range w {
			w[i] = 1
		}
		r := rand.New(rand.NewPCG(1, 3))
		table := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x), rootio.ColumnOf("y", draw(n, distributions["normal"]))}}
		for _, weights := range [][]float64{nil, w} {
			s, err := Fit(t.Context(), table, weights, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Check(&Context{}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			it := &s.Columns[0]
			if it.As != c.kind {
				t.Errorf("%s: %s", name, it.Describe())
			}
			before, after, z := roundTrip(t, s, table)
			for i, v := range before[0] {
				got := after[0][i]
				_, slope := it.encode(v, 0.5)
				tolerance := 1e-6*(1+math.Abs(v)) + 4e-7*(1+math.Abs(float64(z[i*s.Dim()])))*math.Exp(-slope)
				if c.exact {
					tolerance = 0
				}
				if math.IsNaN(v) != math.IsNaN(got) || math.Abs(v-got) > tolerance {
					t.Errorf("%s: %g comes back as %g", name, v, got)
					break
				}
			}
			if it.As == column.Constant {
				continue
			}
			missing := 0
			for range n {
				if math.IsNaN(it.decode(r.NormFloat64())) {
					missing++
				}
			}
			if d := math.Abs(float64(missing) - part*n); d > 5*math.Sqrt(2*n*part*(1-part)) {
				t.Errorf("%s: %d of %d drawn values are missing", name, missing, n)
			}
			if zf, ld := it.encode(math.NaN(), 0.3); math.Abs(logNormal(zf)+ld-math.Log(it.Missing)) > 1e-9 {
				t.Errorf("%s: the probability of a missing value is %g, want %g", name, math.Exp(logNormal(zf)+ld), it.Missing)
			}
			lo, hi := s.Limits(0.1)
			outside := 0
			for i := range n {
				if v := z[i*s.Dim()]; v < lo[0] || v > hi[0] {
					outside++
				}
			}
			if outside > 0 {
				t.Errorf("%s: %d events are outside of the limits", name, outside)
			}
		}
	}
}
