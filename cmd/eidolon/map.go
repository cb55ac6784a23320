package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/task"
	"github.com/eidolon-hep/eidolon/rootio"
)

func newMap() *cobra.Command {
	var o task.MapOptions
	var pairsSeed uint64
	cmd := &cobra.Command{
		Use:   "map -m MODEL -i FILE[,FILE…] | --pairs N -o OUT.root",
		Short: "Map events to the base distribution of a model, and back",
		Long: `A model is a map y = f(x) from events x to y, which has a known density q, a standard normal
(with train --components a mixture of normals): log p(x) = log q(y) + log|det J|, J = ∂y/∂x.

Map writes the events with all their branches and the new ones y_NAME, one for each feature
NAME, log_q = log q(y) and log_det_J = log|det J|, in the units of the branches. Their sum is
the log_prob of “eidolon score”. --layers adds log_det_J_1, log_det_J_2, …: log|det J| of each
layer of the map; their titles say which layer it is, and their sum is log_det_J.

With --inverse the input has y, in the branches that map writes, and the output has the events
x instead. The other branches are copied.

With --pairs N map draws N pairs: y from q and x = f⁻¹(y), to train a network on them, for
example. With a conditional model, -i has the conditions, and there are N pairs for each. The
events are those of “eidolon generate” with the same seed, but none is drawn again.

With --path the output has the events on their way from y to x instead: one entry for each
event and each time. The branch time goes from 1 (noise) to 0 (the event x), and event_index is
the number of the event. This is the lecture's x_t, divided by √(α² + σ²), so that it is as wide
as events at every time. Only a diffusion has such a path.

What no smooth map can change is not in y. For a column of codes, for a spike and for counts
there is a branch code_NAME, a whole number from 0 on, and log_q has its log-probability. For
other integers and rounded numbers y contains the random number that makes them continuous.

A flow maps there and back to rounding. A diffusion does so to the accuracy of its solver, some
thousandths of a standard deviation by default; with --tolerance 1e-5 it is slower and more accurate. A distilled
model is a map from y to x only: y and log_det_J of events are those of its teacher.`,
		Example: `  eidolon map -m zmumu.eidolon -i zmumu.root -o y.root
  eidolon map -m zmumu.eidolon -i y.root --inverse -o back.root
  eidolon map -m zmumu.eidolon --pairs 1M --seed 1 -o pairs.root
  eidolon map -m denoiser.eidolon --pairs 1000 --path 1,0.9,…,0 -o paths.root`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := require(cmd, "model", "output"); err != nil {
				return err
			}
			if cmd.Flags().Changed("seed") {
				o.Seed = &pairsSeed
			}
			return do(cmd, task.Map, o, printMap)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&o.Model, "model", "m", "", "the model file")
	flags.StringSliceVarP(&o.Inputs, "input", "i", nil, "ROOT files with the events, or y, or conditions, read as one chain")
	flags.StringVarP(&o.Tree, "tree", "t", "", "the tree; may be left out when a file holds one")
	flags.StringVarP(&o.Output, "output", "o", "", "the ROOT file to write")
	flags.BoolVar(&o.Layers, "layers", false, "write log|det J| of each layer of the map, too")
	flags.BoolVar(&o.Inverse, "inverse", false, "the input has y: write the events x")
	flags.Var(wholeVar(&o.Pairs, 1, rootio.MaxEntries), "pairs", "draw so many pairs (y, x), such as 1M")
	flags.Var(seed{&pairsSeed}, "seed", "the seed of the pairs (default: one is drawn, and printed)")
	flags.Var((*times)(&o.Path), "path", "with --pairs or --inverse: write the events at these times, such as 1,0.5,0 or 1,0.9,…,0")
	flags.StringVar(&o.Where, "where", "", "only events for which this is true: 'pt > 20 && abs(eta) < 2.4'")
	flags.StringVar((*string)(&o.Outside), "outside", "", "what to do with conditions that the training events did not have: clip, skip or refuse (default: clip numbers, refuse codes)")
	const asTrained = "as trained, from events to y as score has it"
	addSolverFlags(flags, &o.Solver, asTrained, asTrained, asTrained, asTrained)
	addNoVerify(cmd, &o.NoVerify)
	return cmd
}

// printMap says what came of it.
func printMap(out io.Writer, r *task.MapResult) error {
	text := fmt.Sprintf("%s: %d events", r.Output, r.Events)
	if r.Rows != r.Events {
		text += fmt.Sprintf(", %d entries", r.Rows)
	}
	if r.Seed != nil {
		text += fmt.Sprintf(", with seed %d", *r.Seed)
	}
	if r.NoImage > 0 {
		text += fmt.Sprintf("; the y of %d events is NaN: the model says that they cannot happen", r.NoImage)
	}
	if _, err := fmt.Fprintln(out, text); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "y: %s\nlayers from x to y: %s\n", strings.Join(r.Columns, ", "), strings.Join(r.Layers, ", "))
	return err
}

// times is a list of times as a flag: 0,0.5,1; an ellipsis goes on with the steps before it:
// 0,0.1,…,1 has 11.
type times []float64

func (l *times) Type() string { return "times" }

func (l *times) String() string {
	var parts []string
	for _, t := range *l {
		parts = append(parts, strconv.FormatFloat(t, 'g', -1, 64))
	}
	return strings.Join(parts, ",")
}

func (l *times) Set(text string) error {
	const most = 10_000
	parts := strings.Split(strings.ReplaceAll(text, "...", "…"), ",")
	var all []float64
	goesOn := false
	for _, part := range parts {
		if part = strings.TrimSpace(part); part == "…" && len(all) > 1 && !goesOn {
			goesOn = true
			continue
		}
		t, err := strconv.ParseFloat(part, 64)
		if err != nil {
			return fmt.Errorf("%q is not a time; a list is 1,0.5,0 or 1,0.9,…,0", part)
		}
		if goesOn {
			from, step := all[len(all)-1], all[len(all)-1]-all[len(all)-2]
			n := math.Round((t - from) / step)
			if !(n >= 1 && n <= most && math.Abs(from+n*step-t) < 1e-6*math.Abs(step)) {
				return fmt.Errorf("no whole number of steps of %g leads from %g to %g", step, from, t)
			}
			for i := 1.0; i < n; i++ {
				all = append(all, from+(t-from)*i/n)
			}
			goesOn = false
		}
		all = append(all, t)
	}
	if goesOn || len(all) > most || slices.ContainsFunc(all, math.IsNaN) {
		return fmt.Errorf("a list of at most %d times is 1,0.5,0 or 1,0.9,…,0", most)
	}
	*l = all
	return nil
}
