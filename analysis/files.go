package analysis

import (
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	outputs "github.com/eidolon-hep/eidolon/internal/output"
)

// reader is a component that reads files, patterns and URLs among them.
type reader interface{ reads() []string }

// writer is a component that writes a file. checkOutput checks that it can be written, and
// that it is none of the inputs.
type writer interface {
	writes() string // empty: nothing
	checkOutput(inputs []string) error
}

func (r *TreeReader) reads() []string { return r.Files }
func (s *Source) reads() []string     { return []string{s.Model} }
func (t *FastSim) reads() []string    { return []string{t.Model} }
func (t *Score) reads() []string      { return []string{t.Model} }
func (t *Reweight) reads() []string   { return slices.Concat(t.Files, t.Target) }

func (w *TreeWriter) writes() string { return w.File }
func (w *TreeWriter) checkOutput(inputs []string) error {
	return outputs.Check(w.File, outputs.ROOT, inputs...)
}

func (t *Train) writes() string { return t.Output }
func (t *Train) checkOutput(inputs []string) error {
	if err := surrogate.CheckOutput(t.Output, inputs...); err != nil {
		return err
	}
	return surrogate.CheckCheckpoint(t.checkpoint(), inputs...)
}

// named is a component of the job, or a streamer of one, with the name that the job has for it.
type named struct {
	name      string
	component any
}

// components returns the components of the job.
func (r *runner) components() (all []named) {
	if r.input != nil {
		all = append(all, named{r.input.name, r.input.InputStreamer})
	}
	for _, t := range r.app.Tasks() {
		switch t := t.(type) {
		case *task:
			all = append(all, named{t.Name(), t.Task})
		case *output:
			all = append(all, named{t.name, t.streamer})
		}
	}
	return all
}

// checkFiles checks, before anything is read or written, that all output can be written, and
// that no file is lost by it: neither one that the job reads nor one that it writes as well.
func (r *runner) checkFiles() error {
	all := r.components()
	var inputs []string
	for _, c := range all {
		if c, ok := c.component.(reader); ok {
			inputs = append(inputs, c.reads()...)
		}
	}
	for i, c := range all {
		w, ok := c.component.(writer)
		if !ok || w.writes() == "" { // it will say so
			continue
		}
		err := r.call(noEvent, c.name, func() error {
			for _, other := range all[:i] {
				if o, ok := other.component.(writer); ok && outputs.Same(o.writes(), w.writes()) {
					return outputs.Refuse("the output %s is that of %q, too: one of them would be lost", w.writes(), other.name)
				}
			}
			return w.checkOutput(inputs)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
