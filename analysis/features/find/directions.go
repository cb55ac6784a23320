package find

import (
	"cmp"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

// sampled is a column in some events: its values and their signs, bit k that of event k.
type sampled struct {
	rootio.Field
	some     [16]float64
	negative uint
}

// findDirections leaves out azimuths and pseudorapidities of momenta that
// are in the file.
func (s *Search) findDirections() {
	var real []sampled // in the order of the values in the first event
	if s.N < len(sampled{}.some) {
		return
	}
	for _, field := range s.numbers {
		if !field.Kind.IsFloat() {
			continue
		}
		v := sampled{Field: field}
		x := s.load(field.Name)
		for i := range v.some {
			v.some[i] = x[i*(s.N-1)/(len(v.some)-1)]
			if v.some[i] < 0 {
				v.negative |= 1 << i
			}
		}
		s.forget(field.Name)
		real = append(real, v)
	}
	sorted := slices.Clone(real)
	slices.SortStableFunc(sorted, func(a, b sampled) int { return cmp.Compare(a.some[0], b.some[0]) })
	for i := range real {
		if slices.Contains(s.kept, real[i].Name) {
			continue
		}
		d := s.findDirection(&real[i], real, sorted, false)
		if d == nil {
			d = s.findDirection(&real[i], real, sorted, true)
		}
		if d != nil {
			s.apply(d)
		}
	}
}

// findDirection returns a column as the azimuth of two others, or as the pseudorapidity;
// nil if it is none. The signs rule most out, and the first event most of the rest.
func (s *Search) findDirection(v *sampled, real, sorted []sampled, eta bool) *step.Direction {
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
		if (x.negative^xNegative)&xClear != 0 || x.Name == v.Name || s.gone[x.Name] {
			continue
		}
		if s.over() {
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
			if (y.negative^v.negative)&yClear != 0 || y.Name == x.Name || y.Name == v.Name || s.gone[y.Name] {
				continue
			}
			d := &step.Direction{Variable: v.Name, Kind: v.Kind, Eta: eta, X: x.Name, Y: y.Name}
			k := 0
			for k < len(v.some) && d.Off(x.some[k], y.some[k], v.some[k]) <= 1 {
				k++
			}
			if k == len(v.some) && s.isDirection(d) {
				return d
			}
		}
	}
	return nil
}

// isDirection reports whether a relation holds in all events, and is meant.
func (s *Search) isDirection(d *step.Direction) bool {
	x, y, v := s.load(d.X), s.load(d.Y), s.load(d.Variable)
	off := func(k int, v float64) float64 { return d.Off(x[k], y[k], v) }
	return s.isMeant(v, 3, 0, off) && isPrecise(d.Kind, v, func(k int) float64 { return d.Value(x[k], y[k]) })
}
