// Package nn holds the dense networks that every model is made of, with hand-written
// gradients.
//
// All parameters of a model lie in one flat vector ([Params]), and so do their
// gradients: the optimiser, the clipping, the reduction over threads and the
// model file need no knowledge of what the numbers mean.
//
// Matrices are row-major []float32 with one row per event. Rows travel through
// a network in tiles of at most [training.Tile] rows.
package nn

import (
	"fmt"
	"slices"

	"github.com/eidolon-hep/eidolon/training"
)

// Params are the parameters of a model: named tensors in one flat vector.
type Params struct {
	// Value is the flat vector of all parameters.
	Value []float32
	// List are the named pieces of Value, in order.
	List []Param
}

// Param is a named tensor among the parameters of a model.
type Param struct {
	Name   string
	Shape  []int
	Offset int // of the first element in the flat vector
}

// Len returns the number of elements.
func (p Param) Len() int {
	n := 1
	for _, s := range p.Shape {
		n *= s
	}
	return n
}

// Of returns the elements of p in a flat vector laid out as the parameters:
// the parameters themselves or their gradient.
func (p Param) Of(flat []float32) []float32 { return flat[p.Offset : p.Offset+p.Len()] }

// Add appends a tensor of zeros.
func (p *Params) Add(name string, shape ...int) Param {
	t := Param{Name: name, Shape: shape, Offset: len(p.Value)}
	p.Value = append(p.Value, make([]float32, t.Len())...)
	p.List = append(p.List, t)
	return t
}

// Tensors returns the parameters by name.
func (p *Params) Tensors() []training.Tensor {
	tensors := make([]training.Tensor, len(p.List))
	for i, t := range p.List {
		tensors[i] = training.Tensor{Name: t.Name, Shape: t.Shape, Value: t.Of(p.Value)}
	}
	return tensors
}

// Load copies parameters that were read from a file to those of the same names. There must
// be one for each, of its shape, and all values finite.
func (p *Params) Load(tensors []training.Tensor) error {
	byName := map[string]training.Tensor{}
	for _, t := range tensors {
		byName[t.Name] = t
	}
	if len(tensors) != len(p.List) || len(byName) != len(p.List) {
		return fmt.Errorf("%d tensors for a model of %d", len(tensors), len(p.List))
	}
	for _, to := range p.List {
		t, ok := byName[to.Name]
		if !ok || !slices.Equal(t.Shape, to.Shape) || len(t.Value) != to.Len() {
			return fmt.Errorf("tensor %q has %d parameters of shape %v, must have shape %v", to.Name, len(t.Value), t.Shape, to.Shape)
		}
		for _, v := range t.Value {
			if v-v != 0 {
				return fmt.Errorf("tensor %q has a parameter that is %v", t.Name, v)
			}
		}
		copy(to.Of(p.Value), t.Value)
	}
	return nil
}
