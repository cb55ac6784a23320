// Package surrogate trains models of the events of a table, draws new events from them,
// evaluates their log-density, and saves and loads them. A model is one part or a mixture of several.
// A part is a map from columns to features ([features.Spec]) and a density of these ([Chain]). The
// [Card] says where they come from.
package surrogate

import (
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Surrogate is a model of the events of a sample, given a condition c perhaps:
//
//	p(x|c) = Σ w_k p_k(x|c),  Σ w_k = 1,
//
// a mixture of parts in different coordinates, each p_k being per unit of the same branches. Most
// models have one part.
type Surrogate struct {
	Parts   []Part
	Context features.Context // what the density is conditional on, if anything
	// Refined, unless it is nil, multiplies the density of the parts: it was learnt with them.
	Refined *Refinement
	// Ratio, unless it is nil, multiplies the density of all that ([Surrogate.Refine]). A model file does
	// not hold it.
	Ratio *Ratio
	Card  Card
}

// Part is one choice of coordinates, and the density of the events in them. All parts of a surrogate
// have the same branches.
type Part struct {
	Weight   float64 // w_k
	Features features.Spec
	Chain    Chain
}

// isSymmetric reports whether a common rotation of all azimuths changes nothing.
func (s *Surrogate) isSymmetric() bool {
	return !slices.ContainsFunc(s.Parts, func(p Part) bool { return p.Features.Independent() < 0 })
}

// ratios returns what multiplies the density of the parts, in order.
func (s *Surrogate) ratios() (all []*Ratio) {
	if s.Refined != nil {
		all = append(all, &s.Refined.Ratio)
	}
	if s.Ratio != nil {
		all = append(all, s.Ratio)
	}
	return all
}

// Fields returns the branches: the columns that [Surrogate.Generate] stores.
func (s *Surrogate) Fields() []rootio.Field { return s.Parts[0].Features.Fields() }

// Names returns the names of the branches.
func (s *Surrogate) Names() []string { return s.Parts[0].Features.Names() }

// Numbers returns the names of the branches that number events, which are not learnt.
func (s *Surrogate) Numbers() []string { return s.Parts[0].Features.Numbers() }

// columns returns a model of the same columns in one set of coordinates, without a density.
func (s *Surrogate) columns(of *features.Spec) *Surrogate {
	return &Surrogate{Parts: []Part{{Weight: 1, Features: *of}}, Context: s.Context}
}
