package vectors

import (
	"math"

	"github.com/eidolon-hep/eidolon/rootio"
)

// momenta are the momenta of a vector in some events, NaN in those without the object. Of a transverse one the longitudinal
// part is zero.
type momenta struct {
	pt, eta, phi []float64
	mass         []float64
}

// size is |p| of event k.
func (p *momenta) size(k int) float64 { return p.pt[k] * math.Cosh(p.eta[k]) }

// fill reads n events of t from the first on. load returns all values of a column, if it is not nil.
func (p *momenta) fill(t *rootio.Table, v *Vector, first, n int, load func(string) []float64) {
	column := func(name string) []float64 {
		x := make([]float64, n)
		if load != nil && name != "" {
			copy(x, load(name)[first:])
		} else if c, ok := t.Column(name); ok {
			c.Floats(x, first)
		}
		return x
	}
	nan := math.NaN()
	if v.IsPolar() {
		p.pt, p.eta, p.phi = column(v.PT), column(v.Eta), column(v.Phi)
		for k, pt := range p.pt {
			if v.Absent && (pt < 0 || pt == p.eta[k] && pt == p.phi[k]) {
				p.pt[k], p.eta[k], p.phi[k] = nan, nan, nan
			}
		}
	} else {
		p.pt, p.eta, p.phi = column(v.PX), column(v.PZ), column(v.PY)
		for k, x := range p.pt {
			z, y := p.eta[k], p.phi[k]
			if v.Absent && !v.Transverse && x == y && y == z {
				p.pt[k], p.eta[k], p.phi[k] = nan, nan, nan
				continue
			}
			pt := math.Hypot(x, y)
			p.pt[k], p.phi[k] = pt, math.Atan2(y, x)
			p.eta[k] = math.Asinh(z / max(pt, least))
		}
	}
	p.mass = nil
	switch {
	case v.MassFrom == "":
		p.mass = make([]float64, n)
		for k := range p.mass {
			p.mass[k] = v.Mass
		}
	case v.MassFrom == v.M:
		p.mass = column(v.M)
	default:
		p.mass = column(v.E)
		for k, e := range p.mass {
			size := p.size(k)
			p.mass[k] = math.Sqrt(max((e-size)*(e+size), 0))
		}
	}
}

// least is where momenta that are divided by begin.
const least = 1e-150

// four is a four-vector.
type four struct {
	pt, eta, phi, m float64
	mt, y           float64 // the transverse mass and the rapidity
	px, py, pz, e   float64
}

func (p *momenta) at(k int) (f four) {
	f = four{pt: p.pt[k], eta: p.eta[k], phi: p.phi[k], m: p.mass[k]}
	sin, cos := math.Sincos(f.phi)
	f.px, f.py, f.pz = f.pt*cos, f.pt*sin, f.pt*math.Sinh(f.eta)
	f.mt = math.Hypot(f.pt, f.m)
	f.e = math.Hypot(f.mt, f.pz)
	f.y = math.Asinh(f.pz / max(f.mt, least))
	return f
}

// isThere reports whether the event has the object.
func (f *four) isThere() bool { return f.pt == f.pt }

// times is E₁E₂ − p₁·p₂, a sum of terms that are not negative, so that no digits are lost.
func (f *four) times(g *four) float64 {
	half := math.Sinh((f.y - g.y) / 2)
	mt, pt := f.mt*g.mt, f.pt*g.pt
	sin := math.Sin((f.phi - g.phi) / 2)
	return 2*mt*half*half + 2*pt*sin*sin + (f.m*f.m*g.mt*g.mt+f.pt*f.pt*g.m*g.m)/max(mt+pt, least)
}

// massOf is the mass of the sum of vectors, M² = Σ mᵢ² + 2 Σ (EᵢEⱼ − pᵢ·pⱼ).
func massOf(p []four) float64 {
	m2 := 0.0
	for i := range p {
		m2 += p[i].m * p[i].m
		for j := range i {
			m2 += 2 * p[i].times(&p[j])
		}
	}
	return math.Sqrt(m2)
}

// sum returns the components of the sum of vectors.
func sum(p []four) (px, py, pz, e float64) {
	for i := range p {
		px, py, pz, e = px+p[i].px, py+p[i].py, pz+p[i].pz, e+p[i].e
	}
	return px, py, pz, e
}

// ptOf is the transverse momentum of the sum of vectors.
func ptOf(p []four) float64 {
	px, py, _, _ := sum(p)
	return math.Hypot(px, py)
}

func deltaEta(p []four) float64  { return math.Abs(p[0].eta - p[1].eta) }
func deltaPhi(p []four) float64  { return math.Abs(math.Remainder(p[0].phi-p[1].phi, 2*math.Pi)) }
func deltaR(p []four) float64    { return math.Hypot(deltaEta(p), deltaPhi(p)) }
func ratioOfPT(p []four) float64 { return p[0].pt / max(p[1].pt, least) }
