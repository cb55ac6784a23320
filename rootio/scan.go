package rootio

import (
	"errors"
	"fmt"
	"reflect"

	"go-hep.org/x/hep/groot/rtree"
)

// scan reads the events [lo, hi) of the columns into table, over and over from
// its start. It calls full with the number of events whenever the table is
// full, and at the end; full returns whether to go on.
func (t *Tree) scan(columns []int, lo, hi int64, table *Table, full func(n int) bool) error {
	s := scanner{table: table, size: table.Len(), full: full}
	for i := range t.parts {
		p := &t.parts[i]
		from, to := max(lo, p.lo), min(hi, p.hi)
		if from >= to {
			continue
		}
		if err := s.part(p, columns, from-p.lo, to-p.lo); err != nil {
			return err
		}
		if s.stopped {
			return nil
		}
	}
	if s.row > 0 {
		full(s.row)
	}
	return nil
}

// scanner carries the state of a scan from event to event.
type scanner struct {
	table   *Table
	size    int
	full    func(n int) bool
	row     int  // next row of the table
	outside bool // whether full is running: a panic in it is not groot's
	stopped bool
}

var errStop = errors.New("stop")

// part reads the entries [lo, hi) of one file.
func (s *scanner) part(p *part, columns []int, lo, hi int64) error {
	vars := make([]rtree.ReadVar, len(columns))
	cells := make([]cell, len(columns))
	for i, c := range columns {
		b := p.branches[c]
		ptr := reflect.New(b.typ)
		vars[i] = rtree.ReadVar{Name: b.branch, Leaf: b.leaf, Value: ptr.Interface()}
		cells[i] = newCell(ptr, s.table.Columns[i])
	}
	entry := lo
	err := s.entries(p.tree, vars, lo, hi, func() error {
		for _, c := range cells {
			c.store(s.row)
		}
		entry++
		s.row++
		if s.row < s.size {
			return nil
		}
		s.row = 0
		s.outside = true
		more := s.full(s.size)
		s.outside = false
		if !more {
			s.stopped = true
			return errStop
		}
		return nil
	})
	if s.stopped {
		return nil
	}
	if err == nil && entry != hi {
		err = errors.New("there are no more data")
	}
	if err != nil {
		return fmt.Errorf("rootio: could not read %sentry %d of tree %q of %q: %w", s.culprit(p, vars, entry), entry, p.path, p.file, err)
	}
	return nil
}

// entries calls event after each entry in [lo, hi) that groot has read.
func (s *scanner) entries(tree rtree.Tree, vars []rtree.ReadVar, lo, hi int64, event func() error) (err error) {
	defer func() {
		if s.outside {
			return // let the panic pass
		}
		if r := recover(); r != nil {
			err = panicError(r)
		}
	}()
	r, err := rtree.NewReader(tree, vars, rtree.WithRange(lo, hi))
	if err != nil {
		return err
	}
	defer r.Close()
	return r.Read(func(rtree.RCtx) error { return event() })
}

// culprit returns "branch x, " if only that branch of the entry is unreadable.
func (s *scanner) culprit(p *part, vars []rtree.ReadVar, entry int64) string {
	found := ""
	for i := range vars {
		if s.entries(p.tree, vars[i:i+1], entry, entry+1, func() error { return nil }) == nil {
			continue
		}
		if found != "" {
			return ""
		}
		found = fmt.Sprintf("branch %q, ", vars[i].Name)
	}
	return found
}

// cell is where groot leaves one value, and the column that it goes to.
type cell interface {
	store(row int) // value to column
	load(row int)  // column to value
}

type cellOf[T Value] struct {
	value  *T
	column []T
}

func (c *cellOf[T]) store(row int) { c.column[row] = *c.value }
func (c *cellOf[T]) load(row int)  { *c.value = c.column[row] }

// newCell returns the cell that carries the value behind ptr, which has the
// kind of the column, to or from the column.
func newCell(ptr reflect.Value, column Column) cell {
	switch v := column.Values().(type) {
	case []bool:
		return cellFor(ptr, v)
	case []int8:
		return cellFor(ptr, v)
	case []int16:
		return cellFor(ptr, v)
	case []int32:
		return cellFor(ptr, v)
	case []int64:
		return cellFor(ptr, v)
	case []uint8:
		return cellFor(ptr, v)
	case []uint16:
		return cellFor(ptr, v)
	case []uint32:
		return cellFor(ptr, v)
	case []uint64:
		return cellFor(ptr, v)
	case []float32:
		return cellFor(ptr, v)
	case []float64:
		return cellFor(ptr, v)
	}
	panic(fmt.Sprintf("rootio: column %q has no values", column.Name))
}

// cellFor looks at the value through a pointer to its basic type: groot has
// its own names for some (root.Double32 is a float64).
func cellFor[T Value](ptr reflect.Value, column []T) cell {
	return &cellOf[T]{value: ptr.Convert(reflect.TypeFor[*T]()).Interface().(*T), column: column}
}
