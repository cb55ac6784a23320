package rntuple

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"unicode"

	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"
)

// Put appends a blob to the file and returns where it is. It does not keep the blob.
type Put func(blob []byte) (pos int64, err error)

// Deflate returns a series of blocks of ROOT, or src itself if that would not be smaller. It
// may be called by several goroutines at a time, and keeps neither.
type Deflate func(src []byte) ([]byte, error)

// NewField is a field of a new tuple.
type NewField struct {
	// Name may have dots: "a.b" becomes the member b of a record a.
	Name        string
	Description string
	Kind        Kind

	// Lists is the number of levels of std::vector around the numbers, Array the shape of a
	// fixed array of them, which is in the innermost of these.
	Lists int
	Array []int
}

// Values are the values of a field for some entries.
type Values struct {
	// Numbers is a slice of the Go type of the field's kind.
	Numbers any

	// Lengths are those of the lists of each level, from the outside in.
	Lengths [][]uint64
}

// WriterOptions say how to write. The zero value stores numbers as they are.
type WriterOptions struct {
	Description string
	Program     string // that writes the tuple

	// Deflate compresses pages; nil leaves them as they are. Compression is what it does, 100
	// times the algorithm of ROOT plus the level.
	Deflate     Deflate
	Compression int

	// PageSize and ClusterSize are bytes before compression: of a page, and of all pages of a
	// range of entries that is read together. 0: 64 KiB and 32 MiB.
	PageSize, ClusterSize int
}

// Writer writes a tuple. What it writes depends on the options and the entries alone, not on
// how many of them are written at a time.
type Writer struct {
	put     Put
	options WriterOptions
	header  []byte
	at      locator // of the header
	sum     uint64

	fields  []newField
	columns []*columnWriter

	entries  int64
	first    int64 // entry of the cluster
	clusters []newCluster
}

// newField is a field and its columns: of the ends of its lists, and of its numbers.
type newField struct {
	NewField
	lists   []*columnWriter
	numbers *columnWriter
}

// newCluster is a cluster that is in the file.
type newCluster struct {
	first, entries int64
	columns        []writtenChunk
}

type writtenChunk struct {
	first int64 // element
	pages []page
}

// columnWriter collects the elements of a column.
type columnWriter struct {
	element
	perPage int
	first   int64 // element of the cluster, counted from the start of the tuple
	total   int64 // elements up to now
	end     uint64
	data    []byte // the elements of the page that is not full yet, as they are in memory
	n       int    // and their number
	scratch []byte

	pages []page // of the cluster; their places count from the start of blob
	blob  []byte
}

const (
	defaultPageSize    = 64 << 10
	defaultClusterSize = 32 << 20
	entriesPerCheck    = 1 << 10 // a cluster ends at a multiple of them
	newMaxKeySize      = 1 << 30
)

// CheckName reports an error if a field cannot have the name. The parts between dots are those
// of records and their members.
func CheckName(name string) error {
	for part := range strings.SplitSeq(name, ".") {
		if part == "" {
			return fmt.Errorf("%q cannot be a name in an RNTuple: between dots there is nothing", name)
		}
	}
	for _, r := range name {
		if unicode.IsControl(r) || strings.ContainsRune(` \/`, r) {
			return fmt.Errorf("%q cannot be a name in an RNTuple: it has a %q", name, r)
		}
	}
	return nil
}

// NewWriter starts a tuple.
func NewWriter(put Put, name string, fields []NewField, o WriterOptions) (*Writer, error) {
	if o.PageSize <= 0 {
		o.PageSize = defaultPageSize
	}
	if o.ClusterSize <= 0 {
		o.ClusterSize = defaultClusterSize
	}
	w := &Writer{put: put, options: o}
	err := CheckName(name)
	if err == nil && strings.Contains(name, ".") {
		err = fmt.Errorf("%q cannot be the name of an RNTuple: it has a dot", name)
	}
	if err != nil {
		return nil, fmt.Errorf("rntuple: %w", err)
	}
	s, err := w.describe(fields)
	if err != nil {
		return nil, fmt.Errorf("rntuple: %w", err)
	}
	b := binary.LittleEndian.AppendUint64(nil, 0) // features
	for _, text := range []string{name, o.Description, o.Program} {
		b = appendText(b, text)
	}
	w.header, w.sum = envelope(envelopeHeader, s.bytes(b))
	if w.at, err = w.putEnvelope(w.header); err != nil {
		return nil, fmt.Errorf("rntuple: %w", err)
	}
	return w, nil
}

// describe makes fields and columns.
func (w *Writer) describe(fields []NewField) (*schema, error) {
	s := &schema{}
	byName := make(map[string]int)
	add := func(f field) int {
		id := len(s.fields)
		if f.parent < 0 {
			f.parent = id
		}
		s.fields = append(s.fields, f)
		return id
	}
	addColumn := func(id int, typ uint16) *columnWriter {
		e := element{typ: typ, bits: elementKinds[typ].most}
		c := &columnWriter{element: e, perPage: max(8, w.options.PageSize*8/e.bits&^7)}
		s.columns = append(s.columns, column{element: e, field: id})
		w.columns = append(w.columns, c)
		return c
	}
	for _, f := range fields {
		if err := CheckName(f.Name); err != nil {
			return nil, err
		}
		if f.Kind < Bool || f.Kind > Float64 {
			return nil, fmt.Errorf("field %q has no type", f.Name)
		}
		parent, parts := -1, strings.Split(f.Name, ".")
		for i := range len(parts) - 1 { // records
			path := strings.Join(parts[:i+1], ".")
			id, ok := byName[path]
			switch {
			case !ok:
				id = add(field{name: parts[i], role: roleRecord, parent: parent})
				byName[path] = id
			case s.fields[id].role != roleRecord:
				return nil, fmt.Errorf("%q cannot be a name in an RNTuple beside %q, which would be a member of it", path, f.Name)
			}
			parent = id
		}
		if _, ok := byName[f.Name]; ok {
			return nil, fmt.Errorf("%q cannot be a name in an RNTuple: there are two, or one with a dot after this name", f.Name)
		}
		n := newField{NewField: f}
		name, typ := parts[len(parts)-1], f.typeName()
		top := field{name: name, description: f.Description}
		for range f.Lists {
			top.typ, top.role, top.parent = typ, roleCollection, parent
			parent = add(top)
			n.lists = append(n.lists, addColumn(parent, w.pick(typeIndex64, typeSplitIndex64)))
			typ = strings.TrimSuffix(strings.TrimPrefix(typ, "std::vector<"), ">")
			top = field{name: "_0"}
		}
		for _, length := range f.Array {
			top.typ, top.role, top.parent = typ, roleLeaf, parent
			top.flags, top.repeats = fieldRepeated, int64(length)
			parent = add(top)
			typ = typ[len("std::array<"):strings.LastIndexByte(typ, ',')]
			top = field{name: "_0"}
		}
		top.typ, top.role, top.parent = typ, roleLeaf, parent
		id := add(top)
		if f.Lists+len(f.Array) == 0 {
			byName[f.Name] = id
		} else {
			byName[f.Name] = parent
		}
		n.numbers = addColumn(id, w.pick(cppTypes[f.Kind].plain, cppTypes[f.Kind].smaller))
		w.fields = append(w.fields, n)
	}
	return s, nil
}

func (w *Writer) pick(plain, smaller uint16) uint16 {
	if w.options.Deflate == nil {
		return plain
	}
	return smaller
}

// typeName returns the type in C++.
func (f NewField) typeName() string {
	name := cppTypes[f.Kind].name
	for i := len(f.Array) - 1; i >= 0; i-- {
		name = fmt.Sprintf("std::array<%s,%d>", name, f.Array[i])
	}
	return strings.Repeat("std::vector<", f.Lists) + name + strings.Repeat(">", f.Lists)
}

// Write appends entries: values holds those of each field, in order.
func (w *Writer) Write(entries int, values []Values) error {
	if len(values) != len(w.fields) {
		return fmt.Errorf("rntuple: there are values of %d fields, not %d", len(values), len(w.fields))
	}
	feeds := make([]feed, len(values))
	for i, v := range values {
		f := &w.fields[i]
		if len(v.Lengths) != f.Lists {
			return fmt.Errorf("rntuple: field %q has %d levels of lists, not %d", f.Name, len(v.Lengths), f.Lists)
		}
		feeds[i] = feed{field: f, Values: v, at: make([]int, f.Lists+1)}
	}
	for entries > 0 {
		n := min(entries, entriesPerCheck-int((w.entries-w.first)%entriesPerCheck))
		var group errgroup.Group
		group.SetLimit(runtime.GOMAXPROCS(0))
		for i := range feeds {
			group.Go(func() error { return feeds[i].take(n, w.options.Deflate) })
		}
		if err := group.Wait(); err != nil {
			return fmt.Errorf("rntuple: %w", err)
		}
		w.entries += int64(n)
		entries -= n
		if (w.entries-w.first)%entriesPerCheck == 0 && w.size() >= int64(w.options.ClusterSize) {
			if err := w.flush(); err != nil {
				return fmt.Errorf("rntuple: %w", err)
			}
		}
	}
	for i := range feeds {
		if err := feeds[i].done(); err != nil {
			return fmt.Errorf("rntuple: %w", err)
		}
	}
	return nil
}

// size returns the bytes of the cluster before compression.
func (w *Writer) size() (n int64) {
	for _, c := range w.columns {
		n += c.bytes(c.total - c.first)
	}
	return n
}

// feed hands values to the columns of a field, some entries at a time.
type feed struct {
	field *newField
	Values
	at []int // how much of each level, and of the numbers, was taken
}

func (f *feed) take(n int, deflate Deflate) error {
	for i, c := range f.field.lists {
		lo := f.at[i]
		if n > len(f.Lengths[i])-lo {
			return fmt.Errorf("field %q has %d lists, not %d", f.field.Name, len(f.Lengths[i]), lo+n)
		}
		lengths := f.Lengths[i][lo : lo+n]
		f.at[i] += n
		n = 0
		ends := make([]uint64, len(lengths))
		for k, length := range lengths {
			c.end += length
			ends[k] = c.end
			n += int(length)
		}
		if err := appendNumbers(c, ends, deflate); err != nil {
			return err
		}
	}
	for _, length := range f.field.Array {
		n *= length
	}
	last := len(f.at) - 1
	lo := f.at[last]
	f.at[last] += n
	err := appendAny(f.field.numbers, f.Numbers, lo, lo+n, deflate)
	if err != nil {
		return fmt.Errorf("field %q: %w", f.field.Name, err)
	}
	return nil
}

// done reports an error if something is left.
func (f *feed) done() error {
	for i, lengths := range f.Lengths {
		if f.at[i] != len(lengths) {
			return fmt.Errorf("field %q has %d lists of level %d, not %d", f.field.Name, len(lengths), i, f.at[i])
		}
	}
	if n := reflect.ValueOf(f.Numbers).Len(); n != f.at[len(f.at)-1] {
		return fmt.Errorf("field %q has %d numbers, not %d", f.field.Name, n, f.at[len(f.at)-1])
	}
	return nil
}

func appendAny(c *columnWriter, numbers any, lo, hi int, deflate Deflate) error {
	switch x := numbers.(type) {
	case []bool:
		if hi > len(x) {
			return fmt.Errorf("there are %d numbers, not %d", len(x), hi)
		}
		bytes := make([]uint8, hi-lo)
		for i, yes := range x[lo:hi] {
			if yes {
				bytes[i] = 1
			}
		}
		return appendNumbers(c, bytes, deflate)
	case []int8:
		return appendRange(c, x, lo, hi, deflate)
	case []int16:
		return appendRange(c, x, lo, hi, deflate)
	case []int32:
		return appendRange(c, x, lo, hi, deflate)
	case []int64:
		return appendRange(c, x, lo, hi, deflate)
	case []uint8:
		return appendRange(c, x, lo, hi, deflate)
	case []uint16:
		return appendRange(c, x, lo, hi, deflate)
	case []uint32:
		return appendRange(c, x, lo, hi, deflate)
	case []uint64:
		return appendRange(c, x, lo, hi, deflate)
	case []float32:
		return appendRange(c, x, lo, hi, deflate)
	case []float64:
		return appendRange(c, x, lo, hi, deflate)
	}
	return fmt.Errorf("values of type %T", numbers)
}

func appendRange[T Number](c *columnWriter, x []T, lo, hi int, deflate Deflate) error {
	if hi > len(x) {
		return fmt.Errorf("there are %d numbers, not %d", len(x), hi)
	}
	return appendNumbers(c, x[lo:hi], deflate)
}

// appendNumbers appends elements, and closes the pages that are full.
func appendNumbers[T Number](c *columnWriter, x []T, deflate Deflate) error {
	for len(x) > 0 {
		n := min(len(x), c.perPage-c.n)
		c.data = appendPlain(c.data, x[:n])
		c.n += n
		c.total += int64(n)
		x = x[n:]
		if c.n == c.perPage {
			if err := c.seal(deflate); err != nil {
				return err
			}
		}
	}
	return nil
}

// appendPlain appends numbers as they are in memory, little-endian.
func appendPlain[T Number](b []byte, x []T) []byte {
	order := binary.LittleEndian
	switch x := any(x).(type) {
	case []uint8:
		return append(b, x...)
	case []int8:
		for _, v := range x {
			b = append(b, uint8(v))
		}
	case []uint16:
		for _, v := range x {
			b = order.AppendUint16(b, v)
		}
	case []int16:
		for _, v := range x {
			b = order.AppendUint16(b, uint16(v))
		}
	case []uint32:
		for _, v := range x {
			b = order.AppendUint32(b, v)
		}
	case []int32:
		for _, v := range x {
			b = order.AppendUint32(b, uint32(v))
		}
	case []float32:
		for _, v := range x {
			b = order.AppendUint32(b, math.Float32bits(v))
		}
	case []uint64:
		for _, v := range x {
			b = order.AppendUint64(b, v)
		}
	case []int64:
		for _, v := range x {
			b = order.AppendUint64(b, uint64(v))
		}
	case []float64:
		for _, v := range x {
			b = order.AppendUint64(b, math.Float64bits(v))
		}
	}
	return b
}

// seal closes a page: it is encoded, compressed and gets its checksum.
func (c *columnWriter) seal(deflate Deflate) error {
	if c.n == 0 {
		return nil
	}
	data := c.encode()
	if deflate != nil {
		var err error
		if data, err = deflate(data); err != nil {
			return err
		}
	}
	p := page{elements: int64(c.n), at: locator{int64(len(c.blob)), int64(len(data))}, checksum: true}
	c.pages = append(c.pages, p)
	c.blob = append(c.blob, data...)
	c.blob = binary.LittleEndian.AppendUint64(c.blob, xxh3.Hash(data))
	c.data, c.n = c.data[:0], 0
	return nil
}

// encode returns the page as it is stored before compression.
func (c *columnWriter) encode() []byte {
	k := c.of()
	if k.layout == bitwise {
		c.scratch = resize(c.scratch, (c.n+7)/8)
		clear(c.scratch)
		for i, b := range c.data {
			c.scratch[i>>3] |= b << (i & 7)
		}
		return c.scratch
	}
	if !k.split {
		return c.data
	}
	size := c.bits / 8
	order := binary.LittleEndian
	c.scratch = resize(c.scratch, len(c.data))
	last := uint64(0)
	for i := range c.n {
		at := c.data[i*size:]
		var x uint64
		switch size {
		case 2:
			x = uint64(int64(int16(order.Uint16(at))))
		case 4:
			x = uint64(int64(int32(order.Uint32(at))))
		default:
			x = order.Uint64(at)
		}
		switch {
		case k.zigzag:
			x = x<<1 ^ uint64(int64(x)>>63)
		case k.delta:
			x, last = x-last, x
		}
		for b := range size {
			c.scratch[b*c.n+i] = byte(x >> (8 * b))
		}
	}
	return c.scratch
}

// flush writes the pages of the cluster.
func (w *Writer) flush() error {
	if w.entries == w.first {
		return nil
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, c := range w.columns {
		group.Go(func() error { return c.seal(w.options.Deflate) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	cluster := newCluster{first: w.first, entries: w.entries - w.first}
	for _, c := range w.columns {
		if len(c.blob) > newMaxKeySize {
			return errors.New("a column has more than 1 GB in 1,024 entries")
		}
		if len(c.blob) > 0 {
			pos, err := w.put(c.blob)
			if err != nil {
				return err
			}
			for i := range c.pages {
				c.pages[i].at.pos += pos
			}
		}
		cluster.columns = append(cluster.columns, writtenChunk{c.first, c.pages})
		c.pages, c.blob, c.first, c.end = nil, c.blob[:0], c.total, 0
	}
	w.clusters = append(w.clusters, cluster)
	w.first = w.entries
	return nil
}

// Close writes what is left, and returns the anchor: the object of the record by which the
// tuple is found.
func (w *Writer) Close() (anchorObject []byte, err error) {
	if err := w.flush(); err != nil {
		return nil, fmt.Errorf("rntuple: %w", err)
	}
	order := binary.LittleEndian
	list, _ := envelope(envelopePageList, w.pageList())
	at, err := w.putEnvelope(list)
	if err != nil {
		return nil, fmt.Errorf("rntuple: %w", err)
	}
	b := order.AppendUint64(nil, 0) // features
	b = order.AppendUint64(b, w.sum)
	b = appendRecord(b, (&schema{}).bytes(nil)) // no extension
	var groups [][]byte
	if len(w.clusters) > 0 {
		g := order.AppendUint64(nil, 0)
		g = order.AppendUint64(g, uint64(w.entries))
		g = order.AppendUint32(g, uint32(len(w.clusters)))
		g = order.AppendUint64(g, uint64(len(list)))
		groups = append(groups, appendRecord(nil, appendLocator(g, at)))
	}
	footer, _ := envelope(envelopeFooter, appendList(b, groups))
	place, err := w.putEnvelope(footer)
	if err != nil {
		return nil, fmt.Errorf("rntuple: %w", err)
	}
	a := anchor{version: [4]uint16{1, 0, 0, 0}, header: w.at, footer: place,
		headerLength: int64(len(w.header)), footerLength: int64(len(footer)), maxKeySize: newMaxKeySize}
	return a.bytes(), nil
}

// pageList returns the payload of the page list.
func (w *Writer) pageList() []byte {
	order := binary.LittleEndian
	b := order.AppendUint64(nil, w.sum)
	var summaries, lists [][]byte
	for _, c := range w.clusters {
		s := order.AppendUint64(nil, uint64(c.first))
		s = order.AppendUint64(s, uint64(c.entries))
		summaries = append(summaries, appendRecord(nil, s))
		var columns [][]byte
		for _, k := range c.columns {
			var pages []byte
			for _, p := range k.pages {
				pages = order.AppendUint32(pages, uint32(-int32(p.elements)))
				pages = appendLocator(pages, p.at)
			}
			pages = order.AppendUint64(pages, uint64(k.first))
			pages = order.AppendUint32(pages, uint32(w.options.Compression))
			columns = append(columns, appendFrame(nil, pages, len(k.pages)))
		}
		lists = append(lists, appendList(nil, columns))
	}
	return appendList(appendList(b, summaries), lists)
}

// envelope returns an envelope around a payload, and its checksum.
func envelope(kind uint16, payload []byte) (b []byte, sum uint64) {
	order := binary.LittleEndian
	b = order.AppendUint64(nil, uint64(kind)|uint64(preambleSize+len(payload)+checksumSize)<<16)
	b = append(b, payload...)
	sum = xxh3.Hash(b)
	return order.AppendUint64(b, sum), sum
}

func (w *Writer) putEnvelope(b []byte) (l locator, err error) {
	if w.options.Deflate != nil {
		if b, err = w.options.Deflate(b); err != nil {
			return l, err
		}
	}
	l.size = int64(len(b))
	l.pos, err = w.put(b)
	return l, err
}

// bytes appends the four lists of a schema.
func (s *schema) bytes(b []byte) []byte {
	order := binary.LittleEndian
	var fields, columns [][]byte
	for _, f := range s.fields {
		r := order.AppendUint64(nil, 0) // versions of field and type
		r = order.AppendUint32(r, uint32(f.parent))
		r = order.AppendUint16(r, f.role)
		r = order.AppendUint16(r, f.flags)
		for _, text := range []string{f.name, f.typ, f.alias, f.description} {
			r = appendText(r, text)
		}
		if f.flags&fieldRepeated != 0 {
			r = order.AppendUint64(r, uint64(f.repeats))
		}
		fields = append(fields, appendRecord(nil, r))
	}
	for _, c := range s.columns {
		r := order.AppendUint16(nil, c.typ)
		r = order.AppendUint16(r, uint16(c.bits))
		r = order.AppendUint32(r, uint32(c.field))
		r = order.AppendUint32(r, 0) // flags, representation
		columns = append(columns, appendRecord(nil, r))
	}
	b = appendList(appendList(b, fields), columns)
	return appendList(appendList(b, nil), nil) // aliases, information on types
}

func appendText(b []byte, text string) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(text))), text...)
}

func appendRecord(b, contents []byte) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(8+len(contents))), contents...)
}

func appendList(b []byte, items [][]byte) []byte {
	var all []byte
	for _, item := range items {
		all = append(all, item...)
	}
	return appendFrame(b, all, len(items))
}

// appendFrame appends a list frame of so many items.
func appendFrame(b, items []byte, n int) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(-int64(12+len(items))))
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	return append(b, items...)
}

func appendLocator(b []byte, l locator) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(l.size))
	return binary.LittleEndian.AppendUint64(b, uint64(l.pos))
}
