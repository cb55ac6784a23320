package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/task"
)

func newReweight() *cobra.Command {
	o := task.ReweightOptions{Branch: "weight", MaxEvents: 200_000, Seed: 1}
	var tree, ratio string
	var fit bool
	cmd := &cobra.Command{
		Use:   "reweight -s SOURCE.root -r TARGET.root -o OUT.root",
		Short: "Give events weights that make them like those of another sample",
		Long: `Reweight trains a classifier to tell the source from the target. It writes the events of
the source with a new branch, weight: the ratio of the densities of target and source,
times the weight that the event already has. An event gets its weight from a classifier that
was not trained on this event. The mean of the ratio is one, so the sum of weights does not
change.

Reweight prints how different the samples are before and after: for each branch, and for a
new classifier on events that were not used to find the weights. It prints the effective
number of events of the weighted sample. It also prints where the target has events but the
source has none: weights cannot repair this. If the samples differ but the classifier has
learnt nothing, this is an error, and nothing is written.

With --fit the output is not a sample but the ratio itself, p(x|1)/p(x|0), for any event x: a file
with the classifiers (0 is the source, 1 the target). --apply RATIO weights the events of any sample (-s)
with it. These weights are not normalised: their mean is one where the events are distributed as
those of the source. The events that a ratio was fitted with are no new events: give them their weights without
--fit. “eidolon score --ratio” and “eidolon generate --ratio” multiply the density of a model
by the ratio; then the source is to be a sample of events of this model.`,
		Example: `  eidolon reweight -s fast.root -r full.root -o weighted.root
  eidolon reweight -s fast.root -r full.root --features pt,eta --source-weight w --clip 20 -o weighted.root
  eidolon reweight --fit -s fast.root -r full.root --features pt,eta -o ratio.eidolon
  eidolon reweight --apply ratio.eidolon -s other.root -o weighted.root`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			refuse := func(mode string, flags ...string) error {
				for _, name := range flags {
					if cmd.Flags().Changed(name) {
						return task.Usage("--%s does not go with --%s", name, mode)
					}
				}
				return nil
			}
			needed := []string{"source", "target", "output"}
			if ratio != "" {
				needed = []string{"source", "output"}
				if err := refuse("apply", "fit", "target", "features", "exclude", "target-weight", "max-events", "seed"); err != nil {
					return err
				}
			}
			if fit {
				if err := refuse("fit", "branch", "clip", "format"); err != nil {
					return err
				}
			}
			if err := require(cmd, needed...); err != nil {
				return err
			}
			o.SourceTree, o.TargetTree = tree, tree
			switch {
			case ratio != "":
				return do(cmd, task.ApplyRatio, task.ApplyRatioOptions{
					Ratio: ratio, Inputs: o.Source, Tree: tree, Weight: o.SourceWeight, Branch: o.Branch, Clip: o.Clip, Output: o.Output, Format: o.Format,
				}, printApplied)
			case fit:
				return do(cmd, task.FitRatio, o, printFitted)
			}
			return do(cmd, task.Reweight, o, func(out io.Writer, r *task.ReweightResult) error {
				if err := r.WriteText(out, r.Closure); err != nil {
					return err
				}
				_, err := fmt.Fprintf(out, "%s: all events with branch %s\n", o.Output, o.Branch)
				return err
			})
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringSliceVarP(&o.Source, "source", "s", nil, "ROOT files with the events to be weighted")
	flags.StringSliceVarP(&o.Target, "target", "r", nil, "ROOT files with the sample that they are made like")
	flags.StringVarP(&o.Output, "output", "o", "", "the file to write: a ROOT file, with --fit a ratio")
	addFormat(cmd, &o.Format)
	flags.BoolVar(&fit, "fit", false, "write the ratio of the densities of target and source, for any event")
	flags.StringVar(&ratio, "apply", "", "weight the events by the ratio in this file, which --fit wrote")
	flags.StringVarP(&tree, "tree", "t", "", "the tree in both; may be left out when a file holds one")
	flags.StringSliceVar(&o.Features, "features", nil, "the branches to make alike (default: all scalar ones in both)")
	flags.StringSliceVar(&o.Exclude, "exclude", nil, "branches to leave out")
	flags.StringVar(&o.SourceWeight, "source-weight", "", "the branch of event weights in the source")
	flags.StringVar(&o.TargetWeight, "target-weight", "", "the branch of event weights in the target")
	flags.StringVar(&o.Branch, "branch", o.Branch, "the name of the branch to write")
	flags.Float64Var(&o.Clip, "clip", 0, "the largest ratio of densities; larger ones are set to it (default: no limit)")
	flags.Var(wholeVar(&o.MaxEvents, 1, 1e9), "max-events", "train on at most this number of events of each sample")
	flags.Var(seed{&o.Seed}, "seed", "the seed of everything random")
	return cmd
}

// printFitted says what came of --fit.
func printFitted(out io.Writer, r *task.FitRatioResult) error {
	_, err := fmt.Fprintf(out, "%s: ratio of densities of %s, from %d and %d events; classifier AUC %.4f ± %.4f\n",
		r.Output, strings.Join(r.Columns, ", "), r.Events[0], r.Events[1], r.AUC, r.AUCError)
	return err
}

// printApplied says what came of --apply.
func printApplied(out io.Writer, r *task.ApplyRatioResult) error {
	text := fmt.Sprintf("%s: %d events with branch %s", r.Output, r.Events, r.Branch)
	if r.Events > 0 {
		text += fmt.Sprintf(", sum of weights %.6g, effective events %.6g; ratios from %.3g to %.3g, mean %.4f (1 for events distributed as the source of the ratio)",
			r.Sum, r.Effective, r.Smallest, r.Largest, r.Mean)
	}
	if r.Clipped > 0 {
		text += fmt.Sprintf("; %d ratios clipped", r.Clipped)
	}
	_, err := fmt.Fprintln(out, text)
	return err
}
