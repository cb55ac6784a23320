package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/reweight"
	"github.com/eidolon-hep/eidolon/internal/output"
	"github.com/eidolon-hep/eidolon/rootio"
)

type reweightFlags struct {
	source, target []string
	sourceWeight   string
	targetWeight   string
	tree           string
	features       []string
	exclude        []string
	branch         string
	clip           float64
	maxEvents      int
	seed           uint64
	output         string
	options        []rootio.Option // of the file to write
}

func newReweight() *cobra.Command {
	f := reweightFlags{maxEvents: 200_000, seed: 1}
	cmd := &cobra.Command{
		Use:   "reweight -s SOURCE.root -r TARGET.root -o OUT.root",
		Short: "Give events weights that make them like those of another sample",
		Long: `Reweight trains a classifier that tells the source from the target and writes the
source's branches with one more, weight: the ratio of the two densities, times the
weight that the event has already. No event is weighted by a classifier that has
seen it. The mean ratio is one: the sum of weights stays as it is.

It prints how far the samples are apart before and after, column by column and for
a new classifier of events that the weights were not learnt from, and how many events
the weighted ones are worth. It says where the target has events and the source has
none: no weight mends that. If the samples differ and nothing was learnt, that is an
error, and nothing is written.`,
		Example: `  eidolon reweight -s fast.root -r full.root -o weighted.root
  eidolon reweight -s fast.root -r full.root --features pt,eta --source-weight w --clip 20 -o weighted.root`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := require(cmd, "source", "target", "output"); err != nil {
				return err
			}
			if !(f.clip >= 0) {
				return usagef("weights cannot be clipped at %g", f.clip)
			}
			if err := output.Check(f.output, output.ROOT, slices.Concat(f.source, f.target)...); err != nil {
				return err
			}
			return f.run(cmd)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringSliceVarP(&f.source, "source", "s", nil, "ROOT files with the events to be weighted")
	flags.StringSliceVarP(&f.target, "target", "r", nil, "ROOT files with the reference sample that they are to be like")
	flags.StringVarP(&f.output, "output", "o", "", "the ROOT file to write")
	flags.StringVarP(&f.tree, "tree", "t", "", "the tree in both; may be left out when a file holds one")
	flags.StringSliceVar(&f.features, "features", nil, "the branches to make alike (default: all scalar ones in both)")
	flags.StringSliceVar(&f.exclude, "exclude", nil, "branches to leave out")
	flags.StringVar(&f.sourceWeight, "source-weight", "", "the branch of event weights in the source")
	flags.StringVar(&f.targetWeight, "target-weight", "", "the branch of event weights in the target")
	flags.StringVar(&f.branch, "branch", "weight", "the name of the branch to write")
	flags.Float64Var(&f.clip, "clip", 0, "the largest ratio of densities; larger ones become it (default: no limit)")
	flags.Var(wholeVar(&f.maxEvents, 1, 1e9), "max-events", "train on at most so many events of each sample")
	flags.Var(seed{&f.seed}, "seed", "the seed of everything random")
	return cmd
}

func (f *reweightFlags) run(cmd *cobra.Command) error {
	found, err := f.weigh(cmd)
	if err != nil {
		return err
	}
	if wantJSON(cmd) {
		return printJSON(cmd, struct {
			Output string `json:"output"`
			*weighed
		}{f.output, found})
	}
	if err := found.WriteText(cmd.OutOrStdout(), found.Closure); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: all events with branch %s\n", f.output, f.branch)
	return err
}

// weighed is what there is to say of weights.
type weighed struct {
	*reweight.Weights
	Closure *reweight.Closure `json:"closure"`
}

// weigh finds the weights and writes the file.
func (f *reweightFlags) weigh(cmd *cobra.Command) (*weighed, error) {
	sourceTree, err := rootio.Open(cmd.Context(), f.tree, f.source...)
	if err != nil {
		return nil, err
	}
	defer sourceTree.Close()
	for _, b := range sourceTree.Branches() {
		if b.Name == f.branch {
			return nil, usagef("%s has a branch %q already: give another name with --branch", f.source[0], f.branch)
		}
	}
	carried := newCarriage(cmd.Context(), sourceTree, nil)
	carried.say(cmd.ErrOrStderr())
	table, err := sourceTree.Read(nil, 0, sourceTree.Len())
	if err != nil {
		return nil, err
	}
	source := classify.Sample{Table: table}
	target := classify.Sample{}
	if target.Table, err = readAll(cmd.Context(), f.tree, f.target); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		sample *classify.Sample
		name   string
		file   string
	}{{&source, f.sourceWeight, f.source[0]}, {&target, f.targetWeight, f.target[0]}} {
		if s.sample.Weights, err = weightsOf(s.sample.Table, s.name, s.file); err != nil {
			return nil, err
		}
	}
	opts := reweight.Options{Clip: f.clip}
	opts.Classify = classify.Options{Seed: f.seed, MaxEvents: f.maxEvents, Columns: f.features}
	if len(opts.Classify.Columns) == 0 {
		sayLeft(cmd.ErrOrStderr(), "not made alike", arraysOf(sourceTree, "it has several values per event"))
		besides := append([]string{f.sourceWeight, f.targetWeight, blockName(table.Fields())}, f.exclude...)
		var numbers []rootio.BranchInfo
		for _, field := range append(features.NumbersOf(table), features.NumbersOf(target.Table)...) { // in one of them at least
			if !slices.Contains(besides, field.Name) {
				besides = append(besides, field.Name)
				numbers = append(numbers, rootio.BranchInfo{Field: field, Reason: "numbers of events or runs (--features takes them all the same)"})
			}
		}
		sayLeft(cmd.ErrOrStderr(), "not made alike", numbers)
		for _, c := range table.Columns {
			_, ok := target.Table.Column(c.Name)
			if ok && !slices.Contains(besides, c.Name) {
				opts.Classify.Columns = append(opts.Classify.Columns, c.Name)
			}
		}
		if len(opts.Classify.Columns) == 0 {
			return nil, fmt.Errorf("%s and %s have no branch in common", f.source[0], f.target[0])
		}
	}
	opts.Classify.Progress = percent(cmd)
	w, err := reweight.Fit(cmd.Context(), source, target, opts)
	switch {
	case errors.Is(err, reweight.ErrNoOverlap):
		return nil, fmt.Errorf("%s and %s: %w: see --exclude and --features", f.source[0], f.target[0], err)
	case err != nil:
		return nil, fmt.Errorf("%s and %s: %w", f.source[0], f.target[0], err)
	}
	closure, err := w.Close(cmd.Context(), source, target, opts)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", f.source[0], f.target[0], err)
	}
	column := rootio.ColumnOf(f.branch, w.Weight)
	column.Title = "event weight, to be like " + filepath.Base(f.target[0])
	if err := f.write(sourceTree, carried, column); err != nil {
		return nil, err
	}
	return &weighed{w, closure}, nil
}

// percent shows on a terminal which part of the work of a classifier is done.
func percent(cmd *cobra.Command) func(done float64) {
	bar := newCounter(cmd.ErrOrStderr(), 100)
	shown := 0
	return func(done float64) {
		bar.add(int(100*done) - shown)
		shown = int(100 * done)
		if done == 1 {
			bar.finish()
			bar, shown = newCounter(cmd.ErrOrStderr(), 100), 0 // there may be another classifier
		}
	}
}

// weightsOf returns the weights of the events in the named branch, nil if it has no
// name.
func weightsOf(t *rootio.Table, name, file string) ([]float64, error) {
	if name == "" {
		return nil, nil
	}
	c, ok := t.Column(name)
	if !ok {
		return nil, fmt.Errorf("%s has no scalar branch %q for weights", file, name)
	}
	w := make([]float64, t.Len())
	c.Floats(w, 0)
	return w, nil
}

// write writes all that can be read of the source, and the weights.
func (f *reweightFlags) write(source *rootio.Tree, carried carriage, weight rootio.Column) error {
	w, err := rootio.Create(f.output, treeName(source.Name()), append(slices.Clone(carried.fields), weight.Field), f.options...)
	if err != nil {
		return err
	}
	defer w.Abort()
	lo := 0
	for table, err := range source.Chunks(carried.names(), 0) {
		if err != nil {
			return err
		}
		hi := lo + table.Len()
		columns := append(table.Columns[:len(table.Columns):len(table.Columns)], weight.Slice(lo, hi))
		if err := w.Write(&rootio.Table{Columns: columns, Jagged: table.Jagged}); err != nil {
			return err
		}
		lo = hi
	}
	return w.Close()
}
