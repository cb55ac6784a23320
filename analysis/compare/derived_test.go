package compare

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
)

// pairs returns the momenta of two muons from particles of 91 GeV and a width of 2.5 GeV that decay at random, as a detector would see those
// with a transverse momentum.
func pairs(n int, seed uint64) *rootio.Table {
	r := rand.New(rand.NewPCG(seed, 5))
	var x [6][]float64
	for range n {
		m := 91 + 2.5*r.NormFloat64()
		eta := 1.5 * r.NormFloat64()
		phi := math.Pi * (2*r.Float64() - 1)
		delta := 0.5 * r.NormFloat64()
		pt1 := 25 + 15*r.ExpFloat64()
		eta2 := 1.5 * r.NormFloat64()
		// m² = 2 pT₁ pT₂ (cosh Δη − cos Δφ)
		pt2 := m * m / (2 * pt1 * (math.Cosh(eta-eta2) + math.Cos(delta)))
		for i, v := range []float64{pt1, eta, phi, pt2, eta2, math.Remainder(phi+math.Pi+delta, 2*math.Pi)} {
			x[i] = append(x[i], v)
		}
	}
	t := &rootio.Table{}
	for i, name := range []string{"mu1_pt", "mu1_eta", "mu1_phi", "mu2_pt", "mu2_eta", "mu2_phi"} {
		t.Columns = append(t.Columns, rootio.ColumnOf(name, x[i]))
	}
	return t
}

// TestDerivedQuantities checks that masses that are wrong are seen where all columns are right, and that nothing is seen where nothing is
// wrong.
func TestDerivedQuantities(t *testing.T) {
	testenv.Slow(t, "it trains classifiers")
	const n = 2500
	ref, same, wrong := pairs(n, 1), pairs(n, 2), pairs(n, 3)
	pt2, _ := wrong.Column("mu2_pt")
	rand.New(rand.NewPCG(4, 4)).Shuffle(n, func(i, j int) {
		x := pt2.Values().([]float64)
		x[i], x[j] = x[j], x[i]
	})
	report := func(cand *rootio.Table, opts Options) *Report {
		r, err := Compare(t.Context(), ref, cand, opts)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Classify(t.Context(), ref, cand, classify.Options{Folds: 3, Hidden: 32}); err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := report(same, Options{})
	if r.Verdict != Compatible {
		t.Errorf("samples of one distribution: %s, AUC %.4f", r.Verdict, r.Classifier.AUC)
	}
	var text, page bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteHTML(t.Context(), &page, ref, same); err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{"m(mu1+mu2)", "ΔR(mu1,mu2)", "mass 0.1057 (a muon, by its name)"} {
		if !strings.Contains(strings.Join(strings.Fields(text.String()), " "), says) || !strings.Contains(page.String(), strings.ReplaceAll(says, "+", "&#43;")) {
			t.Errorf("a report does not say %s", says)
		}
	}
	if len(r.Correlations.Columns) != 6 {
		t.Errorf("correlations of %v", r.Correlations.Columns)
	}

	r = report(wrong, Options{})
	for _, c := range r.Columns {
		if want := c.Name == "m(mu1+mu2)"; want && c.Verdict != Differs || !c.Derived && c.Verdict != Compatible {
			t.Errorf("%s: %s", c.Name, c.Verdict)
		}
	}
	if k := r.tellingColumns(); len(k) == 0 || k[0].Name != "m(mu1+mu2)" {
		t.Errorf("the classifier looks at %v", k)
	}
	with := r.Classifier.AUC

	r = report(wrong, Options{NoDerived: true})
	if len(r.Columns) != 6 || len(r.Momenta) > 0 || r.Classifier.AUC > with {
		t.Errorf("without derived quantities: %d columns, AUC %.4f, and %.4f with them", len(r.Columns), r.Classifier.AUC, with)
	}
	// Only what the compared columns give is derived.
	r, err := Compare(t.Context(), ref, wrong, Options{Columns: []string{"mu1_pt", "mu1_eta", "mu1_phi", "mu2_pt"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Columns) != 4 {
		t.Errorf("%d columns", len(r.Columns))
	}
}
