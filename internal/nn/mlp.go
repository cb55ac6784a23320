package nn

import (
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/kernels/philox"
)

// MLP is a multilayer perceptron: hidden layers with one activation, and a
// linear last layer.
//
// Its weights are read from the parameters of the model by [MLP.Pack], which
// must be called each time that they have changed; after that any number of
// goroutines may evaluate it, each with its own [MLPState].
type MLP struct {
	params *Params
	layers []layer
	act    dense.Activation
}

type layer struct {
	in, out      int
	weight, bias Tensor // in×out, out
	packed       []float32
	packedT      []float32
}

// NewMLP adds the parameters of a perceptron in → hidden… → out to params,
// under names that begin with name.
func NewMLP(params *Params, name string, in int, hidden []int, out int, act dense.Activation) *MLP {
	n := &MLP{params: params, act: act}
	widths := append(append([]int{in}, hidden...), out)
	for i := range len(widths) - 1 {
		k, m := widths[i], widths[i+1]
		n.layers = append(n.layers, layer{
			in: k, out: m,
			weight:  params.Add(fmt.Sprintf("%s.%d.weight", name, i), k, m),
			bias:    params.Add(fmt.Sprintf("%s.%d.bias", name, i), m),
			packed:  make([]float32, dense.PackedLen(k, m)),
			packedT: make([]float32, dense.PackedLen(m, k)),
		})
	}
	return n
}

// MLPLen returns the number of parameters of a perceptron in → hidden… → out.
// Widths up to 2³⁰ do not make it overflow.
func MLPLen(in int, hidden []int, out int) int {
	n := 0
	for _, w := range append(slices.Clone(hidden), out) {
		n += (in + 1) * w
		in = w
	}
	return n
}

// Init draws the weights of the hidden layers as He et al. (arXiv:1502.01852):
// normal with variance 2/in, from the deviates (seed, stream). The biases and
// the whole last layer are set to zero, so that the network starts as the zero
// function.
func (n *MLP) Init(seed, stream uint64) {
	first := uint64(0)
	for i := range n.layers {
		l := &n.layers[i]
		w := l.weight.Of(n.params.Value)
		clear(l.bias.Of(n.params.Value))
		if i == len(n.layers)-1 {
			clear(w)
			continue
		}
		philox.Normal(w, seed, stream, first)
		first += uint64(len(w))
		scale := float32(math.Sqrt(2 / float64(max(l.in, 1))))
		for j := range w {
			w[j] *= scale
		}
	}
}

// Pack reads the weights from the parameters of the model.
func (n *MLP) Pack() {
	for _, l := range n.layers {
		w := l.weight.Of(n.params.Value)
		dense.Pack(l.packed, w, l.in, l.out)
		dense.PackT(l.packedT, w, l.in, l.out)
	}
}

// MLPState is the memory of one evaluation of an [MLP]: what Forward leaves for
// Backward.
type MLPState struct {
	y     [][]float32 // the outputs of the layers
	z     [][]float32 // the pre-activations of the hidden layers, where needed
	delta [2][]float32
}

// NewState returns the memory for tiles of at most rows rows.
func (n *MLP) NewState(rows int) *MLPState {
	s := &MLPState{y: make([][]float32, len(n.layers)), z: make([][]float32, len(n.layers))}
	widest := 0
	for i, l := range n.layers {
		s.y[i] = make([]float32, rows*l.out)
		if n.act == dense.SiLU && i < len(n.layers)-1 {
			s.z[i] = make([]float32, rows*l.out)
		}
		widest = max(widest, l.in, l.out)
	}
	for i := range s.delta {
		s.delta[i] = make([]float32, rows*widest)
	}
	return s
}

// Forward returns the output (m×out) for the m rows of x (m×in). The result
// belongs to s and lasts until the next call.
func (n *MLP) Forward(s *MLPState, x []float32, m int) []float32 {
	last := len(n.layers) - 1
	for i, l := range n.layers {
		y, z, act := s.y[i][:m*l.out], s.z[i], n.act
		if z != nil {
			z = z[:m*l.out]
		}
		if i == last {
			act = dense.None
		}
		dense.Forward(y, z, x, l.packed, l.bias.Of(n.params.Value), m, l.in, l.out, act)
		x = y
	}
	return x
}

// Backward follows a Forward of the same rows x (m×in): from dy = ∂L/∂y (m×out)
// it adds the gradients of the parameters to grad, unless that is nil, and stores
// ∂L/∂x in dx (m×in), unless that is.
func (n *MLP) Backward(s *MLPState, grad, dx, x, dy []float32, m int) {
	for i := len(n.layers) - 1; i >= 0; i-- {
		l := &n.layers[i]
		below, act := x, dense.None // what the layer has read, and how it was activated
		var through []float32       // what the derivative of that activation is taken from
		if i > 0 {
			below, act = s.y[i-1][:m*l.in], n.act
			through = below
			if s.z[i-1] != nil {
				through = s.z[i-1][:m*l.in]
			}
		}
		if grad != nil {
			dense.GradWeights(l.weight.Of(grad), l.bias.Of(grad), below, dy, m, l.in, l.out)
		}
		d := dx
		if i > 0 {
			d = s.delta[i%2][:m*l.in]
		} else if dx == nil {
			return
		}
		dense.GradInput(d, dy, l.packedT, through, m, l.in, l.out, act)
		dy = d
	}
}
