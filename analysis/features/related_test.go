package features

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

// TestRelatedMomenta checks that rounded momenta which others nearly give are learnt
// as what is left of them, that they come back, and that unrelated ones are not touched. They do not follow within their
// rounding, and no names say that there is a vector: else formulas would give them.
func TestRelatedMomenta(t *testing.T) {
	const n = 20000
	r := rand.New(rand.NewPCG(1, 2))
	round := func(x float64) float32 { return float32(math.Round(1000*x) / 1000) }
	blur := func() float64 { return 1 + 0.003*r.NormFloat64() }
	pt, eta, phi, p, px, other := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range n {
		a, b, c := 0.1+r.ExpFloat64(), 0.9*r.NormFloat64(), math.Pi*(2*r.Float64()-1)
		pt[i], eta[i], phi[i] = round(a), round(b), round(c)
		p[i], px[i] = round(a*math.Cosh(b)*blur()), round(a*math.Cos(c)*blur())
		other[i] = float32(a * (1 + 0.1*r.NormFloat64()))
	}
	table := &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("k", pt), rootio.ColumnOf("l", eta), rootio.ColumnOf("m", phi),
		rootio.ColumnOf("p", p), rootio.ColumnOf("px", px), rootio.ColumnOf("other", other),
	}}
	s, err := Fit(t.Context(), table, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, st := range s.Steps {
		if r, ok := st.(*step.Residual); ok {
			found[r.Variable] = r.Relation
		}
	}
	if len(found) != 2 || found["p"] != "x cosh y" || found["px"] != "x cos y" {
		t.Fatalf("relations %v, p is %s", found, how(s, "p"))
	}
	z := make([]float32, n*s.Dim())
	if err := s.Encode(t.Context(), z, nil, table, Noise{Seed: 1}); err != nil {
		t.Fatal(err)
	}
	back := rootio.NewTable(s.Fields(), n)
	s.Decode(back, z, nil)
	for j, c := range table.Columns {
		x, y := make([]float64, n), make([]float64, n)
		c.Floats(x, 0)
		back.Columns[j].Floats(y, 0)
		others := 0
		for i := range x {
			switch d := math.Abs(x[i] - y[i]); {
			case d > 1.1e-3*math.Max(1, math.Abs(x[i])*1e-2):
				t.Fatalf("%s: %g comes back as %g", c.Name, x[i], y[i])
			case d > 1e-6*math.Abs(x[i]) && c.Name != "other":
				others++ // the rounding of features moved it to the next cell
			}
		}
		if others > n/20 {
			t.Errorf("%s: %d of %d values come back as others", c.Name, others, n)
		}
	}
}
