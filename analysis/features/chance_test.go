package features

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
)

// isRelation reports whether a step says something of several columns.
func isRelation(s step.Step) bool {
	read, taken, _ := s.Variables()
	return len(read)+len(taken) > 1
}

// TestNoRelationsAmongIndependentColumns looks for relations where there are none, in
// columns of all sorts and units.
func TestNoRelationsAmongIndependentColumns(t *testing.T) {
	testenv.Slow(t, "it looks for relations in many samples")
	draws := map[string]func(r *rand.Rand) float64{
		"normal":      func(r *rand.Rand) float64 { return r.NormFloat64() },
		"narrow":      func(r *rand.Rand) float64 { return 1 + 1e-7*r.NormFloat64() },
		"exponential": func(r *rand.Rand) float64 { return r.ExpFloat64() },
		"uniform":     func(r *rand.Rand) float64 { return r.Float64() },
		"wide":        func(r *rand.Rand) float64 { return math.Exp(2 * r.NormFloat64()) },
		"angle":       func(r *rand.Rand) float64 { return math.Pi * (2*r.Float64() - 1) },
		"rounded":     func(r *rand.Rand) float64 { return math.Round(100*r.ExpFloat64()) / 100 },
		"codes":       func(r *rand.Rand) float64 { return float64(r.IntN(5)) },
		"often zero": func(r *rand.Rand) float64 {
			if r.IntN(3) > 0 {
				return 0
			}
			return r.ExpFloat64()
		},
	}
	var names []string
	for name := range draws {
		names = append(names, name)
	}
	slices.Sort(names)
	samples := 200
	if testenv.Long() {
		samples = 5000
	}
	for sample := range samples {
		r := rand.New(rand.NewPCG(5, uint64(sample)))
		n := int(100 * math.Pow(20, r.Float64()))
		table := &rootio.Table{}
		for _, name := range []string{"a", "b", "c"} {
			what := names[r.IntN(len(names))]
			kind, decades := rootio.Float64, 40.0
			if r.IntN(2) == 0 {
				kind, decades = rootio.Float32, 32
			}
			unit := math.Pow(10, decades*(2*r.Float64()-1))
			x := make([]float64, n)
			for i := range x {
				x[i] = unit * draws[what](r)
			}
			c := rootio.NewColumn(rootio.Field{Name: name + " " + what, Kind: kind}, n)
			c.SetFloats(0, x)
			table.Columns = append(table.Columns, c)
		}
		s, err := Fit(t.Context(), table, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range s.Steps {
			if isRelation(st) {
				_, taken, _ := st.Variables()
				t.Errorf("sample %d, %d events: %s is %s", sample, n, taken[0], how(s, taken[0]))
			}
		}
	}
}

// TestRelationsOfTinyColumns checks columns that are tiny in the units of their file,
// as a lifetime in seconds is: functions of these are constant beside the precision of numbers.
func TestRelationsOfTinyColumns(t *testing.T) {
	const n = 2000
	r := rand.New(rand.NewPCG(3, 1))
	tau, pt, eta, sigma1, sigma2, e := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range n {
		tau[i], pt[i], eta[i] = 1.5e-12*r.ExpFloat64(), 20+10*r.ExpFloat64(), 2*r.NormFloat64()
		sigma1[i], sigma2[i], e[i] = 1e-39*r.ExpFloat64(), 1e-39*r.ExpFloat64(), 10+r.ExpFloat64()
	}
	mostlyZero, other := make([]float64, n), make([]float64, n) // zero from zero is no evidence for the rest
	for i := range n {
		if r.IntN(3) == 0 {
			mostlyZero[i], other[i] = 1e30*r.ExpFloat64(), 1e30*r.ExpFloat64()
		}
	}
	for _, columns := range [][]rootio.Column{
		{rootio.ColumnOf("tau", tau), rootio.ColumnOf("pt", pt), rootio.ColumnOf("eta", eta)},
		{rootio.ColumnOf("sig1", sigma1), rootio.ColumnOf("sig2", sigma2), rootio.ColumnOf("E", e)},
		{rootio.ColumnOf("a", mostlyZero), rootio.ColumnOf("b", other), rootio.ColumnOf("eta", eta)},
	} {
		s, err := Fit(t.Context(), &rootio.Table{Columns: columns}, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range columns {
			if s.isTaken(c.Name) {
				t.Errorf("%s is %s", c.Name, how(s, c.Name))
			}
		}
	}
}

// isTaken reports whether a branch is no coordinate itself.
func (s *Spec) isTaken(name string) bool {
	return !slices.ContainsFunc(s.Columns, func(c Column) bool { return c.Name == name })
}

// TestRelationsByCancellation checks a column that is nearly constant, such as the mass of a
// muon, among others: with large factors any sum of their squares can be had.
func TestRelationsByCancellation(t *testing.T) {
	const n = 3000
	r := rand.New(rand.NewPCG(3, 2))
	pt, mass, iso3, iso4 := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range n {
		pt[i], mass[i] = float32(3+30/(0.01+r.Float64())), 0.10565837
		if r.IntN(100) == 0 {
			mass[i] = math.Nextafter32(mass[i], 1)
		}
		if iso3[i] = -999; r.IntN(4) > 0 {
			iso3[i] = float32(r.ExpFloat64())
		}
		if iso4[i] = iso3[i]; iso3[i] > 0 {
			iso4[i] += 0.3 * float32(r.ExpFloat64())
		}
	}
	table := &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("pt", pt), rootio.ColumnOf("mass", mass), rootio.ColumnOf("iso3", iso3), rootio.ColumnOf("iso4", iso4),
	}}
	s, err := Fit(t.Context(), table, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range s.Steps {
		if sum, ok := st.(*step.Sum); ok {
			t.Errorf("%s is %s", sum.Variable, how(s, sum.Variable))
		}
	}
}

// TestRelationsInAnyUnits checks that what belongs to a momentum is found in whatever
// units the momentum is, and comes back.
func TestRelationsInAnyUnits(t *testing.T) {
	const n = 1000
	for _, unit := range []float64{1, 1e3, 1e-30, 1e40, 1e-140, 1e140} {
		r := rand.New(rand.NewPCG(9, 3))
		names := []string{"px", "py", "pz", "pt", "p", "e", "twice", "phi", "eta"}
		x := make([][]float64, len(names))
		for j := range x {
			x[j] = make([]float64, n)
		}
		for i := range n {
			px, py, pz := unit*30*r.NormFloat64(), unit*30*r.NormFloat64(), unit*100*r.NormFloat64()
			pt := math.Hypot(px, py)
			p := math.Hypot(pt, pz)
			for j, v := range []float64{px, py, pz, pt, p, math.Hypot(p, 0.14*unit), 2 * px, math.Atan2(py, px), math.Asinh(pz / pt)} {
				x[j][i] = v
			}
		}
		table := &rootio.Table{}
		for j, name := range names {
			table.Columns = append(table.Columns, rootio.ColumnOf(name, x[j]))
		}
		s, err := Fit(t.Context(), table, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Dim() != 3 {
			for _, v := range s.Treatments() {
				t.Log(v.Name, v.How)
			}
			t.Errorf("in units of %g there are %d features", unit, s.Dim())
			continue
		}
		before, after, _ := roundTrip(t, s, table)
		for j := range before {
			scale := unit
			if names[j] == "phi" || names[j] == "eta" {
				scale = 1
			}
			for i, v := range before[j] {
				if !(math.Abs(after[j][i]-v) < 1e-4*(math.Abs(v)+scale)) {
					t.Fatalf("in units of %g %s is %g and comes back as %g", unit, names[j], v, after[j][i])
				}
			}
		}
	}
}
