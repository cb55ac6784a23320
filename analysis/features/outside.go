package features

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Outside says what becomes of rows with conditions that the training events did not have:
// a number beyond their range, a code that was none of theirs, another value of a constant,
// or none (NaN). A model knows nothing of these.
type Outside string

// What may become of them. The zero value clips numbers and refuses codes.
const (
	Clip   Outside = "clip"   // the model is asked as for the nearest that the training events had
	Skip   Outside = "skip"   // the rows are left out
	Refuse Outside = "refuse" // they are an error
)

// ErrOutside is wrapped by the error about conditions that are refused.
var ErrOutside = errors.New("the condition is outside of the training events")

// Check reports whether there is such an answer.
func (o Outside) Check() error {
	if slices.Contains([]Outside{"", Clip, Skip, Refuse}, o) {
		return nil
	}
	return fmt.Errorf("conditions outside of the training events can be met by %s, %s or %s, not by %q", Clip, Skip, Refuse, string(o))
}

// Admitted are rows that a model can be asked about.
type Admitted struct {
	*rootio.Table        // the rows that stay, with codes that the training events had
	Rows          []int  // their places in the table that was given, ascending
	Known         []bool // whether the conditions were those of training events from the beginning
	Strays        Strays // counts the others
}

// Strays counts rows whose conditions are outside of the training events.
type Strays struct {
	Rows    int64   `json:"rows"` // that have been looked at
	Outside int64   `json:"outside"`
	Skipped int64   `json:"skipped"`
	Columns []Stray `json:"columns,omitempty"`
}

// Stray is what is outside of one column of the condition.
type Stray struct {
	Name     string `json:"name"`
	Rows     int64  `json:"rows"`
	Example  string `json:"example"`  // the first of the values
	Training string `json:"training"` // what the training events had
}

// Add adds the counts of other rows.
func (s *Strays) Add(other Strays) {
	s.Rows += other.Rows
	s.Outside += other.Outside
	s.Skipped += other.Skipped
	for _, o := range other.Columns {
		if i := slices.IndexFunc(s.Columns, func(c Stray) bool { return c.Name == o.Name }); i >= 0 {
			s.Columns[i].Rows += o.Rows
		} else {
			s.Columns = append(s.Columns, o)
		}
	}
}

// String says in a line what was outside, and what has become of it.
func (s Strays) String() string {
	var columns []string
	for _, c := range s.Columns {
		columns = append(columns, fmt.Sprintf("%s in %d of them (such as %s; the training events have %s)", c.Name, c.Rows, c.Example, c.Training))
	}
	what := "the nearest condition of a training event was taken"
	if s.Skipped > 0 {
		what = "they were left out"
	}
	return fmt.Sprintf("%d of %d conditions are outside of those of the training events: %s; %s", s.Outside, s.Rows, strings.Join(columns, ", "), what)
}

// Admit returns the rows of t of which the conditions were among those of the training
// events, and does with the others what how says. Numbers that are clipped stay in the table
// as they are: [Context.Encode] clips what the network sees, and columns that are measured
// from them, such as the difference of a measurement and the truth, go with them. entries are
// the numbers of the rows, for errors. The columns are found by name and may have any type.
func (x *Context) Admit(t *rootio.Table, how Outside, entries []uint64) (Admitted, error) {
	n := t.Len()
	a := Admitted{Table: t, Rows: make([]int, n), Known: make([]bool, n), Strays: Strays{Rows: int64(n)}}
	for k := range n {
		a.Rows[k], a.Known[k] = k, true
	}
	values := make([]float64, n)
	for i := range x.Columns {
		c := &x.Columns[i]
		at := slices.IndexFunc(a.Columns, func(col rootio.Column) bool { return col.Name == c.Name })
		if at < 0 {
			return a, fmt.Errorf("features: branch %q, of the condition, is missing", c.Name)
		}
		a.Columns[at].Floats(values, 0)
		stray := Stray{Name: c.Name}
		var moved []int
		for k, v := range values {
			near := c.Nearest(v)
			if near == v {
				continue
			}
			if c.As == column.Codes {
				moved, values[k] = append(moved, k), near
			}
			if c.Kind.IsFloat() && float32(near) == float32(v) {
				continue // it is the same, in less precision
			}
			none := math.IsNaN(v) || math.IsInf(v, 0)
			if how == Refuse || how == "" && c.IsCode() || how != Skip && none {
				return a, fmt.Errorf("%w: branch %q is %v in entry %d, the training events have %s; %s", ErrOutside, c.Name, v, entries[k], c.Had(), advice(how, none))
			}
			if stray.Rows == 0 {
				stray.Example, stray.Training = fmt.Sprintf("%.6g", v), c.Had()
			}
			stray.Rows++
			a.Known[k] = false
		}
		if stray.Rows > 0 {
			a.Strays.Columns = append(a.Strays.Columns, stray)
		}
		if moved != nil {
			if a.Table == t {
				a.Table = &rootio.Table{Columns: slices.Clone(t.Columns), Jagged: t.Jagged}
			}
			a.Columns[at] = replaced(a.Columns[at], moved, values)
		}
	}
	for _, known := range a.Known {
		if !known {
			a.Strays.Outside++
		}
	}
	if how == Skip && a.Strays.Outside > 0 {
		a.Rows = slices.DeleteFunc(a.Rows, func(k int) bool { return !a.Known[k] })
		a.Known = slices.Repeat([]bool{true}, len(a.Rows))
		a.Table, a.Strays.Skipped = a.Take(a.Rows), a.Strays.Outside
	}
	return a, nil
}

// replaced returns a column with other values at some places; it has another type if it
// has to.
func replaced(c rootio.Column, places []int, values []float64) rootio.Column {
	all := make([]int, c.Len())
	for k := range all {
		all[k] = k
	}
	again, got := c.Take(all), make([]float64, 1)
	for _, k := range places {
		one := again.Slice(k, k+1)
		one.SetFloats(0, values[k:k+1])
		if one.Floats(got, 0); got[0] != values[k] {
			return rootio.ColumnOf(c.Name, slices.Clone(values))
		}
	}
	return again
}

// advice says what can be done about a value that is refused.
func advice(how Outside, none bool) string {
	if how != Clip && !none {
		return "leave such events out (--outside skip), or take the nearest (--outside clip)"
	}
	return "leave such events out (--outside skip)"
}
