package find

import (
	"cmp"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/features/step"
)

// This file chooses which of the formulas that were found are applied.

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
			if chosen[f.Variable] != nil || most == 0 && !f.isTrue || g.over() || dependsOn(chosen, f.Columns(), f.Variable) {
				continue
			}
			if g.inAll(f, func(y []float64, e *step.Evaluation) bool { return g.isTrueOfAll(f, most, y, e) }) {
				chosen[f.Variable] = f
			}
		}
	}
	slices.SortStableFunc(g.near, func(a, b *formulaFound) int { return cmp.Or(cmp.Compare(a.loss, b.loss), a.rank-b.rank) })
	for _, f := range g.near {
		if g.isLearnt[f.Variable] || chosen[f.Variable] != nil || g.over() || dependsOn(chosen, f.Columns(), f.Variable) {
			continue
		}
		if g.inAll(f, func(y []float64, e *step.Evaluation) bool { return g.isNear(f, y, e) }) {
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
			g.applyFormula(f.Formula)
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
