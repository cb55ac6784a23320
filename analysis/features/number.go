package features

import (
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/rootio"
)

// partEventNumbers parts the columns of t that number events, but for those that are asked to be
// learnt, from the table of the others.
func partEventNumbers(t *rootio.Table, opts Options) (numbers map[string]column.Column, rest *rootio.Table) {
	numbers, rest = map[string]column.Column{}, &rootio.Table{Columns: slices.Clone(t.Columns)}
	if opts.Numbers {
		return numbers, rest
	}
	for _, c := range column.NumbersOf(t) {
		if opts.As[c.Name] == "" {
			numbers[c.Name] = c
		}
	}
	rest.Columns = slices.DeleteFunc(rest.Columns, func(c rootio.Column) bool { _, is := numbers[c.Name]; return is })
	return numbers, rest
}

// Numbers returns the names of the branches that number events, runs or parts of them.
func (s *Spec) Numbers() (names []string) {
	for _, c := range s.Columns {
		if c.As == column.Number {
			names = append(names, c.Name)
		}
	}
	return names
}

// Number stores, in the columns of t that number events, the numbers of events that are
// drawn as the given ones: the event drawn as number i is event i+1.
func (s *Spec) Number(t *rootio.Table, rows []uint64) {
	for _, c := range s.Columns {
		if col, ok := t.Column(c.Name); ok && c.As == column.Number {
			x := make([]float64, len(rows))
			for k, row := range rows {
				x[k] = c.First + c.Step*float64(row)
			}
			col.SetFloats(0, x)
		}
	}
}
