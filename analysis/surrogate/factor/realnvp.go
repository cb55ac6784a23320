package factor

import (
	"github.com/eidolon-hep/eidolon/flows"
)

// realNVPKind is a flow of affine couplings ([flows.RealNVP]).
func realNVPKind() Kind {
	return flowKind("realnvp", "a flow of affine couplings", func(dim int, _ []int, s Settings) ([]flows.Layer, error) {
		act, err := s.activation()
		return flows.RealNVP(dim, s.Seed, flows.RealNVPOptions{
			Layers: s.Layers, Hidden: s.hidden(), Activation: act, Residual: s.Residual, Dropout: s.Dropout, Components: s.Components,
		}), err
	})
}
