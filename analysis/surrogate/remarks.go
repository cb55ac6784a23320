package surrogate

import (
	"errors"
	"fmt"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/rows"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
)

// Warnings are what a user must be told of the density and its training.
func (s *Surrogate) Warnings() []string {
	var warnings []string
	h := s.Card.History
	if untouched(h) {
		warnings = append(warnings, "nothing was learnt: no parameters were better than the first ones, so the features alone are the model; more events, a smaller --hidden or a lower --rate may help")
	}
	const reversible = 1e-2 // standard deviations
	if p, ok := h.Kept(); ok && p.RoundTrip > reversible {
		warnings = append(warnings, fmt.Sprintf("the flow is not reversible: there and back, events move by %.2g standard deviations on average, so neither its events nor its log-densities can be trusted; with weights of both signs the loss may have no lower limit: a smaller --hidden or fewer --epochs may do better", p.RoundTrip))
	}
	if h.Rollbacks > 0 {
		warnings = append(warnings, fmt.Sprintf("the loss was not finite %s, where the training went back to its best parameters with half of the rate: a lower --rate may do better", times(h.Rollbacks)))
	}
	if reason := s.noDensity(); reason != "" {
		warnings = append(warnings, reason)
	}
	return warnings
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// Remarks are what else there is to say of the density.
func (s *Surrogate) Remarks() []string {
	var remarks []string
	if m := s.Card.Copies; m != nil {
		remarks = append(remarks, rows.Percent(*m)+" of generated events are copies: nearer to a training event than 99 % of these are to each other")
	}
	if s.Refined != nil {
		remarks = append(remarks, s.Refined.String())
	}
	if f, ok := FactorAs[factor.Remarker](s); ok {
		remarks = append(remarks, f.Remark())
	}
	return remarks
}

// HasDensity reports whether there is a log-density: copies of training events have none.
func (s *Surrogate) HasDensity() bool { return s.noDensity() == "" }

// noDensity says why there is no log-density, if there is none.
func (s *Surrogate) noDensity() string {
	if f, ok := FactorAs[factor.Singular](s); ok {
		return f.NoDensity()
	}
	return ""
}

// Direct makes a model of kernel sums draw from its mixture directly. Other models
// have none.
func (s *Surrogate) Direct() error {
	for k := range s.Parts {
		chain := &s.Parts[k].Chain
		f, at := find[factor.Director](*chain)
		if at < 0 {
			return errors.New("only a model of kernel sums (--model diffusion) can be drawn from directly")
		}
		*chain = chain.with(at, f.Direct())
	}
	return nil
}

// Teacher returns the surrogate with the density that a one-step map was learnt from in
// place of the map, and false where there is no such map.
func (s *Surrogate) Teacher() (*Surrogate, bool) {
	taught := *s
	taught.Parts, taught.Refined = slices.Clone(s.Parts), nil
	for k := range taught.Parts {
		chain := &taught.Parts[k].Chain
		f, at := find[factor.Learner](*chain)
		if at < 0 {
			return nil, false
		}
		*chain = chain.with(at, f.Teacher())
	}
	return &taught, true
}
