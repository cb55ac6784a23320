package features

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// TestFeaturesInAnyUnits checks that a column has the same features in all units that a
// float64 can hold, whether its edges are found or not, and comes back.
func TestFeaturesInAnyUnits(t *testing.T) {
	const n = 3000
	for name, f := range map[string]func(r *rand.Rand) float64{
		"normal":      func(r *rand.Rand) float64 { return 3 + r.NormFloat64() },
		"exponential": func(r *rand.Rand) float64 { return r.ExpFloat64() },
		"log-normal":  func(r *rand.Rand) float64 { return math.Exp(r.NormFloat64()) },
		"Cauchy":      func(r *rand.Rand) float64 { return student(r, 1) },
		"with a spike": func(r *rand.Rand) float64 {
			return max(0, r.NormFloat64())
		},
	} {
		x := draw(n, f)
		features := func(scale float64) (z []float32, logDet []float64) {
			scaled := make([]float64, n)
			for i, v := range x {
				scaled[i] = v * scale
			}
			table := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", scaled)}}
			s, err := Fit(t.Context(), table, nil, Options{})
			if err != nil {
				t.Fatalf("%s × %g: %v", name, scale, err)
			}
			z, logDet = make([]float32, n), make([]float64, n)
			if err := s.Encode(t.Context(), z, logDet, table, Noise{}); err != nil {
				t.Fatal(err)
			}
			back := rootio.NewTable(s.Fields(), n)
			s.Decode(back, z, nil)
			for i, v := range back.Columns[0].Values().([]float64) {
				if d := math.Abs(v - scaled[i]); !(d <= 1e-5*math.Abs(scaled[i])+1e-6*scale) {
					t.Fatalf("%s × %g: %g comes back as %g", name, scale, scaled[i], v)
				}
			}
			return z, logDet
		}
		want, wantDet := features(1)
		for _, exponent := range []int{-1000, -130, 130, 1000} { // powers of two, for the digits
			scale := math.Ldexp(1, exponent)
			z, logDet := features(scale)
			for i := range z {
				shift := math.Log(scale)
				if slices.Contains([]float64{0}, x[i]) && name == "with a spike" {
					shift = 0
				}
				if math.Abs(float64(z[i]-want[i])) > 0.05 || math.Abs(logDet[i]+shift-wantDet[i]) > 0.1 {
					t.Errorf("%s × 2^%d: the feature of %g is %g, log|det| %g, not %g and %g", name, exponent, x[i]*scale, z[i], logDet[i], want[i], wantDet[i]-shift)
					break
				}
			}
		}
		if smallest := 1e-318; name != "with a spike" { // of which a float64 has few digits
			scaled := make([]float64, n)
			for i, v := range x {
				scaled[i] = v * smallest
			}
			if _, err := Fit(t.Context(), &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", scaled)}}, nil, Options{}); err != nil {
				t.Errorf("%s × %g: %v", name, smallest, err)
			}
		}
	}
}

// TestColumnsOfAnyUnitsTogether checks that nothing that looks at several columns overflows
// into the features.
func TestColumnsOfAnyUnitsTogether(t *testing.T) {
	const n = 2000
	for _, scale := range []float64{1e-300, 1e300} {
		table := &rootio.Table{}
		for _, name := range []string{"pt", "eta", "phi", "px", "py", "e"} {
			x := draw(n, func(r *rand.Rand) float64 { return scale * (2 + r.NormFloat64()) })
			if name == "e" {
				for i := range x {
					x[i] = scale * float64(i%97)
				}
			}
			table.Columns = append(table.Columns, rootio.ColumnOf(name, x))
		}
		s, err := Fit(t.Context(), table, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		z, logDet := make([]float32, n*s.Dim()), make([]float64, n)
		if err := s.Encode(t.Context(), z, logDet, table, Noise{}); err != nil {
			t.Fatal(err)
		}
		for i, v := range z {
			if !(math.Abs(float64(v)) < 10) {
				t.Fatalf("× %g: a feature of event %d is %g", scale, i/s.Dim(), v)
			}
		}
		for i, v := range logDet {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("× %g: log|det| of event %d is %g", scale, i, v)
			}
		}
	}
}
