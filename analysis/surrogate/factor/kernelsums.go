package factor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/internal/em"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// kernelSums is the diffusion without training: its posterior means are kernel sums over the
// training events ([diffusion.Kernels]).
type kernelSums struct{ *diffusion.Kernels }

func kernelSumsKind() Kind {
	return Kind{
		Name: "diffusion", Help: "a diffusion by kernel sums over the events, without training",
		Options: slices.Concat(ofPath, []string{"epsilon", "kernel_events"}),
		Check:   checkPath,
		Copies:  true, OneWidth: true,
		Make: func(dim, context int, _ []int, s Settings) (Factor, error) {
			k, err := diffusion.NewKernels(dim, context, kernelOptions(s))
			return kernelSums{k}, err
		},
		Load: loadDiffusion(func(k *diffusion.Kernels) Factor { return kernelSums{k} }),
	}
}

func kernelOptions(s Settings) diffusion.KernelsOptions {
	return diffusion.KernelsOptions{Width: s.SigmaMin, Epsilon: s.Epsilon, Events: s.KernelEvents, Solver: s.Solver}
}

// checkPath checks the settings of a diffusion.
func checkPath(s Settings) error {
	if t := s.Solver; t.Tolerance > 0 && (t.Steps != 0 || t.Method != 0 || t.Grid != nil) {
		return errors.New("a tolerance chooses the steps of a solver: neither their number nor another solver goes with it")
	}
	return kernelOptions(s).Check()
}

// loadDiffusion returns a [Kind.Load] of factors that are models M of package diffusion.
func loadDiffusion[M diffusion.Model](factor func(M) Factor) func([]byte, []training.Tensor, Features) (Factor, error) {
	return func(text []byte, tensors []training.Tensor, _ Features) (Factor, error) {
		model, err := diffusion.Load(text, tensors)
		if err != nil {
			return nil, err
		}
		m, ok := model.(M)
		if !ok {
			return nil, fmt.Errorf("factor: a %v is described where there is a %T", model, m)
		}
		return factor(m), nil
	}
}

// sampleRuns draws events of the given numbers from a model of package diffusion.
func sampleRuns(ctx context.Context, m diffusion.Model, x, c []float32, seed, attempt uint64, numbers []uint64) error {
	dim, width := m.Dim(), m.Context()
	for lo, hi := range philox.Runs(numbers) {
		if err := m.Sample(ctx, x[lo*dim:hi*dim], c[lo*width:hi*width], seed, attempt, numbers[lo]); err != nil {
			return err
		}
	}
	return nil
}

// diffusionMap is a model of package diffusion as a map to standard normal noise.
type diffusionMap struct{ diffusion.Model }

func (m diffusionMap) Layers() []string { return diffusion.Layers() }

func (m diffusionMap) LogBase(dst []float64, y []float32) {
	dim := m.Dim()
	for i := range dst {
		dst[i] = em.LogNormal(y[i*dim : (i+1)*dim])
	}
}

func (m diffusionMap) Noise(y []float32, seed, attempt uint64, numbers []uint64) {
	dim := m.Dim()
	for lo, hi := range philox.Runs(numbers) {
		m.Model.Noise(y[lo*dim:hi*dim], seed, attempt, numbers[lo])
	}
}

func (k kernelSums) Map() Map                   { return diffusionMap{k.Kernels} }
func (k kernelSums) Kind() string               { return "diffusion" }
func (k kernelSums) Cut() Cut                   { return nil }
func (k kernelSums) Direct() Factor             { return kernelSums{k.Kernels.Direct()} }
func (k kernelSums) teacher() diffusion.Teacher { return k.Kernels }

func (k kernelSums) Sample(ctx context.Context, x, c []float32, seed, attempt uint64, numbers []uint64) error {
	return sampleRuns(ctx, k.Kernels, x, c, seed, attempt, numbers)
}

func (k kernelSums) NoDensity() string {
	if k.Width() > 0 {
		return ""
	}
	return "σ_min is 0: the events are copies of training events, and have no density"
}
