package find

import (
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

// natsPerKey is how much more information, in nats, a column must have than the choice of its
// values for the keys of a lookup would give by chance.
const natsPerKey = 10

// coded is a column of codes.
type coded struct {
	rootio.Field
	values  []float64 // the distinct ones, ascending
	code    []uint8   // of each event, its place among these
	entropy float64   // of all events, in nats
}

// findCoded returns the columns of codes among the branches that no step has taken.
func (s *Search) findCoded() (list []coded) {
	for _, field := range s.numbers {
		if s.over() {
			return list
		}
		x := s.load(field.Name)
		if n := countValues(x, column.MaxCodes); !column.AreFew(n, s.N, field.Kind.IsFloat()) {
			s.forget(field.Name)
			continue
		}
		sample := column.NewSample(x, nil)
		c := coded{field, sample.Values, make([]uint8, s.N), 0}
		for k, v := range x {
			i, _ := slices.BinarySearch(sample.Values, v)
			c.code[k] = uint8(i)
		}
		for _, n := range sample.Weights {
			c.entropy -= n * math.Log(n/sample.Total)
		}
		s.forget(field.Name)
		list = append(list, c)
	}
	return list
}

// findLookups leaves out columns of codes that are functions of another.
func (s *Search) findLookups() {
	list := s.findCoded()
	least := evidence(2, len(list))
	for i := len(list) - 1; i >= 0; i-- {
		y := &list[i]
		if slices.Contains(s.kept, y.Name) {
			continue
		}
		for j := range list {
			if s.over() {
				return
			}
			if x := &list[j]; j != i && !s.gone[x.Name] {
				if l := findLookup(y, x, least); l != nil {
					s.apply(l)
					break
				}
			}
		}
	}
}

// findLookup returns y as a function of x; nil if it is none, or if y says so
// little, and x has so many values, that it could be one by chance: it must say at least so
// many nats.
func findLookup(y, x *coded, least float64) *step.Lookup {
	choice := float64(len(x.values)) * math.Log(float64(len(y.values))) // of the values, in nats
	if y.entropy < natsPerKey*choice || y.entropy-choice < least {
		return nil
	}
	var value [column.MaxCodes]uint8
	var known [column.MaxCodes]bool
	for k, key := range x.code {
		v := y.code[k]
		if known[key] && value[key] != v {
			return nil
		}
		value[key], known[key] = v, true
	}
	l := &step.Lookup{Variable: y.Name, Of: x.Name, Keys: x.values}
	for key := range x.values {
		l.Values = append(l.Values, y.values[value[key]])
	}
	return l
}
