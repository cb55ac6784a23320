package flows

import (
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/kernels/coupling"
	"github.com/eidolon-hep/eidolon/kernels/dense"
)

// AffineCoupling is the coupling layer of Real NVP (arXiv:1605.08803): the
// features in Keep stay, x_A, and each other one, x_B, becomes
//
//	y_B = x_B ⊙ exp(s(x_A, c)) + t(x_A, c),  log|det J| = Σ s
//
// s and t come from one conditioner network, whose last layer starts at zero: the
// layer starts as the identity. s = Bound·tanh(r/Bound) of the network's output
// r, so that a layer scales by exp(±Bound) at most.
type AffineCoupling struct {
	// Keep are the indices of the features that stay; it may be empty.
	Keep []int `json:"keep"`
	// Hidden are the widths of the conditioner's hidden layers.
	Hidden []int `json:"hidden"`
	// Activation is that of the hidden layers.
	Activation dense.Activation `json:"activation"`
	// Bound is the largest |s|; 0 stands for 2.
	Bound float32 `json:"bound,omitempty"`
}

func (AffineCoupling) typeName() string { return "affine-coupling" }

func (l AffineCoupling) parameters(dim, context int) (int, error) {
	if err := l.check(dim); err != nil {
		return 0, err
	}
	return nn.MLPLen(len(l.Keep)+context, l.Hidden, 2*(dim-len(l.Keep))), nil
}

func (l AffineCoupling) check(dim int) error {
	for i, k := range l.Keep {
		if k < 0 || k >= dim || slices.Contains(l.Keep[:i], k) {
			return fmt.Errorf("an affine coupling of %d features cannot keep %v", dim, l.Keep)
		}
	}
	for _, w := range l.Hidden {
		if w < 1 || w > 1<<20 {
			return fmt.Errorf("the hidden layers of a conditioner cannot be %v wide", l.Hidden)
		}
	}
	if l.Activation > dense.Tanh {
		return fmt.Errorf("a conditioner cannot have the activation %v", l.Activation)
	}
	if l.Bound < 0 || math.IsNaN(float64(l.Bound)) || math.IsInf(float64(l.Bound), 0) {
		return fmt.Errorf("the bound of an affine coupling cannot be %g", l.Bound)
	}
	return nil
}

func (l AffineCoupling) build(p *nn.Params, name string, dim, context int) (bijection, error) {
	if err := l.check(dim); err != nil {
		return nil, err
	}
	a := &affineCoupling{keep: l.Keep, dim: dim, context: context, bound: l.Bound}
	if a.bound == 0 {
		a.bound = 2
	}
	for j := range dim {
		if !slices.Contains(l.Keep, j) {
			a.change = append(a.change, j)
		}
	}
	a.net = nn.NewMLP(p, name, len(a.keep)+context, l.Hidden, 2*len(a.change), l.Activation)
	return a, nil
}

type affineCoupling struct {
	keep, change []int
	dim, context int
	bound        float32
	net          *nn.MLP
}

type affineState struct {
	net *nn.MLPState
	in  []float32 // rows×(keep+context), what the conditioner reads
	x   []float32 // rows×change, before the map
	y   []float32 // rows×change, after it
	s   []float32 // rows×change
	gst []float32 // rows×2·change, ∂L/∂(s, t) before the bound
	gin []float32 // like in
}

func (a *affineCoupling) init(seed, stream uint64) { a.net.Init(seed, stream) }

func (a *affineCoupling) pack() { a.net.Pack() }

func (a *affineCoupling) newState(rows int) any {
	in, n := len(a.keep)+a.context, len(a.change)
	return &affineState{
		net: a.net.NewState(rows),
		in:  make([]float32, rows*in),
		x:   make([]float32, rows*n),
		y:   make([]float32, rows*n),
		s:   make([]float32, rows*n),
		gst: make([]float32, rows*2*n),
		gin: make([]float32, rows*in),
	}
}

// condition runs the conditioner on m rows and returns (r, t) of x_B's features.
func (a *affineCoupling) condition(s *affineState, x, c []float32, m int) []float32 {
	in := len(a.keep) + a.context
	for i := range m {
		row, from := s.in[i*in:(i+1)*in], x[i*a.dim:(i+1)*a.dim]
		for j, k := range a.keep {
			row[j] = from[k]
		}
		copy(row[len(a.keep):], c[i*a.context:(i+1)*a.context])
	}
	return a.net.Forward(s.net, s.in[:m*in], m)
}

func (a *affineCoupling) forward(state any, x, c, logDet []float32, m int) {
	s := state.(*affineState)
	st := a.condition(s, x, c, m)
	n := len(a.change)
	a.gather(s.x, x, m)
	coupling.Forward(s.y[:m*n], s.s[:m*n], logDet[:m], s.x[:m*n], st, m, n, a.bound)
	a.scatter(x, s.y, m)
}

func (a *affineCoupling) inverse(state any, x, c, logDet []float32, m int) {
	s := state.(*affineState)
	st := a.condition(s, x, c, m)
	n := len(a.change)
	a.gather(s.y, x, m)
	coupling.Inverse(s.x[:m*n], logDet[:m], s.y[:m*n], st, m, n, a.bound)
	a.scatter(x, s.x, m)
}

func (a *affineCoupling) backward(state any, grad, g, gLogDet []float32, m int) {
	s := state.(*affineState)
	n, in := len(a.change), len(a.keep)+a.context
	gy := s.y[:m*n] // y is no longer needed
	a.gather(gy, g, m)
	coupling.Backward(gy, s.gst[:m*2*n], gy, gLogDet[:m], s.x[:m*n], s.s[:m*n], m, n, a.bound)
	a.scatter(g, gy, m)
	a.net.Backward(s.net, grad, s.gin[:m*in], s.in[:m*in], s.gst[:m*2*n], m)
	for i := range m {
		row, from := g[i*a.dim:(i+1)*a.dim], s.gin[i*in:(i+1)*in]
		for j, k := range a.keep {
			row[k] += from[j]
		}
	}
}

// gather copies the features x_B of m rows to dst.
func (a *affineCoupling) gather(dst, x []float32, m int) {
	n := len(a.change)
	for i := range m {
		row, from := dst[i*n:(i+1)*n], x[i*a.dim:(i+1)*a.dim]
		for j, k := range a.change {
			row[j] = from[k]
		}
	}
}

// scatter copies src back to the features x_B of m rows.
func (a *affineCoupling) scatter(x, src []float32, m int) {
	n := len(a.change)
	for i := range m {
		row, from := x[i*a.dim:(i+1)*a.dim], src[i*n:(i+1)*n]
		for j, k := range a.change {
			row[k] = from[j]
		}
	}
}
