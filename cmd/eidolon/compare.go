package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/task"
)

func newCompare() *cobra.Command {
	o := task.CompareOptions{MaxEvents: 50_000}
	cmd := &cobra.Command{
		Use:   "compare -r REFERENCE.root -c CANDIDATE.root",
		Short: "Put two samples side by side",
		Long: `Compare matches the scalar branches of two samples by name, and of arrays how many
objects there are, sums and the values of the first one, and prints how far
apart they are: Kolmogorov–Smirnov and Wasserstein distances, χ² in common bins,
values that the reference never takes, and correlations. A classifier then tries
to tell the two samples apart by all branches together: an AUC of 0.5 means that
it cannot. Events with the same event_index, as generate --oversample writes it, are
not independent: errors are then by blocks of them. With -o it also writes all that to an HTML file that needs no other, with
a plot of every branch, or, if the name does not end in .html, to a folder with the
report as HTML, text and JSON and every plot as a file.`,
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
			show := newProgress(cmd)
			defer show.finish()
			report, err := task.Compare(cmd.Context(), o, show.Progress)
			if err != nil {
				return err
			}
			show.finish()
			if wantJSON(cmd) {
				return printJSON(cmd, report)
			}
			if err := report.WriteText(cmd.OutOrStdout()); err != nil {
				return err
			}
			if o.Report != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "report and plots: %s\n", o.Report)
			}
			return nil
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
	addView(cmd, &o.View)
	addNoVerify(cmd, &o.NoVerify)
	flags.StringVarP(&o.Report, "report", "o", "", "an .html file for the whole report, or a folder for it and all plots, which is made if need be")
	flags.StringSliceVar(&o.Condition, "condition", nil, "branches in bins of which the others are compared as well")
	flags.StringSliceVar(&o.Training, "training", nil, "ROOT files that the candidate's model was trained on: how many events does it repeat?")
	flags.BoolVar(&o.NoClassifier, "no-classifier", false, "leave the classifier out, which takes most of the time")
	flags.Var(wholeVar(&o.MaxEvents, 1, 1e9), "max-events", "the classifier looks at no more events of each sample")
	return cmd
}
