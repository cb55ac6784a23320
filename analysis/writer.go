package analysis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/analysis/task"
	"github.com/eidolon-hep/eidolon/rootio"
)

// TreeWriter is an fwk.OutputStreamer that writes a ROOT tree: each port becomes the
// branch of its name. It is registered as a component, an output stream with these
// fields as properties besides Ports:
//
//	app.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.TreeWriter", Name: "out", Props: fwkjob.P{
//		"File": "out.root",
//		"Ports": []fwk.Port{{Name: "mass", Type: reflect.TypeFor[float64]()}},
//	}})
//
// A port that carries a slice becomes a branch with a number of values that varies, or,
// with Batch, a value for each of several entries. Entries are in the order of the events, for any NProcs. The file appears under its
// name when the job has gone well, if it is run by [job.Run]; otherwise when it is
// disconnected. It says what job, models and seeds it comes from (“eidolon info” prints it). Without ports, all are written whose types are known to it.
type TreeWriter struct {
	// File is the name of the file.
	File string
	// Tree is the name of the tree, by default Events.
	Tree string
	// Batch says that the ports carry slices with a value for each of several entries.
	Batch bool
	// Counters name, for ports that carry slices, the port that says how many values there
	// are: such a branch becomes a counted array, which stands behind its counter; others
	// become std::vectors. What TreeReader has read has its counter already, under job.Run.
	Counters map[string]string
	// Select, when it is not empty, names one of the ports, of type bool, or []bool in
	// batches: entries are written where it is true. It is not written itself.
	Select string
	// Options are those of rootio.Create.
	Options []rootio.Option

	origin  rootio.Option // stores where the events come from, under job.Run
	layout  *layout
	chosen  int // the place of Select among the ports, or −1
	out     *rootio.Writer
	pending map[int64][]any // events that came before their turn, values as in layout
	next    int64           // the event whose turn it is
	rows    *rootio.Table   // not yet written
	err     error           // the first one
}

// writeBehind is the number of entries that are written at a time.
const writeBehind = 1 << 12

func init() {
	job.RegisterOutput(func() fwk.OutputStreamer { return &TreeWriter{} })
}

// Connect starts the file.
func (w *TreeWriter) Connect(ports []fwk.Port) (err error) {
	if w.File == "" {
		return errors.New("there is no file to write (property File)")
	}
	if w.layout, err = newLayout(ports); err != nil {
		return err
	}
	for i, p := range ports {
		switch {
		case w.Batch && !w.layout.isSliced(i):
			return fmt.Errorf("port %q is %v: with Batch all ports carry slices", p.Name, p.Type)
		case w.Batch || !w.layout.isSliced(i):
		case w.Counters[p.Name] != "":
			w.layout.fields[i].Counter = w.Counters[p.Name]
		default:
			w.layout.fields[i].Counter = rootio.Vector
		}
	}
	fields := w.layout.fields
	w.chosen = -1
	if w.Select != "" {
		w.chosen = slices.IndexFunc(fields, func(f rootio.Field) bool { return f.Name == w.Select })
		if w.chosen < 0 {
			return fmt.Errorf("port %q, which selects, is none of the ports (%s)", w.Select, strings.Join(names(ports), ", "))
		}
		if f := fields[w.chosen]; f.Kind != rootio.Bool || f.IsJagged() {
			return fmt.Errorf("port %q, which selects, is %v, not bool", w.Select, ports[w.chosen].Type)
		}
		fields = slices.Delete(slices.Clone(fields), w.chosen, w.chosen+1)
	}
	w.pending, w.next, w.rows, w.err = map[int64][]any{}, 0, rootio.NewTable(fields, 0), nil
	options := slices.Clone(w.Options)
	if w.origin != nil {
		options = append(options, w.origin)
	}
	w.out, err = rootio.Create(w.File, cmp.Or(w.Tree, "Events"), fields, options...)
	return err
}

// Writes returns the file.
func (w *TreeWriter) Writes() string { return w.File }

// CheckOutput returns an error if the file cannot be written, or if one of the user's would be
// lost by it: see [task.CheckOutput].
func (w *TreeWriter) CheckOutput(inputs []string) error {
	return task.CheckOutput(context.Background(), w.File, inputs...)
}

// SetOrigin says where the events come from.
func (w *TreeWriter) SetOrigin(o rootio.Option) { w.origin = o }

// Complete gives the ports the counters that they have where they come from.
func (w *TreeWriter) Complete(known *job.Ports, ports []fwk.Port) {
	if w.Batch {
		return
	}
	all, told := names(ports), w.Counters
	w.Counters = map[string]string{}
	for i, p := range ports {
		if at := slices.Index(all, known.Counter(p.Name)); at >= 0 && at < i {
			w.Counters[p.Name] = known.Counter(p.Name)
		}
	}
	maps.Copy(w.Counters, told)
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
	values, err := w.layout.values(ctx.Store())
	if err != nil {
		return err
	}
	w.pending[ctx.ID()] = values
	for {
		values, ok := w.pending[w.next]
		if !ok {
			return nil
		}
		delete(w.pending, w.next)
		if err := w.append(values); err != nil {
			if w.next != ctx.ID() {
				err = fmt.Errorf("event %d, before it: %w", w.next, err)
			}
			return err
		}
		w.next++
		if w.rows.Len() < writeBehind {
			continue
		}
		if err := w.flush(); err != nil {
			return err
		}
	}
}

// append adds the selected rows of an event to those that are to be written.
func (w *TreeWriter) append(values []any) error {
	var places []int // of the selected rows; nil: all
	rows := -1       // how many there are
	if w.chosen >= 0 {
		chosen, ok := w.layout.access[w.chosen].column("", values[w.chosen])
		if !ok {
			return w.layout.wrongType(w.chosen, values[w.chosen])
		}
		places, rows = whereTrue(chosen.Values().([]bool)), chosen.Len()
		if len(places) == 0 {
			return nil
		}
	}
	column, jagged := 0, 0
	for i, v := range values {
		if i == w.chosen {
			continue
		}
		c, ok := w.layout.access[i].column("", v)
		if !ok {
			return w.layout.wrongType(i, v)
		}
		if w.layout.fields[i].IsJagged() {
			j := &w.rows.Jagged[jagged]
			j.Column = j.Column.Append(c)
			j.Offsets = append(j.Offsets, j.Len())
			jagged++
			continue
		}
		to := &w.rows.Columns[column]
		if rows >= 0 && c.Len() != rows {
			return fmt.Errorf("port %q has %d values, others have %d", w.layout.ports[i].Name, c.Len(), rows)
		}
		if rows = c.Len(); places != nil {
			c = c.Take(places)
		}
		*to = to.Append(c)
		column++
	}
	return nil
}

// whereTrue returns the places of what is true.
func whereTrue(chosen []bool) []int {
	places := []int{}
	for i, yes := range chosen {
		if yes {
			places = append(places, i)
		}
	}
	return places
}

// flush writes the rows that wait.
func (w *TreeWriter) flush() error {
	if err := w.out.Write(w.rows); err != nil {
		return err
	}
	for i, c := range w.rows.Columns {
		w.rows.Columns[i] = c.Slice(0, 0) // the memory stays
	}
	for i := range w.rows.Jagged {
		j := &w.rows.Jagged[i]
		j.Column, j.Offsets = j.Slice(0, 0), j.Offsets[:1]
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
