package classify

import (
	"context"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/kernels/philox"
)

// importance measures how much the AUC owes to each column: by how much it falls
// when the column's values are dealt anew among the events (Breiman, Machine
// Learning 45 (2001) 5).
type importance struct {
	in     *inputs
	groups []group
	n      float64 // events
}

// group is a set of inputs that are exchanged together: those of a column, or of one
// aspect of it.
type group struct {
	input  // aspect "" for all
	inputs []int
	fall   float64 // Σ n·fall over folds
	square float64 // Σ n²·variance
}

// mostPermuted is the number of events of a fold that are looked at, fewer where
// there are many columns.
const mostPermuted = 4000

func newImportance(in *inputs) *importance {
	m := &importance{in: in}
	for j := range in.Columns {
		all := group{input: input{Column: j}}
		aspects := map[Aspect][]int{}
		var order []Aspect
		for k, of := range in.Of {
			if of.Column == j {
				all.inputs = append(all.inputs, k)
				if aspects[of.Aspect] == nil {
					order = append(order, of.Aspect)
				}
				aspects[of.Aspect] = append(aspects[of.Aspect], k)
			}
		}
		m.groups = append(m.groups, all)
		if len(order) > 1 {
			for _, a := range order {
				m.groups = append(m.groups, group{input: input{Column: j, Aspect: a}, inputs: aspects[a]})
			}
		}
	}
	return m
}

// add takes the events of fold k, whose places in zero and one are known.
func (m *importance) add(ctx context.Context, f *folds, c *classifier, k int) error {
	dim, most := f.in.dim(), max(500, mostPermuted*20/max(20, len(m.groups)))
	var x []float32
	var sample, row []int
	for s := range f.samples {
		n := 0
		for _, i := range f.rows[s] {
			if f.foldOf(s, i) == k && n < most/2 {
				x = append(x, f.in.row(f.start[s]+i)...)
				sample, row = append(sample, s), append(row, i)
				n++
			}
		}
	}
	n := len(sample)
	m.n += float64(n)
	judge := func() *[2]scored {
		s := make([]float64, n)
		c.logRatios(s, x)
		var of [2]scored
		for i, v := range s {
			of[sample[i]].add(v, f.samples[sample[i]].weight(row[i]))
		}
		auc(&of[0], &of[1])
		return &of
	}
	before := judge()
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	for i := n - 1; i > 0; i-- { // Fisher and Yates
		j := int(philox.Uint64(f.opts.Seed, streamPermute, uint64(k*n+i)) % uint64(i+1))
		order[i], order[j] = order[j], order[i]
	}
	old := make([]float32, n)
	for gi := range m.groups {
		g := &m.groups[gi]
		if len(g.inputs) == 0 {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		kept := make([][]float32, len(g.inputs))
		for a, feature := range g.inputs {
			for i := range n {
				old[i] = x[i*dim+feature]
			}
			for i, j := range order {
				x[i*dim+feature] = old[j]
			}
			kept[a] = slices.Clone(old)
		}
		after := judge()
		for a, feature := range g.inputs {
			for i, v := range kept[a] {
				x[i*dim+feature] = v
			}
		}
		for s := range before { // the places are the AUC's parts: their differences have its error
			fall := make([]float64, len(before[s].place))
			for i := range fall {
				fall[i] = before[s].place[i] - after[s].place[i]
			}
			mean, variance := mean(fall, before[s].weight)
			if s == 1 {
				g.fall += float64(n) * mean
			}
			g.square += float64(n*n) * variance
		}
	}
	return nil
}

// columns returns the importance of each column.
func (m *importance) columns() []Column {
	columns := make([]Column, len(m.in.Columns))
	for _, g := range m.groups {
		c := &columns[g.Column]
		fall, sigma := g.fall/m.n, math.Sqrt(g.square)/m.n
		switch {
		case g.Aspect == "":
			*c = Column{Name: m.in.Columns[g.Column].Name, Importance: fall, Error: sigma}
		case fall > 0.8*c.Importance && c.Importance > 3*c.Error:
			c.Aspect = g.Aspect
		}
	}
	return columns
}
