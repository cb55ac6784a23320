package analysis

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/internal/nearest"
	"github.com/eidolon-hep/eidolon/rootio"
)

// inputs are the surrogate that a task asks, and the ports that it reads the columns of it from.
type inputs struct {
	model   *surrogate.Surrogate
	layout  *layout
	numbers numbering
	done    bool // whether the types are known

	mu     sync.Mutex
	strays features.Strays // counts the conditions that the training events did not have
}

// load loads the surrogate, once, and lets set change its solver as it is asked for.
func (in *inputs) load(file string, set func(*surrogate.Surrogate, diffusion.SolverOptions) error, solver diffusion.SolverOptions) (err error) {
	if in.model == nil {
		in.model, err = load(file, set, solver)
	}
	return err
}

// load loads a surrogate, and lets set change its solver as it is asked for.
func load(file string, set func(*surrogate.Surrogate, diffusion.SolverOptions) error, solver diffusion.SolverOptions) (*surrogate.Surrogate, error) {
	if file == "" {
		return nil, errNoModel
	}
	model, err := surrogate.Load(file)
	if err != nil {
		return nil, err
	}
	if err := set(model, solver); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return model, nil
}

var errNoModel = errors.New("there is no surrogate (property Model)")

// complete finds the types of the ports. What the task was told comes first, then what
// is known of the ports; if forced, then one number of the type of the surrogate.
func (in *inputs) complete(fields []rootio.Field, told []fwk.Port, entry string, known *job.Ports, force bool) (done bool, err error) {
	ports := portsOf(fields, false)
	for _, t := range told {
		if !slices.ContainsFunc(ports, func(p fwk.Port) bool { return p.Name == t.Name }) {
			return false, fmt.Errorf("the surrogate does not read port %q%s (it reads %s)", t.Name, nearest.Hint(t.Name, names(ports)), strings.Join(names(ports), ", "))
		}
	}
	for i, p := range ports {
		k := slices.IndexFunc(told, func(t fwk.Port) bool { return p.Name == t.Name && t.Type != nil })
		switch {
		case k >= 0:
			ports[i].Type = told[k].Type
		case known.Type(p.Name) != nil:
			ports[i].Type = known.Type(p.Name)
		case !force:
			return false, nil
		}
	}
	if in.layout, err = newLayout(ports); err != nil {
		return false, err
	}
	in.numbers = numbering{port: entry, typ: known.Type(entry)}
	if entry != "" && in.numbers.typ == nil {
		if !force {
			return false, nil
		}
		in.numbers.typ = entryType(false)
	}
	in.done = true
	return true, nil
}

// configure completes the ports of a component, unless a job has done so, and declares those that are read.
func (in *inputs) configure(base *fwk.TaskBase, complete func(*job.Ports, bool) (bool, error)) error {
	if !in.done {
		if _, err := complete(&job.Ports{}, true); err != nil {
			return err
		}
	}
	return in.declare(base)
}

// declare declares the in-ports of the task.
func (in *inputs) declare(task *fwk.TaskBase) error {
	for _, p := range in.layout.ports {
		if err := task.DeclInPort(p.Name, p.Type); err != nil {
			return err
		}
	}
	port := in.numbers.port
	if port == "" || slices.Contains(names(in.layout.ports), port) {
		return nil
	}
	return task.DeclInPort(port, in.numbers.typ)
}

// numbersElements reports whether the number of a row is made of that of the event and that
// of the element.
func (in *inputs) numbersElements() bool {
	return in.layout.sliced && in.numbers.typ != entryType(true)
}

// get returns the rows of an event and their numbers.
func (in *inputs) get(ctx fwk.Context) (*rootio.Table, []uint64, error) {
	t, err := in.layout.get(ctx.Store())
	if err != nil {
		return nil, nil, err
	}
	numbers, err := in.numbers.rows(ctx, t.Len(), in.layout.sliced)
	return t, numbers, err
}

// admit returns the rows that the surrogate can be asked about: see
// [features.Context.Admit].
func (in *inputs) admit(rows *rootio.Table, outside string, entries []uint64) (features.Admitted, error) {
	admitted, err := in.model.Context.Admit(rows, features.Outside(outside), entries)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.strays.Add(admitted.Strays)
	return admitted, err
}

// sayStrays says how many conditions the training events did not have, and more about these.
func (in *inputs) sayStrays(ctx fwk.Context, more string) {
	if in.strays.Outside > 0 {
		ctx.Msg().Warnf("%v%s\n", in.strays, more)
	}
}
