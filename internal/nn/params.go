// Package nn holds the dense networks that every model is made of, with
// hand-written gradients, and the one loop that trains them.
//
// All parameters of a model lie in one flat vector ([Params]), and so do their
// gradients: the optimiser, the clipping, the reduction over threads and the
// model file need no knowledge of what the numbers mean.
//
// Matrices are row-major []float32 with one row per event. Rows travel through
// a network in tiles of at most [Tile] rows, so that what is between the layers
// stays in the processor's cache.
package nn

// Tile is the number of rows that travel through a network together.
const Tile = 64

// View is a named part of what a model has learnt, as a model file holds it.
type View struct {
	Name  string
	Shape []int
	Value []float32 // the memory of the model itself
}

// Params are the parameters of a model: named tensors in one flat vector.
type Params struct {
	// Value is the flat vector of all parameters.
	Value []float32
	// Tensors are the named pieces of Value, in order.
	Tensors []Tensor
}

// Tensor is a named piece of the parameters of a model.
type Tensor struct {
	Name   string
	Shape  []int
	Offset int // of the first element in the flat vector
}

// Len returns the number of elements.
func (t Tensor) Len() int {
	n := 1
	for _, s := range t.Shape {
		n *= s
	}
	return n
}

// Of returns the elements of t in a flat vector laid out as the parameters:
// the parameters themselves or their gradient.
func (t Tensor) Of(flat []float32) []float32 { return flat[t.Offset : t.Offset+t.Len()] }

// Add appends a tensor of zeros.
func (p *Params) Add(name string, shape ...int) Tensor {
	t := Tensor{Name: name, Shape: shape, Offset: len(p.Value)}
	p.Value = append(p.Value, make([]float32, t.Len())...)
	p.Tensors = append(p.Tensors, t)
	return t
}

// Views returns the parameters by name.
func (p *Params) Views() []View {
	views := make([]View, len(p.Tensors))
	for i, t := range p.Tensors {
		views[i] = View{t.Name, t.Shape, t.Of(p.Value)}
	}
	return views
}
