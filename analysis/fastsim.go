package analysis

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/internal/panics"
	"github.com/eidolon-hep/eidolon/rootio"
)

// FastSim is a task that draws from a conditional surrogate: it reads the ports of the
// condition, such as the true energy of a particle, and puts what the surrogate has
// learnt about it, such as the energy that the detector reconstructs.
//
// In-ports have the names of the columns of the condition, and out-ports those of the
// columns that were learnt, with Prefix before them. An in-port of one number is for one
// object per event. In-ports of slices are for one object per element, or, after a reader
// that reads in batches, for one event per element; then the out-ports carry slices, too,
// and in-ports of one number beside them hold for all elements.
//
// What is drawn for an object depends on (Seed, its number, its condition) alone, not on
// NProcs or on what is processed at the same time. The number is that of the event of
// fwk; element i of a slice has the number event·2²⁰ + i. With a port of entries it is
// the entry that counts instead of the event, and in batches the entry is the number:
// then the result is that of “eidolon generate -i” with the same seed.
//
// Conditions may be ones that the training events did not have (Outside). A port known, with
// Prefix before its name (or known_2, …, if another component puts it), is false for these, so
// that a TreeWriter may leave them out (Select); how many there were is said in the end.
//
// Half of the processors draw at the same time; events that come meanwhile wait, and their
// objects are drawn together.
type FastSim struct {
	fwk.TaskBase

	// Model is the file of the surrogate.
	Model string
	// Seed is the seed of what is drawn. If it is 0 one is drawn, and said.
	Seed uint64
	// Prefix is put before the names of the columns that were learnt.
	Prefix string
	// Ports are in-ports whose type is neither that of the columns that the surrogate
	// has seen nor known to the job.
	Ports []fwk.Port
	// Entry is the port of entries, if there is one.
	Entry string
	// Solver says how the equation of a surrogate that solves one is solved: {schedule: sqrt,
	// method: heun, order: 2, steps: 12} or {tolerance: 1e-4}; by default as it was trained.
	Solver diffusion.SolverOptions
	// Outside says what becomes of conditions that the training events did not have, as
	// [features.Outside] does. A task cannot leave out events: what is not drawn (skip)
	// is NaN, 0 in integers.
	Outside string

	isDrawn bool // the seed

	in     inputs
	out    *layout
	known  fwk.Port
	gather gatherer
}

func init() {
	job.RegisterTask(func(base fwk.TaskBase) fwk.Task { return &FastSim{TaskBase: base} })
}

// Reads returns the file of the surrogate.
func (t *FastSim) Reads() []string { return []string{t.Model} }

// UsesModel returns the surrogate.
func (t *FastSim) UsesModel() job.Model {
	return job.Model{File: t.Model, Seed: &t.Seed, Drawn: t.isDrawn, Solver: t.in.model.Solver()}
}

// Complete finds the types of the ports of the condition, and adds those of what is drawn.
func (t *FastSim) Complete(known *job.Ports, force bool) (done bool, err error) {
	if err := t.in.load(t.Model, (*surrogate.Surrogate).SetSolver, t.Solver); err != nil {
		return false, err
	}
	if len(t.in.model.Context.Names()) == 0 {
		return false, fmt.Errorf("%s is not conditional: draw from it with Source", t.Model)
	}
	drawSeed(&t.Seed, &t.isDrawn)
	done, err = t.in.complete(t.in.model.Context.Fields(), t.Ports, t.Entry, known, force)
	if !done {
		return false, err
	}
	ports := portsOf(t.in.model.Fields(), t.in.layout.sliced)
	for i := range ports {
		ports[i].Name = t.Prefix + ports[i].Name
		if known.Type(ports[i].Name) != nil {
			return false, fmt.Errorf("port %q is put by another component, too: give a Prefix", ports[i].Name)
		}
	}
	isTaken := func(name string) bool { return known.Type(name) != nil || slices.Contains(names(ports), name) }
	t.known = fwk.Port{Name: t.Prefix + "known", Type: portType(rootio.Bool, t.in.layout.sliced)}
	for k := 2; isTaken(t.known.Name); k++ {
		t.known.Name = fmt.Sprintf("%sknown_%d", t.Prefix, k)
	}
	known.AddLike(t.in.layout.slices(), append(ports, t.known)...)
	t.out, err = newLayout(ports)
	return true, err
}

// Configure declares the ports.
func (t *FastSim) Configure(fwk.Context) error {
	if err := features.Outside(t.Outside).Check(); err != nil {
		return err
	}
	if !t.in.done {
		if _, err := t.Complete(&job.Ports{}, true); err != nil {
			return err
		}
	}
	if err := t.in.declare(&t.TaskBase); err != nil {
		return err
	}
	for _, p := range append(t.out.ports, t.known) {
		if err := t.DeclOutPort(p.Name, p.Type); err != nil {
			return err
		}
	}
	return nil
}

// StartTask makes ready for events.
func (t *FastSim) StartTask(fwk.Context) error {
	t.gather = gatherer{most: max(1, runtime.NumCPU()/2), draw: t.drawTogether}
	t.in.strays = features.Strays{}
	return nil
}

// StopTask says how many conditions the training events did not have.
func (t *FastSim) StopTask(ctx fwk.Context) error {
	t.in.sayStrays(ctx, fmt.Sprintf("; port %s is false for these", t.known.Name))
	return nil
}

// Process draws for the objects of an event.
func (t *FastSim) Process(ctx fwk.Context) error {
	given, numbers, err := t.in.get(ctx)
	if err != nil {
		return err
	}
	entries := numbers
	if t.in.numbersElements() { // errors tell the number of the element
		entries = make([]uint64, len(numbers))
		for i := range entries {
			entries[i] = uint64(i)
		}
	}
	admitted, err := t.in.admit(given, t.Outside, entries)
	if err != nil {
		return err
	}
	known, drawnFor := make([]bool, given.Len()), make([]uint64, len(admitted.Rows))
	for i, row := range admitted.Rows {
		known[row], drawnFor[i] = admitted.Known[i], numbers[row]
	}
	r := &request{ctx: job.Context(ctx), out: rootio.NewTable(t.in.model.Fields(), admitted.Len()), given: admitted.Table}
	if !t.in.layout.sliced && t.in.layout.holds(r.given) && r.given.Len() == 1 {
		r.number = numbers[0]
		err = t.gather.do(r)
	} else {
		err = t.draw(r.ctx, r.out, r.given, drawnFor)
	}
	if err != nil {
		return err
	}
	if err := t.out.put(ctx.Store(), scattered(r.out, admitted.Rows, given.Len())); err != nil {
		return err
	}
	if t.in.layout.sliced {
		return ctx.Store().Put(t.known.Name, known)
	}
	return ctx.Store().Put(t.known.Name, known[0])
}

// scattered returns a table of n rows with those of t at some places, and nothing at the others.
func scattered(t *rootio.Table, places []int, n int) *rootio.Table {
	if t.Len() == n {
		return t
	}
	all := rootio.NewTable(t.Fields(), n)
	nothing := slices.Repeat([]float64{math.NaN()}, n)
	for i, c := range all.Columns {
		if c.Kind.IsFloat() {
			c.SetFloats(0, nothing)
		}
		c.Put(places, t.Columns[i])
	}
	return all
}

// draw draws for the rows of given, which have these numbers, into out.
func (t *FastSim) draw(job context.Context, out, given *rootio.Table, numbers []uint64) error {
	return panics.Guard(func() error { // of the objects that are drawn together, it is one's fault
		_, err := t.in.model.GenerateRows(job, out, given, t.Seed, numbers)
		return err
	})
}

// drawTogether draws for the objects of several events.
func (t *FastSim) drawTogether(batch []*request) {
	if len(batch) == 1 {
		r := batch[0]
		r.err = t.draw(r.ctx, r.out, r.given, []uint64{r.number})
		return
	}
	slices.SortFunc(batch, func(a, b *request) int { return cmp.Compare(a.number, b.number) })
	given, numbers := t.in.layout.empty(), make([]uint64, len(batch))
	for i, r := range batch {
		join(given, r.given)
		numbers[i] = r.number
	}
	out := rootio.NewTable(t.in.model.Fields(), len(batch))
	if err := t.draw(batch[0].ctx, out, given, numbers); err != nil {
		for _, r := range batch { // whose fault is it?
			r.err = t.draw(r.ctx, r.out, r.given, []uint64{r.number})
		}
		return
	}
	for i, r := range batch {
		r.out = out.Slice(i, i+1)
	}
}

// gatherer draws for the objects of events that are in flight at the same time. Up to
// most goroutines draw; what comes meanwhile waits, and is drawn together.
type gatherer struct {
	most int
	draw func([]*request)

	mu      sync.Mutex
	drawing int
	queue   []*request
}

// request is an object to be drawn.
type request struct {
	ctx        context.Context
	out, given *rootio.Table // of one row
	number     uint64
	err        error
	wake       chan []*request // nil: it is drawn; a batch: draw this, with the object in it
}

// do draws for an object.
func (g *gatherer) do(r *request) error {
	r.wake = make(chan []*request, 1)
	g.mu.Lock()
	batch := []*request{r}
	if g.drawing == g.most {
		g.queue = append(g.queue, r)
		g.mu.Unlock()
		if batch = <-r.wake; batch == nil {
			return r.err
		}
	} else {
		g.drawing++
		g.mu.Unlock()
	}
	if err := panics.Guard(func() error { g.draw(batch); return nil }); err != nil {
		for _, r := range batch { // they wait for what will not come
			r.err = err
		}
	}
	for _, other := range batch {
		if other != r {
			other.wake <- nil
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) == 0 {
		g.drawing--
		return r.err
	}
	next := g.queue
	g.queue = nil
	next[0].wake <- next // it takes our place
	return r.err
}
