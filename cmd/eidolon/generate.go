package main

import (
	"fmt"

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
		Long: `Generate draws events from a model and writes them to a ROOT file, with the
names, the order and the types of the branches that the model was trained on.

With a conditional model it draws for every event of the input files instead, and
carries their other branches along, arrays too; those that are no numbers stay
behind, which is said. With --oversample R it draws R times for each, with one more
branch, event_index, that tells the event of the input: 0, 1, … along all its files.
An event_index that the input has is carried along like any other branch, and the
new one is called event_index_2 (or _3, …).

A model of objects (train --each) makes events with collections of them: with -n as
many in each as the training events had. With -i the objects of the input become new
ones, as many in each event; where the model was trained on a selection (--where), only
those that pass it do, and the others stay as they are. All branches of other objects and
of the events are carried along. Those of the collection that the model neither makes nor
reads are left out, for they told of the old objects; --keep keeps them.

A condition may be one that the training events did not have: a number beyond their
range, a code that none of them had, another value of what was constant, NaN. How many
are is printed, and a branch known (or known_2, …) is false where one is. By default an
unknown code and NaN are errors, and for a number the model is asked as for the nearest that
the training events had; --outside clip does so for codes, too, --outside skip leaves such
events out, and --outside refuse takes them all as errors.

With --reweight-to the events get a branch weight that makes them like those of
another sample, as “eidolon reweight” does.

Event i depends on the seed and on i alone: the same seed gives the same events. Without
--seed one is drawn, printed, and kept in the file: jobs that run side by side make
different events. “eidolon info” tells of the seed of a file.

An event with a value further outside the range of the training events than a tenth of a
standard deviation, as the model sees the branch, is drawn again, 20 times at most, and
then moved to that limit; a range that ends at zero ends there. How many were is
printed.`,
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
			show := newProgress(cmd)
			defer show.finish()
			result, err := task.Generate(cmd.Context(), o, show.Progress)
			if err != nil {
				return err
			}
			show.finish()
			return printGenerate(cmd, result)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&o.Model, "model", "m", "", "the model file")
	flags.VarP(wholeVar(&o.N, 0, rootio.MaxEntries), "number", "n", "the number of events to generate, such as 1000000, 1e6 or 1M")
	flags.StringSliceVarP(&o.Inputs, "input", "i", nil, "ROOT files with the conditions, read as one chain")
	flags.StringVar(&o.InputTree, "input-tree", "", "the tree in them; may be left out when a file holds one")
	flags.Var(wholeVar(&o.Oversample, 1, 1<<20), "oversample", "draw so many times for each event of the input")
	flags.StringVar((*string)(&o.Outside), "outside", "", "conditions that the training events did not have: clip, skip or refuse (default: clip numbers, refuse codes)")
	flags.StringVarP(&o.Output, "output", "o", "", "the ROOT file to write")
	flags.Var(seed{&eventSeed}, "seed", "the seed of the events (default: one is drawn, and printed)")
	flags.BoolVar(&o.Direct, "direct", false, "draw from the mixture of kernels itself, without the equation (--model diffusion)")
	flags.StringVarP(&o.Tree, "tree", "t", "", "the name of the tree to write (default: that of the training events)")
	flags.StringSliceVar(&o.ReweightTo, "reweight-to", nil, "ROOT files with events that the generated ones are to be like, by a branch weight")
	flags.Var(&compression, "compression", "of the file to write: zlib, lz4, zstd, lzma or none")
	flags.Var(wholeVar(&o.BasketSize, 1, 1<<30), "basket-size", "bytes of a branch that are compressed together")
	flags.StringSliceVar(&o.Keep, "keep", nil, "with -i, branches of the old objects that the new ones in their places have, too")
	flags.BoolVar(&o.Histograms, "histograms", false, "put a histogram of every branch beside the tree, in TREE_histograms")
	addNoVerify(cmd, &o.NoVerify)
	return cmd
}

// printGenerate says what came of it.
func printGenerate(cmd *cobra.Command, r *task.GenerateResult) error {
	if wantJSON(cmd) {
		return printJSON(cmd, r)
	}
	out := cmd.OutOrStdout()
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

// compressionFlag is a compression as a flag.
type compressionFlag struct{ rootio.Compression }

func (c *compressionFlag) Set(name string) (err error) {
	c.Compression, err = rootio.ParseCompression(name)
	return err
}

func (c *compressionFlag) Type() string { return "name" }
