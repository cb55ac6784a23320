package find

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/vectors"
	"github.com/eidolon-hep/eidolon/rootio"
)

// TestRotation checks that rotation symmetry is seen where it is, in either kind of components and beside other choices, and not where the
// azimuth is not uniform, or a column, or the relation of two, depends on it.
func TestRotation(t *testing.T) {
	const n = 6000
	v, table := pairOfMuons(n)
	vc, tablec := cartesian(v, table)
	rotation := Choice{Kind: Rotation, Vectors: []string{"a", "b", "met"}}
	independent := func(v []vectors.Vector, table *rootio.Table, beside ...Choice) (string, string) {
		s, err := Steps(t.Context(), table, &rootio.Table{}, nil, Options{Vectors: vectors.Found{Vectors: v}, Choices: append(beside, rotation)})
		if err != nil {
			t.Fatal(err)
		}
		return s.Independent, s.NotSymmetric
	}
	for _, beside := range [][]Choice{nil, {{Kind: Mass, Vectors: []string{"a", "b"}}}, {{Kind: Decay, Vectors: []string{"a", "b"}}}, {{Kind: Balance, Vectors: []string{"met", "a", "b"}}}} {
		if got, why := independent(v, table, beside...); got != "phia" && got != "φ(a)" {
			t.Errorf("%v: %q is independent: %s", beside, got, why)
		}
		if got, why := independent(vc, tablec, beside...); !strings.HasPrefix(got, "φ(") {
			t.Errorf("px, py, %v: %q is independent: %s", beside, got, why)
		}
	}
	r := rand.New(rand.NewPCG(8, 2))
	var x [3][]float64
	for j := range x {
		x[j] = table.Columns[j].Float64s()
	}
	for name, change := range map[string]func(k int, x []float64) (float64, bool){
		"eta":    func(_ int, x []float64) (float64, bool) { return x[1] + 0.1*math.Cos(x[2]), true },
		"gap":    func(_ int, x []float64) (float64, bool) { return x[1], math.Abs(x[2]-1) > 0.15 },
		"offset": func(_ int, x []float64) (float64, bool) { return 0.01*r.NormFloat64() + 0.005*math.Sin(x[2]), true },
		"pairs": func(_ int, x []float64) (float64, bool) {
			return 0.3 * r.NormFloat64() * math.Sqrt(1+0.8*math.Sin(2*x[2])), true
		},
	} {
		changed := &rootio.Table{Columns: slices.Clone(table.Columns)}
		var kept []int
		var values []float64
		for k := range n {
			value, ok := change(k, []float64{x[0][k], x[1][k], x[2][k]})
			if values = append(values, value); ok {
				kept = append(kept, k)
			}
		}
		changed.Columns = append(changed.Columns, rootio.ColumnOf("other", values))
		if got, why := independent(v, changed.Take(kept)); got != "" || !strings.Contains(why, "phia") {
			t.Errorf("%s: %q is independent: %s", name, got, why)
		}
	}
}
