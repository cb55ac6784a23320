package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/output"
	"github.com/eidolon-hep/eidolon/rootio"
)

// logProb is the branch that score adds.
const logProb = "log_prob"

// selected is the column that tells which rows pass the selection of the training.
const selected = "eidolon_selected"

type scoreFlags struct {
	model  string
	inputs []string
	tree   string
	output string
	view   viewFlags

	outside string // what becomes of conditions that the training events did not have
}

func newScore() *cobra.Command {
	var f scoreFlags
	cmd := &cobra.Command{
		Use:   "score -m MODEL -i FILE[,FILE…] -o OUT.root",
		Short: "Add the log-density of each event",
		Long: `Score writes the events with all their branches, and log_prob: the natural
logarithm of the model's density of the event (given its condition, if any), per unit of every branch that is
not constant. Branches of integers and codes count as value + uniform deviate in
[0, 1), so that their probability is a density, too. An event that the model says
cannot happen (an unknown code) has log_prob −Inf. Branches that the
model computes are written, too; those that are no numbers stay behind, which is said.

Of a conditional model there is a branch known as well: false where the condition is one
that the training events did not have; log_prob is then that for the nearest which they
had. An unknown code is an error, unless --outside says otherwise (see generate).

For a model of objects (train --each) there is a row for each, with the branches of its
collection, those of its event that have one value, event_index and object_index.`,
		Example: `  eidolon score -m zmumu.eidolon -i zmumu.root -o scored.root`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := require(cmd, "model", "input", "output"); err != nil {
				return err
			}
			if err := features.Outside(f.outside).Check(); err != nil {
				return usageError{err}
			}
			if err := output.Check(f.output, output.ROOT, append(slices.Clone(f.inputs), f.model)...); err != nil {
				return err
			}
			return f.run(cmd)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&f.model, "model", "m", "", "the model file")
	flags.StringSliceVarP(&f.inputs, "input", "i", nil, "ROOT files with the events, read as one chain")
	flags.StringVarP(&f.tree, "tree", "t", "", "the tree; may be left out when a file holds one")
	flags.StringVarP(&f.output, "output", "o", "", "the ROOT file to write")
	flags.StringVar(&f.view.options.Where, "where", "", "only rows for which this is true: 'pt > 20 && abs(eta) < 2.4'")
	flags.StringVar(&f.outside, "outside", "", "conditions that the training events did not have: clip, skip or refuse (default: clip numbers, refuse codes)")
	f.view.addNoVerify(cmd)
	return cmd
}

func (f *scoreFlags) run(cmd *cobra.Command) error {
	model, err := surrogate.Load(f.model)
	if err != nil {
		return err
	}
	if err := keepTraining(cmd.Context(), f.output, model); err != nil {
		return err
	}
	if !model.HasDensity() {
		return fmt.Errorf("the model %s has no density: it draws copies of training events (σ_min is 0)", f.model)
	}
	in, err := f.view.open(cmd.Context(), f.tree, f.inputs)
	if err != nil {
		return err
	}
	defer in.Close()
	numbers := model.Features.Numbers() // of events, which have no part in the density
	names := slices.DeleteFunc(model.Features.Names(), func(name string) bool { return slices.Contains(numbers, name) })
	names = append(names, model.Context.Names()...)
	f.view.options.Each, f.view.options.Define = model.Card.View.Each, model.Card.View.Define
	view, err := ofModel(in, f.view.options, names, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	plan := newScorePlan(cmd.Context(), in, view, names, len(model.Context.Names()) > 0)
	if where := model.Card.View.Where; where != "" {
		with := f.view.options
		with.Define = append(slices.Clone(with.Define), selected+" = ("+where+")")
		if v, err := ofModel(in, with, append(names, selected), io.Discard); err == nil { // else the input cannot tell
			view, names = v, append(names, selected)
		}
	}
	w, err := rootio.Create(f.output, treeName(in.Name()), plan.fields)
	if err != nil {
		return err
	}
	defer w.Abort()

	var sum float64
	var events, impossible, foreign int64
	var strays features.Strays
	var density []float64
	for part, err := range view.Parts(names, plan.carried.names(), 0) {
		if err == nil {
			err = cmd.Context().Err()
		}
		if err != nil {
			return err
		}
		entries := make([]uint64, len(part.Passed))
		for i, event := range part.EventOf(part.Passed) {
			entries[i] = uint64(part.First) + uint64(event)
		}
		admitted, err := model.Context.Admit(part.Rows(), features.Outside(f.outside), entries)
		if err != nil {
			return fmt.Errorf("%s: %w", source(f.inputs, in.Name()), err)
		}
		strays.Add(admitted.Strays)
		rows, passed := admitted.Table, make([]int, len(admitted.Rows))
		for i, row := range admitted.Rows {
			passed[i] = part.Passed[row]
		}
		part.Passed = passed
		if n := rows.Len(); len(density) < n {
			density = make([]float64, n)
		}
		p := density[:rows.Len()]
		if err := model.LogDensity(cmd.Context(), p, rows, uint64(events)); err != nil {
			return fmt.Errorf("%s: %w", source(f.inputs, in.Name()), err)
		}
		for _, v := range p {
			if math.IsInf(v, -1) {
				impossible++
			} else {
				sum += v
			}
		}
		if c, ok := rows.Column(selected); ok {
			for _, yes := range c.Values().([]float64) {
				if yes == 0 || yes != yes {
					foreign++
				}
			}
		}
		events += int64(len(p))
		if err := w.Write(plan.table(part, p, admitted.Known)); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	plan.say(cmd.ErrOrStderr())
	if foreign > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %d of %d do not pass %q: the model was trained on none like them\n", foreign, events, model.Card.View.Where)
	}
	if strays.Outside > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %v; branch %s is false where the condition was none of theirs\n", strays, plan.known)
	}
	mean := sum / float64(events-impossible)
	if wantJSON(cmd) {
		var conditions *features.Strays
		if plan.known != "" {
			conditions = &strays
		}
		return printJSON(cmd, struct {
			Output     string   `json:"output"`
			Events     int64    `json:"events"`
			Impossible int64    `json:"impossible"`
			Foreign    int64    `json:"not_selected,omitempty"` // by the model's selection
			Mean       *float64 `json:"mean_log_prob"`          // of the possible events

			Conditions *features.Strays `json:"conditions,omitempty"`
		}{f.output, events, impossible, foreign, finite(mean), conditions})
	}
	text := fmt.Sprintf("%s: %d events", f.output, events)
	if possible := events - impossible; possible > 0 {
		text += fmt.Sprintf(", mean %s %.4f", logProb, mean)
	}
	switch impossible {
	case 0:
	case events:
		text += ", none of which the model says can happen"
	default:
		text += fmt.Sprintf(" (without %d events that the model says cannot happen)", impossible)
	}
	fmt.Fprintln(cmd.OutOrStdout(), text)
	return nil
}

// scorePlan is how rows become rows with a log-density.
type scorePlan struct {
	fields   []rootio.Field // that are written: carried, computed, the place of an object, the log-density
	carried  carriage
	computed []string // columns of the view that the model knows and the tree has not
	renamed  []string // remarks on names that were taken
	known    string   // the branch that tells of conditions; "" if there are none
}

func newScorePlan(ctx context.Context, in *rootio.Tree, view *rootio.View, names []string, conditional bool) *scorePlan {
	p := &scorePlan{carried: newCarriage(ctx, in, nil)}
	if c := view.Collection(); c != nil {
		p.carried.leave(fmt.Sprintf("there is a row for each object of %s, and no place for others", c.Name), func(f rootio.Field) bool {
			return f.IsJagged() && !slices.ContainsFunc(c.Fields, func(of rootio.Field) bool { return of.Name == f.Name })
		})
	}
	for _, f := range p.carried.fields {
		if view.Collection() != nil {
			f.Counter = ""
		}
		p.fields = append(p.fields, f)
	}
	for _, f := range view.Fields() {
		if slices.Contains(names, f.Name) && !slices.ContainsFunc(p.fields, func(have rootio.Field) bool { return have.Name == f.Name }) {
			p.computed = append(p.computed, f.Name)
			p.fields = append(p.fields, f)
		}
	}
	add := func(name, title string, kind rootio.Kind) {
		free := freeName(name, p.fields)
		if free != name {
			p.renamed = append(p.renamed, fmt.Sprintf("there is a branch %s already: the new one is called %s", name, free))
		}
		p.fields = append(p.fields, rootio.Field{Name: free, Title: title, Kind: kind})
	}
	if view.Collection() != nil {
		add(rootio.EventIndex, "event of the input", rootio.Int64)
		add(rootio.ObjectIndex, "object of the event", rootio.Int32)
	}
	if conditional {
		add(knownBranch, "the condition is among those of the training events", rootio.Bool)
		p.known = p.fields[len(p.fields)-1].Name
	}
	add(logProb, "log-density of the event", rootio.Float64)
	return p
}

// table returns the rows that pass as they are written.
func (p *scorePlan) table(part *rootio.Part, density []float64, known []bool) *rootio.Table {
	events := part.EventOf(part.Passed)
	out := &rootio.Table{}
	if part.Offsets == nil {
		out = part.Events.Take(events)
	} else {
		columns, jagged := part.Events.Columns, part.Events.Jagged
		for _, f := range p.carried.fields { // in the order of the input
			if f.IsJagged() {
				c := jagged[0].Column.Take(part.Passed)
				c.Counter = ""
				out.Columns, jagged = append(out.Columns, c), jagged[1:]
			} else {
				out.Columns, columns = append(out.Columns, columns[0].Take(events)), columns[1:]
			}
		}
	}
	for _, name := range p.computed {
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
	if p.known != "" {
		out.Columns = append(out.Columns, rootio.ColumnOf("", known))
	}
	out.Columns = append(out.Columns, rootio.ColumnOf("", density))
	scalars := slices.DeleteFunc(slices.Clone(p.fields), rootio.Field.IsJagged)
	for i := range out.Columns {
		out.Columns[i].Field = scalars[i]
	}
	return out
}

// say says what stays behind and what has another name than usual.
func (p *scorePlan) say(out io.Writer) {
	p.carried.say(out)
	for _, line := range p.renamed {
		fmt.Fprintln(out, line)
	}
}

// finite returns a number as JSON has it: nil for what JSON cannot hold.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}
