package rootio

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/rootio/rntuple"
)

// tupleSource is an RNTuple. Its leaves are branches, as those of a TTree of the same content:
// members of records "a.b", fixed arrays x[3], collections std::vectors.
type tupleSource struct {
	path  string
	tuple *rntuple.Tuple
}

func (f *rootFile) tuple(k treeKey) (source, error) {
	if k.class != rntuple.Class {
		return nil, tupleError(rntuple.ErrVersion)
	}
	_, anchor, err := f.object(k.seek, k.class)
	if err != nil {
		return nil, err
	}
	t, err := rntuple.Open(tupleData{f.data}, f.end, anchor, f.inflateBlocks)
	if err != nil {
		return nil, tupleError(err)
	}
	return tupleSource{k.path, t}, nil
}

// tupleData tells errors of the medium from those of what is on it.
type tupleData struct{ io.ReaderAt }

func (d tupleData) ReadAt(p []byte, off int64) (int, error) {
	n, err := d.ReaderAt.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = &readError{err}
	}
	return n, err
}

// tupleError says what is to be done about an error of the package rntuple.
func tupleError(err error) error {
	text := strings.TrimPrefix(err.Error(), "rntuple: ")
	if errors.Is(err, rntuple.ErrVersion) {
		return fmt.Errorf("%s: write it with ROOT 6.34 or later, which write version 1", text)
	}
	return asDamage(&kindError{fmt.Errorf("%s: copy or write the file again", text), err})
}

// inflateBlocks is the [rntuple.Inflate] of the file.
func (f *rootFile) inflateBlocks(dst, blocks []byte) error {
	if n := blocksSize(blocks); n != int64(len(dst)) {
		return fmt.Errorf("its blocks have %d bytes, not %d", n, len(dst))
	}
	in := f.takeInflater()
	defer f.inflaters.Put(in)
	return in.inflateAll(dst, blocks)
}

func (s tupleSource) info() TreeInfo {
	return TreeInfo{Name: s.path, Title: s.tuple.Description(), Entries: s.tuple.Entries()}
}

func (s tupleSource) branches() ([]branch, error) {
	leaves := s.tuple.Leaves()
	counters := make(map[int]string) // by the number of a collection
	for _, l := range leaves {
		if l.Lengths && len(l.Levels) == 0 {
			counters[l.Collection] = l.Name
		}
	}
	var branches []branch
	for i := range leaves {
		branches = append(branches, tupleBranches(&leaves[i], counters)...)
	}
	unique(branches)
	return branches, nil
}

// tupleBranches returns the branch of a leaf, or those of a leaf of lists of lists.
func tupleBranches(l *rntuple.Leaf, counters map[int]string) []branch {
	b := branch{isLeaf: true, of: l.Name, tuple: &tupleColumn{leaf: l}}
	b.Name, b.Title = l.Name, l.Description
	b.kind, b.elems = Kind(l.Kind), 1
	b.Type, b.Reason = b.kind.String(), l.Reason
	if l.Reason != "" {
		b.Type = l.Type
		return []branch{b}
	}
	levels := l.Levels
	lists := 0
	for _, level := range slices.Backward(levels) {
		n := ""
		if level.Length > 0 {
			n = fmt.Sprint(level.Length)
		} else {
			lists++
		}
		b.Type = "[" + n + "]" + b.Type
	}
	b.Kind = b.kind
	switch {
	case len(levels) == 1 && levels[0].Optional && b.kind.IsFloat():
		b.Type = "optional " + b.kind.String()
		b.tuple.missing = true
		return []branch{b}
	case lists > 1 || lists == 1 && levels[0].Length > 0:
		return b.nested(len(levels))
	case lists == 1:
		b.Counter = Vector
		if counter := counters[levels[0].Collection]; counter != "" {
			b.Counter = counter
		}
		levels = levels[1:]
	}
	shape := ""
	for _, level := range levels {
		b.dims = append(b.dims, level.Length)
		shape += fmt.Sprintf("[%d]", level.Length)
		if b.elems *= level.Length; b.elems > mostElems {
			b.exclude(tooMany(b.elems))
			return []branch{b}
		}
	}
	if shape != "" {
		b.Array = l.Name + shape
		b.tuple.elems = b.elems
	}
	return []branch{b}
}

// nested returns the columns of lists of lists of so many levels.
func (b branch) nested(depth int) []branch {
	b.Nested, b.Counter = b.Name, Vector
	all := []branch{b}
	for n := 1; n < depth; n++ {
		c := b
		c.Name, c.Type, c.Index = fmt.Sprintf("%s_n%d", b.Name, n), strings.Repeat("[]", depth-n)+Int32.String(), n
		c.kind, c.Kind = Int32, Int32
		c.tuple = &tupleColumn{leaf: b.tuple.leaf, lengths: depth - n}
		all = append(all, c)
	}
	return all
}

// tupleColumn is what a branch is of an RNTuple.
type tupleColumn struct {
	leaf    *rntuple.Leaf
	lengths int  // the lengths of the lists of this level, rather than the numbers; 0: the numbers
	elems   int  // of a fixed array, for an event or an element of the list; 0: it is none
	missing bool // it may have no number in an event, which then is NaN
}

// tupleReader reads entries of one branch into columns.
type tupleReader struct {
	tupleColumn
	name   string
	reader *rntuple.Reader
	budget *budget
	taken  int64 // of it
	into   []target
	at     []int
	buf    values // what is read, where it is not stored as it is
}

func (s tupleSource) reader(b *branch, into []target, memory *budget) entryReader {
	return &tupleReader{tupleColumn: *b.tuple, name: b.Name, reader: s.tuple.Reader(*b.tuple.leaf), budget: memory, into: into}
}

// read is that of entryReader.
func (r *tupleReader) read(lo, hi int64, row int) error {
	for lo < hi {
		n, err := r.reader.Select(lo, hi)
		if err == nil {
			err = r.store(int(n), row)
		}
		if err != nil {
			return &entryError{r.name, lo, tupleError(err)}
		}
		lo += n
		row += int(n)
	}
	r.settle()
	return nil
}

// settle takes memory for what the reader keeps. What is beyond the budget is read again.
func (r *tupleReader) settle() {
	n := r.reader.Size()
	if r.budget.left.Add(r.taken-n) >= 0 {
		r.taken = n
		return
	}
	r.budget.left.Add(n)
	r.taken = 0
	r.reader.Drop()
}

// store stores what was selected, n entries, in the rows of the targets from row on.
func (r *tupleReader) store(n, row int) error {
	first := r.into[0]
	if r.elems > 0 || r.missing {
		if err := r.fill(); err != nil {
			return err
		}
	}
	switch {
	case first.jagged != nil:
		for _, t := range r.into {
			if err := r.append(t, n, row); err != nil {
				return err
			}
		}
		return nil
	case r.elems == 0 && !r.missing:
		return r.reader.Values(first.column.Slice(row, row+n).Values())
	case r.missing:
		have, x := Column{first.column.Field, r.buf}.Float64s(), slices.Repeat([]float64{math.NaN()}, n)
		last := uint64(0)
		for i, end := range r.reader.Ends(0) {
			if end > last {
				x[i] = have[last]
			}
			last = end
		}
		first.column.SetFloats(row, x)
		return nil
	}
	for _, t := range r.into {
		t.column.Slice(row, row+n).values.gather(r.buf, r.places(t.element, n))
	}
	return nil
}

// places returns where an element of n arrays is in buf.
func (r *tupleReader) places(element, n int) []int {
	r.at = r.at[:0]
	for i := range n {
		r.at = append(r.at, i*r.elems+element)
	}
	return r.at
}

// fill reads the numbers that were selected into buf.
func (r *tupleReader) fill() error {
	n := r.reader.Len()
	if r.buf == nil {
		r.buf = kinds[r.leaf.Kind].make(0)
	}
	r.buf = r.buf.slice(0, 0).grow(n)
	return r.reader.Values(r.buf.any())
}

// append appends n entries to a jagged column, as those of the rows from row on.
func (r *tupleReader) append(t target, n, row int) error {
	j, element := t.jagged, t.element
	at, levels := j.Len(), r.leaf.Levels
	switch {
	case r.elems > 0:
		n := r.reader.Len() / r.elems
		j.values = j.values.grow(n)
		j.values.slice(at, at+n).gather(r.buf, r.places(element, n))
		levels = levels[:1]
	case r.lengths > 0:
		counts := r.counts(r.lengths)
		j.values = j.values.grow(len(counts))
		copy(j.Column.Slice(at, j.Len()).Values().([]int32), counts)
		levels = levels[:r.lengths]
	default:
		j.values = j.values.grow(r.reader.Len())
		if err := r.reader.Values(j.Column.Slice(at, j.Len()).Values()); err != nil {
			return err
		}
	}
	// The end of an event among the elements of the innermost level.
	ends := make([]uint64, n)
	for i := range ends {
		ends[i] = uint64(i + 1)
	}
	for i, level := range levels {
		inner := r.reader.Ends(i)
		for k, end := range ends {
			switch {
			case level.Length > 0:
				ends[k] = end * uint64(level.Length)
			case end > 0:
				ends[k] = inner[end-1]
			}
		}
	}
	for i, end := range ends {
		j.Offsets[row+1+i] = at + int(end)
	}
	return nil
}

// counts returns the lengths of the lists of a level.
func (r *tupleReader) counts(level int) []int32 {
	ends := r.reader.Ends(level)
	counts := make([]int32, r.reader.Lists(level))
	last := uint64(0)
	for i := range counts {
		if n := r.leaf.Levels[level].Length; n > 0 {
			counts[i] = int32(n)
			continue
		}
		counts[i], last = int32(ends[i]-last), ends[i]
	}
	return counts
}
