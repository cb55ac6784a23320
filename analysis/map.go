package analysis

import (
	"errors"
	"fmt"
	"slices"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/analysis/task"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Map is a task that puts the image y = f(x) of each event, or of each object, in the base distribution of a
// surrogate, log q(y) and log|det J|, as [surrogate.Surrogate.Forward] defines them; or, with
// Inverse, the event of each y.
//
// The ports of events have the names and types of the columns of the surrogate, those of y the names that
// “eidolon map” writes: y_NAME (float32), code_NAME (int32), log_q and log_det_J (float64). In-ports are these
// and the columns of the condition, or slices of them, as at [FastSim]; out-ports have Prefix before
// their names.
type Map struct {
	fwk.TaskBase

	// Model is the file of the surrogate.
	Model string
	// Inverse maps y to events.
	Inverse bool
	// Prefix stands before the names of the out-ports.
	Prefix string
	// Ports are in-ports whose type is neither that of the columns that the surrogate
	// has seen nor known to the job.
	Ports []fwk.Port
	// Entry is the port of entries, if there is one. Integers are dequantised with deviates of the
	// seed of the training and this number.
	Entry string
	// Solver says how the equation of a surrogate that solves one is solved, in both directions.
	Solver diffusion.SolverOptions
	// Outside says what becomes of conditions that the training events did not have, as
	// [features.Outside] does; rows cannot be left out (skip).
	Outside string

	in   inputs
	base []rootio.Field // of y
	out  *layout
}

func init() {
	job.RegisterTask(func(base fwk.TaskBase) fwk.Task { return &Map{TaskBase: base} })
}

// Reads returns the file of the surrogate.
func (t *Map) Reads() []string { return []string{t.Model} }

// UsesModel returns the surrogate, from which nothing is drawn.
func (t *Map) UsesModel() job.Model {
	solver := t.in.model.Solver()
	if forward := t.in.model.DensitySolver(); !t.Inverse && forward != nil {
		solver = forward
	}
	return job.Model{File: t.Model, Solver: solver}
}

// Complete finds the types of the ports of events, of y and of the condition, and adds those that it puts.
func (t *Map) Complete(known *job.Ports, force bool) (done bool, err error) {
	if err := t.in.load(t.Model, (*surrogate.Surrogate).SetMapSolver, t.Solver); err != nil {
		return false, err
	}
	if err := t.in.model.CheckMap(); err != nil {
		return false, fmt.Errorf("%s: %w", t.Model, err)
	}
	t.base = task.BaseFields(t.in.model)
	from, to := task.Scored(t.in.model), slices.Concat(t.base, []rootio.Field{{Name: "log_q", Kind: rootio.Float64}, {Name: "log_det_J", Kind: rootio.Float64}})
	if t.Inverse {
		from, to = t.base, from
	}
	if done, err = t.in.complete(slices.Concat(from, t.in.model.Context.Fields()), t.Ports, t.Entry, known, force); !done {
		return false, err
	}
	for i, f := range from {
		if got := t.in.layout.fields[i].Kind; got != f.Kind {
			return false, fmt.Errorf("port %q is %v, and the surrogate's is %v", f.Name, got, f.Kind)
		}
	}
	for i := range to {
		to[i].Name = t.Prefix + to[i].Name
	}
	ports := portsOf(to, t.in.layout.sliced)
	known.AddLike(t.in.layout.slices(), ports...)
	t.out, err = newLayout(ports)
	return err == nil, err
}

// Configure declares the ports.
func (t *Map) Configure(fwk.Context) error {
	outside := features.Outside(t.Outside)
	if err := outside.Check(); err != nil {
		return err
	}
	if outside == features.Skip {
		return errors.New("every event is mapped: Outside may be clip or refuse")
	}
	if err := t.in.configure(&t.TaskBase, t.Complete); err != nil {
		return err
	}
	if !t.Inverse && !t.in.model.HasDensity() {
		return fmt.Errorf("the model %s has no map from events to noise: it draws copies of training events (σ_min is 0)", t.Model)
	}
	for _, p := range t.out.ports {
		if err := t.DeclOutPort(p.Name, p.Type); err != nil {
			return err
		}
	}
	return nil
}

// StartTask makes ready for events.
func (t *Map) StartTask(fwk.Context) error {
	t.in.strays = features.Strays{}
	return nil
}

// StopTask says how many conditions the training events did not have.
func (t *Map) StopTask(ctx fwk.Context) error {
	t.in.sayStrays(ctx, "")
	return nil
}

// Process puts the image of an event, or the event of a y.
func (t *Map) Process(ctx fwk.Context) error {
	rows, numbers, err := t.in.get(ctx)
	if err != nil {
		return err
	}
	admitted, err := t.in.admit(rows, t.Outside, numbers)
	if err != nil {
		return err
	}
	out := t.out.empty()
	for lo, hi := range philox.Runs(numbers) {
		mapped, err := t.mapped(ctx, admitted.Slice(lo, hi), numbers[lo])
		if err != nil {
			return err
		}
		join(out, mapped)
	}
	return t.out.put(ctx.Store(), out)
}

// mapped returns what becomes of rows, the first of which has a number.
func (t *Map) mapped(ctx fwk.Context, rows *rootio.Table, first uint64) (*rootio.Table, error) {
	model := t.in.model
	if t.Inverse {
		x, out := rootio.NewTable(model.Fields(), rows.Len()), &rootio.Table{}
		if err := model.Inverse(job.Context(ctx), x, task.BaseRows(rows, t.base), rows, first); err != nil {
			return nil, err
		}
		for _, f := range task.Scored(model) {
			c, _ := x.Column(f.Name)
			out.Columns = append(out.Columns, c)
		}
		return out, nil
	}
	image, err := model.Forward(job.Context(ctx), rows, first)
	if err != nil {
		return nil, err
	}
	columns := append(task.BaseColumns(t.base, image.Y), rootio.ColumnOf("", image.LogBase), rootio.ColumnOf("", image.LogDet))
	return &rootio.Table{Columns: columns}, nil
}
