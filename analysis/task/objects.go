package task

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/rootio"
)

// objects writes events with collections of objects, as many in each as in the training
// events.
func (g *generation) objects() error {
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
		drawn, tails, err := g.draw(g.model.Context.Constants(len(all)), following(first, len(counts)), offsets, all)
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
	for _, field := range model.Features.Fields() {
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

// draw draws the objects at the given places, in rising order, among those of the events
// of these numbers, which begin at the offsets; given has their conditions.
func (g *generation) draw(given *rootio.Table, numbers []uint64, offsets, places []int) (*rootio.Table, surrogate.Tails, error) {
	rows, event := make([]uint64, len(places)), 0
	for i, at := range places {
		for offsets[event+1] <= at {
			event++
		}
		rows[i] = surrogate.ObjectRow(numbers[event], at-offsets[event])
	}
	g.result.Objects += int64(len(rows))
	objects := rootio.NewTable(g.model.Features.Fields(), len(rows))
	tails, err := g.model.GenerateRows(g.ctx, objects, given, g.result.Seed, rows)
	return objects, tails, err
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
	w, err := g.create(in.Name(), fields)
	if err != nil {
		return err
	}
	defer w.Abort()
	failed := func(err error) error { return fmt.Errorf("%s: %w", source(in.Files(), in.Name()), err) }
	for part, err := range plan.view.Parts(plan.wanted, plan.read, 0) {
		if err != nil {
			return err
		}
		offsets, places, given, err := plan.objects(part)
		if err != nil {
			return failed(err)
		}
		numbers := following(part.First, part.Events.Len())
		isKnown := slices.Repeat([]bool{true}, len(numbers))
		if known != "" {
			admitted, err := g.admitObjects(numbers, offsets, places, given, isKnown)
			if err != nil {
				return failed(err)
			}
			given = admitted.Table
			if len(admitted.Rows) < len(places) { // some are left out, and so are their events
				part, numbers, offsets, places, given = only(whereTrue(isKnown), part, numbers, offsets, places, admitted)
				isKnown = slices.Repeat([]bool{true}, len(numbers))
			}
		}
		drawn, tails, err := g.draw(given, numbers, offsets, places)
		if err != nil {
			return failed(err)
		}
		g.result.Stayed += int64(offsets[len(offsets)-1] - len(places))
		events := plan.table(part, offsets, places, drawn)
		if known != "" {
			events.Columns = append(events.Columns, rootio.ColumnOf(known, isKnown))
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

// admitObjects returns the conditions of the objects at the places that can be drawn for.
// Events with an object whose condition the training events did not have are not known.
func (g *generation) admitObjects(numbers []uint64, offsets, places []int, given *rootio.Table, isKnown []bool) (features.Admitted, error) {
	events := (&rootio.Part{Offsets: offsets}).EventOf(places)
	entries, within := make([]uint64, len(places)), make([]bool, len(places))
	for i, e := range events {
		entries[i] = numbers[e]
	}
	a, err := g.admit(given, entries)
	for i, row := range a.Rows {
		within[row] = a.Known[i]
	}
	for i, e := range events {
		isKnown[e] = isKnown[e] && within[i]
	}
	return a, err
}

// only returns some of the events of a part: their numbers, the offsets of their objects, the places of
// those that are replaced, and the conditions of these, which are all among the admitted.
func only(events []int, part *rootio.Part, numbers []uint64, offsets, places []int, admitted features.Admitted) (*rootio.Part, []uint64, []int, []int, *rootio.Table) {
	some := &rootio.Part{First: part.First, Events: part.Events.Take(events), All: part.All}
	someNumbers, someOffsets := make([]uint64, len(events)), []int{0}
	var somePlaces, objects, given []int
	next := 0
	for i, e := range events {
		someNumbers[i] = numbers[e]
		next, _ = slices.BinarySearch(places, offsets[e])
		for ; next < len(places) && places[next] < offsets[e+1]; next++ {
			row, _ := slices.BinarySearch(admitted.Rows, next)
			given = append(given, row)
			somePlaces = append(somePlaces, len(objects)+places[next]-offsets[e])
		}
		for object := offsets[e]; object < offsets[e+1]; object++ {
			objects = append(objects, object)
		}
		someOffsets = append(someOffsets, len(objects))
	}
	if part.Offsets != nil {
		some.All, some.Offsets = part.All.Take(objects), someOffsets
	}
	return some, someNumbers, someOffsets, somePlaces, admitted.Take(given)
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

// objectPlan is how events of an input become events with other objects.
type objectPlan struct {
	fields    []rootio.Field // that are written
	features  []rootio.Field // of them, those that are drawn
	carried   carriage       // what stays as it is, and what is left behind
	read      []string       // the columns of the input that are read as they are
	view      *rootio.View   // with a row for each object; for each event if the input has but their number
	wanted    []string       // its columns: those of the conditions, and the features of what stays
	counter   string         // of the objects; [rootio.Vector] if they are counted by themselves
	selected  string         // what objects pass that are replaced; "" if all are
	selecting []string       // branches of the objects that are read, but neither made nor a condition
	pointers  []string       // branches that look like places of the objects
	ordered   map[string]*ordered
}

// ordered tells whether the values of a branch fall from object to object, in the input and
// in the output.
type ordered struct {
	pairs   int64
	in, out int64 // of these, pairs that rise
}

func (g *generation) newObjectPlan(in *rootio.Tree) (*objectPlan, error) {
	model := g.model
	options := model.Card.View
	p := &objectPlan{wanted: model.Context.Names(), selected: options.Where, ordered: map[string]*ordered{}}
	p.counter = model.Card.Collection.CounterName()
	collection, err := in.Collection(options.Each)
	switch {
	case err == nil:
		p.counter = collection.CounterName()
	case has(in.AllFields(), p.counter) && options.Where == "":
		collection = &rootio.Collection{Name: options.Each} // none of its branches is there
		options.Each = ""
	case has(in.AllFields(), p.counter):
		return nil, fmt.Errorf("%w; the model was trained on objects with %q, which the input cannot tell", err, options.Where)
	default:
		return nil, err
	}
	p.features = jagged(model, p.counter)
	for _, f := range p.features {
		if options.Where == "" {
			break
		}
		all := in.AllFields()
		i := slices.IndexFunc(all, func(have rootio.Field) bool { return have.Name == f.Name })
		switch {
		case i < 0 && slices.ContainsFunc(options.Define, func(d string) bool { name, _, _ := rootio.SplitDefinition(d); return name == f.Name }):
			p.wanted = append(p.wanted, f.Name)
		case i < 0:
			return nil, fmt.Errorf("%s has no branch %q: objects that do not pass %q stay as they are, and would be without it", source(in.Files(), in.Name()), f.Name, options.Where)
		case all[i].Kind != f.Kind || all[i].Counter != p.counter:
			return nil, fmt.Errorf("%s: branch %q is not that of the model (%v for %v): objects that do not pass %q stay as they are, and both do not fit in one branch",
				source(in.Files(), in.Name()), f.Name, all[i].Kind, f.Kind, options.Where)
		default:
			p.wanted = append(p.wanted, f.Name)
		}
	}
	if p.view, err = viewFor(in, options, p.wanted, g.Progress); err != nil {
		return nil, err
	}
	reads, err := p.view.Sources(model.Context.Names())
	if err != nil {
		return nil, err
	}
	for _, name := range reads {
		if has(collection.Fields, name) && !p.isFeature(name) && !slices.Contains(model.Context.Names(), name) {
			p.selecting = append(p.selecting, name)
		}
	}
	kept, err := p.view.Resolve(g.Keep)
	if err != nil {
		return nil, err
	}
	for _, name := range kept {
		if !has(collection.Fields, name) || p.isFeature(name) {
			return nil, Usage("--keep %s: it is no branch of %s that the model does not make", name, collection.Name)
		}
		if !slices.Contains(p.wanted, name) {
			p.wanted = append(p.wanted, name) // so that its values are known to be of the same objects
		}
	}
	p.carried = newCarriage(g.ctx, in, nil)
	what := fmt.Sprintf("it tells of objects of %s that are new ones now, and the model does not make it (--keep keeps branches)", collection.Name)
	p.carried.leave(what, func(f rootio.Field) bool {
		sameObjects := has(collection.Fields, f.Name) || f.Counter == p.counter && p.counter != rootio.Vector
		return sameObjects && !p.isFeature(f.Name) && !slices.Contains(reads, f.Name) && !slices.Contains(kept, f.Name)
	})
	for _, f := range p.carried.fields {
		if i := slices.IndexFunc(p.features, func(g rootio.Field) bool { return g.Name == f.Name }); i >= 0 {
			if !f.IsJagged() {
				return nil, fmt.Errorf("%s: branch %q has one value per event, the model makes one for each object of %s", source(in.Files(), in.Name()), f.Name, collection.Name)
			}
			p.ordered[f.Name] = &ordered{}
			f = p.features[i]
		}
		p.fields = append(p.fields, f)
		_, member, _ := strings.Cut(f.Name, "_")
		if f.Kind.IsInteger() && strings.HasPrefix(strings.ToLower(member), strings.ToLower(collection.Name)+"idx") {
			p.pointers = append(p.pointers, f.Name)
		}
	}
	p.read = p.carried.names()
	for _, f := range p.features {
		if !slices.Contains(p.read, f.Name) {
			p.fields = append(p.fields, f)
		}
	}
	return p, nil
}

// jagged returns the fields of the model's features as branches of objects.
func jagged(model *surrogate.Surrogate, counter string) []rootio.Field {
	fields := model.Features.Fields()
	for i := range fields {
		fields[i].Counter = counter
	}
	return fields
}

func (p *objectPlan) isFeature(name string) bool {
	return has(p.features, name)
}

// objects returns where the objects of the events begin, the places of those that are
// replaced, and their conditions.
func (p *objectPlan) objects(part *rootio.Part) (offsets, places []int, given *rootio.Table, err error) {
	const most = 1<<16 - 1
	offsets, places, given = part.Offsets, part.Passed, part.Rows()
	if offsets == nil {
		c, _ := part.Events.Column(p.counter)
		numbers, counts := make([]float64, c.Len()), make([]int, c.Len())
		c.Floats(numbers, 0)
		for i, n := range numbers {
			counts[i] = int(max(-1, min(n, most+1)))
			if counts[i] < 0 {
				return nil, nil, nil, fmt.Errorf("event %d cannot have so many objects as %q says", part.First+int64(i), p.counter)
			}
		}
		offsets = offsetsOf(counts)
		places = upTo(offsets[len(counts)])
		events := &rootio.Part{Offsets: offsets}
		given = part.All.Take(events.EventOf(places))
	}
	for i := range len(offsets) - 1 {
		if offsets[i+1]-offsets[i] > most {
			return nil, nil, nil, fmt.Errorf("event %d has %d objects, more than the %d that an event can have", part.First+int64(i), offsets[i+1]-offsets[i], most)
		}
	}
	return offsets, places, given, nil
}

// table returns the events with the objects that were drawn in their places.
func (p *objectPlan) table(part *rootio.Part, offsets, places []int, drawn *rootio.Table) *rootio.Table {
	out := &rootio.Table{}
	columns, jagged := part.Events.Columns, part.Events.Jagged
	for _, f := range p.fields {
		isOld := slices.Contains(p.read, f.Name)
		if !f.IsJagged() {
			out.Columns, columns = append(out.Columns, columns[0]), columns[1:]
			continue
		}
		var old rootio.Jagged
		if isOld {
			old, jagged = jagged[0], jagged[1:]
		}
		fresh, ok := drawn.Column(f.Name)
		if !ok {
			out.Jagged = append(out.Jagged, old)
			continue
		}
		now := rootio.Jagged{Column: fresh, Offsets: offsets}
		now.Counter = p.counter
		if p.selected != "" { // some stay
			kept, _ := part.All.Column(f.Name)
			now.Column = kept.Take(upTo(kept.Len()))
			now.Counter = p.counter
			now.Put(places, fresh)
		}
		if order := p.ordered[f.Name]; isOld {
			order.pairs += pairs(old)
			order.in += rises(old)
			order.out += rises(now)
		}
		out.Jagged = append(out.Jagged, now)
	}
	return out
}

// pairs returns the number of pairs of objects that follow each other in an event.
func pairs(j rootio.Jagged) (n int64) {
	for i := range j.Events() {
		n += int64(max(0, j.Offsets[i+1]-j.Offsets[i]-1))
	}
	return n
}

// rises returns the number of such pairs of which the second has the larger value.
func rises(j rootio.Jagged) (n int64) {
	x := make([]float64, j.Len())
	j.Floats(x, 0)
	for i := range j.Events() {
		for k := j.Offsets[i] + 1; k < j.Offsets[i+1]; k++ {
			if x[k] > x[k-1] {
				n++
			}
		}
	}
	return n
}

// say says what became of the objects, given the numbers of new and old ones.
func (o *objectPlan) say(p Progress, fresh, old int64) {
	if o.selected != "" {
		p.logf("%d of %d objects pass %q, as those that the model was trained on, and are new; the others stay as they are", fresh, fresh+old, o.selected)
	}
	o.carried.say(p)
	if len(o.selecting) > 0 {
		p.logf("note: new objects keep %s of those in whose places they are: the selection or the condition reads it", abbreviate(o.selecting, 5))
	}
	if len(o.pointers) > 0 {
		p.logf("note: %s point to the places of objects that are new ones now", abbreviate(o.pointers, 5))
	}
	const enough = 20 // pairs: that so many fall by chance is unlikely
	var names []string
	for name, order := range o.ordered {
		if order.pairs >= enough && order.in == 0 && order.out > 0 {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, cmp.Compare[string])
	for _, name := range names {
		p.logf("note: the objects of the input are in descending order of %s, those of the output are not", name)
	}
}
