package job

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/internal/nearest"
)

// InputCompleter is an input streamer that knows the types of its ports.
type InputCompleter interface {
	fwk.InputStreamer
	// Complete returns the ports with their types; without ports, all that there are.
	// The streamer is connected afterwards, or disconnected if the job fails before.
	Complete(ctx context.Context, ports []fwk.Port) (Input, error)
}

// Completer is a task that finds the types of its ports from those of other components.
type Completer interface {
	fwk.Task
	// Complete fills in the types of the task's ports and adds those that it puts to known.
	// It returns false when it has to know more; if forced it takes the types that it
	// expects.
	Complete(known *Ports, force bool) (done bool, err error)
}

// OutputCompleter is an output streamer that is told the ports that it writes before it is
// connected.
type OutputCompleter interface {
	fwk.OutputStreamer
	Complete(known *Ports, ports []fwk.Port)
}

// Input is what the input stream of a job gives.
type Input struct {
	Streamer fwk.InputStreamer
	Ports    []fwk.Port        // with their types
	Entry    string            // the one of Ports with the numbers of the entries, if there is one
	Counters map[string]string // by port that carries slices: the port that says how many values they have
}

// Columns returns the ports but for that of the entries.
func (in *Input) Columns() []fwk.Port {
	return slices.DeleteFunc(slices.Clone(in.Ports), func(p fwk.Port) bool { return p.Name == in.Entry })
}

// Ports are the ports of a job of which the types are known. The zero Ports are none.
type Ports struct {
	Input Input

	all      []fwk.Port
	counters map[string]string // as those of Input, of all ports
}

// Type returns the type of a port, nil if it is not known.
func (k *Ports) Type(name string) reflect.Type {
	for _, p := range k.all {
		if p.Name == name {
			return p.Type
		}
	}
	return nil
}

// Counter returns the port that says how many values a port carries; empty: none is known.
func (k *Ports) Counter(name string) string { return k.counters[name] }

// Add adds the ports that have a type and are not known yet.
func (k *Ports) Add(ports ...fwk.Port) {
	for _, p := range ports {
		if p.Type != nil && k.Type(p.Name) == nil {
			k.all = append(k.all, p)
		}
	}
}

// AddLike adds ports that carry as many values as each of those with the names.
func (k *Ports) AddLike(names []string, ports ...fwk.Port) {
	k.Add(ports...)
	for _, name := range names {
		if counter := k.counters[name]; counter != "" {
			for _, p := range ports {
				k.counters[p.Name] = counter
			}
		}
	}
}

// Complete returns the ports with types.
func (k *Ports) Complete(ports []fwk.Port) ([]fwk.Port, error) {
	ports = slices.Clone(ports)
	for i, p := range ports {
		if p.Type == nil {
			ports[i].Type = k.Type(p.Name)
		}
		if ports[i].Type == nil {
			var names []string
			for _, p := range k.all {
				names = append(names, p.Name)
			}
			return nil, fmt.Errorf("the type of port %q is not known: say it (%s: float64)%s", p.Name, p.Name, nearest.Hint(p.Name, names))
		}
	}
	return ports, nil
}

// completePorts gives the ports of the components and the streams their types.
func (r *runner) completePorts() error {
	known := &Ports{counters: map[string]string{}}
	if err := r.input.complete(known); err != nil {
		return err
	}
	if err := r.completeTasks(known); err != nil {
		return err
	}
	for _, o := range r.outputs {
		if err := o.complete(known); err != nil {
			return err
		}
	}
	return nil
}

// complete gives the ports of the input stream their types.
func (s *watchedInput) complete(known *Ports) error {
	ports, err := property[[]fwk.Port](s.run.app, s.stream, "Ports")
	if err != nil {
		return err
	}
	in := Input{Ports: ports}
	if c, ok := s.InputStreamer.(InputCompleter); ok {
		s.connected = true // it has opened its files
		err := s.run.call(nil, s.name, func() (err error) {
			in, err = c.Complete(s.run.ctx, ports)
			return err
		})
		if err != nil {
			return err
		}
		if err := s.run.app.SetProp(s.stream, "Ports", in.Ports); err != nil {
			return fmt.Errorf("job: %w", err)
		}
	}
	in.Streamer = s.InputStreamer
	known.Input = in
	known.Add(in.Ports...)
	for port, counter := range in.Counters {
		known.counters[port] = counter
	}
	return nil
}

// completeTasks gives the ports of the tasks their types. A task whose input is known says
// what it puts, which others may read. When no task is left of which that is so, the first
// one in line takes the types that it expects.
func (r *runner) completeTasks(known *Ports) error {
	var open []Completer
	for _, t := range r.app.Tasks() {
		if t, ok := t.(*watchedTask); ok {
			if c, ok := t.Task.(Completer); ok {
				open = append(open, c)
			}
		}
	}
	for force := false; len(open) > 0; {
		before := len(open)
		for i, c := range open {
			done := false
			err := r.call(nil, c.Name(), func() (err error) {
				done, err = c.Complete(known, force)
				return err
			})
			if err != nil {
				return err
			}
			if done {
				open = slices.Delete(open, i, i+1)
				break
			}
		}
		force = len(open) == before
	}
	return nil
}

// complete gives the ports of an output stream their types; without ports it has all that
// are known.
func (s *watchedOutput) complete(known *Ports) error {
	ports, err := property[[]fwk.Port](s.run.app, s.Task, "Ports")
	if err != nil {
		return err
	}
	if len(ports) == 0 {
		ports = known.all
	}
	if ports, err = known.Complete(ports); err != nil {
		return fmt.Errorf("job: %q: %w", s.name, err)
	}
	if c, ok := s.streamer.(OutputCompleter); ok {
		c.Complete(known, ports)
	}
	if err := s.run.app.SetProp(s.Task, "Ports", ports); err != nil {
		return fmt.Errorf("job: %w", err)
	}
	return nil
}
