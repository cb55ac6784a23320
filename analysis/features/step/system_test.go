package step

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"go-hep.org/x/hep/fmom"
	"gonum.org/v1/gonum/mat"
)

// aSystem returns a system of n vectors, polar or not, and the variables of some
// events, in the order of its branches.
func aSystem(n int, polar bool, r *rand.Rand, events int) (*System, *Frame) {
	s := &System{Name: "X"}
	f := &Frame{}
	f.Reset(events)
	for i := range n {
		v := Vector{Name: fmt.Sprint("v", i), Polar: polar, Mass: []float64{0.106, 0, 5.3}[i%3], From: -math.Pi}
		for j := range v.Components {
			v.Components[j] = fmt.Sprint("c", i, j)
			x := f.Add(v.Components[j])
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
			for k := range f.Add("m1") {
				f.At("m1")[k] = 0.5 + r.ExpFloat64()
			}
		}
		s.Vectors = append(s.Vectors, v)
	}
	return s, f
}

func copyFrame(f *Frame) *Frame {
	g := &Frame{}
	g.Reset(f.N)
	for name, x := range f.values {
		copy(g.Add(name), x)
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
			if !s.IsSound() {
				t.Fatal("the system is not sound")
			}
			_, taken, made := s.Variables()
			before, logDet := copyFrame(f), make([]float64, events)
			s.Forward(f, logDet, nil)
			after := copyFrame(f)

			for k := range events {
				sum := fmom.NewPxPyPzE(0, 0, 0, 0)
				var all []fmom.PxPyPzE
				for i, v := range s.Vectors {
					c := [3]float64{before.At(v.Components[0])[k], before.At(v.Components[1])[k], before.At(v.Components[2])[k]}
					m := v.Mass
					if v.MassBranch != "" {
						m = before.At(v.MassBranch)[k]
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
					if got := after.At(made[i].Name)[k]; math.Abs(got-want) > 1e-6*(1+math.Abs(want)) {
						t.Fatalf("%s is %g, want %g", made[i].Name, got, want)
					}
				}
			}

			s.Inverse(f)
			for _, name := range taken {
				for k, want := range before.At(name) {
					if got := f.At(name)[k]; math.Abs(got-want) > 1e-7*(1+math.Abs(want)) {
						t.Fatalf("%d vectors, polar %v: %s = %g comes back as %g", n, polar, name, want, got)
					}
				}
			}

			jacobian := mat.NewDense(3*n, 3*n, nil)
			steps := make([][2]*Frame, 3*n)
			h := make([][]float64, 3*n)
			for j, name := range taken {
				h[j] = make([]float64, events)
				for side := range 2 {
					g := copyFrame(before)
					for k := range events {
						h[j][k] = 1e-5 * (1 + math.Abs(g.At(name)[k]))
						if polar && j%3 == 0 {
							h[j][k] = 1e-5 * g.At(name)[k]
						}
						g.At(name)[k] += h[j][k] * float64(2*side-1)
					}
					s.Forward(g, nil, nil)
					steps[j][side] = g
				}
			}
			for k := range events {
				for j := range taken {
					for i, c := range made {
						d := steps[j][1].At(c.Name)[k] - steps[j][0].At(c.Name)[k]
						if c.Circle != nil {
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

// TestMass checks the coordinate against go-hep's four-vectors, its way back, and the
// logarithm of its Jacobian against finite differences, for heavy and light particles.
func TestMass(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 2))
	const events = 200
	s, f := aSystem(2, true, r, events)
	m := &Mass{Name: s.Name, Vectors: s.Vectors}
	if !m.IsSound() {
		t.Fatal("the map is not sound")
	}
	_, taken, made := m.Variables()
	before, logDet := copyFrame(f), make([]float64, events)
	m.Forward(f, logDet, nil)
	after := copyFrame(f)
	at := func(f *Frame, k int) (p [2]fmom.PtEtaPhiM) {
		for i, v := range m.Vectors {
			mass := v.Mass
			if v.MassBranch != "" {
				mass = f.At(v.MassBranch)[k]
			}
			p[i] = fmom.NewPtEtaPhiM(f.At(v.Components[0])[k], f.At(v.Components[1])[k], f.At(v.Components[2])[k], mass)
		}
		return p
	}
	m.Inverse(f)
	smaller := 0
	for k := range events {
		p := at(before, k)
		want := fmom.InvMass(&p[0], &p[1])
		if got := after.At(made[0].Name)[k]; math.Abs(got-want) > 1e-6*want {
			t.Fatalf("the mass is %g, want %g", got, want)
		}
		pt, back := before.At(taken[0])[k], f.At(taken[0])[k]
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
	// Without pseudorapidities it is the transverse mass, with one azimuth from the other: m² = 2 pT pT' (1 − cos Δφ).
	transverse := &Mass{Name: "W", Vectors: []Vector{{Components: [3]string{"pt1"}, Polar: true}, {Components: [3]string{"pt2", "", "dphi"}, Polar: true}}}
	if !transverse.IsSound() || transverse.system().IsSound() {
		t.Error("transverse momenta are for a mass, and for no system")
	}
	g := &Frame{}
	g.Reset(events)
	for _, name := range []string{"pt1", "pt2", "dphi"} {
		for k := range g.Add(name) {
			g.At(name)[k] = 0.1 + 3*r.Float64()
		}
	}
	first := copyFrame(g)
	clear(logDet)
	transverse.Forward(g, logDet, nil)
	for k, m := range g.At("m(W)") {
		pt2 := first.At("pt2")[k]
		want := math.Sqrt(2 * first.At("pt1")[k] * pt2 * (1 - math.Cos(first.At("dphi")[k])))
		if math.Abs(m-want) > 1e-6*want || math.Abs(logDet[k]-math.Log(want/(2*pt2))) > 1e-6 {
			t.Fatalf("the transverse mass is %g, want %g; log|det| %g", m, want, logDet[k])
		}
	}
	transverse.Inverse(g)
	for k, pt2 := range g.At("pt2") {
		if want := first.At("pt2")[k]; math.Abs(pt2-want) > 1e-6*want {
			t.Fatalf("pT = %g comes back as %g", want, pt2)
		}
	}
	// Below the least mass there is none.
	sin, cos := math.Sincos(0.1)
	p := kinematics{x: 10 * cos, y: 10 * sin, e1: math.Hypot(10, 1), m1: 1, m2: 1}
	if pt := p.transverse(1.5); !(pt > 0 && pt < 20) {
		t.Errorf("an impossible mass has pT = %g", pt)
	}
}
