package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/rootio"
)

// logProb is the branch that score adds.
const logProb = "log_prob"

type scoreFlags struct {
	model  string
	inputs []string
	tree   string
	output string
	view   viewFlags
}

func newScore() *cobra.Command {
	var f scoreFlags
	cmd := &cobra.Command{
		Use:   "score -m MODEL -i FILE[,FILE…] -o OUT.root",
		Short: "Add the log-density of each event",
		Long: `Score writes the branches that the model knows, and log_prob: the natural
logarithm of the model's density of the event (given its condition, if any), per unit of every branch that is
not constant. Branches of integers and codes count as value + uniform deviate in
[0, 1), so that their probability is a density, too. An event that the model says
cannot happen (beyond a hard edge, an unknown code) has log_prob −Inf.

For a model of objects (train --each) there is a row for each, with event_index and
object_index.`,
		Example: `  eidolon score -m zmumu.eidolon -i zmumu.root -o scored.root`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := require(cmd, "model", "input", "output"); err != nil {
				return err
			}
			if err := keepApart(f.output, append(slices.Clone(f.inputs), f.model)...); err != nil {
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
	f.view.addNoVerify(cmd)
	return cmd
}

func (f *scoreFlags) run(cmd *cobra.Command) error {
	model, err := surrogate.Load(f.model)
	if err != nil {
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
	f.view.options.Each, f.view.options.Define = model.Card.View.Each, model.Card.View.Define
	view, err := in.View(f.view.options)
	if err != nil {
		return err
	}
	score := rootio.Field{Name: logProb, Title: "log-density of the event", Kind: rootio.Float64}
	names := append(model.Features.Names(), model.Context.Names()...)
	var fields []rootio.Field
	all := view.Fields()
	for _, name := range names {
		if i := slices.IndexFunc(all, func(f rootio.Field) bool { return f.Name == name }); i >= 0 {
			fields = append(fields, all[i])
		}
	}
	if view.Collection() != nil {
		names = append(names, rootio.EventIndex, rootio.ObjectIndex)
		fields = append(fields, rootio.Field{Name: rootio.EventIndex, Kind: rootio.Int64}, rootio.Field{Name: rootio.ObjectIndex, Kind: rootio.Int32})
	}
	fields = append(fields, score)
	tree := treeName(in.Name())
	w, err := rootio.Create(f.output, tree, fields)
	if err != nil {
		return err
	}
	defer w.Abort()

	var sum float64
	var events, impossible int64
	var density []float64
	for table, err := range view.Chunks(names, chunk) {
		if err == nil {
			err = cmd.Context().Err()
		}
		if err != nil {
			return err
		}
		if n := table.Len(); len(density) < n {
			density = make([]float64, n)
		}
		p := density[:table.Len()]
		if err := model.LogDensity(p, table, uint64(events)); err != nil {
			return fmt.Errorf("%s: %w", source(f.inputs, in.Name()), err)
		}
		for _, v := range p {
			if math.IsInf(v, -1) {
				impossible++
			} else {
				sum += v
			}
		}
		events += int64(len(p))
		column := rootio.ColumnOf(logProb, p)
		column.Field = score
		scored := rootio.Table{Columns: append(table.Columns[:len(table.Columns):len(table.Columns)], column)}
		if err := w.Write(&scored); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	mean := sum / float64(events-impossible)
	if wantJSON(cmd) {
		return printJSON(cmd, struct {
			Output     string   `json:"output"`
			Events     int64    `json:"events"`
			Impossible int64    `json:"impossible"`
			Mean       *float64 `json:"mean_log_prob"` // of the possible events
		}{f.output, events, impossible, finite(mean)})
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

// finite returns a number as JSON has it: nil for what JSON cannot hold.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}
