package analysis

import (
	"errors"
	"fmt"
	"slices"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/analysis/task"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Score is a task that puts the log-density of each event, or of each object, under a
// surrogate: as [surrogate.Surrogate.LogDensity] defines it, per unit of each column
// that was learnt, given those of the condition.
//
// In-ports have the names and types of the columns of the surrogate, or are slices of
// them, as at [FastSim]; there is one out-port, of a float64 or []float64.
type Score struct {
	fwk.TaskBase

	// Model is the file of the surrogate.
	Model string
	// Ratio is the file of a ratio that multiplies the density of the surrogate
	// ([surrogate.Surrogate.Refine]); empty: none.
	Ratio string
	// Output is the name of the out-port; by default log_prob.
	Output string
	// Ports are in-ports whose type is neither that of the columns that the surrogate
	// has seen nor known to the job.
	Ports []fwk.Port
	// Entry is the port of entries, if there is one. Columns of codes and integers are
	// dequantised with deviates of the seed of the training and this number.
	Entry string
	// Solver says how the equation is solved along which a log-density is integrated that is not
	// in closed form, as at [FastSim]; by default by Heun's method in 36 steps.
	Solver diffusion.SolverOptions
	// Outside says what becomes of conditions that the training events did not have, as
	// [features.Outside] does; rows cannot be left out (skip). How many there were is said
	// in the end.
	Outside string

	in    inputs
	ratio *classify.Ratio
}

func init() {
	job.RegisterTask(func(base fwk.TaskBase) fwk.Task { return &Score{TaskBase: base, Output: "log_prob"} })
}

// Reads returns the files of the surrogate and of the ratio.
func (t *Score) Reads() []string { return given(t.Model, t.Ratio) }

// UsesModel returns the surrogate, from which nothing is drawn.
func (t *Score) UsesModel() job.Model {
	return job.Model{File: t.Model, Ratio: t.Ratio, Solver: t.in.model.DensitySolver()}
}

// Complete finds the types of the ports of the columns, and adds that of the log-density.
func (t *Score) Complete(known *job.Ports, force bool) (done bool, err error) {
	if err := t.in.load(t.Model, (*surrogate.Surrogate).SetDensitySolver, t.Solver); err != nil {
		return false, err
	}
	if t.ratio, err = ratioFor(t.in.model, t.Ratio); err != nil {
		return false, err
	}
	learnt := task.Scored(t.in.model)
	fields := slices.Concat(learnt, t.in.model.Context.Fields())
	done, err = t.in.complete(fields, t.Ports, t.Entry, known, force)
	if !done {
		return false, err
	}
	for _, f := range learnt {
		i := slices.Index(names(t.in.layout.ports), f.Name)
		if got := t.in.layout.fields[i].Kind; got != f.Kind {
			return false, fmt.Errorf("port %q is %v, the surrogate has learnt %v", f.Name, got, f.Kind)
		}
	}
	known.AddLike(t.in.layout.slices(), t.output())
	return true, nil
}

func (t *Score) output() fwk.Port {
	return fwk.Port{Name: t.Output, Type: portType(rootio.Float64, t.in.layout.sliced)}
}

// Configure declares the ports.
func (t *Score) Configure(fwk.Context) error {
	outside := features.Outside(t.Outside)
	if err := outside.Check(); err != nil {
		return err
	}
	if outside == features.Skip {
		return errors.New("every event has a log-density: Outside may be clip or refuse")
	}
	if err := t.in.configure(&t.TaskBase, t.Complete); err != nil {
		return err
	}
	out := t.output()
	return t.DeclOutPort(out.Name, out.Type)
}

// StartTask makes ready for events.
func (t *Score) StartTask(ctx fwk.Context) error {
	t.in.strays = features.Strays{}
	return refine(job.Context(ctx), t.in.model, t.ratio)
}

// StopTask says how many conditions the training events did not have.
func (t *Score) StopTask(ctx fwk.Context) error {
	t.in.sayStrays(ctx, "")
	return nil
}

// Process puts the log-density of an event.
func (t *Score) Process(ctx fwk.Context) error {
	rows, numbers, err := t.in.get(ctx)
	if err != nil {
		return err
	}
	admitted, err := t.in.admit(rows, t.Outside, numbers)
	if err != nil {
		return err
	}
	rows = admitted.Table
	score := make([]float64, rows.Len())
	for lo, hi := range philox.Runs(numbers) {
		if err := t.in.model.LogDensity(job.Context(ctx), score[lo:hi], rows.Slice(lo, hi), numbers[lo]); err != nil {
			return err
		}
	}
	if t.in.layout.sliced {
		return ctx.Store().Put(t.Output, score)
	}
	return ctx.Store().Put(t.Output, score[0])
}
