package analysis

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/analysis/task"
	"github.com/eidolon-hep/eidolon/internal/nearest"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Train is a task that collects the values of its ports over the job, and in the end, at
// StopTask, trains a surrogate on them and writes it to a file.
//
// The ports carry numbers, an event each, or slices, an event (or object) per element.
// Events are put in order before the training: the surrogate is the same for any NProcs.
// When the job is interrupted during the training, there is no surrogate: what has been
// learnt is in a checkpoint beside Output (Output.checkpoint), from which the same job goes on
// when it is run again.
type Train struct {
	fwk.TaskBase

	// Ports are the columns to learn, those of the condition, and the weight. Without
	// ports they are those of the input stream, if it is one of ours.
	Ports []fwk.Port
	// Weight is the port of the weights of the events, if they have any.
	Weight string
	// Output is the file to write.
	Output string
	// Options say what to train and how; Options.Condition names the ports of the
	// condition.
	Options surrogate.Options

	layout *layout
	source surrogate.Card // what is known of where the events come from
	mu     sync.Mutex
	events *rootio.Table
	order  []block
}

// block is where the rows of an event are.
type block struct {
	event  int64
	lo, hi int
}

func init() {
	job.RegisterTask(func(base fwk.TaskBase) fwk.Task { return &Train{TaskBase: base} })
}

// Complete takes the types of the ports, and where the events come from.
func (t *Train) Complete(known *job.Ports, force bool) (done bool, err error) {
	if len(t.Ports) == 0 {
		t.Ports = known.Input.Columns()
	}
	ports, err := known.Complete(t.Ports)
	if err != nil {
		if force {
			return false, err
		}
		return false, nil
	}
	t.Ports = ports
	if r, ok := known.Input.Streamer.(*TreeReader); ok {
		t.source.Inputs, t.source.Tree = r.Files, r.tree.Name()
		t.source.View = rootio.ViewOptions{Define: r.Define, Where: r.Where}
	}
	return true, nil
}

// Configure declares the ports, and checks what is asked for before any event is read.
func (t *Train) Configure(fwk.Context) (err error) {
	switch {
	case t.Output == "":
		return errors.New("there is no file to write the surrogate to (property Output)")
	case len(t.Ports) == 0:
		return errors.New("there is nothing to learn (property Ports)")
	}
	if err := t.Options.Check(); err != nil {
		return err
	}
	if t.layout, err = newLayout(t.Ports); err != nil {
		return err
	}
	needed := t.Options.Condition
	if t.Weight != "" {
		needed = append(slices.Clone(needed), t.Weight)
	}
	for _, name := range needed {
		if known := names(t.Ports); !slices.Contains(known, name) {
			return fmt.Errorf("%q is none of the ports%s", name, nearest.Hint(name, known))
		}
	}
	for _, p := range t.Ports {
		if err := t.DeclInPort(p.Name, p.Type); err != nil {
			return err
		}
	}
	return nil
}

// StartTask makes ready for events.
func (t *Train) StartTask(fwk.Context) error {
	t.events, t.order = t.layout.empty(), nil
	return nil
}

// Process keeps the values of an event.
func (t *Train) Process(ctx fwk.Context) error {
	rows, err := t.layout.get(ctx.Store())
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	lo := t.events.Len()
	join(t.events, rows)
	t.order = append(t.order, block{ctx.ID(), lo, t.events.Len()})
	return nil
}

// StopTask trains the surrogate and writes it.
func (t *Train) StopTask(ctx fwk.Context) error {
	fit := &task.Fit{Options: t.Options, Card: t.source, Output: t.Output, Checkpoint: task.CheckpointOf(t.Output), Auto: true}
	fit.Table, fit.Weights = t.inOrder()
	fit.Card.Weight = t.Weight
	t.events, t.order = nil, nil
	told := progressOf(ctx)
	if t.Options.Log != nil {
		told.Log = t.Options.Log
	}
	if t.Options.Train.Progress != nil {
		told.Training = t.Options.Train.Progress
	}
	_, err := fit.Run(job.Context(ctx), told)
	if stopped, ok := errors.AsType[*task.Unfinished](err); ok && stopped.Checkpoint != "" {
		err = fmt.Errorf("the training was interrupted: the same job goes on from %s: %w", stopped.Checkpoint, err)
		ctx.Msg().Warnf("%v\n", err)
	}
	return err
}

// Writes returns the file of the surrogate.
func (t *Train) Writes() string { return t.Output }

// CheckOutput returns an error if the surrogate or its checkpoint cannot be written, or would
// replace an input or what is no file of its kind.
func (t *Train) CheckOutput(inputs []string) error {
	if err := surrogate.CheckOutput(t.Output, inputs...); err != nil {
		return err
	}
	return surrogate.CheckCheckpoint(task.CheckpointOf(t.Output), inputs...)
}

// inOrder returns the events in the order of their numbers, without the weights, and
// the weights, nil if there are none.
func (t *Train) inOrder() (*rootio.Table, []float64) {
	slices.SortFunc(t.order, func(a, b block) int { return cmp.Compare(a.event, b.event) })
	places := make([]int, 0, t.events.Len())
	for _, b := range t.order {
		for i := b.lo; i < b.hi; i++ {
			places = append(places, i)
		}
	}
	var weights []float64
	table := &rootio.Table{}
	for _, c := range t.events.Columns {
		c = c.Take(places)
		if c.Name != t.Weight {
			table.Columns = append(table.Columns, c)
			continue
		}
		weights = c.Float64s()
	}
	return table, weights
}
