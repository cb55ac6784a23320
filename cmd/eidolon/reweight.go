package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/task"
)

func newReweight() *cobra.Command {
	o := task.ReweightOptions{Branch: "weight", MaxEvents: 200_000, Seed: 1}
	var tree string
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
learnt nothing, this is an error, and nothing is written.`,
		Example: `  eidolon reweight -s fast.root -r full.root -o weighted.root
  eidolon reweight -s fast.root -r full.root --features pt,eta --source-weight w --clip 20 -o weighted.root`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := require(cmd, "source", "target", "output"); err != nil {
				return err
			}
			o.SourceTree, o.TargetTree = tree, tree
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
	flags.StringVarP(&o.Output, "output", "o", "", "the ROOT file to write")
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
