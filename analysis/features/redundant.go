package features

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/rootio"
)

// This file finds branches that others determine.

const (
	mostTerms = 6 // of a sum
	// looksDependent is the part of a column's standard deviation that may be left
	// over after a linear fit in float32 for it to be looked at more closely.
	looksDependent = 1e-5
	// natsPerKey is how much more information, in nats, a column must have than
	// the choice of its values for the keys of a lookup would give by chance.
	natsPerKey = 10
)

// findNumbers finds the branches that relations may be between: those that vary, and have no
// missing values, which have a pattern of their own.
func (f *fitting) findNumbers() {
	for _, field := range f.spec.Branches {
		if f.over() {
			return
		}
		if f.gone[field.Name] {
			continue
		}
		if x := f.load(field.Name); countValues(x, 1) > 1 && !slices.ContainsFunc(x, math.IsNaN) {
			f.numbers = append(f.numbers, field)
		}
		f.take(field.Name)
	}
}

// leaveOutSums adds the maps of linear relations, and of those between squares. What a
// momentum is computed from must be there when it is: magnitudes before sums, those that are
// parts of sums after these.
func (f *fitting) leaveOutSums(kept []string) {
	sums := f.findSums(kept, false)
	ofSums := slices.Clone(kept)
	for _, s := range sums {
		read, taken, _ := s.variables()
		ofSums = append(append(ofSums, read...), taken...)
	}
	for _, s := range f.findSums(ofSums, true) {
		f.leaveOut(s)
	}
	for _, s := range sums {
		f.leaveOut(s)
	}
	if len(sums) > 0 {
		for _, s := range f.findSums(kept, true) {
			f.leaveOut(s)
		}
	}
}

// countValues returns the number of distinct values; more than most where there are more.
func countValues(x []float64, most int) int {
	seen := map[float64]struct{}{}
	for _, v := range x {
		if seen[v] = struct{}{}; len(seen) > most {
			break
		}
	}
	return len(seen)
}

// leaveOutMasses adds the maps of masses that hardly vary, computed as √(E² − p²) with
// more or less of rounding in them. These are no variables: what they are follows from how
// E and p are rounded.
func (f *fitting) leaveOutMasses(kept []string) {
	const hardly, some = 0.05, 20
	if f.n < some {
		return
	}
	var doubles []rootio.Field
	for _, field := range f.numbers {
		if field.Kind == rootio.Float64 {
			doubles = append(doubles, field)
		}
	}
	// far returns how far a mass is from that of an energy and a momentum, in units in
	// the last place of their squares, in the mean of some events; infinity where it is none.
	far := func(m, e, p []float64) float64 {
		sum := 0.0
		for i := range some { // most pairs fail at once
			k := i * (f.n - 1) / (some - 1)
			pe, me := p[k]/e[k], m[k]/e[k]
			d := math.Abs(1-pe*pe-me*me) / column.ULP(rootio.Float64, 1)
			if !(p[k] <= e[k] && d <= lostDigits(rootio.Float64)) {
				return math.Inf(1)
			}
			sum += d
		}
		return sum / some
	}
	for _, field := range doubles {
		m := f.load(field.Name)
		lo, hi := slices.Min(m), slices.Max(m)
		if slices.Contains(kept, field.Name) || !(lo > 0 && hi-lo < hardly*hi) {
			continue
		}
		var best *Sum
		nearest := math.Inf(1)
		for _, e := range doubles {
			if f.over() {
				return
			}
			for _, p := range doubles {
				if e.Name == p.Name || e.Name == field.Name || p.Name == field.Name {
					continue
				}
				d := far(m, f.load(e.Name), f.load(p.Name))
				if !(d < nearest) {
					continue
				}
				s := &Sum{Variable: field.Name, Kind: field.Kind, Squares: true, Terms: []Term{{e.Name, 1}, {p.Name, -1}}}
				energy := &Sum{Variable: e.Name, Kind: e.Kind, Squares: true, Terms: []Term{{p.Name, 1}}}
				if f.complete(s) && s.Offset == 0 && f.complete(energy) && f.isPreciseSum(energy) {
					best, nearest = s, d
				}
			}
		}
		if best != nil {
			f.leaveOut(best)
			doubles = slices.DeleteFunc(slices.Clone(doubles), func(f rootio.Field) bool { return f.Name == field.Name })
		}
	}
}

// leaveOut adds the map of a sum.
func (f *fitting) leaveOut(s *Sum) {
	f.load(s.Variable)
	f.apply(Map{Sum: s})
	f.numbers = slices.DeleteFunc(f.numbers, func(f rootio.Field) bool { return f.Name == s.Variable })
}

// findSums returns linear relations between columns, or between the squares of real
// ones. Each is of columns that those before it leave.
func (f *fitting) findSums(kept []string, squares bool) (sums []*Sum) {
	fields := slices.DeleteFunc(slices.Clone(f.numbers), func(f rootio.Field) bool { return squares && !f.Kind.IsFloat() })
	for again := true; again; {
		var found []*Sum
		found, again = f.findSome(fields, kept, squares)
		for _, s := range found {
			fields = slices.DeleteFunc(fields, func(f rootio.Field) bool { return f.Name == s.Variable })
		}
		sums = append(sums, found...)
	}
	return sums
}

// vector is a column of some events, or what is left of it after the projection on
// others.
type vector struct {
	field rootio.Field
	scale int     // x was divided by 2^scale, and then squared if squares are looked for
	norm  float64 // before the projection
	x     []float64
}

// scaleOf returns the exponent of the largest of some numbers.
func scaleOf(x []float64) int {
	largest := 0.0
	for _, v := range x {
		largest = max(largest, math.Abs(v))
	}
	_, e := math.Frexp(largest)
	return e
}

// findSome returns relations that hold for all events. There may be more, to be found
// in a second go without the columns that these determine, if again is true. The columns, less their means, go through the Gram-Schmidt process, on a few
// events; where nothing is left of one, it is a sum of those before it. Those of
// which so little is left that it may be rounding are no part of other sums, but may
// have copies.
func (f *fitting) findSome(fields []rootio.Field, kept []string, squares bool) (found []*Sum, again bool) {
	// More rows than columns, so that no column is a sum of the others by their number.
	const wide = 200
	rows := min(f.n, 2*len(fields)+2*min(len(fields), wide)+100)
	if rows < 2*len(fields)+10 {
		f.cut = "there are more columns than events to tell by"
		return nil, false
	}
	var basis, others []*vector
	var product [][]float64 // of each column of the basis with those before it, and itself
	for _, field := range fields {
		if f.over() {
			return found, false
		}
		v := &vector{field: field, x: make([]float64, rows)}
		all := f.load(field.Name)
		for i := range v.x {
			v.x[i] = all[i*f.n/rows]
		}
		v.scale = scaleOf(v.x)
		for i := range v.x {
			v.x[i] = math.Ldexp(v.x[i], -v.scale)
			if squares {
				v.x[i] *= v.x[i]
			}
		}
		mean := floats.Sum(v.x) / float64(rows)
		floats.AddConst(-mean, v.x)
		v.norm = floats.Norm(v.x, 2)
		if v.norm == 0 {
			continue
		}
		floats.Scale(1/v.norm, v.x)
		whole := slices.Clone(v.x)
		c := make([]float64, len(basis)+1)
		project := func() float64 {
			for j, b := range basis {
				p := floats.Dot(b.x, v.x)
				c[j] += p
				floats.AddScaled(v.x, -p, b.x)
			}
			return floats.Norm(v.x, 2)
		}
		left := project()
		if left < 0.1 { // the second time takes away what rounding left
			left = project()
		}
		if left > looksDependent {
			c[len(basis)] = left
			floats.Scale(1/left, v.x)
			basis, product = append(basis, v), append(product, c)
			continue
		}
		s := f.sumOf(v, basis, product, c, kept, squares)
		for _, o := range others {
			if p := floats.Dot(o.x, whole); s == nil && math.Abs(p) > 1-looksDependent {
				s = f.solve([]*vector{o, v}, []float64{p, -1}, kept, squares)
			}
		}
		switch {
		case s == nil:
			v.x = whole
			others = append(others, v)
		case s.Variable == field.Name:
			found = append(found, s)
		default: // one that others were made orthogonal to
			return append(found, s), true
		}
	}
	return found, false
}

// sumOf returns v as a sum of columns of the basis, with c its coordinates there, or
// one of these as a sum of the others and v; nil if that does not hold.
func (f *fitting) sumOf(v *vector, basis []*vector, product [][]float64, c []float64, kept []string, squares bool) *Sum {
	factor := slices.Clone(c[:len(basis)])
	for i := len(basis) - 1; i >= 0; i-- { // back substitution
		factor[i] /= product[i][i]
		for j := range i {
			factor[j] -= factor[i] * product[i][j]
		}
	}
	// What is small may be rounding, or a mass beside large energies.
	for _, least := range []float64{looksDependent, 1e-3 * looksDependent, 1e-6 * looksDependent} {
		var columns []*vector
		var parts []float64
		for i, p := range factor {
			if math.Abs(p) > least {
				columns, parts = append(columns, basis[i]), append(parts, p)
			}
		}
		if s := f.solve(append(columns, v), append(parts, -1), kept, squares); s != nil {
			return s
		}
	}
	return nil
}

// solve returns one of the columns as a sum of the others, where the columns, normed,
// make a constant with the given factors; nil if that does not hold in all events.
func (f *fitting) solve(columns []*vector, parts []float64, kept []string, squares bool) *Sum {
	if len(columns) < 2 || len(columns) > mostTerms+1 {
		return nil
	}
	// The largest is computed from the others, for precision; of equal ones, the last.
	order := make([]int, len(columns))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := math.Abs(parts[i]), math.Abs(parts[j])
		if math.Abs(a-b) < 1e-9*(a+b) {
			return j - i
		}
		if a > b {
			return -1
		}
		return 1
	})
	var second *Sum // if there is no better one
	for _, last := range order {
		y := columns[last]
		if slices.Contains(kept, y.field.Name) {
			continue
		}
		s := &Sum{Variable: y.field.Name, Kind: y.field.Kind, Squares: squares}
		for i, x := range columns {
			if i == last {
				continue
			}
			power := y.scale - x.scale
			if squares {
				power *= 2
			}
			s.Terms = append(s.Terms, Term{x.field.Name, math.Ldexp(-parts[i]/parts[last]*y.norm/x.norm, power)})
		}
		switch {
		case !f.complete(s) || !f.isPreciseSum(s):
		case squares && len(s.Terms) == 1 && (s.Terms[0].Factor != 1 || s.Offset == 0):
			// A multiple, which is found without squares.
		case squares && s.Offset < 0 && second == nil:
			second = s // E from p rather than p from E: that may have no root
		default:
			return s
		}
	}
	return second
}

// complete finds the offset of a sum and reports whether it is the branch of the file
// in all events. Factors are made simple numbers if they can be.
func (f *fitting) complete(s *Sum) bool {
	inFile := f.load(s.Variable)
	simple := slices.Clone(s.Terms)
	for i, t := range s.Terms {
		f.load(t.Variable)
		simple[i].Factor = simpleNumber(t.Factor, 1e-5*math.Abs(t.Factor))
	}
	const plain = 200 // squares of larger and smaller powers of two get near the ends of what there is
	if e := scaleOf(inFile); s.Squares && (e > plain || e < -plain) {
		s.Unit = math.Ldexp(1, e)
	}
	unit := s.unit()
	y, largest := f.add(scratch), f.add(scratch2)
	for _, terms := range [][]Term{simple, s.Terms} {
		s.Terms, s.Offset = terms, 0
		s.total(y, largest, &f.frame)
		whole := slices.Max(largest)
		if !(whole > 0 && whole <= math.MaxFloat64) {
			return false
		}
		// Where the terms are small, rounding is, too.
		offset, tolerance, weights := 0.0, 0.0, 0.0
		for k, v := range inFile {
			if s.Squares {
				v /= unit
				v *= v
			}
			part := largest[k] / whole
			weight := 1 / max(part*part, 1e-200)
			offset += weight * (v - y[k])
			tolerance += weight * lostDigits(s.Kind) * spacing(s.Kind, largest[k])
			weights += weight
		}
		offset, tolerance = offset/weights, tolerance/weights
		candidates := []float64{simpleNumber(offset, tolerance), offset}
		if s.Squares { // the square of a mass
			m := simpleNumber(math.Sqrt(math.Abs(offset)), tolerance/math.Sqrt(math.Abs(offset)+tolerance))
			candidates = slices.Insert(candidates, 0, math.Copysign(m*m, offset))
		}
		if math.Abs(offset) <= tolerance { // whatever the units
			candidates = slices.Insert(candidates, 0, 0)
		}
		for _, s.Offset = range candidates {
			s.compute(y, largest, &f.frame)
			if f.isMeant(inFile, len(s.Terms)+1, len(s.Terms)+1, func(k int, v float64) float64 { return s.off(y[k], v, largest[k]) }) {
				return true
			}
		}
	}
	return false
}

// isPreciseSum reports whether a sum that is complete gives the branch of the file to its
// own precision. Where terms cancel, it does not.
func (f *fitting) isPreciseSum(s *Sum) bool {
	y := f.add(scratch)
	s.compute(y, nil, &f.frame)
	return isPrecise(s.Kind, f.load(s.Variable), func(k int) float64 { return y[k] })
}

// simpleNumber returns a simple number that x may be meant to be, within a tolerance;
// x if there is none.
func simpleNumber(x, tolerance float64) float64 {
	for _, q := range []float64{1, 2, 3, 4, 5, 6, 8, 10, 12, 100, 1000, 1e6} {
		if p := math.Round(x * q); math.Abs(p/q-x) <= tolerance {
			return p / q
		}
	}
	return x
}

// coded is a column of codes.
type coded struct {
	rootio.Field
	values  []float64 // the distinct ones, ascending
	code    []uint8   // of each event, its place among these
	entropy float64   // of all events, in nats
}

// findCoded returns the columns of codes among the branches that are left.
func (f *fitting) findCoded() (list []coded) {
	for _, field := range f.numbers {
		if f.over() {
			return list
		}
		x := f.load(field.Name)
		if n := countValues(x, column.MaxCodes); !column.AreFew(n, f.n, field.Kind.IsFloat()) {
			continue
		}
		s := column.NewSample(x, nil)
		c := coded{field, s.Values, make([]uint8, f.n), 0}
		for k, v := range x {
			i, _ := slices.BinarySearch(s.Values, v)
			c.code[k] = uint8(i)
		}
		for _, n := range s.Weights {
			c.entropy -= n * math.Log(n/s.Total)
		}
		f.take(field.Name)
		list = append(list, c)
	}
	return list
}

// leaveOutLookups adds the maps of columns of codes that are functions of another.
func (f *fitting) leaveOutLookups(kept []string) {
	list := f.findCoded()
	least := evidence(2, len(list))
	for i := len(list) - 1; i >= 0; i-- {
		y := &list[i]
		if slices.Contains(kept, y.Name) {
			continue
		}
		for j := range list {
			if f.over() {
				return
			}
			if x := &list[j]; j != i && !f.gone[x.Name] {
				if l := findLookup(y, x, least); l != nil {
					f.load(y.Name)
					f.apply(Map{Lookup: l})
					break
				}
			}
		}
	}
}

// findLookup returns y as a function of x; nil if it is none, or if y says so
// little, and x has so many values, that it could be one by chance: it must say at least so
// many nats.
func findLookup(y, x *coded, least float64) *Lookup {
	choice := float64(len(x.values)) * math.Log(float64(len(y.values))) // of the values, in nats
	if y.entropy < natsPerKey*choice || y.entropy-choice < least {
		return nil
	}
	var value [column.MaxCodes]uint8
	var known [column.MaxCodes]bool
	for k, key := range x.code {
		v := y.code[k]
		if known[key] && value[key] != v {
			return nil
		}
		value[key], known[key] = v, true
	}
	l := &Lookup{Variable: y.Name, Of: x.Name, Keys: x.values}
	for key := range x.values {
		l.Values = append(l.Values, y.values[value[key]])
	}
	return l
}
