package rntuple

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
)

// Reader reads the numbers of a leaf. It is not safe for use by several goroutines; there may
// be several readers.
//
//	for lo < hi {
//		n, err := r.Select(lo, hi)
//		… r.Len() numbers of n entries: r.Ends(level), r.Values(dst)
//		lo += n
//	}
type Reader struct {
	tuple *Tuple
	leaf  Leaf

	cluster int
	lo, hi  int64 // elements
	ends    [][]uint64
	lists   []int // of each level
	columns map[int]*pageReader
}

// Reader returns a reader of a leaf that has a kind.
func (t *Tuple) Reader(l Leaf) *Reader {
	return &Reader{tuple: t, leaf: l,
		ends: make([][]uint64, len(l.Levels)), lists: make([]int, len(l.Levels)), columns: make(map[int]*pageReader)}
}

// Size returns the number of bytes that are kept for the next call.
func (r *Reader) Size() (n int64) {
	for _, p := range r.columns {
		n += int64(cap(p.buf) + cap(p.raw) + 8*cap(p.offsets))
	}
	return n
}

// Drop forgets what is kept.
func (r *Reader) Drop() { clear(r.columns) }

// Select goes to the entries [lo, hi), or to those of them that are in the cluster of the first,
// and returns how many these are.
func (r *Reader) Select(lo, hi int64) (n int64, err error) {
	t := r.tuple
	if lo < 0 || lo >= hi || hi > t.entries {
		return 0, fmt.Errorf("rntuple: entries [%d, %d) of %d", lo, hi, t.entries)
	}
	r.cluster = sort.Search(len(t.clusters), func(i int) bool { return t.clusters[i].first+t.clusters[i].entries > lo })
	c := &t.clusters[r.cluster]
	hi = min(hi, c.first+c.entries)
	n = hi - lo
	r.lo, r.hi = lo-c.first, hi-c.first
	fixed := c.entries // elements of the level in the cluster; −1: that depends
	for i, level := range r.leaf.Levels {
		r.lists[i] = r.Len()
		if level.Length > 0 {
			if r.hi > math.MaxInt64/int64(level.Length) {
				return 0, fmt.Errorf("rntuple: field %q has %d arrays of %d", r.leaf.Name, r.hi, level.Length)
			}
			r.lo, r.hi = r.lo*int64(level.Length), r.hi*int64(level.Length)
			if fixed >= 0 {
				fixed *= int64(level.Length)
			}
			continue
		}
		column, err := r.column(level.field, 0, fixed)
		if err == nil {
			r.ends[i], r.lo, r.hi, err = column.collection(r.ends[i], r.lo, r.hi)
		}
		if err != nil {
			return 0, fmt.Errorf("rntuple: %w", err)
		}
		fixed = -1
	}
	if column, err := r.principal(); err != nil {
		return 0, fmt.Errorf("rntuple: %w", err)
	} else if err := column.has(r.hi); err != nil { // before memory is asked for
		return 0, fmt.Errorf("rntuple: %w", err)
	}
	return n, nil
}

// Len returns the number of numbers.
func (r *Reader) Len() int { return int(r.hi - r.lo) }

// Lists returns the number of collections or arrays of a level, the entries or the elements of
// the level around it.
func (r *Reader) Lists(level int) int { return r.lists[level] }

// Ends returns where the elements of a collection end, counted from the start of what was
// selected: [Reader.Lists] numbers. The memory is used again. It is nil for arrays.
func (r *Reader) Ends(level int) []uint64 { return r.ends[level] }

// column returns the column of a field that is there in the cluster, of those in the given
// place of a representation. It must have so many elements, unless that is negative.
func (r *Reader) column(id, place int, elements int64) (*pageReader, error) {
	t := r.tuple
	f, c := &t.fields[id], &t.clusters[r.cluster]
	column := -1
	for i, k := range f.columns {
		before := 0
		for _, j := range f.columns[:i] {
			if t.columns[j].representation == t.columns[k].representation {
				before++
			}
		}
		switch {
		case before != place:
		case k < len(c.columns) && !c.columns[k].suppressed:
			column = k
		case k >= len(c.columns) && column < 0: // it was added later
			column = k
		}
	}
	if column < 0 {
		return nil, fmt.Errorf("field %q has no values in cluster %d", t.qualified(id), r.cluster)
	}
	p := r.columns[column]
	if p == nil {
		p = &pageReader{tuple: t, column: column, cluster: -1}
		r.columns[column] = p
	}
	if p.cluster != r.cluster {
		p.cluster, p.page, p.at, p.chunk = r.cluster, -1, -1, chunk{}
		if column < len(c.columns) {
			p.chunk = c.columns[column]
		}
	}
	p.lead, p.elements = 0, p.chunk.elements
	if elements >= 0 && p.elements != elements {
		if p.elements > elements || !t.columns[column].deferred {
			return nil, fmt.Errorf("field %q has %d values in cluster %d, not %d", t.qualified(id), p.elements, r.cluster, elements)
		}
		p.lead, p.elements = elements-p.elements, elements
	}
	return p, nil
}

// Values stores the numbers in dst, a slice of the Go type of the leaf's kind that has
// [Reader.Len] elements.
func (r *Reader) Values(dst any) error {
	var err error
	switch dst := dst.(type) {
	case []bool:
		err = r.flags(dst)
	case []int8:
		err = values(r, dst)
	case []int16:
		err = values(r, dst)
	case []int32:
		err = values(r, dst)
	case []int64:
		err = values(r, dst)
	case []uint8:
		err = values(r, dst)
	case []uint16:
		err = values(r, dst)
	case []uint32:
		err = values(r, dst)
	case []uint64:
		err = values(r, dst)
	case []float32:
		err = values(r, dst)
	case []float64:
		err = values(r, dst)
	default:
		err = fmt.Errorf("values of type %T", dst)
	}
	if err != nil {
		return fmt.Errorf("rntuple: %w", err)
	}
	return nil
}

// principal returns the column of the leaf, which must have the elements that were selected.
func (r *Reader) principal() (*pageReader, error) {
	fixed := r.tuple.clusters[r.cluster].entries
	for _, level := range r.leaf.Levels {
		if level.Length == 0 {
			fixed = -1
			break
		}
		fixed *= int64(level.Length)
	}
	return r.column(r.leaf.field, 0, fixed)
}

func values[T Number](r *Reader, dst []T) error {
	p, err := r.principal()
	if err != nil {
		return err
	}
	switch {
	case r.leaf.Lengths:
		ends, _, _, err := p.collection(nil, r.lo, r.hi)
		last := uint64(0)
		for i, end := range ends {
			dst[i], last = T(end-last), end
		}
		return err
	case r.leaf.variant:
		return alternatives(r, p, dst)
	}
	return numbersAt(p, dst, r.lo)
}

// numbersAt stores the elements from lo on.
func numbersAt[T Number](p *pageReader, dst []T, lo int64) error {
	e := p.tuple.columns[p.column].element
	return p.each(lo, lo+int64(len(dst)), func(at, n, from int) {
		decode(dst[at:at+n], e, p.data, int(p.chunk.pages[p.page].elements), from)
	}, func(n int) { clear(dst[:n]) })
}

func (r *Reader) flags(dst []bool) error {
	p, err := r.principal()
	if err != nil {
		return err
	}
	e := p.tuple.columns[p.column].element
	buf := make([]uint8, 0, 1<<12)
	return p.each(r.lo, r.hi, func(at, n, from int) {
		for n > 0 {
			b := buf[:min(n, cap(buf))]
			decode(b, e, p.data, int(p.chunk.pages[p.page].elements), from)
			for i, x := range b {
				dst[at+i] = x != 0
			}
			at, from, n = at+len(b), from+len(b), n-len(b)
		}
	}, func(n int) { clear(dst[:n]) })
}

// alternatives stores the numbers of a variant. Where it holds nothing that is NaN.
func alternatives[T Number](r *Reader, p *pageReader, dst []T) error {
	const size = 12
	f := &r.tuple.fields[r.leaf.field]
	places, tags := make([]uint64, len(dst)), make([]uint32, len(dst))
	if err := p.each(r.lo, r.hi, func(at, n, from int) {
		for i := range n {
			b := p.data[(from+i)*size:]
			places[at+i], tags[at+i] = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint32(b[8:])
		}
	}, func(int) {}); err != nil {
		return err
	}
	nan := math.NaN()
	for tag := range len(f.children) + 1 {
		first, last := uint64(math.MaxUint64), uint64(0)
		for i, t := range tags {
			if int(t) == tag {
				first, last = min(first, places[i]), max(last, places[i])
			}
			if int(t) > len(f.children) {
				return fmt.Errorf("field %q holds alternative %d, of %d", r.leaf.Name, t, len(f.children))
			}
		}
		var numbers []T
		if tag > 0 && first <= last {
			column, err := r.column(f.children[tag-1], 0, -1)
			if err != nil {
				return err
			}
			if last >= uint64(column.elements) {
				return fmt.Errorf("field %q has value %d of %d", r.leaf.Name, last, column.elements)
			}
			numbers = make([]T, last-first+1)
			if err := numbersAt(column, numbers, int64(first)); err != nil {
				return err
			}
		}
		for i, t := range tags {
			switch {
			case int(t) != tag:
			case tag == 0:
				dst[i] = T(nan)
			default:
				dst[i] = numbers[places[i]-first]
			}
		}
	}
	return nil
}

// pageReader reads the pages of a column, one at a time.
type pageReader struct {
	tuple  *Tuple
	column int

	cluster  int
	chunk    chunk
	lead     int64 // zeros before the first element of the pages
	elements int64 // with these
	page     int   // that is in data; −1: none
	data     []byte
	buf, raw []byte

	offsets []uint64 // the page, if it says where collections end
	at      int64    // an element of these,
	end     uint64   // and where it ends
}

// each loads the pages of the elements [lo, hi) one after the other and calls do for each: n
// elements from the given one of the page on are those at the place at. Before, it calls zeros
// with the number of those that are before the first page.
func (p *pageReader) each(lo, hi int64, do func(at, n, from int), zeros func(n int)) error {
	if err := p.has(hi); err != nil {
		return err
	}
	start := lo
	if lo < p.lead {
		lo = min(hi, p.lead)
		zeros(int(lo - start))
	}
	pages := p.chunk.pages
	for i := sort.Search(len(pages), func(i int) bool { return p.lead+pages[i].first+pages[i].elements > lo }); lo < hi; i++ {
		if pages[i].elements == 0 {
			continue
		}
		if err := p.load(i); err != nil {
			return p.tuple.pageError(p.column, p.cluster, i, err)
		}
		first := p.lead + pages[i].first
		n := min(hi, first+pages[i].elements) - lo
		do(int(lo-start), int(n), int(lo-first))
		lo += n
	}
	return nil
}

// has reports an error if there are less than n elements.
func (p *pageReader) has(n int64) error {
	if n > p.elements {
		return fmt.Errorf("field %q has %d values in cluster %d, where the lengths of its collections say %d or more",
			p.tuple.qualified(p.tuple.columns[p.column].field), p.elements, p.cluster, n)
	}
	return nil
}

// load reads a page, compares its checksum and decompresses it.
func (p *pageReader) load(i int) error {
	if p.page == i {
		return nil
	}
	t, page := p.tuple, p.chunk.pages[i]
	e := t.columns[p.column].element
	p.page = -1
	stored, size := int(page.at.size), int(e.bytes(page.elements))
	sum := 0
	if page.checksum {
		sum = checksumSize
	}
	p.buf = resize(p.buf, size+sum)
	raw := p.buf
	if stored != size {
		p.raw = resize(p.raw, stored+sum)
		raw = p.raw
	}
	if err := t.read(raw[:stored+sum], page.at.pos); err != nil {
		return err
	}
	if page.checksum && !isIntact(raw[:stored+sum]) {
		return errChecksum
	}
	if p.data = p.buf[:size]; stored != size {
		if err := t.inflate(p.data, raw[:stored]); err != nil {
			return fmt.Errorf("it does not decompress: %w", err)
		}
	}
	if e.of().layout == offsets {
		p.offsets = slices.Grow(p.offsets[:0], int(page.elements))[:page.elements]
		e.decodeOffsets(p.offsets, p.data)
	}
	p.page = i
	return nil
}

var errOrder = errors.New("its ends do not follow each other")

// collection appends to dst[:0] where the collections [lo, hi) end, counted from the start of
// the first, and returns the range of their elements, too.
func (p *pageReader) collection(dst []uint64, lo, hi int64) (ends []uint64, first, last int64, err error) {
	if err := p.has(hi); err != nil { // before memory is asked for
		return nil, 0, 0, err
	}
	ends = slices.Grow(dst[:0], int(hi-lo))[:hi-lo]
	if hi == lo {
		return ends, 0, 0, nil
	}
	copyEnds := func(at, n, from int) { copy(ends[at:at+n], p.offsets[from:]) }
	if p.at != lo {
		p.end = 0
		if lo > 0 {
			if err := p.each(lo-1, lo, copyEnds, func(int) { ends[0] = 0 }); err != nil {
				return nil, 0, 0, err
			}
			p.end = ends[0]
		}
	}
	if err := p.each(lo, hi, copyEnds, func(n int) { clear(ends[:n]) }); err != nil {
		return nil, 0, 0, err
	}
	start, end := p.end, p.end
	for i, e := range ends {
		if e < end || e > 1<<48 {
			return nil, 0, 0, fmt.Errorf("field %q in cluster %d: %w", p.tuple.qualified(p.tuple.columns[p.column].field), p.cluster, errOrder)
		}
		end = e
		ends[i] = e - start
	}
	p.at, p.end = hi, end
	return ends, int64(start), int64(end), nil
}
