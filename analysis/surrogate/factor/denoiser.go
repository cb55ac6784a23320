package factor

import (
	"context"
	"fmt"
	"slices"

	"github.com/eidolon-hep/eidolon/diffusion"
)

// denoiser is the diffusion whose posterior mean is a network ([diffusion.Denoiser]).
type denoiser struct{ *diffusion.Denoiser }

func denoiserKind() Kind {
	return Kind{
		Name: "denoiser", Help: "a diffusion by a network",
		Options: slices.Concat(ofNetwork, ofPath, ofTraining, []string{"components"}),
		Default: Settings{Hidden: 256, Depth: 3},
		Check: func(s Settings) error {
			if err := checkPath(s); err != nil {
				return err
			}
			return checkWidth("denoiser", s)
		},
		Schedule: diffusion.DenoiserSchedule,
		Around:   true,
		Copies:   true,
		Make: func(dim, context int, _ []int, s Settings) (Factor, error) {
			options := diffusion.DenoiserOptions{Components: s.Components, Solver: s.Solver}
			if s.Depth > 0 {
				options.Hidden = s.hidden()
			}
			if s.SigmaMin != nil {
				options.Width = *s.SigmaMin
			}
			d, err := diffusion.NewDenoiser(dim, context, s.Seed, options)
			return denoiser{d}, err
		},
		Load: loadDiffusion(func(d *diffusion.Denoiser) Factor { return denoiser{d} }),
	}
}

// checkWidth checks the width where the path of a network ends.
func checkWidth(model string, s Settings) error {
	if s.SigmaMin != nil && *s.SigmaMin == 0 {
		return fmt.Errorf("σ_min of the model %q must be positive", model)
	}
	return nil
}

func (d denoiser) Map() Map                   { return diffusionMap{d.Denoiser} }
func (d denoiser) Kind() string               { return "denoiser" }
func (d denoiser) Cut() Cut                   { return nil }
func (d denoiser) teacher() diffusion.Teacher { return d.Denoiser }

func (d denoiser) Sample(ctx context.Context, x, c []float32, seed, attempt uint64, numbers []uint64) error {
	return sampleRuns(ctx, d.Denoiser, x, c, seed, attempt, numbers)
}
