package vectors

import (
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/formula"
)

// findParts finds the vectors that are sums of two, three or four others of their level, such as a B meson beside its daughters: they are
// not combined with these. Momenta that were measured, or some of which are missing, need agree roughly only.
func (c *checker) findParts(vectors []Vector) {
	const (
		events = 200 // that are looked at, evenly spread
		near   = 0.1 // of the momentum, in the middle
		most   = 10  // vectors
		parts  = 4
	)
	n := min(events, c.table.Len())
	of := make([][]formula.Value, len(vectors))
	for i := range vectors {
		for k := range n {
			var p momenta
			p.fill(c.table, &vectors[i], k*c.table.Len()/n, 1, c.load)
			var one formula.Value
			if !p.at(0, &one) {
				one.PX = math.NaN()
			}
			of[i] = append(of[i], one)
		}
	}
	for i := range vectors {
		v := &vectors[i]
		var others []int
		for j := range vectors {
			if w := &vectors[j]; j != i && !v.Transverse && !w.Transverse && w.Level == v.Level {
				others = append(others, j)
			}
		}
		if len(others) > most {
			continue
		}
		best := near
		for set := range 1 << len(others) {
			var which []int
			for b, j := range others {
				if set>>b&1 == 1 {
					which = append(which, j)
				}
			}
			if len(which) < 2 || len(which) > parts {
				continue
			}
			off := make([]float64, 0, n)
			for k := range n {
				x, y, z := -of[i][k].PX, -of[i][k].PY, -of[i][k].PZ
				size := math.Hypot(math.Hypot(x, y), z)
				for _, j := range which {
					x, y, z = x+of[j][k].PX, y+of[j][k].PY, z+of[j][k].PZ
				}
				if d := math.Hypot(math.Hypot(x, y), z) / size; d == d {
					off = append(off, d)
				}
			}
			slices.Sort(off)
			if 2*len(off) > n && off[len(off)/2] < best {
				best, v.Parts = off[len(off)/2], nil
				for _, j := range which {
					v.Parts = append(v.Parts, vectors[j].Name)
				}
			}
		}
	}
}
