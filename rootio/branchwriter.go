package rootio

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

const vectorVersion = 9 // of a collection, as ROOT writes it

// branchWriter is a branch of a tree that is being written.
type branchWriter struct {
	name, title string
	kind        Kind
	stored      stored
	short       string // [Field.Stored], if the numbers are written so
	dims        []int
	counter     *branchWriter // nil: none
	vector      bool

	columns []int  // of tables, or the jagged one, and those of the lengths of lists in lists, the innermost first
	next    []int  // where these columns are in an event that is being written
	place   string // the tree, for the title of baskets
	size    int    // bytes that make a basket full
	ahead   int    // bytes of the basket, as counted for the first cluster
	deflate deflater

	data    []byte  // the entries of the basket that is not full yet
	starts  []int32 // where each starts, if their length varies
	entries int     // of the basket
	values  []byte  // of events that are appended to it

	baskets     []basketPlace
	total, file int64 // bytes of all baskets, and of them on file
	written     int64 // entries in baskets
	full        []basket
	counts      bool  // the values of other branches,
	largest     int64 // so many at most
}

// basketPlace is a basket that is in the file.
type basketPlace struct {
	seek    int64
	size    int64 // of the record
	entries int64 // of the branch, up to this one
}

// basket is a basket on its way to the file.
type basket struct {
	record
	body    []byte // of the record, compressed
	entries int64
}

func (b *branchWriter) varies() bool { return b.vector || b.counter != nil }

// shorten has numbers stored as [Field.Stored] says. Arrays are not: uproot 5.7 reads shortened ones wrongly, those of ROOT,
// too.
func (b *branchWriter) shorten(text string) {
	if s, ok := storedAs(b.kind, text); ok && b.dims == nil {
		b.stored, b.short = s, text
	}
}

// elements returns the number of values of an entry, if it does not vary.
func (b *branchWriter) elements() int {
	if b.varies() {
		return 1
	}
	return len(b.columns)
}

// vectorClass returns the class of a std::vector of numbers, or of vectors of them, and its
// checksum, which is one of the name as such a class has no members.
func (b *branchWriter) vectorClass() (name string, sum uint32) {
	name = rootTypes[b.kind].vector
	for range len(b.columns) - 1 {
		name = "vector<" + name + " >"
	}
	for _, c := range []byte(name) {
		sum = sum*3 + uint32(c)
	}
	return name, sum
}

// bytesOf returns the number of bytes of an event.
func (b *branchWriter) bytesOf(t *Table, event int) int {
	if !b.varies() {
		return b.stored.size * b.elements()
	}
	j := &t.Jagged[b.columns[0]]
	n := b.stored.size * (j.Offsets[event+1] - j.Offsets[event])
	if b.vector {
		n += vectorHeader
	}
	for _, c := range b.columns[1:] {
		n += 4 * (t.Jagged[c].Offsets[event+1] - t.Jagged[c].Offsets[event])
	}
	return n
}

// fill appends the events of a table. Baskets that are full are compressed, and wait.
func (b *branchWriter) fill(t *Table) error {
	n := t.Len()
	switch {
	case len(b.columns) > 1 && b.varies():
		return b.fillNested(t, n)
	case b.varies():
		return b.fillJagged(&t.Jagged[b.columns[0]], n)
	}
	size := b.stored.size
	stride := size * b.elements()
	if b.counts {
		counts := make([]float64, n)
		t.Columns[b.columns[0]].Floats(counts, 0)
		for _, x := range counts {
			b.largest = max(b.largest, int64(x))
		}
	}
	for lo := 0; lo < n; {
		hi := min(n, lo+max(1, (b.size-len(b.data)+stride-1)/stride))
		at := len(b.data)
		b.data = append(b.data, make([]byte, (hi-lo)*stride)...)
		for e, column := range b.columns {
			b.stored.encode(b.data[at+e*size:], t.Columns[column].Slice(lo, hi).Values(), stride)
		}
		b.entries += hi - lo
		lo = hi
		if len(b.data) >= b.size {
			if err := b.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// fillNested appends lists of lists.
func (b *branchWriter) fillNested(t *Table, n int) error {
	b.next = make([]int, len(b.columns))
	for i := range n {
		b.starts = append(b.starts, int32(len(b.data)))
		at := len(b.data)
		b.data = binary.BigEndian.AppendUint32(b.data, 0)
		b.data = binary.BigEndian.AppendUint16(b.data, vectorVersion)
		for k, c := range b.columns {
			b.next[k] = t.Jagged[c].Offsets[i]
		}
		outer := len(b.columns) - 1
		whole := b.list(t, outer, t.Jagged[b.columns[outer]].Event(i).Len(), i)
		for k, c := range b.columns {
			whole = whole && b.next[k] == t.Jagged[c].Offsets[i+1]
		}
		if !whole {
			return fmt.Errorf("branch %q: the lengths of its lists do not add up", b.name)
		}
		binary.BigEndian.PutUint32(b.data[at:], uint32(len(b.data)-at-4)|byteCount)
		b.entries++
		if len(b.data) >= b.size {
			if err := b.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// list appends a list of n lists, or at level 0 of n numbers. It reports whether they are
// there in the event.
func (b *branchWriter) list(t *Table, level, n, event int) bool {
	b.data = binary.BigEndian.AppendUint32(b.data, uint32(n))
	j, at := &t.Jagged[b.columns[level]], b.next[level]
	if n < 0 || n > j.Offsets[event+1]-at {
		return false
	}
	b.next[level] += n
	if level == 0 {
		from, size := len(b.data), b.stored.size
		b.data = append(b.data, make([]byte, n*size)...)
		b.stored.encode(b.data[from:], j.Column.Slice(at, at+n).Values(), size)
		return true
	}
	for _, length := range j.Column.Slice(at, at+n).Values().([]int32) {
		if !b.list(t, level-1, int(length), event) {
			return false
		}
	}
	return true
}

func (b *branchWriter) fillJagged(j *Jagged, n int) error {
	size := b.stored.size
	for lo := 0; lo < n; {
		// As many events as the basket has room for; the last one may go beyond.
		hi, bytes := lo, len(b.data)
		for hi < n && (hi == lo || bytes < b.size) {
			bytes += size * (j.Offsets[hi+1] - j.Offsets[hi])
			if b.vector {
				bytes += vectorHeader
			}
			hi++
		}
		first := j.Offsets[lo]
		b.values = resize(b.values, size*(j.Offsets[hi]-first))
		b.stored.encode(b.values, j.Column.Slice(first, j.Offsets[hi]).Values(), size)
		for i := lo; i < hi; i++ {
			values := b.values[size*(j.Offsets[i]-first) : size*(j.Offsets[i+1]-first)]
			b.starts = append(b.starts, int32(len(b.data)))
			if b.vector {
				b.data = binary.BigEndian.AppendUint32(b.data, uint32(6+len(values))|byteCount)
				b.data = binary.BigEndian.AppendUint16(b.data, vectorVersion)
				b.data = binary.BigEndian.AppendUint32(b.data, uint32(len(values)/size))
			}
			b.data = append(b.data, values...)
		}
		b.entries += hi - lo
		lo = hi
		if len(b.data) >= b.size {
			if err := b.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush compresses the basket.
func (b *branchWriter) flush() error {
	if b.entries == 0 {
		return nil
	}
	const version, behindKey, most = 3, 19, 1 << 30
	w := newObjectWriter(0)
	rec := record{key: key{class: "TBasket", name: b.name, title: b.place, cycle: int64(len(b.baskets)+len(b.full)) & math.MaxInt16}}
	rec.keySize = rec.key.length() + behindKey
	last := int(rec.keySize) + len(b.data)
	if last > most {
		return fmt.Errorf("branch %q has events of %d MB", b.name, len(b.data)>>20)
	}
	entrySize := b.stored.size * b.elements()
	object := b.data
	if b.varies() {
		entrySize = max(defaultStarts, b.entries+1)
		object = binary.BigEndian.AppendUint32(object, uint32(b.entries+1))
		for _, at := range b.starts {
			object = binary.BigEndian.AppendUint32(object, uint32(int(rec.keySize)+int(at)))
		}
		object = binary.BigEndian.AppendUint32(object, 0)
	}
	w.i16(version)
	w.i32(max(b.size, last))
	w.i32(entrySize)
	w.i32(b.entries)
	w.i32(last)
	w.u8(0)
	rec.basket, rec.objectSize = w.b, int64(len(object))
	body, err := b.deflate.object(object)
	if err != nil {
		return err
	}
	if len(body) == len(object) {
		body = append([]byte(nil), object...)
	}
	rec.size = rec.keySize + int64(len(body))
	b.full = append(b.full, basket{rec, body, int64(b.entries)})
	b.written += int64(b.entries)
	b.total += rec.keySize + rec.objectSize
	b.file += rec.size
	b.data, b.starts, b.entries = b.data[:0], b.starts[:0], 0
	return nil
}

// defaultStarts is the length of the table of where entries start.
const defaultStarts = 1000

// leafName is the name of the leaf: ROOT takes brackets in it for dimensions.
func leafName(branch string) string { return strings.NewReplacer("[", "", "]", "").Replace(branch) }

// leafTitle is the name with the dimensions of the leaf.
func (b *branchWriter) leafTitle() string {
	title := leafName(b.name)
	if b.counter != nil {
		title += "[" + leafName(b.counter.name) + "]"
	}
	for _, n := range b.dims {
		title += fmt.Sprintf("[%d]", n)
	}
	if len(b.short) > 1 { // readers find the range here
		title += "/" + b.short
	}
	return title
}

// write writes the branch as a part of the description of its tree.
func (b *branchWriter) write(w *objectWriter, compression int32) {
	if !b.vector {
		w.pointer("TBranch", b, func() { b.writeBranch(w, compression) })
		return
	}
	w.pointer("TBranchElement", b, func() {
		w.object(10, func() {
			b.writeBranch(w, compression)
			class, sum := b.vectorClass()
			w.str(class)
			w.str("")
			w.str("")
			w.i32(int(sum))
			w.i16(6)  // version of the class
			w.i32(-1) // the object itself
			w.i32(0)
			w.i32(-1)
			w.i32(0)
			w.null()
			w.null()
		})
	})
}

func (b *branchWriter) writeBranch(w *objectWriter, compression int32) {
	const least = 10 // baskets that tables are made for
	title := b.title
	switch {
	case title == "" && b.vector:
		title = b.name
	case title == "":
		if title = b.leafTitle(); len(b.short) <= 1 {
			title += "/" + cmp.Or(b.short, rootTypes[b.kind].code)
		}
	}
	n := len(b.baskets)
	most := max(least, n+1)
	entryOffset, split := 0, 0
	switch {
	case b.vector:
		entryOffset, split = 400, 99
	case b.counter != nil:
		entryOffset = defaultStarts
	}
	w.object(13, func() {
		w.named(b.name, title)
		w.fillAttributes()
		w.i32(int(compression))
		w.i32(b.size)
		w.i32(entryOffset)
		w.i32(n)
		w.i64(b.written)
		w.features()
		w.i32(0) // offset
		w.i32(most)
		w.i32(split)
		w.i64(b.written)
		w.i64(0) // first entry
		w.i64(b.total)
		w.i64(b.file)
		w.array(0, nil) // branches
		w.array(1, func(int) { b.writeLeaf(w) })
		w.array(0, nil) // baskets
		at := func(i int) basketPlace {
			if i >= 0 && i < n {
				return b.baskets[i]
			}
			return basketPlace{}
		}
		w.u8(1)
		for i := range most {
			w.i32(int(at(i).size))
		}
		w.u8(1)
		for i := range most {
			w.i64(at(i - 1).entries)
		}
		w.u8(1)
		for i := range most {
			w.i64(at(i).seek)
		}
		w.str("") // the file of the baskets: this one
	})
}

// features writes the ROOT::TIOFeatures of old baskets.
func (w *objectWriter) features() {
	const sum = 0x1aa12f10
	at := len(w.b)
	w.i32(0)
	w.i16(0) // a class without a version has a checksum
	w.i32(sum)
	w.u8(0)
	w.size(at)
}

func (b *branchWriter) writeLeaf(w *objectWriter) {
	class := b.leafClass()
	name, title, size := leafName(b.name), b.leafTitle(), b.kind.size()
	if b.vector {
		name, title, size = b.name, b.name, 0
	}
	w.pointer(class, leafID{b}, func() {
		version := 1
		if b.short != "" {
			version = 2
		}
		w.object(version, func() {
			w.object(2, func() {
				w.named(name, title)
				w.i32(b.elements())
				w.i32(size)
				w.i32(0)         // offset
				w.flag(b.counts) // it has a range
				w.flag(b.kind >= Uint8 && b.kind <= Uint64)
				if b.counter == nil {
					w.null()
				} else {
					b.counter.writeLeaf(w)
				}
			})
			if b.vector {
				w.i32(-1)
				w.i32(-1)
				return
			}
			limits := make([]byte, 2*size)
			if b.counts {
				c := NewColumn(Field{Kind: b.kind}, 1)
				c.SetFloats(0, []float64{float64(b.largest)})
				encode(limits[size:], c.Values(), size)
			}
			if b.short != "" {
				w.b = append(w.b, make([]byte, map[Kind]int{Float32: 2 * 3, Float64: 2 * 4}[b.kind])...)
				return
			}
			w.b = append(w.b, limits...)
		})
	})
}

// leafClass returns the class of the leaf.
func (b *branchWriter) leafClass() string {
	switch {
	case b.vector:
		return "TLeafElement"
	case b.short != "" && b.kind == Float32:
		return "TLeafF16"
	case b.short != "":
		return "TLeafD32"
	}
	return rootTypes[b.kind].leaf
}

// leafID is what the leaf of a branch is known by.
type leafID struct{ *branchWriter }
