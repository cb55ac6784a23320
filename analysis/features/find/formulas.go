package find

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/analysis/formula"
	"github.com/eidolon-hep/eidolon/analysis/vectors"
	"github.com/eidolon-hep/eidolon/rootio"
)

const (
	probes      = 8    // events that rule most formulas out
	fewestKnown = 5    // of them in which the operands must be there
	mayMiss     = 2    // of them in which a formula may be wrong
	coarsely    = 0.1  // of the spread of a column, within which a formula must be there
	precisely   = 0.05 // of the spread of a column, that the rounding of its parents may make of it, in the middle
	fewestTold  = 20   // events that a formula must be true of
	mostFormula = 150  // columns that are combined in pairs
	mostSums    = 300_000
	// mostlyTrue is the part of the events of which a formula must be true. Deviations in the others are learnt, unless they
	// are at most a negligible part of the spread of the column.
	mostlyTrue = 0.9
	negligible = 0.01
	// narrowly is the part of the spread of a column that its deviations from a formula may have for these to be learnt, where
	// the formula is true of none.
	narrowly = 0.1
)

// findFormulas computes columns that the formulas of physics give from others, within what rounding may do to all of
// them.
func (s *Search) findFormulas() {
	if s.options.NoFormulas || s.N < fewestTold {
		return
	}
	if s.options.Computed != nil {
		for _, f := range s.options.Computed {
			s.apply(f)
		}
		return
	}
	g := s.newFormulaSearch()
	for _, f := range formula.All() {
		if s.over() {
			break
		}
		g.try(f)
	}
	g.choose()
}

// formulaColumn is a column that is tried as an operand and as what a formula gives.
type formulaColumn struct {
	rootio.Field
	x         []float64
	absent    *float64 // what stands for no value
	precision column.Precision
	spread    float64
	isTarget  bool
	isAzimuth bool
	probe     [probes]float64
	near      [probes]float64 // how near a formula must be
	missed    int             // probes in which the formula that is tried is not

	mayMiss bool    // it has no value in some events
	lowest  float64 // value
}

// formulaOperand is an operand with its values in the probes.
type formulaOperand struct {
	formula.Operand
	value [probes]formula.Value
	there [probes]bool
}

// formulaSearch is what the tries share.
type formulaSearch struct {
	*Search
	columns  []*formulaColumn
	targets  []*formulaColumn
	byName   map[string]*formulaColumn
	events   []int                                // that are probed
	lists    map[formula.Kind][][]*formulaOperand // each list is one way to read all operands of a kind
	isLearnt map[string]bool                      // components of momenta: these are learnt rather than what follows from them
	found    []*formulaFound
	near     []*formulaFound // that hold within little more than rounding; the loss is their spread
	isInList map[string]bool // what was found, by its sentence
}

// formulaFound is a formula that may be true.
type formulaFound struct {
	*step.Formula
	target *formulaColumn
	rank   int
	// loss is how much larger the errors that come from the parents are than the column's own, in the middle; misfit is
	// the mean of the differences in units of these errors.
	loss, misfit float64
	isTrue       bool // of the events that were looked at
}

func (s *Search) newFormulaSearch() *formulaSearch {
	g := &formulaSearch{Search: s, byName: map[string]*formulaColumn{}, isLearnt: map[string]bool{}, isInList: map[string]bool{}}
	for _, field := range s.table.Fields() {
		if s.gone[field.Name] {
			continue
		}
		if len(g.columns) == mostFormula {
			s.cut = fmt.Sprintf("there are more than %d columns", mostFormula)
			break
		}
		x := s.load(field.Name)
		if field.IsJagged() || countValues(x, 1) < 2 {
			continue
		}
		c := &formulaColumn{Field: field, x: x}
		c.look()
		c.isAzimuth = c.canBeAzimuth()
		c.isTarget = field.Kind.IsFloat() && s.isFree(field.Name) && c.spread > 0 && countValues(x, column.MaxCodes) > column.MaxCodes
		g.columns = append(g.columns, c)
		if c.isTarget {
			g.targets = append(g.targets, c)
		}
		g.byName[field.Name] = c
	}
	g.chooseProbes()
	g.makeLists()
	return g
}

// look finds the facts about the values of a column.
func (c *formulaColumn) look() {
	const enough = 5000
	all := column.NewSample(c.x, nil)
	c.absent = absentValue(all)
	var some []float64
	for i, v := range all.Values {
		if c.absent != nil && v == *c.absent {
			continue
		}
		if len(all.Values) <= enough || i*enough/len(all.Values) != (i-1)*enough/len(all.Values) {
			some = append(some, v)
		}
	}
	c.precision = column.FindPrecision(c.Field, some)
	c.mayMiss = c.absent != nil || all.Missing > 0
	if len(some) > 0 {
		c.lowest = some[0]
		c.spread = (quantile(some, 0.84) - quantile(some, 0.16)) / 2
	}
}

// quantile returns that of values in ascending order.
func quantile(x []float64, p float64) float64 { return x[int(p*float64(len(x)-1))] }

// absentValue returns the number that stands for no value: −1, −9, −10, −99, … or 99, 999, …, far from all others
// and in several events; nil if there is none.
func absentValue(all *column.Sample) *float64 {
	n := len(all.Values)
	if n < 3 {
		return nil
	}
	const several = 3
	for _, side := range [...]struct {
		at, next int
	}{{0, 1}, {n - 1, n - 2}} {
		v, next := all.Values[side.at], all.Values[side.next]
		if all.Counts[side.at] < several || !standsForNone(v) {
			continue
		}
		if v < 0 && next-v >= 0.5*math.Abs(v) && (v != -1 || next >= 0) || v > 0 && v-next >= 0.5*v {
			return &v
		}
	}
	return nil
}

// standsForNone reports whether people write a number for no value.
func standsForNone(v float64) bool {
	if v == -1 || v == math.Floor(v) && math.Abs(v) > 1e6 && v < 0 {
		return true
	}
	for p := 10.0; p <= 1e6; p *= 10 {
		if v == -p || v == -(p-1) || v == p-1 && p >= 100 {
			return true
		}
	}
	return false
}

// chooseProbes takes events that have as many of the columns as any.
func (g *formulaSearch) chooseProbes() {
	const among = 400
	n := min(g.N, among)
	var order, missing []int
	for i := range n {
		k := i * g.N / n
		m := 0
		for _, c := range g.columns {
			if c.isAbsent(k) {
				m++
			}
		}
		order, missing = append(order, k), append(missing, m)
	}
	at := make([]int, n)
	for i := range at {
		at[i] = i
	}
	// Of those with as many, the ones that are spread over the file.
	slices.SortStableFunc(at, func(i, j int) int { return cmp.Or(missing[i]-missing[j], (i*37)%n-(j*37)%n) })
	for _, i := range at[:min(probes, n)] {
		g.events = append(g.events, order[i])
	}
	for _, c := range g.columns {
		for i, k := range g.events {
			c.probe[i] = c.x[k]
			if c.near[i] = coarsely*c.spread + 4*c.precision.Error(c.x[k]); c.isAbsent(k) {
				c.near[i] = -1
			}
		}
	}
}

func (c *formulaColumn) isAbsent(k int) bool {
	v := c.x[k]
	return v != v || c.absent != nil && v == *c.absent
}

// makeLists makes the operands.
func (g *formulaSearch) makeLists() {
	g.lists = map[formula.Kind][][]*formulaOperand{}
	var numbers, azimuths, leptons []*formulaOperand
	for _, c := range g.columns {
		o := g.operand(c.Name, formula.Number, 0, c.Name)
		numbers = append(numbers, o)
		if c.isAzimuth {
			azimuths = append(azimuths, o)
		}
		if !slices.ContainsFunc(c.x, func(v float64) bool { return !formula.IsLepton(v) }) {
			leptons = append(leptons, o)
		}
	}
	for kind, list := range map[formula.Kind][]*formulaOperand{formula.Numbers: numbers, formula.Angles: azimuths, formula.Leptons: leptons} {
		g.lists[kind] = [][]*formulaOperand{list}
	}
	for _, level := range []string{"", "gen"} {
		var of []vectors.Vector
		for _, v := range g.options.Vectors.Vectors {
			if v.Level == level && g.isLeft(&v) {
				of = append(of, v)
			}
		}
		g.listMomenta(of)
	}
}

// isLeft reports whether the columns of a vector that earlier passes have left say what it is, and takes the others out of
// it. A mass that is left out because it hardly varies is a number.
func (g *formulaSearch) isLeft(v *vectors.Vector) bool {
	for _, name := range [...]*string{&v.PT, &v.Eta, &v.Phi, &v.PX, &v.PY, &v.PZ} {
		if g.byName[*name] == nil {
			*name = ""
		}
	}
	if v.MassFrom != "" && g.byName[v.MassFrom] == nil {
		c, _ := g.table.Column(v.MassFrom)
		v.Mass, v.MassOf, v.MassFrom = quantile(column.NewSample(c.Float64s(), nil).Values, 0.5), v.MassFrom, ""
	}
	return v.IsPolar() || v.IsCartesian()
}

// canBeAzimuth reports whether all values can be azimuths in radians, and go all round.
func (c *formulaColumn) canBeAzimuth() bool {
	if !c.Kind.IsFloat() {
		return false
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for k, v := range c.x {
		if !c.isAbsent(k) {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	const slack, most = 0.002, 5
	return hi-lo > most && (lo >= -math.Pi-slack && hi <= math.Pi+slack || lo >= -slack && hi <= 2*math.Pi+slack)
}

// listMomenta makes the operands that are momenta, in each of the ways to read them.
func (g *formulaSearch) listMomenta(vs []vectors.Vector) {
	add := func(kind formula.Kind, list []*formulaOperand) {
		list = slices.DeleteFunc(list, func(o *formulaOperand) bool { return o == nil })
		if len(list) > 0 {
			g.lists[kind] = append(g.lists[kind], list)
		}
	}
	var directions []*formulaOperand
	hasBoth := false
	for i := range vs {
		v := &vs[i]
		for _, name := range v.Components() {
			g.isLearnt[name] = true
		}
		if v.IsPolar() && v.Eta != "" {
			directions = append(directions, g.operand(v.Name, formula.Direction, 0, v.Eta, v.Phi))
		}
		hasBoth = hasBoth || v.IsPolar() && v.IsCartesian()
	}
	add(formula.Directions, directions)
	for _, polar := range []bool{true, false} {
		if !polar && !hasBoth {
			break // all were read so
		}
		var transverse, momenta []*formulaOperand
		for i := range vs {
			v := &vs[i]
			isPolar := v.IsPolar() && (polar || !v.IsCartesian())
			if isPolar {
				transverse = append(transverse, g.operand(v.Name, formula.Transverse, 0, v.PT, v.Phi))
			} else {
				transverse = append(transverse, g.operand(v.Name, formula.PxPy, 0, v.PX, v.PY))
			}
			if !v.Transverse {
				momenta = append(momenta, g.momentum(v, isPolar, "", 0))
			}
		}
		add(formula.Transverses, transverse)
		add(formula.Momenta, momenta)
		// The masses: as they were recognised, none, and those of particles that are often taken for all.
		for _, assumed := range []float64{-1, 0, 0.51099895e-3, 0.1056583755, 0.13957039, 0.493677, 0.93827208816} {
			var list []*formulaOperand
			differs := assumed < 0
			for i := range vs {
				v := &vs[i]
				if v.Transverse {
					continue
				}
				isPolar := v.IsPolar() && (polar || !v.IsCartesian())
				isKnown := v.MassFrom != "" || v.MassOf != ""
				switch {
				case assumed < 0 && v.MassFrom == "":
					list = append(list, g.momentum(v, isPolar, "", v.Mass))
				case assumed < 0:
					list = append(list, g.momentum(v, isPolar, v.MassFrom, 0))
				case assumed == 0 && (v.MassFrom != "" || v.Mass != 0), assumed > 0 && !isKnown:
					differs = true
					list = append(list, g.momentum(v, isPolar, "", assumed*g.options.Vectors.GeV))
				case isKnown && v.MassFrom != "":
					list = append(list, g.momentum(v, isPolar, v.MassFrom, 0))
				default:
					list = append(list, g.momentum(v, isPolar, "", v.Mass))
				}
			}
			if differs {
				add(formula.Vectors, list)
			}
		}
	}
}

// momentum makes an operand of a vector, with the mass from a column or a number.
func (g *formulaSearch) momentum(v *vectors.Vector, polar bool, massFrom string, mass float64) *formulaOperand {
	form, columns := formula.PxPyPz, []string{v.PX, v.PY, v.PZ}
	if polar {
		form, columns = formula.Polar, []string{v.PT, v.Eta, v.Phi}
	}
	switch massFrom {
	case "":
	case v.M:
		form, columns = form+" m", append(columns, v.M)
	default:
		form, columns = form+" e", append(columns, v.E)
	}
	return g.operand(v.Name, form, mass, columns...)
}

// operand makes an operand; nil if one of its columns is not there, or constant.
func (g *formulaSearch) operand(name, form string, mass float64, columns ...string) *formulaOperand {
	o := &formulaOperand{Operand: formula.Operand{Name: name, Form: form, Columns: columns, Mass: mass}}
	for _, c := range columns {
		if g.byName[c] == nil {
			return nil
		}
	}
	o.Absent = g.byName[columns[0]].absent
	read := o.Reader()
	x := make([]float64, len(columns))
	for i, k := range g.events {
		for j, c := range columns {
			x[j] = g.byName[c].x[k]
		}
		if o.there[i] = !o.IsAbsent(x); o.there[i] {
			read(&o.value[i], x)
		}
	}
	return o
}

// try tries a formula with all operands.
func (g *formulaSearch) try(f *formula.Formula) {
	chosen := make([]*formulaOperand, 0, 16)
	values := make([]*formula.Value, 0, 16)
	alive := make([]*formulaColumn, 0, len(g.columns))
	targets := slices.DeleteFunc(slices.Clone(g.targets), func(c *formulaColumn) bool { return f.IsAngle && !c.isAzimuth })
	test := func() {
		known := 0
		alive = append(alive[:0], targets...)
		for _, c := range alive {
			c.missed = 0
		}
		for i := range g.events {
			values = values[:0]
			isThere := true
			for _, o := range chosen {
				isThere = isThere && o.there[i]
				values = append(values, &o.value[i])
			}
			if !isThere {
				continue
			}
			y := f.Of(values)
			known++
			isNear := func(c *formulaColumn) bool {
				d := math.Abs(y - c.probe[i])
				if f.IsAngle {
					d = math.Abs(math.Remainder(d, 2*math.Pi))
				}
				return d <= c.near[i]
			}
			stay := alive[:0]
			for _, c := range alive {
				if !isNear(c) {
					c.missed++
				}
				if c.missed <= mayMiss {
					stay = append(stay, c)
				}
			}
			if alive = stay; len(alive) == 0 {
				return
			}
		}
		if known >= fewestKnown {
			for _, c := range alive {
				g.keep(f, chosen, c)
			}
		}
	}
	// choose adds operands of the kinds that follow, from a list of each; ordered ones in all orders.
	var choose func(kinds []formula.Kind, lists map[formula.Kind][]*formulaOperand, first int)
	choose = func(kinds []formula.Kind, lists map[formula.Kind][]*formulaOperand, first int) {
		if len(kinds) == 0 {
			test()
			return
		}
		for i, o := range lists[kinds[0]] {
			if i < first || slices.Contains(chosen, o) || g.over() {
				continue
			}
			next := 0
			if !f.Ordered && len(kinds) > 1 && kinds[1] == kinds[0] {
				next = i + 1
			}
			chosen = append(chosen, o)
			choose(kinds[1:], lists, next)
			chosen = chosen[:len(chosen)-1]
		}
	}
	g.eachReading(f.Operands, func(lists map[formula.Kind][]*formulaOperand) {
		kinds := f.Operands
		n := len(lists[kinds[0]])
		switch {
		case !f.Many && len(kinds) > 2 && kinds[0] == formula.Numbers:
			const mostTriples = 64
			if n > mostTriples {
				g.cut = fmt.Sprintf("there are more than %d columns", mostTriples)
				return
			}
			choose(kinds, lists, 0)
		case !f.Many:
			choose(kinds, lists, 0)
		default:
			tries := 1
			for size := 1; size <= n; size++ {
				tries = tries * (n - size + 1) / size
				if size == 1 {
					continue
				}
				if tries > mostSums && size < n {
					break
				}
				choose(slices.Concat(slices.Repeat(kinds[:1], size), kinds[1:]), lists, 0)
			}
		}
	})
}

// eachReading calls do with each way to read the operands of some kinds.
func (g *formulaSearch) eachReading(kinds []formula.Kind, do func(lists map[formula.Kind][]*formulaOperand)) {
	lists := map[formula.Kind][]*formulaOperand{}
	var next func(i int)
	next = func(i int) {
		switch {
		case i == len(kinds):
			do(lists)
		case lists[kinds[i]] != nil:
			next(i + 1)
		default:
			for _, list := range g.lists[kinds[i]] {
				lists[kinds[i]] = list
				next(i + 1)
			}
			delete(lists, kinds[i])
		}
	}
	next(0)
}

// keep adds a formula that is near a column in the probes to those that were found, if it is true of some hundred
// events.
func (g *formulaSearch) keep(f *formula.Formula, operands []*formulaOperand, target *formulaColumn) {
	s := &step.Formula{Variable: target.Name, Name: f.Name, Precision: target.precision, Parents: map[string]column.Precision{}}
	canBeAbsent := false
	for _, o := range operands {
		if slices.Contains(o.Columns, target.Name) {
			return
		}
		s.Operands = append(s.Operands, o.Operand)
		for _, c := range o.Columns {
			of := g.byName[c]
			s.Parents[c] = of.precision
			canBeAbsent = canBeAbsent || of.mayMiss
		}
	}
	if f.IsAngle && target.lowest < 0 {
		s.From = -math.Pi
	}
	found := &formulaFound{Formula: s, target: target, rank: slices.Index(formula.All(), f)}
	if !canBeAbsent {
		g.add(found)
		return
	}
	for _, leavesOut := range []bool{false, true} {
		if leavesOut && !f.IsSum {
			continue
		}
		again, one := *found, *s
		again.Formula, one.LeavesOut = &one, leavesOut
		e := one.Evaluate(&g.Frame)
		for k := range g.N {
			if !e.Applies(k) {
				if v := target.x[k]; v == v {
					one.Else = &v
				}
				break
			}
		}
		g.add(&again)
	}
}

// add adds a formula if some hundred events say that it is true.
func (g *formulaSearch) add(found *formulaFound) {
	const some = 300
	sentence := found.Variable + found.Name + fmt.Sprint(found.Columns(), found.LeavesOut)
	for _, o := range found.Operands {
		sentence += fmt.Sprint(o.Mass)
	}
	if g.isInList[sentence] {
		return
	}
	g.isInList[sentence] = true
	n := min(g.N, some)
	e := found.Evaluate(&g.Frame)
	var losses, parts []float64
	wrong, told := 0, 0
	for i := range n {
		k := i * g.N / n
		y := found.target.x[k]
		off := e.Off(k, y)
		if !(off <= 1) {
			if wrong++; float64(wrong) > (1-mostlyTrue)*some*1.3 {
				g.addNear(found)
				return
			}
			continue
		}
		if e.Applies(k) {
			told++
			ofParents, own := e.Tolerance(k)
			losses, parts = append(losses, ofParents/own), append(parts, (ofParents+own)/found.target.spread)
			found.misfit += off
		}
	}
	if told < fewestTold/2 {
		return
	}
	slices.Sort(losses)
	slices.Sort(parts)
	if parts[len(parts)/2] > precisely {
		return
	}
	found.loss, found.misfit = losses[len(losses)/2], found.misfit/float64(told)
	found.isTrue = wrong == 0
	g.found = append(g.found, found)
}

// addNear adds a formula that is not true, if the deviations from it are narrow in some hundred events, and narrower than those
// from any one of its operands.
func (g *formulaSearch) addNear(found *formulaFound) {
	const some = 500
	if len(found.Parents) < 3 || formula.Named(found.Name).IsAngle {
		return
	}
	e := found.Evaluate(&g.Frame)
	var difference, ratio, value []float64
	for i := range min(g.N, some) {
		k := i * g.N / min(g.N, some)
		y, v := found.target.x[k], e.Value(k)
		if !e.Applies(k) {
			if y != v {
				return
			}
			continue
		}
		if found.target.isAbsent(k) || !(math.Abs(v) < math.MaxFloat64) {
			return
		}
		difference, value = append(difference, y-v), append(value, v)
		if y > 0 && v > 0 {
			ratio = append(ratio, math.Log(y/v))
		}
	}
	if len(difference) < 2*fewestTold {
		return
	}
	spread := spreadOf(difference) / found.target.spread
	if !(spread < narrowly) {
		return
	}
	for _, o := range found.Operands { // it is no sum of a column that is close to it, and of little else
		if o.Form != formula.Number {
			continue
		}
		x := g.byName[o.Columns[0]]
		var alone []float64
		for i := range min(g.N, some) {
			if k := i * g.N / min(g.N, some); e.Applies(k) {
				alone = append(alone, found.target.x[k]-x.x[k])
			}
		}
		if !(spread*found.target.spread < better*spreadOf(alone)) {
			return
		}
	}
	if len(ratio) == len(difference) && found.target.lowest > 0 {
		found.Ratio = unevenness(ratio, value) < unevenness(difference, value)
	}
	found.Deviates, found.loss = true, spread
	g.near = append(g.near, found)
}

// isNear reports whether all events without an operand have the value that stands for none, and all others another
// one. Deviations that are too small to be seen are not learnt.
func (g *formulaSearch) isNear(f *formulaFound) bool {
	e := f.Evaluate(&g.Frame)
	largest := 0.0
	for k, y := range f.target.x {
		d := e.Deviation(k, y)
		if !(math.Abs(d) < math.MaxFloat64) || e.Applies(k) == f.target.isAbsent(k) || !e.Applies(k) && d != 0 {
			return false
		}
		largest = max(largest, math.Abs(e.Difference(k, y)))
	}
	const unseen = 1e-4 // of the spread
	if largest <= unseen*f.target.spread {
		f.Deviates, f.Ratio, f.Within = false, false, largest
	}
	return true
}

// choose applies formulas that were found: for each column the one that loses least, without cycles, and those that
// are true of all events before those that are true of most. The momenta are to be learnt as transverse momenta and directions, unless
// these are much coarser than px, py and pz.
func (g *formulaSearch) choose() {
	const coarser = 30
	// score is the logarithm of the loss, in steps in which formulas are taken for equally good.
	score := func(f *formulaFound) float64 {
		loss := max(f.loss, 0.1)
		if g.isLearnt[f.Variable] {
			loss *= coarser
		}
		return math.Round(math.Log10(loss))
	}
	slices.SortStableFunc(g.found, func(a, b *formulaFound) int {
		order := cmp.Compare(score(a), score(b))
		if a.isTrue != b.isTrue {
			order = -1
			if b.isTrue {
				order = 1
			}
		}
		return cmp.Or(order, len(a.Parents)-len(b.Parents), cmp.Compare(math.Round(8*a.misfit), math.Round(8*b.misfit)), a.rank-b.rank, cmp.Compare(b.target.spread, a.target.spread))
	})
	chosen := map[string]*formulaFound{}
	for _, most := range []float64{0, 1 - mostlyTrue} {
		for _, f := range g.found {
			if most > 0 && g.isLearnt[f.Variable] {
				continue
			}
			if chosen[f.Variable] == nil && !g.over() && !dependsOn(chosen, f.Columns(), f.Variable) && g.isTrueOfAll(f, most) {
				chosen[f.Variable] = f
			}
		}
	}
	slices.SortStableFunc(g.near, func(a, b *formulaFound) int { return cmp.Or(cmp.Compare(a.loss, b.loss), a.rank-b.rank) })
	for _, f := range g.near {
		if !g.isLearnt[f.Variable] && chosen[f.Variable] == nil && !g.over() && !dependsOn(chosen, f.Columns(), f.Variable) && g.isNear(f) {
			chosen[f.Variable] = f
		}
	}
	// A column is taken when all that are computed from it are.
	for len(chosen) > 0 {
		for _, c := range g.columns {
			f := chosen[c.Name]
			if f == nil || isParent(chosen, c.Name) {
				continue
			}
			delete(chosen, c.Name)
			g.apply(f.Formula)
		}
	}
}

// dependsOn reports whether any of some columns is, or is computed from, another.
func dependsOn(chosen map[string]*formulaFound, columns []string, on string) bool {
	return slices.ContainsFunc(columns, func(name string) bool {
		f := chosen[name]
		return name == on || f != nil && dependsOn(chosen, f.Columns(), on)
	})
}

// isParent reports whether a formula computes something from a column.
func isParent(chosen map[string]*formulaFound, name string) bool {
	for _, f := range chosen {
		if slices.Contains(f.Columns(), name) {
			return true
		}
	}
	return false
}

// isTrueOfAll reports whether a formula is true of all events but for a part, at most.
func (g *formulaSearch) isTrueOfAll(f *formulaFound, most float64) bool {
	if most == 0 && !f.isTrue {
		return false
	}
	e := f.Evaluate(&g.Frame)
	wrong, largest := 0, 0.0
	var told []int // events that the formula says something about, and that is true
	for k, y := range f.target.x {
		if !(e.Off(k, y) <= 1) {
			if wrong++; float64(wrong) > most*float64(g.N) {
				return false
			}
			if largest = max(largest, math.Abs(e.Difference(k, y))); largest != largest {
				return false
			}
		} else if e.Applies(k) {
			told = append(told, k)
		}
	}
	if len(told) < fewestTold {
		return false
	}
	if largest <= negligible*f.target.spread {
		f.Within = largest
	} else if f.Deviates = true; f.target.mayMiss {
		return false // a deviation from a number that stands for none is none
	}
	y := make([]float64, len(told))
	for i, k := range told {
		y[i] = f.target.x[k]
	}
	return g.isMeant(y, len(f.Parents)+1, 0, func(i int, v float64) float64 { return e.Off(told[i], v) })
}
