package rows

import (
	"cmp"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Copies says which rows of a table are copies of others. Rows of few codes, or of rounded
// values, are equal by nature; these are no copies.
type Copies struct {
	// First is, for each row, the first one that it is a copy of: itself for most.
	First []int
	// Different is the number of rows without their copies.
	Different int
}

const (
	// fewCopies is the number of equal rows from which on they are taken for equal by
	// nature, and so for a value that as many rows share.
	fewCopies = 20
	// rare is the number of rows equal to one that are expected by chance, were the columns
	// independent, below which equal ones are copies.
	rare = 0.01
)

// FindCopies looks for copies among the rows of some columns.
func FindCopies(columns []rootio.Column) Copies {
	hashes := Hash(columns)
	n := len(hashes)
	c := Copies{First: make([]int, n), Different: n}
	order := make([]int, n)
	for i := range order {
		order[i], c.First[i] = i, i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(hashes[a], hashes[b]), a-b) })
	var groups [][]int // of equal rows
	for lo := 0; lo < n; {
		hi := lo + 1
		for hi < n && hashes[order[hi]] == hashes[order[lo]] {
			hi++
		}
		if hi > lo+1 && hi-lo < fewCopies {
			groups = append(groups, order[lo:hi])
		}
		lo = hi
	}
	if len(groups) == 0 {
		return c
	}
	least, expected := slices.Repeat([]int{n}, len(groups)), slices.Repeat([]float64{math.Log(float64(n))}, len(groups))
	for _, column := range columns {
		values := Hash([]rootio.Column{column})
		share := make(map[uint64]int, len(groups)) // the rows that have the values of the groups
		for _, g := range groups {
			share[values[g[0]]] = 0
		}
		for _, v := range values {
			if k, ok := share[v]; ok {
				share[v] = k + 1
			}
		}
		for i, g := range groups {
			k := share[values[g[0]]]
			least[i] = min(least[i], k)
			expected[i] += math.Log(float64(k) / float64(n))
		}
	}
	for i, g := range groups {
		if least[i] >= fewCopies && expected[i] >= math.Log(rare) {
			continue
		}
		for _, row := range g[1:] {
			c.First[row] = g[0]
		}
		c.Different -= len(g) - 1
	}
	return c
}

// Hash returns a number for each row of columns of one length: the same for rows that are
// equal, whatever the types of the columns.
func Hash(columns []rootio.Column) []uint64 {
	if len(columns) == 0 {
		return nil
	}
	h := make([]uint64, columns[0].Len())
	x := make([]float64, len(h))
	for _, c := range columns {
		c.Floats(x, 0)
		for i, v := range x {
			if v != v {
				v = math.NaN() // one of them all
			}
			h[i] = mix(h[i] + math.Float64bits(v+0)) // −0 is 0
		}
		// Integers beyond 2⁵³ differ by what a float64 does not have.
		switch v := c.Values().(type) {
		case []int64:
			addInteger(h, x, v)
		case []uint64:
			addInteger(h, x, v)
		}
	}
	return h
}

func addInteger[T int64 | uint64](h []uint64, x []float64, v []T) {
	for i := range h {
		if math.Abs(x[i]) >= 1<<53 {
			h[i] = mix(h[i] + uint64(v[i]))
		}
	}
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
func mix(h uint64) uint64 {
	h += 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
