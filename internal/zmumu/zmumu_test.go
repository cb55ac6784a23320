package zmumu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"go-hep.org/x/hep/fmom"
	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/spatial/r3"
)

func sample(t testing.TB, n int) (Generator, []Event) {
	t.Helper()
	g, events := Default(), make([]Event, n)
	g.Events(events, 20, 0)
	return g, events
}

// integral adds up Gauss–Legendre pieces between successive edges.
func integral(f func(float64) float64, edges ...float64) float64 {
	var sum float64
	for i := 1; i < len(edges); i++ {
		sum += quad.Fixed(f, edges[i-1], edges[i], 80, nil, 0)
	}
	return sum
}

func TestFactorsIntegrateToOne(t *testing.T) {
	g := Default()
	near := func(what string, got float64) {
		t.Helper()
		if math.Abs(got-1) > 1e-9 {
			t.Errorf("∫%s = %.12f", what, got)
		}
	}
	near("mass", integral(g.massDensity, 50, 70, 80, 85, 88, 90, 91, 92, 94, 97, 105, 120, 150))
	for _, m := range []float64{50, 91, 150} {
		yMax := g.rapMax(m)
		near("rapidity", integral(func(y float64) float64 { return math.Exp(g.logRapDensity(m, y)) }, -yMax, 0, yMax))
		for _, frac := range []float64{0, 0.3, -0.7, 0.999} {
			y := frac * yMax
			// In log pT, which turns the power tail into an exponential one.
			pt := func(l float64) float64 { return math.Exp(l + g.logPtDensity(m, y, math.Exp(l))) }
			hi := math.Log(g.ptMax(m, y))
			near("pt", integral(pt, hi-40, hi-30, hi-20, hi-12, hi-8, hi-6, hi-4, hi-2, hi))
			for _, p := range []float64{0.1, 30, 800} {
				e := Event{Mass: m, Y: y, Pt: p}
				near("angles", integral(func(c float64) float64 {
					return integral(func(phi float64) float64 {
						e.CosTheta, e.PhiStar = c, phi
						return g.angularDensity(e)
					}, -math.Pi, 0, math.Pi)
				}, -1, 1))
			}
		}
	}
}

// The mean of p/q over events drawn from q is the integral of p. The events of
// q come from nothing that the generator uses.
func TestDensityIntegratesToOne(t *testing.T) {
	g := Default()
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 200_000
	var sum, sum2 float64
	for range n {
		e := Event{
			Mass:     50 + 100*rng.Float64(),
			Y:        6 * (2*rng.Float64() - 1),
			Pt:       math.Exp(rng.NormFloat64()*1.3 + 2.2),
			Phi:      math.Pi * (2*rng.Float64() - 1),
			CosTheta: 2*rng.Float64() - 1,
			PhiStar:  math.Pi * (2*rng.Float64() - 1),
		}
		z := (math.Log(e.Pt) - 2.2) / 1.3
		q := 1. / 100 / 12 / (2 * math.Pi) / 2 / (2 * math.Pi) * math.Exp(-z*z/2) / (math.Sqrt(2*math.Pi) * 1.3 * e.Pt)
		w := math.Exp(g.LogDensity(e)) / q
		sum += w
		sum2 += w * w
	}
	mean := sum / n
	sigma := math.Sqrt((sum2/n - mean*mean) / n)
	if math.Abs(mean-1) > 4*sigma || sigma > 0.02 {
		t.Errorf("∫p = %.4f ± %.4f", mean, sigma)
	}
}

// The mean of q/p over generated events is one for every density q within the support.
func TestEventsFollowLogDensity(t *testing.T) {
	g, events := sample(t, 200_000)
	for _, box := range []struct{ lo, hi Event }{
		{Event{88, 0, 2, -3, 0, -3}, Event{94, 2, 20, 3, 1, 3}},
		{Event{84, -3, 5, -3, -0.5, -1}, Event{98, -0.5, 25, 1, 0.9, 2}},
		{Event{85, -3, 3, 0, -1, 0}, Event{97, 3, 15, 3, -0.4, 3}},
	} {
		volume := (box.hi.Mass - box.lo.Mass) * (box.hi.Y - box.lo.Y) * (box.hi.Pt - box.lo.Pt) *
			(box.hi.Phi - box.lo.Phi) * (box.hi.CosTheta - box.lo.CosTheta) * (box.hi.PhiStar - box.lo.PhiStar)
		var sum, sum2 float64
		for _, e := range events {
			if between(e.Mass, box.lo.Mass, box.hi.Mass) && between(e.Y, box.lo.Y, box.hi.Y) &&
				between(e.Pt, box.lo.Pt, box.hi.Pt) && between(e.Phi, box.lo.Phi, box.hi.Phi) &&
				between(e.CosTheta, box.lo.CosTheta, box.hi.CosTheta) && between(e.PhiStar, box.lo.PhiStar, box.hi.PhiStar) {
				w := math.Exp(-g.LogDensity(e)) / volume
				sum += w
				sum2 += w * w
			}
		}
		n := float64(len(events))
		mean := sum / n
		sigma := math.Sqrt((sum2/n - mean*mean) / n)
		if math.Abs(mean-1) > 4*sigma || sigma > 0.05 {
			t.Errorf("box %v: mean of q/p = %.3f ± %.3f", box, mean, sigma)
		}
	}
}

func between(x, lo, hi float64) bool { return x >= lo && x < hi }

// Each variable, put through its cumulative distribution given the earlier ones, is uniform.
func TestMarginalsAreUniform(t *testing.T) {
	g, events := sample(t, 100_000)
	for name, cdf := range map[string]func(Event) float64{
		"mass": func(e Event) float64 {
			lo, hi := g.massAngle(g.MassMin), g.massAngle(g.MassMax)
			q := 1 - g.MassFall
			falling := (math.Pow(e.Mass, q) - math.Pow(g.MassMin, q)) / (math.Pow(g.MassMax, q) - math.Pow(g.MassMin, q))
			return g.Resonant*(g.massAngle(e.Mass)-lo)/(hi-lo) + (1-g.Resonant)*falling
		},
		"y": func(e Event) float64 {
			a := float64(g.RapPower + 1)
			return mathext.RegIncBeta(a, a, (1+e.Y/g.rapMax(e.Mass))/2)
		},
		"pt": func(e Event) float64 {
			below := func(pt float64) float64 {
				x := pt / g.ptScale(e.Mass, e.Y)
				return 1 - math.Pow(1+x*x, -g.PtTail)
			}
			return below(e.Pt) / below(g.ptMax(e.Mass, e.Y))
		},
		"phi": func(e Event) float64 { return (e.Phi + math.Pi) / (2 * math.Pi) },
		"costheta": func(e Event) float64 {
			a := coefficients(g, e)
			c := e.CosTheta
			return 0.5 + 3./8*(c+c*c*c/3+a[0]/2*(c-c*c*c)+a[4]/2*(c*c-1))
		},
		"phistar": func(e Event) float64 {
			a := coefficients(g, e)
			p := e.PhiStar
			return (p + math.Pi + a[2]/8*math.Sin(2*p) + 3*math.Pi/16*a[3]*math.Sin(p)) / (2 * math.Pi)
		},
	} {
		u := make([]float64, len(events))
		for i, e := range events {
			u[i] = cdf(e)
		}
		slices.Sort(u)
		var d float64
		for i, x := range u {
			d = max(d, x-float64(i)/float64(len(u)), float64(i+1)/float64(len(u))-x)
		}
		if d *= math.Sqrt(float64(len(u))); d > 1.95 { // p = 0.001
			t.Errorf("%s: KS distance × √n = %.2f", name, d)
		}
	}
}

// coefficients are the A₀ to A₄ that the package comment states.
func coefficients(g Generator, e Event) [5]float64 {
	alpha, h := g.asymmetries(e.Mass, e.Y)
	mt := math.Hypot(e.Mass, e.Pt)
	lamTung := e.Pt * e.Pt / (mt * mt)
	return [5]float64{lamTung, h * e.Pt * e.Mass / (mt * mt), lamTung, alpha * h * e.Pt / mt, alpha * e.Mass / mt}
}

func TestAngularCoefficients(t *testing.T) {
	g, events := sample(t, 2000)
	for _, e := range events {
		a := coefficients(g, e)
		c, s := e.CosTheta, math.Sqrt(1-e.CosTheta*e.CosTheta)
		want := 3 / (16 * math.Pi) * (1 + c*c + a[0]/2*(1-3*c*c) + a[1]*2*s*c*math.Cos(e.PhiStar) +
			a[2]/2*s*s*math.Cos(2*e.PhiStar) + a[3]*s*math.Cos(e.PhiStar) + a[4]*c)
		if got := g.angularDensity(e); math.Abs(got-want) > 1e-12 {
			t.Fatalf("%+v: %v, want %v", e, got, want)
		}
	}
}

// ⟨sin2θ* cosφ*⟩ = A₁/5: the only term that no marginal distribution shows.
func TestTilt(t *testing.T) {
	g, events := sample(t, 400_000)
	var diff, diff2 float64
	for _, e := range events {
		x := 2*math.Sqrt(1-e.CosTheta*e.CosTheta)*e.CosTheta*math.Cos(e.PhiStar) - coefficients(g, e)[1]/5
		diff += x
		diff2 += x * x
	}
	n := float64(len(events))
	if pull := diff / math.Sqrt(diff2); math.Abs(pull) > 3.5 {
		t.Errorf("⟨sin2θ* cosφ*⟩ − A₁/5 = %.5f, %.1f standard deviations", diff/n, pull)
	}
}

// Also where the asymmetries are as large as they can be.
func TestAngularDensityIsNotNegative(t *testing.T) {
	g := Default()
	g.AsymMax, g.AsymHadron, g.AsymRap, g.AsymMass = 2, 1, 1e-3, 1e-3
	lowest := math.Inf(1)
	for _, m := range []float64{60, 89.5, 120} {
		for _, pt := range []float64{0.01, 10, 90, 1000} {
			for c := -1.0; c <= 1; c += 1. / 64 {
				for phi := -math.Pi; phi < math.Pi; phi += math.Pi / 64 {
					lowest = min(lowest, g.angularDensity(Event{Mass: m, Y: 1, Pt: pt, CosTheta: c, PhiStar: phi}))
				}
			}
		}
	}
	if lowest < -1e-15 || lowest > 1e-3 {
		t.Errorf("the lowest density is %g, want about zero", lowest)
	}
}

func TestAsymmetryChangesSign(t *testing.T) {
	g, events := sample(t, 100_000)
	var forward, all [2]float64
	for _, e := range events {
		side := 0
		if e.Mass > g.AsymZero {
			side = 1
		}
		all[side]++
		if e.CosTheta > 0 {
			forward[side]++
		}
	}
	below, above := 2*forward[0]/all[0]-1, 2*forward[1]/all[1]-1
	if below > -0.03 || above < 0.03 {
		t.Errorf("forward–backward asymmetry %.3f below and %.3f above %v GeV", below, above, g.AsymZero)
	}
}

func TestLogDensityOutside(t *testing.T) {
	g := Default()
	in := Event{Mass: 91, Y: 1, Pt: 10, Phi: 1, CosTheta: 0.3, PhiStar: -1}
	if l := g.LogDensity(in); math.IsInf(l, 0) || math.IsNaN(l) {
		t.Fatalf("inside: %v", l)
	}
	for name, change := range map[string]func(*Event){
		"mass low":     func(e *Event) { e.Mass = 49 },
		"mass high":    func(e *Event) { e.Mass = 151 },
		"rapidity":     func(e *Event) { e.Y = -5 },
		"pt negative":  func(e *Event) { e.Pt = -1 },
		"pt high":      func(e *Event) { e.Pt = 6000 },
		"phi":          func(e *Event) { e.Phi = 4 },
		"costheta":     func(e *Event) { e.CosTheta = 1.01 },
		"phistar":      func(e *Event) { e.PhiStar = -3.2 },
		"not a number": func(e *Event) { e.Pt = math.NaN() },
	} {
		e := in
		change(&e)
		if l := g.LogDensity(e); !math.IsInf(l, -1) {
			t.Errorf("%s: %v", name, l)
		}
	}
}

// The muons are boosted back to the pair at rest by go-hep, where the axes are
// built from the hadrons as Collins and Soper define them.
func TestMuons(t *testing.T) {
	g, events := sample(t, 2000)
	near := func(what string, got, want, tol float64) {
		t.Helper()
		if math.Abs(got-want) > tol {
			t.Errorf("%s = %.12g, want %.12g", what, got, want)
		}
	}
	for _, e := range events {
		minus, plus := e.Muons()
		near("mu- mass", minus.M(), MuonMass, 0)
		m1 := fmom.NewPxPyPzE(minus.Px(), minus.Py(), minus.Pz(), minus.E())
		m2 := fmom.NewPxPyPzE(plus.Px(), plus.Py(), plus.Pz(), plus.E())
		pair := fmom.Add(&m1, &m2)
		near("mass", pair.M(), e.Mass, 1e-6)
		near("pt", pair.Pt(), e.Pt, 1e-9*(1+e.Pt))
		near("y", pair.Rapidity(), e.Y, 1e-9)
		near("phi", math.Remainder(pair.Phi()-e.Phi, 2*math.Pi), 0, 1e-9/min(1, e.Pt))

		rest := r3.Scale(-1, fmom.BoostOf(pair))
		side := math.Copysign(g.SqrtS/2, e.Y)
		h1 := fmom.NewPxPyPzE(0, 0, side, g.SqrtS/2)
		h2 := fmom.NewPxPyPzE(0, 0, -side, g.SqrtS/2)
		d1 := r3.Unit(fmom.VecOf(fmom.Boost(&h1, rest)))
		d2 := r3.Unit(fmom.VecOf(fmom.Boost(&h2, rest)))
		z := r3.Unit(r3.Sub(d1, d2))
		x := r3.Unit(r3.Scale(-1, r3.Add(d1, d2)))
		y := r3.Cross(z, x)
		n := r3.Unit(fmom.VecOf(fmom.Boost(&m1, rest)))
		near("costheta", r3.Dot(n, z), e.CosTheta, 1e-6)
		phi := math.Atan2(r3.Dot(n, y), r3.Dot(n, x))
		near("phistar", math.Remainder(phi-e.PhiStar, 2*math.Pi), 0, 1e-5/min(1, e.Pt)/math.Sqrt(1-e.CosTheta*e.CosTheta))
	}
}

func TestEventsDoNotDependOnTheCut(t *testing.T) {
	g := Default()
	whole := make([]Event, 100)
	g.Events(whole, 7, 1000)
	for lo := 0; lo < len(whole); {
		part := make([]Event, min(1+lo%7, len(whole)-lo))
		g.Events(part, 7, 1000+uint64(lo))
		if !slices.Equal(part, whole[lo:lo+len(part)]) {
			t.Fatalf("events from %d on differ", lo)
		}
		lo += len(part)
	}
	other := make([]Event, 1)
	if g.Events(other, 8, 1000); other[0] == whole[0] {
		t.Error("another seed gives the same event")
	}
}

func TestTable(t *testing.T) {
	const n = 5000 // more than a chunk
	g := Default()
	table := g.Table(3, 10, n)
	events := make([]Event, n)
	g.Events(events, 3, 10)
	if table.Len() != n {
		t.Fatalf("%d events, want %d", table.Len(), n)
	}
	value := func(name string, i int) float64 {
		c, ok := table.Column(name)
		if !ok {
			t.Fatalf("no column %q", name)
		}
		if c.Title == "" {
			t.Errorf("column %q has no title", name)
		}
		x := make([]float64, 1)
		c.Floats(x, i)
		return x[0]
	}
	for _, i := range []int{0, 1, 4095, 4096, n - 1} {
		e := events[i]
		got := Event{value("mass", i), value("y", i), value("pt", i), value("phi", i), value("costheta", i), value("phistar", i)}
		if got != e {
			t.Errorf("event %d: %+v, want %+v", i, got, e)
		}
		minus, plus := e.Muons()
		if value("mu1_pt", i) != float64(float32(minus.Pt())) || value("mu2_eta", i) != float64(float32(plus.Eta())) {
			t.Errorf("event %d: wrong muons", i)
		}
	}
	if g.Table(3, 10, 0).Len() != 0 {
		t.Error("a table of no events has events")
	}
}

func Example() {
	g := Default()
	events := make([]Event, 20000)
	g.Events(events, 1, 0)

	inPeak := 0
	finite := true
	for _, e := range events {
		if math.Abs(e.Mass-g.Mass) < 3*g.Width {
			inPeak++
		}
		finite = finite && !math.IsInf(g.LogDensity(e), 0)
	}
	fmt.Println("most events are in the peak:", inPeak > len(events)/2)
	fmt.Println("the density of every event is known:", finite)
	// Output:
	// most events are in the peak: true
	// the density of every event is known: true
}

func BenchmarkEvents(b *testing.B) {
	g := Default()
	events := make([]Event, 1000)
	for b.Loop() {
		g.Events(events, 1, 0)
	}
}
