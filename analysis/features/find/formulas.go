package find

import (
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/analysis/formula"
)

const (
	probes      = 8    // events that rule most formulas out
	fewestKnown = 5    // of them in which the operands must be there
	mayMiss     = 2    // of them in which a formula may be wrong
	coarsely    = 0.1  // of the spread of a column, within which a formula must be there
	precisely   = 0.05 // of the spread of a column, that the rounding of its parents may make of it, in the middle
	fewestTold  = 20   // events that a formula must be true of
	mostLooked  = 2000 // events that are looked at before a formula is tested in all
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
			s.applyFormula(f)
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

// applyFormula adds the step of a formula.
func (s *Search) applyFormula(f *step.Formula) {
	s.apply(f)
	for _, name := range f.Columns() {
		s.forget(name)
	}
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
	some     step.Frame // the columns in the events that are looked at
	columns  []*formulaColumn
	targets  []*formulaColumn
	byName   map[string]*formulaColumn
	events   []int                                // that are probed, of those that are looked at
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
	g.some.Reset(min(s.N, mostLooked))
	for _, field := range s.table.Fields() {
		if s.gone[field.Name] {
			continue
		}
		if len(g.columns) == mostFormula {
			s.cut = fmt.Sprintf("there are more than %d columns", mostFormula)
			break
		}
		if field.IsJagged() {
			continue
		}
		x := s.load(field.Name)
		values := countValues(x, column.MaxCodes)
		if values < 2 {
			s.forget(field.Name)
			continue
		}
		c := &formulaColumn{Field: field, x: g.some.Add(field.Name)}
		c.look(x)
		copy(c.x, s.some(field.Name, mostLooked))
		c.isTarget = field.Kind.IsFloat() && s.isFree(field.Name) && c.spread > 0 && values > column.MaxCodes
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
