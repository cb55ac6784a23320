package task

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/rootio"
)

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
		if has(collection.Fields, name) && !has(p.features, name) && !slices.Contains(model.Context.Names(), name) {
			p.selecting = append(p.selecting, name)
		}
	}
	kept, err := p.view.Resolve(g.Keep)
	if err != nil {
		return nil, err
	}
	for _, name := range kept {
		if !has(collection.Fields, name) || has(p.features, name) {
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
		return sameObjects && !has(p.features, f.Name) && !slices.Contains(reads, f.Name) && !slices.Contains(kept, f.Name)
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
	p.read = rootio.Names(p.carried.fields)
	for _, f := range p.features {
		if !slices.Contains(p.read, f.Name) {
			p.fields = append(p.fields, f)
		}
	}
	return p, nil
}

// jagged returns the fields of the model's features as branches of objects.
func jagged(model *surrogate.Surrogate, counter string) []rootio.Field {
	fields := model.Fields()
	for i := range fields {
		fields[i].Counter = counter
	}
	return fields
}

// objects returns the objects of the events, with the places of those that are replaced.
func (p *objectPlan) objects(part *rootio.Part) (*objects, error) {
	const most = 1<<16 - 1
	n := part.Events.Len()
	o := &objects{
		part: part, numbers: following(part.First, n), offsets: part.Offsets, places: part.Passed, given: part.Rows(),
		known: slices.Repeat([]bool{true}, n),
	}
	if o.offsets == nil {
		c, _ := part.Events.Column(p.counter)
		counts := make([]int, c.Len())
		for i, n := range c.Float64s() {
			counts[i] = int(max(-1, min(n, most+1)))
			if counts[i] < 0 {
				return nil, fmt.Errorf("event %d cannot have so many objects as %q says", part.First+int64(i), p.counter)
			}
		}
		o.offsets = offsetsOf(counts)
		o.places = upTo(o.offsets[len(counts)])
		events := &rootio.Part{Offsets: o.offsets}
		o.given = part.All.Take(events.EventOf(o.places))
	}
	for i := range n {
		if objects := o.offsets[i+1] - o.offsets[i]; objects > most {
			return nil, fmt.Errorf("event %d has %d objects, more than the %d that an event can have", part.First+int64(i), objects, most)
		}
	}
	return o, nil
}

// table returns the events with the objects that were drawn in their places.
func (p *objectPlan) table(o *objects, drawn *rootio.Table) *rootio.Table {
	out := &rootio.Table{}
	columns, jagged := o.part.Events.Columns, o.part.Events.Jagged
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
		now := rootio.Jagged{Column: fresh, Offsets: o.offsets}
		now.Counter = p.counter
		if p.selected != "" { // some stay
			kept, _ := o.part.All.Column(f.Name)
			now.Column = kept.Take(upTo(kept.Len()))
			now.Counter = p.counter
			now.Put(o.places, fresh)
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
	x := j.Float64s()
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
