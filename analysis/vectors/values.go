package vectors

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/column"
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
			c.note("%s is not taken for a momentum: %q is the same in all events", v.Name, name)
			return false
		}
	}
	if v.IsPolar() && v.IsCartesian() {
		if k := c.disagree(v, there); k >= 0 {
			c.note("%q and %q are not %q times the cosine and sine of %q, first in entry %d: they stay plain columns", v.PX, v.PY, v.PT, v.Phi, k)
			v.PX, v.PY, v.PZ = "", "", ""
		}
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
			c.note("%s is not taken for a momentum: %q is %g in entry %d, where other components are not always the same", v.Name, names[0], marker, events[0])
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
		lo, hi = min(lo, phi[k]), max(hi, phi[k])
	}
	if !(lo >= -math.Pi-slack && hi <= math.Pi+slack || lo >= -slack && hi <= 2*math.Pi+slack) {
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

// disagree returns the first event in which the polar components and px, py, pz are not those of one momentum; -1 if there is
// none.
func (c *checker) disagree(v *Vector, there func(int) bool) int {
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
			return k
		}
	}
	return -1
}

// checkRest leaves out of a vector the energy, the magnitude, the mass, the charge and the code that are none.
func (c *checker) checkRest(v *Vector, there func(int) bool) {
	leave := func(name *string, format string, args ...any) {
		c.note("%q is not taken for %s of %s: "+format, append([]any{*name}, args...)...)
		*name = ""
	}
	if x := c.load(v.M); x != nil {
		k := slices.IndexFunc(x, func(m float64) bool { return m < 0 || math.IsInf(m, 0) })
		if bad := c.missing(v.M, there); bad >= 0 {
			leave(&v.M, "it has no value in entry %d", "the mass", v.Name, bad)
		} else if k >= 0 && there(k) {
			leave(&v.M, "it is %g in entry %d", "the mass", v.Name, x[k], k)
		}
	}
	var p momenta
	p.fill(c.table, v, 0, c.table.Len(), c.load)
	if x := c.load(v.E); x != nil {
		for k, e := range x {
			if size := p.size(k); there(k) && !(e >= size*(1-agreeing)-1e-6) {
				leave(&v.E, "it is %g in entry %d, less than the momentum, %g", "the energy", v.Name, e, k, size)
				break
			}
		}
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

// missing returns the first event with the object in which a column has no value; -1 if there is none.
func (c *checker) missing(name string, there func(int) bool) int {
	for k, x := range c.load(name) {
		if there(k) && math.IsNaN(x) {
			return k
		}
	}
	return -1
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
	apart     = 100.  // the factor between the typical momenta of two vectors from which on their units differ
	mostInGeV = 7500. // no momentum at the LHC is larger
)

// units leaves out vectors whose unit is another one than that of most, and returns what a GeV is in that of the
// others.
func (c *checker) units(vectors []Vector) (same []Vector, gev float64) {
	gev = 1
	var middle []float64
	for i := range vectors {
		v := &vectors[i]
		var p momenta
		p.fill(c.table, v, 0, c.table.Len(), c.load)
		var pts []float64
		largest := 0.0
		for k, pt := range p.pt {
			if pt > 0 {
				pts = append(pts, pt)
				largest = max(largest, p.size(k))
			}
		}
		if largest > mostInGeV {
			gev = 1000
		}
		if len(pts) == 0 {
			pts = []float64{math.NaN()}
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
	c.note("the transverse momenta of %s are %.3g in the middle, and those of %s %.3g: one may be in MeV and one in GeV; the columns of %s stay plain ones",
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

// findMass finds where the mass of a vector is from.
func (c *checker) findMass(v *Vector, gev float64) {
	if v.Transverse {
		return
	}
	if x := c.load(v.M); x != nil {
		if lo, hi := slices.Min(x), slices.Max(x); lo == hi {
			v.Mass, v.MassOf = lo, v.M+" in all events"
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
	rounding := c.relativeRounding(v)
	// E² − p² of events, each with the error 2E²·rounding: the mean, with weights.
	var sum, weights float64
	for k := range e {
		if size := p.size(k); size == size && e[k] > 0 {
			w := math.Pow(e[k], -4)
			sum += w * (e[k] - size) * (e[k] + size)
			weights += w
		}
	}
	m2 := sum / weights
	const several = 6
	for k := range e {
		size := p.size(k)
		if size == size && math.Abs((e[k]-size)*(e[k]+size)-m2) > several*rounding*e[k]*e[k] {
			v.MassFrom = v.E
			return
		}
	}
	err2 := several * rounding / math.Sqrt(weights/float64(len(e))) // of m²
	m := math.Sqrt(max(m2, 0))
	err := min(err2/max(m, 1e-300), math.Sqrt(err2))
	if named := Named(v.Name); named != nil && math.Abs(named.Mass*gev-m) <= err {
		v.Mass, v.MassOf = named.Mass*gev, article(named.Name)+", by its name and "+v.E
		return
	}
	if known := weighing(m/gev, err/gev); known != nil {
		v.Mass, v.MassOf = known.Mass*gev, article(known.Name)+", by "+v.E
		return
	}
	v.Mass, v.MassOf = m, "from "+v.E
}

// relativeRounding is the relative error that the rounding of the columns gives to the squares of energy and
// momentum, at most.
func (c *checker) relativeRounding(v *Vector) float64 {
	worst := 0.0
	for _, name := range append(v.Components(), v.E) {
		x := slices.Clone(c.load(name))
		x = slices.DeleteFunc(x, math.IsNaN)
		slices.Sort(x)
		x = slices.Compact(x)
		size := math.Abs(x[len(x)/2])
		relative := column.ULP(c.kind(name), 1)
		if d, ok := column.FindRounding(rootio.Field{Name: name, Kind: c.kind(name)}, x).(*column.Decimals); ok {
			relative = max(relative, d.Unit()/max(size, d.Unit()))
		}
		worst = max(worst, relative)
	}
	return 4 * worst
}

func article(noun string) string {
	if noun != "" && (slices.Contains([]string{"a", "e", "i", "o", "u"}, noun[:1])) {
		return "an " + noun
	}
	return "a " + noun
}
