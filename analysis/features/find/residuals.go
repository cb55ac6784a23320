package find

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

const (
	// related is the part of its standard deviation that a column may have about what a relation
	// says of it.
	related = 0.02
	// better is the part of its standard deviation about one of the other columns alone that it
	// may have about what the relation says.
	better = 0.3
	// mostRelated is the number of columns up to which relations are looked for.
	mostRelated = 60
)

// findResiduals measures columns that relations between momenta nearly give from what these say.
func (s *Search) findResiduals() {
	s.findAngles()
	var fields []rootio.Field
	for _, field := range s.table.Fields() {
		if !field.Kind.IsFloat() || !s.isFree(field.Name) {
			continue
		}
		sample := s.sample(field.Name)
		s.forget(field.Name)
		if s.IsAngle(field.Name) || sample.Missing == 0 && sample.IsContinuous(field, "") {
			if fields = append(fields, field); len(fields) > mostRelated {
				s.cut = fmt.Sprintf("there are more than %d columns", mostRelated)
				return
			}
		}
	}
	for {
		r := s.findResidual(fields)
		if r == nil {
			return
		}
		for _, field := range fields {
			if field.Name == r.Variable || slices.Contains(r.Of, field.Name) {
				s.round(field)
			}
		}
		s.apply(r)
		fields = slices.DeleteFunc(fields, func(field rootio.Field) bool { return field.Name == r.Variable })
	}
}

// findResidual returns the step with the narrowest residual; nil if there is none.
func (s *Search) findResidual(fields []rootio.Field) (best *step.Residual) {
	const few, many = 50, 5000
	n := min(s.N, many)
	if n < few {
		return nil
	}
	some := map[string][]float64{} // the values in the events that are looked at
	for _, field := range fields {
		some[field.Name] = s.some(field.Name, n)
	}
	least := related
	relations := step.Relations()
	d := make([]float64, n)
	// spread returns the standard deviation of a difference in so many events.
	spread := func(events int, difference func(k int) float64) float64 {
		for k := range events {
			d[k] = difference(k)
		}
		return stat.StdDev(d[:events], nil)
	}
	for _, y := range fields {
		if s.IsAngle(y.Name) {
			continue
		}
		v := some[y.Name]
		std := stat.StdDev(v[:n], nil)
		for i, a := range fields {
			if s.over() {
				return nil
			}
			for j, b := range fields {
				if a.Name == y.Name || b.Name == y.Name || i == j {
					continue
				}
				p, q := some[a.Name], some[b.Name]
				for _, relation := range relations {
					if relation.Symmetric && i > j {
						continue
					}
					rest := func(k int) float64 { return v[k] - relation.Of(p[k], q[k]) }
					if !(spread(few, rest) < 2*least*std) { // a few events rule most of them out
						continue
					}
					part := spread(n, rest) / std
					if !(part < least) {
						continue
					}
					// pT is no √(pT'² + η²), if it is close to pT'.
					alone := min(spread(n, func(k int) float64 { return v[k] - p[k] }), spread(n, func(k int) float64 { return v[k] - q[k] }))
					if part < better*alone/std {
						least = part
						best = &step.Residual{Variable: y.Name, Relation: relation.Name, Of: []string{a.Name, b.Name}}
					}
				}
			}
		}
	}
	return best
}
