package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/task"
)

func newScore() *cobra.Command {
	var o task.ScoreOptions
	cmd := &cobra.Command{
		Use:   "score -m MODEL -i FILE[,FILE…] -o OUT.root",
		Short: "Add the log-density of each event",
		Long: `Score writes the events with all their branches and a new one, log_prob: the natural
logarithm of the model's density of the event, or of its density given the condition. The
density is per unit of each branch that is not constant, for example per GeV. To integers and
codes a uniform random number in [0, 1) is added, so that they have a density, too. If an
event is impossible for the model (a code that no training event had), its log_prob is −Inf.
Features that are expressions are written as new branches. If a branch cannot be copied, this
is printed with the reason.

With a conditional model there is also a branch known. It is false if the condition is
outside the range of the training events; log_prob is then computed for the nearest condition
inside. A new code is an error, unless --outside says otherwise (see generate).

The log-density of a denoiser, and of a one-step map that has learnt from one, is integrated along
the path of an equation. --schedule, --solver, --order, --steps and --tolerance say how. All other
models have it in closed form.

With --ratio the density is p(x) r(x)/Z, with a ratio r that “eidolon reweight --fit” has learnt, from
events of this model to other events. Z is the mean of r over events of the model; its error is
printed, and is an error of every log_prob. The model must not be conditional.

With a model of objects (train --each) the output has one entry per object. It has the
branches of the collection, the scalar branches of the event, event_index and object_index.`,
		Example: `  eidolon score -m zmumu.eidolon -i zmumu.root -o scored.root
  eidolon score -m zmumu.eidolon --ratio ratio.eidolon -i other.root -o scored.root`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := require(cmd, "model", "input", "output"); err != nil {
				return err
			}
			return do(cmd, task.Score, o, printScore)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&o.Model, "model", "m", "", "the model file")
	flags.StringVar(&o.Ratio, "ratio", "", "multiply the density by the ratio in this file (reweight --fit): log p + log r − log Z")
	flags.StringSliceVarP(&o.Inputs, "input", "i", nil, "ROOT files with the events, read as one chain")
	flags.StringVarP(&o.Tree, "tree", "t", "", "the tree; may be left out when a file holds one")
	flags.StringVarP(&o.Output, "output", "o", "", "the ROOT file to write")
	addFormat(cmd, &o.Format)
	flags.StringVar(&o.Where, "where", "", "only rows for which this is true: 'pt > 20 && abs(eta) < 2.4'")
	flags.StringVar((*string)(&o.Outside), "outside", "", "what to do with conditions that the training events did not have: clip, skip or refuse (default: clip numbers, refuse codes)")
	addSolverFlags(flags, &o.Solver, "linear", "heun", "2", "36")
	addNoVerify(cmd, &o.NoVerify)
	return cmd
}

// printScore says what came of it.
func printScore(out io.Writer, r *task.ScoreResult) error {
	text := fmt.Sprintf("%s: %d events", r.Output, r.Events)
	switch {
	case r.Mean != nil:
		text += fmt.Sprintf(", mean log_prob %.4f", *r.Mean)
	case r.Events > r.Impossible:
		text += ", mean log_prob not finite"
	}
	switch r.Impossible {
	case 0:
	case r.Events:
		text += ", none of which the model says can happen"
	default:
		text += fmt.Sprintf(" (without %d events that the model says cannot happen)", r.Impossible)
	}
	_, err := fmt.Fprintln(out, text)
	return err
}
