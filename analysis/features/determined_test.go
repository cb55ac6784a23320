package features

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
)

// how returns what is said about a branch.
func how(s *Spec, name string) string {
	for _, v := range s.Treatments() {
		if v.Name == name {
			return v.How
		}
	}
	return ""
}

// TestDetermined checks that branches which others determine are found, are no
// features, and come back: exactly for integers and copies, else but for the rounding
// of floating-point numbers. Branches that are nearly determined stay.
func TestDetermined(t *testing.T) {
	const n = 5000
	r := rand.New(rand.NewPCG(4, 2))
	table := &rootio.Table{}
	add := func(name string, kind rootio.Kind, f func(i int) float64) func(i int) float64 {
		c := rootio.NewColumn(rootio.Field{Name: name, Kind: kind}, n)
		x := make([]float64, n)
		for i := range x {
			x[i] = f(i)
		}
		c.SetFloats(0, x)
		c.Floats(x, 0)
		table.Columns = append(table.Columns, c)
		return func(i int) float64 { return x[i] }
	}
	const f32, f64, i32, boolean = rootio.Float32, rootio.Float64, rootio.Int32, rootio.Bool
	px := add("px", f32, func(int) float64 { return 30 * r.NormFloat64() })
	py := add("py", f32, func(int) float64 { return 30 * r.NormFloat64() })
	pz := add("pz", f64, func(int) float64 { return 300 * r.NormFloat64() })
	p := add("p", f64, func(i int) float64 { return math.Sqrt(px(i)*px(i) + py(i)*py(i) + pz(i)*pz(i)) })
	add("e", f64, func(i int) float64 { return math.Sqrt(p(i)*p(i) + 0.1395*0.1395) })
	add("mev", f64, func(i int) float64 { return 1000 * px(i) })
	add("sum", f32, func(i int) float64 { return px(i) + py(i) - 2.5 })
	add("again", f32, py)
	add("nearly", f32, func(i int) float64 { return px(i) * (1 + 1e-5*r.Float64()) })
	q1 := add("q1", i32, func(int) float64 { return float64(2*r.IntN(2) - 1) })
	q2 := add("q2", i32, func(int) float64 { return float64(2*r.IntN(2) - 1) })
	add("q3", i32, func(i int) float64 { return 1 - q1(i) - q2(i) })
	mode := add("mode", i32, func(int) float64 { return float64(r.IntN(12)) })
	add("cc", boolean, func(i int) float64 { return math.Mod(math.Floor(mode(i)/3), 2) })
	add("rare", i32, func(i int) float64 {
		if i == 7 {
			return 1
		}
		return 0
	})
	add("angle", f32, func(int) float64 { return 57.3 + r.NormFloat64() })
	deg := table.Columns[len(table.Columns)-1]
	add("radian", f64, func(i int) float64 {
		x := make([]float64, 1)
		deg.Floats(x, i)
		return x[0] * math.Pi / 180
	})

	s, err := Fit(t.Context(), table, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"p": "= √(px² + py² + pz²)", "e": "= √(px² + py² + pz² + 0.0194603)", "mev": "= 1000·px", "sum": "= px + py − 2.5",
		"again": "= py", "nearly": "relative to px", "q3": "= −q1 − q2 + 1",
		"cc": "a function of mode", "rare": "2 codes, dequantised", "radian": "= 0.0174533·angle",
	} {
		if got := how(s, name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if s.Dim() != 9 { // px, py, pz, nearly, q1, q2, mode, rare, angle
		t.Errorf("%d features", s.Dim())
	}
	before, after, _ := roundTrip(t, s, table)
	for j, b := range s.Branches {
		for i := range n {
			tolerance := 0.0
			if b.Kind.IsFloat() {
				tolerance = 2e-6 * (math.Abs(before[j][i]) + 100)
			}
			if math.Abs(after[j][i]-before[j][i]) > tolerance {
				t.Fatalf("%s: %.9g comes back as %.9g", b.Name, before[j][i], after[j][i])
			}
		}
	}
	value := func(name string) []float64 { return after[slices.Index(s.Names(), name)] }
	for i := range n {
		if value("again")[i] != value("py")[i] {
			t.Fatalf("a copy is %g, the original %g", value("again")[i], value("py")[i])
		}
	}

	// Another event does not keep the relations.
	for _, name := range []string{"q3", "sum", "e", "cc"} {
		c, _ := table.Column(name)
		x := make([]float64, 1)
		c.Floats(x, 3)
		old := x[0]
		x[0] = 1 - x[0]
		c.SetFloats(3, x)
		logDet := make([]float64, n)
		if err := s.Encode(t.Context(), make([]float32, n*s.Dim()), logDet, table, Noise{}); err != nil {
			t.Fatal(err)
		}
		if !math.IsInf(logDet[3], -1) || math.IsInf(logDet[4], 0) {
			t.Errorf("with another value of %s, log|det| is %g; in the next event %g", name, logDet[3], logDet[4])
		}
		c.SetFloats(3, []float64{old})
	}
}

// TestNotDetermined checks that a small sample, and columns with much in common, are
// not taken for determined ones.
func TestNotDetermined(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for _, n := range []int{5, 20, 100, 1000} {
		table := &rootio.Table{}
		var sum []float64
		for j := range 12 {
			x := make([]float64, n)
			flag := make([]bool, n)
			for i := range x {
				x[i] = r.NormFloat64()
				flag[i] = r.Float64() < 0.05
			}
			if sum == nil {
				sum = make([]float64, n)
			}
			for i := range sum {
				sum[i] += x[i] + 1e-6*r.NormFloat64()
			}
			table.Columns = append(table.Columns, rootio.ColumnOf(string(rune('a'+j)), x), rootio.ColumnOf(string(rune('A'+j)), flag))
		}
		table.Columns = append(table.Columns, rootio.ColumnOf("sum", sum))
		s, err := Fit(t.Context(), table, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range s.Steps {
			if _, ok := st.(*step.Rounded); !ok && n > 20 {
				_, taken, _ := st.Variables()
				t.Errorf("%d events: %s %s", n, taken[0], how(s, taken[0]))
			}
		}
	}
}

// TestDecayChain checks a file of a decay, where it is at hand: the parent's momentum
// is the sum of its daughters', and all that belongs to a momentum is computed from it.
func TestDecayChain(t *testing.T) {
	file := testenv.SharedFile(t, "data/rapidsim_b2kee.root")
	tree, err := rootio.Open(context.Background(), "", file)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	var names []string
	for _, b := range tree.Branches() {
		names = append(names, b.Name)
	}
	table, err := tree.Read(names, 0, tree.Len())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Fit(t.Context(), table, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"B_PX": "= K_PX + ep_PX + em_PX", "B_E": "= K_E + ep_E + em_E", "B_PT": "= √(B_PX² + B_PY²)",
		"K_PHI": "= atan2(K_PY, K_PX)", "K_ETA": "= asinh(K_PZ/K_PT)", "K_TRUEE": "= √(K_TRUEP² + 0.243717)",
		"THETA": "always missing (NaN), restored on output",
		"B_M":   "= √(B_E² − B_PX² − B_PY² − B_PZ²)", "ep_E": "= √(ep_PX² + ep_PY² + ep_PZ² + 2.6112e-07)", "em_M": "= √(em_E² − em_P²)",
	} {
		if got := how(s, name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	before, after, _ := roundTrip(t, s, table)
	for j := range before {
		for i, v := range before[j] {
			if math.IsNaN(v) != math.IsNaN(after[j][i]) || math.Abs(after[j][i]-v) > 1e-3*(1+math.Abs(v)) {
				t.Fatalf("%s: %g comes back as %g", s.Branches[j].Name, v, after[j][i])
			}
		}
	}
}

// TestMassesAmongEnergies checks that masses are found which are tiny beside the energies:
// of a resonance from its daughters, of electrons whose energies another program has
// rounded here and there, and a column of masses that is nothing but rounding.
func TestMassesAmongEnergies(t *testing.T) {
	const n, electron = 2000, 0.00051099893
	r := rand.New(rand.NewPCG(4, 3))
	names := []string{"M", "E", "P", "PX", "PY", "PZ", "e_M", "e_E", "e_P"}
	x := make([][]float64, len(names))
	for j := range x {
		x[j] = make([]float64, n)
	}
	digits := func(v float64) float64 { return v * (1 + 1e-14*r.NormFloat64()) }
	for i := range n {
		m, px, py, pz := 5.28+0.1*r.NormFloat64(), 5*r.NormFloat64(), 5*r.NormFloat64(), 20+300*r.ExpFloat64()
		p := math.Sqrt(px*px + py*py + pz*pz)
		e := math.Sqrt(p*p + m*m)
		ep := 0.05 + 100*r.ExpFloat64()
		ee := digits(math.Sqrt(ep*ep + electron*electron))
		for j, v := range []float64{math.Sqrt(e*e - p*p), e, p, px, py, pz, math.Sqrt(max(ee*ee-ep*ep, 0)), ee, ep} {
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
	if s.Dim() != 5 { // four components, and the momentum of the electron
		for _, v := range s.Treatments() {
			t.Log(v.Name, v.How)
		}
		t.Fatalf("%d features", s.Dim())
	}
	z := make([]float32, n*s.Dim())
	for i := range z {
		z[i] = float32(0.5 * r.NormFloat64())
	}
	drawn := rootio.NewTable(s.Fields(), n)
	s.Decode(drawn, z, nil)
	of := func(name string) []float64 {
		c, _ := drawn.Column(name)
		return c.Values().([]float64)
	}
	for i := range n {
		e, p, m := of("E")[i], of("P")[i], of("M")[i]
		if d := e*e - p*p - m*m; math.Abs(d) > 1e-12*e*e {
			t.Fatalf("E² − P² − M² = %g of an event with E = %g", d, e)
		}
		px, py, pz := of("PX")[i], of("PY")[i], of("PZ")[i]
		if d := p*p - px*px - py*py - pz*pz; math.Abs(d) > 1e-12*p*p {
			t.Fatalf("P² is not the sum of squares by %g of an event with P = %g", d, p)
		}
		e, p = of("e_E")[i], of("e_P")[i]
		if d := e*e - p*p - electron*electron; math.Abs(d) > 1e-12*e*e {
			t.Fatalf("the electron's m² is off by %g at E = %g", d, e)
		}
	}
}
