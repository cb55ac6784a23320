package rootio

import (
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/internal/formula"
	"github.com/eidolon-hep/eidolon/internal/nearest"
)

// ViewOptions say how the events of a tree are looked at.
type ViewOptions struct {
	// Each makes one row per object of a collection, such as "Jet": the jagged
	// branches Jet_pt, Jet_eta, …. Columns of events are repeated for each object.
	Each string `json:"each,omitempty"`

	// Define adds columns that are computed from others: "m = sqrt(2*pt1*pt2)". A
	// definition may use those before it. The language is that of the package
	// internal/formula: + - * / % ** < <= > >= == != && || ! ?: in, functions such as
	// sqrt, abs and cosh, and jet.pt or x[0] for columns that are called so. Where rows are
	// events, Jet_pt[0], sum(Jet_pt) and len(Jet_pt) are the first value of a branch of
	// varying length (NaN where there is none), the sum and the number of its values.
	Define []string `json:"define,omitempty"`

	// Where keeps the rows for which the expression is true.
	Where string `json:"where,omitempty"`
}

// View is a tree as an analysis looks at it: rows that are events or objects, with
// computed columns, and only some of them.
type View struct {
	tree       *Tree
	collection *Collection // nil: rows are events
	defined    []definition
	where      *condition // nil: all rows
}

// definition is a column that is computed.
type definition struct {
	name string
	condition
}

// condition is a formula and the columns in it.
type condition struct {
	formula *formula.Formula
	names   []string // of the columns, as the view knows them
}

// Columns of a view with one row per object that say where the object is.
const (
	EventIndex  = "event_index"  // the number of the event in the chain
	ObjectIndex = "object_index" // the number of the object in the event
)

// Collection is a set of jagged branches that belong to the same objects.
type Collection struct {
	Name    string  `json:"name"`
	Counter Field   `json:"counter,omitzero"` // the branch that counts the objects; zero for std::vectors
	Fields  []Field `json:"fields"`
}

// CounterName is the [Field.Counter] of the branches.
func (c *Collection) CounterName() string {
	if c.Counter.Name == "" {
		return Vector
	}
	return c.Counter.Name
}

// Collection returns the collection of a name: the jagged branches whose names go on
// with "_" or "." after it, or those that are counted by it, or the one of that name. If not all of them have
// the same counter, it is those that are counted like the first.
func (t *Tree) Collection(name string) (*Collection, error) {
	var jagged []Field
	for _, f := range t.AllFields() {
		if f.IsJagged() && f.Nested == "" {
			jagged = append(jagged, f)
		}
	}
	for _, belongs := range []func(f Field) bool{
		func(f Field) bool { return strings.HasPrefix(f.Name, name+"_") || strings.HasPrefix(f.Name, name+".") },
		func(f Field) bool { return f.Counter == name || f.Counter == "n"+name || f.Counter == "N"+name },
		func(f Field) bool { return f.Name == name },
	} {
		c := &Collection{Name: name}
		for _, f := range jagged {
			if belongs(f) && (len(c.Fields) == 0 || f.Counter == c.Fields[0].Counter) {
				c.Fields = append(c.Fields, f)
			}
		}
		if len(c.Fields) == 0 {
			continue
		}
		if counter := c.Fields[0].Counter; counter != Vector {
			i := slices.IndexFunc(t.columns, func(k column) bool { return k.Name == counter })
			if i < 0 || !t.columns[i].Kind.IsInteger() {
				return nil, fmt.Errorf("rootio: tree %q of %q: collection %q is counted by %q, which is no integer branch", t.name, t.parts[0].file, name, counter)
			}
			c.Counter = t.columns[i].Field
		}
		return c, nil
	}
	if i := slices.IndexFunc(t.branches, func(b branch) bool { return b.Nested != "" && b.Nested == name }); i >= 0 {
		return nil, fmt.Errorf("rootio: tree %q of %q: %q is a %s, lists of lists, and its numbers cannot be objects", t.name, t.parts[0].file, name, t.branches[i].Type)
	}
	var known []string
	for _, f := range jagged {
		prefix, _, _ := strings.Cut(f.Name, "_")
		if !slices.Contains(known, prefix) {
			known = append(known, prefix)
		}
	}
	hint := nearest.Hint(name, known)
	if hint == "" && len(known) > 0 {
		hint = fmt.Sprintf(" (there are %s)", nearest.Quoted(known, ", "))
	}
	return nil, fmt.Errorf("rootio: tree %q of %q has no collection %q: no branches of varying length are called %s_…%s",
		t.name, t.parts[0].file, name, name, hint)
}

// View returns a view of the tree. An error says which name is unknown, and which
// names are like it.
func (t *Tree) View(o ViewOptions) (*View, error) {
	if len(t.parts) == 0 {
		return nil, fmt.Errorf("rootio: the tree is closed")
	}
	v := &View{tree: t}
	if o.Each != "" {
		var err error
		if v.collection, err = t.Collection(o.Each); err != nil {
			return nil, err
		}
	}
	for _, text := range o.Define {
		name, expression, ok := SplitDefinition(text)
		if !ok {
			return nil, fmt.Errorf("rootio: %q is no definition: write name = expression", text)
		}
		if _, err := v.resolve(name); err == nil {
			return nil, fmt.Errorf("rootio: %q cannot be defined: tree %q of %q has a branch of that name", name, t.name, t.parts[0].file)
		}
		c, err := v.parse(expression)
		if err != nil {
			return nil, err
		}
		v.defined = append(v.defined, definition{name, c})
	}
	if o.Where != "" {
		c, err := v.parse(o.Where)
		if err != nil {
			return nil, err
		}
		v.where = &c
	}
	return v, nil
}

// Needed returns the options without the definitions that it does not take to make the
// named columns and to select rows, so that the tree need not have the branches of these,
// and without those of columns that the tree has.
func (t *Tree) Needed(o ViewOptions, names []string) ViewOptions {
	wanted := slices.Clone(names)
	want := func(expression string) {
		if f, err := formula.Parse(expression); err == nil { // View tells of errors
			wanted = append(wanted, f.Names()...)
		}
	}
	want(o.Where)
	var define []string
	for _, text := range slices.Backward(o.Define) {
		name, expression, _ := SplitDefinition(text)
		isThere := slices.ContainsFunc(t.columns, func(c column) bool { return c.Name == name })
		if slices.Contains(wanted, name) && !isThere {
			define = append(define, text)
			want(expression)
		}
	}
	slices.Reverse(define)
	o.Define = define
	return o
}

var definitionSyntax = regexp.MustCompile(`^\s*([A-Za-z_]\w*)\s*=([^=].*)$`)

// SplitDefinition splits "m = sqrt(x)" into the name and the expression, and reports
// whether it is a definition.
func SplitDefinition(text string) (name, expression string, ok bool) {
	m := definitionSyntax.FindStringSubmatch(text)
	if m == nil {
		return "", "", false
	}
	return m[1], strings.TrimSpace(m[2]), true
}

// parse compiles an expression and finds the columns in it.
func (v *View) parse(text string) (c condition, err error) {
	c.formula, err = formula.Parse(text)
	if err != nil {
		return c, fmt.Errorf("rootio: %w", err)
	}
	for _, name := range c.formula.Names() {
		full, err := v.resolve(name)
		if err != nil {
			return c, fmt.Errorf("rootio: in %q: %s", text, strings.TrimPrefix(err.Error(), "rootio: "))
		}
		c.names = append(c.names, full)
	}
	return c, nil
}

// resolve returns the full name of a column: those of the collection may be called
// without its name.
func (v *View) resolve(name string) (string, error) {
	for _, d := range v.defined {
		if d.name == name {
			return name, nil
		}
	}
	if v.collection != nil {
		for _, f := range v.collection.Fields {
			if f.Name == name || f.Name == v.collection.Name+"_"+name || f.Name == v.collection.Name+"."+name {
				return f.Name, nil
			}
		}
		if name == EventIndex || name == ObjectIndex {
			return name, nil
		}
	}
	var known []string
	for _, f := range v.Fields() {
		if f.Name == name {
			return name, nil
		}
		known = append(known, f.Name)
		if v.collection != nil {
			known = append(known, strings.TrimPrefix(strings.TrimPrefix(f.Name, v.collection.Name), "_"))
		}
	}
	if r, ok := v.reduction(name); ok {
		return r.name, nil
	}
	found, err := v.tree.index(name)
	if err != nil {
		hint := nearest.Hint(name, known)
		if hint == "" || !errors.Is(err, errUnknown) {
			return "", err // it knows the reason, or lists columns
		}
		return "", fmt.Errorf("rootio: there is no branch %q in tree %q of %q%s", name, v.tree.name, v.tree.parts[0].file, hint)
	}
	how := "--each makes a row of each"
	if v.collection == nil {
		how += fmt.Sprintf("; %[1]s[0], sum(%[1]s) and len(%[1]s) are one value", name)
	}
	if first := v.tree.columns[found[0]]; first.Array != "" {
		how = fmt.Sprintf("write %s for %s", strings.Replace(first.Name, name+"_", name+"[", 1)+"]", first.Name)
	}
	return "", fmt.Errorf("rootio: branch %q of tree %q of %q has several values per row: %s", name, v.tree.name, v.tree.parts[0].file, how)
}

// Resolve returns the full names of columns, in order: with [ViewOptions.Each], "pt"
// may stand for "Jet_pt"; a branch of fixed arrays stands for its elements.
func (v *View) Resolve(names []string) ([]string, error) {
	var full []string
	for _, name := range names {
		f, err := v.resolve(name)
		if err == nil {
			full = append(full, f)
			continue
		}
		found, e := v.tree.index(name)
		if e != nil || v.tree.columns[found[0]].IsJagged() {
			return nil, err
		}
		for _, i := range found {
			full = append(full, v.tree.columns[i].Name)
		}
	}
	return full, nil
}

// Fields returns all columns of the view: those of the collection if rows are
// objects, those of events, and the defined ones.
func (v *View) Fields() []Field {
	fields := slices.Concat(v.objectFields(), v.tree.Fields())
	for _, d := range v.defined {
		fields = append(fields, Field{Name: d.name, Kind: Float64})
	}
	return fields
}

// Own returns the columns that a model of the rows would learn unless told
// otherwise: those of the collection if rows are objects, else those of events, and
// the defined ones.
func (v *View) Own() []Field {
	if v.collection == nil {
		return v.Fields()
	}
	return append(v.objectFields(), v.Fields()[len(v.collection.Fields)+len(v.tree.Fields()):]...)
}

// objectFields returns the columns of the collection, one value per row.
func (v *View) objectFields() []Field {
	if v.collection == nil {
		return nil
	}
	fields := slices.Clone(v.collection.Fields)
	for i := range fields {
		fields[i].Counter = ""
	}
	return fields
}

// Collection returns what rows are objects of, nil if they are events.
func (v *View) Collection() *Collection { return v.collection }

// Part is a piece of a view, with columns of the events that its rows are of.
type Part struct {
	// All has the columns that were asked for, of all rows: also of those that do not
	// pass [ViewOptions.Where].
	All *Table
	// Passed are the places in All of the rows that pass, in order.
	Passed []int

	// Events has the columns that come along, jagged ones too, of all events.
	Events *Table
	// First is the number of the first of them in the chain.
	First int64
	// Offsets, with [ViewOptions.Each], say whose the rows are: those of event i are
	// [Offsets[i], Offsets[i+1]). It is nil if a row is an event.
	Offsets []int
}

// Rows returns the rows that pass.
func (p *Part) Rows() *Table {
	if len(p.Passed) == p.All.Len() {
		return p.All
	}
	return p.All.Take(p.Passed)
}

// EventOf returns the places in Events of the events that rows of All, in rising order,
// are of.
func (p *Part) EventOf(rows []int) []int {
	if p.Offsets == nil {
		return rows
	}
	events, event := make([]int, len(rows)), 0
	for i, row := range rows {
		for p.Offsets[event+1] <= row {
			event++
		}
		events[i] = event
	}
	return events
}

// Chunks gives the rows of the named columns, in order, those of about size events
// at a time, or as in [Tree.Chunks] if it is 0. There may be none in a table. No names: all of [View.Own]. With
// [ViewOptions.Each], the columns [EventIndex] and [ObjectIndex] can be asked for.
// Tables and errors are as in [Tree.Chunks].
func (v *View) Chunks(names []string, size int) iter.Seq2[*Table, error] {
	if len(names) == 0 {
		names = Names(v.Own())
	}
	return func(yield func(*Table, error) bool) {
		for p, err := range v.Parts(names, nil, size) {
			var rows *Table
			if err == nil {
				rows = p.Rows()
			}
			if !yield(rows, err) {
				return
			}
		}
	}
}

// Parts is like [View.Chunks], and gives columns of the tree beside the rows: along
// names those, of events and jagged ones, that come along. Both lists may be empty.
func (v *View) Parts(names, along []string, size int) iter.Seq2[*Part, error] {
	return func(yield func(*Part, error) bool) {
		s, err := v.selectColumns(names, along)
		if err != nil {
			yield(nil, err)
			return
		}
		event := int64(0)
		for t, err := range v.tree.Chunks(slices.Concat(s.read, s.besides), size) {
			var p *Part
			if err == nil {
				p, err = s.part(t, event)
				event += int64(t.Len())
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// Read reads all rows of the named columns.
func (v *View) Read(names []string) (*Table, error) {
	if v.collection == nil && v.where == nil && len(v.defined) == 0 && !slices.ContainsFunc(names, v.isReduced) {
		return v.tree.Read(names, 0, v.tree.Len())
	}
	var all *Table
	for t, err := range v.Chunks(names, 0) {
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = NewTable(t.Fields(), 0)
		}
		for i := range all.Columns {
			all.Columns[i].values = all.Columns[i].values.append(t.Columns[i].values)
		}
	}
	return all, nil
}

// selection is what it takes to make rows of some columns.
type selection struct {
	view    *View
	want    []string
	along   []string
	read    []string // what is read of the tree to make the rows
	besides []string // what is read of the tree only because it comes along
	reduced []reduction
}

func (v *View) selectColumns(names, along []string) (*selection, error) {
	s := &selection{view: v, along: along}
	var err error
	if s.want, err = v.Resolve(names); err != nil {
		return nil, err
	}
	for i, name := range s.want {
		if slices.Contains(s.want[:i], name) {
			return nil, fmt.Errorf("rootio: column %q is asked for twice", name)
		}
	}
	if s.read, err = v.Sources(s.want); err != nil {
		return nil, err
	}
	if v.collection != nil { // the number of objects, also if only columns of events are wanted
		s.read = v.sources(s.read, []string{v.collection.Fields[0].Name})
	}
	names = slices.Clone(s.want)
	for _, d := range v.defined {
		names = append(names, d.names...)
	}
	if v.where != nil {
		names = append(names, v.where.names...)
	}
	for _, name := range names {
		isThere := slices.ContainsFunc(s.reduced, func(r reduction) bool { return r.name == name })
		if r, ok := v.reduction(name); ok && !isThere && slices.Contains(s.read, r.of) && r.name == name {
			s.reduced = append(s.reduced, r)
		}
	}
	for _, name := range along {
		if !slices.Contains(s.read, name) {
			s.besides = append(s.besides, name)
		}
	}
	if len(s.read)+len(s.besides) == 0 { // constants
		s.besides = append(s.besides, v.tree.AllFields()[0].Name)
	}
	return s, nil
}

// sources adds the columns of the tree that it takes to make the given ones, by their full
// names.
func (v *View) sources(read, names []string) []string {
	for _, name := range names {
		i := slices.IndexFunc(v.defined, func(d definition) bool { return d.name == name })
		switch {
		case i >= 0:
			read = v.sources(read, v.defined[i].names)
			continue
		case v.collection != nil && (name == EventIndex || name == ObjectIndex):
			continue
		}
		if r, ok := v.reduction(name); ok {
			name = r.of
		}
		if !slices.Contains(read, name) {
			read = append(read, name)
		}
	}
	return read
}

// Sources returns the columns of the tree that it takes to make the named columns, and to
// tell which rows pass.
func (v *View) Sources(names []string) ([]string, error) {
	full, err := v.Resolve(names)
	if err != nil {
		return nil, err
	}
	read := v.sources(nil, full)
	if v.where != nil {
		read = v.sources(read, v.where.names)
	}
	return read, nil
}

// part makes a part of a chunk of events, the first of which has the given number.
func (s *selection) part(chunk *Table, first int64) (*Part, error) {
	v := s.view
	p := &Part{All: &Table{}, Events: chunk.named(s.along), First: first}
	rows, n := chunk.named(s.read), chunk.Len()
	if v.collection != nil {
		p.Offsets = rows.Jagged[0].Offsets
		var err error
		if rows, err = rows.objects(first); err != nil {
			return nil, fmt.Errorf("rootio: tree %q of %q: %w", v.tree.name, nearest.Quoted(v.tree.Files(), ", "), err)
		}
		n = rows.Len()
	}
	for _, r := range s.reduced {
		for _, j := range rows.Jagged {
			if j.Name == r.of {
				rows.Columns = append(rows.Columns, r.column(j))
			}
		}
	}
	for _, d := range v.defined {
		values := make([]float64, n)
		if d.eval(values, rows) {
			rows.Columns = append(rows.Columns, ColumnOf(d.name, values))
		}
	}
	for _, name := range s.want {
		c, _ := rows.Column(name)
		p.All.Columns = append(p.All.Columns, c)
	}
	pass := slices.Repeat([]float64{1}, n)
	if v.where != nil {
		v.where.eval(pass, rows)
	}
	p.Passed = make([]int, 0, n)
	for i, yes := range pass {
		if yes != 0 && yes == yes {
			p.Passed = append(p.Passed, i)
		}
	}
	return p, nil
}

// named returns a table of the named columns of t. The memory is shared.
func (t *Table) named(names []string) *Table {
	columns, jagged := make(map[string]Column), make(map[string]Jagged)
	for _, c := range t.Columns {
		columns[c.Name] = c
	}
	for _, j := range t.Jagged {
		jagged[j.Name] = j
	}
	out := &Table{}
	for _, name := range names {
		if c, ok := columns[name]; ok {
			out.Columns = append(out.Columns, c)
		} else {
			out.Jagged = append(out.Jagged, jagged[name])
		}
	}
	return out
}

// eval computes the value of each row of t. It reports whether t has the columns:
// definitions that are not needed have not been read.
func (c condition) eval(dst []float64, t *Table) bool {
	var columns []any
	for _, name := range c.names {
		column, ok := t.Column(name)
		if !ok {
			return false
		}
		switch column.Kind {
		case Float64, Int64, Uint64:
			columns = append(columns, column.Values())
		default:
			x := make([]float64, len(dst))
			column.Floats(x, 0)
			columns = append(columns, x)
		}
	}
	c.formula.Eval(dst, columns)
	return true
}

// objects returns a table with one row per object: jagged columns are taken apart,
// columns of events repeated, and the columns EventIndex and ObjectIndex are added.
func (t *Table) objects(first int64) (*Table, error) {
	offsets := t.Jagged[0].Offsets
	for _, j := range t.Jagged[1:] {
		for i := range t.Len() {
			if j.Offsets[i+1]-j.Offsets[i] != offsets[i+1]-offsets[i] {
				return nil, fmt.Errorf("event %d has %d values of %q and %d of %q: they are not the same objects", first+int64(i),
					offsets[i+1]-offsets[i], t.Jagged[0].Name, j.Offsets[i+1]-j.Offsets[i], j.Name)
			}
		}
	}
	n := offsets[t.Len()] - offsets[0]
	event, number := make([]int64, 0, n), make([]int32, 0, n)
	places := make([]int, 0, n)
	for i := range t.Len() {
		for k := range offsets[i+1] - offsets[i] {
			places = append(places, i)
			event, number = append(event, first+int64(i)), append(number, int32(k))
		}
	}
	rows := &Table{}
	for _, j := range t.Jagged {
		c := j.Column.Slice(j.Offsets[0], j.Offsets[t.Len()])
		c.Counter = ""
		rows.Columns = append(rows.Columns, c)
	}
	for _, c := range t.Columns {
		rows.Columns = append(rows.Columns, c.Take(places))
	}
	rows.Columns = append(rows.Columns, ColumnOf(EventIndex, event), ColumnOf(ObjectIndex, number))
	return rows, nil
}
