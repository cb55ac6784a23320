package analysis

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/rootio"
)

// TreeWriter is an fwk.OutputStreamer that writes a ROOT tree: each port becomes the
// branch of its name. It is registered as a component, an output stream with these
// fields as properties besides Ports:
//
//	app.Create(job.C{Type: "github.com/eidolon-hep/eidolon/analysis.TreeWriter", Name: "out", Props: job.P{
//		"File": "out.root",
//		"Ports": []fwk.Port{{Name: "mass", Type: reflect.TypeFor[float64]()}},
//	}})
//
// Entries are in the order of the events, for any NProcs. The file appears under its
// name when the job has gone well, if it is run by [Run]; otherwise when it is
// disconnected. Without ports, all are written whose types are known to [Run].
type TreeWriter struct {
	// File is the name of the file.
	File string
	// Tree is the name of the tree, by default Events.
	Tree string
	// Batch says that the ports carry slices with a value for each of several entries.
	Batch bool
	// Select, when it is not empty, names one of the ports, of type bool, or []bool in
	// batches: entries are written where it is true. It is not written itself.
	Select string
	// Options are those of rootio.Create.
	Options []rootio.Option

	layout  *layout
	chosen  int // the place of Select among the ports, or −1
	out     *rootio.Writer
	pending map[int64]*rootio.Table // events that came before their turn
	next    int64                   // the event whose turn it is
	rows    *rootio.Table           // not yet written
	err     error                   // the first one
}

// writeBehind is the number of entries that are written at a time.
const writeBehind = 1 << 12

func init() {
	fwk.Register(reflect.TypeFor[TreeWriter](), streamFactory(outputStream, func() (fwk.OutputStreamer, map[string]any) {
		w := &TreeWriter{Tree: "Events"}
		return w, map[string]any{
			"File": &w.File, "Tree": &w.Tree, "Batch": &w.Batch, "Select": &w.Select, "Options": &w.Options,
		}
	}))
}

// Connect starts the file.
func (w *TreeWriter) Connect(ports []fwk.Port) (err error) {
	if w.File == "" {
		return errors.New("there is no file to write (property File)")
	}
	if w.Tree == "" {
		w.Tree = "Events"
	}
	if w.layout, err = newLayout(ports); err != nil {
		return err
	}
	for i, p := range ports {
		if w.layout.isSliced(i) != w.Batch {
			return fmt.Errorf("port %q is %v: with Batch all ports carry slices, without it none does", p.Name, p.Type)
		}
	}
	fields := w.layout.fields
	w.chosen = -1
	if w.Select != "" {
		w.chosen = slices.IndexFunc(fields, func(f rootio.Field) bool { return f.Name == w.Select })
		if w.chosen < 0 {
			return fmt.Errorf("port %q, which selects, is none of the ports (%s)", w.Select, strings.Join(names(ports), ", "))
		}
		if k := fields[w.chosen].Kind; k != rootio.Bool {
			return fmt.Errorf("port %q, which selects, is %v, not bool", w.Select, k)
		}
		fields = slices.Delete(slices.Clone(fields), w.chosen, w.chosen+1)
	}
	w.pending, w.next, w.rows, w.err = map[int64]*rootio.Table{}, 0, rootio.NewTable(fields, 0), nil
	w.out, err = rootio.Create(w.File, w.Tree, fields, w.Options...)
	return err
}

// Write takes an event. It is written when all events before it have been. After an
// error every further Write returns it.
func (w *TreeWriter) Write(ctx fwk.Context) error {
	if w.err == nil {
		w.err = w.take(ctx)
	}
	return w.err
}

func (w *TreeWriter) take(ctx fwk.Context) error {
	t, err := w.layout.get(ctx.Store())
	if err != nil {
		return err
	}
	w.pending[ctx.ID()] = t
	for {
		t, ok := w.pending[w.next]
		if !ok {
			return nil
		}
		delete(w.pending, w.next)
		w.next++
		w.append(t)
		if w.rows.Len() < writeBehind {
			continue
		}
		if err := w.flush(); err != nil {
			return err
		}
	}
}

// append adds the selected rows of an event to those that are to be written.
func (w *TreeWriter) append(t *rootio.Table) {
	var places []int // nil: all
	if w.chosen >= 0 {
		places = []int{}
		for i, yes := range t.Columns[w.chosen].Values().([]bool) {
			if yes {
				places = append(places, i)
			}
		}
	}
	k := 0
	for i, c := range t.Columns {
		if i == w.chosen {
			continue
		}
		if places != nil {
			c = c.Take(places)
		}
		w.rows.Columns[k] = w.layout.access[i].join(w.rows.Columns[k], c)
		k++
	}
}

// flush writes the rows that wait.
func (w *TreeWriter) flush() error {
	if err := w.out.Write(w.rows); err != nil {
		return err
	}
	for i, c := range w.rows.Columns {
		w.rows.Columns[i] = c.Slice(0, 0) // the memory stays
	}
	return nil
}

// Disconnect completes the file and gives it its name. If that fails, or anything did
// before, there is no file, and an older one stays as it was.
func (w *TreeWriter) Disconnect() error {
	if w.out == nil {
		return w.err
	}
	if w.err == nil && len(w.pending) > 0 {
		w.err = fmt.Errorf("could not complete %q: event %d never came", w.File, w.next)
	}
	if w.err == nil {
		w.err = w.flush()
	}
	if w.err == nil {
		w.err = w.out.Close()
	}
	w.Abort() // nothing after Close
	return w.err
}

// Abort gives up: nothing is left of the file. It does nothing after Disconnect.
func (w *TreeWriter) Abort() {
	if w.out != nil {
		w.out.Abort()
		w.out = nil
	}
}
