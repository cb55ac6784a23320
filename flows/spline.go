package flows

import "github.com/eidolon-hep/eidolon/kernels/dense"

// SplineOptions are the sizes of a neural spline flow. Zero values ask for the
// defaults.
type SplineOptions struct {
	Layers     int              // coupling layers; by default 8
	Hidden     []int            // widths of the conditioners' hidden layers, or residual blocks; by default 128, 128
	Activation dense.Activation // of the hidden layers; by default ReLU
	Residual   bool             // whether conditioners are residual networks
	Dropout    float64          // in the conditioners while training; by default 0
	Bins       int              // of each spline; by default 8
	Bound      float32          // the splines end at ±Bound; by default 5
	Components int              // of the base distribution; by default 1, the standard normal
	Context    int              // the number of context features that it is conditional on
}

// Spline returns the layers of a neural spline flow (arXiv:1906.04032) for events
// of dim features, to be given to [New]: coupling layers in pairs with the halves of
// [RealNVP], a linear layer in front of each pair and one at the end.
func Spline(dim int, seed uint64, opts SplineOptions) []Layer {
	if opts.Layers <= 0 {
		opts.Layers = 8
	}
	c := conditioner(opts.Hidden, opts.Activation, opts.Residual, opts.Dropout)
	var layers []Layer
	for i, keep := range halves(dim, opts.Layers, seed) {
		if i%2 == 0 && dim > 1 {
			layers = append(layers, Linear{})
		}
		layers = append(layers, SplineCoupling{Keep: keep, Conditioner: c, Bins: opts.Bins, Bound: opts.Bound})
	}
	return append(layers, append([]Layer{Linear{}}, Base(opts.Components, opts.Context)...)...)
}
