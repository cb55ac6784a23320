package find

import (
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/features/step"
)

// findPolar turns momenta to polar coordinates whose transverse part was found to follow from
// the components, as √(x² + y²), if no step has taken these and both have both signs.
func (s *Search) findPolar() {
	var sums []*step.Sum
	for _, found := range s.Steps {
		sum, ok := found.(*step.Sum)
		if ok && sum.Squares && !slices.ContainsFunc(sum.Terms, func(t step.Term) bool { return t.Factor != 1 }) {
			sums = append(sums, sum)
		}
	}
	isTransverse := func(name string) bool { return s.isFree(name) && slices.Min(s.load(name)) < 0 }
	for _, sum := range sums {
		if len(sum.Terms) != 2 || sum.Offset != 0 || !isTransverse(sum.Terms[0].Variable) || !isTransverse(sum.Terms[1].Variable) {
			continue
		}
		p := &step.Polar{X: sum.Terms[0].Variable, Y: sum.Terms[1].Variable}
		for _, found := range s.Steps {
			if d, ok := found.(*step.Direction); ok && d.Eta && d.X == sum.Variable && s.isFree(d.Y) {
				p.Z = d.Y
			}
		}
		for _, other := range sums {
			if len(other.Terms) == 3 && p.Z == "" {
				read, _, _ := other.Variables()
				rest := slices.DeleteFunc(read, func(name string) bool { return name == p.X || name == p.Y })
				if len(rest) == 1 && s.isFree(rest[0]) {
					p.Z = rest[0]
				}
			}
		}
		_, taken, _ := p.Variables()
		for _, name := range taken {
			s.roundComponent(name)
		}
		s.apply(p)
	}
}
