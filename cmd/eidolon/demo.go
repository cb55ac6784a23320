package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/task"
)

func newDemo() *cobra.Command {
	o := task.DemoOptions{N: 100_000, Seed: 1}
	var example string
	var models []string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the main job on built-in physics, start to finish",
		Long: `Demo generates events of pp → Z/γ* → µ⁺µ⁻ from a density that is known in closed form,
trains a model on them, generates ten times as many events, and compares the two samples.
The true density is known, so it also prints the Kullback–Leibler divergence between truth
and model. This is computed with new events, half as many.

It writes five ROOT files, the model and a picture. zmumu.root has the events to learn from,
generated.root the generated ones. The others are for the examples of the README, each with a
fifth as many events: detector.root has muons before and after the detector, muons.root has
events with a collection of muons, and harder.root is like zmumu.root, but with larger
transverse momenta.

With --example it compares the models instead: it trains each of them on events of a known
density, and prints how near each comes to the truth. The table has KL(truth ‖ model) in nats,
the AUC of a classifier between generated and fresh true events (0.5 is ideal), the mean
log-density of these, copies of training events among the generated ones, the time for training
and the speed of drawing. The folder gets the events, the models and a figure of them side by
side: densities, and below events, with some paths of the differential equation that leads from
noise to events. It takes about four minutes.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			if wantJSON(cmd) {
				out = cmd.ErrOrStderr()
			}
			if example != "" {
				folder := o.Folder
				if !cmd.Flags().Changed("output") {
					folder = ""
				}
				of := task.ExampleOptions{Name: example, Models: models, Folder: folder, N: o.N, Seed: o.Seed}
				of.Step = func(line string) { fmt.Fprintln(out, line) }
				return do(cmd, task.Example, of, func(out io.Writer, r *task.ExampleResult) error { return r.WriteText(out) })
			}
			if len(models) > 0 {
				return task.Usage("--models goes with --example only")
			}
			o.Step = func(line string) { fmt.Fprintln(out, line) }
			return do(cmd, task.Demo, o, func(out io.Writer, r *task.DemoResult) error {
				if err := r.Report.WriteText(out); err != nil {
					return err
				}
				_, err := fmt.Fprintf(out, "\nKL(truth ‖ model) = %.4f ± %.4f nats on %d fresh events; all in %.0f s\n", r.KL, r.Error, r.Events, r.Seconds)
				return err
			})
		},
	}
	cmd.Flags().StringVarP(&o.Folder, "output", "o", "eidolon-demo", "the folder for the files, which is made if need be; with --example eidolon-NAME")
	cmd.Flags().StringVar(&example, "example", "", "compare the models on a known density: "+strings.Join(task.Examples(), ", "))
	cmd.Flags().StringSliceVar(&models, "models", nil, "with --example, the models of the table (default all)")
	cmd.Flags().VarP(wholeVar(&o.N, 100, 1e8), "number", "n", "the number of events to learn from")
	cmd.Flags().Var(seed{&o.Seed}, "seed", "the seed of everything random")
	return cmd
}
