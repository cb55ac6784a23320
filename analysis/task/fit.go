package task

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/origin"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Fit is the training of a model of rows that have been read.
type Fit struct {
	// Table has the rows, and Weights those of the rows; nil: 1 each.
	Table   *rootio.Table
	Weights []float64
	// Options say what to train and how. Progress and Log of it are those of Run.
	Options surrogate.Options
	// Card says where the rows come from: Inputs, Tree, Weight, View, Collection and
	// Multiplicity count.
	Card surrogate.Card
	// Output is the model file to write, and Checkpoint where the state of the training is
	// kept while it runs.
	Output, Checkpoint string
	// Auto goes on from Checkpoint, if it is of the same training.
	Auto bool

	source string            // what the rows were read from, for errors
	paused *surrogate.Paused // the training to go on with, if any
	from   string            // the file of that
	finish bool              // without further training
}

// CheckpointOf is where the checkpoint of a training is by default.
func CheckpointOf(model string) string { return model + ".checkpoint" }

// Unfinished is the error of a training that was interrupted and made no model.
type Unfinished struct {
	Checkpoint string // where it can go on; "" if nothing has been written
	Err        error  // why it ended
}

func (u *Unfinished) Error() string { return u.Err.Error() }
func (u *Unfinished) Unwrap() error { return u.Err }

// Run trains the model and saves it. The error is an [Unfinished] where the training was
// interrupted.
func (f *Fit) Run(ctx context.Context, p Progress) (*surrogate.Surrogate, error) {
	f.Options.Log = p.Log
	training, err := f.prepare(ctx, p)
	if err != nil && f.source != "" {
		err = fmt.Errorf("%s: %w", f.source, err)
	}
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	card := &training.Card
	if f.paused == nil {
		card.Version, card.Command = origin.Version(), origin.Command()
		card.Inputs, card.Tree, card.Weight = f.Card.Inputs, f.Card.Tree, f.Card.Weight
	}
	card.View, card.Collection, card.Multiplicity = f.Card.View, f.Card.Collection, f.Card.Multiplicity
	training.CheckpointTo(f.Checkpoint, func(err error) {
		p.logf("warning: there is no checkpoint, the training goes on without: %v", err)
	})
	announce(training, p)
	training.Progress = p.Training
	model, err := training.Run(ctx)
	if err == nil {
		err = model.Save(f.Output)
	}
	switch {
	case err == nil:
	case errors.Is(err, surrogate.ErrNothingLearnt): // there is nothing to go on from
		_ = training.RemoveCheckpoint()
		return nil, err
	case ctx.Err() == nil: // a failure, not an interrupt
		return nil, err
	case training.Checkpointed():
		return nil, &Unfinished{f.Checkpoint, err}
	case f.paused != nil:
		return nil, &Unfinished{f.from, err}
	case errors.Is(err, ctx.Err()):
		return nil, &Unfinished{"", err}
	default:
		return nil, err
	}
	for _, warning := range model.Warnings() {
		p.logf("warning: %s", warning)
	}
	noteOverfitting(model, p)
	return model, training.RemoveCheckpoint()
}

// prepare looks at the rows and composes the model, or takes up the training that is to be
// resumed.
func (f *Fit) prepare(ctx context.Context, p Progress) (*surrogate.Training, error) {
	if f.Auto && surrogate.IsCheckpoint(f.Checkpoint) {
		paused, err := surrogate.LoadCheckpoint(f.Checkpoint)
		if err == nil && paused.IsOf(f.Table, f.Weights, f.Options) {
			f.paused, f.from = paused, f.Checkpoint
			p.logf("note: the training goes on from %s", f.Checkpoint)
		} else {
			p.logf("note: %s is of another training, or of another version: this one begins from the start", f.Checkpoint)
		}
	}
	switch {
	case f.paused == nil:
		return surrogate.New(ctx, f.Table, f.Weights, f.Options)
	case f.finish:
		return f.paused.Finish(ctx, f.Table, f.Weights)
	}
	return f.paused.Resume(ctx, f.Table, f.Weights)
}

// announce logs what will be trained.
func announce(training *surrogate.Training, p Progress) {
	card := &training.Card
	table := &strings.Builder{}
	_ = WriteTreatments(table, training.Surrogate) // a builder takes all
	for line := range strings.Lines(table.String()) {
		p.logf("%s", strings.TrimSuffix(line, "\n"))
	}
	if card.Weights != nil {
		p.logf("%v", card.Weights)
	}
	for _, line := range strings.Split("model: "+card.Plan.String(), "\n") {
		p.logf("%s", line)
	}
	if card.Plan.Folds() {
		p.logf("%d events, each to train on and to validate what was learnt from others", card.Events)
		return
	}
	p.logf("%d events to train on, %d to validate", card.Learnt(), card.HeldOut)
	if card.HeldOut < 100 {
		p.logf("note: with so few events to validate, the validation loss says little")
	}
}

// noteOverfitting says that the end of the training was worse than what is kept.
func noteOverfitting(model *surrogate.Surrogate, p Progress) {
	const nats = 0.5
	h := model.Card.History
	if len(h.Points) == 0 {
		return
	}
	if last := h.Points[len(h.Points)-1]; last.Valid-last.Train > nats && h.BestStep < last.Step/2 {
		p.logf("note: the model was overfitted in the end (loss %.4f, validation %.4f); the one of step %d is kept; a smaller --hidden may do better",
			last.Train, last.Valid, h.BestStep)
	}
}
