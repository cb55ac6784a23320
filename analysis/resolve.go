package analysis

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/internal/nearest"
)

// resolve gives the ports of the components of this package, and of the streams, their
// types.
func (r *runner) resolve() error {
	known := newKnown()
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
func (s *input) complete(known *known) error {
	ports, err := property[[]fwk.Port](s.run.app, s.stream, "Ports")
	if err != nil {
		return err
	}
	if reader, ok := s.InputStreamer.(interface {
		complete(context.Context, []fwk.Port) ([]fwk.Port, error)
	}); ok {
		s.connected = true // it has opened its files
		err := s.run.call(noEvent, s.name, func() (err error) {
			ports, err = reader.complete(s.run.ctx, ports)
			return err
		})
		if err != nil {
			return err
		}
		if err := s.run.app.SetProp(s.stream, "Ports", ports); err != nil {
			return fmt.Errorf("analysis: %w", err)
		}
	}
	known.add(ports...)
	entry := ""
	switch reader := s.InputStreamer.(type) {
	case *TreeReader:
		known.counters, known.reader, entry = reader.counters(), reader, reader.Entry
	case *Source:
		entry = reader.Entry
	}
	known.input = slices.DeleteFunc(slices.Clone(ports), func(p fwk.Port) bool { return p.Name == entry })
	return nil
}

// completeTasks gives the ports of our tasks their types. A task whose input is known says
// what it puts, which others may read. When no task is left of which that is so, the first
// one in line takes the types that it expects.
func (r *runner) completeTasks(known *known) error {
	var open []completer
	for _, t := range r.app.Tasks() {
		if t, ok := t.(*task); ok {
			if c, ok := t.Task.(completer); ok {
				open = append(open, c)
			}
		}
	}
	for force := false; len(open) > 0; {
		before := len(open)
		for i, c := range open {
			done := false
			err := r.call(noEvent, c.Name(), func() (err error) {
				done, err = c.complete(known, force)
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
func (s *output) complete(known *known) error {
	ports, err := property[[]fwk.Port](s.run.app, s.Task, "Ports")
	if err != nil {
		return err
	}
	if len(ports) == 0 {
		ports = known.ports
	}
	if ports, err = known.complete(ports); err != nil {
		return fmt.Errorf("analysis: %q: %w", s.name, err)
	}
	if w, ok := s.streamer.(*TreeWriter); ok {
		w.count(known.counters, ports)
	}
	if err := s.run.app.SetProp(s.Task, "Ports", ports); err != nil {
		return fmt.Errorf("analysis: %w", err)
	}
	return nil
}

// completer is a task of ours. complete fills in the types of its ports and adds
// those that it puts to known. It returns false when it has to know more; if forced it
// takes the types that it expects.
type completer interface {
	fwk.Task
	complete(known *known, force bool) (done bool, err error)
}

// known are the ports whose types are known.
type known struct {
	ports []fwk.Port
	types map[string]reflect.Type
	input []fwk.Port // those of the input stream, but for that of entries
	// counters are the ports that say how many values others carry.
	counters map[string]string
	reader   *TreeReader // of the input stream, if it is one
}

func newKnown() *known {
	return &known{types: map[string]reflect.Type{}, counters: map[string]string{}}
}

func (k *known) add(ports ...fwk.Port) {
	for _, p := range ports {
		if p.Type != nil && k.types[p.Name] == nil {
			k.types[p.Name] = p.Type
			k.ports = append(k.ports, p)
		}
	}
}

// addFrom adds ports that carry as many values as those of the layout.
func (k *known) addFrom(from *layout, ports ...fwk.Port) {
	k.add(ports...)
	for i, p := range from.ports {
		if counter := k.counters[p.Name]; from.isSliced(i) && counter != "" {
			for _, p := range ports {
				k.counters[p.Name] = counter
			}
		}
	}
}

// complete returns the ports with types.
func (k *known) complete(ports []fwk.Port) ([]fwk.Port, error) {
	ports = slices.Clone(ports)
	for i, p := range ports {
		if p.Type == nil {
			ports[i].Type = k.types[p.Name]
		}
		if ports[i].Type == nil {
			return nil, fmt.Errorf("the type of port %q is not known: say it (%s: float64)%s", p.Name, p.Name, nearest.Hint(p.Name, names(k.ports)))
		}
	}
	return ports, nil
}
