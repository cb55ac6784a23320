package rootio

import (
	"errors"
	"fmt"
	"iter"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"

	"go-hep.org/x/hep/groot/rtree"
)

// scan reads the events [lo, hi) of the columns into table, over and over from
// its start. It calls full with the number of events whenever the table is
// full, and at the end; full returns whether to go on.
func (t *Tree) scan(columns []int, lo, hi int64, table *Table, full func(n int) bool) error {
	size, row := table.Len(), 0
	for i := range t.parts {
		p := &t.parts[i]
		from, to := max(lo, p.lo)-p.lo, min(hi, p.hi)-p.lo
		if from >= to {
			continue
		}
		r := p.reader(t, columns, table, from, to)
		for from < to {
			n := min(int64(size-row), to-from)
			if row == 0 {
				table.clear()
			}
			if err := r.read(from, from+n, row); err != nil {
				r.close()
				return err
			}
			from += n
			row += int(n)
			if row < size {
				continue
			}
			row = 0
			if !full(size) {
				r.close()
				return nil
			}
		}
		r.close()
	}
	if row > 0 {
		full(row)
	}
	return nil
}

// clear forgets the values of jagged columns.
func (t *Table) clear() {
	for i := range t.Jagged {
		t.Jagged[i].values = t.Jagged[i].Slice(0, 0).values
	}
}

// partReader reads columns of one file: plain branches block by block, the
// others with groot.
type partReader struct {
	part  *part
	plain []*basketReader
	groot *grootReader // nil if there is no other branch
}

// reader returns a reader of the entries [lo, hi) into the columns of the table.
func (p *part) reader(t *Tree, columns []int, table *Table, lo, hi int64) *partReader {
	r := &partReader{part: p}
	plain := make(map[int]*basketReader) // by branch
	var others []grootVar
	scalar, jagged := 0, 0
	for _, c := range columns {
		col := t.columns[c]
		b := &p.branches[col.branch]
		into := target{element: col.Index}
		if col.IsJagged() {
			into.jagged = &table.Jagged[jagged]
			jagged++
		} else {
			into.column = &table.Columns[scalar]
			scalar++
		}
		if len(b.layout.spans) == 0 || t.grootOnly {
			others = append(others, grootVar{b, into})
			continue
		}
		reader := plain[col.branch]
		if reader == nil {
			reader = &basketReader{file: p.root, name: b.Name, layout: b.layout, loaded: -1, in: inflater{lax: t.lax}}
			plain[col.branch] = reader
			r.plain = append(r.plain, reader)
		}
		reader.into = append(reader.into, into)
	}
	if len(others) > 0 {
		r.groot = newGrootReader(p.tree, others, lo, hi)
	}
	return r
}

// read reads the entries [lo, hi), which follow those of the last read, into the
// rows of the table from row on.
func (r *partReader) read(lo, hi int64, row int) error {
	err := r.readPlain(lo, hi, row)
	if err == nil && r.groot != nil {
		err = r.groot.read(lo, hi, row)
	}
	if e, ok := errors.AsType[*entryError](err); ok {
		branch := ""
		if e.branch != "" {
			branch = fmt.Sprintf("branch %q, ", e.branch)
		}
		return fmt.Errorf("rootio: could not read %sentry %d of tree %q of %q: %w", branch, e.entry, r.part.path, r.part.file, e.err)
	}
	return err
}

// readPlain reads the plain branches, on all processors if that pays.
func (r *partReader) readPlain(lo, hi int64, row int) error {
	const little = 1 << 14 // values
	errs := make([]error, len(r.plain))
	workers := min(runtime.GOMAXPROCS(0), len(r.plain))
	if (hi-lo)*int64(len(r.plain)) < little {
		workers = 1
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(r.plain); i = int(next.Add(1)) - 1 {
				errs[i] = r.plain[i].read(lo, hi, row)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *partReader) close() {
	if r.groot != nil {
		r.groot.stop()
	}
}

// grootVar is a branch that groot reads and the column that it goes to.
type grootVar struct {
	branch *branch
	into   target
}

// grootReader reads entries with groot, block after block.
type grootReader struct {
	tree  rtree.Tree
	vars  []rtree.ReadVar
	cells []cell
	next  func() (error, bool)
	stop  func()

	entry     int64 // that is read next
	row, left int   // where it goes, and how many are still wanted
}

func newGrootReader(tree rtree.Tree, vars []grootVar, lo, hi int64) *grootReader {
	r := &grootReader{tree: tree, entry: lo}
	values := make(map[*branch]reflect.Value) // one for all elements of an array
	for _, v := range vars {
		b := v.branch
		value, ok := values[b]
		if !ok {
			value = reflect.New(b.typ)
			values[b] = value
			r.vars = append(r.vars, rtree.ReadVar{Name: b.branch, Leaf: b.leaf, Value: value.Interface()})
		}
		if v.into.jagged != nil {
			r.cells = append(r.cells, newJaggedCell(value, v.into.jagged))
		} else {
			r.cells = append(r.cells, newCell(elementOf(value, b.dims, v.into.element), *v.into.column))
		}
	}
	r.next, r.stop = iter.Pull(r.blocks(lo, hi))
	return r
}

// elementOf returns a pointer to an element of the array, or to the value itself
// if there are no dimensions.
func elementOf(ptr reflect.Value, dims []int, element int) reflect.Value {
	v := ptr.Elem()
	for i := range dims {
		rest := 1
		for _, n := range dims[i+1:] {
			rest *= n
		}
		v = v.Index(element / rest)
		element %= rest
	}
	return v.Addr()
}

var errStop = errors.New("stop")

// blocks reads the entries [lo, hi) and pauses after each block of them.
func (r *grootReader) blocks(lo, hi int64) iter.Seq[error] {
	return func(yield func(error) bool) {
		reader, err := rtree.NewReader(r.tree, r.vars, rtree.WithRange(lo, hi))
		if err != nil {
			yield(err)
			return
		}
		defer reader.Close()
		err = reader.Read(func(rtree.RCtx) error {
			for _, c := range r.cells {
				c.store(r.row)
			}
			r.entry++
			r.row++
			if r.left--; r.left > 0 || yield(nil) {
				return nil
			}
			return errStop
		})
		if errors.Is(err, errStop) {
			return
		}
		if err == nil {
			err = errNoData
		}
		yield(err)
	}
}

// read reads the entries [lo, hi) into the rows from row on.
func (r *grootReader) read(lo, hi int64, row int) error {
	r.row, r.left = row, int(hi-lo)
	err := r.block()
	if err == nil && r.left > 0 {
		err = errNoData
	}
	if err != nil {
		return &entryError{r.culprit(r.entry), r.entry, err}
	}
	return nil
}

func (r *grootReader) block() (err error) {
	defer guard(&err)
	err, _ = r.next()
	return err
}

// culprit returns the branch that is unreadable in an entry, if it is only one.
func (r *grootReader) culprit(entry int64) string {
	found := ""
	for i := range r.vars {
		if r.readable(i, entry) {
			continue
		}
		if found != "" {
			return ""
		}
		found = r.vars[i].Name
	}
	return found
}

func (r *grootReader) readable(i int, entry int64) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	reader, err := rtree.NewReader(r.tree, r.vars[i:i+1], rtree.WithRange(entry, entry+1))
	if err != nil {
		return false
	}
	defer reader.Close()
	n := 0
	err = reader.Read(func(rtree.RCtx) error { n++; return nil })
	return err == nil && n == 1
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
	switch v := column.values.(type) {
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

// jaggedCell is the cell of a jagged column: the value is a slice.
type jaggedCell[T Value] struct {
	value  func() []T // what groot has read
	set    *[]T       // what groot is to write
	column *Jagged
}

func (c *jaggedCell[T]) store(row int) {
	values := append(c.column.values.([]T), c.value()...)
	c.column.values = values
	c.column.Offsets[row+1] = len(values)
}

func (c *jaggedCell[T]) load(row int) {
	*c.set = c.column.values.([]T)[c.column.Offsets[row]:c.column.Offsets[row+1]]
}

// newJaggedCell returns the cell that carries the slice behind ptr to or from
// the column.
func newJaggedCell(ptr reflect.Value, column *Jagged) cell {
	switch column.values.(type) {
	case []bool:
		return jaggedCellFor[bool](ptr, column)
	case []int8:
		return jaggedCellFor[int8](ptr, column)
	case []int16:
		return jaggedCellFor[int16](ptr, column)
	case []int32:
		return jaggedCellFor[int32](ptr, column)
	case []int64:
		return jaggedCellFor[int64](ptr, column)
	case []uint8:
		return jaggedCellFor[uint8](ptr, column)
	case []uint16:
		return jaggedCellFor[uint16](ptr, column)
	case []uint32:
		return jaggedCellFor[uint32](ptr, column)
	case []uint64:
		return jaggedCellFor[uint64](ptr, column)
	case []float32:
		return jaggedCellFor[float32](ptr, column)
	case []float64:
		return jaggedCellFor[float64](ptr, column)
	}
	panic(fmt.Sprintf("rootio: column %q has no values", column.Name))
}

func jaggedCellFor[T Value](ptr reflect.Value, column *Jagged) cell {
	c := &jaggedCell[T]{column: column}
	switch v := ptr.Interface().(type) {
	case *[]T:
		c.value, c.set = func() []T { return *v }, v
	default: // groot has its own names for some numbers (root.Double32 is a float64)
		value := ptr.Elem()
		c.value = func() []T {
			values := make([]T, value.Len())
			for i := range values {
				values[i] = value.Index(i).Convert(reflect.TypeFor[T]()).Interface().(T)
			}
			return values
		}
	}
	return c
}
