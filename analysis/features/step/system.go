package step

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// Vector is a four-vector whose components are branches: transverse momentum,
// pseudorapidity and azimuth (in radians) if Polar, else px, py, pz. Its mass is a
// number, or a branch if MassBranch names one.
type Vector struct {
	Name       string    `json:"name"`
	Components [3]string `json:"components"`
	Polar      bool      `json:"polar,omitempty"`
	From       float64   `json:"from,omitempty"` // where the range of the azimuth begins
	Mass       float64   `json:"mass,omitempty"`
	MassBranch string    `json:"mass_branch,omitempty"`
}

// System turns the momenta of n ≥ 2 vectors into coordinates of their sum and of its
// decay, a sequence of decays into two: the system is the first vector and the
// rest, the rest is the second and what is left, and so on. The coordinates are
//
//   - of the system: its mass m, transverse momentum and rapidity,
//   - the azimuth of the first vector, for detectors are not the same all round: what
//     they measure of a particle depends on its own azimuth,
//   - of each decay: cos θ* and φ* of the vector in the rest frame of what decays,
//     with the axes of Collins and Soper (Phys. Rev. D 16 (1977) 2219): x along the
//     transverse momentum, z along the beam, after a boost along z and one along x,
//   - of each rest that decays: its mass, as the part (m − Σ mᵢ)/(M − m₁ − Σ mᵢ) of
//     what there is for it, in (0, 1), M the mass of what it came from with m₁.
//
// The Jacobian follows from that of phase space, with p* the momentum in the rest
// frame,
//
//	d³p₁/2E₁ d³p₂/2E₂ = (p*/2) dm dcosθ* dφ* · d³P/2E,  d³P/2E = (pT/2) dpT dφ dy,
//
// and d³p = pT² cosh η dpT dη dφ. The azimuth of a vector is that of the system and what
// does not depend on it. Masses do not change.
type System struct {
	Name    string   `json:"name"`
	Vectors []Vector `json:"vectors"`
}

// names of the coordinates, in order: those of the system, the azimuth, then those of
// each decay.
func (s *System) names() []string {
	names := []string{"m(" + s.Name + ")", "pT(" + s.Name + ")", "y(" + s.Name + ")", "φ(" + s.Vectors[0].Name + ")"}
	for i, v := range s.Vectors[:len(s.Vectors)-1] {
		if i > 0 {
			names = append(names, fmt.Sprintf("m(%s) of its range", s.rest(i)))
		}
		names = append(names, "cosθ*("+v.Name+")", "φ*("+v.Name+")")
	}
	return names
}

// rest is the sum of the vectors from i on.
func (s *System) rest(i int) string {
	var names []string
	for _, v := range s.Vectors[i:] {
		names = append(names, v.Name)
	}
	return strings.Join(names, "+")
}

func (s *System) Variables() (read, taken []string, made []Coordinate) {
	for _, v := range s.Vectors {
		taken = append(taken, v.Components[:]...)
		if v.MassBranch != "" {
			read = append(read, v.MassBranch)
		}
	}
	return read, taken, s.coordinates()
}

// coordinates returns the coordinates, in the order of their names.
func (s *System) coordinates() (made []Coordinate) {
	lightest, inf := 0.0, math.Inf(1)
	for _, v := range s.Vectors { // a mass that varies may be zero
		lightest += v.Mass
	}
	for i, name := range s.names() {
		c := Coordinate{Name: name}
		switch {
		case i == 0: // the mass
			c.Legal = &[2]float64{lightest, inf}
		case i == 1: // the transverse momentum
			c.Legal = &[2]float64{0, inf}
		case i == 2: // the rapidity
		case i == 3, i%3 == 2: // an azimuth
			c.Circle = &column.Circle{Start: -math.Pi, Period: 2 * math.Pi}
		case i%3 == 1: // a cosine
			c.Legal = &[2]float64{-1, 1}
		default: // a mass, as a part of its range
			c.Legal = &[2]float64{0, 1}
		}
		made = append(made, c)
	}
	return made
}

func (s *System) Describe() string { return "by system " + s.Name }

func (s *System) IsSound() bool {
	isWhole := func(v Vector) bool { return !slices.Contains(v.Components[:], "") }
	return s.isSound() && !slices.ContainsFunc(s.Vectors, func(v Vector) bool { return !isWhole(v) })
}

// isSound is [System.IsSound] where momenta may be transverse.
func (s *System) isSound() bool {
	const most = 1 << 10 // the names of the coordinates are as long as all of theirs
	if len(s.Vectors) < 2 || len(s.Vectors) > most {
		return false
	}
	var seen []string
	for _, v := range s.Vectors {
		for _, c := range v.Components {
			if c == "" {
				continue
			}
			if slices.Contains(seen, c) {
				return false
			}
			seen = append(seen, c)
		}
		if !(v.Mass >= 0) || v.MassBranch != "" && slices.Contains(v.Components[:], v.MassBranch) {
			return false
		}
	}
	return true
}

// massOf returns the mass in event k, where those of all events are given, if it varies.
func (v *Vector) massOf(given []float64, k int) float64 {
	if given == nil {
		return v.Mass
	}
	return math.Abs(given[k])
}

// take returns the vector of event k, and log(d³p/2E per unit of its components).
func (v *Vector) take(c [3][]float64, mass []float64, k int) (p particle, logVolume float64) {
	p.m = v.massOf(mass, k)
	if v.Polar {
		pt := max(c[0][k], least)
		sin, cos := math.Sincos(c[2][k])
		p.px, p.py = pt*cos, pt*sin
		p.y = math.Asinh(pt * math.Sinh(c[1][k]) / p.mt())
		return p, 2*math.Log(pt) + math.Log(math.Cosh(c[1][k])) - math.Log(2*p.energy())
	}
	p.px, p.py = c[0][k], c[1][k]
	p.y = math.Asinh(c[2][k] / max(p.mt(), least))
	return p, -math.Log(2 * p.energy())
}

// put stores the components of a vector.
func (v *Vector) put(p particle, c [3][]float64, k int) {
	if v.Polar {
		pt := p.pt()
		c[0][k] = pt
		c[1][k] = math.Asinh(p.pz() / max(pt, least))
		c[2][k] = column.Circle{Start: v.From, Period: 2 * math.Pi}.Wrap(math.Atan2(p.py, p.px), v.From)
		return
	}
	c[0][k], c[1][k], c[2][k] = p.px, p.py, p.pz()
}

func (s *System) Forward(f *Frame, logDet []float64, _ func([]float64)) {
	n := len(s.Vectors)
	in, mass := s.components(f, f.At)
	out := make([][]float64, 0, 3*n)
	for _, name := range s.names() {
		out = append(out, f.Add(name))
	}
	p, sum := make([]particle, n), make([]particle, n)
	for k := range f.N {
		logVolume := 0.0
		for i := range p {
			var v float64
			p[i], v = s.Vectors[i].take(in[i], mass[i], k)
			logVolume += v
		}
		sum[n-1] = p[n-1]
		for i := n - 2; i >= 0; i-- {
			sum[i] = p[i].plus(sum[i+1])
		}
		out[0][k], out[1][k], out[2][k] = sum[0].m, sum[0].pt(), sum[0].y
		out[3][k] = math.Atan2(p[0].py, p[0].px)
		logVolume -= math.Log(max(out[1][k], least) / 2)
		rest := 0.0 // the sum of the masses of the vectors that are left
		for i := range p {
			rest += p[i].m
		}
		for i := range n - 1 {
			at := 4 + 3*i
			if i > 0 {
				room := max(sum[i-1].m-p[i-1].m-rest, least)
				out[at-1][k] = (sum[i].m - rest) / room
				logVolume -= math.Log(room)
			}
			rest -= p[i].m
			out[at][k], out[at+1][k] = p[i].daughter(sum[i])
			logVolume -= math.Log(max(breakup(sum[i].m, p[i].m, sum[i+1].m), least) / 2)
		}
		if logDet != nil {
			logDet[k] += logVolume
		}
	}
	for _, v := range s.Vectors {
		for _, name := range v.Components {
			f.Take(name)
		}
	}
}

func (s *System) Inverse(f *Frame) {
	n := len(s.Vectors)
	var in [][]float64
	for _, name := range s.names() {
		in = append(in, f.At(name))
	}
	out, mass := s.components(f, f.Add)
	m, p := make([]float64, n), make([]particle, n)
	for k := range f.N {
		rest := 0.0
		for i, v := range s.Vectors {
			m[i] = v.massOf(mass[i], k)
			rest += m[i]
		}
		parent := particle{px: max(in[1][k], 0), y: in[2][k], m: max(in[0][k], rest, least)}
		for i := range n - 1 {
			at := 4 + 3*i
			rest -= m[i]
			heavy := m[n-1] // the mass of what is left
			if i < n-2 {
				heavy = rest + min(max(in[at+2][k], 0), 1)*max(parent.m-m[i]-rest, 0)
			}
			p[i], parent = parent.decay(m[i], heavy, min(max(in[at][k], -1), 1), in[at+1][k])
		}
		p[n-1] = parent
		sin, cos := math.Sincos(in[3][k] - math.Atan2(p[0].py, p[0].px))
		for i := range p {
			p[i].px, p[i].py = p[i].px*cos-p[i].py*sin, p[i].px*sin+p[i].py*cos
			s.Vectors[i].put(p[i], out[i], k)
		}
	}
	for _, name := range s.names() {
		f.Take(name)
	}
}

// components returns the variables of the vectors' components, and those of their
// masses; nil where that is a number.
func (s *System) components(f *Frame, variable func(string) []float64) (c [][3][]float64, mass [][]float64) {
	c, mass = make([][3][]float64, len(s.Vectors)), make([][]float64, len(s.Vectors))
	for i, v := range s.Vectors {
		for j, name := range v.Components {
			if name == "" { // of a transverse momentum
				c[i][j] = make([]float64, f.N)
				continue
			}
			c[i][j] = variable(name)
		}
		if v.MassBranch != "" {
			mass[i] = f.At(v.MassBranch)
		}
	}
	return c, mass
}
