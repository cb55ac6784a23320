package task

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/internal/origin"
	"github.com/eidolon-hep/eidolon/rootio"
)

// logProb is the branch that score adds.
const logProb = "log_prob"

// selected is the column that tells which rows pass the selection of the training.
const selected = "eidolon_selected"

// ScoreOptions are what [Score] is asked for.
type ScoreOptions struct {
	// Model is the model file.
	Model string
	// Ratio is the file of a ratio that multiplies the density of the model ([FitRatio]); empty: none.
	Ratio string
	// Inputs are ROOT files with the events, read as one chain. Patterns and URLs will do.
	Inputs []string
	// Tree is the tree in them. It may be empty where a file has one tree only.
	Tree string
	// Where keeps the rows for which the expression is true: see [rootio.ViewOptions].
	Where string
	// Outside says what becomes of conditions that the training events did not have.
	Outside features.Outside
	// Solver says how the equation is solved along which a log-density is integrated that is not in
	// closed form; what is zero stays as it is by default.
	Solver diffusion.SolverOptions
	// Output is the ROOT file to write, and Format that of its tree.
	Output string
	Format rootio.Format
	// NoVerify leaves out the comparison of the records of files before they are read: see [rootio.OpenOptions].
	NoVerify bool
}

// ScoreResult is what came of [Score].
type ScoreResult struct {
	Output     string   `json:"output"`
	Events     int64    `json:"events"`                 // that were written; objects, for a model of these
	Impossible int64    `json:"impossible"`             // events of log-density −Inf
	Foreign    int64    `json:"not_selected,omitempty"` // events that do not pass the model's selection
	Mean       *float64 `json:"mean_log_prob"`          // of the possible events; nil where there is none, or it is not finite
	// Solver is how the equation of the model was solved; nil where none was.
	Solver *diffusion.Solver `json:"solver,omitempty"`

	Conditions *features.Strays `json:"conditions,omitempty"` // nil for a model without a condition
	Ratio      *surrogate.Ratio `json:"ratio,omitempty"`      // nil without a ratio
}

// Score writes the events of the inputs, with all branches that can be copied, and the
// log-density of each under the model, in the branch log_prob. With a conditional model the
// branch known tells whether the condition is among those of the training events.
func Score(ctx context.Context, o ScoreOptions, p Progress) (*ScoreResult, error) {
	if err := o.Outside.Check(); err != nil {
		return nil, Usage("%w", err)
	}
	if err := CheckOutput(ctx, o.Output, append(slices.Clone(o.Inputs), o.Model, o.Ratio)...); err != nil {
		return nil, err
	}
	model, err := surrogate.Load(o.Model)
	if err != nil {
		return nil, err
	}
	if !model.HasDensity() {
		return nil, fmt.Errorf("the model %s has no density: it draws copies of training events (σ_min is 0)", o.Model)
	}
	if err := model.SetDensitySolver(o.Solver); err != nil {
		return nil, Usage("%s: %w", o.Model, err)
	}
	if err := refine(ctx, model, o.Model, o.Ratio, p); err != nil {
		return nil, err
	}
	from, err := origin.New(o.Inputs, origin.Model{File: o.Model, Ratio: o.Ratio, Solver: model.DensitySolver()})
	if err != nil {
		return nil, err
	}
	text, err := from.Option()
	if err != nil {
		return nil, err
	}
	result := &ScoreResult{Output: o.Output, Solver: model.DensitySolver(), Ratio: model.Ratio}
	var sum float64
	columns := []rootio.Field{{Name: logProb, Title: "log-density of the event", Kind: rootio.Float64}}
	said, err := o.evaluate(ctx, model, p, columns, nil, func(rows *rootio.Table, first uint64) ([]rootio.Column, error) {
		density := make([]float64, rows.Len())
		if err := model.LogDensity(ctx, density, rows, first); err != nil {
			return nil, err
		}
		for _, v := range density {
			if math.IsInf(v, -1) {
				result.Impossible++
			} else {
				sum += v
			}
		}
		return []rootio.Column{rootio.ColumnOf("", density)}, nil
	}, text)
	if err != nil {
		return nil, err
	}
	result.Events, result.Foreign, result.Conditions = said.events, said.foreign, said.conditions
	result.Mean = finite(sum / float64(result.Events-result.Impossible))
	return result, nil
}

// evaluated is what came of [ScoreOptions.evaluate], as [ScoreResult] has it.
type evaluated struct {
	events, foreign int64
	conditions      *features.Strays
}

// evaluate writes the rows of the inputs, events or objects, with all branches that can be copied, and what a model says of each row:
// columns, which a function makes of some rows and the number of the first. Branches of the
// inputs that they replace, if that is not nil, are left out; with the names of others they get other names.
func (o ScoreOptions) evaluate(ctx context.Context, model *surrogate.Surrogate, p Progress, columns []rootio.Field, replaced func(rootio.Field) bool,
	of func(rows *rootio.Table, first uint64) ([]rootio.Column, error), option rootio.Option) (*evaluated, error) {
	in, err := open(ctx, o.NoVerify, o.Tree, o.Inputs)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	names := rootio.Names(slices.Concat(Scored(model), model.Context.Fields()))
	rows := rootio.ViewOptions{Each: model.Card.View.Each, Define: model.Card.View.Define, Where: o.Where}
	view, err := viewFor(in, rows, names, p)
	if err != nil {
		return nil, err
	}
	plan := newScorePlan(ctx, in, view, names, len(model.Context.Names()) > 0, columns, replaced)
	if where := model.Card.View.Where; where != "" {
		with := rows
		with.Define = append(slices.Clone(with.Define), selected+" = ("+where+")")
		if v, err := viewFor(in, with, append(names, selected), Progress{}); err == nil { // else the input cannot tell
			view, names = v, append(names, selected)
		}
	}
	w, err := rootio.Create(o.Output, treeName(in.Name()), plan.fields, rootio.Like(in), option, rootio.WithFormat(o.Format))
	if err != nil {
		return nil, err
	}
	defer w.Abort()

	result := &evaluated{}
	var strays features.Strays
	for part, err := range view.Parts(names, rootio.Names(plan.carried.fields), 0) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		entries := make([]uint64, len(part.Passed))
		for i, event := range part.EventOf(part.Passed) {
			entries[i] = uint64(part.First) + uint64(event)
		}
		admitted, err := model.Context.Admit(part.Rows(), o.Outside, entries)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source(o.Inputs, in.Name()), err)
		}
		strays.Add(admitted.Strays)
		rows, passed := admitted.Table, make([]int, len(admitted.Rows))
		for i, row := range admitted.Rows {
			passed[i] = part.Passed[row]
		}
		part.Passed = passed
		more, err := of(rows, uint64(result.events))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source(o.Inputs, in.Name()), err)
		}
		if c, ok := rows.Column(selected); ok {
			for _, yes := range c.Values().([]float64) {
				if yes == 0 || yes != yes {
					result.foreign++
				}
			}
		}
		result.events += int64(rows.Len())
		if err := w.Write(plan.table(part, admitted.Known, more)); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	plan.say(p)
	if result.foreign > 0 {
		p.logf("note: %d of %d do not pass %q: the model was trained on none like them", result.foreign, result.events, model.Card.View.Where)
	}
	p.logStrays(strays, plan.known)
	if plan.known != "" {
		result.conditions = &strays
	}
	return result, nil
}

// Scored returns the columns of the events that a log-density of the model is of: those that
// were learnt, but for what numbers events or runs.
func Scored(model *surrogate.Surrogate) []rootio.Field {
	numbers := model.Numbers()
	return slices.DeleteFunc(model.Fields(), func(f rootio.Field) bool { return slices.Contains(numbers, f.Name) })
}

// scorePlan is how rows become rows with what a model says of them.
type scorePlan struct {
	fields   []rootio.Field // that are written: carried, computed, the place of an object, what the model says
	carried  carriage
	computed []string // columns of the view that the model knows and the tree has not
	renamed  []string // remarks on names that were taken
	known    string   // the branch that tells of conditions; "" if there are none
}

func newScorePlan(ctx context.Context, in *rootio.Tree, view *rootio.View, names []string, conditional bool, columns []rootio.Field, replaced func(rootio.Field) bool) *scorePlan {
	s := &scorePlan{carried: newCarriage(ctx, in, nil)}
	if replaced != nil {
		s.carried.leave("they are of another map", replaced)
	}
	if c := view.Collection(); c != nil {
		s.carried.leave(fmt.Sprintf("there is a row for each object of %s, and no place for others", c.Name), func(f rootio.Field) bool {
			return f.IsJagged() && !has(c.Fields, f.Name)
		})
	}
	for _, f := range s.carried.fields {
		if view.Collection() != nil {
			f.Counter = ""
		}
		s.fields = append(s.fields, f)
	}
	for _, f := range view.Fields() {
		if slices.Contains(names, f.Name) && !has(s.fields, f.Name) {
			s.computed = append(s.computed, f.Name)
			s.fields = append(s.fields, f)
		}
	}
	add := func(name, title string, kind rootio.Kind) {
		free := freeName(name, s.fields)
		if free != name {
			s.renamed = append(s.renamed, fmt.Sprintf("there is a branch %s already: the new one is called %s", name, free))
		}
		s.fields = append(s.fields, rootio.Field{Name: free, Title: title, Kind: kind})
	}
	if view.Collection() != nil {
		add(rootio.EventIndex, "event of the input", rootio.Int64)
		add(rootio.ObjectIndex, "object of the event", rootio.Int32)
	}
	if conditional {
		add(knownBranch, "the condition is among those of the training events", rootio.Bool)
		s.known = s.fields[len(s.fields)-1].Name
	}
	for _, c := range columns {
		add(c.Name, c.Title, c.Kind)
	}
	return s
}

// table returns the rows that pass as they are written.
func (s *scorePlan) table(part *rootio.Part, known []bool, more []rootio.Column) *rootio.Table {
	events := part.EventOf(part.Passed)
	out := &rootio.Table{}
	if part.Offsets == nil {
		out = part.Events.Take(events)
	} else {
		columns, jagged := part.Events.Columns, part.Events.Jagged
		for _, f := range s.carried.fields { // in the order of the input
			if f.IsJagged() {
				c := jagged[0].Column.Take(part.Passed)
				c.Counter = ""
				out.Columns, jagged = append(out.Columns, c), jagged[1:]
			} else {
				out.Columns, columns = append(out.Columns, columns[0].Take(events)), columns[1:]
			}
		}
	}
	for _, name := range s.computed {
		c, _ := part.Rows().Column(name)
		out.Columns = append(out.Columns, c)
	}
	if part.Offsets != nil {
		event, object := make([]int64, len(events)), make([]int32, len(events))
		for i, e := range events {
			event[i], object[i] = part.First+int64(e), int32(part.Passed[i]-part.Offsets[e])
		}
		out.Columns = append(out.Columns, rootio.ColumnOf("", event), rootio.ColumnOf("", object))
	}
	if s.known != "" {
		out.Columns = append(out.Columns, rootio.ColumnOf("", known))
	}
	out.Columns = append(out.Columns, more...)
	scalars := slices.DeleteFunc(slices.Clone(s.fields), rootio.Field.IsJagged)
	for i := range out.Columns {
		out.Columns[i].Field = scalars[i]
	}
	return out
}

// say says what stays behind and what has another name than usual.
func (s *scorePlan) say(p Progress) {
	s.carried.say(p)
	for _, line := range s.renamed {
		p.logf("%s", line)
	}
}

// finite returns a number as JSON has it: nil for what JSON cannot hold.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}
