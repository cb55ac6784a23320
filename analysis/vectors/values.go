package vectors

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/formula"
	"github.com/eidolon-hep/eidolon/rootio"
)

// checker looks at the values of columns that names say are components of momenta.
type checker struct {
	table  *rootio.Table
	values map[string][]float64
	notes  []string
}

func newChecker(t *rootio.Table) *checker { return &checker{table: t, values: map[string][]float64{}} }

// load returns the values of a column; nil for "".
func (c *checker) load(name string) []float64 {
	if name == "" {
		return nil
	}
	x := c.values[name]
	if x == nil {
		column, _ := c.table.Column(name)
		x = column.Float64s()
		c.values[name] = x
	}
	return x
}

func (c *checker) kind(name string) rootio.Kind {
	column, _ := c.table.Column(name)
	return column.Kind
}

// note says why columns are not taken for what their names say.
func (c *checker) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

const (
	mostEta  = 25.   // beyond, a pseudorapidity is a number that stands for something else
	slack    = 0.002 // by which an azimuth may go beyond its range, for it is rounded
	agreeing = 2e-3  // the relative difference that redundant components may have
)

// check reports whether the values of a vector can be those of a momentum, and leaves out of it what does not agree with the
// rest.
func (c *checker) check(v *Vector) bool {
	for _, name := range v.Columns() {
		if core := name == v.PT || name == v.Eta || name == v.Phi || name == v.PX || name == v.PY || name == v.PZ; core && !c.kind(name).IsFloat() {
			c.note("%s is not taken for a momentum: the values of %q are no floating-point numbers", v.Name, name)
			return false
		}
	}
	absent, ok := c.absent(v)
	if !ok {
		return false
	}
	there := func(k int) bool { return absent == nil || !absent[k] }
	if v.IsPolar() && !c.checkPolar(v, there) {
		return false
	}
	for _, name := range v.Components() {
		if isConstant(c.load(name), there) {
			return false // a plain column says so
		}
	}
	if v.IsPolar() && v.IsCartesian() {
		c.choose(v, there)
	}
	c.checkRest(v, there)
	return true
}

// absent finds the events that are without the object, nil if there are none. ok is false if they cannot be told.
func (c *checker) absent(v *Vector) (absent []bool, ok bool) {
	names := v.Components()
	if v.IsPolar() && v.IsCartesian() {
		names = append(names, v.PX, v.PY)
		if v.PZ != "" {
			names = append(names, v.PZ)
		}
	}
	var x [][]float64
	for _, name := range names {
		x = append(x, c.load(name))
	}
	absent = make([]bool, c.table.Len())
	any := false
	equal := map[float64][]int{} // the events in which all components are one number, by that
	for k := range absent {
		nan, same := 0, 0
		for _, values := range x {
			if math.IsNaN(values[k]) {
				nan++
			}
			if values[k] == x[0][k] {
				same++
			}
			if math.IsInf(values[k], 0) {
				c.note("%s is not taken for a momentum: its components are infinite in entry %d", v.Name, k)
				return nil, false
			}
		}
		switch {
		case nan > 0 && nan < len(x):
			c.note("%s is not taken for a momentum: some of its components are NaN in entry %d, and some are not", v.Name, k)
			return nil, false
		case nan > 0:
			absent[k], any = true, true
		case same == len(x) && !v.Transverse, v.IsPolar() && x[0][k] < 0:
			equal[x[0][k]] = append(equal[x[0][k]], k)
		}
	}
	for _, marker := range slices.Sorted(maps.Keys(equal)) {
		events := equal[marker]
		if len(events) == 1 { // by chance, or a momentum that is negative
			continue
		}
		for _, values := range x {
			if !slices.ContainsFunc(events, func(k int) bool { return values[k] != values[events[0]] }) {
				continue
			}
			c.note("%s is not taken for a momentum: %q is %g in %d events, first in entry %d; if the object is missing in these, all its components must be one number there",
				v.Name, names[0], marker, len(events), events[0])
			return nil, false
		}
		any = true
		for _, k := range events {
			absent[k] = true
		}
	}
	if !any {
		return nil, true
	}
	v.Absent = true
	return absent, true
}

// checkPolar checks the ranges of the polar components.
func (c *checker) checkPolar(v *Vector, there func(int) bool) bool {
	pt, phi := c.load(v.PT), c.load(v.Phi)
	lo, hi := math.Inf(1), math.Inf(-1)
	for k := range pt {
		if !there(k) {
			continue
		}
		if pt[k] < 0 {
			c.note("%s is not taken for a momentum: %q is negative, first in entry %d (%g)", v.Name, v.PT, k, pt[k])
			return false
		}
		if phi != nil {
			lo, hi = min(lo, phi[k]), max(hi, phi[k])
		}
	}
	if phi != nil && !(lo >= -math.Pi-slack && hi <= math.Pi+slack || lo >= -slack && hi <= 2*math.Pi+slack) {
		why := ""
		if lo >= -180-slack && hi <= 360+slack && hi-lo > 4*math.Pi {
			why = "; are they degrees?"
		}
		c.note("%s is not taken for a momentum: the azimuths %q go from %g to %g%s", v.Name, v.Phi, lo, hi, why)
		return false
	}
	for k, x := range c.load(v.Eta) {
		if there(k) && math.Abs(x) > mostEta {
			c.note("%s is not taken for a momentum: the pseudorapidity %q is %g in entry %d", v.Name, v.Eta, x, k)
			return false
		}
	}
	return true
}

// choose leaves out the polar components or px, py and pz, if these are not those of one momentum in all events, as is the
// case where a particle was measured twice: it keeps those that the energy is of, else the polar ones.
func (c *checker) choose(v *Vector, there func(int) bool) {
	n, first := c.disagreement(v, there)
	if n == 0 {
		return
	}
	keep, leave := *v, *v
	keep.PX, keep.PY, keep.PZ = "", "", ""
	leave.PT, leave.Eta, leave.Phi = "", "", ""
	if v.E != "" && c.isEnergy(&leave, there) && !c.isEnergy(&keep, there) {
		keep, leave = leave, keep
	}
	plain := leave.Components()
	c.note("%s are not the momentum of %s, which has %s, in %d of %d events, first in entry %d: they are not taken for its components",
		strings.Join(plain, ", "), v.Name, strings.Join(keep.Components(), ", "), n, c.table.Len(), first)
	*v = keep
}

// disagreement returns the number of events in which the polar components and px, py, pz are not those of one momentum, and
// the first one.
func (c *checker) disagreement(v *Vector, there func(int) bool) (n, first int) {
	pt, eta, phi := c.load(v.PT), c.load(v.Eta), c.load(v.Phi)
	x, y, z := c.load(v.PX), c.load(v.PY), c.load(v.PZ)
	for k := range pt {
		if !there(k) {
			continue
		}
		sin, cos := math.Sincos(phi[k])
		off := math.Max(math.Abs(pt[k]*cos-x[k]), math.Abs(pt[k]*sin-y[k]))
		size := pt[k]
		if z != nil && eta != nil {
			off = max(off, math.Abs(pt[k]*math.Sinh(eta[k])-z[k]))
			size *= math.Cosh(eta[k])
		}
		if !(off <= agreeing*size+1e-6) {
			if n++; n == 1 {
				first = k
			}
		}
	}
	return n, first
}

// isEnergy reports whether the energy is not less than the momentum.
func (c *checker) isEnergy(v *Vector, there func(int) bool) bool {
	var p momenta
	p.fill(c.table, v, 0, c.table.Len(), c.load)
	for k, e := range c.load(v.E) {
		if there(k) && !(e >= p.size(k)*(1-agreeing)-1e-6) {
			return false
		}
	}
	return true
}

// checkRest leaves out of a vector the energy, the magnitude, the mass, the charge and the code that are none.
func (c *checker) checkRest(v *Vector, there func(int) bool) {
	leave := func(name *string, format string, args ...any) {
		c.note("%q is not taken for %s of %s: "+format, append([]any{*name}, args...)...)
		*name = ""
	}
	if x := c.load(v.M); x != nil {
		for k, m := range x {
			if there(k) && !(m >= 0 && !math.IsInf(m, 0)) {
				leave(&v.M, "it is %g in entry %d", "the mass", v.Name, m, k)
				break
			}
		}
	}
	var p momenta
	p.fill(c.table, v, 0, c.table.Len(), c.load)
	if v.E != "" && !c.isEnergy(v, there) {
		leave(&v.E, "it is less than the momentum in some events", "the energy", v.Name)
	}
	if x := c.load(v.P); x != nil {
		for k, magnitude := range x {
			if size := p.size(k); there(k) && !(math.Abs(magnitude-size) <= 5*agreeing*size+0.01) {
				v.P = "" // the name says little: p may be a probability
				break
			}
		}
	}
	if x := c.load(v.Charge); x != nil && slices.ContainsFunc(x, func(q float64) bool { return !(math.Abs(q) <= 2 || math.Abs(q) > 9) }) {
		v.Charge = ""
	}
	if x := c.load(v.Code); x != nil {
		for k, code := range x {
			if there(k) && Coded(code) == nil {
				v.Code = "" // ID is often a decision
				break
			}
		}
	}
}

func isConstant(x []float64, there func(int) bool) bool {
	first := math.NaN()
	for k, v := range x {
		if !there(k) {
			continue
		}
		if first != first {
			first = v
		} else if v != first {
			return false
		}
	}
	return true
}

const (
	apart       = 100.  // the factor between the typical momenta of two vectors from which on their units differ
	mostInGeV   = 7500. // no momentum at the LHC is larger, but for mismeasured ones
	mismeasured = 0.001 // of the events may have a momentum that is no momentum
)

// units leaves out vectors whose unit is another one than that of most, and returns what a GeV is in that of the
// others. The first ones are declared, and stay.
func (c *checker) units(vectors []Vector, declared int) (same []Vector, gev float64) {
	gev = 1
	var middle []float64
	for i := range vectors {
		v := &vectors[i]
		var p momenta
		p.fill(c.table, v, 0, c.table.Len(), c.load)
		var pts, ps []float64
		var one formula.Value
		for k := range c.table.Len() {
			if p.at(k, &one) && one.PT > 0 {
				pts, ps = append(pts, one.PT), append(ps, one.P())
			}
		}
		if len(pts) == 0 {
			pts, ps = []float64{math.NaN()}, []float64{0}
		}
		slices.Sort(ps)
		if ps[int((1-mismeasured)*float64(len(ps)-1))] > mostInGeV {
			gev = 1000
		}
		slices.Sort(pts)
		middle = append(middle, pts[len(pts)/2])
	}
	order := make([]int, len(vectors))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(middle[i], middle[j]) })
	step := func(i int) float64 { return middle[order[i]] / middle[order[i-1]] }
	at := 1 // the largest step divides those of one unit from those of the other
	for i := 2; i < len(order); i++ {
		if step(i) > step(at) {
			at = i
		}
	}
	if len(order) < 2 || step(at) < apart {
		return vectors, gev
	}
	small, large := order[:at], order[at:]
	left := small
	switch {
	case len(small) > len(large):
		left = large
	case len(small) == len(large):
		left = order
	}
	left = slices.DeleteFunc(slices.Clone(left), func(i int) bool { return i < declared })
	if len(left) == 0 {
		return vectors, gev
	}
	c.note("the median transverse momentum of %s is %.3g, and that of %s %.3g: one may be in MeV and one in GeV; the columns of %s are not taken for momenta",
		vectors[small[at-1]].Name, middle[small[at-1]], vectors[large[0]].Name, middle[large[0]], namesOf(vectors, left))
	for i, v := range vectors {
		if !slices.Contains(left, i) {
			same = append(same, v)
		}
	}
	return same, gev
}

func namesOf(vectors []Vector, which []int) string {
	var names []string
	for _, i := range slices.Sorted(slices.Values(which)) {
		names = append(names, vectors[i].Name)
	}
	return strings.Join(names, ", ")
}

// hardly is how much of itself a mass varies that is the same in all events, but for how it was computed.
const hardly = 0.003

// findMass finds where the mass of a vector is from.
func (c *checker) findMass(v *Vector, gev float64) {
	if v.Transverse {
		return
	}
	if x := c.load(v.M); x != nil {
		if lo, hi := slices.Min(x), slices.Max(x); hi-lo <= hardly*hi {
			v.Mass, v.MassOf = (lo+hi)/2, v.M+", the same in all events"
		} else {
			v.MassFrom = v.M
		}
		return
	}
	if v.E != "" {
		c.massOfEnergy(v, gev)
		return
	}
	if x := c.load(v.Code); x != nil {
		p := Coded(x[0])
		if p != nil && !slices.ContainsFunc(x, func(code float64) bool { return Coded(code) != p }) {
			v.Mass, v.MassOf = p.Mass*gev, article(p.Name)+", by "+v.Code
			return
		}
	}
	if p := Named(v.Name); p != nil {
		v.Mass, v.MassOf = p.Mass*gev, article(p.Name)+", by its name"
	}
}

// massOfEnergy finds out whether the mass that follows from the energy is the same in all events, within what rounding
// does to it.
func (c *checker) massOfEnergy(v *Vector, gev float64) {
	var p momenta
	p.fill(c.table, v, 0, c.table.Len(), c.load)
	e := c.load(v.E)
	relative, absolute := c.rounding(v)
	// E² − p² of events, each with the error that rounding gives to E² and p²: the mean, with weights.
	squares, errors := make([]float64, len(e)), make([]float64, len(e))
	var sum, weights float64
	for k := range e {
		const several = 6
		size := p.size(k)
		squares[k], errors[k] = (e[k]-size)*(e[k]+size), several*e[k]*(relative*e[k]+absolute)
		if size == size && errors[k] > 0 {
			w := 1 / (errors[k] * errors[k])
			sum, weights = sum+w*squares[k], weights+w
		}
	}
	m2, err := sum/weights, 1/math.Sqrt(weights)
	for k := range e {
		if squares[k] == squares[k] && math.Abs(squares[k]-m2) > errors[k]+err {
			v.MassFrom = v.E
			return
		}
	}
	m := math.Sqrt(max(m2, 0))
	err = min(err/max(m, formula.Least), math.Sqrt(err)) // of m
	if named := Named(v.Name); named != nil && math.Abs(named.Mass*gev-m) <= err {
		v.Mass, v.MassOf = named.Mass*gev, article(named.Name)+", by its name and "+v.E
		return
	}
	if known := weighing(m/gev, err/gev); known != nil && known.Mass > 0 {
		v.Mass, v.MassOf = known.Mass*gev, article(known.Name)+", by "+v.E
		return
	}
	if !(m > err) { // or beyond what numbers can hold, in strange units
		m = 0
	}
	v.Mass, v.MassOf = m, "from "+v.E
}

// rounding returns what energy and momentum are rounded to, as a part of themselves and in their unit: files that were made
// of text have some digits only.
func (c *checker) rounding(v *Vector) (relative, absolute float64) {
	const enough = 20_000 // events
	for _, name := range append(v.Components(), v.E) {
		kind, bits := c.kind(name), 64
		if kind == rootio.Float32 {
			bits = 32
		}
		var x []float64
		for k, all := 0, c.load(name); k < len(all); k += max(len(all)/enough, 1) {
			if all[k] == all[k] {
				x = append(x, all[k])
			}
		}
		digits := 1
		for _, value := range x {
			mantissa, _, _ := strings.Cut(strconv.FormatFloat(math.Abs(value), 'e', -1, bits), "e")
			digits = max(digits, len(mantissa)-1)
		}
		relative = max(relative, column.ULP(kind, 1), math.Pow(10, 1-float64(digits)))
		slices.Sort(x)
		if d, ok := column.FindRounding(rootio.Field{Name: name, Kind: kind}, slices.Compact(x)).(*column.Decimals); ok && name != v.Phi && name != v.Eta {
			absolute = max(absolute, d.Unit())
		}
	}
	return relative, absolute
}

func article(noun string) string {
	if noun != "" && (slices.Contains([]string{"a", "e", "i", "o", "u"}, noun[:1])) {
		return "an " + noun
	}
	return "a " + noun
}
