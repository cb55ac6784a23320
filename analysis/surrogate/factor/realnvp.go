package factor

import (
	"cmp"
	"fmt"

	"github.com/eidolon-hep/eidolon/flows"
)

// Lecture is the [Settings.Coupling] of a Real NVP in the textbook form ([flows.LectureRealNVP]).
const Lecture = "lecture"

// realNVPKind is a flow of affine couplings ([flows.RealNVP]): with all that makes them better, or as
// in a lecture.
func realNVPKind() Kind {
	k := flowKind("realnvp", "a flow of affine couplings", func(dim int, steep []int, s Settings) ([]flows.Layer, error) {
		act, err := s.activation()
		o := flows.RealNVPOptions{
			Layers: s.Layers, Hidden: s.hidden(), Activation: act, Residual: s.Residual, Dropout: s.Dropout,
		}
		if s.Coupling == Lecture {
			return flows.LectureRealNVP(dim, o), err
		}
		o.Components, o.Mixed = s.Components, dim > 1
		if cells := cellsOfTables(dim+len(steep), s.Hidden); cells > 0 {
			o.Cells, o.Tabled = cells, steep
		}
		return flows.RealNVP(dim, s.Seed, o), err
	})
	k.Options = append(k.Options, "coupling")
	k.Trial = true
	k.Default.Hidden = 64
	k.Adapt = func(s *Settings, asked Settings, n, dim int) {
		adaptHidden(s, asked, n)
		// Small networks, in small steps of a high rate, are learnt in fewer passes. Those with
		// tables forget what is in a few events only, as those of an autoregressive flow; a
		// mixture would forget where its normals are.
		const events, mostPasses = 6_000_000, 300
		s.Train.Epochs = cmp.Or(s.Train.Epochs, min(max(events/n, 1), mostPasses))
		s.Train.Batch = cmp.Or(s.Train.Batch, min(max(n/20, 32), 256))
		s.Train.Rate = cmp.Or(s.Train.Rate, 5e-3)
		if s.Coupling != Lecture && s.Components <= 1 {
			s.Train.Decay = cmp.Or(s.Train.Decay, 0.2)
		}
	}
	// The image of one normal under affine couplings is one piece, and of even thickness.
	k.Normals = func(dim int) int { return min(max(192/dim, 16), 64) }
	k.Check = func(s Settings) error {
		switch {
		case s.Coupling != "" && s.Coupling != Lecture:
			return fmt.Errorf("no form of couplings is called %q; there is %q, the textbook form, or the default", s.Coupling, Lecture)
		case s.Coupling == Lecture && s.Components > 1:
			return fmt.Errorf("components cannot be %d with the couplings of the lecture, which begin with one standard normal", s.Components)
		}
		return checkFlow(s)
	}
	return k
}
