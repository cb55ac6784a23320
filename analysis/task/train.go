package task

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/output"
	"github.com/eidolon-hep/eidolon/rootio"
)

// TrainOptions are what [Train] is asked for.
type TrainOptions struct {
	// Inputs are ROOT files with the events, read as one chain. Patterns and URLs will do.
	Inputs []string
	// Tree is the tree in them. It may be empty where a file has one tree only.
	Tree string
	// Features are the branches to learn, or name=expression; by default all scalar ones.
	// Exclude are left out of these. Those of the condition are in Model.Condition, or
	// name=expression as well.
	Features, Exclude []string
	// View says which rows there are: see [rootio.ViewOptions].
	View rootio.ViewOptions
	// Weight is the branch of the event weights, of either sign; empty: none.
	Weight string
	// Model says what to train and how.
	Model surrogate.Options
	// Output is the model file to write.
	Output string
	// Checkpoint is where the state of the training is kept while it runs; by default
	// Output.checkpoint. It is removed when the model is written.
	Checkpoint string
	// Resume is the checkpoint of a training to go on with: all options but Inputs, Output
	// and Checkpoint are then those of that training. [ResumeAuto] means Checkpoint, if it is
	// of the training that these options ask for; else the training begins from the start.
	Resume string
	// Finish makes the model of what Resume has learnt, without further training.
	Finish bool
	// Protected are files, beside the inputs, that no output may replace.
	Protected []string
	// NoVerify leaves out the comparison of the records of files before they are read: see [rootio.OpenOptions].
	NoVerify bool
}

// ResumeAuto goes on from the checkpoint of the same training, if there is one.
const ResumeAuto = "auto"

// Train learns the density of the rows of the inputs and writes the model, which it returns.
// After an interrupt there is no model; the error is an [Unfinished], and the last line of the
// log says how to go on.
func Train(ctx context.Context, o TrainOptions, p Progress) (*surrogate.Surrogate, error) {
	o.Model.Begin = time.Now()
	var paused *surrogate.Paused
	switch {
	case o.Finish && (o.Resume == "" || o.Resume == ResumeAuto):
		return nil, Usage("--finish needs --resume and the name of a checkpoint")
	case o.Resume != "" && o.Resume != ResumeAuto:
		var err error
		if paused, err = surrogate.LoadCheckpoint(o.Resume); err != nil {
			return nil, err
		}
		o.takeUp(paused)
	default:
		o.Model.Features.Numbers = len(o.Features) > 0 // what is named is learnt, whatever it is
	}
	if len(o.Inputs) == 0 {
		return nil, Usage("there are no files to learn from")
	}
	if err := o.Model.Check(); err != nil {
		return nil, Usage("%w", err)
	}
	if o.Checkpoint == "" {
		o.Checkpoint = CheckpointOf(o.Output)
	}
	if err := o.checkOutputs(); err != nil {
		return nil, err
	}
	f, err := o.read(ctx, p)
	if err != nil {
		return nil, err
	}
	f.Options, f.Output, f.Checkpoint, f.Auto = o.Model, o.Output, o.Checkpoint, o.Resume == ResumeAuto
	f.paused, f.from, f.finish = paused, o.Resume, o.Finish
	model, err := f.Run(ctx, p)
	if errors.Is(err, features.ErrUnusable) {
		err = fmt.Errorf("%w (--exclude leaves branches out)", err)
	}
	if stopped, ok := errors.AsType[*Unfinished](err); ok {
		if stopped.Checkpoint != "" {
			p.logf("%s", waysOn(stopped.Checkpoint, o.Output))
		} else {
			p.logf("nothing has been learnt yet: there is no checkpoint and no model")
		}
	}
	return model, err
}

// takeUp sets the options to those of a training that was interrupted.
func (o *TrainOptions) takeUp(paused *surrogate.Paused) {
	card := paused.Card
	if len(o.Inputs) == 0 {
		o.Inputs = card.Inputs
	}
	begin := o.Model.Begin
	o.Tree, o.Weight, o.Features, o.Exclude, o.Model, o.View = card.Tree, card.Weight, paused.Columns, nil, card.Options, card.View
	o.Model.Begin = begin
}

// checkOutputs checks that model and checkpoint can be written, and that nothing is lost by
// that.
func (o *TrainOptions) checkOutputs() error {
	inputs := slices.Concat(o.Inputs, o.Protected)
	if err := surrogate.CheckOutput(o.Output, append(inputs, o.Resume)...); err != nil {
		return err
	}
	if err := surrogate.CheckCheckpoint(o.Checkpoint, append(inputs, o.Output)...); err != nil {
		return err
	}
	switch {
	case o.Resume == ResumeAuto || !surrogate.IsCheckpoint(o.Checkpoint) || output.Same(o.Checkpoint, o.Resume):
		return nil
	case o.Resume == "":
		return output.Refuse("%s is of a training that was interrupted: %s; or remove it", o.Checkpoint, waysOn(o.Checkpoint, o.Output))
	}
	return output.Refuse("%s is of another training that was interrupted: give another file by --checkpoint, or remove it", o.Checkpoint)
}

// waysOn says what can be done with a checkpoint.
func waysOn(checkpoint, model string) string {
	return fmt.Sprintf("to go on: eidolon train --resume %s -o %s; to make the model of what is there: eidolon train --resume %s --finish -o %s",
		checkpoint, model, checkpoint, model)
}

// read reads the columns that were asked for, and the weights if any. Of what it returns, the rows
// and where they come from are filled in.
func (o *TrainOptions) read(ctx context.Context, p Progress) (*Fit, error) {
	wanted, condition := define(&o.View, o.Features), define(&o.View, o.Model.Condition)
	t, err := open(ctx, o.NoVerify, o.Tree, o.Inputs)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	if a, b, ok := givenTwice(t.Files()); ok {
		p.logf("note: %s and %s are the same file: its events are read twice", a, b)
	}
	v, err := t.View(o.View)
	if err != nil {
		return nil, err
	}
	names, err := v.Resolve(wanted)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		names = o.all(t, v, p)
	}
	if o.Model.Condition, err = v.Resolve(condition); err != nil {
		return nil, err
	}
	names = union(names, o.Model.Condition)
	for _, item := range o.Exclude {
		out, err := v.Resolve([]string{item})
		if err != nil {
			return nil, err
		}
		for _, name := range out {
			i := slices.Index(names, name)
			if i < 0 {
				return nil, Usage("branch %q, to be excluded, is not among those to learn", name)
			}
			names = slices.Delete(names, i, i+1)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: tree %q has no scalar branch to learn", t.Files()[0], t.Name())
	}
	collection := v.Collection()
	for _, name := range names {
		if collection != nil && !slices.Contains(o.Model.Condition, name) && !has(v.Own(), name) {
			return nil, Usage("%s has one value per event: with --each it can be a condition, not a feature", name)
		}
	}
	learnt := slices.DeleteFunc(v.Fields(), func(field rootio.Field) bool { return !slices.Contains(names, field.Name) })
	if err := rootio.CheckFields(learnt); err != nil { // before the training rather than when events are written
		return nil, fmt.Errorf("%s: generated events could not be written: %w; leave it out with --exclude", source(o.Inputs, t.Name()), err)
	}
	read := slices.Clone(names)
	if o.Weight != "" {
		weight, err := v.Resolve([]string{o.Weight})
		if err != nil {
			return nil, err
		}
		if slices.Contains(names, weight[0]) {
			return nil, Usage("branch %q cannot be a feature and the weight", o.Weight)
		}
		read = append(read, weight[0])
	}
	if collection != nil {
		read = append(read, rootio.EventIndex)
	}
	table, err := v.Read(read)
	if err != nil {
		return nil, err
	}
	if table.Len() == 0 {
		return nil, fmt.Errorf("%s: no row is left to learn", source(o.Inputs, t.Name()))
	}
	f := &Fit{source: source(o.Inputs, t.Name())}
	f.Card = surrogate.Card{Inputs: o.Inputs, Tree: t.Name(), Weight: o.Weight, View: o.View, Collection: collection}
	if o.Weight != "" {
		f.Weights = table.Columns[len(names)].Float64s()
	}
	if collection != nil {
		events := t.Len()
		if o.View.Where != "" {
			events = 0 // those without an object are not known to be wanted
		}
		index, _ := table.Column(rootio.EventIndex)
		f.Card.Multiplicity = multiplicities(index.Values().([]int64), events)
	}
	table.Columns = table.Columns[:len(names)]
	f.Table = table
	return f, nil
}

// all returns the names of the columns that are learnt unless told otherwise, and
// says what is left out.
func (o *TrainOptions) all(t *rootio.Tree, v *rootio.View, p Progress) (names []string) {
	for _, field := range v.Own() {
		if field.Name != o.Weight {
			names = append(names, field.Name)
		}
	}
	omitted := t.Omitted()
	if v.Collection() == nil {
		omitted = append(omitted, arraysOf(t, "it has several values; --each Jet learns the objects of a collection, --features 'HT=sum(Jet_pt)' one number of each event")...)
	}
	p.logOmitted("not learnt", omitted)
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
