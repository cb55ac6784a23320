package features

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// momenta returns a table of particles with all that files have of them, and a cut
// on the transverse momentum.
func momenta[T float32 | float64](n int, r *rand.Rand) *rootio.Table {
	names := []string{"px", "py", "pz", "pt", "eta", "phi", "p", "e"}
	x := make([][]T, len(names))
	for j := range x {
		x[j] = make([]T, n)
	}
	for i := range n {
		pt, eta, phi := 20+10*r.ExpFloat64(), r.NormFloat64(), math.Pi*(2*r.Float64()-1)
		px, py, pz := T(pt*math.Cos(phi)), T(pt*math.Sin(phi)), T(pt*math.Sinh(eta))
		pt = math.Hypot(float64(px), float64(py))
		p := math.Hypot(pt, float64(pz))
		for j, v := range []float64{
			float64(px), float64(py), float64(pz), pt, math.Asinh(float64(pz) / pt), math.Atan2(float64(py), float64(px)),
			p, math.Sqrt(p*p + 0.1057*0.1057),
		} {
			x[j][i] = T(v)
		}
	}
	table := &rootio.Table{}
	for j, name := range names {
		table.Columns = append(table.Columns, rootio.ColumnOf(name, x[j]))
	}
	return table
}

// TestMomenta checks that of a momentum given twice over three numbers are learnt, in
// coordinates in which the cut is an edge and the azimuth an angle; that all branches
// come back; and the Jacobian, against finite differences.
func TestMomenta(t *testing.T) {
	const n = 5000
	r := rand.New(rand.NewPCG(4, 4))
	for name, table := range map[string]*rootio.Table{"float32": momenta[float32](n, r), "float64": momenta[float64](n, r)} {
		s, err := Fit(t.Context(), table, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Dim() != 3 {
			t.Fatalf("%s: %v", name, s.Treatments())
		}
		for _, c := range [][2]string{
			{"phi", "= atan2(py, px)"}, {"eta", "= asinh(pz/pt)"}, {"pt", "= √(px² + py²)"}, {"e", "= √("},
			{"pT(px, py)", "log above 20"}, {"φ(px, py)", "angle"}, {"η(px, py, pz)", "standardised"},
		} {
			if got := how(s, c[0]); !strings.HasPrefix(got, c[1]) {
				t.Errorf("%s: %s: %s, want %s", name, c[0], got, c[1])
			}
		}
		before, after, z := roundTrip(t, s, table)
		for j := range before {
			for i, v := range before[j] {
				if math.Abs(after[j][i]-v) > 1e-5*(1+math.Abs(v)) {
					t.Fatalf("%s: %s = %.9g comes back as %.9g", name, s.Branches[j].Name, v, after[j][i])
				}
			}
		}
		for i := range z {
			z[i] = float32(r.NormFloat64())
		}
		drawn := rootio.NewTable(s.Fields(), n)
		s.Decode(drawn, z, nil)
		pt := make([]float64, n)
		drawn.Columns[3].Floats(pt, 0)
		if least := slices.Min(pt); least < 19.95 {
			t.Errorf("%s: the cut at 20 is at %g in drawn events", name, least)
		}
		if _, ok := s.drawnDensity(t, drawn); !ok {
			t.Errorf("%s: drawn events are impossible", name)
		}
	}
}

// drawnDensity returns log|det| of events that the specification made, and whether
// all of them are possible.
func (s *Spec) drawnDensity(t *testing.T, table *rootio.Table) (logDet []float64, ok bool) {
	logDet = make([]float64, table.Len())
	if err := s.Encode(t.Context(), make([]float32, table.Len()*s.Dim()), logDet, table, Noise{}); err != nil {
		t.Fatal(err)
	}
	return logDet, !slices.ContainsFunc(logDet, func(v float64) bool { return math.IsInf(v, 0) || math.IsNaN(v) })
}
