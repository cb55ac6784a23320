package step

import "math"

// Mass puts the mass M of a system of two vectors in the place of the transverse
// momentum of the second:
//
//	M² = m₁² + m₂² + 2 (E₁E₂ − p₁·p₂)
//	∂M/∂pT₂ = (E₁ pT₂ cosh²η₂/E₂ − pT₁ (cos Δφ + sinh η₁ sinh η₂))/M
//
// All other components stay as they are, and so do the cuts on them and what a detector
// does in one direction. There may be two momenta that give the same mass, one on either
// side of that at which the derivative is zero; the way back takes the larger one, and an
// event with the smaller one is impossible. Where events have those, [System] takes its place.
type Mass struct {
	Name    string    `json:"name"`
	Vectors [2]Vector `json:"vectors"`
}

// name of the coordinate.
func (m *Mass) name() string { return "m(" + m.Name + ")" }

func (m *Mass) Variables() (read, taken []string, made []Coordinate) {
	a, b := &m.Vectors[0], &m.Vectors[1]
	read = append(read, a.Components[:]...)
	read = append(read, b.Components[1:]...)
	for _, v := range m.Vectors {
		if v.MassBranch != "" {
			read = append(read, v.MassBranch)
		}
	}
	return read, []string{b.Components[0]}, []Coordinate{{Name: m.name(), Legal: &[2]float64{a.Mass + b.Mass, math.Inf(1)}}}
}

func (m *Mass) IsSound() bool {
	return m.system().IsSound() && m.Vectors[0].Polar && m.Vectors[1].Polar
}

func (m *Mass) system() *System { return &System{m.Name, m.Vectors[:]} }

// kinematics is what the mass of two vectors depends on, but for pT₂.
type kinematics struct {
	pt1, sinh1, m1     float64
	sinh2, m2          float64 // the second vector's direction and mass
	cosDelta, sinDelta float64 // of φ₂ − φ₁
}

func (m *Mass) kinematics(c [][3][]float64, mass [][]float64, k int) kinematics {
	p := kinematics{
		pt1: max(c[0][0][k], least), sinh1: math.Sinh(c[0][1][k]), sinh2: math.Sinh(c[1][1][k]),
		m1: m.Vectors[0].massOf(mass[0], k), m2: m.Vectors[1].massOf(mass[1], k),
	}
	p.sinDelta, p.cosDelta = math.Sincos(c[1][2][k] - c[0][2][k])
	return p
}

// energy1 is E₁.
func (p *kinematics) energy1() float64 {
	return math.Sqrt(p.pt1*p.pt1*(1+p.sinh1*p.sinh1) + p.m1*p.m1)
}

// along returns the component of p₁ along p₂, and the square of the one across it.
func (p *kinematics) along() (b, across2 float64) {
	cosh2 := math.Hypot(1, p.sinh2)
	b = p.pt1 * (p.cosDelta + p.sinh1*p.sinh2) / cosh2
	// p₁ × p₂/|p₂|, in coordinates with p₁ in the plane of the first and the third axis.
	x, y, z := -p.sinh1*p.sinDelta, p.sinh1*p.cosDelta-p.sinh2, p.sinDelta
	return b, p.pt1 * p.pt1 * (x*x + y*y + z*z) / (cosh2 * cosh2)
}

// mass returns M for the transverse momentum pt2, and ∂M/∂pT₂.
func (p *kinematics) mass(pt2 float64) (m, slope float64) {
	cosh2 := math.Hypot(1, p.sinh2)
	p2 := pt2 * cosh2
	e1, e2 := p.energy1(), math.Hypot(p2, p.m2)
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

// transverse is the inverse of mass: the larger solution, or where there is none that
// of the least mass.
func (p *kinematics) transverse(m float64) float64 {
	e1 := p.energy1()
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

func (m *Mass) Forward(f *Frame, logDet []float64, _ func([]float64)) {
	c, mass := m.system().components(f, f.At)
	out := f.Add(m.name())
	for k, pt := range c[1][0] {
		p := m.kinematics(c, mass, k)
		var slope float64
		out[k], slope = p.mass(max(pt, least))
		if logDet == nil {
			continue
		}
		if slope > 0 {
			logDet[k] += math.Log(slope)
		} else {
			logDet[k] = math.Inf(-1)
		}
	}
	f.Take(m.Vectors[1].Components[0])
}

func (m *Mass) Inverse(f *Frame) {
	f.Add(m.Vectors[1].Components[0])
	c, mass := m.system().components(f, f.At)
	for k, v := range f.At(m.name()) {
		p := m.kinematics(c, mass, k)
		c[1][0][k] = p.transverse(v)
	}
	f.Take(m.name())
}

// IsOneToOne reports whether the mass says, in all events of a frame, what the transverse
// momentum of the second vector is.
func (m *Mass) IsOneToOne(f *Frame) bool {
	c, mass := m.system().components(f, f.At)
	for k, pt := range c[1][0] {
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

func (m *Mass) Describe() string { return "by the mass of " + m.Name }
