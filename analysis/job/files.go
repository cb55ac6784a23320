package job

import "github.com/eidolon-hep/eidolon/internal/output"

// FileReader is a component or streamer that reads files. The job refuses to write over them,
// and its output says that it comes from them.
type FileReader interface {
	// Reads returns the names of the files, patterns and URLs among them.
	Reads() []string
}

// FileWriter is a component or streamer that writes a file. It is asked before the job reads or
// writes anything.
type FileWriter interface {
	// Writes returns the name of the file; empty: none.
	Writes() string
	// CheckOutput returns an error if the file cannot be written, or if one of the inputs
	// or a file of another kind would be lost by it.
	CheckOutput(inputs []string) error
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
		case *watchedTask:
			all = append(all, named{t.Name(), t.Task})
		case *watchedOutput:
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
		if c, ok := c.component.(FileReader); ok {
			inputs = append(inputs, c.Reads()...)
		}
	}
	for i, c := range all {
		w, ok := c.component.(FileWriter)
		if !ok || w.Writes() == "" { // it will say so
			continue
		}
		err := r.call(nil, c.name, func() error {
			for _, other := range all[:i] {
				if o, ok := other.component.(FileWriter); ok && output.Same(o.Writes(), w.Writes()) {
					return output.Refuse("the output %s is that of %q, too: one of them would be lost", w.Writes(), other.name)
				}
			}
			return w.CheckOutput(inputs)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
