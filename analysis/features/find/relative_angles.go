package find

import (
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

// findRelativeAngles measures angles that are closer to another one, or to one of the condition,
// than they are to any direction.
func (s *Search) findRelativeAngles() {
	s.findAngles()
	isNone := func(field rootio.Field) bool { return !s.IsAngle(field.Name) }
	angles := slices.DeleteFunc(s.remaining(), isNone)
	given := slices.DeleteFunc(s.given.Fields(), isNone)
	// The last first: what an angle is measured from is still there.
	for j := len(angles) - 1; j >= 0; j-- {
		c := s.circles[angles[j].Name]
		x, d := s.load(angles[j].Name), s.Add(step.Scratch)
		gain := max(0.1, 2*evidence(2, len(angles)+len(given))/float64(s.N)) // nats per event, at least: few events have some by chance
		var to *rootio.Field
		least := c.Entropy(x, s.weights) - gain
		for _, other := range slices.Concat(given, angles[:j]) {
			if s.over() {
				return
			}
			if s.circles[other.Name].Period != c.Period {
				continue
			}
			for k, v := range s.load(other.Name) {
				d[k] = x[k] - v
			}
			if h := c.Entropy(d, s.weights); h < least {
				to, least = &other, h
			}
		}
		if to == nil {
			continue
		}
		s.round(angles[j])
		if !s.isGiven(to.Name) {
			s.round(*to)
		}
		s.apply(&step.RelativeAngle{Circle: c, Variable: angles[j].Name, To: to.Name})
	}
}
