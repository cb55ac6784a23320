package find

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/analysis/vectors"
	"github.com/eidolon-hep/eidolon/rootio"
)

// pairOfMuons returns n pairs from decays of one mass, and others, ordered in pT, both above 3 GeV, beside a missing
// transverse momentum, which balances them; and what they are.
func pairOfMuons(n int) ([]vectors.Vector, *rootio.Table) {
	r := rand.New(rand.NewPCG(8, 1))
	names := []string{"pta", "etaa", "phia", "ptb", "etab", "phib", "met", "metphi"}
	x := make([][]float64, len(names))
	for len(x[0]) < n {
		pt, eta, phi := 3+5*r.ExpFloat64(), 2*r.Float64()-1, math.Pi*(2*r.Float64()-1)
		delta, eta2 := 0.3+r.Float64(), eta+0.5*r.NormFloat64()
		pt2 := 3 + 4*r.ExpFloat64()
		if r.IntN(3) > 0 { // a peak
			m := 9.46 + 0.05*r.NormFloat64()
			pt2 = m * m / (2 * pt * (math.Cosh(eta-eta2) - math.Cos(delta)))
		}
		if pt2 < 3 || pt2 > pt {
			continue
		}
		phi2 := math.Remainder(phi+delta, 2*math.Pi)
		mx := -pt*math.Cos(phi) - pt2*math.Cos(phi2) + r.NormFloat64()
		my := -pt*math.Sin(phi) - pt2*math.Sin(phi2) + r.NormFloat64()
		for j, v := range []float64{pt, eta, phi, pt2, eta2, phi2, math.Hypot(mx, my), math.Atan2(my, mx)} {
			x[j] = append(x[j], v)
		}
	}
	table := &rootio.Table{}
	for j, name := range names {
		table.Columns = append(table.Columns, rootio.ColumnOf(name, x[j]))
	}
	return []vectors.Vector{
		{Name: "a", PT: "pta", Eta: "etaa", Phi: "phia"},
		{Name: "b", PT: "ptb", Eta: "etab", Phi: "phib"},
		{Name: "met", PT: "met", Phi: "metphi", Transverse: true},
	}, table
}

// cartesian turns the momenta of the pair to px, py and pz.
func cartesian(v []vectors.Vector, t *rootio.Table) ([]vectors.Vector, *rootio.Table) {
	other := &rootio.Table{}
	for i := range 2 {
		var c [3][]float64
		for j, name := range []string{v[i].PT, v[i].Phi, v[i].Eta} {
			column, _ := t.Column(name)
			c[j] = column.Float64s()
		}
		for k := range c[0] {
			pt, phi, eta := c[0][k], c[1][k], c[2][k]
			c[0][k], c[1][k], c[2][k] = pt*math.Cos(phi), pt*math.Sin(phi), pt*math.Sinh(eta)
		}
		for j, name := range []string{"px", "py", "pz"} {
			other.Columns = append(other.Columns, rootio.ColumnOf(name+v[i].Name, c[j]))
		}
	}
	other.Columns = append(other.Columns, t.Columns[6:]...)
	return []vectors.Vector{{Name: "a", PX: "pxa", PY: "pya", PZ: "pza"}, {Name: "b", PX: "pxb", PY: "pyb", PZ: "pzb"}, v[2]}, other
}

// stepsFor returns the steps that are found with choices, and whether these could be made.
func stepsFor(t *testing.T, v []vectors.Vector, table *rootio.Table, choices ...Choice) (step.Steps, bool) {
	t.Helper()
	s, err := Steps(t.Context(), table, &rootio.Table{}, nil, Options{Vectors: vectors.Found{Vectors: v}, Choices: choices, Uniform: func(_ string, u []float64) {
		for k := range u {
			u[k] = 0.5
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s.Steps, len(s.Refused) == 0
}

// TestChoices checks of each kind of choice that it can be made where it makes sense, for momenta in either kind of
// components, and that it changes nothing for a vector that is unknown, or that has a value which many events share.
func TestChoices(t *testing.T) {
	v, table := pairOfMuons(events)
	vc, tablec := cartesian(v, table)
	want := map[string][]string{
		Mass: {"a", "b"}, Ordered: {"a", "b"}, Decay: {"a", "b"}, Angles: {"a", "b"}, Recoil: {"met", "a", "b"}, Balance: {"met", "a", "b"}, Polar: {"a", "b"}, Rotation: {"a", "b", "met"},
	}
	for kind := range choices {
		c := Choice{Kind: kind, Vectors: want[kind]}
		if !c.IsSound() || strings.Contains(c.String(), "ALL") || !strings.Contains(c.String(), c.Vectors[0]) && kind != Mass && kind != Rotation {
			t.Errorf("%s: %v", kind, c)
		}
		before, _ := stepsFor(t, v, table)
		for i, of := range [][]vectors.Vector{v, vc} {
			if kind == Polar && i == 0 {
				continue
			}
			data := []*rootio.Table{table, tablec}[i]
			if _, ok := stepsFor(t, of, data, c); !ok {
				t.Errorf("%s cannot be chosen for %v", kind, of[0].Components())
			}
		}
		unknown := Choice{Kind: kind, Vectors: append([]string{"nobody"}, c.Vectors...)}
		if after, ok := stepsFor(t, v, table, unknown); ok || len(after) != len(before) {
			t.Errorf("%v: chosen", unknown)
		}
		shared := *table
		shared.Columns = slices.Clone(table.Columns)
		for _, name := range []string{"ptb", "met"} {
			i := slices.IndexFunc(shared.Columns, func(c rootio.Column) bool { return c.Name == name })
			x := shared.Columns[i].Float64s()
			for k := range x {
				if k%5 == 0 {
					x[k] = 7
				}
			}
			shared.Columns[i] = rootio.ColumnOf(name, x)
		}
		if _, ok := stepsFor(t, v, &shared, c); ok && kind != Rotation {
			t.Errorf("%v: chosen though events share values", c)
		}
	}
	// Of two transverse momenta and the difference of their azimuths it is the transverse mass.
	d := make([]float64, events)
	phi1, _ := table.Column("phia")
	phi2, _ := table.Column("phib")
	for k, a := range phi1.Float64s() {
		d[k] = math.Abs(math.Remainder(phi2.Float64s()[k]-a, 2*math.Pi))
	}
	pair := []vectors.Vector{{Name: "a", PT: "pta", Transverse: true, Relative: true}, {Name: "b", PT: "ptb", Phi: "dphi", Transverse: true, Relative: true}}
	difference := &rootio.Table{Columns: []rootio.Column{table.Columns[0], table.Columns[3], rootio.ColumnOf("dphi", d)}}
	for _, p := range Propose(difference, pair) {
		if _, ok := stepsFor(t, pair, difference, p.Choice); ok != (p.Kind == Mass || p.Vectors[0] == "a") {
			t.Errorf("%v: chosen: %v", p.Choice, ok)
		}
	}
	if (Choice{Kind: "nothing", Vectors: []string{"a"}}).IsSound() || (Choice{Kind: Mass}).IsSound() {
		t.Error("a choice of nothing is sound")
	}
}

// TestMeasuredFromReplaced checks that what is close to a transverse momentum is measured from it although the mass takes its place.
func TestMeasuredFromReplaced(t *testing.T) {
	v, table := pairOfMuons(events)
	r := rand.New(rand.NewPCG(9, 1))
	smeared, _ := table.Column("ptb")
	truth := smeared.Float64s()
	for k := range truth {
		truth[k] *= math.Exp(0.01 * r.NormFloat64())
	}
	table.Columns = append(table.Columns, rootio.ColumnOf("true_ptb", truth))
	for _, choices := range [][]Choice{nil, {{Kind: Mass, Vectors: []string{"a", "b"}}}} {
		s, err := Steps(t.Context(), table, &rootio.Table{}, nil, Options{Vectors: vectors.Found{Vectors: v}, Choices: choices, NoFormulas: true})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(s.Steps, func(s step.Step) bool {
			n, ok := s.(*step.RelativeNumber)
			return ok && n.Variable == "true_ptb" && n.To == "ptb" && n.Ratio
		}) {
			t.Errorf("with the choices %v the true momentum is not measured from the other one", choices)
		}
	}
}

// TestRecoilOfAbsent checks that the azimuth of a jet that may be absent is measured from the recoil of the others where it is
// there, after the missing momentum, whose recoil it is a part of; and that all values come back.
func TestRecoilOfAbsent(t *testing.T) {
	v, table := pairOfMuons(events)
	r := rand.New(rand.NewPCG(10, 1))
	column := func(name string) []float64 {
		c, _ := table.Column(name)
		return c.Float64s()
	}
	pta, phia, ptb, phib := column("pta"), column("phia"), column("ptb"), column("phib")
	jets, pt, eta, phi := make([]int32, events), make([]float64, events), make([]float64, events), make([]float64, events)
	for k := range jets {
		pt[k], eta[k], phi[k] = -999, -999, -999
		if jets[k] = int32(r.IntN(2)); jets[k] > 0 {
			recoil := math.Atan2(-pta[k]*math.Sin(phia[k])-ptb[k]*math.Sin(phib[k]), -pta[k]*math.Cos(phia[k])-ptb[k]*math.Cos(phib[k]))
			pt[k], eta[k], phi[k] = 3+5*r.ExpFloat64(), r.NormFloat64(), math.Remainder(recoil+0.3*r.NormFloat64(), 2*math.Pi)
		}
	}
	table.Columns = append(table.Columns, rootio.ColumnOf("jets", jets), rootio.ColumnOf("ptj", pt), rootio.ColumnOf("etaj", eta), rootio.ColumnOf("phij", phi))
	v = append(v, vectors.Vector{Name: "j", PT: "ptj", Eta: "etaj", Phi: "phij", Absent: true})
	jet := Choice{Kind: Recoil, Vectors: []string{"j", "a", "b"}}
	if !slices.ContainsFunc(Propose(table, v), func(p Proposal) bool { return reflect.DeepEqual(p.Choice, jet) }) {
		t.Errorf("%v is not proposed", jet)
	}
	steps, ok := stepsFor(t, v, table, jet, Choice{Kind: Balance, Vectors: []string{"met", "a", "b", "j"}})
	if !ok {
		t.Fatal("not all that was chosen could be made")
	}
	var f step.Frame
	f.Reset(events)
	for _, c := range table.Columns {
		copy(f.Add(c.Name), c.Float64s())
	}
	steps.Forward(&f, make([]float64, events), func(_ int, u []float64) {
		for k := range u {
			u[k] = 0.5
		}
	})
	wide := 0
	for k, angle := range f.At("φ(j) from the recoil") {
		if jets[k] > 0 && math.Abs(angle) > 1.5 {
			wide++
		}
	}
	if wide > events/100 {
		t.Errorf("of %d events the azimuth of the jet is far from the recoil in %d", events, wide)
	}
	steps.Inverse(&f)
	for _, name := range []string{"met", "metphi", "ptj", "etaj", "phij"} {
		for k, want := range column(name) {
			if got := f.At(name)[k]; !(math.Abs(got-want) < 1e-6*(1+math.Abs(want))) {
				t.Fatalf("%s of event %d is %g, want %g", name, k, got, want)
			}
		}
	}
}

// TestEdgesOfMass checks that the threshold of a transverse momentum, and that it is never above another one, become edges
// of the mass that is learnt in its place: whatever the coordinate is, the momentum is between them.
func TestEdgesOfMass(t *testing.T) {
	v, table := pairOfMuons(events)
	steps, _ := stepsFor(t, v, table, Choice{Kind: Mass, Vectors: []string{"a", "b"}})
	i := slices.IndexFunc(steps, func(s step.Step) bool { return step.KindOf(s) == "mass" })
	m := steps[i].(*step.Mass)
	if m.PT.Low == nil || *m.PT.Low != 3 || m.PT.Below != "pta" {
		t.Fatalf("the edges are %v", &m.PT)
	}
	f := &step.Frame{}
	f.Reset(events)
	for _, c := range table.Columns {
		copy(f.Add(c.Name), c.Float64s())
	}
	m.Forward(f, nil, nil)
	_, _, made := m.Variables()
	y := f.At(made[0].Name)
	for k := range y {
		y[k] += math.Remainder(float64(k), 0.5) // near to both edges, and far beyond where other events have them
	}
	m.Inverse(f)
	for k, pt := range f.At("ptb") {
		if above := f.At("pta")[k]; !(pt >= 3*(1-1e-9) && pt <= above*(1+1e-9)) {
			t.Fatalf("pT = %g is not between 3 and %g", pt, above)
		}
	}
}

// TestPropose checks that the mass of a pair is proposed where it has a peak, and not where each momentum is of another event.
func TestPropose(t *testing.T) {
	v, table := pairOfMuons(events)
	isMass := func(p Proposal) bool { return p.Kind == Mass }
	if p := Propose(table, v); !slices.ContainsFunc(p, isMass) {
		t.Errorf("the mass is not proposed: %v", p)
	}
	x := make([]float64, events)
	for i := range 3 {
		c := table.Columns[i]
		c.Floats(x, 0)
		c.SetFloats(0, append(x[7:], x[:7]...))
	}
	if p := Propose(table, v); slices.ContainsFunc(p, isMass) {
		t.Errorf("the mass of momenta of different events is proposed: %v", p)
	}
	if p := Propose(table, nil); len(p) > 0 {
		t.Errorf("without vectors there is %v", p)
	}
}
