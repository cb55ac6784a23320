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
logarithm of the model's density of the event, or of its density given the condition. It is
the density per unit of every branch that is not constant. A branch of integers or codes counts as
its value plus a uniform random number in [0, 1), so that a probability becomes a density. If
an event is impossible for the model (a code that no training event had), its log_prob
is −Inf. Branches that the model computes are written, too. What cannot be copied is
printed, with the reason.

With a conditional model there is also a branch known. It is false if the training events did
not have such a condition; log_prob is then that for the nearest condition that they
had. A new code is an error, unless --outside says otherwise (see generate).

With a model of objects (train --each) a row is an object. It has the branches of its
collection, those of its event with one value, and event_index and object_index.`,
		Example: `  eidolon score -m zmumu.eidolon -i zmumu.root -o scored.root`,
		Args:    noArgs,
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
	flags.StringSliceVarP(&o.Inputs, "input", "i", nil, "ROOT files with the events, read as one chain")
	flags.StringVarP(&o.Tree, "tree", "t", "", "the tree; may be left out when a file holds one")
	flags.StringVarP(&o.Output, "output", "o", "", "the ROOT file to write")
	flags.StringVar(&o.Where, "where", "", "only rows for which this is true: 'pt > 20 && abs(eta) < 2.4'")
	flags.StringVar((*string)(&o.Outside), "outside", "", "what to do with conditions that the training events did not have: clip, skip or refuse (default: clip numbers, refuse codes)")
	addNoVerify(cmd, &o.NoVerify)
	return cmd
}

// printScore says what came of it.
func printScore(out io.Writer, r *task.ScoreResult) error {
	text := fmt.Sprintf("%s: %d events", r.Output, r.Events)
	if r.Events > r.Impossible {
		text += fmt.Sprintf(", mean log_prob %.4f", *r.Mean)
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
