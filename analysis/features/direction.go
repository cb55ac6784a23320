package features

import (
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Direction is the map that leaves out an azimuth φ = atan2(Y, X), or a pseudorapidity
// η = asinh(Y/X) of the longitudinal momentum Y and the transverse one X. The way back
// computes it. An event in which it is something else is impossible.
type Direction struct {
	Variable string      `json:"variable"`
	Kind     rootio.Kind `json:"kind"`
	Eta      bool        `json:"eta,omitempty"`
	X        string      `json:"x"`
	Y        string      `json:"y"`
}

func (d *Direction) variables() (read, taken, made []string) {
	return []string{d.X, d.Y}, []string{d.Variable}, nil
}

func (d *Direction) isNoisy() bool { return false }

func (d *Direction) isSound() bool { return d.Kind != 0 && d.X != d.Y }

// value returns the angle that x and y make.
func (d *Direction) value(x, y float64) float64 {
	if d.Eta {
		return math.Asinh(y / x)
	}
	return math.Atan2(y, x)
}

// off returns how far the angle of x and y is from that of the file, in units of what the
// rounding of floating-point numbers may do. Errors of x and y of part ε change it by ε at
// most; η as ½ log((p+pz)/(p−pz)) loses digits in the difference, until from about 18 on
// there are none.
func (d *Direction) off(x, y, inFile float64) float64 {
	v := d.value(x, y)
	rounding := ulp(d.Kind, 1) + ulp(d.Kind, v)
	if d.Eta {
		cosh := math.Cosh(min(math.Abs(v), 18))
		rounding += ulp(rootio.Float64, 1) * cosh * cosh
	}
	const few = 4
	return math.Abs(v-inFile) / (few * rounding)
}

// isNear reports whether an angle agrees with that of the file but for rounding.
func (d *Direction) isNear(x, y, inFile float64) bool { return d.off(x, y, inFile) <= 1 }

func (d *Direction) forward(f *frame, logDet []float64, _ func([]float64)) {
	x, y, v := f.at(d.X), f.at(d.Y), f.take(d.Variable)
	for k := range logDet {
		if !d.isNear(x[k], y[k], v[k]) {
			logDet[k] = math.Inf(-1)
		}
	}
}

func (d *Direction) inverse(f *frame) {
	x, y, v := f.at(d.X), f.at(d.Y), f.add(d.Variable)
	for k := range v {
		v[k] = d.value(x[k], y[k])
	}
}

// String writes the map as a formula.
func (d *Direction) String() string {
	if d.Eta {
		return fmt.Sprintf("asinh(%s/%s)", d.Y, d.X)
	}
	return fmt.Sprintf("atan2(%s, %s)", d.Y, d.X)
}

// leaveOutDirections adds the maps of azimuths and pseudorapidities of momenta that
// are in the file, and returns the columns that are left.
func (f *fitting) leaveOutDirections(fields []rootio.Field, kept []string) []rootio.Field {
	const rows = 8
	if f.n < rows {
		return fields
	}
	var real []rootio.Field
	var some [][rows]float64
	for _, field := range fields {
		if field.Kind.IsFloat() {
			var v [rows]float64
			x := f.load(field.Name)
			for i := range v {
				v[i] = x[i*(f.n-1)/(rows-1)]
			}
			f.take(field.Name)
			real, some = append(real, field), append(some, v)
		}
	}
	left := slices.Clone(fields)
	gone := make([]bool, len(real))
	find := func(i int) *Direction {
		sin, cos := math.Sincos(some[i][0])
		sinh, cosh := math.Sinh(some[i][0]), math.Cosh(some[i][0])
		for a := range real {
			if f.over() {
				return nil
			}
			for b := range real {
				if a == b || a == i || b == i || gone[a] || gone[b] {
					continue
				}
				// First what is cheap, for one event.
				x, y, tolerance := some[a][0], some[b][0], 1e-3*(math.Abs(some[a][0])+math.Abs(some[b][0]))
				isAzimuth := math.Abs(y*cos-x*sin) < tolerance
				isEta := math.Abs(y-x*sinh) < tolerance*cosh
				for _, eta := range []bool{false, true} {
					if !isEta && eta || !isAzimuth && !eta {
						continue
					}
					d := &Direction{real[i].Name, real[i].Kind, eta, real[a].Name, real[b].Name}
					k := 0
					for k < rows && d.isNear(some[a][k], some[b][k], some[i][k]) {
						k++
					}
					if k == rows && f.isDirection(d) {
						return d
					}
				}
			}
		}
		return nil
	}
	for i, field := range real {
		if slices.Contains(kept, field.Name) {
			continue
		}
		if d := find(i); d != nil {
			f.load(d.Variable)
			f.apply(Map{Direction: d})
			gone[i] = true
			left = slices.DeleteFunc(left, func(f rootio.Field) bool { return f.Name == d.Variable })
		}
	}
	return left
}

// isDirection reports whether a relation holds in all events, and is meant.
func (f *fitting) isDirection(d *Direction) bool {
	x, y, v := f.load(d.X), f.load(d.Y), f.load(d.Variable)
	off := func(k int, v float64) float64 { return d.off(x[k], y[k], v) }
	return f.isMeant(v, 3, 0, off) && isPrecise(d.Kind, v, func(k int) float64 { return d.value(x[k], y[k]) })
}

// Polar is the map of the components X, Y of a momentum to its magnitude and azimuth,
// and of a third, Z, if that is not empty, to the pseudorapidity. It is for momenta of
// which the file has the magnitude, too: cuts are made on that.
type Polar struct {
	X string `json:"x"`
	Y string `json:"y"`
	Z string `json:"z,omitempty"`
}

func (p *Polar) variables() (read, taken, made []string) {
	taken = []string{p.X, p.Y}
	made = []string{fmt.Sprintf("pT(%s, %s)", p.X, p.Y), fmt.Sprintf("φ(%s, %s)", p.X, p.Y)}
	if p.Z != "" {
		taken, made = append(taken, p.Z), append(made, fmt.Sprintf("η(%s, %s, %s)", p.X, p.Y, p.Z))
	}
	return nil, taken, made
}

func (p *Polar) isNoisy() bool { return false }

func (p *Polar) isSound() bool { return p.X != p.Y && p.X != p.Z && p.Y != p.Z }

func (p *Polar) forward(f *frame, logDet []float64, _ func([]float64)) {
	_, taken, made := p.variables()
	x, y := f.at(p.X), f.at(p.Y)
	pt, phi := f.add(made[0]), f.add(made[1])
	for k := range pt {
		pt[k], phi[k] = max(math.Hypot(x[k], y[k]), least), math.Atan2(y[k], x[k])
	}
	for k := range logDet { // dx dy = pT dpT dφ
		logDet[k] -= math.Log(pt[k])
	}
	if p.Z != "" {
		z, eta := f.at(p.Z), f.add(made[2])
		for k := range eta {
			eta[k] = math.Asinh(z[k] / pt[k])
		}
		for k := range logDet { // dz = pT cosh η dη
			logDet[k] -= math.Log(math.Hypot(pt[k], z[k]))
		}
	}
	for _, name := range taken {
		f.take(name)
	}
}

func (p *Polar) inverse(f *frame) {
	_, _, made := p.variables()
	x, y := f.add(p.X), f.add(p.Y)
	pt, phi := f.at(made[0]), f.at(made[1])
	for k := range x {
		sin, cos := math.Sincos(phi[k])
		x[k], y[k] = pt[k]*cos, pt[k]*sin
	}
	if p.Z != "" {
		z, eta := f.add(p.Z), f.at(made[2])
		for k := range z {
			z[k] = pt[k] * math.Sinh(eta[k])
		}
	}
	for _, name := range made {
		f.take(name)
	}
}

// addPolar adds the maps of momenta whose transverse part was found to be determined,
// as √(x² + y²), if both components are left and have both signs.
func (f *fitting) addPolar(kept []string) {
	var sums []*Sum
	for _, m := range f.spec.Maps {
		if m.Sum != nil && m.Sum.Squares && !slices.ContainsFunc(m.Sum.Terms, func(t Term) bool { return t.Factor != 1 }) {
			sums = append(sums, m.Sum)
		}
	}
	isFree := func(name string) bool { return !f.isLeftOut(name) && !slices.Contains(kept, name) }
	isTransverse := func(name string) bool { return isFree(name) && slices.Min(f.load(name)) < 0 }
	for _, s := range sums {
		if len(s.Terms) != 2 || s.Offset != 0 || !isTransverse(s.Terms[0].Variable) || !isTransverse(s.Terms[1].Variable) {
			continue
		}
		p := &Polar{X: s.Terms[0].Variable, Y: s.Terms[1].Variable}
		for _, m := range f.spec.Maps {
			if d := m.Direction; d != nil && d.Eta && d.X == s.Variable && isFree(d.Y) {
				p.Z = d.Y
			}
		}
		for _, other := range sums {
			if len(other.Terms) == 3 && p.Z == "" {
				read, _, _ := other.variables()
				rest := slices.DeleteFunc(read, func(name string) bool { return name == p.X || name == p.Y })
				if len(rest) == 1 && isFree(rest[0]) {
					p.Z = rest[0]
				}
			}
		}
		_, taken, made := p.variables()
		for _, name := range taken {
			f.roundComponent(name)
		}
		f.apply(Map{Polar: p})
		for _, name := range made {
			f.coordinates = append(f.coordinates, rootio.Field{Name: name, Kind: rootio.Float64})
		}
		f.legal[made[0]] = &[2]float64{0, math.Inf(1)}
		f.circles[made[1]] = Circle{-math.Pi, 2 * math.Pi}
	}
}
