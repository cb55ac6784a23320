package factor

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/eidolon-hep/eidolon/flows"
)

// Forms of the couplings of a Real NVP ([Settings.Coupling]).
const (
	Steep   = "steep"   // with tables, which let s and t change steeply with single features
	Smooth  = "smooth"  // without them: for few events, and features that are smooth
	Lecture = "lecture" // as in textbooks ([flows.LectureRealNVP])
)

// realNVPKind is a flow of affine couplings ([flows.RealNVP]): with all that makes them better, or as
// in a lecture.
func realNVPKind() Kind {
	k := flowKind("realnvp", "a flow of affine couplings", func(dim, context int, steep []int, s Settings) ([]flows.Layer, error) {
		act, err := s.activation()
		o := flows.RealNVPOptions{
			Layers: s.Layers, Hidden: s.hidden(), Activation: act, Residual: s.Residual, Dropout: s.Dropout,
		}
		if s.Coupling == Lecture {
			return flows.LectureRealNVP(dim, o), err
		}
		o.Components, o.Context, o.Mixed = s.Components, context, dim > 1
		if cells := cellsOfTables(dim+len(steep), s.Hidden); cells > 0 && s.Coupling != Smooth {
			o.Cells, o.Tabled = cells, steep
		}
		return flows.RealNVP(dim, s.Seed, o), err
	})
	k.Options = append(k.Options, "coupling")
	k.Couplings = []string{Steep, Smooth}
	k.Trial = true
	k.Default.Hidden = 64
	k.Adapt = func(s *Settings, asked Settings, n, dim int) {
		adaptHidden(s, asked, n)
		// Small networks, in small steps of a high rate, are learnt in fewer passes. Those with
		// tables forget what is in a few events only, as those of an autoregressive flow; a
		// mixture would forget where its normals are.
		const events, mostPasses, patience = 3_000_000, 300, 30
		s.Train.Epochs = s.Train.EpochsOr(min(max(events/n, 1), mostPasses))
		s.Train.Batch = cmp.Or(s.Train.Batch, min(max(n/20, 32), 256))
		s.Train.Rate = cmp.Or(s.Train.Rate, 5e-3)
		s.Train.Patience = cmp.Or(s.Train.Patience, patience) // the loss stands still until such a rate falls
		if s.Coupling != Lecture && s.Components <= 1 {
			s.Train.Decay = cmp.Or(s.Train.Decay, 0.2)
		}
	}
	// The image of one normal under affine couplings is one piece, and of even thickness.
	k.Normals = func(n, dim int) int {
		const each = 25 // events for each parameter of more normals than the fewest
		fewest, parameters := min(max(192/dim, 16), 64), 1+dim+dim*(dim+1)/2
		return min(max(n/(each*parameters), fewest), 4*fewest)
	}
	k.Check = func(s Settings) error {
		switch {
		case s.Coupling != "" && !slices.Contains([]string{Steep, Smooth, Lecture}, s.Coupling):
			return fmt.Errorf("no form of couplings is called %q; there are %s, %s and %s", s.Coupling, Steep, Smooth, Lecture)
		case s.Coupling == Lecture && s.Components > 1:
			return fmt.Errorf("components cannot be %d with the couplings of the lecture, which begin with one standard normal", s.Components)
		}
		return checkFlow(s)
	}
	return k
}
