package rootio

import (
	"fmt"
	"reflect"
	"slices"
)

// Field is what a column is, without its values.
type Field struct {
	Name  string `json:"name"`
	Title string `json:"title,omitempty"`
	Kind  Kind   `json:"kind,omitempty"`

	// Stored is how a file has the numbers where that is shorter than Kind: the code of ROOT's Float16_t or
	// Double32_t, with its range and number of bits, as in "f[0,200,12]" or "d".
	Stored string `json:"stored,omitempty"`

	// Array is the branch of fixed arrays that the column is one element of, with
	// its shape, as in "x[3]" or "x[2][3]"; Index is the place of the element, the
	// last subscript running fastest. The column is called "x_1" or "x_0_1".
	Array string `json:"array,omitempty"`
	Index int    `json:"index,omitempty"`

	// Counter is the branch that says how many values each event has, if that
	// varies, or [Vector]. It makes the column a [Jagged] one.
	Counter string `json:"counter,omitempty"`

	// Nested is the branch of lists of lists that the column is a part of; the column is a
	// jagged one. At Index 0 it has the numbers, list after list; at Index 1 the lengths of the
	// innermost lists, at Index 2 those of the lists of these, and so on.
	Nested string `json:"nested,omitempty"`
}

// Vector is the [Field.Counter] of a std::vector, which counts its values itself.
const Vector = "[]"

// IsJagged reports whether the number of values varies from event to event.
func (f Field) IsJagged() bool { return f.Counter != "" }

// Value is the set of Go types that a column can hold.
type Value interface {
	bool | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64
}

// values are the values of a column: a valuesOf[T].
type values interface {
	any() any // the []T
	len() int
	slice(lo, hi int) values
	take(places []int) values
	put(places []int, src values)
	gather(src values, places []int)
	append(more values) values
	grow(n int) values // by values of any content
	reserve(n, room int) values
}

type valuesOf[T Value] []T

func (v valuesOf[T]) any() any                  { return []T(v) }
func (v valuesOf[T]) len() int                  { return len(v) }
func (v valuesOf[T]) slice(lo, hi int) values   { return v[lo:hi] }
func (v valuesOf[T]) append(more values) values { return append(v, more.(valuesOf[T])...) }
func (v valuesOf[T]) grow(n int) values         { return slices.Grow(v, n)[:len(v)+n] }

// reserve makes room for so many values in all, where there is none for n.
func (v valuesOf[T]) reserve(n, room int) values {
	if n <= cap(v) {
		return v
	}
	return append(make(valuesOf[T], 0, max(n, room)), v...)
}

func (v valuesOf[T]) take(places []int) values {
	taken := make(valuesOf[T], len(places))
	taken.gather(v, places)
	return taken
}

func (v valuesOf[T]) gather(src values, places []int) {
	from := src.(valuesOf[T])
	for i, k := range places {
		v[i] = from[k]
	}
}

func (v valuesOf[T]) put(places []int, src values) {
	for i, x := range src.(valuesOf[T]) {
		v[places[i]] = x
	}
}

// Column is one scalar branch: a field and a value per event.
type Column struct {
	Field
	values values // of the Go type of Kind
}

// NewColumn returns a column of n zero values.
func NewColumn(f Field, n int) Column {
	if f.Kind.Type() == nil {
		panic(fmt.Sprintf("rootio: NewColumn %q: %v", f.Name, f.Kind))
	}
	return Column{Field: f, values: kinds[f.Kind].make(n)}
}

// ColumnOf returns a column that holds values (not a copy of them).
func ColumnOf[T Value](name string, values []T) Column {
	kind := slices.IndexFunc(kinds[:], func(k kindOf) bool { return k.typ == reflect.TypeFor[T]() })
	return Column{Field: Field{Name: name, Kind: Kind(kind)}, values: valuesOf[T](values)}
}

// Values returns the values of c as the slice that holds them: []bool for
// [Bool], []int32 for [Int32] and so on.
func (c Column) Values() any {
	if c.values == nil {
		return nil
	}
	return c.values.any()
}

// Len returns the number of values.
func (c Column) Len() int {
	if c.values == nil {
		return 0
	}
	return c.values.len()
}

// Slice returns the values [lo, hi) of c. The memory is shared.
func (c Column) Slice(lo, hi int) Column { return Column{c.Field, c.values.slice(lo, hi)} }

// Take returns a column of the values of c at the given places, in that order.
func (c Column) Take(places []int) Column { return Column{c.Field, c.values.take(places)} }

// Put stores the values of src, of the same kind, at the given places.
func (c Column) Put(places []int, src Column) { c.values.put(places, src.values) }

// Append returns c with the values of another column of its kind after its own. As append does, it
// may use the memory behind those of c.
func (c Column) Append(more Column) Column { return Column{c.Field, c.values.append(more.values)} }

// Concat returns a new column with the values of both, as float64 if they are of
// different kinds.
func (c Column) Concat(more Column) Column {
	if c.Kind == more.Kind {
		return Column{c.Field, NewColumn(c.Field, 0).values.append(c.values).append(more.values)}
	}
	x := make([]float64, c.Len()+more.Len())
	c.Floats(x[:c.Len()], 0)
	more.Floats(x[c.Len():], 0)
	return ColumnOf(c.Name, x)
}

// Floats copies the values from lo on into dst, as float64 (bool as 0 and 1).
// 64-bit integers beyond ±2⁵³ are rounded.
func (c Column) Floats(dst []float64, lo int) {
	if c.values != nil {
		kinds[c.Kind].floats(dst, c.Slice(lo, lo+len(dst)).Values())
	}
}

// Float64s returns the values as float64, as [Column.Floats] does.
func (c Column) Float64s() []float64 {
	x := make([]float64, c.Len())
	c.Floats(x, 0)
	return x
}

// SetFloats stores src into the values from lo on. The caller keeps integers
// within the range of the kind; a bool is true where src is not zero.
func (c Column) SetFloats(lo int, src []float64) {
	if c.values != nil {
		kinds[c.Kind].setFloats(c.Slice(lo, lo+len(src)).Values(), src)
	}
}

// Jagged is a branch with a varying number of values per event, such as the
// momenta of its jets.
type Jagged struct {
	Column        // the values of all events, one event after the other
	Offsets []int // the values of event i are [Offsets[i], Offsets[i+1])
}

// Events returns the number of events.
func (j Jagged) Events() int { return max(0, len(j.Offsets)-1) }

// Event returns the values of event i. The memory is shared.
func (j Jagged) Event(i int) Column { return j.Column.Slice(j.Offsets[i], j.Offsets[i+1]) }

// Take returns a column of the events at the given places, in that order.
func (j Jagged) Take(places []int) Jagged {
	offsets := make([]int, len(places)+1)
	for i, k := range places {
		offsets[i+1] = offsets[i] + j.Offsets[k+1] - j.Offsets[k]
	}
	values := make([]int, 0, offsets[len(places)])
	for _, k := range places {
		for at := j.Offsets[k]; at < j.Offsets[k+1]; at++ {
			values = append(values, at)
		}
	}
	return Jagged{j.Column.Take(values), offsets}
}

// Table is a set of columns of equal length: one row per event. Jagged columns
// are beside the others; they are there only if they were asked for.
type Table struct {
	Columns []Column
	Jagged  []Jagged
}

// NewTable returns a table of n events with all values zero, and no value in
// jagged columns.
func NewTable(fields []Field, n int) *Table {
	t := &Table{Columns: make([]Column, 0, len(fields))}
	for _, f := range fields {
		if f.IsJagged() {
			t.Jagged = append(t.Jagged, Jagged{NewColumn(f, 0), make([]int, n+1)})
		} else {
			t.Columns = append(t.Columns, NewColumn(f, n))
		}
	}
	return t
}

// Len returns the number of events.
func (t *Table) Len() int {
	switch {
	case len(t.Columns) > 0:
		return t.Columns[0].Len()
	case len(t.Jagged) > 0:
		return t.Jagged[0].Events()
	}
	return 0
}

// Fields returns the fields of the columns, in order, those of jagged ones last.
func (t *Table) Fields() []Field {
	fields := make([]Field, 0, len(t.Columns)+len(t.Jagged))
	for _, c := range t.Columns {
		fields = append(fields, c.Field)
	}
	for _, j := range t.Jagged {
		fields = append(fields, j.Field)
	}
	return fields
}

// Names returns the names of fields.
func Names(fields []Field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

// Column returns the column with the given name, and whether there is one that
// is not jagged.
func (t *Table) Column(name string) (Column, bool) {
	for _, c := range t.Columns {
		if c.Name == name {
			return c, true
		}
	}
	return Column{}, false
}

// Slice returns the events [lo, hi) of t. The memory is shared.
func (t *Table) Slice(lo, hi int) *Table {
	s := &Table{Columns: make([]Column, len(t.Columns))}
	for i, c := range t.Columns {
		s.Columns[i] = c.Slice(lo, hi)
	}
	for _, j := range t.Jagged {
		s.Jagged = append(s.Jagged, Jagged{j.Column, j.Offsets[lo : hi+1]})
	}
	return s
}

// Take returns a table of the events at the given places, in that order.
func (t *Table) Take(places []int) *Table {
	taken := &Table{Columns: make([]Column, len(t.Columns))}
	for i, c := range t.Columns {
		taken.Columns[i] = c.Take(places)
	}
	for _, j := range t.Jagged {
		taken.Jagged = append(taken.Jagged, j.Take(places))
	}
	return taken
}
