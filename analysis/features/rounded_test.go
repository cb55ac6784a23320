package features

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

// roundTrip encodes a table, decodes it, and returns the columns as float64 before
// and after, and the features.
func roundTrip(t *testing.T, s *Spec, table *rootio.Table) (before, after [][]float64, z []float32) {
	t.Helper()
	if err := s.Check(&Context{}); err != nil {
		t.Fatal(err)
	}
	n := table.Len()
	z, logDet := make([]float32, n*s.Dim()), make([]float64, n)
	if err := s.Encode(t.Context(), z, logDet, table, Noise{Seed: 3}); err != nil {
		t.Fatal(err)
	}
	for i, ld := range logDet {
		if math.IsNaN(ld) || math.IsInf(ld, 0) {
			t.Fatalf("log|det| is %g in event %d", ld, i)
		}
	}
	back := rootio.NewTable(s.Fields(), n)
	s.Decode(back, z, nil)
	floats := func(t *rootio.Table) (all [][]float64) {
		for _, f := range s.Fields() {
			c, _ := t.Column(f.Name)
			x := make([]float64, n)
			c.Floats(x, 0)
			all = append(all, x)
		}
		return all
	}
	return floats(table), floats(back), z
}

func columnOf(kind rootio.Kind, x []float64) rootio.Column {
	c := rootio.NewColumn(rootio.Field{Name: "x", Kind: kind}, len(x))
	c.SetFloats(0, x)
	return c
}

// only returns the only step of a specification, and whether there is one, of a type.
func only[S step.Step](s *Spec) (st S, ok bool) {
	if len(s.Steps) != 1 {
		return st, false
	}
	st, ok = s.Steps[0].(S)
	return st, ok
}

// TestRounded checks columns of decimals and of counts: each value comes back as
// the same number, what a model draws are such values, within their range, and
// the density of the dequantised values is normalised.
func TestRounded(t *testing.T) {
	const n = 20000
	decimals := func(unit float64, f func(r *rand.Rand) float64) func(r *rand.Rand) float64 {
		return func(r *rand.Rand) float64 { return math.Round(f(r)*unit) / unit }
	}
	for _, c := range []struct {
		name string
		f    func(r *rand.Rand) float64
		unit float64
		kind rootio.Kind
	}{
		{"pT in MeV", decimals(1000, func(r *rand.Rand) float64 { return 0.1 + r.ExpFloat64() }), 0.001, rootio.Float32},
		{"eta", decimals(1000, func(r *rand.Rand) float64 { return r.NormFloat64() }), 0.001, rootio.Float32},
		{"azimuth", decimals(1000, func(r *rand.Rand) float64 { return 2 * math.Pi * r.Float64() }), 0.001, rootio.Float32},
		{"two digits", decimals(100, func(r *rand.Rand) float64 { return 100 * r.NormFloat64() }), 0.01, rootio.Float64},
		{"whole numbers", decimals(1, func(r *rand.Rand) float64 { return 400 * r.NormFloat64() }), 1, rootio.Float32},
		{"tens", decimals(0.1, func(r *rand.Rand) float64 { return 9000 * r.NormFloat64() }), 10, rootio.Float64},
		{"odd counts of 0.37", func(r *rand.Rand) float64 { return (2*math.Floor(200*r.ExpFloat64()) + 1) * 0.37 }, 0.74, rootio.Float32},
		{"with a spike", func(r *rand.Rand) float64 {
			if r.Float64() < 0.1 {
				return -9.9999
			}
			return math.Round(1000*r.NormFloat64()) / 100
		}, 0.01, rootio.Float64},
		{"sparse", decimals(100, func(r *rand.Rand) float64 { return 1000 * r.NormFloat64() }), 0.01, rootio.Float64},
	} {
		col := columnOf(c.kind, draw(n, c.f))
		table := &rootio.Table{Columns: []rootio.Column{col}}
		s := fitOne(t, col)
		r, ok := only[*step.Rounded](s)
		if !ok || r.Decimals == nil {
			t.Errorf("%s: treated as %v", c.name, s.Treatments())
			continue
		}
		if math.Abs(r.Decimals.Unit()-c.unit) > 1e-12 {
			t.Errorf("%s: the step is %g, want %g", c.name, r.Decimals.Unit(), c.unit)
		}
		before, after, z := roundTrip(t, s, table)
		if !slices.Equal(before[0], after[0]) {
			i := slices.IndexFunc(before[0], func(v float64) bool { i := slices.Index(before[0], v); return after[0][i] != v })
			t.Errorf("%s: %.9g comes back as %.9g", c.name, before[0][i], after[0][i])
		}

		for i := range z {
			z[i] = float32(12 * (float64(i)/n - 0.5))
		}
		drawn := rootio.NewTable(s.Fields(), n)
		s.Decode(drawn, z, nil)
		x := make([]float64, n)
		drawn.Columns[0].Floats(x, 0)
		for _, v := range x {
			if i := (v - before[0][0]) / c.unit; math.Abs(i-math.Round(i)) > 1e-3 && !slices.Contains(r.Except, v) {
				t.Errorf("%s: %.9g is drawn, %g steps from a value", c.name, v, i)
				break
			}
		}
		if slices.Min(x) < slices.Min(before[0]) || slices.Max(x) > slices.Max(before[0]) {
			t.Errorf("%s: drawn from %g to %g", c.name, slices.Min(x), slices.Max(x))
		}
	}
}

// TestNotRounded checks that floating-point numbers of full precision, which are
// all multiples of something, are not taken for rounded ones.
func TestNotRounded(t *testing.T) {
	for name, f := range distributions {
		for _, n := range []int{30, 1000, 20000} {
			for _, kind := range []rootio.Kind{rootio.Float32, rootio.Float64} {
				if name == "far away" && kind == rootio.Float32 {
					continue // multiples of 64, seen in every event
				}
				if s := fitOne(t, columnOf(kind, draw(n, f))); s.Columns[0].As == column.Continuous && len(s.Steps) > 0 {
					t.Errorf("%s, %d events of %v: %s", name, n, kind, s.Treatments()[0].How)
				}
			}
		}
	}
}

// TestUneven checks values that many events share and that are not equidistant: no others
// are drawn.
func TestUneven(t *testing.T) {
	x := draw(60000, func(r *rand.Rand) float64 {
		return math.Cbrt(math.Round(100 + 10*r.NormFloat64() + 500*float64(r.IntN(9))))
	})
	s := fitOne(t, columnOf(rootio.Float32, x))
	if s.Columns[0].As != column.Codes || len(s.Columns[0].Codes) < column.MaxCodes {
		t.Fatalf("treated as %v", s.Treatments())
	}
	before, after, _ := roundTrip(t, s, &rootio.Table{Columns: []rootio.Column{columnOf(rootio.Float32, x)}})
	if !slices.Equal(before[0], after[0]) {
		t.Error("the values do not come back")
	}
}

// TestRoundedDensity checks that the density of a dequantised value, times the step,
// is the probability of the value.
func TestRoundedDensity(t *testing.T) {
	const n, sigma = 200000, 2.0
	x := draw(n, func(r *rand.Rand) float64 { return math.Round(sigma*r.NormFloat64()*100) / 100 })
	col := columnOf(rootio.Float64, x)
	s := fitOne(t, col)
	z, logDet := make([]float32, n), make([]float64, n)
	if err := s.Encode(t.Context(), z, logDet, &rootio.Table{Columns: []rootio.Column{col}}, Noise{}); err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for i, v := range x {
		if math.Abs(v) < 2*sigma {
			want := logNormal(v/sigma) - math.Log(sigma)
			worst = max(worst, math.Abs(logNormal(float64(z[i]))+logDet[i]-want))
		}
	}
	if worst > 0.15 { // the spline's knots are quantiles of a sample
		t.Errorf("the log-density is off by %.3f", worst)
	}
}

func ExampleSpec_Treatments() {
	r := rand.New(rand.NewPCG(1, 2))
	pt := make([]float32, 10000)
	for i := range pt {
		pt[i] = float32(math.Round(1000*(20+10*r.ExpFloat64())) / 1000)
	}
	spec, err := Fit(context.Background(), &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("pt", pt)}}, nil, Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range spec.Treatments() {
		fmt.Println(v.Name, v.How)
	}
	// Output:
	// pt log above 20, normal spline of 14 knots, rounded to 0.001
}
