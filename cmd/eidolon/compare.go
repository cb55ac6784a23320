package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/compare"
	"github.com/eidolon-hep/eidolon/analysis/task"
)

func newCompare() *cobra.Command {
	o := task.CompareOptions{MaxEvents: 50_000}
	cmd := &cobra.Command{
		Use:   "compare -r REFERENCE.root -c CANDIDATE.root",
		Short: "Put two samples side by side",
		Long: `Compare matches the branches of two samples by name and prints how different they
are. It compares branches with one number per event. For arrays it compares the number of
objects, the sums, and the values of the first object. For each branch it prints the
Kolmogorov–Smirnov and Wasserstein distances, χ² in common bins, and the fraction of values
that the reference never has. It also compares the correlations. Where branches are momenta,
it also compares what follows from them: masses, ΔR, sums. Then it trains a classifier
on all these to tell the samples apart. If its AUC is 0.5, it cannot do this.

Events with the same event_index (written by generate --oversample) are not independent.
Errors are then estimated from blocks of such events.

With -o FILE.html the whole report, with a plot of every branch, is written to this one file.
With any other name, -o makes a folder with the report as HTML, text and JSON, and each plot
as a file.`,
		Example: `  eidolon compare -r zmumu.root -c new.root
  eidolon compare -r nano.root -c new.root --each Jet --where 'pt > 30'
  eidolon compare -r zmumu.root -c new.root --features 'm=sqrt(2*pt1*pt2*(cosh(eta1-eta2)-cos(phi1-phi2)))'
  eidolon compare -r zmumu.root -c new.root --training zmumu.root -o report.html
  eidolon compare -r reco.root -c fast.root --condition true_e,pdg -o report/ --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := require(cmd, "reference", "candidate"); err != nil {
				return err
			}
			return do(cmd, task.Compare, o, func(out io.Writer, report *compare.Report) error {
				err := report.WriteText(out)
				if err == nil && o.Report != "" {
					_, err = fmt.Fprintf(out, "report and plots: %s\n", o.Report)
				}
				return err
			})
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringSliceVarP(&o.Reference, "reference", "r", nil, "ROOT files with the reference sample")
	flags.StringSliceVarP(&o.Candidate, "candidate", "c", nil, "ROOT files with the sample to be judged")
	flags.StringVar(&o.ReferenceWeight, "reference-weight", "", "the branch of event weights in the reference")
	flags.StringVar(&o.CandidateWeight, "candidate-weight", "", "the branch of event weights in the candidate")
	flags.StringVarP(&o.Tree, "tree", "t", "", "the tree in both; may be left out when a file holds one")
	flags.Var(&list{values: &o.Features}, "features", "the branches to compare, or name=expression (default: all scalar ones; of arrays len(Jet_pt), sum(Jet_pt), Jet_pt[0] and the like)")
	flags.BoolVar(&o.NoDerived, "no-derived", false, "do not compare quantities that are derived from momenta, such as masses, or show them to the classifier")
	addView(cmd, &o.View)
	addNoVerify(cmd, &o.NoVerify)
	flags.StringVarP(&o.Report, "report", "o", "", "an .html file for the whole report, or a folder for it and all plots, which is made if need be")
	flags.StringSliceVar(&o.Condition, "condition", nil, "branches: the others are also compared in bins of these")
	flags.StringSliceVar(&o.Training, "training", nil, "ROOT files that the candidate's model was trained on: how many of these events does the candidate repeat?")
	flags.BoolVar(&o.NoClassifier, "no-classifier", false, "do not train the classifier, which takes most of the time")
	flags.Var(wholeVar(&o.MaxEvents, 1, 1e9), "max-events", "train the classifier on at most this number of events of each sample")
	return cmd
}
