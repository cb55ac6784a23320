package step

import (
	"math"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/formula"
	"github.com/eidolon-hep/eidolon/rootio"
)

// TestRatioToFormula checks that a branch whose ratio to a formula is learnt is positive: other events are impossible, and their
// coordinates finite.
func TestRatioToFormula(t *testing.T) {
	exact := column.Precision{Kind: rootio.Float64}
	s := &Formula{
		Variable: "p", Name: "x·y", Precision: exact, Deviates: true, Ratio: true,
		Operands: []formula.Operand{{Name: "x", Form: formula.Number, Columns: []string{"x"}}, {Name: "y", Form: formula.Number, Columns: []string{"y"}}},
		Parents:  map[string]column.Precision{"x": exact, "y": exact},
	}
	values := []float64{6, 7, 0, -6, 1e-200}
	f := &Frame{}
	f.Reset(len(values))
	for k, v := range values {
		f.Add("x")[k], f.Add("y")[k], f.Add("p")[k] = 2, 3, v
	}
	logDet := make([]float64, len(values))
	s.Forward(f, logDet, nil)
	for k, d := range f.At(s.deviation()) {
		want := 0.0 // y is the formula
		switch v := values[k]; {
		case v <= 0:
			want = math.Inf(-1)
		case v != 6:
			want = -math.Log(v)
		}
		if logDet[k] != want || math.IsInf(d, 0) || math.IsNaN(d) {
			t.Errorf("%g: the coordinate %g, log|det| %g, want %g", values[k], d, logDet[k], want)
		}
	}
	s.Inverse(f)
	for k, v := range values[:2] {
		if got := f.At("p")[k]; math.Abs(got-v) > 1e-12 {
			t.Errorf("%g comes back as %g", v, got)
		}
	}
}
