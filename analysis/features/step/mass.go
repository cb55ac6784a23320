package step

import (
	"math"
	"slices"
)

// Mass puts the mass M of a system of vectors in the place of the transverse
// momentum pT of the last of them. With E₁ and p₁ those of the sum of the others, M₁ its mass,
//
//	M² = M₁² + m₂² + 2 (E₁E₂ − p₁·p₂)
//	∂M/∂pT = (E₁ pT cosh²η₂/E₂ − p₁·(cos φ₂, sin φ₂, sinh η₂))/M
//
// All other components stay as they are, and so do the cuts on them and what a detector
// does in one direction. There may be two momenta that give the same mass, one on either
// side of that at which the derivative is zero; the way back takes the larger one, and an
// event with the smaller one is impossible. Where events have those, [System] takes its place, or
// the mass is that of massless vectors, which has no such momenta.
//
// Of transverse momenta it is the transverse mass: the pseudorapidity, and the azimuth from which the others are measured, have no name and
// are zero.
//
// With a Softness the edges of pT and those of M are kept: those of pT are edges of M that
// depend on the rest of the event. It is log M that is learnt, bent near to the nearer edges ([Between]).
type Mass struct {
	Name     string   `json:"name"`
	Vectors  []Vector `json:"vectors"`
	Softness float64  `json:"softness,omitempty"` // of the edges, in units of log M; 0: there are none
	PT       Bounds   `json:"pt,omitzero"`        // the edges of pT
	Window   Bounds   `json:"window,omitzero"`    // the edges of M
}

// name of the coordinate.
func (m *Mass) name() string {
	if m.Softness > 0 {
		return "log m(" + m.Name + ") between its edges"
	}
	return "m(" + m.Name + ")"
}

// last is the vector whose transverse momentum is taken.
func (m *Mass) last() *Vector { return &m.Vectors[len(m.Vectors)-1] }

func (m *Mass) Variables() (read, taken []string, made []Coordinate) {
	least := 0.0
	for i, v := range m.Vectors {
		if i < len(m.Vectors)-1 {
			read = append(read, v.Components[0])
		}
		for _, name := range v.Components[1:] {
			if name != "" {
				read = append(read, name)
			}
		}
		if v.MassBranch != "" {
			read = append(read, v.MassBranch)
		}
		least += v.Mass
	}
	c := Coordinate{Name: m.name()}
	if m.Softness == 0 {
		c.Legal = &[2]float64{least, math.Inf(1)}
	}
	for _, name := range m.PT.variables() {
		if !slices.Contains(read, name) {
			read = append(read, name)
		}
	}
	return read, []string{m.last().Components[0]}, []Coordinate{c}
}

func (m *Mass) IsSound() bool {
	isPolar := func(v Vector) bool { return v.Polar && v.Components[0] != "" }
	return m.system().isSound() && !slices.ContainsFunc(m.Vectors, func(v Vector) bool { return !isPolar(v) }) &&
		m.Softness >= 0 && !math.IsInf(m.Softness, 0) && m.PT.isSound() && m.Window.isSound() && len(m.Window.variables()) == 0 && !slices.Contains(m.PT.variables(), m.last().Components[0])
}

func (m *Mass) system() *System { return &System{m.Name, m.Vectors} }

// kinematics is what the mass depends on, but for pT. The coordinates of the sum of the other
// vectors are those with φ₂ = 0.
type kinematics struct {
	x, y, z, e1, m1 float64 // momentum, energy and mass of that sum
	sinh2, m2       float64 // the last vector's direction and mass
}

func (m *Mass) kinematics(c [][3][]float64, mass [][]float64, k int) kinematics {
	n := len(c) - 1
	p := kinematics{sinh2: math.Sinh(c[n][1][k]), m2: m.Vectors[n].massOf(mass[n], k)}
	var sum particle
	for i, v := range m.Vectors[:n] {
		pt, sinh, m1 := max(c[i][0][k], least), math.Sinh(c[i][1][k]), v.massOf(mass[i], k)
		sin, cos := math.Sincos(c[i][2][k] - c[n][2][k])
		p.x, p.y, p.z = p.x+pt*cos, p.y+pt*sin, p.z+pt*sinh
		if i == 0 {
			p.m1, p.e1 = m1, math.Sqrt(pt*pt*(1+sinh*sinh)+m1*m1)
		}
		if n > 1 {
			q := particle{px: pt * cos, py: pt * sin, m: m1}
			q.y = math.Asinh(pt * sinh / max(q.mt(), least))
			if i == 0 {
				sum = q
			} else {
				sum = sum.plus(q)
				p.m1 = sum.m
			}
		}
	}
	if n > 1 {
		p.e1 = math.Sqrt(p.x*p.x + p.y*p.y + p.z*p.z + p.m1*p.m1)
	}
	return p
}

// along returns the component of p₁ along p₂, and the square of the one across it.
func (p *kinematics) along() (b, across2 float64) {
	cosh2 := math.Hypot(1, p.sinh2)
	b = (p.x + p.z*p.sinh2) / cosh2
	// p₁ × p₂/|p₂|
	x, y, z := p.y*p.sinh2, p.z-p.x*p.sinh2, p.y
	return b, (x*x + y*y + z*z) / (cosh2 * cosh2)
}

// mass returns M for the transverse momentum pt2, and ∂M/∂pT.
func (p *kinematics) mass(pt2 float64) (m, slope float64) {
	cosh2 := math.Hypot(1, p.sinh2)
	p2 := pt2 * cosh2
	e1, e2 := p.e1, math.Hypot(p2, p.m2)
	b, across2 := p.along()
	// E₁E₂ − b p₂ without the difference of what may be nearly equal:
	// its square is E₁²E₂² − b²p₂² over the sum.
	product := e1*e2 - b*p2
	if b > 0 {
		product = (p2*p2*(across2+p.m1*p.m1) + e1*e1*p.m2*p.m2) / (e1*e2 + b*p2)
	}
	m = math.Sqrt(max(p.m1*p.m1+p.m2*p.m2+2*product, least*least))
	return m, (e1*p2/max(e2, least) - b) * cosh2 / m
}

// lightest is the transverse momentum that gives the least mass.
func (p *kinematics) lightest() float64 {
	b, across2 := p.along()
	if !(b > 0) || p.m2 == 0 {
		return 0
	}
	return b * p.m2 / math.Sqrt(max(across2+p.m1*p.m1, least)) / math.Hypot(1, p.sinh2)
}

// transverse is the inverse of mass: the larger solution, or where there is none that
// of the least mass.
func (p *kinematics) transverse(m float64) float64 {
	e1 := p.e1
	b, across2 := p.along()
	k := (m*m - p.m1*p.m1 - p.m2*p.m2) / 2
	a := max(across2+p.m1*p.m1, least) // E₁² − b²
	root := e1 * math.Sqrt(max(k*k-a*p.m2*p.m2, 0))
	p2 := 0.0
	if b > 0 {
		p2 = (k*b + root) / a
	} else {
		p2 = (k*k - e1*e1*p.m2*p.m2) / max(root-k*b, least)
	}
	return max(p2, 0) / math.Hypot(1, p.sinh2)
}

// bend returns that of log M in event k.
func (m *Mass) bend(p *kinematics, k int, above, below []float64) bend {
	lo, hi := m.Window.at(k, nil, nil)
	from, to := m.PT.at(k, above, below)
	first, _ := p.mass(max(from, p.lightest(), least))
	lo = max(lo, first)
	if !math.IsInf(to, 0) {
		last, _ := p.mass(max(to, p.lightest(), least))
		hi = min(hi, last)
	}
	if lo <= floorOfMass {
		lo = 0
	}
	return bendBetween(math.Log(lo), math.Log(hi), m.Softness)
}

// floorOfMass is where a mass is that of massless vectors with no momentum.
const floorOfMass = 1e-60

func (m *Mass) Forward(f *Frame, logDet []float64, _ func([]float64)) {
	c, mass := m.system().components(f, f.At)
	above, below := m.PT.values(f)
	out := f.Add(m.name())
	for k, pt := range c[len(c)-1][0] {
		p := m.kinematics(c, mass, k)
		v, slope := p.mass(max(pt, least))
		if out[k] = v; m.Softness > 0 {
			y, logSlope := m.bend(&p, k, above, below).forward(math.Log(v))
			out[k], slope = y, slope/v*math.Exp(logSlope)
		}
		if logDet == nil {
			continue
		}
		if slope > 0 {
			logDet[k] += math.Log(slope)
		} else {
			logDet[k] = math.Inf(-1)
		}
	}
	f.Take(m.last().Components[0])
}

func (m *Mass) Inverse(f *Frame) {
	f.Add(m.last().Components[0])
	c, mass := m.system().components(f, f.At)
	above, below := m.PT.values(f)
	for k, v := range f.At(m.name()) {
		p := m.kinematics(c, mass, k)
		if m.Softness > 0 {
			v = math.Exp(m.bend(&p, k, above, below).inverse(v))
		}
		c[len(c)-1][0][k] = p.transverse(v)
	}
	f.Take(m.name())
}

// IsOneToOne reports whether the mass says, in all events of a frame, what the transverse
// momentum of the last vector is.
func (m *Mass) IsOneToOne(f *Frame) bool {
	c, mass := m.system().components(f, f.At)
	for k, pt := range c[len(c)-1][0] {
		const enough, close = 1e-3, 1e-6
		p := m.kinematics(c, mass, k)
		v, slope := p.mass(pt)
		// Far from the least mass, where the derivative is zero.
		if !(pt > 0 && slope*pt > enough*v && math.Abs(p.transverse(v)-pt) < close*pt) {
			return false
		}
	}
	return true
}

func (m *Mass) Describe() string {
	how := "by the mass of " + m.Name
	if edges := m.PT.String(); m.Softness > 0 && edges != "" {
		how += ", " + edges
	}
	if window := m.Window.String(); window != "" {
		how += "; the mass " + window
	}
	return how
}
