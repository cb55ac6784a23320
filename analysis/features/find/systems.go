package find

import (
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/analysis/vectors"
)

// addSystems adds the steps of the systems that are declared: the mass of two vectors where
// that is one to one, else the whole system.
func (s *Search) addSystems() {
	for _, system := range s.options.Systems {
		for i := range system.Vectors {
			if s.err = s.readVector(&system.Vectors[i]); s.err != nil {
				return
			}
		}
		mass, isMass := s.massOf(system)
		for _, v := range system.Vectors {
			for _, name := range v.Components {
				s.roundComponent(name)
			}
		}
		if isMass {
			s.apply(mass)
		} else {
			s.apply(system)
		}
	}
}

// readVector sees in the values of a vector what its components are. They are in use
// afterwards, and so is its mass. An error says why they can be none.
func (s *Search) readVector(v *step.Vector) error {
	for _, name := range append(v.Components[:], v.MassBranch) {
		if name == "" {
			continue
		}
		if k := slices.IndexFunc(s.load(name), math.IsNaN); k >= 0 {
			return fmt.Errorf("features: vector %q: branch %q is NaN in entry %d: leave such events out", v.Name, name, k)
		}
	}
	first, third := s.load(v.Components[0]), s.load(v.Components[2])
	if v.Polar = vectors.ArePolar(first, third); v.Polar {
		if slices.Min(third) < 0 {
			v.From = -math.Pi
		}
		s.circles[v.Components[2]] = column.Circle{Start: v.From, Period: 2 * math.Pi}
	}
	if v.MassBranch != "" && slices.Min(s.load(v.MassBranch)) < 0 {
		return fmt.Errorf("features: vector %q: its mass, branch %q, is negative in some events", v.Name, v.MassBranch)
	}
	return nil
}

// massOf returns the step of the mass of a system, and whether that is possible: the system is
// of two vectors in polar coordinates, and the mass says in all events what the transverse
// momentum of the second is.
func (s *Search) massOf(system *step.System) (m *step.Mass, ok bool) {
	if len(system.Vectors) != 2 || !system.Vectors[0].Polar || !system.Vectors[1].Polar {
		return nil, false
	}
	m = &step.Mass{Name: system.Name, Vectors: system.Vectors}
	return m, m.IsOneToOne(&s.Frame)
}
