package rootio

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

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

// Option sets how [Create] writes a file.
type Option func(*options)

type options struct {
	compression Compression
	basketSize  int
	title       string
}

// WithCompression sets the compression. The default is [Zlib].
func WithCompression(c Compression) Option { return func(o *options) { o.compression = c } }

// WithBasketSize sets the number of bytes of one branch that are compressed
// together. The default is 256 kB; a small basket makes a slow, large file.
func WithBasketSize(bytes int) Option { return func(o *options) { o.basketSize = bytes } }

// WithTitle sets the title of the tree.
func WithTitle(title string) Option { return func(o *options) { o.title = title } }

// Writer writes a tree to a file.
type Writer struct {
	name   string // of the file
	tmp    string
	path   string // of the tree in the file
	opts   options
	file   *riofs.File
	tree   rtree.Writer
	fields []Field
	values []any // pointers to the values of the next event
	events int64
	err    error // the first one
	done   bool
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
func Create(file, tree string, fields []Field, opts ...Option) (*Writer, error) {
	o := options{basketSize: 256 << 10}
	for _, opt := range opts {
		opt(&o)
	}
	return create(file, tree, fields, o)
}

func create(file, tree string, fields []Field, o options) (*Writer, error) {
	if err := checkFields(fields); err != nil {
		return nil, fmt.Errorf("rootio: could not create tree %q in %q: %w", tree, file, err)
	}
	tmp, err := atomicfile.Temp(file)
	if err != nil {
		return nil, fmt.Errorf("rootio: %w", err)
	}
	w := &Writer{name: file, tmp: tmp, path: tree, opts: o, fields: slices.Clone(fields)}
	if err := w.start(); err != nil {
		w.Abort()
		return nil, fmt.Errorf("rootio: could not create tree %q in %q: %w", tree, file, err)
	}
	return w, nil
}

func checkFields(fields []Field) error {
	if len(fields) == 0 {
		return errors.New("there are no columns to write")
	}
	seen := make(map[string]bool, len(fields))
	for _, f := range fields {
		switch {
		case f.Name == "":
			return errors.New("a column has no name")
		case seen[f.Name]:
			return fmt.Errorf("two columns are called %q", f.Name)
		case strings.ContainsAny(f.Name, "[]"):
			return fmt.Errorf("the name of column %q would make it an array", f.Name)
		case f.Kind < Bool || f.Kind > Float64:
			return fmt.Errorf("column %q has no type", f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

// start opens the temporary file and writes all that comes before events.
func (w *Writer) start() (err error) {
	defer guard(&err)
	if size := w.opts.basketSize; size < 1 || size > 1<<30 {
		return fmt.Errorf("a basket cannot have %d bytes", size)
	}
	compression, err := w.opts.compression.option()
	if err != nil {
		return err
	}
	path, err := shortest(w.tmp)
	if err != nil {
		return err
	}
	w.file, err = riofs.Create(path, compression)
	if err != nil {
		return err
	}
	dir, name, err := makeDirs(w.file, w.path)
	if err != nil {
		return err
	}
	vars := make([]rtree.WriteVar, len(w.fields))
	for i, f := range w.fields {
		w.values = append(w.values, reflect.New(typeOfKind(f.Kind)).Interface())
		vars[i] = rtree.WriteVar{Name: f.Name, Value: w.values[i]}
	}
	w.tree, err = rtree.NewWriter(dir, name, vars, rtree.WithTitle(w.opts.title), rtree.WithBasketSize(w.opts.basketSize))
	return err
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
		if dir, err = dir.Mkdir(part); err != nil {
			return nil, "", err
		}
	}
	return dir, parts[len(parts)-1], nil
}

// Write appends the events of the table. Its columns are those of the fields
// given to [Create]: same order, names and kinds. After an error every further
// Write and Close returns it.
func (w *Writer) Write(t *Table) error {
	if w.err != nil {
		return w.err
	}
	if w.done {
		return fmt.Errorf("rootio: %q is written to after it was closed", w.name)
	}
	if w.err = w.write(t); w.err != nil {
		w.err = fmt.Errorf("rootio: could not write event %d of tree %q to %q: %w", w.events, w.tree.Name(), w.name, w.err)
	}
	return w.err
}

func (w *Writer) write(t *Table) (err error) {
	defer guard(&err)
	cells, err := w.cells(t)
	if err != nil {
		return err
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
	return nil
}

// cells connects the columns of the table to the values that groot writes.
func (w *Writer) cells(t *Table) ([]cell, error) {
	if len(t.Columns) != len(w.fields) {
		return nil, fmt.Errorf("the table has %d columns, the tree %d", len(t.Columns), len(w.fields))
	}
	cells := make([]cell, len(t.Columns))
	for i, c := range t.Columns {
		f := w.fields[i]
		switch {
		case c.Name != f.Name:
			return nil, fmt.Errorf("column %d is %q, not %q", i, c.Name, f.Name)
		case c.Kind != f.Kind:
			return nil, fmt.Errorf("column %q is %v, not %v", c.Name, c.Kind, f.Kind)
		case c.Len() != t.Len():
			return nil, fmt.Errorf("column %q has %d values, the table %d events", c.Name, c.Len(), t.Len())
		}
		cells[i] = newCell(reflect.ValueOf(w.values[i]), c)
	}
	return cells, nil
}

// Close completes the file, reads it back to compare its checksums, and gives it
// its name. After an error, its own or one of Write, the temporary file is gone
// and the target as it was before. A second Close does nothing.
func (w *Writer) Close() error {
	if w.done {
		return nil
	}
	if w.err == nil {
		err := w.finish()
		if err == nil {
			err = w.readBack()
		}
		if err != nil {
			w.err = fmt.Errorf("rootio: could not complete tree %q in %q: %w", w.path, w.name, err)
		}
	}
	if w.err != nil {
		w.Abort()
		return w.err
	}
	w.done = true
	if err := atomicfile.Commit(w.tmp, w.name); err != nil {
		return fmt.Errorf("rootio: %w", err)
	}
	return nil
}

// finish writes what comes after the events and closes the temporary file.
func (w *Writer) finish() (err error) {
	defer guard(&err)
	if err := w.tree.Close(); err != nil {
		return err
	}
	if err := addLeafStreamers(w.file, w.fields); err != nil {
		return err
	}
	err = w.file.Close()
	if err == nil {
		w.file = nil
	}
	return err
}

// readBack checks the closed temporary file as a reader would.
//
// groot takes part of a write without an error when a compressed block comes out
// up to three bytes longer than the data (v0.40.0: rcompress.wbuff.Write). Of a
// zlib block that is the end of its checksum, which groot itself never reads, but
// ROOT and we do: so the events are all there, and are written once more, as they
// are. Blocks of other algorithms may have lost data.
func (w *Writer) readBack() error {
	fault := verifyFile(w.tmp)
	if fault == nil || w.opts.compression == NoCompression {
		return fault
	}
	if w.opts.compression != Zlib {
		return fmt.Errorf("what was written %w: choose another compression", fault)
	}
	var t Tree
	if err := t.add(w.tmp, w.path, checkMetadata); err != nil {
		return err
	}
	defer t.Close()
	o := w.opts
	o.compression = NoCompression
	again, err := create(w.name, w.path, w.fields, o)
	if err != nil {
		return err
	}
	defer again.Abort()
	const events = 1 << 14
	for table, err := range t.Chunks(nil, events) {
		if err == nil {
			err = again.Write(table)
		}
		if err != nil {
			return err
		}
	}
	if err := again.finish(); err != nil {
		return err
	}
	if err := again.readBack(); err != nil {
		return err
	}
	w.tmp, again.tmp = again.tmp, w.tmp // the one to keep, the one to throw away
	return nil
}

func verifyFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return verify(f, checkAll)
}

// Abort gives up: the temporary file is removed. It does nothing after Close.
func (w *Writer) Abort() {
	if w.done {
		return
	}
	w.done = true
	if w.file != nil {
		closeQuietly(w.file)
	}
	atomicfile.Discard(w.tmp)
}

func closeQuietly(f *riofs.File) {
	defer func() { _ = recover() }() // the file is thrown away in any case
	_ = f.Close()
}

// typeOfKind returns the Go type of the values of a column.
func typeOfKind(k Kind) reflect.Type {
	return reflect.TypeOf(NewColumn(Field{Kind: k}, 0).Values()).Elem()
}
