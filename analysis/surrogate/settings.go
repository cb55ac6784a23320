package surrogate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/diffusion"
)

// checkSettings reports the first option that was given though the model has no use for it.
func (o Options) checkSettings() error {
	d, t := o.Diffusion, o.Train
	solver := d.Solver
	solver.Steps, solver.Tolerance = 0, 0
	for _, v := range []struct {
		name  string
		given bool
	}{
		{"layers", o.Layers != 0},
		{"hidden", o.Hidden != 0},
		{"depth", o.Depth != 0},
		{"components", o.Components != 0},
		{"activation", o.Activation != ""},
		{"residual", o.Residual},
		{"dropout", o.Dropout != 0},
		{"teacher", d.Teacher != ""},
		{"sigma_min", d.SigmaMin != nil},
		{"epsilon", d.Epsilon != 0},
		{"solver", solver != diffusion.Solver{}},
		{"steps", d.Solver.Steps != 0},
		{"tolerance", d.Solver.Tolerance != 0},
		{"epochs", t.Epochs != 0},
		{"max_time", t.MaxTime != 0},
		{"batch", t.Batch != 0},
		{"rate", t.Rate != 0},
		{"clip", t.Clip != 0},
		{"patience", t.Patience != 0},
		{"decay", t.Decay != 0},
		{"average", t.Average != 0},
	} {
		if v.given {
			if err := o.Uses(v.name); err != nil {
				return fmt.Errorf("%s %w", v.name, err)
			}
		}
	}
	return nil
}

// Uses returns an error if the model has no use for the option of that name: one that goes
// on after the name, “is for the models …”. The names are those of the JSON of [Options].
func (o Options) Uses(name string) error {
	if o.Model != "" && !slices.Contains(Models(), o.Model) || o.has(name) {
		return nil
	}
	var models []string
	for _, m := range Models() {
		if (Options{Model: m}).has(name) {
			models = append(models, m)
		} else if with := (Options{Model: m, Diffusion: DiffusionOptions{Teacher: kernelSums}}); m == distilled && with.has(name) {
			models = append(models, with.kind())
		}
	}
	s := "s"
	if len(models) == 1 {
		s = ""
	}
	return fmt.Errorf("is for the model%s %s: %s has no use for it", s, list(models), o.the())
}

// has reports whether the model has a use for an option.
func (o Options) has(name string) bool {
	fromSums := o.Model == distilled && o.Diffusion.Teacher == kernelSums
	switch name {
	case "layers", "activation", "residual", "dropout":
		return o.isFlow()
	case "components":
		return o.Model != kernelSums && !fromSums
	case "teacher":
		return o.Model == distilled
	case "sigma_min", "solver", "steps", "tolerance":
		return !o.isFlow()
	case "epsilon":
		return o.Model == kernelSums || fromSums
	case "hidden", "depth", "epochs", "max_time", "batch", "rate", "clip", "patience", "decay", "average":
		return o.Model != kernelSums
	}
	return true
}

// kind is the model, and what it is distilled from if that is not the default.
func (o Options) kind() string {
	if o.Model == distilled && o.Diffusion.Teacher == kernelSums {
		return distilled + " from " + kernelSums
	}
	return o.Model
}

func (o Options) the() string {
	if o.Model == "" {
		return "the default, a flow,"
	}
	return fmt.Sprintf("the model %q", o.kind())
}

// list is “a, b and c”.
func list(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
