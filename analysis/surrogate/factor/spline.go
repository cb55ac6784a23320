package factor

import (
	"github.com/eidolon-hep/eidolon/flows"
)

// splineKind is a flow of couplings by splines ([flows.Spline]): for what goes across many
// features, such as a system of momenta, and for events that come as islands.
func splineKind() Kind {
	k := flowKind("spline", "a flow of couplings by splines", func(dim, context int, _ []int, s Settings) ([]flows.Layer, error) {
		act, err := s.activation()
		return flows.Spline(dim, s.Seed, flows.SplineOptions{
			Layers: s.Layers, Hidden: s.hidden(), Activation: act, Residual: s.Residual, Dropout: s.Dropout, Components: s.Components, Context: context,
		}), err
	})
	k.Trial, k.Islands = true, true
	return k
}
