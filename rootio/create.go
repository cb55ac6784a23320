package rootio

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go-hep.org/x/hep/groot/rbase"
	"go-hep.org/x/hep/groot/riofs"
	"go-hep.org/x/hep/groot/rtree"

	"github.com/eidolon-hep/eidolon/internal/atomicfile"
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

// option returns the setting with the level that serves columns of numbers
// best. zlib below level 7 stores most floating-point columns as they are, and
// what is not compressed has no checksum; the others gain little for much time.
func (c Compression) option() (riofs.FileOption, error) {
	switch c {
	case Zlib:
		return riofs.WithZlib(7), nil
	case LZ4:
		return riofs.WithLZ4(1), nil
	case Zstd:
		return riofs.WithZstd(1), nil
	case LZMA:
		return riofs.WithLZMA(1), nil
	case NoCompression:
		return riofs.WithoutCompression(), nil
	}
	return nil, fmt.Errorf("unknown compression %d", c)
}

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
	compression Compression
	basketSize  int
	title       string
	texts       [][2]string
	bins        int // of histograms; 0 means none
}

// WithCompression sets the compression. The default is [Zlib].
func WithCompression(c Compression) Option { return func(o *options) { o.compression = c } }

// DefaultBasketSize is the number of bytes of a basket unless [WithBasketSize] says
// otherwise.
const DefaultBasketSize = 256 << 10

// WithBasketSize sets the number of bytes of one branch that are compressed
// together. The default is [DefaultBasketSize]; a small basket makes a slow, large file.
func WithBasketSize(bytes int) Option { return func(o *options) { o.basketSize = bytes } }

// WithTitle sets the title of the tree.
func WithTitle(title string) Option { return func(o *options) { o.title = title } }

// WithText puts a text beside the tree, as a TObjString of the given name;
// [ReadText] reads it.
func WithText(name, text string) Option {
	return func(o *options) { o.texts = append(o.texts, [2]string{name, text}) }
}

// Writer writes a tree to a file.
type Writer struct {
	out     *output
	path    string // of the tree in the file
	title   string
	tree    rtree.Writer
	fields  []Field
	cells   []func(*Table) cell // what carries a table to the values that groot writes
	counted []counted
	events  int64

	histograms []histogram // of the columns, if they are asked for
	values     []float64   // memory to fill them
}

// output is a file that is being written.
type output struct {
	name  string // that it will have
	tmp   string
	opts  options
	file  *riofs.File
	trees []*Writer
	err   error // the first one
	done  bool
}

// Create starts a tree with the given fields in a new file. The file appears
// under its name, in the place of an older one, when [Writer.Close] succeeds.
// The name of the tree may have directories: "dir/tree". Titles of fields are
// not written: groot has no place for them. Usage:
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
func Create(file, tree string, fields []Field, opts ...Option) (*Writer, error) {
	o := options{basketSize: DefaultBasketSize}
	for _, opt := range opts {
		opt(&o)
	}
	return create(file, tree, fields, o)
}

func create(file, tree string, fields []Field, o options) (*Writer, error) {
	fail := func(err error) (*Writer, error) {
		return nil, fmt.Errorf("rootio: could not create tree %q in %q: %w", tree, file, err)
	}
	if err := checkFields(fields); err != nil {
		return fail(err)
	}
	tmp, err := atomicfile.Temp(file)
	if err != nil {
		return nil, fmt.Errorf("rootio: %w", err)
	}
	out := &output{name: file, tmp: tmp, opts: o}
	first := o.compression
	if first != Zlib {
		first = NoCompression // see readBack
	}
	if _, err = o.compression.option(); err == nil {
		err = out.start(first)
	}
	if err == nil {
		_, err = out.add(tree, o.title, fields)
	}
	if err != nil {
		out.abort()
		return fail(err)
	}
	return out.trees[0], nil
}

// Add starts one more tree in the file of w. It is completed by the Close of the
// writer that [Create] returned, and needs none of its own.
func (w *Writer) Add(tree, title string, fields []Field) (*Writer, error) {
	out := w.out
	err := out.err
	if err == nil {
		err = checkFields(fields)
	}
	for _, other := range out.trees {
		if strings.Trim(other.path, "/") == strings.Trim(tree, "/") {
			err = errors.New("there is one of that name already")
		}
	}
	var added *Writer
	if err == nil {
		added, err = out.add(tree, title, fields)
	}
	if err != nil {
		return nil, fmt.Errorf("rootio: could not create tree %q in %q: %w", tree, out.name, err)
	}
	return added, nil
}

func checkFields(fields []Field) error {
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
		case strings.ContainsAny(f.Name, "[]"):
			return fmt.Errorf("the name of column %q would make it an array", f.Name)
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

// start opens the temporary file and writes all that comes before trees.
func (out *output) start(c Compression) (err error) {
	defer guard(&err)
	if size := out.opts.basketSize; size < 1 || size > 1<<30 {
		return fmt.Errorf("a basket cannot have %d bytes", size)
	}
	compression, err := c.option()
	if err != nil {
		return err
	}
	path, err := shortest(out.tmp)
	if err != nil {
		return err
	}
	out.file, err = riofs.Create(path, compression)
	if err != nil {
		return err
	}
	for _, text := range out.opts.texts {
		if err := out.file.Put(text[0], rbase.NewObjString(text[1])); err != nil {
			return err
		}
	}
	return nil
}

func (out *output) add(tree, title string, fields []Field) (w *Writer, err error) {
	defer guard(&err)
	dir, name, err := makeDirs(out.file, tree)
	if err != nil {
		return nil, err
	}
	w = &Writer{out: out, path: tree, title: title, fields: slices.Clone(fields)}
	w.tree, err = rtree.NewWriter(dir, name, w.vars(), rtree.WithTitle(title), rtree.WithBasketSize(out.opts.basketSize))
	if err != nil {
		return nil, err
	}
	out.trees = append(out.trees, w)
	return w, nil
}

// counted is a jagged column and the column that counts its values.
type counted struct{ column, counter int }

// vars returns a variable for each branch that the fields make, and connects the
// columns of tables to them.
func (w *Writer) vars() []rtree.WriteVar {
	var vars []rtree.WriteVar
	scalars := make(map[string]int) // the places of columns
	jagged := 0
	for i := 0; i < len(w.fields); {
		f := w.fields[i]
		typ, dims := typeOfKind(f.Kind), arrayAt(w.fields[i:])
		v := rtree.WriteVar{Name: f.Name}
		n := 1
		switch {
		case f.IsJagged():
			typ = reflect.SliceOf(typ)
			if f.Counter != Vector {
				v.Count = f.Counter
				w.counted = append(w.counted, counted{jagged, scalars[f.Counter]})
			}
		case dims != nil:
			v.Name, _, _ = strings.Cut(f.Array, "[")
			for k := len(dims) - 1; k >= 0; k-- {
				typ = reflect.ArrayOf(dims[k], typ)
				n *= dims[k]
			}
		}
		ptr := reflect.New(typ)
		v.Value = ptr.Interface()
		vars = append(vars, v)
		if f.IsJagged() {
			place := jagged
			w.cells = append(w.cells, func(t *Table) cell { return newJaggedCell(ptr, &t.Jagged[place]) })
			jagged++
		}
		for e := range n {
			if f.IsJagged() {
				break
			}
			place := len(scalars)
			scalars[w.fields[i+e].Name] = place
			w.cells = append(w.cells, func(t *Table) cell { return newCell(elementOf(ptr, dims, e), t.Columns[place]) })
		}
		i += n
	}
	return vars
}

// arrayAt returns the dimensions of the array whose elements the first of the
// fields are, nil if they are not all there in order.
func arrayAt(fields []Field) []int {
	name, shape, _ := strings.Cut(fields[0].Array, "[")
	if fields[0].IsJagged() || name == "" {
		return nil
	}
	var dims []int
	elems := 1
	for _, s := range strings.Split(strings.TrimSuffix(shape, "]"), "][") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > len(fields)/elems {
			return nil
		}
		dims = append(dims, n)
		elems *= n
	}
	for e, f := range fields[:elems] {
		if f.Array != fields[0].Array || f.Index != e || f.Kind != fields[0].Kind || f.IsJagged() {
			return nil
		}
	}
	return dims
}

// shortest returns the path of the file seen from here, or its absolute path:
// ROOT keeps it, twice, in a record of at most 1000 bytes.
func shortest(path string) (string, error) {
	const most = 400
	if abs, err := filepath.Abs(path); err == nil {
		if dir, err := os.Getwd(); err == nil {
			if rel, err := filepath.Rel(dir, abs); err == nil && len(rel) < len(path) {
				path = rel
			}
		}
	}
	if len(path) > most {
		return "", fmt.Errorf("its path has %d characters, a ROOT file can have %d: change to its directory first", len(path), most)
	}
	return path, nil
}

// makeDirs makes the directories of "dir/sub/tree" and returns the last of
// them and the name of the tree.
func makeDirs(file *riofs.File, tree string) (riofs.Directory, string, error) {
	path, _, err := splitCycle(strings.Trim(tree, "/"))
	if err != nil {
		return nil, "", err
	}
	parts := strings.Split(path, "/")
	var dir riofs.Directory = file
	for i, part := range parts {
		if part == "" {
			return nil, "", fmt.Errorf("%q is not the name of a tree", tree)
		}
		if i == len(parts)-1 {
			break
		}
		if obj, err := dir.Get(part); err == nil {
			sub, ok := obj.(riofs.Directory)
			if !ok {
				return nil, "", fmt.Errorf("%q is no directory", part)
			}
			dir = sub
			continue
		}
		if dir, err = dir.Mkdir(part); err != nil {
			return nil, "", err
		}
	}
	return dir, parts[len(parts)-1], nil
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
		out.err = fmt.Errorf("rootio: could not write event %d of tree %q to %q: %w", w.events, w.tree.Name(), out.name, out.err)
	}
	return out.err
}

func (w *Writer) write(t *Table) (err error) {
	defer guard(&err)
	if err := w.check(t); err != nil {
		return err
	}
	cells := make([]cell, len(w.cells))
	for i, connect := range w.cells {
		cells[i] = connect(t)
	}
	for row := range t.Len() {
		for _, c := range cells {
			c.load(row)
		}
		if _, err := w.tree.Write(); err != nil {
			return err
		}
		w.events++
	}
	if w.out.opts.bins > 0 && t.Len() > 0 {
		w.fill(t)
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
		counts := make([]float64, t.Len())
		counter.Floats(counts, 0)
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
func (out *output) finish() (err error) {
	defer guard(&err)
	var fields []Field
	for _, w := range out.trees {
		if err := w.tree.Close(); err != nil {
			return err
		}
		fields = append(fields, w.fields...)
	}
	if err := out.putHistograms(); err != nil {
		return err
	}
	if err := addStreamers(out.file, fields); err != nil {
		return err
	}
	err = out.file.Close()
	if err == nil {
		out.file = nil
	}
	return err
}

// readBack checks the closed temporary file as a reader would.
//
// groot (v0.40.0) spoils some baskets that hardly compress, without an error. If a
// compressed block comes out a few bytes longer than the data, it loses its end
// (rcompress.wbuff.Write): of zlib part of the checksum, of other algorithms data. If
// with its header it comes out as long as the data, every reader takes it for data
// that are not compressed. So a file in zlib that is found to be spoilt is written
// once more as it is, and a file in another compression is written as it is first.
func (out *output) readBack() error {
	fault := verifyFile(out.tmp)
	switch {
	case fault != nil && out.opts.compression == Zlib:
		fault, err := out.rewrite(NoCompression)
		return errors.Join(err, fault)
	case fault != nil:
		return fault
	case out.opts.compression == Zlib || out.opts.compression == NoCompression:
		return nil
	}
	_, err := out.rewrite(out.opts.compression) // with a fault the file stays as it is
	return err
}

// rewrite writes the temporary file once more, in another compression. If the result
// has a fault, the old one is kept.
func (out *output) rewrite(compression Compression) (fault, err error) {
	again := &output{name: out.name, opts: out.opts}
	again.opts.compression, again.opts.bins = compression, 0
	if again.tmp, err = atomicfile.Temp(out.name); err != nil {
		return nil, err
	}
	defer again.abort()
	if err := again.start(compression); err != nil {
		return nil, err
	}
	for _, w := range out.trees {
		to, err := again.add(w.path, w.title, w.fields)
		if err == nil {
			to.histograms = w.histograms
			err = out.copyTree(to, w)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := again.finish(); err != nil {
		return nil, err
	}
	if fault := verifyFile(again.tmp); fault != nil {
		return fault, nil
	}
	out.tmp, again.tmp = again.tmp, out.tmp // the one to keep, the one to throw away
	return nil, nil
}

// copyTree copies the events of a tree of the temporary file.
func (out *output) copyTree(to, from *Writer) error {
	t := Tree{lax: true}
	if err := t.add(context.Background(), out.tmp, from.path, checkMetadata); err != nil {
		return err
	}
	defer t.Close()
	var names []string
	for _, f := range from.fields {
		names = append(names, f.Name)
	}
	for table, err := range t.Chunks(names, 0) {
		if err == nil {
			err = to.Write(table)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func verifyFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return verify(f, info.Size(), checkOwn)
}

// Abort gives up: the temporary file is removed. It does nothing after Close.
func (w *Writer) Abort() { w.out.abort() }

func (out *output) abort() {
	if out.done {
		return
	}
	out.done = true
	if out.file != nil {
		closeQuietly(out.file)
	}
	atomicfile.Discard(out.tmp)
}

func closeQuietly(f *riofs.File) {
	defer func() { _ = recover() }() // the file is thrown away in any case
	_ = f.Close()
}

// typeOfKind returns the Go type of the values of a column.
func typeOfKind(k Kind) reflect.Type {
	return reflect.TypeOf(NewColumn(Field{Kind: k}, 0).Values()).Elem()
}
