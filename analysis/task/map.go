package task

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/internal/origin"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// The branches of a map: log p(x) = log_q + log_det_J.
const (
	logBase = "log_q"
	logDetJ = "log_det_J"
)

// MapOptions are what [Map] is asked for.
type MapOptions struct {
	// Model is the model file.
	Model string
	// Inputs are ROOT files, read as one chain, and Tree the tree in them, which may be empty where
	// a file has one tree only: with events; with Inverse, with y; with Pairs, with the conditions
	// of a conditional model.
	Inputs []string
	Tree   string
	// Inverse maps y to events.
	Inverse bool
	// Pairs is the number of pairs (y, x) to draw, for each condition of the inputs if there are
	// any, and Seed their seed; nil: one is drawn, see MapResult.
	Pairs int64
	Seed  *uint64
	// Path, with Inverse or Pairs, are the times of the reverse-time path, from 1 (noise) to 0 (events), at
	// which events are written.
	Path []float64
	// Layers writes log|det J| of each layer of the map, too.
	Layers bool
	// Where keeps the events for which the expression is true: see [rootio.ViewOptions].
	Where string
	// Outside says what becomes of conditions that the training events did not have.
	Outside features.Outside
	// Solver says how the equation of a model that solves one is solved, in both directions; what is
	// zero stays as it is.
	Solver diffusion.SolverOptions
	// Output is the ROOT file to write.
	Output string
	// NoVerify leaves out the comparison of the records of files before they are read: see [rootio.OpenOptions].
	NoVerify bool
}

// MapResult is what came of [Map].
type MapResult struct {
	Output  string   `json:"output"`
	Events  int64    `json:"events"`         // that were mapped; objects, for a model of these
	Rows    int64    `json:"rows"`           // that were written: with a path, one for each event and time
	NoImage int64    `json:"without_y"`      // events that the model cannot have: their y is NaN
	Seed    *uint64  `json:"seed,omitempty"` // of pairs
	Columns []string `json:"columns"`        // the branches of y
	Layers  []string `json:"layers"`         // of the map, from the events to y
	// Solver is how the equation of the model was solved; nil where none was.
	Solver     *diffusion.Solver `json:"solver,omitempty"`
	Conditions *features.Strays  `json:"conditions,omitempty"` // nil for a model without a condition
}

// mapping is a [Map] on its way.
type mapping struct {
	MapOptions
	Progress
	ctx    context.Context
	model  *surrogate.Surrogate
	base   []rootio.Field // of y
	result *MapResult
	strays features.Strays // of the conditions

	scalars []rootio.Field // that are written
}

// Map writes the images y = f(x) of events in the base distribution of a model, log q(y) and log|det J|; or
// the events x = f⁻¹(y) of given y; or pairs (y, x) that are drawn; or the events on the path from y to x. See
// [surrogate.Surrogate.Forward].
func Map(ctx context.Context, o MapOptions, p Progress) (*MapResult, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := CheckOutput(ctx, o.Output, append(slices.Clone(o.Inputs), o.Model)...); err != nil {
		return nil, err
	}
	model, err := surrogate.Load(o.Model)
	if err != nil {
		return nil, err
	}
	if err := model.CheckMap(); err != nil {
		return nil, fmt.Errorf("%s: %w", o.Model, err)
	}
	if !o.Solver.IsZero() {
		if err := model.SetMapSolver(o.Solver); err != nil {
			return nil, Usage("%s: %w", o.Model, err)
		}
	}
	if len(o.Path) > 0 {
		if err := model.CheckPath(o.Path); err != nil {
			return nil, Usage("--path: %w", err)
		}
	}
	m := &mapping{MapOptions: o, Progress: p, ctx: ctx, model: model, base: BaseFields(model)}
	m.result = &MapResult{Output: o.Output, Columns: rootio.Names(m.base), Layers: model.Layers()}
	if model.Refined != nil {
		m.logf("note: the map is that of the model before it was refined: trees accept or reject its events")
	}
	if _, ok := surrogate.FactorAs[factor.Learner](model); ok && (len(o.Path) > 0 || !o.Inverse && o.Pairs == 0) {
		m.logf("note: the model maps noise to events in one step; its path, its way from events to noise and their log_det_J are those of its teacher")
	}
	if m.result.Solver = model.Solver(); !o.Inverse && o.Pairs == 0 && model.DensitySolver() != nil {
		m.result.Solver = model.DensitySolver()
	}
	switch {
	case o.Pairs > 0:
		err = m.pairs()
	case o.Inverse:
		err = m.inverse()
	default:
		err = m.forward()
	}
	if m.strays.Outside > 0 {
		m.logf("note: %v", m.strays)
		m.result.Conditions = &m.strays
	}
	return m.result, err
}

// check refuses options that do not go together, whatever the model.
func (o MapOptions) check() error {
	if err := o.Outside.Check(); err != nil {
		return Usage("%w", err)
	}
	forward := !o.Inverse && o.Pairs == 0
	for _, v := range []struct {
		wrong bool
		text  string
	}{
		{o.Pairs < 0, "there cannot be less than one pair"},
		{o.Inverse && o.Pairs > 0, "--inverse does not go with --pairs, which draws y"},
		{o.Pairs == 0 && len(o.Inputs) == 0, "map needs -i with events, -i and --inverse with y, or --pairs"},
		{o.Pairs == 0 && o.Seed != nil, "--seed goes with --pairs: nothing else is random"},
		{forward && len(o.Path) > 0, "--path goes with --inverse or --pairs: it begins with y"},
		{!forward && o.Layers, "--layers goes with events (-i without --inverse): only their log|det J| is written"},
		{!forward && o.Where != "", "--where goes with events (-i without --inverse)"},
	} {
		if v.wrong {
			return Usage("%s", v.text)
		}
	}
	return nil
}

// BaseFields returns the branches of y: y_NAME for real numbers, of type float32, code_NAME for whole ones that are
// carried, of type int32. None has the name of a column of the model.
func BaseFields(model *surrogate.Surrogate) (fields []rootio.Field) {
	taken := slices.Concat(model.Fields(), model.Context.Fields())
	for _, c := range model.Base() {
		f := rootio.Field{Name: "y_" + plainName(c.Name), Title: "y in the place of " + c.Name, Kind: rootio.Float32}
		if c.Values > 0 {
			f = rootio.Field{Name: "code_" + plainName(c.Name), Title: fmt.Sprintf("%s as a whole number from 0 to %d", c.Name, c.Values-1), Kind: rootio.Int32}
		}
		f.Name = freeName(f.Name, slices.Concat(taken, fields))
		fields = append(fields, f)
	}
	return fields
}

// plainName returns the name of a feature, such as m(Z) or φ(mu), as letters, digits and underscores.
func plainName(name string) string {
	name = strings.NewReplacer("φ", "phi", "η", "eta", "θ", "theta", "Δ", "delta_").Replace(name)
	parts := strings.FieldsFunc(name, func(r rune) bool {
		return !(r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	})
	return strings.Join(parts, "_")
}

// BaseColumns returns rows of y as the columns of [BaseFields]. The code of an event that the
// model cannot have is −1.
func BaseColumns(fields []rootio.Field, y []float32) []rootio.Column {
	width := len(fields)
	columns := make([]rootio.Column, width)
	for j, f := range fields {
		columns[j] = rootio.NewColumn(f, len(y)/width)
		values := make([]float64, len(y)/width)
		for i := range values {
			values[i] = float64(y[i*width+j])
			if f.Kind == rootio.Int32 && math.IsNaN(values[i]) {
				values[i] = -1
			}
		}
		columns[j].SetFloats(0, values)
	}
	return columns
}

// BaseRows returns rows of y from the columns of [BaseFields] of a table.
func BaseRows(t *rootio.Table, fields []rootio.Field) []float32 {
	width := len(fields)
	y, values := make([]float32, t.Len()*width), make([]float64, t.Len())
	for j, f := range fields {
		c, _ := t.Column(f.Name)
		c.Floats(values, 0)
		for i, v := range values {
			y[i*width+j] = float32(v)
		}
	}
	return y
}

// forward writes the images of events.
func (m *mapping) forward() error {
	if !m.model.HasDensity() {
		return fmt.Errorf("the model %s has no map from events to noise: it draws copies of training events (σ_min is 0)", m.Model)
	}
	fields := append(slices.Clone(m.base),
		rootio.Field{Name: logBase, Title: "log q(y) of the base distribution", Kind: rootio.Float64},
		rootio.Field{Name: logDetJ, Title: "log|det J|, J = ∂y/∂x", Kind: rootio.Float64})
	if m.Layers {
		for i, layer := range m.model.Layers() {
			fields = append(fields, rootio.Field{Name: fmt.Sprintf("%s_%d", logDetJ, i+1), Title: "log|det J| of layer " + layer, Kind: rootio.Float64})
		}
	}
	option, err := m.origin()
	if err != nil {
		return err
	}
	of := ScoreOptions{
		Model: m.Model, Inputs: m.Inputs, Tree: m.Tree, Where: m.Where, Outside: m.Outside, Output: m.Output, NoVerify: m.NoVerify,
	}
	ofMap := func(f rootio.Field) bool { return has(fields, f.Name) || strings.HasPrefix(f.Name, logDetJ+"_") }
	said, err := of.evaluate(m.ctx, m.model, m.Progress, fields, ofMap, func(rows *rootio.Table, first uint64) ([]rootio.Column, error) {
		image, err := m.model.Forward(m.ctx, rows, first)
		if err != nil {
			return nil, err
		}
		for _, v := range image.LogDet {
			if math.IsNaN(v) {
				m.result.NoImage++
			}
		}
		columns := append(BaseColumns(m.base, image.Y), rootio.ColumnOf("", image.LogBase), rootio.ColumnOf("", image.LogDet))
		if m.Layers {
			for _, ld := range image.Layers {
				columns = append(columns, rootio.ColumnOf("", ld))
			}
		}
		return columns, nil
	}, option)
	if err != nil {
		return err
	}
	m.result.Events, m.result.Rows, m.result.Conditions = said.events, said.events, said.conditions
	return nil
}

// origin returns the option that writes where the file comes from.
func (m *mapping) origin() (rootio.Option, error) {
	from, err := origin.New(m.Inputs, origin.Model{File: m.Model, Seed: m.result.Seed, Solver: m.result.Solver})
	if err != nil {
		return nil, err
	}
	return from.Option()
}

// inverse writes the events of the y of the inputs.
func (m *mapping) inverse() error {
	names := slices.Concat(rootio.Names(m.base), m.model.Context.Names())
	in, view, err := m.view(names)
	if err != nil {
		return fmt.Errorf("--inverse reads the columns %s, which “eidolon map” writes: %w", abbreviate(names, 10), err)
	}
	defer in.Close()
	carried := newCarriage(m.ctx, in, slices.Concat(m.model.Names(), rootio.Names(m.base)))
	w, err := m.create(in.Name(), carried.fields, rootio.Like(in))
	if err != nil {
		return err
	}
	defer w.Abort()
	for part, err := range view.Parts(names, rootio.Names(carried.fields), int(m.step())) {
		if err != nil {
			return err
		}
		given, numbers, err := m.admit(in, part)
		if err != nil {
			return err
		}
		along := part.Events.Take(given.Rows)
		for lo, hi := range philox.Runs(numbers) {
			y := BaseRows(given.Slice(lo, hi), m.base)
			if err := m.write(w, along.Slice(lo, hi), given.Slice(lo, hi), nil, y, numbers[lo]); err != nil {
				return fmt.Errorf("%s: %w", source(m.Inputs, in.Name()), err)
			}
		}
		m.count(part.First+int64(part.All.Len()), in.Len())
	}
	if len(m.Path) == 0 {
		carried.say(m.Progress)
	}
	return w.Close()
}

// pairs writes pairs that are drawn: for the conditions of the inputs, if there are any.
func (m *mapping) pairs() error {
	m.result.Seed = m.Seed
	if m.Seed == nil {
		seed := origin.DrawSeed()
		m.result.Seed = &seed
	}
	conditions := m.model.Context
	switch {
	case len(m.Inputs) > 0 && len(conditions.Names()) == 0:
		return Usage("%s is not conditional: --pairs needs no -i", m.Model)
	case len(m.Inputs) > 0:
		return m.pairsFor()
	case !conditions.IsConstant():
		return Usage("%s is conditional on %s: --pairs needs -i with these", m.Model, strings.Join(conditions.Names(), ", "))
	}
	w, err := m.create(m.model.Card.Tree, conditions.Fields())
	if err != nil {
		return err
	}
	defer w.Abort()
	for first := int64(0); first < m.Pairs; first += m.step() {
		n := min(m.step(), m.Pairs-first)
		if err := m.draw(w, conditions.Constants(int(n)), int(n), uint64(first)); err != nil {
			return err
		}
		m.count(first+n, m.Pairs)
	}
	return w.Close()
}

// pairsFor writes so many pairs for each condition of the inputs.
func (m *mapping) pairsFor() error {
	names := m.model.Context.Names()
	in, view, err := m.view(names)
	if err != nil {
		return err
	}
	defer in.Close()
	w, err := m.create(in.Name(), m.model.Context.Fields())
	if err != nil {
		return err
	}
	defer w.Abort()
	for part, err := range view.Parts(names, nil, int(m.step())) {
		if err != nil {
			return err
		}
		given, numbers, err := m.admit(in, part)
		if err != nil {
			return err
		}
		for lo, hi := range philox.Runs(numbers) {
			first, all := int64(numbers[lo])*m.Pairs, int64(hi-lo)*m.Pairs
			for from := int64(0); from < all; from += m.step() {
				rows := make([]int, min(m.step(), all-from))
				for i := range rows {
					rows[i] = lo + int((from+int64(i))/m.Pairs)
				}
				if err := m.draw(w, given.Take(rows), len(rows), uint64(first+from)); err != nil {
					return fmt.Errorf("%s: %w", source(m.Inputs, in.Name()), err)
				}
			}
		}
		m.count(part.First+int64(part.All.Len()), in.Len())
	}
	return w.Close()
}

// draw draws and writes n pairs with the given conditions, the first of a number.
func (m *mapping) draw(w *rootio.Writer, given *rootio.Table, n int, first uint64) error {
	x, y := rootio.NewTable(m.model.Fields(), n), make([]float32, n*len(m.base))
	if err := m.model.Pairs(m.ctx, x, y, given, *m.result.Seed, first); err != nil {
		return err
	}
	along := rootio.NewTable(m.model.Context.Fields(), n)
	for i, f := range along.Fields() { // the inputs may have other types
		c, _ := given.Column(f.Name)
		along.Columns[i].SetFloats(0, c.Float64s())
	}
	return m.write(w, along, given, x, y, first)
}

// view opens the inputs and returns the view that has the named columns.
func (m *mapping) view(names []string) (*rootio.Tree, *rootio.View, error) {
	in, err := open(m.ctx, m.NoVerify, m.Tree, m.Inputs)
	if err != nil {
		return nil, nil, err
	}
	view, err := viewFor(in, rootio.ViewOptions{Define: m.model.Card.View.Define}, names, m.Progress)
	if err == nil {
		_, err = view.Resolve(names)
	}
	if err != nil {
		_ = in.Close() // it was only read
	}
	return in, view, err
}

// admit returns the rows of a part that the model can be asked about, and their entries.
func (m *mapping) admit(in *rootio.Tree, part *rootio.Part) (a features.Admitted, entries []uint64, err error) {
	all := make([]uint64, part.All.Len())
	for i := range all {
		all[i] = uint64(part.First) + uint64(i)
	}
	if a, err = m.model.Context.Admit(part.All, m.Outside, all); err != nil {
		return a, nil, fmt.Errorf("%s: %w", source(m.Inputs, in.Name()), err)
	}
	m.strays.Add(a.Strays)
	for _, i := range a.Rows {
		entries = append(entries, all[i])
	}
	return a, entries, nil
}

// step is the number of events that are in memory at a time.
func (m *mapping) step() int64 { return max(chunk/int64(max(len(m.Path), 1)), 1) }

// create starts the file to write, with columns that come along where there is no path, and further options.
func (m *mapping) create(tree string, along []rootio.Field, more ...rootio.Option) (*rootio.Writer, error) {
	fields := Scored(m.model)
	switch {
	case len(m.Path) > 0:
		for _, f := range []rootio.Field{
			{Name: eventIndex, Title: "number of the event", Kind: rootio.Int64},
			{Name: "time", Title: "time on the path: 1 is noise, 0 the event", Kind: rootio.Float64},
		} {
			f.Name = freeName(f.Name, fields)
			fields = append(fields, f)
		}
	case m.Pairs > 0:
		fields = slices.Concat(along, fields, m.base)
	default:
		fields = slices.Concat(along, fields)
	}
	option, err := m.origin()
	if err != nil {
		return nil, err
	}
	m.scalars = slices.DeleteFunc(slices.Clone(fields), rootio.Field.IsJagged)
	return rootio.Create(m.Output, treeName(tree), fields, append(more, option)...)
}

// write writes the events of y, the first of which has a number: x, where that is known, or those on their path. Columns
// come along where there is no path.
func (m *mapping) write(w *rootio.Writer, along, given, x *rootio.Table, y []float32, first uint64) error {
	n := len(y) / len(m.base)
	out := &rootio.Table{}
	if len(m.Path) > 0 {
		rows, err := m.path(y, given, first)
		if err != nil {
			return err
		}
		out.Columns = rows
	} else {
		if x == nil {
			x = rootio.NewTable(m.model.Fields(), n)
			if err := m.model.Inverse(m.ctx, x, y, given, first); err != nil {
				return err
			}
		}
		out.Columns, out.Jagged = slices.Clone(along.Columns), along.Jagged
		for _, f := range Scored(m.model) {
			c, _ := x.Column(f.Name)
			out.Columns = append(out.Columns, c)
		}
		if m.Pairs > 0 {
			out.Columns = append(out.Columns, BaseColumns(m.base, y)...)
		}
	}
	for i := range out.Columns {
		out.Columns[i].Field = m.scalars[i]
	}
	if err := w.Write(out); err != nil {
		return err
	}
	m.result.Events += int64(n)
	m.result.Rows += int64(out.Len())
	return m.ctx.Err()
}

// path returns the events of y at all times of the path, the rows of an event one after the other.
func (m *mapping) path(y []float32, given *rootio.Table, first uint64) (columns []rootio.Column, err error) {
	n, times := len(y)/len(m.base), len(m.Path)
	at := make([]*rootio.Table, times)
	for k := range at {
		at[k] = rootio.NewTable(m.model.Fields(), n)
	}
	if err := m.model.Path(m.ctx, at, y, given, m.Path, first); err != nil {
		return nil, err
	}
	places, events, when := make([]int, n*times), make([]int64, n*times), make([]float64, n*times)
	for i := range places {
		places[i] = i%times*n + i/times
		events[i], when[i] = int64(first)+int64(i/times), m.Path[i%times]
	}
	for _, f := range Scored(m.model) {
		all := rootio.NewColumn(f, 0)
		for _, t := range at {
			c, _ := t.Column(f.Name)
			all = all.Append(c)
		}
		columns = append(columns, all.Take(places))
	}
	return append(columns, rootio.ColumnOf("", events), rootio.ColumnOf("", when)), nil
}
