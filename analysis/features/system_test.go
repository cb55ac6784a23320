package features

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go-hep.org/x/hep/fmom"

	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

// muons returns pairs of muons from a resonance of a width, in a table of float32.
func muons(n int, width float64, r *rand.Rand) *rootio.Table {
	return resonance(n, 91.2, width, muonMass, r)
}

const muonMass, kaonMass = 0.1057, 0.4937

// resonance returns its decays in two particles of a mass.
func resonance(n int, m, width, mass float64, r *rand.Rand) *rootio.Table {
	names := []string{"pt1", "eta1", "phi1", "pt2", "eta2", "phi2"}
	system := &step.System{Name: "Z", Vectors: []step.Vector{
		{Name: "a", Components: [3]string(names[:3]), Polar: true, From: -math.Pi, Mass: mass},
		{Name: "b", Components: [3]string(names[3:]), Polar: true, From: -math.Pi, Mass: mass},
	}}
	f := &step.Frame{}
	f.Reset(n)
	_, _, made := system.Variables()
	for i := range n {
		z := m + width*r.NormFloat64()
		if i%1000 == 0 {
			z = 2*mass + 0.8*(m-2*mass)
		}
		pt, phi, cos, phiStar := 8*math.Hypot(r.NormFloat64(), r.NormFloat64()), math.Pi*(2*r.Float64()-1), 2*r.Float64()-1, math.Pi*(2*r.Float64()-1)
		for j, v := range []float64{z, pt, r.NormFloat64(), phi, cos, phiStar} {
			f.Add(made[j].Name)[i] = v
		}
	}
	system.Inverse(f)
	table := &rootio.Table{}
	for _, name := range names {
		c := rootio.NewColumn(rootio.Field{Name: name, Kind: rootio.Float32}, n)
		c.SetFloats(0, f.At(name))
		table.Columns = append(table.Columns, c)
	}
	return table
}

var pair = Options{Vectors: []string{"a=pt1,eta1,phi1,0.1057", "b=pt2,eta2,phi2,0.1057"}, Systems: []string{"Z=a+b"}}

// TestSystemColumns checks that branches come back through the coordinates, and that
// independent features make events with the mass of the resonance.
func TestSystemColumns(t *testing.T) {
	kaons := Options{Vectors: []string{"a=pt1,eta1,phi1,0.4937", "b=pt2,eta2,phi2,0.4937"}, Systems: []string{"Z=a+b"}}
	for _, c := range []struct {
		opts           Options
		m, width, mass float64
		how            string // becomes of the second momentum
	}{
		{pair, 91.2, 2.5, muonMass, "by the mass of Z"},
		{pair, 91.2, 0.01, muonMass, "by the mass of Z"},
		// Close to the threshold there are two momenta for a mass.
		{kaons, 1.02, 0.002, kaonMass, "by system Z"},
	} {
		const n = 20000
		r := rand.New(rand.NewPCG(6, 6))
		table := resonance(n, c.m, c.width, c.mass, r)
		s, err := Fit(t.Context(), table, nil, c.opts)
		if err != nil {
			t.Fatal(err)
		}
		if s.Dim() != 6 {
			t.Errorf("%d features", s.Dim())
		}
		if got := how(s, "pt2"); got != c.how {
			t.Errorf("pt2: %s", got)
		}
		before, after, z := roundTrip(t, s, table)
		for j := range before {
			for i, v := range before[j] {
				if math.Abs(after[j][i]-v) > 2e-5*(1+math.Abs(v)) {
					t.Fatalf("%s = %.9g comes back as %.9g", s.Branches[j].Name, v, after[j][i])
				}
			}
		}
		for i := range z {
			z[i] = float32(r.NormFloat64())
		}
		drawn := rootio.NewTable(s.Fields(), n)
		s.Decode(drawn, z, nil)
		m := masses(drawn, c.mass)
		slices.Sort(m)
		if median, half := m[n/2], (m[n*84/100]-m[n*16/100])/2; math.Abs(median-c.m) > 0.05*c.width || math.Abs(half/c.width-1) > 0.05 {
			t.Errorf("the mass of drawn events is %.4f ± %.4f, want %g ± %g", median, half, c.m, c.width)
		}
	}
}

// masses returns the masses of pairs of particles of a mass.
func masses(table *rootio.Table, mass float64) []float64 {
	m := make([]float64, table.Len())
	for i := range m {
		c := func(j int) float64 { return float64(table.Columns[j].Values().([]float32)[i]) }
		a, b := fmom.NewPtEtaPhiM(c(0), c(1), c(2), mass), fmom.NewPtEtaPhiM(c(3), c(4), c(5), mass)
		m[i] = fmom.InvMass(&a, &b)
	}
	return m
}

// TestRoundedSystem checks that momenta which are rounded come back, and that drawn ones, wherever they are, have the mass that was drawn.
func TestRoundedSystem(t *testing.T) {
	const n = 5000
	r := rand.New(rand.NewPCG(6, 9))
	table := muons(n, 0.5, r)
	for _, c := range table.Columns {
		x := c.Values().([]float32)
		for i, v := range x {
			x[i] = float32(math.Round(float64(v)*1000) / 1000)
		}
	}
	s, err := Fit(t.Context(), table, nil, pair)
	if err != nil {
		t.Fatal(err)
	}
	before, after, z := roundTrip(t, s, table)
	for j := range before {
		wrong := 0 // rounded across the wall of a cell, of so many steps of the calculation
		for i, v := range before[j] {
			if d := math.Abs(after[j][i] - v); d > 0.0011 {
				t.Fatalf("%s: %g comes back as %g", s.Branches[j].Name, v, after[j][i])
			} else if d > 0 {
				wrong++
			}
		}
		if wrong > n/50 {
			t.Errorf("%s: %d of %d values do not come back", s.Branches[j].Name, wrong, n)
		}
	}
	lo, hi := s.Limits(0.1)
	for i := range z { // as far out as events may be in all but the mass
		if z[i] = float32(2 * r.NormFloat64()); s.Columns[i%6].Name == "m(Z)" {
			z[i] /= 4
		}
		z[i] = min(max(z[i], lo[i%6]), hi[i%6])
	}
	drawn := rootio.NewTable(s.Fields(), n)
	s.Decode(drawn, z, nil)
	for i, got := range masses(drawn, muonMass) {
		m := slices.IndexFunc(s.Columns, func(c Column) bool { return c.Name == "m(Z)" })
		// Momenta may be hardly more than what they are rounded to.
		rounding := 0.001/float64(drawn.Columns[0].Values().([]float32)[i]) + 0.001/float64(drawn.Columns[3].Values().([]float32)[i])
		if want := s.Columns[m].decode(float64(z[6*i+m])); math.Abs(got-want) > (0.01+rounding)*want {
			t.Fatalf("a mass of %g was drawn as %g", want, got)
		}
	}
}

func TestOptionErrors(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 7))
	table := muons(1000, 2.5, r)
	a, b := pair.Vectors[0], pair.Vectors[1]
	for _, c := range []struct {
		vectors, systems []string
		says             string
	}{
		{[]string{"a=pt1,eta1,phi1"}, nil, "must be name=pt,eta,phi,mass"},
		{[]string{"pt1,eta1,phi1,0"}, nil, "must be name=pt,eta,phi,mass"},
		{[]string{"a=pt1,eta1,phi1,-1"}, nil, "cannot be -1"},
		{[]string{a, a}, nil, "two vectors"},
		{[]string{a, b}, []string{"Z"}, "must be name=vector+vector"},
		{[]string{a, b}, []string{"Z=a"}, "must be name=vector+vector"},
		{[]string{a, b}, []string{"Z=a+c"}, `a vector "c", which is not declared`},
		{[]string{a, b}, []string{"Z=a+a"}, "more than once"},
		{[]string{a, b}, []string{"Z=a+b", "Y=b+a"}, "more than once"},
		{[]string{"a=pt1,eta1,phi1,pt2", b}, []string{"Z=a+b"}, "a mass and a component"},
		{[]string{"a=pt1,eta1,phi3,0", b}, []string{"Z=a+b"}, `no branch "phi3" to learn; did you mean`},
		{[]string{"a=pt1,eta1,phi1,eta", b}, []string{"Z=a+b"}, `no branch "eta"`},
	} {
		_, err := Fit(t.Context(), table, nil, Options{Vectors: c.vectors, Systems: c.systems})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, %v: error %v, want one that says %q", c.vectors, c.systems, err, c.says)
		}
	}
}

// TestSpecOfStepsSurvivesJSON checks that a stored specification with many steps does the same,
// and that damage to it is noticed.
func TestSpecOfStepsSurvivesJSON(t *testing.T) {
	const n = 2000
	r := rand.New(rand.NewPCG(6, 8))
	table := muons(n, 2.5, r)
	q, minus, flag, rounded, phi := make([]int32, n), make([]int32, n), make([]bool, n), make([]float64, n), make([]float32, n)
	for i := range q {
		q[i] = int32(r.IntN(4))
		minus[i], flag[i] = 7-q[i], q[i]%2 == 0
		rounded[i] = math.Round(1000*r.NormFloat64()) / 1000
		phi[i] = float32(math.Pi * (2*r.Float64() - 1))
	}
	met := make([]float32, n)
	for i := range met {
		met[i] = float32(math.Remainder(float64(phi[i])+0.1*r.NormFloat64(), 2*math.Pi))
	}
	table.Columns = append(table.Columns, rootio.ColumnOf("q", q), rootio.ColumnOf("minus", minus), rootio.ColumnOf("flag", flag),
		rootio.ColumnOf("rounded", rounded), rootio.ColumnOf("jet_phi", phi), rootio.ColumnOf("met_phi", met))
	s, err := Fit(t.Context(), table, nil, pair)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Steps) != 6 {
		t.Fatalf("%d steps", len(s.Steps))
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back Spec
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if err := back.Check(&Context{}); err != nil {
		t.Fatal(err)
	}
	_, _, a := roundTrip(t, s, table)
	_, _, b := roundTrip(t, &back, table)
	if !slices.Equal(a, b) {
		t.Error("the stored specification does something else")
	}
	for _, damage := range [][2]string{
		{`"sum":{"variable":"minus"`, `"sum":{"variable":"other"`}, {`"factor":-1`, `"factor":-1,"variable":"none"`},
		{`"relative_angle":{`, `"unknown":{`}, {`"components":["pt1"`, `"components":["pt2"`}, {`"step":1`, `"step":-1`},
		{`"keys":[`, `"keys":[9,`}, {`"branches":[{"name":"pt1"`, `"branches":[{"name":"pt3"`},
		{`"period":6`, `"period":-6`}, {`"vectors":[`, `"vectors":[{"name":"c"},`},
	} {
		bad := strings.Replace(string(text), damage[0], damage[1], 1)
		if bad == string(text) {
			t.Errorf("there is no %s", damage[0])
			continue
		}
		var s Spec
		if err := json.Unmarshal([]byte(bad), &s); err == nil && s.Check(&Context{}) == nil {
			t.Errorf("no error with %s", damage[1])
		}
	}
}
