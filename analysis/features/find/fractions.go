package find

import (
	"fmt"
	"maps"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/internal/nearest"
	"github.com/eidolon-hep/eidolon/rootio"
)

// findFractions measures branches that are asked to be treated as below:BRANCH as fractions of that
// branch: pt2=below:pt1, pt3=below:pt2. The fraction is that of the room above the hard edge of
// the branch, or above zero where it has none and is positive.
func (s *Search) findFractions() {
	pending := s.asked("below")
	for len(pending) > 0 {
		names := slices.Sorted(maps.Keys(pending))
		// What another one is below must still be there when that is measured from it.
		i := slices.IndexFunc(names, func(name string) bool { return !slices.Contains(slices.Collect(maps.Values(pending)), name) })
		if i < 0 {
			s.err = fmt.Errorf("features: branches %q cannot each be treated as below another of them", names)
			return
		}
		if s.err = s.addFraction(names[i], pending[names[i]]); s.err != nil {
			return
		}
		delete(pending, names[i])
	}
}

// addFraction adds the step of a branch that is below another one. An error says why it cannot be.
func (s *Search) addFraction(name, of string) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("features: branch %q cannot be treated as below:%s: %s", name, of, fmt.Sprintf(format, args...))
	}
	upper, isBranch := s.table.Column(of)
	switch {
	case s.gone[of]:
		return fail("%s is learnt in other coordinates, or follows from other branches", of)
	case !isBranch && !s.isGiven(of):
		return fail("there is no branch %q%s", of, nearest.Hint(of, rootio.Names(s.table.Fields())))
	}
	field, _ := s.table.Column(name)
	y, x := s.load(name), s.load(of)
	for k, v := range y {
		if !(v <= x[k]+column.ULP(field.Kind, v)) { // or NaN
			return fail("it is %.6g in entry %d, and %s is %.6g", v, k, of, x[k])
		}
	}
	sample := s.sample(name)
	if !sample.IsContinuous(field.Field, "") {
		return fail("its values are not continuous")
	}
	from, least := 0.0, sample.Values[0]
	if edge, ok := sample.Edge(least, false); ok {
		from = edge.At
	} else if least < 0 {
		return fail("it has values down to %g, and no edge there", least)
	}
	s.round(field.Field)
	if isBranch {
		s.round(upper.Field)
	}
	s.apply(&step.Fraction{Variable: name, Of: of, From: from})
	return nil
}
