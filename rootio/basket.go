package rootio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"sort"

	"go-hep.org/x/hep/groot/rtree"
)

// Most branches are plain: their baskets hold numbers one after the other. They
// are read a basket at a time, without going through groot value by value. The
// layout is that of ROOT's TBasket class reference.

// layout is how the values of a plain leaf lie in the baskets of its branch.
type layout struct {
	size   int    // bytes of a value
	stride int    // bytes of an entry; 0: they vary
	offset int    // of the leaf in an entry
	header int    // bytes before the values of an entry
	spans  []span // the baskets in order; none: groot has to read the branch
}

// span is one basket: where it is and which entries are in it.
type span struct {
	lo, hi int64
	seek   int64
	size   int64 // of the record

	// A basket that was not yet full when the file was closed is kept in the
	// description of the tree, decompressed.
	data   []byte
	starts []int32
}

// layoutOf returns the layout of a leaf, without spans if it is not plain. An
// entry of the branch has stride bytes; that is less than 0 if they vary.
func layoutOf(b rtree.Branch, leaf rtree.Leaf, v value, stride int) layout {
	l := layout{size: v.kind.size(), stride: max(stride, 0), offset: leaf.Offset()}
	switch {
	case isVector(leaf, v):
		l.stride, l.header = 0, vectorHeader
	case !isPlain(leaf, v), stride < 0 && v.counter == "":
		return l
	}
	l.spans = spansOf(b)
	return l
}

// keepsLast reports whether a basket inside the description of the tree follows
// others. groot v0.40.0 reads some of its entries wrongly, JSROOT and we do not.
func keepsLast(spans []span) bool {
	return len(spans) > 1 && spans[len(spans)-1].data != nil
}

// size returns the number of bytes of a value in a file.
func (k Kind) size() int {
	switch k {
	case Bool, Int8, Uint8:
		return 1
	case Int16, Uint16:
		return 2
	case Int32, Uint32, Float32:
		return 4
	}
	return 8
}

// vectorHeader is the number of bytes before the values of a std::vector: the
// number of bytes that follow, a version, and the number of values.
const vectorHeader = 10

// isVector reports whether the leaf holds std::vectors of plain numbers, or other
// collections, which look the same in a file.
func isVector(leaf rtree.Leaf, v value) bool {
	return leaf.Class() == "TLeafElement" && v.counter == Vector && v.typ.Kind() == reflect.Slice && v.typ.Elem().PkgPath() == ""
}

// member returns a field of the struct behind groot's branch, for reading. groot
// does not tell where the baskets are; what is not as it was in v0.40.0 is not found,
// and the branch is read by groot.
func member(b rtree.Branch, name string) (reflect.Value, bool) {
	v := reflect.ValueOf(b)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return v, false
	}
	v = v.FieldByName(name)
	return v, v.IsValid()
}

// spansOf returns the baskets of a branch, or none if they are not as expected.
func spansOf(b rtree.Branch) (spans []span) {
	defer func() {
		if recover() != nil { // reflect: not the fields that we know
			spans = nil
		}
	}()
	field := func(name string) reflect.Value {
		v, ok := member(b, name)
		if !ok {
			panic(name)
		}
		return v
	}
	seek, size, first := field("basketSeek"), field("basketBytes"), field("basketEntry")
	entries, n := field("entries").Int(), int(field("writeBasket").Int())
	if field("fname").String() != "" || n < 0 || n > seek.Len() {
		return nil // the baskets are in another file
	}
	at := int64(0)
	for i := range n {
		s := span{lo: first.Index(i).Int(), hi: entries, seek: seek.Index(i).Int(), size: size.Index(i).Int()}
		if i+1 < first.Len() && (i+1 < n || first.Index(i+1).Int() != 0) {
			s.hi = first.Index(i + 1).Int()
		}
		if s.lo != at || s.hi < s.lo {
			return nil
		}
		if at = s.hi; s.hi > s.lo {
			spans = append(spans, s)
		}
	}
	if at == entries {
		return spans
	}
	kept := field("baskets")
	for i := range kept.Len() {
		basket := kept.Index(i)
		s := span{lo: at, hi: at + basket.FieldByName("nevbuf").Int()}
		key := int(basket.FieldByName("key").FieldByName("keylen").Int())
		last := int(basket.FieldByName("last").Int())
		data := basket.FieldByName("key").FieldByName("buf").Bytes()
		if s.hi == s.lo {
			continue
		}
		if s.hi < s.lo || key < 0 || last < key || last > len(data) {
			return nil
		}
		s.data = data[key:last:last]
		starts := basket.FieldByName("offsets")
		for j := range starts.Len() {
			s.starts = append(s.starts, int32(starts.Index(j).Int())-int32(key))
		}
		spans = append(spans, s)
		at = s.hi
	}
	if at != entries {
		return nil
	}
	return spans
}

// basketReader reads entries of one plain branch into columns.
type basketReader struct {
	file   io.ReaderAt
	name   string // of the branch
	layout layout
	into   []target

	loaded   int // the span that is in data; -1: none
	in       inflater
	raw, obj []byte
	data     []byte  // the entries
	starts   []int32 // where each starts, if their length varies
}

// target is a column that is filled from a branch.
type target struct {
	element int
	column  *Column
	jagged  *Jagged // nil if the column is not
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

var errNoData = errors.New("there are no more data")

// read reads the entries [lo, hi) into the rows of the targets from row on.
func (r *basketReader) read(lo, hi int64, row int) error {
	spans := r.layout.spans
	for lo < hi {
		i := sort.Search(len(spans), func(i int) bool { return spans[i].hi > lo })
		if i == len(spans) {
			return &entryError{r.name, lo, errNoData}
		}
		if r.loaded != i {
			r.loaded = -1
			if err := r.load(spans[i]); err != nil {
				return &entryError{r.name, lo, err}
			}
			r.loaded = i
		}
		from, to := int(lo-spans[i].lo), int(min(hi, spans[i].hi)-spans[i].lo)
		for _, t := range r.into {
			if t.jagged == nil {
				at := from*r.layout.stride + r.layout.offset + t.element*r.layout.size
				decode(t.column.Slice(row, row+to-from).values, r.data[at:], r.layout.stride)
				continue
			}
			if err := r.append(t.jagged, from, to, row); err != nil {
				return &entryError{r.name, lo, err}
			}
		}
		row += to - from
		lo += int64(to - from)
	}
	return nil
}

// append appends the values of the entries [from, to) of the basket to a jagged
// column, as those of the rows from row on.
func (r *basketReader) append(j *Jagged, from, to, row int) error {
	n := j.Offsets[row]
	if r.layout.header == 0 { // all at once
		lo, hi := r.bounds(from, to)
		j.grow((hi - lo) / r.layout.size)
		decode(j.Column.Slice(n, j.Column.Len()).values, r.data[lo:hi], r.layout.size)
		for i := from; i < to; i++ {
			a, b := r.bounds(i, i+1)
			if (b-a)%r.layout.size != 0 {
				return fmt.Errorf("%d bytes are no whole number of values", b-a)
			}
			n += (b - a) / r.layout.size
			j.Offsets[row+1+i-from] = n
		}
		return nil
	}
	for i := from; i < to; i++ {
		lo, hi := r.bounds(i, i+1)
		entry := r.data[lo:hi]
		if len(entry) < r.layout.header {
			return errors.New("it is no std::vector")
		}
		const byteCount = 1 << 30 // a flag that marks a number of bytes
		bytes, values := binary.BigEndian.Uint32(entry)&^byteCount, int64(binary.BigEndian.Uint32(entry[6:]))
		entry = entry[r.layout.header:]
		if int64(bytes) != int64(len(entry))+6 || values*int64(r.layout.size) != int64(len(entry)) {
			return errors.New("it is no std::vector")
		}
		j.grow(int(values))
		decode(j.Column.Slice(n, j.Column.Len()).values, entry, r.layout.size)
		n += int(values)
		j.Offsets[row+1+i-from] = n
	}
	return nil
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
	if s.data != nil {
		r.data, r.starts = s.data, s.starts
		return r.check(entries)
	}
	const most = 1 << 28 // bytes of a basket: ROOT makes them a thousand times smaller
	if s.size <= 0 || s.size > most {
		return damaged(s.seek, "cannot be a basket of %d bytes", s.size)
	}
	r.raw = resize(r.raw, int(s.size))
	if _, err := r.file.ReadAt(r.raw, s.seek); err != nil {
		return fmt.Errorf("its data cannot be read: %w", cause(err))
	}
	head := bytesReader{b: r.raw}
	k := head.key()
	b := head.basket()
	end := b.last - k.keySize
	switch {
	case head.failed, k.class != "TBasket", k.keySize > k.size, k.size > s.size, k.seek != s.seek && k.seek != 0:
		return damaged(s.seek, "is no basket")
	case k.objectSize < 0 || k.objectSize > most || b.entries != entries || end < 0 || end > k.objectSize:
		return damaged(s.seek, "has %d entries in %d bytes, not %d", b.entries, k.objectSize, entries)
	}
	body := r.raw[k.keySize:k.size]
	object := body
	if packed := blocksSize(body) == k.objectSize; packed || int64(len(body)) != k.objectSize {
		if !packed {
			return damaged(s.seek, "does not decompress to %d bytes", k.objectSize)
		}
		r.obj = resize(r.obj, int(k.objectSize))
		if err := r.in.inflateAll(r.obj, body); err != nil {
			return damaged(s.seek, "does not decompress: %w", err)
		}
		object = r.obj
	}
	r.data, r.starts = object[:end], r.starts[:0]
	if r.layout.stride == 0 {
		table := bytesReader{b: object[end:]}
		if n := table.i32(); table.failed || n < entries || int64(len(object))-end < 4*(entries+1) {
			return errors.New("its baskets do not say where entries start: write the file again with offsets")
		}
		for range entries {
			r.starts = append(r.starts, int32(table.i32()-k.keySize))
		}
	}
	return r.check(entries)
}

// check checks that the data are those of so many entries.
func (r *basketReader) check(entries int64) error {
	if r.layout.stride > 0 {
		if int64(len(r.data)) != entries*int64(r.layout.stride) {
			return fmt.Errorf("there are %d bytes of %d entries, not %d", len(r.data), entries, entries*int64(r.layout.stride))
		}
		return nil
	}
	if int64(len(r.starts)) < entries {
		return errors.New("its baskets do not say where entries start: write the file again with offsets")
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

// basketHead is what a basket says behind its key.
type basketHead struct {
	entries int64
	last    int64 // the end of the data, counted from the start of the key
}

func (r *bytesReader) basket() (b basketHead) {
	const byteCount = 1 << 30 // a flag that marks a number of bytes
	r.skip(6)                 // version, size of the buffer
	if r.i32() < 0 {          // the features of a newer basket
		if n := r.i32() &^ byteCount; n >= 0 && n < 100 {
			r.skip(int(n))
		}
	}
	b.entries = r.i32()
	b.last = r.i32()
	return b
}

func resize(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// grow adds n values of any content.
func (j *Jagged) grow(n int) {
	switch v := j.values.(type) {
	case []bool:
		j.values = slices.Grow(v, n)[:len(v)+n]
	case []int8:
		j.values = slices.Grow(v, n)[:len(v)+n]
	case []int16:
		j.values = slices.Grow(v, n)[:len(v)+n]
	case []int32:
		j.values = slices.Grow(v, n)[:len(v)+n]
	case []int64:
		j.values = slices.Grow(v, n)[:len(v)+n]
	case []uint8:
		j.values = slices.Grow(v, n)[:len(v)+n]
	case []uint16:
		j.values = slices.Grow(v, n)[:len(v)+n]
	case []uint32:
		j.values = slices.Grow(v, n)[:len(v)+n]
	case []uint64:
		j.values = slices.Grow(v, n)[:len(v)+n]
	case []float32:
		j.values = slices.Grow(v, n)[:len(v)+n]
	case []float64:
		j.values = slices.Grow(v, n)[:len(v)+n]
	}
}

// decode reads big-endian values that start stride bytes after each other.
func decode(dst any, src []byte, stride int) {
	switch dst := dst.(type) {
	case []bool:
		for i := range dst {
			dst[i] = src[i*stride] != 0
		}
	case []int8:
		for i := range dst {
			dst[i] = int8(src[i*stride])
		}
	case []uint8:
		for i := range dst {
			dst[i] = src[i*stride]
		}
	case []int16:
		for i := range dst {
			dst[i] = int16(binary.BigEndian.Uint16(src[i*stride:]))
		}
	case []uint16:
		for i := range dst {
			dst[i] = binary.BigEndian.Uint16(src[i*stride:])
		}
	case []int32:
		for i := range dst {
			dst[i] = int32(binary.BigEndian.Uint32(src[i*stride:]))
		}
	case []uint32:
		for i := range dst {
			dst[i] = binary.BigEndian.Uint32(src[i*stride:])
		}
	case []int64:
		for i := range dst {
			dst[i] = int64(binary.BigEndian.Uint64(src[i*stride:]))
		}
	case []uint64:
		for i := range dst {
			dst[i] = binary.BigEndian.Uint64(src[i*stride:])
		}
	case []float32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.BigEndian.Uint32(src[i*stride:]))
		}
	case []float64:
		for i := range dst {
			dst[i] = math.Float64frombits(binary.BigEndian.Uint64(src[i*stride:]))
		}
	}
}
