package factor

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/eidolon-hep/eidolon/flows"
	"github.com/eidolon-hep/eidolon/training"
)

// flow is a normalizing flow of all features that come to it. Its kinds differ in their layers.
type flow struct {
	*flows.Flow
	kind string
}

// flowKind returns a row for a kind of flow, with what all of them have in common.
func flowKind(name, help string, layers func(dim, context int, steep []int, s Settings) ([]flows.Layer, error)) Kind {
	return Kind{
		Name: name, Help: help,
		Options:  slices.Concat(ofNetwork, ofFlow, ofTraining),
		Default:  Settings{Layers: 8, Hidden: 128, Depth: 2},
		Adapt:    adaptCouplings,
		Check:    checkFlow,
		Schedule: training.Options.Complete,
		Networks: true,
		Mixes:    true,
		Make: func(dim, context int, steep []int, s Settings) (Factor, error) {
			of, err := layers(dim, context, steep, s)
			if err != nil {
				return nil, err
			}
			f, err := flows.New(dim, context, s.Seed, of...)
			return flow{f, name}, err
		},
		Load: func(text []byte, tensors []training.Tensor, _ Features) (Factor, error) {
			f, err := flows.Load(text, tensors)
			return flow{f, name}, err
		},
	}
}

func checkFlow(s Settings) error {
	if !(s.Dropout >= 0 && s.Dropout < 1) {
		return fmt.Errorf("dropout must be at least 0 and below 1, not %g", s.Dropout)
	}
	_, err := s.activation()
	return err
}

func (f flow) Kind() string { return f.kind }
func (f flow) Cut() Cut     { return nil }

func (f flow) Sample(ctx context.Context, x, c []float32, seed, attempt uint64, numbers []uint64) error {
	return f.SampleRows(ctx, x, c, seed, attempt, numbers)
}

// Map returns the flow as a map to its base distribution.
func (f flow) Map() Map { return flowMap{f.Flow} }

type flowMap struct{ *flows.Flow }

func (m flowMap) Layers() []string { return m.LayerNames() }

func (m flowMap) Forward(ctx context.Context, y []float32, logDet [][]float64, x, c []float32) error {
	return m.ForwardLayers(ctx, y, logDet, x, c)
}

func (m flowMap) Inverse(ctx context.Context, x, y, c []float32) error {
	m.Flow.Inverse(x, nil, y, c)
	return ctx.Err()
}

// adaptCouplings sets the sizes of a flow of couplings for n events, where they were not asked for.
// Full-sized networks learn a small sample by heart. The parameters are averaged: a small sample
// is learnt better so, and a large one no worse.
func adaptCouplings(s *Settings, asked Settings, n, dim int) {
	adaptHidden(s, asked, n)
	if asked.Layers == 0 {
		switch {
		case n < 4_000:
			s.Layers = 4
		case n < 20_000:
			s.Layers = 8
		case n < 60_000:
			s.Layers = 6
		}
	}
}

// adaptHidden sets the width of the hidden layers of a flow for n events, and the average.
func adaptHidden(s *Settings, asked Settings, n int) {
	s.Train.Average = cmp.Or(s.Train.Average, 0.998)
	if asked.Hidden == 0 {
		switch {
		case n < 4_000:
			s.Hidden = 16
		case n < 20_000:
			s.Hidden = 32
		case n < 60_000:
			s.Hidden = 64
		}
	}
}

// NetworksOf tells of the networks of a model, such as “2 hidden layers of 128, relu”; nothing
// for models whose description does.
func (k Kind) NetworksOf(s Settings) string {
	act, err := s.activation()
	if err != nil || !k.Networks {
		return ""
	}
	kind := "hidden layers"
	if s.Residual {
		kind = "residual blocks"
	}
	text := fmt.Sprintf("%d %s of %d, %v", s.Depth, kind, s.Hidden, act)
	if s.Dropout > 0 {
		text += fmt.Sprintf(", dropout %g", s.Dropout)
	}
	if s.Coupling == Lecture {
		text += ", two for each coupling, as in the lecture"
	}
	return text
}
