package rootio

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/eidolon-hep/eidolon/internal/parallel"
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
		r := p.reader(t, columns, table)
		for from < to {
			n := min(int64(size-row), to-from)
			if row == 0 {
				table.clear()
			}
			if err := r.read(from, from+n, row); err != nil {
				return err
			}
			from += n
			row += int(n)
			if row < size {
				continue
			}
			row = 0
			if !full(size) {
				return nil
			}
		}
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

// partReader reads columns of one file, block by block.
type partReader struct {
	part    *part
	readers []entryReader
}

// reader returns a reader into the columns of the table.
func (p *part) reader(t *Tree, columns []int, table *Table) *partReader {
	r := &partReader{part: p}
	memory := &budget{}
	memory.left.Store(p.root.most())
	var branches []int // in the order of their first column
	targets := make(map[int][]target)
	scalar, jagged := 0, 0
	for _, c := range columns {
		col := t.columns[c]
		var into target
		if col.Nested == "" {
			into.element = col.Index
		}
		if col.IsJagged() {
			into.jagged = &table.Jagged[jagged]
			jagged++
		} else {
			into.column = &table.Columns[scalar]
			scalar++
		}
		if targets[col.branch] == nil {
			branches = append(branches, col.branch)
		}
		targets[col.branch] = append(targets[col.branch], into)
	}
	for _, i := range branches {
		r.readers = append(r.readers, p.source.reader(&p.branches[i], targets[i], memory))
	}
	return r
}

// read reads the entries [lo, hi), which follow those of the last read, into the
// rows of the table from row on, on all processors if that pays.
func (r *partReader) read(lo, hi int64, row int) error {
	const little = 1 << 14 // values
	workers := runtime.GOMAXPROCS(0)
	if (hi-lo)*int64(len(r.readers)) < little {
		workers = 1
	}
	err := parallel.Each(len(r.readers), workers, func(i int) error { return r.readers[i].read(lo, hi, row) })
	if e, ok := errors.AsType[*entryError](err); ok {
		return fmt.Errorf("rootio: could not read branch %q, entry %d of tree %q of %q: %w", e.branch, e.entry, r.part.path, r.part.file, e.err)
	}
	return err
}
