package rootio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sort"
	"sync"
	"sync/atomic"
)

// The baskets of a branch hold its entries one after the other. They are read a basket at a
// time. The layout is that of ROOT's TBasket class reference.

// layout is how the values of a leaf lie in the baskets of its branch.
type layout struct {
	stored      stored
	elems       int    // of a fixed array, else 1
	stride      int    // bytes of an entry, if they do not vary
	offset      int    // of the leaf in an entry
	header      int    // bytes before the values of an entry of varying length
	vector      bool   // entries are std::vectors, with a header of vectorHeader bytes
	varyingTail bool   // the length of entries varies by what follows the leaf
	counter     *count // what counts the values of entries of varying length; nil: they do not vary, or are vectors
	spans       []span // the baskets in order

	object *objectLayout // entries are objects; nil: they are numbers
}

// size returns the bytes of a number, or of a fixed array of them.
func (l *layout) size() int { return l.stored.size * l.elems }

// varies reports whether the length of entries varies.
func (l *layout) varies() bool {
	return l.vector || l.varyingTail || l.counter != nil || l.object != nil
}

// count is the column that counts the values of a branch.
type count struct {
	name   string
	kind   Kind    // zero: there is no such column
	layout *layout // of it
}

// span is one basket: where it is and which entries are in it.
type span struct {
	lo, hi int64
	seek   int64
	size   int64 // of the record

	// A basket that was not yet full when the file was closed is kept in the
	// description of the tree, decompressed.
	kept *basketRecord
}

// vectorHeader is the number of bytes before the values of a std::vector: the
// number of bytes that follow, a version, and the number of values.
const vectorHeader = 10

var errBasketOrder = errors.New("its baskets do not follow each other")

// spansOf returns the baskets of a branch. The error is why it cannot be read.
func spansOf(b *branchRecord) (spans []span, err error) {
	if b.file != "" {
		return nil, fmt.Errorf("its values are in another file, %q", b.file)
	}
	at, n := int64(0), b.writeBasket
	if n < 0 || n > int64(len(b.basketSeeks)) || n > int64(len(b.basketBytes)) || n > int64(len(b.basketEntry)) {
		return nil, errBasketOrder
	}
	kept := b.kept
	for i := range n + 1 {
		s := span{lo: at, hi: b.entries}
		if i < n {
			s.lo, s.seek, s.size = b.basketEntry[i], b.basketSeeks[i], b.basketBytes[i]
		}
		if next := i + 1; next < int64(len(b.basketEntry)) && (next < n || next == n && b.basketEntry[next] != 0) {
			s.hi = b.basketEntry[next]
		}
		if s.seek == 0 {
			for len(kept) > 0 && (kept[0] == nil || kept[0].entries == 0) {
				kept = kept[1:]
			}
			if i == n && (len(kept) == 0 || at == b.entries) {
				break
			}
			if len(kept) == 0 || kept[0].entries != s.hi-s.lo {
				return nil, errBasketOrder
			}
			s.kept, kept = kept[0], kept[1:]
		}
		if s.lo != at || s.hi < s.lo || s.hi > b.entries {
			return nil, errBasketOrder
		}
		if at = s.hi; s.hi > s.lo {
			spans = append(spans, s)
		}
	}
	if at != b.entries {
		return nil, errBasketOrder
	}
	return spans, nil
}

// checkBaskets compares what a tree says of the baskets of a branch with what they say of
// themselves. The names are those of all branches of the tree.
func (f *rootFile) checkBaskets(b *branch, name string, names map[string]int) error {
	if f.baskets == nil {
		return nil
	}
	fail := func(s span, format string, args ...any) error {
		return damaged(s.seek, "is not what branch %q says of entries [%d, %d): it %w", name, s.lo, s.hi, fmt.Errorf(format, args...))
	}
	var cycles []int64
	for _, s := range b.layout.spans {
		if s.kept != nil {
			continue
		}
		rec, ok := f.baskets[s.seek]
		if !ok {
			return fail(s, "is no basket")
		}
		head := bytesReader{b: rec.basket}
		switch n := head.basket().entries; {
		case rec.size > s.size:
			return fail(s, "has %d bytes, not %d", rec.size, s.size)
		case n != s.hi-s.lo:
			return fail(s, "has %d entries", n)
		case rec.name != name && names[rec.name] > 0:
			return fail(s, "is of branch %q", rec.name)
		}
		cycles = append(cycles, rec.cycle)
	}
	// Baskets are numbered as they are written. In merged files numbers start again, but
	// none is left out that stands elsewhere.
	there := make(map[int64]bool, len(cycles))
	for _, c := range cycles {
		there[c] = true
	}
	for k := 1; k < len(cycles); k++ {
		if c, last := cycles[k], cycles[k-1]; c > last+1 && there[last+1] {
			return asDamage(fmt.Errorf("is damaged: basket %d of branch %q follows basket %d, copy or write it again", c, name, last))
		}
	}
	return nil
}

// basketReader reads entries of one branch into columns.
type basketReader struct {
	file   *rootFile
	budget *budget
	name   string // of the branch
	layout layout
	into   []target

	loaded   int   // the span that is in data; -1: none
	taken    int64 // of the budget for it
	locked   bool  // it went beyond the budget, and is dropped after use
	raw, obj []byte
	data     []byte  // the entries
	starts   []int32 // where each starts, if their length varies

	walker walker        // over objects
	counts *basketReader // of the counter, if the file leaves out where entries start
}

// budget is the memory for the baskets that are read at a time. What is beyond it is read
// one by one.
type budget struct {
	left atomic.Int64
	one  sync.Mutex
}

// take takes memory for a basket.
func (r *basketReader) take(n int64) {
	if r.budget.left.Add(-n) >= 0 {
		r.taken = n
		return
	}
	r.budget.left.Add(n)
	r.budget.one.Lock()
	r.locked = true
}

// drop forgets the basket.
func (r *basketReader) drop() {
	r.budget.left.Add(r.taken)
	r.loaded, r.taken = -1, 0
	if r.locked {
		r.raw, r.obj, r.data = nil, nil, nil
		r.budget.one.Unlock()
		r.locked = false
	}
}

// entryError is an error about an entry of a branch.
type entryError struct {
	branch string
	entry  int64
	err    error
}

func (e *entryError) Error() string {
	return fmt.Sprintf("branch %q, entry %d: %v", e.branch, e.entry, e.err)
}

func (e *entryError) Unwrap() error { return e.err }

var errNoData = errors.New("there are no more data")

// read reads the entries [lo, hi) into the rows of the targets from row on.
func (r *basketReader) read(lo, hi int64, row int) error {
	defer func() {
		if r.locked {
			r.drop()
		}
	}()
	spans := r.layout.spans
	if n := len(spans); n > 0 && hi > spans[n-1].hi {
		return r.readPast(spans[n-1].hi, lo, hi, row)
	}
	for lo < hi {
		i := sort.Search(len(spans), func(i int) bool { return spans[i].hi > lo })
		if i == len(spans) {
			return &entryError{r.name, lo, asDamage(errNoData)}
		}
		if r.loaded != i {
			r.drop()
			if err := r.load(spans[i]); err != nil {
				r.drop()
				return &entryError{r.name, lo, asDamage(err)}
			}
			r.loaded = i
		}
		from, to := int(lo-spans[i].lo), int(min(hi, spans[i].hi)-spans[i].lo)
		for _, t := range r.into {
			var err error
			switch {
			case r.layout.object != nil:
				err = r.walk(t, from, to, row)
			case t.jagged != nil:
				err = r.append(t, from, to, row)
			case r.layout.varyingTail:
				err = r.pick(t, from, to, row)
			default:
				at := from*r.layout.stride + r.layout.offset + t.element*r.layout.stored.size
				r.layout.stored.decode(t.column.Slice(row, row+to-from).Values(), r.data[at:], r.layout.stride)
			}
			if err != nil {
				return &entryError{r.name, lo, asDamage(err)}
			}
		}
		row += to - from
		lo += int64(to - from)
	}
	return nil
}

// readPast reads entries of a branch that ends before the tree: after its end they are like its
// last one.
func (r *basketReader) readPast(end, lo, hi int64, row int) error {
	if lo < end {
		if err := r.read(lo, end, row); err != nil {
			return err
		}
		row += int(end - lo)
	}
	for range hi - max(lo, end) {
		if err := r.read(end-1, end, row); err != nil {
			return err
		}
		row++
	}
	return nil
}

// walk reads a number of objects, or as many as there are.
func (r *basketReader) walk(t target, from, to, row int) error {
	o, size := r.layout.object, r.layout.size()
	r.walker.want = o.want
	for i := from; i < to; i++ {
		lo, hi := r.bounds(i, i+1)
		if err := r.walker.entry(o.root, r.data[lo:hi], o.exact); err != nil {
			return err
		}
		out, at := r.walker.out, row+i-from
		n, column := len(out)/size, t.column
		if t.jagged != nil {
			j := t.jagged
			lo := j.Len()
			j.values = j.values.grow(n)
			j.Offsets[at+1] = j.Offsets[at] + n
			column, at = &j.Column, lo
		} else if n != 1 {
			return errStreamed
		}
		r.layout.stored.decode(column.Slice(at, at+n).Values(), out[min(len(out), t.element*r.layout.stored.size):], size)
	}
	return nil
}

// pick reads a value of entries of varying length.
func (r *basketReader) pick(t target, from, to, row int) error {
	at, size := r.layout.offset+t.element*r.layout.stored.size, r.layout.stored.size
	for i := from; i < to; i++ {
		lo, hi := r.bounds(i, i+1)
		if hi-lo < at+size {
			return fmt.Errorf("it has %d bytes", hi-lo)
		}
		r.layout.stored.decode(t.column.Slice(row+i-from, row+i-from+1).Values(), r.data[lo+at:], size)
	}
	return nil
}

// append appends the values of the entries [from, to) of the basket to a jagged
// column, as those of the rows from row on.
func (r *basketReader) append(t target, from, to, row int) error {
	j, size := t.jagged, r.layout.size()
	n := j.Offsets[row]
	atOnce := r.layout.header == 0 && !r.layout.vector // nothing stands between the entries
	decode := func(values []byte) {
		at, more := j.Len(), len(values)/size
		if more == 0 {
			return
		}
		if events := len(j.Offsets) - 1; atOnce { // the others will have as many values; a few are no measure
			all := float64(at+more) * float64(events) / float64(row+to-from)
			j.values = j.values.reserve(at+more, int(min(1.02*all, float64(4*(at+more)))))
		}
		j.values = j.values.grow(more)
		r.layout.stored.decode(j.Column.Slice(at, at+more).Values(), values[t.element*r.layout.stored.size:], size)
	}
	if atOnce {
		lo, hi := r.bounds(from, to)
		decode(r.data[lo:hi])
	}
	for i := from; i < to; i++ {
		values, err := r.entry(i)
		if err != nil {
			return err
		}
		if !atOnce {
			decode(values)
		}
		n += len(values) / size
		j.Offsets[row+1+i-from] = n
	}
	return nil
}

// entry returns the values of an entry of varying length.
func (r *basketReader) entry(i int) ([]byte, error) {
	lo, hi := r.bounds(i, i+1)
	entry, size := r.data[lo:hi], r.layout.size()
	if r.layout.vector {
		if len(entry) < vectorHeader {
			return nil, errors.New("it is no std::vector")
		}
		bytes, values := binary.BigEndian.Uint32(entry)&^byteCount, int64(binary.BigEndian.Uint32(entry[6:]))
		entry = entry[vectorHeader:]
		if int64(bytes) != int64(len(entry))+6 || values*int64(size) != int64(len(entry)) {
			return nil, errors.New("it is no std::vector")
		}
		return entry, nil
	}
	entry = entry[min(len(entry), r.layout.header):]
	if len(entry)%size != 0 {
		return nil, fmt.Errorf("%d bytes are no whole number of values", len(entry))
	}
	return entry, nil
}

// bounds returns where the data of the entries [from, to) are.
func (r *basketReader) bounds(from, to int) (lo, hi int) {
	lo, hi = int(r.starts[from]), len(r.data)
	if to < len(r.starts) {
		hi = int(r.starts[to])
	}
	return lo, hi
}

// load decompresses a basket and finds its entries.
func (r *basketReader) load(s span) error {
	entries := s.hi - s.lo
	if s.kept != nil {
		if s.kept.data == nil {
			return errors.New("its last basket is empty")
		}
		r.data, r.starts = s.kept.data, append(r.starts[:0], s.kept.starts...)
		return r.check(s, int64(len(r.data)))
	}
	if s.size <= 0 || s.seek < r.file.begin || s.size > r.file.end-s.seek {
		return damaged(s.seek, "cannot be a basket of %d bytes", s.size)
	}
	rec, err := readRecord(r.file.data, s.seek, r.file.end)
	if err != nil {
		return err
	}
	head := bytesReader{b: rec.basket}
	b := head.basket()
	end := b.last - rec.keySize
	switch {
	case head.failed, rec.class != "TBasket", rec.size > s.size:
		return damaged(s.seek, "is no basket")
	case b.entries != entries || end < 0 || end > rec.objectSize:
		return damaged(s.seek, "has %d entries in %d bytes, not %d", b.entries, rec.objectSize, entries)
	}
	body := rec.size - rec.keySize
	r.take(body + rec.objectSize)
	r.raw = resize(r.raw, int(body))
	if _, err := r.file.data.ReadAt(r.raw, s.seek+rec.keySize); err != nil {
		return &readError{err}
	}
	r.obj = resize(r.obj, int(min(rec.objectSize, r.file.most())))
	object, err := r.file.decompress(r.obj, r.raw, rec)
	if err != nil {
		return err
	}
	r.data, r.starts = object[:end], r.starts[:0]
	if r.layout.varies() && end < int64(len(object)) {
		table := bytesReader{b: object[end:]}
		if n := table.i32(); table.failed || n < entries || int64(len(object))-end < 4*(entries+1) {
			return damaged(s.seek, "does not say where its entries start")
		}
		for range entries {
			r.starts = append(r.starts, int32(table.i32()-rec.keySize))
		}
	}
	return r.check(s, end)
}

// check checks that the data are those of the entries.
func (r *basketReader) check(s span, end int64) error {
	entries := s.hi - s.lo
	if !r.layout.varies() {
		if end != entries*int64(r.layout.stride) {
			return fmt.Errorf("there are %d bytes of %d entries, not %d", end, entries, entries*int64(r.layout.stride))
		}
		return nil
	}
	if len(r.starts) == 0 && entries > 0 {
		if err := r.generate(s); err != nil {
			return err
		}
	}
	if int64(len(r.starts)) < entries {
		return errors.New("its baskets do not say where entries start")
	}
	r.starts = r.starts[:entries]
	last := int32(0)
	for _, at := range r.starts {
		if at < last || int(at) > len(r.data) {
			return errors.New("its entries do not follow each other")
		}
		last = at
	}
	return nil
}

// generate finds where entries start by the counter, in files that leave it out.
func (r *basketReader) generate(s span) error {
	if o := r.layout.object; o != nil {
		w := &r.walker
		for w.start(r.data); int64(len(r.starts)) < s.hi-s.lo; {
			r.starts = append(r.starts, int32(w.pos))
			w.depth = 0
			if o.root.walk(w, 1); w.err != nil {
				return w.err
			}
		}
		if w.pos != len(r.data) {
			return errStreamed
		}
		return nil
	}
	c := r.layout.counter
	if c == nil || c.kind == 0 || r.layout.header != 0 {
		return errors.New("its baskets do not say where entries start")
	}
	column := NewColumn(Field{Kind: c.kind}, int(s.hi-s.lo))
	if r.counts == nil {
		r.counts = &basketReader{file: r.file, budget: &budget{}, name: c.name, layout: *c.layout, loaded: -1}
		r.counts.budget.left.Store(math.MaxInt64)
	}
	r.counts.into = []target{{column: &column}}
	if err := r.counts.read(s.lo, s.hi, 0); err != nil {
		return err
	}
	counts := column.Float64s()
	at := 0.0
	for _, n := range counts {
		r.starts = append(r.starts, int32(min(at, math.MaxInt32)))
		if n < 0 {
			return fmt.Errorf("%q is negative", c.name)
		}
		at += n * float64(r.layout.size())
	}
	if at != float64(len(r.data)) {
		return fmt.Errorf("there are %d bytes, %q counts %.0f", len(r.data), c.name, at)
	}
	return nil
}

func resize(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
