package features

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/rootio"
)

// TestOutliersStayOutliers checks values with a gap of decades before them: they come back
// as they are, are as frequent as they were, nothing is in the gap, and they are said.
func TestOutliersStayOutliers(t *testing.T) {
	for name, f := range map[string]func(r *rand.Rand) float64{
		"normal":  func(r *rand.Rand) float64 { return 10 + 2*r.NormFloat64() },
		"rounded": func(r *rand.Rand) float64 { return math.Round(100*(10+2*r.NormFloat64())) / 100 },
		"tail":    func(r *rand.Rand) float64 { return math.Exp(r.NormFloat64()) },
		"integer": func(r *rand.Rand) float64 { return math.Floor(1000 * r.Float64()) },
	} {
		x := draw(2500, f)
		outliers := []float64{-1e9, 1e9, 3e12}
		for i, v := range outliers {
			x[700*i+1] = v
		}
		kind := rootio.Float64
		if name == "integer" {
			kind = rootio.Int64
		}
		col := columnOf(kind, x)
		s := fitOne(t, col)
		c := &s.Columns[0]
		if len(c.Spikes) != len(outliers) {
			t.Fatalf("%s: treated as %s", name, c.Describe())
		}
		if len(s.Steps) > 0 != (name == "rounded") {
			t.Errorf("%s: steps %v", name, s.Steps)
		}
		for i, spike := range c.Spikes {
			if spike.Value != outliers[i] || math.Abs(spike.Fraction*2500-1) > 1e-9 {
				t.Errorf("%s: outlier %+v", name, spike)
			}
		}
		before, after, _ := roundTrip(t, s, &rootio.Table{Columns: []rootio.Column{col}})
		for i, v := range before[0] {
			if math.Abs(v) > 1e6 && after[0][i] != v {
				t.Errorf("%s: %g comes back as %g", name, v, after[0][i])
			}
		}
		for z := -5.0; z < 5; z += 1e-3 {
			if v := c.decode(z); math.Abs(v) > 2e3 && !slices.Contains(outliers, v) {
				t.Errorf("%s: feature %g is %g", name, z, v)
				break
			}
		}
		if text := strings.Join(s.Outliers(), "; "); !strings.Contains(text, "x has 3 values") || !strings.Contains(text, "--where 'abs(x) < ") {
			t.Errorf("%s: it says %q", name, text)
		}
	}
}

// TestHeavyTailsHaveNoOutliers checks that a tail, however heavy, is not cut.
func TestHeavyTailsHaveNoOutliers(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 9))
	for name, f := range map[string]func(r *rand.Rand) float64{
		"Student, ν = 2": func(r *rand.Rand) float64 { return student(r, 2) },
		"Pareto":         func(r *rand.Rand) float64 { return 1 / (1 - r.Float64()) },
		"ten decades":    func(r *rand.Rand) float64 { return math.Pow(10, 10*r.Float64()) },
		"log-normal":     func(r *rand.Rand) float64 { return math.Exp(3 * r.NormFloat64()) },
	} {
		found := 0
		for range 100 {
			x := make([]float64, 500)
			for i := range x {
				x[i] = f(r)
			}
			spikes, _ := column.NewSample(x, nil).WithoutSpikes()
			found += len(spikes)
		}
		if found > 1 {
			t.Errorf("%s: %d outliers in 100 samples", name, found)
		}
	}
}
