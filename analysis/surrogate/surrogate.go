// Package surrogate puts the parts together: what the columns of a sample look
// like ([features.Spec]), the density of its events in model space ([Chain]), and
// where both came from ([Card]). A surrogate is trained on a
// table of events, asked for new events and for log-densities, saved and loaded.
package surrogate

import (
	"github.com/eidolon-hep/eidolon/analysis/features"
)

// Surrogate is a model of the events of a sample.
type Surrogate struct {
	Part
	Card Card
}

// Part is one choice of coordinates, and the density of the events in them.
type Part struct {
	Features features.Spec
	Context  features.Context // what the density is conditional on, if anything
	Chain    Chain
}
