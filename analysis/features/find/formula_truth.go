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
