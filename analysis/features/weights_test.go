package features

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/rootio"
)

// TestWeightsOfManyDecades checks that the features alone know how rare a tail is that has
// many events of little weight: slices of a falling spectrum, each with the same number of
// events, or few in the last.
func TestWeightsOfManyDecades(t *testing.T) {
	for name, events := range map[string][]int{"equal slices": {1000, 1000, 1000, 1000}, "few in the tail": {20000, 500, 500, 300}} {
		r := rand.New(rand.NewPCG(3, 8))
		var x, w []float64
		for slice, n := range events {
			lo := 10 * math.Pow(4, float64(slice))
			for range n { // dN/dx ∝ x⁻⁶ from 10 on
				v := lo * math.Pow(1-r.Float64()*(1-math.Pow(4, -5)), -1.0/5)
				x, w = append(x, v), append(w, math.Pow(lo/10, -5)*(1-math.Pow(4, -5))/float64(n))
			}
		}
		s, err := Fit(t.Context(), &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x)}}, w, Options{})
		if err != nil {
			t.Fatal(err)
		}
		sorted := slices.Sorted(slices.Values(x))
		for i := 0; i < len(sorted)-50; i += 50 {
			v, want := sorted[i], 0.0
			total := 0.0
			for k := range x {
				total += w[k]
				if x[k] > v {
					want += w[k]
				}
			}
			want /= total
			z, _ := s.Columns[0].encode(v, 0)
			if got := normalCDF(-z); math.Abs(math.Log(got/want)) > math.Log(1.5) {
				t.Errorf("%s: above %.4g is %.3g of the sum of weights, not %.3g", name, v, got, want)
			}
		}
	}
}

// TestWeightsOfBothSigns checks the features of a signal under a background that is
// subtracted by negative weights: codes, spikes, missing values and the distribution.
func TestWeightsOfBothSigns(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 8))
	const n = 6000
	var x, spiky, code, w []float64
	for i := range n {
		signal := i%2 == 0
		v := r.ExpFloat64() // background, half of it taken away by the other half
		k, s := float64(r.IntN(2)), 5.0
		w = append(w, float64(i%4-2))
		if signal {
			w[i] = 1
			v, k, s = 4+r.ExpFloat64()+r.ExpFloat64(), float64(2*r.IntN(2)), r.NormFloat64()
			if r.IntN(5) == 0 {
				s = math.NaN()
			}
		}
		x, spiky, code = append(x, v), append(spiky, s), append(code, k)
	}
	s, err := Fit(t.Context(), &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x), rootio.ColumnOf("spiky", spiky), rootio.ColumnOf("code", code)}}, w, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []float64{1, 2, 3, 4, 5, 6, 8} {
		sum, sum2, total := 0.0, 0.0, 0.0
		for i, v := range x {
			total += w[i]
			if v < at {
				sum += w[i]
				sum2 += w[i] * w[i]
			}
		}
		z, _ := s.Columns[0].encode(at, 0)
		if got := normalCDF(z); math.Abs(got-sum/total) > 2*math.Sqrt(sum2)/total+0.01 {
			t.Errorf("below %g is %.4f of the sum of weights, not %.4f ± %.4f", at, got, sum/total, math.Sqrt(sum2)/total)
		}
	}
	c := s.Columns[1]
	if len(c.Spikes) > 1 || len(c.Spikes) == 1 && c.Spikes[0].Fraction > 0.05 || math.Abs(c.Missing-0.2) > 0.03 {
		t.Errorf("of values that are gone, spikes are %v, and %.3f are missing", c.Spikes, c.Missing)
	}
	c = s.Columns[2]
	if _, p := c.Share(1); p > 0.05 || !slices.Equal(c.Codes, []float64{0, 1, 2}) {
		t.Errorf("of the codes %v code 1, which is gone, has the share %.3f", c.Codes, p)
	}
}

// TestMonotone checks the weights that are nearest to others and not negative.
func TestMonotone(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 8))
	for range 200 {
		n := 2 + r.IntN(40)
		x, w := make([]float64, n), make([]float64, n)
		for i := range x {
			x[i], w[i] = float64(i), r.NormFloat64()+0.5
		}
		s := column.NewSample(x, w)
		m := s.Monotone()
		sum := 0.0
		for _, v := range m.Weights {
			sum += v
			if v < 0 {
				t.Fatalf("of %v a weight is %g", w, v)
			}
		}
		if math.Abs(sum-s.Total) > 1e-9*s.Total {
			t.Fatalf("of %v the sum is %g, not %g", w, sum, s.Total)
		}
	}
	w := []float64{1, 2, 0.5, 3}
	if m := column.NewSample([]float64{0, 1, 2, 3}, w).Monotone(); !slices.Equal(m.Weights, w) {
		t.Errorf("positive weights %v become %v", w, m.Weights)
	}
}
