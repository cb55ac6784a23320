package features

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go-hep.org/x/hep/fmom"
	"gonum.org/v1/gonum/mat"

	"github.com/eidolon-hep/eidolon/rootio"
)

// aSystem returns a system of n vectors, polar or not, and the variables of some
// events, in the order of its branches.
func aSystem(n int, polar bool, r *rand.Rand, events int) (*System, *frame) {
	s := &System{Name: "X"}
	f := &frame{}
	f.reset(events)
	for i := range n {
		v := Vector{Name: fmt.Sprint("v", i), Polar: polar, Mass: []float64{0.106, 0, 5.3}[i%3], From: -math.Pi}
		for j := range v.Components {
			v.Components[j] = fmt.Sprint("c", i, j)
			x := f.add(v.Components[j])
			for k := range x {
				switch {
				case !polar:
					x[k] = 20 * r.NormFloat64()
				case j == 0:
					x[k] = 20 * r.ExpFloat64()
				case j == 1:
					x[k] = 2 * r.NormFloat64()
				default:
					x[k] = math.Pi * (2*r.Float64() - 1)
				}
			}
		}
		if i == 1 {
			v.MassBranch, v.Mass = "m1", 0
			for k := range f.add("m1") {
				f.at("m1")[k] = 0.5 + r.ExpFloat64()
			}
		}
		s.Vectors = append(s.Vectors, v)
	}
	return s, f
}

func copyFrame(f *frame) *frame {
	g := &frame{}
	g.reset(f.n)
	for name, x := range f.values {
		copy(g.add(name), x)
	}
	return g
}

// TestSystem checks that the coordinates of systems of two to four vectors are undone
// by the way back, that their logarithm of the Jacobian is that of finite differences,
// and that they are what go-hep's four-vectors say.
func TestSystem(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for n := 2; n <= 4; n++ {
		for _, polar := range []bool{true, false} {
			const events = 50
			s, f := aSystem(n, polar, r, events)
			if !s.isSound() {
				t.Fatal("the system is not sound")
			}
			_, taken, made := s.variables()
			before, logDet := copyFrame(f), make([]float64, events)
			s.forward(f, logDet, nil)
			after := copyFrame(f)

			for k := range events {
				sum := fmom.NewPxPyPzE(0, 0, 0, 0)
				var all []fmom.PxPyPzE
				for i, v := range s.Vectors {
					c := [3]float64{before.at(v.Components[0])[k], before.at(v.Components[1])[k], before.at(v.Components[2])[k]}
					m := v.Mass
					if v.MassBranch != "" {
						m = before.at(v.MassBranch)[k]
					}
					p := fmom.NewPxPyPzE(c[0], c[1], c[2], math.Sqrt(c[0]*c[0]+c[1]*c[1]+c[2]*c[2]+m*m))
					if polar {
						q := fmom.NewPtEtaPhiM(c[0], c[1], c[2], m)
						p.Set(&q)
					}
					all = append(all, p)
					fmom.IAdd(&sum, &all[i])
				}
				for i, want := range []float64{sum.M(), sum.Pt(), sum.Rapidity(), all[0].Phi()} {
					if got := after.at(made[i])[k]; math.Abs(got-want) > 1e-6*(1+math.Abs(want)) {
						t.Fatalf("%s is %g, want %g", made[i], got, want)
					}
				}
			}

			s.inverse(f)
			for _, name := range taken {
				for k, want := range before.at(name) {
					if got := f.at(name)[k]; math.Abs(got-want) > 1e-7*(1+math.Abs(want)) {
						t.Fatalf("%d vectors, polar %v: %s = %g comes back as %g", n, polar, name, want, got)
					}
				}
			}

			jacobian := mat.NewDense(3*n, 3*n, nil)
			steps := make([][2]*frame, 3*n)
			h := make([][]float64, 3*n)
			for j, name := range taken {
				h[j] = make([]float64, events)
				for side := range 2 {
					g := copyFrame(before)
					for k := range events {
						h[j][k] = 1e-5 * (1 + math.Abs(g.at(name)[k]))
						if polar && j%3 == 0 {
							h[j][k] = 1e-5 * g.at(name)[k]
						}
						g.at(name)[k] += h[j][k] * float64(2*side-1)
					}
					s.forward(g, nil, nil)
					steps[j][side] = g
				}
			}
			for k := range events {
				for j := range taken {
					for i, name := range made {
						d := steps[j][1].at(name)[k] - steps[j][0].at(name)[k]
						if strings.Contains(name, "φ") {
							d = math.Remainder(d, 2*math.Pi)
						}
						jacobian.Set(i, j, d/(2*h[j][k]))
					}
				}
				if want, _ := mat.LogDet(jacobian); math.Abs(logDet[k]-want) > 1e-3 {
					t.Errorf("%d vectors, polar %v: log|det| %g, finite differences %g", n, polar, logDet[k], want)
				}
			}
		}
	}
}

// TestCollinsSoper checks the angle against the formula of Collins and Soper for
// leptons whose mass is negligible.
func TestCollinsSoper(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for range 100 {
		a := particle{px: 30 * r.NormFloat64(), py: 30 * r.NormFloat64(), y: 2 * r.NormFloat64()}
		b := particle{px: 30 * r.NormFloat64(), py: 30 * r.NormFloat64(), y: 2 * r.NormFloat64()}
		sum := a.plus(b)
		plus := func(p particle) float64 { return (p.energy() + p.pz()) / math.Sqrt2 }
		minus := func(p particle) float64 { return (p.energy() - p.pz()) / math.Sqrt2 }
		want := 2 * (plus(a)*minus(b) - minus(a)*plus(b)) / (sum.m * math.Sqrt(sum.m*sum.m+sum.pt()*sum.pt()))
		if got, _ := a.daughter(sum); math.Abs(got-want) > 1e-9 {
			t.Fatalf("cos θ* is %g, want %g", got, want)
		}
	}
}

// muons returns pairs of muons from a resonance of a width, in a table of float32.
func muons(n int, width float64, r *rand.Rand) *rootio.Table {
	return resonance(n, 91.2, width, muonMass, r)
}

const muonMass, kaonMass = 0.1057, 0.4937

// resonance returns its decays in two particles of a mass.
func resonance(n int, m, width, mass float64, r *rand.Rand) *rootio.Table {
	x := make([][]float32, 6)
	for j := range x {
		x[j] = make([]float32, n)
	}
	for i := range n {
		z := particle{px: 8 * r.NormFloat64(), py: 8 * r.NormFloat64(), y: r.NormFloat64(), m: m + width*r.NormFloat64()}
		if i%1000 == 0 {
			z.m = 2*mass + 0.8*(m-2*mass)
		}
		a, b := z.decay(mass, mass, 2*r.Float64()-1, math.Pi*(2*r.Float64()-1))
		for j, p := range []particle{a, b} {
			x[3*j][i] = float32(p.pt())
			x[3*j+1][i] = float32(math.Asinh(p.pz() / p.pt()))
			x[3*j+2][i] = float32(math.Atan2(p.py, p.px))
		}
	}
	table := &rootio.Table{}
	for j, name := range []string{"pt1", "eta1", "phi1", "pt2", "eta2", "phi2"} {
		table.Columns = append(table.Columns, rootio.ColumnOf(name, x[j]))
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

// TestMass checks the coordinate against go-hep's four-vectors, its way back, and the
// logarithm of its Jacobian against finite differences, for heavy and light particles.
func TestMass(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 2))
	const events = 200
	s, f := aSystem(2, true, r, events)
	m := &Mass{s.Name, [2]Vector(s.Vectors)}
	if !m.isSound() {
		t.Fatal("the map is not sound")
	}
	_, taken, made := m.variables()
	before, logDet := copyFrame(f), make([]float64, events)
	m.forward(f, logDet, nil)
	after := copyFrame(f)
	at := func(f *frame, k int) (p [2]fmom.PtEtaPhiM) {
		for i, v := range m.Vectors {
			mass := v.Mass
			if v.MassBranch != "" {
				mass = f.at(v.MassBranch)[k]
			}
			p[i] = fmom.NewPtEtaPhiM(f.at(v.Components[0])[k], f.at(v.Components[1])[k], f.at(v.Components[2])[k], mass)
		}
		return p
	}
	m.inverse(f)
	smaller := 0
	for k := range events {
		p := at(before, k)
		want := fmom.InvMass(&p[0], &p[1])
		if got := after.at(made[0])[k]; math.Abs(got-want) > 1e-6*want {
			t.Fatalf("the mass is %g, want %g", got, want)
		}
		pt, back := before.at(taken[0])[k], f.at(taken[0])[k]
		if math.IsInf(logDet[k], -1) {
			smaller++
			if !(back > pt) {
				t.Fatalf("pT = %g is not the larger solution: it comes back as %g", pt, back)
			}
			continue
		}
		if math.Abs(back-pt) > 1e-6*pt {
			t.Errorf("pT = %g comes back as %g", pt, back)
		}
		h := 1e-5 * pt
		var of [2]float64
		for side := range of {
			p[1] = fmom.NewPtEtaPhiM(pt+h*float64(2*side-1), p[1].Eta(), p[1].Phi(), p[1].M())
			of[side] = fmom.InvMass(&p[0], &p[1])
		}
		if want := math.Log((of[1] - of[0]) / (2 * h)); math.Abs(logDet[k]-want) > 1e-3 {
			t.Errorf("log|det| %g, finite differences %g", logDet[k], want)
		}
	}
	if smaller == 0 || smaller > events/2 {
		t.Errorf("%d of %d events have the smaller momentum", smaller, events)
	}
	// Below the least mass there is none.
	p := kinematics{pt1: 10, m1: 1, m2: 1}
	p.sinDelta, p.cosDelta = math.Sincos(0.1)
	if pt := p.transverse(1.5); !(pt > 0 && pt < 20) {
		t.Errorf("an impossible mass has pT = %g", pt)
	}
}

// masses returns the masses of pairs of particles of a mass.
func masses(table *rootio.Table, mass float64) []float64 {
	m := make([]float64, table.Len())
	for i := range m {
		var p [2]particle
		for j := range p {
			c := [3]float64{}
			for l := range c {
				c[l] = float64(table.Columns[3*j+l].Values().([]float32)[i])
			}
			v := Vector{Polar: true, Mass: mass}
			p[j], _ = v.take([3][]float64{c[0:1], c[1:2], c[2:3]}, nil, 0)
		}
		m[i] = p[0].plus(p[1]).m
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
		{[]string{a, b}, nil, "no system"},
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

func TestSuggest(t *testing.T) {
	for _, c := range []struct {
		names, vectors string
	}{
		{"Run Event pt1 eta1 phi1 Q1 pt2 eta2 phi2 Q2", "p1=pt1,eta1,phi1,MASS p2=pt2,eta2,phi2,MASS"},
		{"mu1_pt mu1_eta mu1_phi mu2_pt mu2_eta mu2_phi", "mu1=mu1_pt,mu1_eta,mu1_phi,0.10566 mu2=mu2_pt,mu2_eta,mu2_phi,0.10566"},
		{"K_PX K_PY K_PZ em_PX em_PY em_PZ", "K=K_PX,K_PY,K_PZ,0.49368 em=em_PX,em_PY,em_PZ,0.000511"},
		{"pt eta phi e", ""},
		{"pt1 pt2 eta1", ""},
	} {
		if got := strings.Join(Suggest(strings.Fields(c.names)).Vectors, " "); got != c.vectors {
			t.Errorf("%s: %s", c.names, got)
		}
	}
	if got := Suggest([]string{"pt1", "eta1", "phi1", "pt2", "eta2", "phi2"}).Systems[0]; got != "sum=p1+p2" {
		t.Error(got)
	}
}

// TestMapsSurviveJSON checks that a stored specification with all maps does the same,
// and that damage to it is noticed.
func TestMapsSurviveJSON(t *testing.T) {
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
	if len(s.Maps) != 6 {
		t.Fatalf("%d maps", len(s.Maps))
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
		{`"relative":{`, `"unknown":{`}, {`"components":["pt1"`, `"components":["pt2"`}, {`"step":1`, `"step":-1`},
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
