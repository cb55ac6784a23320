package find

import (
	"cmp"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/formula"
	"github.com/eidolon-hep/eidolon/analysis/vectors"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Proposal is a choice of coordinates, and what speaks for it before anything is trained.
type Proposal struct {
	Choice
	// Gain is, of the mass of a pair or a triple, how much more likely it makes the events than those of which each vector is
	// of another event, in nats: what a peak, or an edge, in the mass is worth at least. It is 0 for other choices.
	Gain float64
}

// Propose returns the choices of coordinates that may be better for the vectors of t: rotation symmetry first, and those that are of
// pairs and triples by their gains, the best first, and few of these.
func Propose(t *rootio.Table, found []vectors.Vector) (proposals []Proposal) {
	const (
		mostVectors = 6 // of which pairs and triples are looked at
		mostMasses  = 4
		mostAbsent  = 3     // of those that may be absent
		least       = 0.003 // nats
	)
	add := func(gain float64, kind string, v ...vectors.Vector) {
		p := Proposal{Choice{Kind: kind}, gain}
		for i := range v {
			p.Vectors = append(p.Vectors, v[i].Name)
		}
		proposals = append(proposals, p)
	}
	var full, cartesian, missing, relative, absent, all []vectors.Vector
	for _, v := range found {
		switch {
		case v.Level != "" && len(found) > mostVectors:
			continue
		case v.Relative:
			relative = append(relative, v)
		case v.Transverse:
			missing = append(missing, v)
		case !v.Absent:
			full = append(full, v)
			if !v.IsPolar() {
				cartesian = append(cartesian, v)
			}
		default:
			absent = append(absent, v)
		}
		if !v.Transverse {
			all = append(all, v)
		}
	}
	if len(full) > mostVectors {
		full = full[:mostVectors]
	}
	if turned := slices.DeleteFunc(slices.Clone(found), func(v vectors.Vector) bool { return v.Relative }); len(turned) > 0 {
		add(0, Rotation, turned...)
	}
	if len(cartesian) > 0 {
		add(0, Polar, cartesian...)
	}
	if len(full) > 1 {
		add(0, Angles, full...)
	}
	for _, m := range missing {
		if len(all) > 0 {
			add(0, Balance, append([]vectors.Vector{m}, all...)...)
			add(0, Recoil, append([]vectors.Vector{m}, all...)...)
		}
	}
	for i, v := range absent[:min(len(absent), mostAbsent)] {
		if len(full) > 0 {
			add(0, Recoil, slices.Concat([]vectors.Vector{v}, full, absent[:i])...)
		}
	}
	p := make([][]fourMomentum, len(full))
	for i := range full {
		p[i] = momenta(t, &full[i])
	}
	type mass struct {
		gain float64
		v    []vectors.Vector
	}
	var masses []mass
	look := func(places ...int) {
		var v []vectors.Vector
		var columns [][]fourMomentum
		for _, i := range places {
			v, columns = append(v, full[i]), append(columns, p[i])
		}
		if gain := gainOfMass(columns); gain > least {
			masses = append(masses, mass{gain, v})
		}
	}
	for i := range full {
		for j := range i {
			look(j, i)
			for k := range j {
				look(k, j, i)
			}
		}
	}
	slices.SortStableFunc(masses, func(a, b mass) int { return cmp.Compare(b.gain, a.gain) })
	for _, m := range masses[:min(len(masses), mostMasses)] {
		add(m.gain, Mass, m.v...)
	}
	for i := range full[min(1, len(full)):] {
		add(0, Ordered, full[i], full[i+1])
	}
	for _, m := range masses[:min(len(masses), 1)] {
		add(m.gain, Decay, m.v...)
		slices.Reverse(m.v)
		add(m.gain, Mass, m.v...)
	}
	if len(relative) == 2 {
		first, second := relative[0], relative[1]
		add(0, Mass, first, second)
		add(0, Mass, second, first)
		add(0, Ordered, first, second)
	}
	return proposals
}

// fourMomentum is px, py, pz and E.
type fourMomentum [4]float64

// momenta returns those of a vector in all events of t.
func momenta(t *rootio.Table, v *vectors.Vector) []fourMomentum {
	o := v.Operand()
	var columns [][]float64
	for _, name := range o.Columns {
		c, _ := t.Column(name)
		columns = append(columns, c.Float64s())
	}
	p, x, read := make([]fourMomentum, t.Len()), make([]float64, len(columns)), o.Reader()
	var of formula.Value
	for k := range p {
		for j, c := range columns {
			x[j] = c[k]
		}
		read(&of, x)
		p[k] = fourMomentum{of.PX, of.PY, of.PZ, of.E}
	}
	return p
}

// gainOfMass compares the distribution of the mass of vectors with that of vectors of different events: in cells that have as
// many of these each, the relative entropy, less what chance gives it.
func gainOfMass(p [][]fourMomentum) float64 {
	const (
		inCell = 50
		most   = 200 // cells
		shifts = 4   // by which other events are found
	)
	n := len(p[0])
	cells := min(n/inCell, most)
	if cells < 4 {
		return 0
	}
	massOf := func(k, shift int) float64 {
		var sum fourMomentum
		for i := range p {
			for j, v := range p[i][(k+i*shift)%n] {
				sum[j] += v
			}
		}
		return sum[3]*sum[3] - sum[0]*sum[0] - sum[1]*sum[1] - sum[2]*sum[2]
	}
	var mixed []float64
	for s := range shifts {
		for k := range n {
			mixed = append(mixed, massOf(k, 1+7*s))
		}
	}
	slices.Sort(mixed)
	count := make([]float64, cells)
	edges := make([]float64, cells-1)
	for i := range edges {
		edges[i] = mixed[(i+1)*len(mixed)/cells]
	}
	for k := range n {
		i, _ := slices.BinarySearch(edges, massOf(k, 0))
		count[i]++
	}
	gain := 0.0
	for _, c := range count {
		if c > 0 {
			gain += c / float64(n) * math.Log(c/float64(n)*float64(cells))
		}
	}
	return gain - float64(cells-1)/float64(2*n)*(1+1.0/shifts)
}
