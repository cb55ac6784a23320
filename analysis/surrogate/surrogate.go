// Package surrogate trains models of the events of a table, draws new events from them,
// evaluates their log-density, and saves and loads them. A model is a map from columns to
// features ([features.Spec]), a density of these ([Chain]), and where both come from ([Card]).
package surrogate

import (
	"github.com/eidolon-hep/eidolon/analysis/features"
)

// Surrogate is a model of the events of a sample.
type Surrogate struct {
	Part
	// Ratio, unless it is nil, multiplies the density of the part ([Surrogate.Refine]). A model file does
	// not hold it yet.
	Ratio *Ratio
	Card  Card
}

// Part is one choice of coordinates, and the density of the events in them.
type Part struct {
	Features features.Spec
	Context  features.Context // what the density is conditional on, if anything
	Chain    Chain
}
