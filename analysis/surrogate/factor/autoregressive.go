package factor

import (
	"cmp"

	"github.com/eidolon-hep/eidolon/flows"
)

// autoregressiveKind is a flow that draws one feature after the other, each through a spline with
// a network of its own ([flows.Autoregressive]): for what is steep in single features, such as
// integers, the edges of sectors and dead modules.
func autoregressiveKind() Kind {
	k := flowKind("autoregressive", "a flow that draws one column after the other, by splines", func(dim, context int, steep []int, s Settings) ([]flows.Layer, error) {
		act, err := s.activation()
		return flows.Autoregressive(dim, flows.AutoregressiveOptions{
			Layers: s.Layers, Hidden: s.hidden(), Activation: act, Residual: s.Residual, Dropout: s.Dropout, Components: s.Components, Context: context,
			Cells: cellsOfTables(dim+len(steep), s.Hidden), Tabled: steep, Standard: true,
		}), err
	})
	k.Default.Layers = 1
	k.Trial = true
	k.Adapt = func(s *Settings, asked Settings, n, dim int) {
		adaptHidden(s, asked, n)
		// Networks with tables want to be learnt fast, and then to forget what is in a few
		// events only.
		s.Train.Rate, s.Train.Decay = cmp.Or(s.Train.Rate, 3e-3), cmp.Or(s.Train.Decay, 0.2)
		const most, least = 1 << 22, 4 // values of all first layers; units
		for asked.Hidden == 0 && dim*dim/2*s.Hidden > most && s.Hidden > least {
			s.Hidden /= 2
		}
	}
	return k
}

// cellsOfTables returns the number of cells of the tables of an autoregressive flow of dim
// features: fewer where there were too many tables, and none (−1) at last.
func cellsOfTables(dim, hidden int) int {
	const most = 1 << 22 // values of all tables
	cells := 32
	for cells > 0 && dim*dim/2*cells*hidden > most {
		cells /= 2
	}
	if cells == 0 {
		return -1
	}
	return cells
}
