package compare

import (
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/vectors"
	"github.com/eidolon-hep/eidolon/rootio"
)

// mostDerived is the number of derived quantities that are compared, the most important ones.
const mostDerived = 30

// derive finds the momenta among the columns of the reference, and computes what follows from them in both samples: a candidate
// whose columns are right one by one may have wrong masses.
func (r *Report) derive(ref, cand *rootio.Table, names []string) {
	columns := slices.DeleteFunc(slices.Clone(ref.Columns), func(c rootio.Column) bool { return !slices.Contains(names, c.Name) })
	found := vectors.Find(&rootio.Table{Columns: columns}, vectors.Options{})
	r.Notes = append(r.Notes, found.Notes...)
	quantities := slices.DeleteFunc(found.Quantities(), func(q vectors.Quantity) bool { return slices.Contains(names, q.Name) })
	quantities = quantities[:min(len(quantities), mostDerived)]
	if len(quantities) == 0 {
		return
	}
	for i := range found.Vectors {
		r.Momenta = append(r.Momenta, found.Vectors[i].String())
	}
	for s, t := range []*rootio.Table{ref, cand} {
		values := make([][]float64, len(quantities))
		for i := range values {
			values[i] = make([]float64, t.Len())
		}
		vectors.Fill(values, quantities, t, 0)
		for i, q := range quantities {
			c := rootio.ColumnOf(q.Name, values[i])
			c.Title = q.Words
			r.derived[s] = append(r.derived[s], c)
		}
	}
}

// withDerived returns the reference (s = 0) or the candidate (1) with the derived quantities as columns.
func (r *Report) withDerived(s int, t *rootio.Table) *rootio.Table {
	return &rootio.Table{Columns: slices.Concat(t.Columns, r.derived[s])}
}

// branches returns the columns that are not derived.
func (r *Report) branches() []*Column {
	return slices.DeleteFunc(pointers(r.Columns), func(c *Column) bool { return c.Derived })
}
