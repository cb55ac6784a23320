package surrogate

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// TestResponse checks that a fast simulation has the resolution of its detector, where
// that is a thousandth of what is measured: quantities are learnt relative to what is true.
func TestResponse(t *testing.T) {
	testenv.Slow(t, "it trains")
	const n = 10000
	const ofPt, ofEta = 0.01, 0.001 // resolutions
	events := func(seed uint64) *rootio.Table {
		u := make([]float32, 4*n)
		philox.Normal(u, seed, 0, 0)
		x := make([][]float64, 4)
		for j := range x {
			x[j] = make([]float64, n)
		}
		for i := range n {
			e := u[4*i:]
			x[0][i], x[1][i] = 20*math.Exp(float64(e[0])), 1.5*float64(e[1])
			x[2][i], x[3][i] = x[0][i]*math.Exp(ofPt*float64(e[2])), x[1][i]+ofEta*float64(e[3])
		}
		table := &rootio.Table{}
		for j, name := range []string{"true_pt", "true_eta", "pt", "eta"} {
			table.Columns = append(table.Columns, rootio.ColumnOf(name, x[j]))
		}
		return table
	}
	opts := small
	opts.Model, opts.Condition = spline, []string{"true_pt", "true_eta"}
	opts.Train.Epochs = 5
	s := train(t, events(1), nil, opts)
	file := filepath.Join(t.TempDir(), "m")
	if err := s.Save(file); err != nil {
		t.Fatal(err)
	}
	s, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	given := events(2)
	out := rootio.NewTable(s.Fields(), n)
	if _, err := s.Generate(t.Context(), out, given, 1, 0); err != nil {
		t.Fatal(err)
	}
	p := make([]float64, n)
	if err := s.LogDensity(t.Context(), p, given, 0); err != nil {
		t.Fatal(err)
	}
	column := func(t *rootio.Table, name string) []float64 {
		c, _ := t.Column(name)
		return c.Values().([]float64)
	}
	check := func(what string, width func(i int) float64, want float64) {
		d := make([]float64, n)
		for i := range d {
			d[i] = width(i)
		}
		slices.Sort(d)
		if got := (d[n*84/100] - d[n*16/100]) / 2; math.Abs(got/want-1) > 0.05 {
			t.Errorf("the resolution of %s is %.4g, want %.4g", what, got, want)
		}
	}
	truePt, trueEta, pt, eta := column(given, "true_pt"), column(given, "true_eta"), column(out, "pt"), column(out, "eta")
	check("pt", func(i int) float64 { return math.Log(pt[i] / truePt[i]) }, ofPt)
	check("eta", func(i int) float64 { return eta[i] - trueEta[i] }, ofEta)
	kl := 0.0
	realPt, realEta := column(given, "pt"), column(given, "eta")
	for i, v := range p {
		a, b := math.Log(realPt[i]/truePt[i])/ofPt, (realEta[i]-trueEta[i])/ofEta
		kl += (-(a*a+b*b)/2 - math.Log(2*math.Pi*ofPt*ofEta*realPt[i]) - v) / n
	}
	if !(kl > -0.01 && kl < 0.03) {
		t.Errorf("KL(truth ‖ model) = %g", kl)
	}
}
