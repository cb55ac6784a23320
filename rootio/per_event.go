package rootio

import (
	"math"
	"regexp"
	"slices"
	"strconv"
)

// A reduction is one number per event made of the values of a jagged column: an element,
// the sum or the number of them. Views of events know them as columns by these names, also
// in expressions:
//
//	Jet_pt[0]    the first value, NaN where there is none
//	sum(Jet_pt)  the sum, 0 where there is none
//	len(Jet_pt)  the number of values
type reduction struct {
	name, of string
	value    func(x []float64) float64
}

var (
	elementSyntax = regexp.MustCompile(`^(.+?)(?:\[(\d+)\]|_(\d+))$`)
	callSyntax    = regexp.MustCompile(`^(sum|len)\((.+)\)$`)
)

// reduction returns what a name stands for, if it is that of a reduction.
func (v *View) reduction(name string) (r reduction, ok bool) {
	if v.collection != nil || slices.ContainsFunc(v.tree.columns, func(c column) bool { return c.Name == name }) {
		return r, false
	}
	if m := callSyntax.FindStringSubmatch(name); m != nil {
		r = reduction{name: name, of: m[2], value: sum}
		if m[1] == "len" {
			r.value = func(x []float64) float64 { return float64(len(x)) }
		}
	} else if m := elementSyntax.FindStringSubmatch(name); m != nil {
		k, err := strconv.Atoi(m[2] + m[3])
		if err != nil {
			return r, false
		}
		r = reduction{m[1] + "[" + strconv.Itoa(k) + "]", m[1], func(x []float64) float64 {
			if k >= len(x) {
				return math.NaN()
			}
			return x[k]
		}}
	}
	ok = slices.ContainsFunc(v.tree.columns, func(c column) bool { return c.Name == r.of && c.IsJagged() })
	return r, ok
}

func (v *View) isReduced(name string) bool {
	_, ok := v.reduction(name)
	return ok
}

func sum(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}

// column returns the reduction of a column.
func (r reduction) column(j Jagged) Column {
	x, values := make([]float64, j.Len()), make([]float64, j.Events())
	j.Floats(x, 0)
	for i := range values {
		values[i] = r.value(x[j.Offsets[i]:j.Offsets[i+1]])
	}
	return ColumnOf(r.name, values)
}
