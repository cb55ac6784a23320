package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/analysis/task"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/training"
)

func newTrain() *cobra.Command {
	var o task.TrainOptions
	var card string
	cmd := &cobra.Command{
		Use:   "train -i FILE[,FILE…] -o MODEL",
		Short: "Learn the events of a ROOT file",
		Long: `Train learns the joint density of the branches of a tree and writes it to a model file.
By default it learns all branches with one number per event, and the elements of fixed
arrays. With --features you choose the branches. Train looks at the values of each branch,
decides how to treat it, and prints this. Numbers of events, runs and luminosity blocks
are not learnt, unless --features names them. The numbers of new events count up from 1;
as run and luminosity block they all get the most frequent one of the training events.

With --each Jet, the model learns jets instead of events. The features are then branches
Jet_… of varying length, and pt means Jet_pt. Branches of the event can be conditions. Features and conditions can be computed from other branches:
m=sqrt(2*pt1*pt2*(cosh(eta1-eta2)-cos(phi1-phi2))).

One event in ten is held out for validation, and the model keeps the parameters that were
best for these events. If the loss becomes infinite or NaN, the training goes back to
these parameters and continues with half of the learning rate.

During the training its state is saved in a checkpoint, MODEL.checkpoint. If you interrupt
it (Ctrl-C), there is a checkpoint but no model. --resume CHECKPOINT continues the training;
the result is the same as without the interruption. With --finish it writes the model that
it has so far, without more training. --resume auto continues if the same command was
interrupted before; otherwise it starts from the beginning. So a batch system can always
run the same command.`,
		Example: `  eidolon train -i zmumu.root -o zmumu.eidolon
  eidolon train -i a.root,b.root -t Events --features pt,eta,phi --weight w --max-time 5m -o m.eidolon
  eidolon train -i sim.root --features reco_e --condition true_e,pdg -o response.eidolon
  eidolon train -i zmumu.root --vector m1=pt1,eta1,phi1,0.1057 --vector m2=pt2,eta2,phi2,0.1057 --system Z=m1+m2 -o z.eidolon
  eidolon train -i nano.root --each Jet --features pt,eta,phi,mass --condition nJet --where 'pt > 20' -o jets.eidolon
  eidolon train --resume zmumu.eidolon.checkpoint -o zmumu.eidolon
  eidolon train --resume zmumu.eidolon.checkpoint --finish -o zmumu.eidolon
  eidolon train -c card.yaml          # a card holds flags by their long names: “input: a.root”`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := readCard(cmd, card); err != nil {
				return err
			}
			o.Protected = []string{card}
			needed := []string{"input", "output"}
			if o.Resume != "" && o.Resume != task.ResumeAuto {
				if err := onlyWithResume(cmd); err != nil {
					return err
				}
				needed = []string{"output"}
			}
			if err := require(cmd, needed...); err != nil {
				return err
			}
			if err := takeZeros(cmd, &o.Model); err != nil {
				return err
			}
			if err := checkUses(cmd, o.Model); err != nil {
				return err
			}
			return runTrain(cmd, o)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringSliceVarP(&o.Inputs, "input", "i", nil, "ROOT files with the events, read as one chain")
	flags.StringVarP(&o.Tree, "tree", "t", "", "the tree; may be left out when a file holds one")
	flags.Var(&list{values: &o.Features}, "features", "the branches to learn, or name=expression (default: all scalar ones)")
	flags.Var(&list{values: &o.Model.Condition}, "condition", "branches that the density of the others is conditional on: p(features | condition)")
	flags.StringArrayVar(&o.Model.Features.Vectors, "vector", nil, "a four-vector, name=pt,eta,phi,mass or name=px,py,pz,mass, of branches, in the place of those that are recognised; the mass may be a number")
	flags.BoolVar(&o.Model.Features.NoVectors, "no-vectors", false, "do not recognise four-vectors by the names and values of the branches")
	flags.StringArrayVar(&o.Model.Features.Systems, "system", nil, "a sum of four-vectors, name=vector+vector, of which the mass is learnt: of two vectors pt,eta,phi,mass instead of the second pt, otherwise with the decay angles instead of all momenta")
	flags.StringVar(&o.Model.Coordinates, "coordinates", "", "the coordinates in which momenta are learnt: mixture (two sets of coordinates, where their mixture makes held-out events more likely in short trials, else the best set; default), best (the best set), or plain (the columns as they are); the trials take up to two fifths of --max-time")
	flags.StringToStringVar(&o.Model.Features.As, "as", nil, "how to treat branches, for example pt=log,run=codes, or pt2=below:pt1 where pt2 is never above pt1: "+strings.Join(features.Treatments(), ", ")+" (default: as their values ask for)")
	flags.BoolVar(&o.Model.Features.NoFormulas, "no-formulas", false, "learn all columns: by default a column that a formula of physics gives from others, such as the mass of two momenta, is computed and not learnt, and values such as -999 are put exactly where another column says so")
	flags.StringSliceVar(&o.Exclude, "exclude", nil, "branches to leave out")
	addView(cmd, &o.View)
	addNoVerify(cmd, &o.NoVerify)
	flags.StringVar(&o.Weight, "weight", "", "the branch of event weights w, positive and negative: the loss is Σ w·loss / Σ w")
	flags.StringVar(&o.Model.Refine, "refine", "", "refine the trained model: boosted trees learn how its events differ from those of the file, and their density ratio multiplies the density, if held-out events are then more likely: auto (up to two rounds; default), off, or a number of rounds. New events are drawn by rejection, which takes longer")
	flags.StringVarP(&o.Output, "output", "o", "", "the model file to write")
	flags.StringVarP(&card, "card", "c", "", "a YAML file with values for these flags")
	addModelFlags(cmd, &o.Model)
	flags.StringVar(&o.Checkpoint, "checkpoint", "", "where to keep the checkpoint (default: MODEL.checkpoint)")
	flags.StringVar(&o.Resume, "resume", "", "continue from this checkpoint (only -o, -i, --finish and --checkpoint go with it); auto: from the checkpoint of this training, if there is one")
	flags.BoolVar(&o.Finish, "finish", false, "with --resume CHECKPOINT: make the model of what has been learnt so far, without further training")
	return cmd
}

// onlyWithResume refuses flags that say how to train, where a training goes on as it began.
func onlyWithResume(cmd *cobra.Command) error {
	var foreign string
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if !slices.Contains([]string{"resume", "finish", "output", "input", "checkpoint", "json", "no-verify"}, flag.Name) {
			foreign = flag.Name
		}
	})
	if foreign != "" {
		return task.Usage("--%s does not go with --resume: the training goes on as it began", foreign)
	}
	return nil
}

// runTrain trains, and says what came of it.
func runTrain(cmd *cobra.Command, o task.TrainOptions) error {
	show := newProgress(cmd)
	defer show.finish()
	model, err := task.Train(cmd.Context(), o, show.Progress)
	if err != nil {
		return err
	}
	show.finish()
	if wantJSON(cmd) {
		summary, err := task.Summarise(context.WithoutCancel(cmd.Context()), o.Output, model) // it is saved
		if err != nil {
			return err
		}
		return printJSON(cmd, summary)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", o.Output, outcome(model))
	for _, remark := range model.Remarks() {
		fmt.Fprintln(cmd.OutOrStdout(), remark)
	}
	printRoundTrip(cmd.OutOrStdout(), model.Card.History)
	return nil
}

// addModelFlags adds the flags that say what to train and how.
func addModelFlags(cmd *cobra.Command, o *surrogate.Options) {
	const limit = 1e9 // the options have narrower ones
	flags := cmd.Flags()
	o.Seed = 1
	flags.StringVar(&o.Model, "model", "", "the kind of model: "+factor.HelpOn()+" (default: the best of the first three in a short trial; an ensemble for 50 to 5,000 events)")
	flags.Var(wholeVar(&o.Layers, 0, limit), "layers", "coupling layers of a flow or rounds over all columns (default "+factor.DefaultOf(func(s factor.Settings) float64 { return float64(s.Layers) })+"; fewer for small samples)")
	flags.Var(wholeVar(&o.Hidden, 0, limit), "hidden", "width of the hidden layers of the networks (default "+factor.DefaultOf(func(s factor.Settings) float64 { return float64(s.Hidden) })+"; narrower for small samples)")
	flags.Var(wholeVar(&o.Depth, 0, limit), "depth", "number of hidden layers of the networks (default "+factor.DefaultOf(func(s factor.Settings) float64 { return float64(s.Depth) })+")")
	flags.Var(wholeVar(&o.Components, 0, limit), "components", "number of normal distributions in the base distribution of a flow or a denoiser (default 1, or 16 if the events form separate clusters)")
	flags.StringVar(&o.Activation, "activation", "", "activation of the hidden layers of a flow: relu, leaky_relu, silu or tanh (default relu)")
	flags.BoolVar(&o.Residual, "residual", false, "use residual networks in a flow, of --depth blocks of two layers")
	flags.Float64Var(&o.Dropout, "dropout", 0, "the probability with which an output of a hidden layer of a flow is dropped in training")
	flags.StringVar(&o.Coupling, "coupling", "", "the form of the couplings of realnvp; steep: their scales and shifts can change steeply with single columns; smooth: they cannot, which is better for few events without steps; lecture: two separate networks for s and t, no bound on s, halves that are swapped, one standard normal, and columns that are standardised only (default: steep or smooth, the better of the two in a short trial)")
	d := &o.Diffusion
	flags.StringVar(&d.Teacher, "teacher", "", "what a one-step map learns from: "+strings.Join(factor.Teachers(), " or ")+" (default: the one under which held-out events are more likely; above 8 columns or 50,000 events, or with a condition, the first)")
	flags.Var(optional{&d.SigmaMin}, "sigma-min", "the σ at which the path of a diffusion ends, in standard deviations of the events (default: for diffusion chosen on held-out events, else 0.01; at least σ₀ of --schedule)")
	flags.Float64Var(&d.Epsilon, "epsilon", 0, "the part of the kernel sums that may be neglected; 0: none (default 1e-5)")
	flags.Var(wholeVar(&d.KernelEvents, 1, limit), "kernel-events", "the number K of training events that the kernel sums of a diffusion are over, chosen at random by --seed, with a probability proportional to their weight (default: all)")
	addSolverFlags(flags, &d.Solver, "linear", "dpm3m", "3", "24")
	flags.Var(seed{&o.Seed}, "seed", "the seed of everything random")
	flags.Var(wholeVar(&o.Train.Epochs, 0, limit), "epochs", "passes over the events (default: by their number)")
	flags.StringVar(&o.Effort, "effort", "", "how much to spend on the training: quick (for a first look), normal (default) or thorough (larger networks, more passes over the events, more coordinates and trees: several times as long)")
	flags.DurationVar(&o.Train.MaxTime, "max-time", 0, "time limit for reading, looking at the columns and training together, such as 5m; 0: no limit")
	flags.Var(wholeVar(&o.Train.Batch, 0, limit), "batch", "events per step (default 512, fewer for small samples)")
	flags.Float64Var(&o.Train.Rate, "rate", 0, "the highest learning rate (default "+factor.DefaultOf(func(s factor.Settings) float64 { return s.Train.Rate })+")")
	flags.Float64Var(&o.Train.Average, "average", 0, "decay per step of the moving average of the parameters that is kept; 0: no average (default "+factor.DefaultOf(func(s factor.Settings) float64 { return s.Train.Average })+")")
	flags.Var(wholeVar(&o.Train.Patience, 0, limit), "patience", "after this number of validations (of about 100) without a better loss the last phase of the training begins; 0: train for all epochs (default 15; 0 for the networks of diffusions)")
}

// addSolverFlags adds the flags that say how the equation of a diffusion is solved, with the
// defaults of schedule, solver, order and steps in words.
func addSolverFlags(flags *pflag.FlagSet, o *diffusion.SolverOptions, schedule, solver, order, steps string) {
	const most = 4096
	flags.StringVar(&o.Schedule, "schedule", "", fmt.Sprintf("the noise σ(t) of a diffusion, where events shrink as α = 1 − t: linear (σ = t), sqrt (σ = √t) or shifted:σ₀ (σ = σ₀ + (1 − σ₀) t; shifted alone has σ₀ = %g) (default %s)", diffusion.DefaultSigma0, schedule))
	flags.StringVar(&o.Method, "solver", "", fmt.Sprintf("how the equation of a diffusion is solved: dpm1, dpm2m, dpm3m, dpm2s, dpm3s, euler or heun (default %s)", solver))
	flags.Var(wholeVar(&o.Order, 1, most), "order", fmt.Sprintf("the order of the solver; without --solver: dpm1, dpm2m or dpm3m (default %s)", order))
	flags.Var(wholeVar(&o.Steps, 1, most), "steps", fmt.Sprintf("the number of steps of the solver (default %s)", steps))
	flags.Var(positive{&o.Tolerance}, "tolerance", "in place of --solver, --order and --steps: as many steps, of order 3, as keep the error of each below this, in standard deviations of the events")
}

// takeZeros gives the zeros that were typed their meaning, which is not that of the zeros
// of options, and refuses those without any.
func takeZeros(cmd *cobra.Command, o *surrogate.Options) error {
	set := func(name string) (text string, ok bool) {
		flag := cmd.Flags().Lookup(name)
		return flag.Value.String(), flag.Changed
	}
	for _, v := range []struct {
		name string
		off  func()
	}{
		{"average", func() { o.Train.Average = training.Off }},
		{"patience", func() { o.Train.Patience = training.Off }},
		{"epsilon", func() { o.Diffusion.Epsilon = training.Off }},
	} {
		text, ok := set(v.name)
		switch {
		case ok && text == "0":
			v.off()
		case ok && strings.HasPrefix(text, "-"):
			return task.Usage("--%s cannot be %s", v.name, text)
		}
	}
	for _, name := range []string{"layers", "hidden", "depth", "components", "epochs", "batch", "rate"} {
		if text, ok := set(name); ok && text == "0" {
			return task.Usage("--%s cannot be 0: leave it out for the default", name)
		}
	}
	return nil
}

// checkUses refuses flags that the model has no use for, whatever their value.
func checkUses(cmd *cobra.Command, o surrogate.Options) (err error) {
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if e := o.Uses(strings.ReplaceAll(flag.Name, "-", "_")); e != nil && err == nil {
			err = task.Usage("--%s %w", flag.Name, e)
		}
	})
	return err
}

// positive is a positive number as a flag.
type positive struct{ value *float64 }

func (p positive) Set(text string) error {
	x, err := strconv.ParseFloat(text, 64)
	if err == nil && !(x > 0) {
		err = errors.New("it must be above 0")
	}
	*p.value = x
	return err
}

func (p positive) String() string { return "" }
func (p positive) Type() string   { return "float" }

// optional is a number as a flag that may be left out.
type optional struct{ value **float64 }

func (o optional) Set(text string) error {
	x, err := strconv.ParseFloat(text, 64)
	*o.value = &x
	return err
}

func (o optional) String() string { return "" }
func (o optional) Type() string   { return "float" }
