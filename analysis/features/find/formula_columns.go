package find

import (
	"cmp"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/formula"
	"github.com/eidolon-hep/eidolon/rootio"
)

// This file is about the columns among which formulas are looked for: the facts that rule most formulas out.

// formulaColumn is a column that is tried as an operand and as what a formula gives.
type formulaColumn struct {
	rootio.Field
	x         []float64 // in the events that are looked at
	absent    *float64  // what stands for no value
	precision column.Precision
	spread    float64
	isTarget  bool
	isAzimuth bool
	isLepton  bool // all values are codes of leptons
	probe     [probes]float64
	near      [probes]float64 // how near a formula must be
	missed    int             // probes in which the formula that is tried is not

	mayMiss bool    // it has no value in some events
	lowest  float64 // value
}

// look finds the facts about the values of a column, x of all events.
func (c *formulaColumn) look(x []float64) {
	const enough = 5000
	all := column.NewSample(x, nil)
	c.absent = absentValue(all)
	var some []float64
	for i, v := range all.Values {
		if c.absent != nil && v == *c.absent {
			continue
		}
		if len(all.Values) <= enough || i*enough/len(all.Values) != (i-1)*enough/len(all.Values) {
			some = append(some, v)
		}
	}
	c.precision = column.FindPrecision(c.Field, some)
	c.mayMiss = c.absent != nil || all.Missing > 0
	if len(some) > 0 {
		c.lowest = some[0]
		c.spread = (quantile(some, 0.84) - quantile(some, 0.16)) / 2
	}
	c.isAzimuth = c.canBeAzimuth(all.Values)
	c.isLepton = all.Missing == 0 && !slices.ContainsFunc(all.Values, func(v float64) bool { return !formula.IsLepton(v) })
}

// quantile returns that of values in ascending order.
func quantile(x []float64, p float64) float64 { return x[int(p*float64(len(x)-1))] }

// absentValue returns the number that stands for no value: −1, −9, −10, −99, … or 99, 999, …, far from all others
// and in several events; nil if there is none.
func absentValue(all *column.Sample) *float64 {
	n := len(all.Values)
	if n < 3 {
		return nil
	}
	const several = 3
	for _, side := range [...]struct {
		at, next int
	}{{0, 1}, {n - 1, n - 2}} {
		v, next := all.Values[side.at], all.Values[side.next]
		if all.Counts[side.at] < several || !standsForNone(v) {
			continue
		}
		if v < 0 && next-v >= 0.5*math.Abs(v) && (v != -1 || next >= 0) || v > 0 && v-next >= 0.5*v {
			return &v
		}
	}
	return nil
}

// standsForNone reports whether people write a number for no value.
func standsForNone(v float64) bool {
	if v == -1 || v == math.Floor(v) && math.Abs(v) > 1e6 && v < 0 {
		return true
	}
	for p := 10.0; p <= 1e6; p *= 10 {
		if v == -p || v == -(p-1) || v == p-1 && p >= 100 {
			return true
		}
	}
	return false
}

// canBeAzimuth reports whether all values, in ascending order, can be azimuths in radians, and go all round.
func (c *formulaColumn) canBeAzimuth(values []float64) bool {
	if !c.Kind.IsFloat() {
		return false
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if c.absent == nil || v != *c.absent {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	const slack, most = 0.002, 5
	return hi-lo > most && (lo >= -math.Pi-slack && hi <= math.Pi+slack || lo >= -slack && hi <= 2*math.Pi+slack)
}

// isAbsent reports whether a value stands for none.
func (c *formulaColumn) isAbsent(v float64) bool { return v != v || c.absent != nil && v == *c.absent }

// chooseProbes takes events that have as many of the columns as any.
func (g *formulaSearch) chooseProbes() {
	const among = 400
	n := min(g.some.N, among)
	var order, missing []int
	for i := range n {
		k := i * g.some.N / n
		m := 0
		for _, c := range g.columns {
			if c.isAbsent(c.x[k]) {
				m++
			}
		}
		order, missing = append(order, k), append(missing, m)
	}
	at := make([]int, n)
	for i := range at {
		at[i] = i
	}
	// Of those with as many, the ones that are spread over the file.
	slices.SortStableFunc(at, func(i, j int) int { return cmp.Or(missing[i]-missing[j], (i*37)%n-(j*37)%n) })
	for _, i := range at[:min(probes, n)] {
		g.events = append(g.events, order[i])
	}
	for _, c := range g.columns {
		for i, k := range g.events {
			c.probe[i] = c.x[k]
			if c.near[i] = coarsely*c.spread + 4*c.precision.Error(c.x[k]); c.isAbsent(c.x[k]) {
				c.near[i] = -1
			}
		}
	}
}
