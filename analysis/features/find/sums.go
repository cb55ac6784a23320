package find

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

const (
	mostTerms = 6 // of a sum
	// looksDependent is the part of a column's standard deviation that may remain after a linear
	// fit in float32 for it to be looked at more closely.
	looksDependent = 1e-5
)

// findAllSums leaves out branches that are sums of others, or whose squares are sums of squares.
// What a momentum is computed from must be there when it is: magnitudes before sums, those that
// are parts of sums after these.
func (s *Search) findAllSums() {
	sums := s.findSums(s.kept, false)
	ofSums := slices.Clone(s.kept)
	for _, sum := range sums {
		read, taken, _ := sum.Variables()
		ofSums = slices.Concat(ofSums, read, taken)
	}
	for _, sum := range slices.Concat(s.findSums(ofSums, true), sums) {
		s.apply(sum)
	}
	if len(sums) > 0 {
		for _, sum := range s.findSums(s.kept, true) {
			s.apply(sum)
		}
	}
}

// findSums returns linear relations between columns, or between the squares of real
// ones. Each is of columns that those before it leave.
func (s *Search) findSums(kept []string, squares bool) (sums []*step.Sum) {
	fields := slices.DeleteFunc(slices.Clone(s.numbers), func(f rootio.Field) bool { return squares && !f.Kind.IsFloat() })
	for again := true; again; {
		var found []*step.Sum
		found, again = s.findSome(fields, kept, squares)
		for _, sum := range found {
			fields = slices.DeleteFunc(fields, func(f rootio.Field) bool { return f.Name == sum.Variable })
		}
		sums = append(sums, found...)
	}
	return sums
}

// vector is a column of some events, or what remains of it after the projection on others.
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

// findSome returns relations that hold for all events. If again is true there may be more, to be
// found in a second go without the columns that follow from these. The columns, less their means,
// go through the Gram-Schmidt process, on a few events; where nothing remains of one, it is a sum of
// those before it. A column of which so little remains that it may be rounding is no part of other
// sums, but may have copies.
func (s *Search) findSome(fields []rootio.Field, kept []string, squares bool) (found []*step.Sum, again bool) {
	// More rows than columns, so that no column is a sum of the others by their number.
	const wide = 200
	rows := min(s.N, 2*len(fields)+2*min(len(fields), wide)+100)
	if rows < 2*len(fields)+10 {
		s.cut = "there are more columns than events to tell by"
		return nil, false
	}
	var basis, others []*vector
	var product [][]float64 // of each column of the basis with those before it, and itself
	for _, field := range fields {
		if s.over() {
			return found, false
		}
		v := &vector{field: field, x: make([]float64, rows)}
		copy(v.x, s.some(field.Name, rows))
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
		remains := project()
		if remains < 0.1 { // the second time takes away errors of rounding
			remains = project()
		}
		if remains > looksDependent {
			c[len(basis)] = remains
			floats.Scale(1/remains, v.x)
			basis, product = append(basis, v), append(product, c)
			continue
		}
		sum := s.sumOf(v, basis, product, c, kept, squares)
		for _, o := range others {
			if p := floats.Dot(o.x, whole); sum == nil && math.Abs(p) > 1-looksDependent {
				sum = s.solve([]*vector{o, v}, []float64{p, -1}, kept, squares)
			}
		}
		switch {
		case sum == nil:
			v.x = whole
			others = append(others, v)
		case sum.Variable == field.Name:
			found = append(found, sum)
		default: // one that others were made orthogonal to
			return append(found, sum), true
		}
	}
	return found, false
}

// sumOf returns v as a sum of columns of the basis, with c its coordinates there, or
// one of these as a sum of the others and v; nil if that does not hold.
func (s *Search) sumOf(v *vector, basis []*vector, product [][]float64, c []float64, kept []string, squares bool) *step.Sum {
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
		if sum := s.solve(append(columns, v), append(parts, -1), kept, squares); sum != nil {
			return sum
		}
	}
	return nil
}

// solve returns one of the columns as a sum of the others, where the columns, normed,
// make a constant with the given factors; nil if that does not hold in all events.
func (s *Search) solve(columns []*vector, parts []float64, kept []string, squares bool) *step.Sum {
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
		return cmp.Compare(b, a)
	})
	var second *step.Sum // to be taken if there is no better one
	for _, last := range order {
		y := columns[last]
		if slices.Contains(kept, y.field.Name) {
			continue
		}
		sum := &step.Sum{Variable: y.field.Name, Kind: y.field.Kind, Squares: squares}
		for i, x := range columns {
			if i == last {
				continue
			}
			power := y.scale - x.scale
			if squares {
				power *= 2
			}
			sum.Terms = append(sum.Terms, step.Term{Variable: x.field.Name, Factor: math.Ldexp(-parts[i]/parts[last]*y.norm/x.norm, power)})
		}
		switch {
		case !s.complete(sum) || !s.isPreciseSum(sum):
		case squares && len(sum.Terms) == 1 && (sum.Terms[0].Factor != 1 || sum.Offset == 0):
			// A multiple, which is found without squares.
		case squares && sum.Offset < 0 && second == nil:
			second = sum // E from p rather than p from E: that may have no root
		default:
			return sum
		}
	}
	return second
}

// complete finds the offset of a sum and reports whether it is the branch of the file
// in all events. Factors are made simple numbers if they can be.
func (s *Search) complete(sum *step.Sum) bool {
	inFile := s.load(sum.Variable)
	simple := slices.Clone(sum.Terms)
	for i, t := range sum.Terms {
		s.load(t.Variable)
		simple[i].Factor = simpleNumber(t.Factor, 1e-5*math.Abs(t.Factor))
	}
	const plain = 200 // the squares of larger or smaller powers of two may overflow or vanish
	if e := scaleOf(inFile); sum.Squares && (e > plain || e < -plain) {
		sum.Unit = math.Ldexp(1, e)
	}
	unit := cmp.Or(sum.Unit, 1)
	y, largest := s.Add(step.Scratch), s.Add(step.Scratch2)
	for _, terms := range [][]step.Term{simple, sum.Terms} {
		sum.Terms, sum.Offset = terms, 0
		sum.Total(y, largest, &s.Frame)
		whole := slices.Max(largest)
		if !(whole > 0 && whole <= math.MaxFloat64) {
			return false
		}
		// Where the terms are small, rounding is, too.
		offset, tolerance, weights := 0.0, 0.0, 0.0
		for k, v := range inFile {
			if sum.Squares {
				v /= unit
				v *= v
			}
			part := largest[k] / whole
			weight := 1 / max(part*part, 1e-200)
			offset += weight * (v - y[k])
			tolerance += weight * step.LostDigits(sum.Kind) * spacing(sum.Kind, largest[k])
			weights += weight
		}
		offset, tolerance = offset/weights, tolerance/weights
		candidates := []float64{simpleNumber(offset, tolerance), offset}
		if sum.Squares { // the square of a mass
			m := simpleNumber(math.Sqrt(math.Abs(offset)), tolerance/math.Sqrt(math.Abs(offset)+tolerance))
			candidates = slices.Insert(candidates, 0, math.Copysign(m*m, offset))
		}
		if math.Abs(offset) <= tolerance { // whatever the units
			candidates = slices.Insert(candidates, 0, 0)
		}
		for _, sum.Offset = range candidates {
			sum.Compute(y, largest, &s.Frame)
			if s.isMeant(inFile, len(sum.Terms)+1, len(sum.Terms)+1, func(k int, v float64) float64 { return sum.Off(y[k], v, largest[k]) }) {
				return true
			}
		}
	}
	return false
}

// isPreciseSum reports whether a sum that is complete gives the branch of the file to its
// own precision. Where terms cancel, it does not.
func (s *Search) isPreciseSum(sum *step.Sum) bool {
	y := s.Add(step.Scratch)
	sum.Compute(y, nil, &s.Frame)
	return isPrecise(sum.Kind, s.load(sum.Variable), func(k int) float64 { return y[k] })
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
