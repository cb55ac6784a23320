package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/internal/output"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

type trainFlags struct {
	inputs   []string
	tree     string
	view     viewFlags
	features []string
	exclude  []string
	weight   string
	card     string
	output   string
	options  surrogate.Options

	checkpoint string
	resume     string // a checkpoint, or resumeAuto
	finish     bool
	paused     *surrogate.Paused // what resume names
}

// resumeAuto goes on from the checkpoint of the same training, if there is one.
const resumeAuto = "auto"

func newTrain() *cobra.Command {
	var f trainFlags
	cmd := &cobra.Command{
		Use:   "train -i FILE[,FILE…] -o MODEL",
		Short: "Learn the events of a ROOT file",
		Long: `Train learns the joint density of branches of a tree and writes a model file: of all
scalar ones and the elements of fixed arrays, or of those that --features names. Each
is treated as its values ask for; what was chosen is printed. Numbers of events and runs
are not learnt, unless --features names them: new events are numbered.

With --each Jet, a row is not an event but a jet: the features are the branches Jet_…
of varying length, pt is short for Jet_pt, and branches of the event may be
conditions. Features and conditions may be computed: m=sqrt(2*pt1*pt2*(cosh(eta1-eta2)-cos(phi1-phi2))).

One event in ten is held out for validation; the model keeps the parameters that
were best there. A loss that is not finite sends the training back to these, with half of
the rate. A checkpoint is kept beside the model while the training runs. An
interrupt (ctrl-C) leaves the checkpoint and no model. --resume CHECKPOINT goes on from
there, to the same result as without the interrupt, and with --finish it makes the model
of what has been learnt. --resume auto goes on where the same command was interrupted, and
begins from the start where it was not: so a batch system may run it again.`,
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
			if err := readCard(cmd, f.card); err != nil {
				return err
			}
			if err := f.takeUp(cmd); err != nil {
				return err
			}
			if err := require(cmd, "input", "output"); err != nil {
				return err
			}
			if err := takeZeros(cmd, &f.options); err != nil {
				return err
			}
			if err := checkUses(cmd, f.options); err != nil {
				return err
			}
			if err := f.options.Check(); err != nil {
				return usageError{err}
			}
			if err := f.checkOutputs(); err != nil {
				return err
			}
			return f.run(cmd)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringSliceVarP(&f.inputs, "input", "i", nil, "ROOT files with the events, read as one chain")
	flags.StringVarP(&f.tree, "tree", "t", "", "the tree; may be left out when a file holds one")
	flags.Var(&list{values: &f.features}, "features", "the branches to learn, or name=expression (default: all scalar ones)")
	flags.Var(&list{values: &f.options.Condition}, "condition", "branches that the density of the others is conditional on: p(features | condition)")
	flags.StringArrayVar(&f.options.Features.Vectors, "vector", nil, "a four-vector, name=pt,eta,phi,mass or name=px,py,pz,mass, of branches; the mass may be a number")
	flags.StringArrayVar(&f.options.Features.Systems, "system", nil, "a sum of vectors, name=vector+vector: its mass and decay angles are learnt in place of the momenta")
	flags.StringToStringVar(&f.options.Features.As, "as", nil, "how to treat branches, such as pt=log,run=codes: "+strings.Join(features.Treatments(), ", ")+" (default: as their values ask for)")
	flags.StringSliceVar(&f.exclude, "exclude", nil, "branches to leave out")
	f.view.add(cmd)
	flags.StringVar(&f.weight, "weight", "", "the branch of event weights w, positive and negative: the loss is Σ w·loss / Σ w")
	flags.StringVarP(&f.output, "output", "o", "", "the model file to write")
	flags.StringVarP(&f.card, "card", "c", "", "a YAML file with values for these flags")
	addModelFlags(cmd, &f.options)
	flags.StringVar(&f.checkpoint, "checkpoint", "", "where to keep the checkpoint (default: MODEL.checkpoint)")
	flags.StringVar(&f.resume, "resume", "", "go on from this checkpoint; only -o, -i, --finish and --checkpoint go with it; auto: from that of this training, if there is one")
	flags.BoolVar(&f.finish, "finish", false, "with --resume CHECKPOINT: make the model of what has been learnt, without further training")
	return cmd
}

// checkOutputs checks that model and checkpoint can be written, and that nothing is lost by
// that.
func (f *trainFlags) checkOutputs() error {
	inputs := append(slices.Clone(f.inputs), f.card)
	if err := surrogate.CheckOutput(f.output, append(inputs, f.resume)...); err != nil {
		return err
	}
	if f.checkpoint == "" {
		f.checkpoint = f.output + ".checkpoint"
	}
	if err := surrogate.CheckCheckpoint(f.checkpoint, append(inputs, f.output)...); err != nil {
		return err
	}
	switch {
	case f.resume == resumeAuto || !surrogate.IsCheckpoint(f.checkpoint) || output.Same(f.checkpoint, f.resume):
		return nil
	case f.resume == "":
		return output.Refuse("%s is of a training that was interrupted: %s; or remove it", f.checkpoint, waysOn(f.checkpoint, f.output))
	}
	return output.Refuse("%s is of another training that was interrupted: give another file by --checkpoint, or remove it", f.checkpoint)
}

// waysOn says what can be done with a checkpoint.
func waysOn(checkpoint, model string) string {
	return fmt.Sprintf("to go on: eidolon train --resume %s -o %s; to make the model of what is there: eidolon train --resume %s --finish -o %s",
		checkpoint, model, checkpoint, model)
}

// takeUp sets the flags to those of the training that is to be resumed, if any.
func (f *trainFlags) takeUp(cmd *cobra.Command) (err error) {
	if f.finish && (f.resume == "" || f.resume == resumeAuto) {
		return usagef("--finish needs --resume and the name of a checkpoint")
	}
	if f.resume == "" || f.resume == resumeAuto {
		return nil
	}
	var foreign string
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if !slices.Contains([]string{"resume", "finish", "output", "input", "checkpoint", "json", "no-verify"}, flag.Name) {
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
	f.view.options = card.View
	return nil
}

// addModelFlags adds the flags that say what to train and how.
func addModelFlags(cmd *cobra.Command, o *surrogate.Options) {
	const limit = 1e9 // the options have narrower ones
	flags := cmd.Flags()
	o.Seed = 1
	flags.StringVar(&o.Model, "model", "", "the kind of model: "+strings.Join(surrogate.Models(), ", ")+" (default: what a short trial of the first two says)")
	flags.Var(wholeVar(&o.Layers, 0, limit), "layers", "coupling layers of a flow (default 8, fewer for small samples), or rounds of an autoregressive one (default 1)")
	flags.Var(wholeVar(&o.Hidden, 0, limit), "hidden", "width of the hidden layers of the networks (default 128, narrower for small samples; denoiser 256)")
	flags.Var(wholeVar(&o.Depth, 0, limit), "depth", "number of these hidden layers (default 2; denoiser and distilled 3)")
	flags.Var(wholeVar(&o.Components, 0, limit), "components", "normals that a flow or a denoiser begins with (default 1, or 16 where the events come as islands)")
	flags.StringVar(&o.Activation, "activation", "", "that of the hidden layers of a flow: relu, leaky_relu, silu or tanh (default relu)")
	flags.BoolVar(&o.Residual, "residual", false, "make residual networks of those of a flow, of --depth blocks of two layers")
	flags.Float64Var(&o.Dropout, "dropout", 0, "the probability with which an output of a hidden layer of a flow is dropped in training")
	d := &o.Diffusion
	flags.StringVar(&d.Teacher, "teacher", "", "what a distilled model learns from: denoiser or diffusion (default denoiser)")
	flags.Var(optional{&d.SigmaMin}, "sigma-min", "where the path of a diffusion ends, in units of the events' spread (default for diffusion: chosen by events left out, else 0.01)")
	flags.Float64Var(&d.Epsilon, "epsilon", 0, "the part of the kernel sums that may be left out; 0: none (default 1e-5)")
	flags.TextVar(&d.Solver.Method, "solver", diffusion.DPM3M, "the solver of a diffusion: dpm1, dpm2m, dpm3m, dpm2s, dpm3s, euler or heun")
	flags.Var(wholeVar(&d.Solver.Steps, 0, limit), "steps", "its number of steps (default 24)")
	flags.Float64Var(&d.Solver.Tolerance, "tolerance", 0, "choose steps of an error below this instead; 0: do not")
	flags.Var(seed{&o.Seed}, "seed", "the seed of everything random")
	flags.Var(wholeVar(&o.Train.Epochs, 0, limit), "epochs", "passes over the events (default: by their number)")
	flags.DurationVar(&o.Train.MaxTime, "max-time", 0, "the longest that all of it may take, such as 5m: reading, looking at the columns, training; 0: no limit")
	flags.Var(wholeVar(&o.Train.Batch, 0, limit), "batch", "events per step (default 512, fewer for small samples)")
	flags.Float64Var(&o.Train.Rate, "rate", 0, "the highest learning rate (default 0.001; autoregressive 0.003; denoiser and distilled 0.004, less for small samples)")
	flags.Float64Var(&o.Train.Average, "average", 0, "decay per step of the moving average of the parameters that is kept; 0: no average (default 0.998; denoiser and distilled 0.999)")
	flags.Var(wholeVar(&o.Train.Patience, 0, limit), "patience", "validations, of about 100, without a better loss before the last phase of the training; 0: make all epochs (default 15; denoiser and distilled 0)")
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
			return usagef("--%s cannot be %s", v.name, text)
		}
	}
	for _, name := range []string{"layers", "hidden", "depth", "components", "steps", "epochs", "batch", "rate"} {
		if text, ok := set(name); ok && text == "0" {
			return usagef("--%s cannot be 0: leave it out for the default", name)
		}
	}
	return nil
}

// checkUses refuses flags that the model has no use for, whatever their value.
func checkUses(cmd *cobra.Command, o surrogate.Options) (err error) {
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if e := o.Uses(strings.ReplaceAll(flag.Name, "-", "_")); e != nil && err == nil {
			err = usagef("--%s %w", flag.Name, e)
		}
	})
	return err
}

// optional is a number as a flag that may be left out.
type optional struct{ value **float64 }

func (o optional) Set(text string) error {
	x, err := strconv.ParseFloat(text, 64)
	*o.value = &x
	return err
}

func (o optional) String() string { return "" }
func (o optional) Type() string   { return "float" }

func (f *trainFlags) run(cmd *cobra.Command) error {
	model, err := f.fit(cmd)
	if err != nil {
		return err
	}
	if wantJSON(cmd) {
		summary, err := modelSummary(context.WithoutCancel(cmd.Context()), f.output, model) // it is saved
		if err != nil {
			return err
		}
		return printJSON(cmd, summary)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", f.output, outcome(model))
	for _, remark := range model.Remarks() {
		fmt.Fprintln(cmd.OutOrStdout(), remark)
	}
	printRoundTrip(cmd.OutOrStdout(), model.Card.History)
	return nil
}

// fit reads the events, trains a model of them and saves it. After an interrupt there is a
// checkpoint at most, and no model.
func (f *trainFlags) fit(cmd *cobra.Command) (*surrogate.Surrogate, error) {
	f.options.Begin = time.Now()
	if f.paused == nil {
		f.options.Features.Numbers = len(f.features) > 0 // what is named is learnt, whatever it is
	}
	data, err := f.read(cmd)
	if err != nil {
		return nil, err
	}
	log := cmd.ErrOrStderr()
	f.options.Log = func(line string) { fmt.Fprintln(log, line) }
	training, err := f.prepare(cmd, data.table, data.weights)
	if err != nil {
		hint := ""
		if errors.Is(err, features.ErrUnusable) {
			hint = " (--exclude leaves branches out)"
		}
		return nil, fmt.Errorf("%s: %w%s", source(f.inputs, data.tree), err, hint)
	}
	if err := cmd.Context().Err(); err != nil {
		return nil, err
	}
	card := &training.Card
	if f.paused == nil {
		card.Version = version()
		card.Command = strings.Join(append([]string{"eidolon"}, os.Args[1:]...), " ")
		card.Inputs, card.Tree, card.Weight = f.inputs, data.tree, f.weight
	}
	card.View, card.Collection, card.Multiplicity = f.view.options, data.collection, data.multiplicity
	training.CheckpointTo(f.checkpoint, func(err error) {
		fmt.Fprintf(log, "warning: there is no checkpoint, the training goes on without: %v\n", err)
	})

	if err := printFeatures(log, training.Surrogate); err != nil {
		return nil, err
	}
	isConstant := func(name string) bool {
		return slices.ContainsFunc(training.Features.Columns, func(c features.Column) bool { return c.Name == name && c.As == column.Constant })
	}
	if s := features.Suggest(slices.DeleteFunc(training.Features.Names(), isConstant)); len(card.Options.Features.Systems) == 0 && len(s.Systems) > 0 {
		fmt.Fprintf(log, "note: for the mass of a system to be learnt, declare it: --vector %s --system %s\n",
			strings.Join(s.Vectors, " --vector "), s.Systems[0])
	}
	if card.Weights != nil {
		fmt.Fprintln(log, card.Weights)
	}
	fmt.Fprintf(log, "model: %s, %v\n", card.Options.Model, training.Density)
	fmt.Fprintf(log, "%d events to train on, %d to validate\n", card.Learnt(), card.HeldOut)
	if card.HeldOut < 100 {
		fmt.Fprintln(log, "note: with so few events to validate, the validation loss says little")
	}
	progress := newProgress(log)
	card.Options.Train.Progress = progress.show
	model, err := training.Run(cmd.Context())
	progress.finish()
	if err != nil && errors.Is(err, cmd.Context().Err()) {
		switch {
		case training.Checkpointed():
			fmt.Fprintln(log, waysOn(f.checkpoint, f.output))
		case f.paused != nil:
			fmt.Fprintln(log, waysOn(f.resume, f.output))
		default:
			fmt.Fprintln(log, "nothing has been learnt yet: there is no checkpoint and no model")
		}
		return nil, err
	}
	if errors.Is(err, surrogate.ErrNothingLearnt) { // there is nothing to go on from
		_ = training.RemoveCheckpoint()
	}
	if err != nil {
		return nil, err
	}
	if err := model.Save(f.output); err != nil {
		if training.Checkpointed() {
			fmt.Fprintln(log, waysOn(f.checkpoint, f.output))
		}
		return nil, err
	}
	for _, warning := range model.Warnings() {
		fmt.Fprintf(log, "warning: %s\n", warning)
	}
	if p := model.Card.History.Points; len(p) > 0 {
		const nats = 0.5
		if last := p[len(p)-1]; last.Valid-last.Train > nats && model.Card.History.BestStep < last.Step/2 {
			fmt.Fprintf(log, "note: the model was overfitted in the end (loss %.4f, validation %.4f); the one of step %d is kept; a smaller --hidden may do better\n",
				last.Train, last.Valid, model.Card.History.BestStep)
		}
	}
	return model, training.RemoveCheckpoint()
}

// prepare looks at the events and composes the model, or takes up the training
// that is to be resumed.
func (f *trainFlags) prepare(cmd *cobra.Command, table *rootio.Table, w []float64) (*surrogate.Training, error) {
	if f.resume == resumeAuto && surrogate.IsCheckpoint(f.checkpoint) {
		paused, err := surrogate.LoadCheckpoint(f.checkpoint)
		if err == nil && paused.IsOf(table, w, f.options) {
			f.resume, f.paused = f.checkpoint, paused
			fmt.Fprintf(cmd.ErrOrStderr(), "the training goes on from %s\n", f.checkpoint)
		} else {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s is of another training, or of another version: this one begins from the start\n", f.checkpoint)
		}
	}
	switch {
	case f.paused == nil:
		return surrogate.New(cmd.Context(), table, w, f.options)
	case f.finish:
		return f.paused.Finish(cmd.Context(), table, w)
	}
	return f.paused.Resume(cmd.Context(), table, w)
}

// givenTwice finds two names of one file.
func givenTwice(files []string) (a, b string, ok bool) {
	infos := make([]os.FileInfo, len(files))
	for i, name := range files {
		infos[i], _ = os.Stat(name) // remote ones have their name only
		for k := range i {
			if files[k] == name || infos[k] != nil && infos[i] != nil && os.SameFile(infos[k], infos[i]) {
				return files[k], name, true
			}
		}
	}
	return "", "", false
}

// read reads the columns that were asked for, and the weights if any.
func (f *trainFlags) read(cmd *cobra.Command) (data trainingData, err error) {
	wanted, condition := f.view.define(f.features), f.view.define(f.options.Condition)
	t, err := f.view.open(cmd.Context(), f.tree, f.inputs)
	if err != nil {
		return data, err
	}
	defer t.Close()
	if a, b, ok := givenTwice(t.Files()); ok {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %s and %s are the same file: its events are read twice\n", a, b)
	}
	v, err := t.View(f.view.options)
	if err != nil {
		return data, err
	}
	names, err := v.Resolve(wanted)
	if err != nil {
		return data, err
	}
	if len(names) == 0 {
		names = f.all(cmd, t, v)
	}
	if f.options.Condition, err = v.Resolve(condition); err != nil {
		return data, err
	}
	for _, name := range f.options.Condition {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, item := range f.exclude {
		out, err := v.Resolve([]string{item})
		if err != nil {
			return data, err
		}
		for _, name := range out {
			i := slices.Index(names, name)
			if i < 0 {
				return data, usagef("branch %q, to be excluded, is not among those to learn", name)
			}
			names = slices.Delete(names, i, i+1)
		}
	}
	if len(names) == 0 {
		return data, fmt.Errorf("%s: tree %q has no scalar branch to learn", t.Files()[0], t.Name())
	}
	data.collection = v.Collection()
	for _, name := range names {
		if data.collection != nil && !slices.Contains(f.options.Condition, name) && !slices.ContainsFunc(v.Own(), func(f rootio.Field) bool { return f.Name == name }) {
			return data, usagef("%s has one value per event: with --each it can be a condition, not a feature", name)
		}
	}
	learnt := slices.DeleteFunc(v.Fields(), func(field rootio.Field) bool { return !slices.Contains(names, field.Name) })
	if err := rootio.CheckFields(learnt); err != nil { // before the training rather than when events are written
		return data, fmt.Errorf("%s: generated events could not be written: %w; leave it out with --exclude", source(f.inputs, t.Name()), err)
	}
	read := slices.Clone(names)
	if f.weight != "" {
		weight, err := v.Resolve([]string{f.weight})
		if err != nil {
			return data, err
		}
		if slices.Contains(names, weight[0]) {
			return data, usagef("branch %q cannot be a feature and the weight", f.weight)
		}
		read = append(read, weight[0])
	}
	if data.collection != nil {
		read = append(read, rootio.EventIndex)
	}
	table, err := v.Read(read)
	if err != nil {
		return data, err
	}
	if table.Len() == 0 {
		return data, fmt.Errorf("%s: no row is left to learn", source(f.inputs, t.Name()))
	}
	if f.weight != "" {
		data.weights = make([]float64, table.Len())
		table.Columns[len(names)].Floats(data.weights, 0)
	}
	if data.collection != nil {
		events := t.Len()
		if f.view.options.Where != "" {
			events = 0 // those without an object are not known to be wanted
		}
		index, _ := table.Column(rootio.EventIndex)
		data.multiplicity = multiplicities(index.Values().([]int64), events)
	}
	table.Columns = table.Columns[:len(names)]
	data.table, data.tree = table, t.Name()
	return data, nil
}

// trainingData is what a model is trained on.
type trainingData struct {
	table        *rootio.Table
	weights      []float64 // nil: 1 each
	tree         string
	collection   *rootio.Collection // of whose objects the rows are, if any
	multiplicity []float64          // the fraction of events with 0, 1, 2, … objects
}

// all returns the names of the columns that are learnt unless told otherwise, and
// says what is left out.
func (f *trainFlags) all(cmd *cobra.Command, t *rootio.Tree, v *rootio.View) (names []string) {
	for _, field := range v.Own() {
		if field.Name != f.weight {
			names = append(names, field.Name)
		}
	}
	left := t.Omitted()
	if v.Collection() == nil {
		left = append(left, arraysOf(t, "it has several values; --each Jet learns the objects of a collection, --features 'HT=sum(Jet_pt)' one number of each event")...)
	}
	sayLeft(cmd.ErrOrStderr(), "not learnt", left)
	return names
}

// multiplicities returns the fractions of events with 0, 1, 2, … objects, given the
// ascending numbers of the events that the objects belong to. If the number of all
// events is not known (0), it is that of those with an object.
func multiplicities(index []int64, events int64) []float64 {
	counts := []float64{0}
	for i := 0; i < len(index); {
		n := 1
		for i+n < len(index) && index[i+n] == index[i] {
			n++
		}
		for len(counts) <= n {
			counts = append(counts, 0)
		}
		counts[n]++
		i += n
	}
	some := 0.0
	for _, c := range counts {
		some += c
	}
	counts[0] = max(0, float64(events)-some)
	for i := range counts {
		counts[i] /= max(float64(events), some)
	}
	return counts
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
