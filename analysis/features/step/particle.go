package step

import "math"

// particle is a four-vector: transverse momentum, rapidity and mass.
type particle struct{ px, py, y, m float64 }

func (p particle) pt() float64 { return math.Hypot(p.px, p.py) }

// mt is the transverse mass.
func (p particle) mt() float64 { return math.Sqrt(p.px*p.px + p.py*p.py + p.m*p.m) }

// energy is E.
func (p particle) energy() float64 { return p.mt() * math.Cosh(p.y) }

// pz is the momentum along the beam.
func (p particle) pz() float64 { return p.mt() * math.Sinh(p.y) }

// least is where momenta and masses that are divided by begin.
const least = 1e-150

// plus returns the sum of two vectors. The mass is computed without the difference
// of energy and momentum.
func (p particle) plus(q particle) particle {
	sum := particle{px: p.px + q.px, py: p.py + q.py}
	a, b := p.mt(), q.mt()
	// (p+q)² = m_p² + m_q² + 2 (mT mT' cosh Δy − pT·pT'), and the same of the
	// longitudinal parts alone for the transverse mass.
	half := math.Sinh((p.y - q.y) / 2)
	mt2 := (a+b)*(a+b) + 4*a*b*half*half
	m2 := p.m*p.m + q.m*q.m + 2*(a*b*(1+2*half*half)-p.px*q.px-p.py*q.py)
	sum.m = math.Sqrt(max(m2, (p.m+q.m)*(p.m+q.m), least*least))
	// tanh of the rapidity relative to the mean of both.
	mean := (p.y + q.y) / 2
	sum.y = mean + math.Asinh((a-b)*half/math.Sqrt(max(mt2, least)))
	return sum
}

// daughter returns cos θ* and φ* of p in the rest frame of the parent, which it is a
// part of.
func (p particle) daughter(parent particle) (cos, phi float64) {
	pt := parent.pt()
	cosP, sinP := direction(parent, pt)
	e, z := p.mt()*math.Cosh(p.y-parent.y), p.mt()*math.Sinh(p.y-parent.y)
	x, y := p.px*cosP+p.py*sinP, p.py*cosP-p.px*sinP
	x = (math.Sqrt(parent.m*parent.m+pt*pt)*x - pt*e) / parent.m
	norm := math.Sqrt(x*x + y*y + z*z)
	if norm == 0 {
		return 0, 0
	}
	return z / norm, math.Atan2(y, x)
}

// direction returns the cosine and sine of the azimuth.
func direction(p particle, pt float64) (cos, sin float64) {
	if pt == 0 {
		return 1, 0
	}
	return p.px / pt, p.py / pt
}

// decay returns the daughters of a parent, with masses m1 and m2, the first in the
// direction cos θ*, φ*. It undoes daughter.
func (parent particle) decay(m1, m2, cos, phi float64) (first, second particle) {
	m, pt := parent.m, parent.pt()
	p := breakup(m, m1, m2)
	sin := math.Sqrt(max((1-cos)*(1+cos), 0))
	x, y, z := p*sin*math.Cos(phi), p*sin*math.Sin(phi), p*cos
	mt := math.Sqrt(m*m + pt*pt)
	cosP, sinP := direction(parent, pt)
	boosted := func(x, y, z, mass float64) particle {
		e := math.Sqrt(mass*mass + p*p)
		x = (mt*x + pt*e) / m
		d := particle{px: x*cosP - y*sinP, py: x*sinP + y*cosP, m: mass}
		d.y = parent.y + math.Asinh(z/max(d.mt(), least))
		return d
	}
	return boosted(x, y, z, m1), boosted(-x, -y, -z, m2)
}

// breakup is p*, the momentum of the daughters in the rest frame of a mass m.
func breakup(m, m1, m2 float64) float64 {
	p2 := (m - m1 - m2) * (m + m1 + m2) * (m - m1 + m2) * (m + m1 - m2)
	return math.Sqrt(max(p2, 0)) / (2 * m)
}
