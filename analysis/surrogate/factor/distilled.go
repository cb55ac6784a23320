package factor

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/diffusion"
)

// distilled is the one-step map that is learnt from a diffusion ([diffusion.Distilled]).
type distilled struct{ *diffusion.Distilled }

// teaching is a factor that a map can be learnt from.
type teaching interface{ teacher() diffusion.Teacher }

func distilledKind() Kind {
	k := Kind{
		Name: "distilled", Help: "a one-step map, learnt from a diffusion",
		Options:  slices.Concat(ofNetwork, ofPath, ofTraining, []string{"teacher"}),
		Default:  Settings{Hidden: 128, Depth: 3},
		Around:   true,
		Copies:   true,
		Teachers: []string{"denoiser", "diffusion"},
		Load:     loadDiffusion(func(d *diffusion.Distilled) Factor { return distilled{d} }),
	}
	k.Check = func(s Settings) error {
		if s.Teacher != "" && !slices.Contains(k.Teachers, s.Teacher) {
			return fmt.Errorf("a teacher is %q or %q, not %q", k.Teachers[0], k.Teachers[1], s.Teacher)
		}
		if err := checkPath(s); err != nil {
			return err
		}
		if teacher, _ := k.teacher(s); teacher.Name == k.Teachers[0] {
			return checkWidth(k.Name, s)
		}
		return nil
	}
	k.Make = func(dim, context int, steep []int, s Settings) (Factor, error) {
		teacher, choice, err := k.newTeacher(dim, context, steep, s)
		if err != nil {
			return nil, err
		}
		d, err := diffusion.NewDistilled(teacher, s.Seed, diffusion.DistilledOptions{Hidden: s.hidden(), Choice: choice})
		return distilled{d}, err
	}
	return k
}

func (d distilled) Map() Map { return diffusionMap{d.Distilled} }

// newTeacher returns what a map learns from, and why, unless the teacher was asked for. Where it is left
// open, and there is no condition and no setting that is for a denoiser, training chooses.
func (k Kind) newTeacher(dim, context int, steep []int, s Settings) (diffusion.Teacher, *diffusion.Choice, error) {
	s.Hidden, s.Depth = 0, 0 // the teacher's own
	kind, _ := k.teacher(s)
	if kind.Name == "denoiser" && dim <= diffusion.FewFeatures {
		s.Hidden, s.Depth = 128, 3 // learns more in the same time, and draws three times as fast
	}
	f, err := kind.Make(dim, context, steep, s)
	if err != nil {
		return nil, nil, err
	}
	if s.Teacher != "" {
		return f.(teaching).teacher(), nil, nil
	}
	choice := &diffusion.Choice{}
	switch {
	case context > 0:
		choice.Reason = "kernel sums are not tried where there is a condition, or something is drawn before"
	case s.Components > 1:
		choice.Reason = "kernel sums are not tried for a mixture of several normals (--components, or islands)"
	case s.SigmaMin != nil:
		choice.Reason = "kernel sums are not tried where σ_min is asked for"
	}
	if choice.Reason != "" {
		return f.(teaching).teacher(), choice, nil
	}
	sums, err := kernelSumsKind().Make(dim, context, steep, s)
	if err != nil {
		return nil, nil, err
	}
	either, err := diffusion.NewEither(sums.(kernelSums).Kernels, f.(denoiser).Denoiser)
	return either, choice, err
}

func (d distilled) Kind() string { return "distilled" }
func (d distilled) Cut() Cut     { return nil }

func (d distilled) Sample(ctx context.Context, x, c []float32, seed, attempt uint64, numbers []uint64) error {
	return sampleRuns(ctx, d.Distilled, x, c, seed, attempt, numbers)
}

// Teacher returns the factor that the map was learnt from.
func (d distilled) Teacher() Factor {
	switch t := d.Distilled.Teacher().(type) {
	case *diffusion.Kernels:
		return kernelSums{t}
	case *diffusion.Denoiser:
		return denoiser{t}
	default:
		panic(fmt.Sprintf("factor: a map was learnt from a %v", t))
	}
}

func (d distilled) Remark() string {
	text := fmt.Sprintf("the one-step map is %.3g standard deviations from its teacher, in the root mean square", math.Sqrt(d.Loss()))
	if c := d.Choice(); c != nil {
		text += fmt.Sprintf("; its teacher is %v", c)
	}
	return text
}

func (d distilled) NoDensity() string {
	if t, ok := d.Teacher().(Singular); ok && t.NoDensity() != "" {
		return "σ_min is 0: the events that the map was learnt from are copies of training events, and have no density"
	}
	return ""
}
