package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/task"
	"github.com/eidolon-hep/eidolon/rootio"
)

func newGenerate() *cobra.Command {
	o := task.GenerateOptions{Oversample: 1, BasketSize: rootio.DefaultBasketSize}
	var eventSeed uint64
	var compression compressionFlag
	cmd := &cobra.Command{
		Use:   "generate -m MODEL -n N | -i FILE[,FILE…] -o OUT.root",
		Short: "Draw new events from a model",
		Long: `Generate draws events from a model and writes them to a ROOT file. The branches have the
names, the order and the types of those that the model was trained on.

A conditional model generates values for each event of the input files (-i). The other
branches of these events are copied, arrays too. If a branch cannot be copied, this is
printed with the reason. With --oversample R there are R new events for each event of the
input. The branch event_index then holds the number of the input event: 0, 1, … through all
files. If the input has a branch of this name, the new one is called event_index_2 (or _3, …).

A model of objects (train --each) writes events with collections of objects. With -n, the
number of objects in an event is distributed as in the training events. With -i, the objects
of each input event are replaced by the same number of new ones. If the model was trained on
a selection (--where), only objects that pass it are replaced. Branches of the event and of
other collections are copied. Other branches of this collection are left out, because they
describe the old objects; --keep names those that you want to keep.

The input can have conditions that no training event had: a number outside of the range, a
new code, another value of a constant, NaN. Such events are counted, and their branch known
(or known_2, …) is false. By default a new code or NaN is an error, and a number outside of
the range is replaced by the nearest number inside. With --outside clip codes are replaced,
too; with --outside skip such events are left out; with --outside refuse each is an error.

With --ratio the events are distributed as p(x) r(x)/Z, with a ratio r that “eidolon reweight --fit” has
learnt, from events of this model to other events. An event of the model is accepted with the
probability r/r_max; which part of them is, Z/r_max, is printed. Ratios above r_max become r_max, which takes
0.1 % of Z away. The model must not be conditional.

With --reweight-to the events get a branch weight, so that the weighted events are
distributed like those of another sample: see “eidolon reweight”.

The same seed gives the same events. Without --seed a random seed is chosen, printed and
stored in the file (“eidolon info” shows it). So jobs that run at the same time make
different events.

If a value is too far outside of the range of the training events, the event is drawn again, at
most 20 times, and then moved to the limit. The limit is 1.2 to 2 standard deviations outside of the
range (in the coordinates of the model), where a normal tail has a thousandth of one training
event. If the range ends at zero, no value is beyond zero.
It is printed how many events were drawn again and how many were moved (clipped).

A model that solves an equation for its events (--model diffusion or denoiser) can solve it in
another way than it was trained with: --schedule, --solver, --order, --steps, --tolerance. The
file stores what was used. Other schedules put the steps elsewhere, and lead to the same events.`,
		Example: `  eidolon generate -m zmumu.eidolon -n 1000000 -o new.root
  eidolon generate -m zmumu.eidolon -n 1M --seed 7 -o new.root     # the same events each time
  eidolon generate -m response.eidolon -i generator.root --oversample 10 -o smeared.root`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := require(cmd, "model", "output"); err != nil {
				return err
			}
			switch hasNumber := cmd.Flags().Changed("number"); {
			case hasNumber && len(o.Inputs) > 0:
				return task.Usage("-n does not go with -i: there are as many events as in the input, times --oversample")
			case !hasNumber && len(o.Inputs) == 0:
				return task.Usage("%s needs -n, or -i for a conditional model", cmd.CommandPath())
			}
			if cmd.Flags().Changed("seed") {
				o.Seed = &eventSeed
			}
			o.Compression = compression.Compression
			return do(cmd, task.Generate, o, printGenerate)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&o.Model, "model", "m", "", "the model file")
	flags.VarP(wholeVar(&o.N, 0, rootio.MaxEntries), "number", "n", "the number of events to generate, such as 1000000, 1e6 or 1M")
	flags.StringSliceVarP(&o.Inputs, "input", "i", nil, "ROOT files with the conditions, read as one chain")
	flags.StringVar(&o.InputTree, "input-tree", "", "the tree in them; may be left out when a file holds one")
	flags.Var(wholeVar(&o.Oversample, 1, 1<<20), "oversample", "how many times to draw for each event of the input")
	flags.StringVar((*string)(&o.Outside), "outside", "", "what to do with conditions that the training events did not have: clip, skip or refuse (default: clip numbers, refuse codes)")
	flags.StringVarP(&o.Output, "output", "o", "", "the ROOT file to write")
	flags.Var(seed{&eventSeed}, "seed", "the seed of the events (default: one is drawn, and printed)")
	flags.StringVar(&o.Ratio, "ratio", "", "accept events by the ratio in this file (reweight --fit): they are distributed as p(x) r(x)/Z")
	flags.BoolVar(&o.Direct, "direct", false, "draw from the mixture of kernels itself, without solving the equation (--model diffusion)")
	addSolverFlags(flags, &o.Solver, asTrained, asTrained, asTrained, asTrained)
	flags.StringVarP(&o.Tree, "tree", "t", "", "the name of the tree to write (default: that of the training events)")
	flags.StringSliceVar(&o.ReweightTo, "reweight-to", nil, "ROOT files with another sample: a branch weight makes the generated events like it")
	addFormat(cmd, &o.Format)
	flags.Var(&compression, "compression", "the compression of the output: zlib, lz4, zstd, lzma or none")
	flags.Var(wholeVar(&o.BasketSize, 1, 1<<30), "basket-size", "bytes of a branch that are compressed together")
	flags.StringSliceVar(&o.Keep, "keep", nil, "with -i: branches of the objects that are replaced which the new objects keep")
	flags.BoolVar(&o.Histograms, "histograms", false, "write a histogram of every branch beside the tree, in the folder TREE_histograms")
	addNoVerify(cmd, &o.NoVerify)
	return cmd
}

// asTrained is what a model does that is not asked to do otherwise.
const asTrained = "as trained"

// printGenerate says what came of it.
func printGenerate(out io.Writer, r *task.GenerateResult) error {
	if r.Reweighted != nil {
		if err := r.Reweighted.WriteText(out, r.Reweighted.Closure); err != nil {
			return err
		}
	}
	objects := ""
	if r.Model.Card.Collection != nil {
		objects = fmt.Sprintf(" with %d new objects", r.Objects)
		if r.Stayed > 0 {
			objects += fmt.Sprintf(" and %d as they were", r.Stayed)
		}
	}
	fmt.Fprintf(out, "%s: %d events%s with seed %d (%s events/s); outside the range of the training events: %d drawn again, %d clipped\n",
		r.Output, r.Events, objects, r.Seed, siFormat(float64(r.Events)/r.Seconds), r.Redrawn, r.Clipped)
	if r.Ratio != nil && r.Events > 0 {
		fmt.Fprintf(out, "by the ratio, %d of %d events of the model were accepted (%.3g %%)\n",
			r.Events, r.Events+r.Rejected, 100*float64(r.Events)/float64(r.Events+r.Rejected))
	}
	if r.Copies != nil && r.Events > 0 {
		fmt.Fprintf(out, "%d of them (%.3g %%) are copies: nearer to a training event than 99 %% of these are to each other\n",
			*r.Copies, 100*float64(*r.Copies)/float64(r.Events))
	} else if share := r.Model.Card.Copies; share != nil { // the model does not hold the training events
		fmt.Fprintf(out, "%.3g %% of the model's events are copies, as counted after its training: nearer to a training event than 99 %% of these are to each other\n", 100**share)
	}
	if r.Clamped > 0 {
		fmt.Fprintf(out, "%d values of splines were corrected for rounding\n", r.Clamped)
	}
	return nil
}

// addFormat adds the flag --format.
func addFormat(cmd *cobra.Command, f *rootio.Format) {
	cmd.Flags().Var(formatFlag{f}, "format", "the format of the output: ttree or rntuple")
}

// formatFlag is a format as a flag.
type formatFlag struct{ *rootio.Format }

func (f formatFlag) Set(name string) (err error) {
	*f.Format, err = rootio.ParseFormat(name)
	return err
}

func (f formatFlag) Type() string { return "name" }

// compressionFlag is a compression as a flag.
type compressionFlag struct{ rootio.Compression }

func (c *compressionFlag) Set(name string) (err error) {
	c.Compression, err = rootio.ParseCompression(name)
	return err
}

func (c *compressionFlag) Type() string { return "name" }
