package compare

import (
	"math"
	"math/big"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/rootio"
)

// integers are the values of two columns of integers that a float64 does not tell
// apart: from 2⁵³ on.
type integers struct{ all []*big.Int } // in rising order

// exactColumns returns the columns with the values that they have numbered, from 0 in rising
// order, and what the numbers mean: if they have integers beyond 2⁵³ and the reference
// has few of them. Otherwise it returns the columns as they are: the distance of two
// distributions of many values does not depend on what a float64 leaves out.
func exactColumns(ref, cand rootio.Column) (a, b rootio.Column, of *integers) {
	if !beyondFloats(ref) && !beyondFloats(cand) {
		return ref, cand, nil
	}
	x, y := integersOf(ref), integersOf(cand)
	if x == nil || y == nil {
		return ref, cand, nil
	}
	different := func(x []*big.Int) []*big.Int {
		sorted := slices.Clone(x)
		slices.SortFunc(sorted, (*big.Int).Cmp)
		return slices.CompactFunc(sorted, func(p, q *big.Int) bool { return p.Cmp(q) == 0 })
	}
	if len(different(x)) > column.MaxCodes {
		return ref, cand, nil
	}
	of = &integers{different(slices.Concat(x, y))}
	number := func(c rootio.Column, x []*big.Int) rootio.Column {
		n := make([]int64, len(x))
		for i, v := range x {
			k, _ := slices.BinarySearchFunc(of.all, v, (*big.Int).Cmp)
			n[i] = int64(k)
		}
		numbered := rootio.ColumnOf(c.Name, n)
		numbered.Title = c.Title
		return numbered
	}
	return number(ref, x), number(cand, y), of
}

// beyondFloats reports whether a column has integers that a float64 does not hold.
func beyondFloats(c rootio.Column) bool {
	const most = 1 << 53
	switch v := c.Values().(type) {
	case []int64:
		return slices.ContainsFunc(v, func(i int64) bool { return i > most || i < -most })
	case []uint64:
		return slices.ContainsFunc(v, func(i uint64) bool { return i > most })
	}
	return false
}

// integersOf returns the values of a column, nil if they are not integers.
func integersOf(c rootio.Column) (x []*big.Int) {
	switch v := c.Values().(type) {
	case []int64:
		for _, i := range v {
			x = append(x, big.NewInt(i))
		}
		return x
	case []uint64:
		for _, i := range v {
			x = append(x, new(big.Int).SetUint64(i))
		}
		return x
	}
	values := c.Float64s()
	for _, f := range values {
		if f != math.Trunc(f) || math.Abs(f) > 1<<64 {
			return nil
		}
		i, _ := big.NewFloat(f).Int(nil)
		x = append(x, i)
	}
	return x
}

// name puts the values in the place of their numbers.
func (of *integers) name(c *Column) {
	for k := range c.Codes {
		code := &c.Codes[k]
		v := of.all[int(code.Value)]
		code.Integer = v.String()
		code.Value, _ = new(big.Float).SetInt(v).Float64()
		if k < len(c.spectrum.labels) {
			c.spectrum.labels[k] = code.Integer
		}
	}
}
