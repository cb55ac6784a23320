package main

import (
	"fmt"
	"iter"
	"slices"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/rootio"
)

// generateObjects writes events with collections of objects, as many in each as in
// the training events.
func (f *generateFlags) generateObjects(cmd *cobra.Command, model *surrogate.Surrogate) (tails surrogate.Tails, err error) {
	collection := model.Card.Collection
	fields := jagged(model, collection.CounterName())
	if collection.Counter.Name != "" {
		fields = slices.Insert(fields, 0, collection.Counter)
	}
	tree := f.tree
	if tree == "" {
		tree = treeName(model.Card.Tree)
	}
	w, err := f.create(tree, fields)
	if err != nil {
		return tails, err
	}
	defer w.Abort()
	bar := newCounter(cmd.ErrOrStderr(), f.n)
	defer bar.finish()
	for first := int64(0); first < f.n; first += chunk {
		if err := cmd.Context().Err(); err != nil {
			return tails, err
		}
		counts := make([]int, min(chunk, f.n-first))
		model.Multiplicities(counts, f.seed, uint64(first))
		out := &rootio.Table{}
		if collection.Counter.Name != "" {
			out = rootio.NewTable(fields[:1], len(counts))
			numbers := make([]float64, len(counts))
			for i, n := range counts {
				numbers[i] = float64(n)
			}
			out.Columns[0].SetFloats(0, numbers)
		}
		var t surrogate.Tails
		if out.Jagged, t, err = f.draw(model, nil, first, counts); err != nil {
			return tails, err
		}
		tails.Add(t)
		if err := w.Write(out); err != nil {
			return tails, err
		}
		bar.add(len(counts))
	}
	return tails, w.Close()
}

// jagged returns the fields of the model's features as branches of objects.
func jagged(model *surrogate.Surrogate, counter string) []rootio.Field {
	fields := model.Features.Fields()
	for i := range fields {
		fields[i].Counter = counter
	}
	return fields
}

// draw draws so many objects for each of the events first, first+1, …; given has
// their conditions.
func (f *generateFlags) draw(model *surrogate.Surrogate, given *rootio.Table, first int64, counts []int) ([]rootio.Jagged, surrogate.Tails, error) {
	offsets := make([]int, len(counts)+1)
	var rows []uint64
	for i, n := range counts {
		offsets[i+1] = offsets[i] + n
		for k := range n {
			rows = append(rows, surrogate.ObjectRow(uint64(first)+uint64(i), k))
		}
	}
	f.objects += int64(len(rows))
	objects := rootio.NewTable(model.Features.Fields(), len(rows))
	tails, err := model.GenerateRows(objects, given, f.seed, rows)
	if err != nil {
		return nil, tails, err
	}
	var out []rootio.Jagged
	for _, c := range objects.Columns {
		out = append(out, rootio.Jagged{Column: c, Offsets: offsets})
	}
	return out, tails, nil
}

// generateObjectsFor writes the events of the input with new values of the model's
// features in each object. All other branches are carried along.
func (f *generateFlags) generateObjectsFor(cmd *cobra.Command, model *surrogate.Surrogate) (tails surrogate.Tails, err error) {
	in, err := f.view.open(cmd.Context(), f.inTree, f.inputs)
	if err != nil {
		return tails, err
	}
	defer in.Close()
	plan, err := newObjectPlan(in, model, f.view.options)
	if err != nil {
		return tails, err
	}
	tree := f.tree
	if tree == "" {
		tree = treeName(in.Name())
	}
	w, err := f.create(tree, plan.fields)
	if err != nil {
		return tails, err
	}
	defer w.Abort()
	bar := newCounter(cmd.ErrOrStderr(), in.Len())
	defer bar.finish()
	size := chunkOf(len(plan.fields))
	next, stop := iter.Pull2(plan.conditions.Chunks(plan.given, size))
	defer stop()
	f.n = 0
	for events, err := range in.Chunks(plan.read, size) {
		if err == nil {
			err = cmd.Context().Err()
		}
		if err != nil {
			return tails, err
		}
		counts, err := plan.counts(events, f.n)
		if err != nil {
			return tails, fmt.Errorf("%s: %w", source(in.Files(), in.Name()), err)
		}
		var given *rootio.Table
		if len(plan.given) > 0 {
			if given, err, _ = next(); err != nil {
				return tails, err
			}
			if plan.perEvent {
				given = repeat(given, counts)
			}
		}
		drawn, t, err := f.draw(model, given, f.n, counts)
		if err != nil {
			return tails, fmt.Errorf("%s: %w", source(in.Files(), in.Name()), err)
		}
		tails.Add(t)
		if err := w.Write(plan.table(events, drawn)); err != nil {
			return tails, err
		}
		f.n += int64(events.Len())
		bar.add(events.Len())
	}
	if err := w.Close(); err != nil {
		return tails, err
	}
	bar.finish()
	plan.carried.say(cmd.ErrOrStderr())
	return tails, nil
}

// objectPlan is how events of an input become events with other objects.
type objectPlan struct {
	fields     []rootio.Field // that are written
	carried    carriage       // of the input: all of it, for features are drawn into their places
	read       []string       // the columns that are read of the input
	counter    string         // the column that counts the objects, or a jagged one of them
	conditions *rootio.View   // of the input
	given      []string       // the columns of the conditions
	perEvent   bool           // the conditions are those of events, not of objects
}

func newObjectPlan(in *rootio.Tree, model *surrogate.Surrogate, view rootio.ViewOptions) (*objectPlan, error) {
	p := &objectPlan{given: model.Context.Names()}
	counter := model.Card.Collection.CounterName()
	collection, err := in.Collection(view.Each)
	isThere := slices.ContainsFunc(in.Fields(), func(f rootio.Field) bool { return f.Name == counter })
	switch {
	case err == nil:
		counter = collection.CounterName()
		p.counter = counter
		if counter == rootio.Vector {
			p.counter = collection.Fields[0].Name
		}
	case isThere:
		p.counter = counter
	default:
		return nil, err
	}

	features := jagged(model, counter)
	isFeature := func(name string) int {
		return slices.IndexFunc(features, func(f rootio.Field) bool { return f.Name == name })
	}
	p.carried = newCarriage(in, nil)
	for _, f := range p.carried.fields {
		p.read = append(p.read, f.Name)
		if i := isFeature(f.Name); i >= 0 {
			f = features[i]
		}
		p.fields = append(p.fields, f)
	}
	for _, f := range features {
		if !slices.Contains(p.read, f.Name) {
			p.fields = append(p.fields, f)
		}
	}

	events := view
	events.Each = ""
	if p.conditions, err = in.View(events); err == nil {
		if _, err = p.conditions.Resolve(p.given); err == nil {
			p.perEvent = true
			return p, nil
		}
	}
	if p.conditions, err = in.View(view); err == nil {
		_, err = p.conditions.Resolve(p.given)
	}
	return p, err
}

// counts returns the number of objects of each event; first is the number of the
// first event.
func (p *objectPlan) counts(events *rootio.Table, first int64) ([]int, error) {
	const most = 1<<16 - 1
	counts := make([]int, events.Len())
	for _, j := range events.Jagged {
		if j.Name != p.counter {
			continue
		}
		for i := range counts {
			counts[i] = j.Offsets[i+1] - j.Offsets[i]
		}
	}
	if c, ok := events.Column(p.counter); ok {
		numbers := make([]float64, len(counts))
		c.Floats(numbers, 0)
		for i, n := range numbers {
			counts[i] = int(max(-1, min(n, most+1)))
		}
	}
	for i, n := range counts {
		if n < 0 || n > most {
			return nil, fmt.Errorf("event %d cannot have so many objects as %q says", first+int64(i), p.counter)
		}
	}
	return counts, nil
}

// table returns the events with the objects that were drawn for them.
func (p *objectPlan) table(events *rootio.Table, drawn []rootio.Jagged) *rootio.Table {
	out := &rootio.Table{}
	for _, f := range p.fields {
		if !f.IsJagged() {
			c, _ := events.Column(f.Name)
			out.Columns = append(out.Columns, c)
			continue
		}
		from := events.Jagged
		if slices.ContainsFunc(drawn, func(j rootio.Jagged) bool { return j.Name == f.Name }) {
			from = drawn
		}
		i := slices.IndexFunc(from, func(j rootio.Jagged) bool { return j.Name == f.Name })
		out.Jagged = append(out.Jagged, from[i])
	}
	return out
}

// repeat returns a table with each row repeated so many times.
func repeat(t *rootio.Table, counts []int) *rootio.Table {
	var places []int
	for i, n := range counts {
		for range n {
			places = append(places, i)
		}
	}
	return t.Take(places)
}
