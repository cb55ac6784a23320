package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/atomicfile"
	"github.com/eidolon-hep/eidolon/rootio"
)

type trainFlags struct {
	inputs   []string
	tree     string
	features []string
	exclude  []string
	weight   string
	card     string
	output   string
	options  surrogate.Options

	checkpoint string
	resume     string
	paused     *surrogate.Paused // what resume names
}

func newTrain() *cobra.Command {
	var f trainFlags
	cmd := &cobra.Command{
		Use:   "train -i FILE[,FILE…] -o MODEL",
		Short: "Learn the events of a ROOT file",
		Long: `Train learns the joint density of scalar branches of a tree and writes a model
file. Each branch is treated as its values ask for; what was chosen is printed.

One event in ten is held out for validation; the model keeps the parameters that
were best there. A checkpoint is kept beside the model while the training runs. An
interrupt (ctrl-C) ends the training and saves the best model so far; --resume goes
on from the checkpoint, to the same result as without the interrupt.`,
		Example: `  eidolon train -i zmumu.root -o zmumu.eidolon
  eidolon train -i a.root,b.root -t Events --features pt,eta,phi --weight w --max-time 5m -o m.eidolon
  eidolon train -i sim.root --features reco_e --condition true_e,pdg -o response.eidolon
  eidolon train -i zmumu.root --vector m1=pt1,eta1,phi1,0.1057 --vector m2=pt2,eta2,phi2,0.1057 --system Z=m1+m2 -o z.eidolon
  eidolon train --resume zmumu.eidolon.checkpoint -o zmumu.eidolon
  eidolon train -c card.yaml          # a card holds flags by their long names: “input: a.root”`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := readCard(cmd, f.card); err != nil {
				return err
			}
			if err := f.takeUp(cmd); err != nil {
				return err
			}
			if err := require(cmd, "input", "output"); err != nil {
				return err
			}
			if err := f.options.Check(); err != nil {
				return usageError{err}
			}
			if err := keepApart(f.output, append(slices.Clone(f.inputs), f.card)...); err != nil {
				return err
			}
			return f.run(cmd)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringSliceVarP(&f.inputs, "input", "i", nil, "ROOT files with the events, read as one chain")
	flags.StringVarP(&f.tree, "tree", "t", "", "the tree; may be left out when a file holds one")
	flags.StringSliceVar(&f.features, "features", nil, "the branches to learn (default: all scalar ones)")
	flags.StringSliceVar(&f.options.Condition, "condition", nil, "branches that the density of the others is conditional on: p(features | condition)")
	flags.StringArrayVar(&f.options.Features.Vectors, "vector", nil, "a four-vector, name=pt,eta,phi,mass or name=px,py,pz,mass, of branches; the mass may be a number")
	flags.StringArrayVar(&f.options.Features.Systems, "system", nil, "a sum of vectors, name=vector+vector: its mass and decay angles are learnt in place of the momenta")
	flags.StringSliceVar(&f.exclude, "exclude", nil, "branches to leave out")
	flags.StringVar(&f.weight, "weight", "", "the branch of event weights")
	flags.StringVarP(&f.output, "output", "o", "", "the model file to write")
	flags.StringVarP(&f.card, "card", "c", "", "a YAML file with values for these flags")
	addModelFlags(cmd, &f.options)
	flags.StringVar(&f.checkpoint, "checkpoint", "", "where to keep the checkpoint (default: MODEL.checkpoint)")
	flags.StringVar(&f.resume, "resume", "", "go on from this checkpoint; only -o, -i and --checkpoint go with it")
	return cmd
}

// takeUp sets the flags to those of the training that is to be resumed, if any.
func (f *trainFlags) takeUp(cmd *cobra.Command) (err error) {
	if f.resume == "" {
		return nil
	}
	var foreign string
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if !slices.Contains([]string{"resume", "output", "input", "checkpoint", "json"}, flag.Name) {
			foreign = flag.Name
		}
	})
	if foreign != "" {
		return usagef("--%s does not go with --resume: the training goes on as it began", foreign)
	}
	f.paused, err = surrogate.LoadCheckpoint(f.resume)
	if err != nil {
		return err
	}
	card := f.paused.Card
	if len(f.inputs) == 0 {
		if err := cmd.Flags().Set("input", strings.Join(card.Inputs, ",")); err != nil {
			return usageError{err}
		}
	}
	f.tree, f.weight, f.features, f.options = card.Tree, card.Weight, f.paused.Columns, card.Options
	return nil
}

// addModelFlags adds the flags that say what to train and how.
func addModelFlags(cmd *cobra.Command, o *surrogate.Options) {
	flags := cmd.Flags()
	flags.StringVar(&o.Model, "model", surrogate.Models()[0], "the kind of model: "+strings.Join(surrogate.Models(), ", "))
	flags.IntVar(&o.Layers, "layers", 0, "coupling layers (default 8)")
	flags.IntVar(&o.Hidden, "hidden", 0, "width of the hidden layers of the conditioner networks (default 128)")
	flags.IntVar(&o.Depth, "depth", 0, "number of these hidden layers (default 2)")
	flags.Uint64Var(&o.Seed, "seed", 1, "the seed of everything random")
	flags.IntVar(&o.Train.Epochs, "epochs", 0, "passes over the events (default: by their number)")
	flags.DurationVar(&o.Train.MaxTime, "max-time", 0, "the longest that training may take, such as 5m (default: no limit)")
	flags.IntVar(&o.Train.Batch, "batch", 0, "events per step (default 512, fewer for small samples)")
	flags.Float64Var(&o.Train.Rate, "rate", 0, "the highest learning rate (default 0.001)")
	flags.IntVar(&o.Train.Patience, "patience", 0, "validations, of about 100, without a better loss before the last phase of the training (default 15)")
}

func (f *trainFlags) run(cmd *cobra.Command) error {
	model, err := f.fit(cmd)
	if model == nil {
		return err
	}
	if wantJSON(cmd) {
		if e := printJSON(cmd, modelSummary(f.output, model)); e != nil {
			return e
		}
	} else {
		h := model.Card.History
		fmt.Fprintf(cmd.OutOrStdout(), "%s: best validation loss %.4f at step %d (%s)\n", f.output, h.Best, h.BestStep, h.Stopped)
	}
	return err
}

// fit reads the events, trains a model of them and saves it. After an interrupt
// it returns, and has saved, the best model so far along with the error; there is
// none if nothing has been learnt yet.
func (f *trainFlags) fit(cmd *cobra.Command) (*surrogate.Surrogate, error) {
	// Before the work: can its result be written?
	out, err := atomicfile.Create(f.output)
	if err != nil {
		return nil, err
	}
	out.Abort()
	table, w, tree, err := f.read(cmd)
	if err != nil {
		return nil, err
	}
	training, err := f.prepare(table, w)
	if err != nil {
		hint := ""
		if errors.Is(err, features.ErrUnusable) {
			hint = " (--exclude leaves branches out)"
		}
		return nil, fmt.Errorf("%s: %w%s", source(f.inputs, tree), err, hint)
	}
	if err := cmd.Context().Err(); err != nil {
		return nil, err
	}
	card := &training.Card
	if f.paused == nil {
		card.Version = version()
		card.Command = strings.Join(append([]string{"eidolon"}, os.Args[1:]...), " ")
		card.Inputs, card.Tree, card.Weight = f.inputs, tree, f.weight
	}
	checkpoint := f.checkpoint
	if checkpoint == "" {
		checkpoint = f.output + ".checkpoint"
	}
	training.CheckpointTo(checkpoint)

	log := cmd.ErrOrStderr()
	if err := printFeatures(log, training.Surrogate); err != nil {
		return nil, err
	}
	if s := features.Suggest(training.Features.Names()); len(card.Options.Features.Systems) == 0 && len(s.Systems) > 0 {
		fmt.Fprintf(log, "note: for the mass of a system to be learnt, declare it: --vector %s --system %s\n",
			strings.Join(s.Vectors, " --vector "), s.Systems[0])
	}
	fmt.Fprintf(log, "model: %s, %v\n", card.Options.Model, training.Density)
	fmt.Fprintf(log, "%d events to train on, %d to validate\n", training.Train, training.Valid)
	if training.Valid < 100 {
		fmt.Fprintln(log, "note: with so few events to validate, the validation loss says little")
	}
	progress := newProgress(log)
	card.Options.Train.Progress = progress.show
	model, err := training.Run(cmd.Context())
	progress.finish()
	if err != nil && errors.Is(err, cmd.Context().Err()) {
		fmt.Fprintf(log, "to go on: eidolon train --resume %s -o %s\n", checkpoint, f.output)
	}
	if model == nil || err != nil && model.Card.History.BestStep == 0 {
		return nil, err
	}
	if e := model.Save(f.output); e != nil {
		return nil, e
	}
	if p := model.Card.History.Points; len(p) > 0 {
		const nats = 0.5
		if last := p[len(p)-1]; last.Valid-last.Train > nats && model.Card.History.BestStep < last.Step/2 {
			fmt.Fprintf(log, "note: the model was overfitted in the end (loss %.4f, validation %.4f); the one of step %d is kept; a smaller --hidden may do better\n",
				last.Train, last.Valid, model.Card.History.BestStep)
		}
	}
	if err == nil {
		if e := os.Remove(checkpoint); e != nil && !errors.Is(e, fs.ErrNotExist) {
			return nil, e
		}
	}
	return model, err
}

// prepare looks at the events and composes the model, or takes up the training
// that is to be resumed.
func (f *trainFlags) prepare(table *rootio.Table, w []float64) (*surrogate.Training, error) {
	if f.paused != nil {
		return f.paused.Resume(table, w)
	}
	return surrogate.New(table, w, f.options)
}

// read reads the branches that were asked for, and the weights if any.
func (f *trainFlags) read(cmd *cobra.Command) (table *rootio.Table, w []float64, tree string, err error) {
	t, err := rootio.Open(f.tree, f.inputs...)
	if err != nil {
		return nil, nil, "", err
	}
	defer t.Close()
	names := f.features
	if len(names) == 0 {
		var left []string
		for _, b := range t.Branches() {
			if b.Reason != "" {
				left = append(left, b.Name)
			} else if b.Name != f.weight {
				names = append(names, b.Name)
			}
		}
		if len(left) > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "%d branches are no scalars and are left out: %s\n", len(left), abbreviate(left, 5))
		}
	}
	for _, name := range f.options.Condition {
		if !slices.Contains(names, name) {
			names = append(slices.Clone(names), name)
		}
	}
	for _, name := range f.exclude {
		i := slices.Index(names, name)
		if i < 0 {
			return nil, nil, "", usagef("branch %q, to be excluded, is not among those to learn", name)
		}
		names = slices.Delete(slices.Clone(names), i, i+1)
	}
	if len(names) == 0 {
		return nil, nil, "", fmt.Errorf("%s: tree %q has no scalar branch to learn", t.Files()[0], t.Name())
	}
	read := names
	if f.weight != "" {
		if slices.Contains(names, f.weight) {
			return nil, nil, "", usagef("branch %q cannot be a feature and the weight", f.weight)
		}
		read = append(slices.Clone(names), f.weight)
	}
	table, err = t.Read(read, 0, t.Len())
	if err != nil {
		return nil, nil, "", err
	}
	if f.weight != "" {
		last := len(names)
		w = make([]float64, table.Len())
		table.Columns[last].Floats(w, 0)
		table.Columns = table.Columns[:last]
	}
	return table, w, t.Name(), nil
}

// source names what events were read from. Entries that an error speaks of count
// along all files.
func source(files []string, tree string) string {
	if len(files) == 1 {
		return fmt.Sprintf("%s, tree %q", files[0], tree)
	}
	return fmt.Sprintf("%s as one chain, tree %q", strings.Join(files, ","), tree)
}

// abbreviate joins the first n names and says how many more there are.
func abbreviate(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:n], ", "), len(names)-n)
}
