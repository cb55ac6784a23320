package analysis

import (
	"os"
	"slices"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/internal/origin"
)

// drawSeed draws a seed where none is given.
func drawSeed(seed *uint64, isDrawn *bool) {
	if *seed == 0 {
		*seed, *isDrawn = origin.DrawSeed(), true
	}
}

// modelled is a component with a model. The seed is nil if it draws nothing; it tells, too,
// whether the seed was not given, but drawn.
type modelled interface {
	modelFile() (file string, seed *uint64, isDrawn bool)
}

func (s *Source) modelFile() (string, *uint64, bool)  { return s.Model, &s.Seed, s.isDrawn }
func (t *FastSim) modelFile() (string, *uint64, bool) { return t.Model, &t.Seed, t.isDrawn }
func (t *Score) modelFile() (string, *uint64, bool)   { return t.Model, nil, false }

// tellOrigin tells the writers where the events come from, and the user which seeds were
// drawn.
func (r *runner) tellOrigin() error {
	var inputs []string
	var models []origin.Model
	all := r.components()
	for _, c := range all {
		switch m := c.component.(type) {
		case modelled:
			file, seed, isDrawn := m.modelFile()
			if isDrawn {
				fwk.NewMsgStream(c.name, r.level, os.Stderr).Warnf("no Seed was given; it is %d\n", *seed)
			}
			if file != "" {
				models = append(models, origin.Model{Component: c.name, File: file, Seed: seed})
			}
		case reader:
			inputs = append(inputs, m.reads()...)
		}
	}
	slices.Sort(inputs)
	from, err := origin.New(slices.Compact(inputs), models...)
	if err != nil {
		return err
	}
	from.Job = r.file
	for _, c := range all {
		if w, ok := c.component.(*TreeWriter); ok {
			w.origin = from
		}
	}
	return nil
}
