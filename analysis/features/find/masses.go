package find

import (
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

// findMasses leaves out masses that hardly vary, computed as √(E² − p²) with more or less of
// rounding in them. These are no variables: what they are follows from how E and p are rounded.
func (s *Search) findMasses() {
	const hardly, some = 0.05, 20
	if s.N < some {
		return
	}
	doubles := slices.DeleteFunc(slices.Clone(s.numbers), func(f rootio.Field) bool { return f.Kind != rootio.Float64 })
	// far returns how far a mass is from that of an energy and a momentum, in units in
	// the last place of their squares, in the mean of some events; infinity where it is none.
	far := func(m, e, p []float64) float64 {
		sum := 0.0
		for i := range some { // most pairs fail at once
			k := i * (s.N - 1) / (some - 1)
			pe, me := p[k]/e[k], m[k]/e[k]
			d := math.Abs(1-pe*pe-me*me) / column.ULP(rootio.Float64, 1)
			if !(p[k] <= e[k] && d <= step.LostDigits(rootio.Float64)) {
				return math.Inf(1)
			}
			sum += d
		}
		return sum / some
	}
	for _, field := range doubles {
		m := s.load(field.Name)
		lo, hi := slices.Min(m), slices.Max(m)
		if slices.Contains(s.kept, field.Name) || !(lo > 0 && hi-lo < hardly*hi) {
			continue
		}
		var best *step.Sum
		nearest := math.Inf(1)
		for _, e := range doubles {
			if s.over() {
				return
			}
			for _, p := range doubles {
				if e.Name == p.Name || e.Name == field.Name || p.Name == field.Name {
					continue
				}
				d := far(m, s.load(e.Name), s.load(p.Name))
				if !(d < nearest) {
					continue
				}
				mass := &step.Sum{Variable: field.Name, Kind: field.Kind, Squares: true, Terms: []step.Term{{Variable: e.Name, Factor: 1}, {Variable: p.Name, Factor: -1}}}
				energy := &step.Sum{Variable: e.Name, Kind: e.Kind, Squares: true, Terms: []step.Term{{Variable: p.Name, Factor: 1}}}
				if s.complete(mass) && mass.Offset == 0 && s.complete(energy) && s.isPreciseSum(energy) {
					best, nearest = mass, d
				}
			}
		}
		if best != nil {
			s.apply(best)
			doubles = slices.DeleteFunc(slices.Clone(doubles), func(f rootio.Field) bool { return f.Name == field.Name })
		}
	}
}
