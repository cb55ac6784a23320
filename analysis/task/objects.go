package task

import (
	"fmt"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/rootio"
)

// objects are those of some events for which new values are drawn.
type objects struct {
	part    *rootio.Part  // the events of the input; nil without inputs
	numbers []uint64      // of the events
	offsets []int         // where the objects of each event begin, and the last ones end
	places  []int         // of the objects that are drawn, ascending; others stay as they are
	given   *rootio.Table // the conditions of these
	known   []bool        // for each event, whether all its conditions are among those of the training events
}

// newObjectEvents writes events with collections of objects, as many in each as in the training
// events.
func (g *generation) newObjectEvents() error {
	w, err := g.create(g.model.Card.Tree, newEvents(g.model, nil).Fields())
	if err != nil {
		return err
	}
	defer w.Abort()
	for first := int64(0); first < g.N; first += chunk {
		counts := make([]int, min(chunk, g.N-first))
		g.model.Multiplicities(counts, g.result.Seed, uint64(first))
		out := newEvents(g.model, counts)
		offsets := offsetsOf(counts)
		all := upTo(offsets[len(counts)])
		drawn, tails, err := g.draw(&objects{
			numbers: following(first, len(counts)), offsets: offsets, places: all, given: g.model.Context.Constants(len(all)),
		})
		if err != nil {
			return err
		}
		for i, c := range drawn.Columns {
			out.Jagged[len(out.Jagged)-len(drawn.Columns)+i].Column.Put(all, c)
		}
		if err := g.write(w, out, tails, g.N); err != nil {
			return err
		}
	}
	return w.Close()
}

// newEvents returns events with so many objects each, whose features are zero yet:
// columns of the event first, those of the features last. A condition is constant here.
func newEvents(model *surrogate.Surrogate, counts []int) *rootio.Table {
	collection := model.Card.Collection
	offsets := offsetsOf(counts)
	objects := offsets[len(counts)]
	out := &rootio.Table{}
	if collection.Counter.Name != "" {
		c := rootio.NewColumn(collection.Counter, len(counts))
		numbers := make([]float64, len(counts))
		for i, n := range counts {
			numbers[i] = float64(n)
		}
		c.SetFloats(0, numbers)
		out.Columns = append(out.Columns, c)
	}
	add := func(c rootio.Column) {
		c.Counter = collection.CounterName()
		out.Jagged = append(out.Jagged, rootio.Jagged{Column: c, Offsets: offsets})
	}
	ofEvents := model.Context.Constants(len(counts)).Columns
	for i, c := range model.Context.Constants(objects).Columns {
		switch {
		case has(collection.Fields, c.Name):
			add(c)
		case c.Name != collection.Counter.Name:
			out.Columns = append(out.Columns, ofEvents[i])
		}
	}
	for _, field := range model.Fields() {
		add(rootio.NewColumn(field, objects))
	}
	return out
}

// offsetsOf returns where the objects of each event begin, and the last ones end.
func offsetsOf(counts []int) []int {
	offsets := make([]int, len(counts)+1)
	for i, n := range counts {
		offsets[i+1] = offsets[i] + n
	}
	return offsets
}

// following returns n numbers that follow each other.
func following(first int64, n int) []uint64 {
	numbers := make([]uint64, n)
	for i := range numbers {
		numbers[i] = uint64(first) + uint64(i)
	}
	return numbers
}

// draw draws new values for the objects.
func (g *generation) draw(o *objects) (*rootio.Table, surrogate.Tails, error) {
	rows, event := make([]uint64, len(o.places)), 0
	for i, at := range o.places {
		for o.offsets[event+1] <= at {
			event++
		}
		rows[i] = surrogate.ObjectRow(o.numbers[event], at-o.offsets[event])
	}
	g.result.Objects += int64(len(rows))
	drawn := rootio.NewTable(g.model.Fields(), len(rows))
	tails, err := g.model.GenerateRows(g.ctx, drawn, o.given, g.result.Seed, rows)
	return drawn, tails, err
}

// objectsFor writes the events of the input with new values of the model's features in each
// object that passes the model's selection. All else is carried along, but what told of the
// objects that are replaced.
func (g *generation) objectsFor() error {
	in, err := open(g.ctx, g.NoVerify, g.InputTree, g.Inputs)
	if err != nil {
		return err
	}
	defer in.Close()
	plan, err := g.newObjectPlan(in)
	if err != nil {
		return err
	}
	known, fields := "", plan.fields
	if len(g.model.Context.Names()) > 0 {
		known = freeName(knownBranch, fields)
		fields = append(slices.Clip(fields), rootio.Field{Name: known, Title: "the conditions are among those of the training events", Kind: rootio.Bool})
	}
	w, err := g.create(in.Name(), fields, rootio.Like(in))
	if err != nil {
		return err
	}
	defer w.Abort()
	failed := func(err error) error { return fmt.Errorf("%s: %w", source(in.Files(), in.Name()), err) }
	for part, err := range plan.view.Parts(plan.wanted, plan.read, 0) {
		if err != nil {
			return err
		}
		o, err := plan.objects(part)
		if err != nil {
			return failed(err)
		}
		if known != "" {
			if o, err = g.admitObjects(o); err != nil {
				return failed(err)
			}
		}
		drawn, tails, err := g.draw(o)
		if err != nil {
			return failed(err)
		}
		g.result.Stayed += int64(o.offsets[len(o.offsets)-1] - len(o.places))
		events := plan.table(o, drawn)
		if known != "" {
			events.Columns = append(events.Columns, rootio.ColumnOf(known, o.known))
		}
		if err := g.write(w, events, tails, in.Len()); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	plan.say(g.Progress, g.result.Objects, g.result.Stayed)
	g.logStrays(g.strays, known)
	return nil
}

// admitObjects returns the objects that can be drawn for: all of them, or those of the events
// of which no object is left out. Events with an object whose condition the training events
// did not have are not known.
func (g *generation) admitObjects(o *objects) (*objects, error) {
	events := (&rootio.Part{Offsets: o.offsets}).EventOf(o.places)
	entries, within := make([]uint64, len(o.places)), make([]bool, len(o.places))
	for i, e := range events {
		entries[i] = o.numbers[e]
	}
	admitted, err := g.admit(o.given, entries)
	if err != nil {
		return nil, err
	}
	for i, row := range admitted.Rows {
		within[row] = admitted.Known[i]
	}
	for i, e := range events {
		o.known[e] = o.known[e] && within[i]
	}
	if len(admitted.Rows) == len(o.places) {
		o.given = admitted.Table
		return o, nil
	}
	return o.only(whereTrue(o.known), admitted), nil
}

// only returns the objects of some of the events, whose conditions are all among the
// admitted.
func (o *objects) only(events []int, admitted features.Admitted) *objects {
	some := &objects{
		part:    &rootio.Part{First: o.part.First, Events: o.part.Events.Take(events), All: o.part.All},
		numbers: make([]uint64, len(events)), offsets: []int{0}, known: slices.Repeat([]bool{true}, len(events)),
	}
	var all, given []int
	for i, e := range events {
		some.numbers[i] = o.numbers[e]
		next, _ := slices.BinarySearch(o.places, o.offsets[e])
		for ; next < len(o.places) && o.places[next] < o.offsets[e+1]; next++ {
			row, _ := slices.BinarySearch(admitted.Rows, next)
			given = append(given, row)
			some.places = append(some.places, len(all)+o.places[next]-o.offsets[e])
		}
		for object := o.offsets[e]; object < o.offsets[e+1]; object++ {
			all = append(all, object)
		}
		some.offsets = append(some.offsets, len(all))
	}
	if o.part.Offsets != nil {
		some.part.All, some.part.Offsets = o.part.All.Take(all), some.offsets
	}
	some.given = admitted.Take(given)
	return some
}

// whereTrue returns the places of what is true.
func whereTrue(chosen []bool) []int {
	var places []int
	for i, yes := range chosen {
		if yes {
			places = append(places, i)
		}
	}
	return places
}
