package rootio

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"go-hep.org/x/hep/hbook"

	"github.com/eidolon-hep/eidolon/internal/atomicfile"
	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/rootio/rntuple"
)

// Compression is how the baskets of a new file are compressed.
type Compression uint8

// The compressions of ROOT. Zlib is the default: every reader knows it, and
// its blocks carry a checksum.
const (
	Zlib Compression = iota
	LZ4
	Zstd
	LZMA
	NoCompression
)

// String returns the name of the compression, as [ParseCompression] takes it.
func (c Compression) String() string {
	if int(c) < len(compressionNames) {
		return compressionNames[c]
	}
	return fmt.Sprintf("Compression(%d)", uint8(c))
}

var compressionNames = [...]string{Zlib: "zlib", LZ4: "lz4", Zstd: "zstd", LZMA: "lzma", NoCompression: "none"}

// ParseCompression returns the compression of a name: zlib, lz4, zstd, lzma or none.
func ParseCompression(name string) (Compression, error) {
	i := slices.Index(compressionNames[:], strings.ToLower(name))
	if i < 0 {
		return 0, fmt.Errorf("rootio: no compression is called %q; there are %s", name, strings.Join(compressionNames[:], ", "))
	}
	return Compression(i), nil
}

// Option sets how [Create] writes a file.
type Option func(*options)

type options struct {
	format      Format
	compression Compression
	basketSize  int
	like        TreeInfo // the title of the tree and what comes with it
	texts       [][2]string
	bins        int // of histograms; 0 means none
}

// WithCompression sets the compression. The default is [Zlib].
func WithCompression(c Compression) Option { return func(o *options) { o.compression = c } }

// MaxEntries is the number of entries that a tree of ROOT can hold.
const MaxEntries = 1_000_000_000_000

// DefaultBasketSize is the number of bytes of a basket unless [WithBasketSize] says
// otherwise.
const DefaultBasketSize = 256 << 10

// WithBasketSize sets the number of bytes of one branch that are compressed
// together. The default is [DefaultBasketSize]; a small basket makes a slow, large file.
func WithBasketSize(bytes int) Option { return func(o *options) { o.basketSize = bytes } }

// WithTitle sets the title of the tree.
func WithTitle(title string) Option { return func(o *options) { o.like.Title = title } }

// Like gives the tree the title, the aliases and the user information of a tree whose branches it carries along, of the first
// file of a chain. Its branches come in the order of that tree, new ones after them.
func Like(t *Tree) Option {
	return func(o *options) {
		o.like = t.info
		o.like.Branches = t.Branches()
	}
}

// WithText puts a text beside the tree, as a TObjString of the given name;
// [ReadText] reads it.
func WithText(name, text string) Option {
	return func(o *options) { o.texts = append(o.texts, [2]string{name, text}) }
}

// Writer writes a tree to a file.
type Writer struct {
	out      *output
	path     string   // of the tree in the file
	name     string   // the last part of it
	like     TreeInfo // the title and what comes with it
	fields   []Field
	branches []*branchWriter
	tuple    *tupleWriter // nil: it is a TTree
	counted  []counted
	events   int64
	cluster  cluster

	histograms []*hbook.H1D // of the columns, if they are asked for; nil until there are values
	values     []float64    // memory to fill them
}

// counted is a jagged column and the column that counts its values.
type counted struct{ column, counter int }

// output is a file that is being written.
type output struct {
	name  string // that it will have
	tmp   string
	opts  options
	file  *newFile
	trees []*Writer
	err   error // the first one
	done  bool
}

// Create starts a tree with the given fields in a new file. The file appears
// under its name, in the place of an older one, when [Writer.Close] succeeds.
// The name of the tree may have directories: "dir/tree". Usage:
//
//	w, err := rootio.Create(file, "Events", fields)
//	if err != nil {
//		return err
//	}
//	defer w.Abort()
//	... w.Write(table) ...
//	return w.Close()
//
// Consecutive fields that are all the elements of an array become a branch of
// fixed arrays again. A jagged field becomes a counted array if its counter is the
// name of an integer field before it, and a std::vector if it is [Vector].
//
// What is written depends on the arguments and the events alone: the same make the same
// bytes, and so does the file's UUID, which is a hash of them.
func Create(file, tree string, fields []Field, opts ...Option) (*Writer, error) {
	o := options{basketSize: DefaultBasketSize}
	for _, opt := range opts {
		opt(&o)
	}
	fail := func(err error) (*Writer, error) {
		return nil, fmt.Errorf("rootio: could not create tree %q in %q: %w", tree, file, err)
	}
	switch {
	case int(o.compression) >= len(compressionNames):
		return fail(fmt.Errorf("unknown compression %d", o.compression))
	case int(o.format) >= len(formatNames):
		return fail(fmt.Errorf("unknown format %d", o.format))
	case o.basketSize < 1 || o.basketSize > 1<<30:
		return fail(fmt.Errorf("a basket cannot have %d bytes", o.basketSize))
	}
	if err := o.format.CheckFields(fields); err != nil {
		return fail(err)
	}
	tmp, err := atomicfile.Temp(file)
	if err != nil {
		return nil, fmt.Errorf("rootio: %w", err)
	}
	out := &output{name: file, tmp: tmp, opts: o}
	if out.file, err = createFile(tmp, o.compression); err == nil {
		err = out.file.putTexts(o.texts)
	}
	if err == nil {
		_, err = out.add(tree, o.like, fields)
	}
	if err != nil {
		out.abort()
		return fail(err)
	}
	return out.trees[0], nil
}

// WriteFile writes a table as the only tree of a file, as [Create] with the table's fields does.
func WriteFile(file, tree string, t *Table, opts ...Option) error {
	w, err := Create(file, tree, t.Fields(), opts...)
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := w.Write(t); err != nil {
		return err
	}
	return w.Close()
}

// Add starts one more tree in the file of w. It is completed by the Close of the
// writer that [Create] returned, and needs none of its own.
func (w *Writer) Add(tree, title string, fields []Field) (*Writer, error) {
	out := w.out
	err := out.err
	if err == nil {
		err = out.opts.format.CheckFields(fields)
	}
	for _, other := range out.trees {
		if strings.Trim(other.path, "/") == strings.Trim(tree, "/") {
			err = errors.New("there is one of that name already")
		}
	}
	var added *Writer
	if err == nil {
		added, err = out.add(tree, TreeInfo{Title: title}, fields)
	}
	if err != nil {
		return nil, fmt.Errorf("rootio: could not create tree %q in %q: %w", tree, out.name, err)
	}
	return added, nil
}

// CheckFields reports whether a tree can have these fields: [Create] refuses others.
func CheckFields(fields []Field) error {
	if len(fields) == 0 {
		return errors.New("there are no columns to write")
	}
	seen := make(map[string]Field, len(fields))
	for _, f := range fields {
		counter, known := seen[f.Counter]
		switch {
		case f.Name == "":
			return errors.New("a column has no name")
		case seen[f.Name].Name != "":
			return fmt.Errorf("two columns are called %q", f.Name)
		case strings.Trim(f.Name, "[]") == "":
			return fmt.Errorf("the name of column %q has nothing but brackets, which ROOT takes for an array", f.Name)
		case f.Kind < Bool || f.Kind > Float64:
			return fmt.Errorf("column %q has no type", f.Name)
		case !f.IsJagged() || f.Counter == Vector:
		case !known:
			return fmt.Errorf("column %q is counted by %q, which is not among the columns before it", f.Name, f.Counter)
		case counter.IsJagged() || !counter.Kind.IsInteger() || counter.Array != "":
			return fmt.Errorf("column %q is counted by %q, which is no integer per event", f.Name, f.Counter)
		}
		seen[f.Name] = f
	}
	return nil
}

func (out *output) add(tree string, like TreeInfo, fields []Field) (w *Writer, err error) {
	dir, name, err := out.file.makeDirs(tree)
	if err != nil {
		return nil, err
	}
	w = &Writer{out: out, path: tree, name: name, like: like, fields: slices.Clone(fields)}
	if out.opts.format == RNTuple {
		w.tuple, err = newTupleWriter(out.file, name, like.Title, w.fields, out.opts)
		if err != nil {
			return nil, errors.New(strings.TrimPrefix(err.Error(), "rntuple: "))
		}
	} else {
		w.makeBranches()
	}
	dir.trees = append(dir.trees, w)
	out.trees = append(out.trees, w)
	return w, nil
}

// makeBranches makes the branches of the fields, and connects them to the columns of tables.
func (w *Writer) makeBranches() {
	scalars := make(map[string]int)            // the places of columns
	counters := make(map[string]*branchWriter) // by the names of their columns
	jagged := 0
	for i := 0; i < len(w.fields); {
		f := w.fields[i]
		b := &branchWriter{name: f.Name, title: f.Title, kind: f.Kind, place: w.name, size: w.out.opts.basketSize,
			deflate: deflater{compression: w.out.opts.compression}}
		w.branches = append(w.branches, b)
		b.stored = plainly(f.Kind)
		n := 1
		if f.IsJagged() {
			if f.Counter == Vector {
				b.vector = true
			} else {
				b.counter = counters[f.Counter]
				b.counter.counts = true
				w.counted = append(w.counted, counted{jagged, scalars[f.Counter]})
			}
			for range nestedAt(w.fields[i:]) {
				b.columns = append(b.columns, jagged)
				jagged++
				i++
			}
			continue
		}
		if b.dims = arrayAt(w.fields[i:]); b.dims != nil {
			b.name = arrayName(f.Array, len(b.dims))
			for _, d := range b.dims {
				n *= d
			}
		} else {
			counters[f.Name] = b
		}
		b.shorten(f.Stored)
		for e := range n {
			place := len(scalars)
			scalars[w.fields[i+e].Name] = place
			b.columns = append(b.columns, place)
		}
		i += n
	}
	w.orderBranches()
}

// orderBranches puts the branches in the order of those of the tree that is carried along, but counters before what they count.
func (w *Writer) orderBranches() {
	places := make(map[string]int)
	for i, b := range w.like.Branches {
		places[b.Name] = i - len(w.like.Branches) // 0: it is new
	}
	place := make(map[*branchWriter]int)
	for _, b := range w.branches {
		place[b] = min(place[b], places[b.name])
		if b.counter != nil {
			place[b.counter] = min(place[b.counter], place[b])
		}
	}
	slices.SortStableFunc(w.branches, func(a, b *branchWriter) int { return place[a] - place[b] })
}

// nestedAt returns how many of the fields the first of them is a branch of: 1, or more if it is
// one of lists of lists, and the lengths of these follow.
func nestedAt(fields []Field) int {
	n := 1
	for f := fields[0]; f.Nested != "" && f.Index == 0 && n < len(fields); n++ {
		if l := fields[n]; l.Nested != f.Nested || l.Index != n || l.Kind != Int32 || l.Counter != Vector {
			break
		}
	}
	return n
}

// arrayAt returns the dimensions of the array whose elements the first of the
// fields are, nil if they are not all there in order.
func arrayAt(fields []Field) []int {
	array := fields[0].Array
	if fields[0].IsJagged() || array == "" {
		return nil
	}
	var dims []int
	elems := 1
	for strings.HasSuffix(array, "]") {
		at := strings.LastIndexByte(array, '[')
		n, err := strconv.Atoi(array[at+1 : len(array)-1])
		if err != nil || n < 1 || n > len(fields)/elems {
			break
		}
		dims, array = append([]int{n}, dims...), array[:at]
		elems *= n
		if fields[0].Name == elementName(fields[0].Array, dims, 0) { // of x[2][3] it is x_0_0
			break
		}
	}
	if len(dims) == 0 {
		return nil
	}
	for e, f := range fields[:elems] {
		if f.Array != fields[0].Array || f.Index != e || f.Kind != fields[0].Kind || f.IsJagged() || f.Name != elementName(f.Array, dims, e) {
			return nil
		}
	}
	return dims
}

// Write appends the events of the table. Its columns are those of the fields
// given to [Create], the jagged ones apart from the others: same order, names and
// kinds. After an error every further Write and Close returns it.
func (w *Writer) Write(t *Table) error {
	out := w.out
	if out.err != nil {
		return out.err
	}
	if out.done {
		return fmt.Errorf("rootio: %q is written to after it was closed", out.name)
	}
	if out.err = w.write(t); out.err != nil {
		out.err = fmt.Errorf("rootio: could not write event %d of tree %q to %q: %w", w.events, w.path, out.name, out.err)
	}
	return out.err
}

func (w *Writer) write(t *Table) error {
	if err := w.check(t); err != nil {
		return err
	}
	if err := w.store(t); err != nil {
		return err
	}
	if w.out.opts.bins > 0 && t.Len() > 0 {
		w.fill(t)
	}
	w.events += int64(t.Len())
	return nil
}

// store appends the events of a table in the format of the tree.
func (w *Writer) store(t *Table) error {
	if w.tuple != nil {
		return w.tuple.fill(t)
	}
	for lo, n := 0, t.Len(); lo < n; {
		hi, ends := w.clusterEnd(t, lo)
		part := t.Slice(lo, hi)
		if err := w.each(func(b *branchWriter) error { return b.fill(part) }); err != nil {
			return err
		}
		if ends {
			if err := w.flush(); err != nil {
				return err
			}
		}
		lo = hi
	}
	return nil
}

// flush writes the events that wait.
func (w *Writer) flush() error {
	if w.tuple != nil {
		return w.tuple.finish()
	}
	return w.each((*branchWriter).flush)
}

// cluster says how many events come in the baskets of all branches together, so that they can be read apart from the
// others: ROOT reads a cluster per thread. The first one ends where a basket is full and there are enough data, and all
// others have as many events.
type cluster struct {
	events  int64 // 0: not known yet
	written int64 // events of the last one
	bytes   int64 // of the first one
}

// clusterEnd returns up to where the events of t from lo on are in the same cluster, and whether it ends there.
func (w *Writer) clusterEnd(t *Table, lo int) (hi int, ends bool) {
	const most = 32 << 20 // bytes that are waited for
	c, n := &w.cluster, t.Len()
	if c.events > 0 {
		hi = int(min(int64(n), int64(lo)+c.events-c.written))
		c.written += int64(hi - lo)
		if ends = c.written == c.events; ends {
			c.written = 0
		}
		return hi, ends
	}
	enough := min(most, int64(w.out.opts.basketSize)*int64(len(w.branches))/4)
	for i := lo; i < n; i++ {
		isFull := false
		for _, b := range w.branches {
			bytes := b.bytesOf(t, i)
			c.bytes += int64(bytes)
			if b.ahead += bytes; b.ahead >= b.size {
				b.ahead, isFull = 0, true
			}
		}
		c.written++
		if isFull && c.bytes >= enough {
			c.events, c.written = c.written, 0
			return i + 1, true
		}
	}
	return n, false
}

// each calls do for all branches, on all processors, and writes the baskets that are full
// in the order of the branches.
func (w *Writer) each(do func(b *branchWriter) error) error {
	if err := parallel.Each(len(w.branches), runtime.GOMAXPROCS(0), func(i int) error { return do(w.branches[i]) }); err != nil {
		return err
	}
	for _, b := range w.branches {
		if err := w.out.file.putBaskets(b); err != nil {
			return err
		}
	}
	return nil
}

// check checks that the columns of a table are those of the tree.
func (w *Writer) check(t *Table) error {
	if n := len(t.Columns) + len(t.Jagged); n != len(w.fields) {
		return fmt.Errorf("the table has %d columns, the tree %d", n, len(w.fields))
	}
	scalar, jagged := 0, 0
	for i, f := range w.fields {
		var c Column
		n := 0
		switch {
		case f.IsJagged() && jagged < len(t.Jagged):
			c, n = t.Jagged[jagged].Column, t.Jagged[jagged].Events()
			jagged++
		case !f.IsJagged() && scalar < len(t.Columns):
			c, n = t.Columns[scalar], t.Columns[scalar].Len()
			scalar++
		default:
			return fmt.Errorf("column %q is missing in the table", f.Name)
		}
		switch {
		case c.Name != f.Name:
			return fmt.Errorf("column %d is %q, not %q", i, c.Name, f.Name)
		case c.Kind != f.Kind:
			return fmt.Errorf("column %q is %v, not %v", c.Name, c.Kind, f.Kind)
		case n != t.Len():
			return fmt.Errorf("column %q has %d values, the table %d events", c.Name, n, t.Len())
		}
	}
	for _, pair := range w.counted {
		j, counter := t.Jagged[pair.column], t.Columns[pair.counter]
		counts := counter.Float64s()
		for i, n := range counts {
			if have := j.Offsets[i+1] - j.Offsets[i]; float64(have) != n {
				return fmt.Errorf("column %q has %d values where %q is %.0f", j.Name, have, counter.Name, n)
			}
		}
	}
	return nil
}

// Close completes the file with all its trees, reads it back to compare its
// checksums, and gives it its name. After an error, its own or one of Write, the
// temporary file is gone and the target as it was before. A second Close does
// nothing.
func (w *Writer) Close() error {
	out := w.out
	if out.done {
		return nil
	}
	if out.err == nil {
		err := out.finish()
		if err == nil {
			err = out.readBack()
		}
		if err != nil {
			out.err = fmt.Errorf("rootio: could not complete tree %q in %q: %w", w.path, out.name, err)
		}
	}
	if out.err != nil {
		out.abort()
		return out.err
	}
	out.done = true
	if err := atomicfile.Commit(out.tmp, out.name); err != nil {
		return fmt.Errorf("rootio: %w", err)
	}
	return nil
}

// finish writes what comes after the events and closes the temporary file.
func (out *output) finish() error {
	for _, w := range out.trees {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if err := out.putHistograms(); err != nil {
		return err
	}
	return out.file.finish()
}

// readBack checks the closed temporary file as a reader would.
func (out *output) readBack() error {
	f, err := os.Open(out.tmp)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if _, _, err = verify(f, info.Size(), checkAll); err != nil {
		return err
	}
	for _, w := range out.trees {
		if w.tuple == nil {
			continue
		}
		t, err := rntuple.Open(f, info.Size(), w.tuple.anchor, (&rootFile{}).inflateBlocks)
		if err != nil {
			return err
		}
		if err := t.Verify(); err != nil {
			return err
		}
	}
	return nil
}

// Abort gives up: the temporary file is removed. It does nothing after Close.
func (w *Writer) Abort() { w.out.abort() }

func (out *output) abort() {
	if out.done {
		return
	}
	out.done = true
	if out.file != nil {
		_ = out.file.file.Close()
	}
	atomicfile.Discard(out.tmp)
}
