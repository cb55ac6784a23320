package analysis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"slices"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/rootio"
)

// TreeReader is an fwk.InputStreamer that reads a ROOT tree: each port carries the
// branch of its name. It is registered as a component, an input stream with these
// fields as properties besides Ports:
//
//	app.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.TreeReader", Name: "events", Props: fwkjob.P{
//		"Files": []string{"zmumu.root"},
//	}})
//
// A port of type T is a branch with one T per event, a port of type []T one with a number
// of them that varies: a counted array or a std::vector. Without ports, all branches of
// numbers are read, in batches those with one number per event; and a port without a type
// has that of its branch. For both the job must be run by [job.Run].
type TreeReader struct {
	// Files are read as one chain.
	Files []string
	// Tree is the name of the tree, as rootio.Open takes it. It may be left out when
	// each file has one.
	Tree string
	// Batch, when it is not 0, makes each event of fwk a batch of so many entries of the
	// tree (fewer in the last one): a port then carries a slice, []T, a value per entry.
	// fwk needs some ten microseconds per event, which a batch shares.
	Batch int
	// Define adds columns that are computed from others, and Where keeps the entries for
	// which an expression is true: both in the language of rootio.ViewOptions. With either,
	// branches with a number of values that varies are left out, and a batch has the kept
	// ones of so many entries.
	Define []string
	Where  string
	// Entry, when it is not empty, is the name of one more port, with the number of the
	// entry in the chain, among those that Where keeps: an int64, or []int64 in batches.
	Entry string

	tree  *rootio.Tree
	view  *rootio.View // of the tree, with Define or Where
	table tableStream
}

// readAhead is the number of entries that are decoded at a time when they are given
// one by one.
const readAhead = 1 << 12

func init() {
	job.RegisterInput(func() fwk.InputStreamer { return &TreeReader{} })
}

// open opens the tree, once.
func (r *TreeReader) open(ctx context.Context) error {
	switch {
	case r.tree != nil:
		return nil
	case len(r.Files) == 0:
		return errors.New("there are no files to read (property Files)")
	case r.Batch < 0 || r.Batch > mostInBatch:
		return fmt.Errorf("a batch cannot have %d entries (%d at most)", r.Batch, mostInBatch)
	}
	tree, err := rootio.Open(ctx, r.Tree, r.Files...)
	if err != nil {
		return err
	}
	if len(r.Define) > 0 || r.Where != "" {
		if r.view, err = tree.View(rootio.ViewOptions{Define: r.Define, Where: r.Where}); err != nil {
			_ = tree.Close()
			return err
		}
	}
	r.tree = tree
	return nil
}

// fields returns the columns that there are.
func (r *TreeReader) fields() []rootio.Field {
	if r.view != nil {
		return r.view.Fields()
	}
	return r.tree.AllFields()
}

// Reads returns the files.
func (r *TreeReader) Reads() []string { return r.Files }

// Complete opens the files and returns the ports with their types.
func (r *TreeReader) Complete(ctx context.Context, ports []fwk.Port) (job.Input, error) {
	if err := r.open(ctx); err != nil {
		return job.Input{}, err
	}
	fields := r.fields()
	if r.Batch > 0 {
		fields = slices.DeleteFunc(fields, rootio.Field.IsJagged)
	}
	counters := map[string]string{}
	for _, f := range r.tree.AllFields() {
		if f.IsJagged() && f.Counter != rootio.Vector {
			counters[f.Name] = f.Counter
		}
	}
	return job.Input{Ports: completeFrom(ports, fields, r.Batch > 0, r.Entry), Entry: r.Entry, Counters: counters}, nil
}

// Connect opens the files.
func (r *TreeReader) Connect(ports []fwk.Port) error {
	if err := r.open(context.Background()); err != nil {
		return err
	}
	return r.table.connect(ports, r.Batch, r.Entry, func(names []string) (iter.Seq2[*rootio.Table, error], error) {
		if err := r.check(ports); err != nil {
			return nil, err
		}
		size := readAhead
		if r.Batch > 0 {
			size = r.Batch
		}
		if r.view != nil {
			return r.view.Chunks(names, size), nil
		}
		return r.tree.Chunks(names, size), nil
	})
}

// check compares the types of the ports with those of the branches.
func (r *TreeReader) check(ports []fwk.Port) error {
	for _, f := range r.fields() {
		for _, p := range ports {
			if p.Name != f.Name {
				continue
			}
			if f.IsJagged() && r.Batch > 0 {
				return fmt.Errorf("branch %q has a number of values that varies: read it without Batch", f.Name)
			}
			if want := portType(f.Kind, r.Batch > 0 || f.IsJagged()); p.Type != want {
				return fmt.Errorf("port %q is %v, the branch is %v", p.Name, p.Type, want)
			}
		}
	}
	return nil
}

// Limit says how many entries are given at most, and Given how many were ([job.BatchInput]).
func (r *TreeReader) Limit(entries int64) { r.table.limit = entries }
func (r *TreeReader) Given() int64        { return r.table.first }

// Read puts the next entry, or batch of them, into an event of fwk.
func (r *TreeReader) Read(ctx fwk.Context) error { return r.table.read(ctx.Store()) }

// Disconnect closes the files.
func (r *TreeReader) Disconnect() error {
	r.table.close()
	if r.tree == nil {
		return nil
	}
	tree := r.tree
	r.tree, r.view = nil, nil
	return tree.Close()
}

// completeFrom returns ports with the types of the columns; all columns if there are no
// ports, and the port of entries.
func completeFrom(ports []fwk.Port, fields []rootio.Field, batch bool, entry string) []fwk.Port {
	columns := portsOf(fields, batch)
	if len(ports) == 0 {
		ports = columns
	}
	var full []fwk.Port
	hasEntry := entry == ""
	for _, p := range ports {
		if p.Name == entry {
			hasEntry = true
			p.Type = entryType(batch)
		}
		for _, c := range columns {
			if c.Name == p.Name && p.Type == nil {
				p.Type = c.Type
			}
		}
		if p.Type == nil {
			p.Type = reflect.TypeFor[float64]() // there is no such column: Connect says so
		}
		full = append(full, p)
	}
	if !hasEntry {
		full = append(full, fwk.Port{Name: entry, Type: entryType(batch)})
	}
	return full
}

func entryType(batch bool) reflect.Type {
	if batch {
		return reflect.TypeFor[[]int64]()
	}
	return reflect.TypeFor[int64]()
}

// tableStream hands the rows of tables to ports, one by one or table by table.
type tableStream struct {
	layout *layout
	batch  bool
	entry  string // the port of entries

	next  func() (*rootio.Table, error, bool)
	stop  func()
	table *rootio.Table
	row   int
	first int64 // the number of the row
	limit int64 // of rows in all; 0: none
}

// connect starts a stream to the ports. tables gives the columns with the names.
func (s *tableStream) connect(ports []fwk.Port, batch int, entry string, tables func(names []string) (iter.Seq2[*rootio.Table, error], error)) error {
	var columns []fwk.Port
	var names []string
	for _, p := range ports {
		if p.Name == entry {
			if p.Type != entryType(batch > 0) {
				return fmt.Errorf("port %q is %v, entries are %v", p.Name, p.Type, entryType(batch > 0))
			}
			continue
		}
		columns, names = append(columns, p), append(names, p.Name)
	}
	if len(columns) == 0 {
		return errors.New("there are no ports to read into (property Ports)")
	}
	var err error
	if s.layout, err = newLayout(columns); err != nil {
		return err
	}
	all, err := tables(names)
	if err != nil {
		return err
	}
	s.batch, s.entry = batch > 0, entry
	s.next, s.stop = iter.Pull2(all)
	return nil
}

func (s *tableStream) read(store fwk.Store) error {
	if s.limit > 0 && s.first == s.limit {
		return io.EOF
	}
	for s.table == nil || s.row == s.table.Len() { // a table may have no rows
		table, err, ok := s.next()
		if !ok {
			return io.EOF
		}
		if err != nil {
			return err
		}
		s.table, s.row = table, 0
	}
	if s.batch {
		return s.readBatch(store)
	}
	column, jagged := 0, 0
	for i, p := range s.layout.ports {
		var v any
		if s.layout.isSliced(i) {
			v = own(s.table.Jagged[jagged].Event(s.row))
			jagged++
		} else {
			v = s.layout.access[i].at(s.table.Columns[column], s.row)
			column++
		}
		if err := store.Put(p.Name, v); err != nil {
			return err
		}
	}
	s.row++
	s.first++
	if s.entry == "" {
		return nil
	}
	return store.Put(s.entry, s.first-1)
}

func (s *tableStream) readBatch(store fwk.Store) error {
	table := s.table
	if s.limit > 0 {
		table = table.Slice(0, int(min(int64(table.Len()), s.limit-s.first)))
	}
	n := table.Len()
	for i, p := range s.layout.ports {
		if err := store.Put(p.Name, own(table.Columns[i])); err != nil {
			return err
		}
	}
	s.row = s.table.Len()
	s.first += int64(n)
	if s.entry == "" {
		return nil
	}
	entries := make([]int64, n)
	for i := range entries {
		entries[i] = s.first - int64(n) + int64(i)
	}
	return store.Put(s.entry, entries)
}

// own returns a copy of the values of a column: the tables of the stream are used again.
func own(c rootio.Column) any { return rootio.NewColumn(c.Field, 0).Append(c).Values() }

func (s *tableStream) close() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}
