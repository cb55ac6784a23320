package features

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// TestFractions checks that branches which are asked to be below others come back, and that they
// are so in all drawn events, rounded or not, and above their threshold.
func TestFractions(t *testing.T) {
	const n, cut = 20000, 20
	r := rand.New(rand.NewPCG(19, 2))
	table := rootio.NewTable([]rootio.Field{{Name: "pt1", Kind: rootio.Float64}, {Name: "pt2", Kind: rootio.Float64}, {Name: "pt3", Kind: rootio.Float32}}, n)
	pt := make([][]float64, 3)
	for range n {
		v := cut + 40*r.ExpFloat64()
		for j := range pt {
			pt[j] = append(pt[j], math.Floor(1000*v)/1000)
			v = cut + (v-cut)*r.Float64()
		}
	}
	for j, x := range pt {
		table.Columns[j].SetFloats(0, x)
	}
	s, err := Fit(t.Context(), table, nil, Options{As: map[string]string{"pt3": "below:pt2", "pt2": "below:pt1"}})
	if err != nil {
		t.Fatal(err)
	}
	if how(s, "pt2") != "as a fraction of pt1" || how(s, "pt3") != "as a fraction of pt2" {
		t.Errorf("pt2: %s, pt3: %s", how(s, "pt2"), how(s, "pt3"))
	}
	before, after, z := roundTrip(t, s, table)
	for j := range before {
		for k, v := range before[j] {
			if math.Abs(after[j][k]-v) > 0.0011*(1+v/100) {
				t.Fatalf("%s = %g comes back as %g", s.Branches[j].Name, v, after[j][k])
			}
		}
	}
	for i := range z {
		z[i] = float32(2 * r.NormFloat64())
	}
	drawn := rootio.NewTable(s.Fields(), n)
	s.Decode(drawn, z, nil)
	for j := range pt {
		drawn.Columns[j].Floats(pt[j], 0)
	}
	for k := range n {
		if !(pt[0][k] >= pt[1][k] && float64(float32(pt[1][k])) >= pt[2][k] && pt[2][k] >= cut) {
			t.Fatalf("%g, %g, %g are drawn", pt[0][k], pt[1][k], pt[2][k])
		}
	}
	if _, ok := s.drawnDensity(t, drawn); !ok {
		t.Error("drawn events are impossible")
	}

	for _, c := range []struct{ as, of, message string }{
		{"pt1", "pt2", "it is "}, {"pt2", "nosuch", "there is no branch"}, {"pt2", "pt2", "another of them"},
	} {
		_, err := Fit(t.Context(), table, nil, Options{As: map[string]string{c.as: "below:" + c.of}})
		if err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s below %s: the error is %v", c.as, c.of, err)
		}
	}
	if !slices.Contains(Treatments(), "below:BRANCH") {
		t.Error("nobody is told")
	}
}
