package factor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/eidolon-hep/eidolon/internal/em"
	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// independent is the density of a feature that is a standard normal whatever the others are: of the azimuth to which all others are
// relative, where a rotation changes nothing. The factors after it do not know it, so that the symmetry is exact.
type independent struct {
	feature int
	dim     int // the number of features that come to it
}

func independentKind() Kind {
	return Kind{
		Name: "independent",
		Free: true,
		Find: func(_ context.Context, events Events, _ Settings) (Factor, error) {
			if len(events.Independent) == 0 {
				return nil, nil
			}
			return &independent{events.Independent[0], events.Dim}, nil
		},
		Load: func(text []byte, _ []training.Tensor, of Features) (Factor, error) {
			f := &independent{dim: of.Dim}
			if err := json.Unmarshal(text, &f.feature); err != nil {
				return nil, fmt.Errorf("factor: could not read the description of an independent feature: %w", err)
			}
			if !slices.Contains(of.Independent, f.feature) {
				return nil, errors.New("factor: the description of an independent feature is damaged")
			}
			return f, nil
		},
	}
}

func (f *independent) Kind() string   { return "independent" }
func (f *independent) String() string { return "a uniform azimuth" }
func (f *independent) Cut() Cut       { return f }
func (f *independent) Dim() int       { return 1 }
func (f *independent) Context() int   { return 0 }
func (f *independent) Own() []int     { return []int{f.feature} }
func (f *independent) Left() int      { return f.dim - 1 }
func (f *independent) Told() int      { return 0 }

func (f *independent) Rest(of Features) Features { return of.without(f.feature) }

func (f *independent) Split(own, rest []float32, _ []float64, x []float32) {
	parallel.Ranges(len(own), 1<<10, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			own[i] = takeOut(rest[i*(f.dim-1):(i+1)*(f.dim-1)], x[i*f.dim:(i+1)*f.dim], f.feature)
		}
	})
}

func (f *independent) Join(x, own, rest []float32) {
	for i, z := range own {
		putIn(x[i*f.dim:(i+1)*f.dim], rest[i*(f.dim-1):(i+1)*(f.dim-1)], f.feature, z)
	}
}

func (f *independent) Tell(_, _ []float32) {}

func (f *independent) LogDensity(ctx context.Context, dst []float64, x, _ []float32) error {
	f.LogBase(dst, x)
	return ctx.Err()
}

// Sample draws the feature. Another attempt has the same one.
func (f *independent) Sample(ctx context.Context, x, _ []float32, seed, attempt uint64, numbers []uint64) error {
	f.Noise(x, seed, attempt, numbers)
	return ctx.Err()
}

// Train has nothing to do: the density is known.
func (f *independent) Train(ctx context.Context, _, _ training.Data, _ training.Options) (training.History, error) {
	return training.History{}, ctx.Err()
}

func (f *independent) Tensors() []training.Tensor   { return nil }
func (f *independent) MarshalJSON() ([]byte, error) { return json.Marshal(f.feature) }

// Map returns the map to a standard normal, which the feature is.
func (f *independent) Map() Map { return f }

func (f *independent) Layers() []string { return []string{"independent"} }

func (f *independent) Forward(ctx context.Context, y []float32, _ [][]float64, x, _ []float32) error {
	copy(y, x)
	return ctx.Err()
}

func (f *independent) Inverse(ctx context.Context, x, y, _ []float32) error {
	copy(x, y)
	return ctx.Err()
}

func (f *independent) LogBase(dst []float64, y []float32) {
	for i := range dst {
		dst[i] = em.LogNormal(y[i : i+1])
	}
}

func (f *independent) Noise(y []float32, seed, _ uint64, numbers []uint64) {
	u := make([]float64, len(numbers))
	for lo, hi := range philox.Runs(numbers) {
		philox.Uniform64(u[lo:hi], seed, streamIndependent, numbers[lo])
	}
	for i, v := range u {
		y[i] = quantileOf(v)
	}
}
