package find

import (
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/analysis/formula"
)

// This file tells formulas that are true, or nearly, of all events from those that are near a column in some of them.

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
		one.Else = elseOf(one.Evaluate(&g.some), target.x)
		g.add(&again)
	}
}

// elseOf returns the value y of the first event to which a formula does not apply; nil if that is NaN, or there is none.
func elseOf(e *step.Evaluation, y []float64) *float64 {
	for k, v := range y {
		if !e.Applies(k) {
			if v != v {
				return nil
			}
			return &v
		}
	}
	return nil
}

// inAll calls do with the values of the target of a formula, and its evaluation, in all events.
func (g *formulaSearch) inAll(f *formulaFound, do func(y []float64, e *step.Evaluation) bool) bool {
	names := append(slices.Clone(f.Columns()), f.Variable)
	for _, name := range names {
		g.load(name)
	}
	defer func() {
		for _, name := range names {
			g.forget(name)
		}
	}()
	y := g.At(f.Variable)
	if f.Else == nil { // it may apply to all events that were looked at
		f.Else = elseOf(f.Evaluate(&g.Frame), y)
	}
	return do(y, f.Evaluate(&g.Frame))
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
	n := min(g.some.N, some)
	e := found.Evaluate(&g.some)
	var losses, parts []float64
	wrong, told := 0, 0
	for i := range n {
		k := i * g.some.N / n
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
	e := found.Evaluate(&g.some)
	n := min(g.some.N, some)
	var difference, ratio, value []float64
	for i := range n {
		k := i * g.some.N / n
		y, v := found.target.x[k], e.Value(k)
		if !e.Applies(k) {
			if y != v {
				return
			}
			continue
		}
		if found.target.isAbsent(y) || !(math.Abs(v) < math.MaxFloat64) {
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
		for i := range n {
			if k := i * g.some.N / n; e.Applies(k) {
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
func (g *formulaSearch) isNear(f *formulaFound, all []float64, e *step.Evaluation) bool {
	largest := 0.0
	for k, y := range all {
		d := e.Deviation(k, y)
		if !(math.Abs(d) < math.MaxFloat64) || e.Applies(k) == f.target.isAbsent(y) || !e.Applies(k) && d != 0 {
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

// isTrueOfAll reports whether a formula is true of all events but for a part, at most.
func (g *formulaSearch) isTrueOfAll(f *formulaFound, most float64, all []float64, e *step.Evaluation) bool {
	wrong, largest := 0, 0.0
	var told []int // events that the formula says something about, and that is true
	for k, y := range all {
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
		y[i] = all[k]
	}
	return g.isMeant(y, len(f.Parents)+1, 0, func(i int, v float64) float64 { return e.Off(told[i], v) })
}
