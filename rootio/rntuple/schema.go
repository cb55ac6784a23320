package rntuple

import (
	"fmt"
	"math"
)

// Structural roles of fields.
const (
	roleLeaf = iota
	roleCollection
	roleRecord
	roleVariant
	roleStreamed
)

const (
	fieldRepeated  = 1 << 0
	fieldProjected = 1 << 1
	fieldChecksum  = 1 << 2
	columnDeferred = 1 << 0
	columnRanged   = 1 << 1
)

// field describes a C++ type, which may be made of others.
type field struct {
	name, typ, alias, description string
	role, flags                   uint16
	parent                        int
	repeats                       int64 // of a fixed array
	children                      []int
	columns                       []int // physical columns in order, with all representations
}

// column is a series of numbers of one type.
type column struct {
	element
	field          int
	representation int
	deferred       bool
	known          bool // the type of its elements
}

// schema is what the header and its extension describe.
type schema struct {
	fields  []field
	columns []column
	top     []int // fields
}

// extend reads the four lists of a schema.
func (s *schema) extend(r *buffer) error {
	const leastField, leastColumn, leastAlias = 32, 20, 16
	firstField, aliases := len(s.fields), [][2]int{}
	items, n := r.list(leastField)
	for range n {
		f, err := readField(items.record())
		if err != nil {
			return fmt.Errorf("field %d: %w", len(s.fields), err)
		}
		s.fields = append(s.fields, f)
	}
	for i := firstField; i < len(s.fields); i++ {
		switch p := s.fields[i].parent; {
		case p == i:
			s.top = append(s.top, i)
		case p < len(s.fields):
			s.fields[p].children = append(s.fields[p].children, i)
		default:
			return fmt.Errorf("field %q is part of field %d, of %d", s.fields[i].name, p, len(s.fields))
		}
	}
	items, n = r.list(leastColumn)
	for range n {
		c, err := readColumn(items.record())
		if err == nil && c.field >= len(s.fields) {
			err = fmt.Errorf("it is of field %d, of %d", c.field, len(s.fields))
		}
		if err != nil {
			return fmt.Errorf("column %d: %w", len(s.columns), err)
		}
		f := &s.fields[c.field]
		f.columns = append(f.columns, len(s.columns))
		s.columns = append(s.columns, c)
	}
	items, n = r.list(leastAlias)
	for range n {
		a := items.record()
		aliases = append(aliases, [2]int{int(a.u32()), int(a.u32())})
		if a.failed {
			return errShort
		}
	}
	for _, a := range aliases {
		if a[0] >= len(s.columns) || a[1] >= len(s.fields) {
			return fmt.Errorf("field %d, of %d, is a projection of column %d, of %d", a[1], len(s.fields), a[0], len(s.columns))
		}
		f := &s.fields[a[1]]
		f.columns = append(f.columns, a[0])
	}
	r.list(0) // further information on types
	return r.err()
}

func readField(r buffer) (f field, err error) {
	r.u32() // version of the field
	r.u32() // and of the type
	f.parent = int(r.u32())
	f.role, f.flags = r.u16(), r.u16()
	f.name, f.typ, f.alias, f.description = r.text(), r.text(), r.text(), r.text()
	f.repeats = 1
	if f.flags&fieldRepeated != 0 {
		if f.repeats = r.i64(); f.repeats < 0 || f.repeats > math.MaxInt32 {
			return f, fmt.Errorf("it is an array of %d", f.repeats)
		}
	}
	return f, r.err()
}

func readColumn(r buffer) (c column, err error) {
	c.typ, c.bits = r.u16(), int(r.u16())
	c.field = int(r.u32())
	flags := r.u16()
	c.representation = int(r.u16())
	if flags&columnDeferred != 0 {
		r.i64() // the first element: it follows from the pages, too
		c.deferred = true
	}
	if flags&columnRanged != 0 {
		c.low, c.high = math.Float64frombits(r.u64()), math.Float64frombits(r.u64())
	}
	c.known = c.element.isKnown()
	return c, r.err()
}
