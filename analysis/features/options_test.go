package features

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// TestAs checks that columns are treated as asked for, come back, and that what makes
// no sense is an error.
func TestAs(t *testing.T) {
	const n = 5000
	r := rand.New(rand.NewPCG(1, 7))
	few, many, x, pt, turn, copied := make([]float32, n), make([]int32, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range n {
		few[i] = float32(r.IntN(10))
		many[i] = int32(r.IntN(1000))
		x[i] = r.NormFloat64()
		pt[i] = math.Exp(r.NormFloat64())
		turn[i] = 90 + 10*r.NormFloat64()
		copied[i] = x[i]
	}
	table := &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("few", few), rootio.ColumnOf("many", many), rootio.ColumnOf("x", x), rootio.ColumnOf("pt", pt),
		rootio.ColumnOf("turn", turn), rootio.ColumnOf("copied", copied),
	}}
	for _, c := range []struct{ name, as, how string }{
		{"few", "continuous", "logit between"},
		{"few", "standard", "standardised, normal spline of"},
		{"many", "codes", "99"},
		{"many", "integer", "integer, dequantised"},
		{"many", "asinh", "asinh of"},
		{"x", "asinh", "asinh of"},
		{"pt", "log", "log above 0"},
		{"pt", "standard", "standardised"},
		{"turn", "angle", "angle, cut at"},
		{"copied", "standard", "standardised"},
	} {
		s, err := Fit(t.Context(), table, nil, Options{As: map[string]string{c.name: c.as}})
		if err != nil {
			t.Errorf("%s as %s: %v", c.name, c.as, err)
			continue
		}
		if got := how(s, c.name); !strings.HasPrefix(got, c.how) {
			t.Errorf("%s as %s: %s, want %s", c.name, c.as, got, c.how)
		}
		before, after, _ := roundTrip(t, s, table)
		for j, b := range s.Branches {
			for i, v := range before[j] {
				if d := math.Abs(after[j][i] - v); d > 1e-4*(1+math.Abs(v)) || b.Kind != rootio.Float64 && d > 0 {
					t.Fatalf("%s as %s: %s = %g comes back as %g", c.name, c.as, b.Name, v, after[j][i])
				}
			}
		}
	}
	for _, c := range []struct{ name, as, says string }{
		{"few", "magic", `cannot be treated as "magic", but as codes, `},
		{"feww", "codes", "is not among those to learn; did you mean"},
		{"x", "codes", "5000 different values"},
		{"x", "integer", "its type is float64"},
		{"x", "log", "it has values down to -"},
		{"many", "angle", "it goes from 0 to 999"},
	} {
		if _, err := Fit(t.Context(), table, nil, Options{As: map[string]string{c.name: c.as}}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s as %s: error %v, want one that says %q", c.name, c.as, err, c.says)
		}
	}
}
