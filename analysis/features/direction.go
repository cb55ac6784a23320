package features

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
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
	rounding := column.ULP(d.Kind, 1) + column.ULP(d.Kind, v)
	if d.Eta {
		cosh := math.Cosh(min(math.Abs(v), 18))
		rounding += column.ULP(rootio.Float64, 1) * cosh * cosh
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

// sampled is a column in some events: its values and their signs, bit k that of event k.
type sampled struct {
	rootio.Field
	some     [16]float64
	negative uint
}

// leaveOutDirections adds the maps of azimuths and pseudorapidities of momenta that
// are in the file.
func (f *fitting) leaveOutDirections(kept []string) {
	var real []sampled // in the order of the values in the first event
	if f.n < len(sampled{}.some) {
		return
	}
	for _, field := range f.numbers {
		if !field.Kind.IsFloat() {
			continue
		}
		v := sampled{Field: field}
		x := f.load(field.Name)
		for i := range v.some {
			v.some[i] = x[i*(f.n-1)/(len(v.some)-1)]
			if v.some[i] < 0 {
				v.negative |= 1 << i
			}
		}
		f.take(field.Name)
		real = append(real, v)
	}
	sorted := slices.Clone(real)
	slices.SortStableFunc(sorted, func(a, b sampled) int { return cmp.Compare(a.some[0], b.some[0]) })
	for i := range real {
		if slices.Contains(kept, real[i].Name) {
			continue
		}
		d := f.findDirection(&real[i], real, sorted, false)
		if d == nil {
			d = f.findDirection(&real[i], real, sorted, true)
		}
		if d != nil {
			f.load(d.Variable)
			f.apply(Map{Direction: d})
			f.numbers = slices.DeleteFunc(f.numbers, func(f rootio.Field) bool { return f.Name == d.Variable })
		}
	}
}

// findDirection returns a column as the azimuth of two others, or as the pseudorapidity;
// nil if it is none. The signs rule most out, and the first event most of the rest.
func (f *fitting) findDirection(v *sampled, real, sorted []sampled, eta bool) *Direction {
	const near = 1e-3
	var xNegative, xClear, yClear uint // of x and y, and where these are to be seen
	for k, a := range v.some {
		if !eta && math.Abs(a) > 3.15 || eta && math.Abs(a) > 40 {
			return nil
		}
		c := math.Cos(a)
		if !eta && c < 0 {
			xNegative |= 1 << k
		}
		if eta || math.Abs(c) > near {
			xClear |= 1 << k
		}
		if s := math.Sin(a); eta && a != 0 || math.Abs(s) > near {
			yClear |= 1 << k
		}
	}
	sin, cos := math.Sincos(v.some[0])
	if eta {
		sin, cos = math.Sinh(v.some[0]), 1
	}
	for a := range real {
		x := &real[a]
		if (x.negative^xNegative)&xClear != 0 || x.Name == v.Name || f.gone[x.Name] {
			continue
		}
		if f.over() {
			return nil
		}
		// y cos = x sin within a part of x and y (times cosh η).
		part := near
		if eta {
			part *= math.Cosh(v.some[0])
		}
		first, last := 0, len(sorted)
		if room := math.Abs(cos) - part; room > part {
			y := x.some[0] * sin / cos
			slack := part * (math.Abs(x.some[0]) + math.Abs(y)) / room
			at := func(v float64) int {
				i, _ := slices.BinarySearchFunc(sorted, v, func(l sampled, v float64) int { return cmp.Compare(l.some[0], v) })
				return i
			}
			first, last = at(y-slack), at(math.Nextafter(y+slack, math.Inf(1)))
		}
		for b := first; b < last; b++ {
			y := &sorted[b]
			if (y.negative^v.negative)&yClear != 0 || y.Name == x.Name || y.Name == v.Name || f.gone[y.Name] {
				continue
			}
			d := &Direction{v.Name, v.Kind, eta, x.Name, y.Name}
			k := 0
			for k < len(v.some) && d.isNear(x.some[k], y.some[k], v.some[k]) {
				k++
			}
			if k == len(v.some) && f.isDirection(d) {
				return d
			}
		}
	}
	return nil
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
	isFree := func(name string) bool { return !f.gone[name] && !slices.Contains(kept, name) }
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
		f.circles[made[1]] = column.Circle{Start: -math.Pi, Period: 2 * math.Pi}
	}
}
