package job

import (
	"os"
	"slices"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/internal/origin"
	"github.com/eidolon-hep/eidolon/rootio"
)

// ModelUser is a component or streamer that uses a model.
type ModelUser interface{ UsesModel() Model }

// Model is a model that a component uses.
type Model struct {
	File  string  // empty: none
	Ratio string  // the file of the ratio that multiplies its density, or makes weights; empty: none
	Seed  *uint64 // of what is drawn from it; nil if nothing is
	Drawn bool    // whether the seed was not given, but drawn: the user is told which it is
	// Solver is how the equation of the model is solved; nil if none is.
	Solver *diffusion.Solver
}

// OriginWriter is an output streamer that stores, by an option of its file, where the events
// come from: the job, its input files, the models and their seeds.
type OriginWriter interface{ SetOrigin(rootio.Option) }

// tellOrigin tells the writers where the events come from, and the user which seeds were
// drawn.
func (r *runner) tellOrigin() error {
	var inputs []string
	var models []origin.Model
	all := r.components()
	for _, c := range all {
		if m, ok := c.component.(ModelUser); ok {
			model := m.UsesModel()
			if model.Drawn {
				fwk.NewMsgStream(c.name, r.level, os.Stderr).Warnf("no Seed was given; it is %d\n", *model.Seed)
			}
			if model.File != "" || model.Ratio != "" {
				models = append(models, origin.Model{Component: c.name, File: model.File, Ratio: model.Ratio, Seed: model.Seed, Solver: model.Solver})
				continue
			}
		}
		if m, ok := c.component.(FileReader); ok {
			inputs = append(inputs, m.Reads()...)
		}
	}
	slices.Sort(inputs)
	from, err := origin.New(slices.Compact(inputs), models...)
	if err != nil {
		return err
	}
	from.Job = r.file
	text, err := from.Option()
	if err != nil {
		return err
	}
	for _, c := range all {
		if w, ok := c.component.(OriginWriter); ok {
			w.SetOrigin(text)
		}
	}
	return nil
}
