package flows

import "github.com/eidolon-hep/eidolon/kernels/dense"

// SplineOptions are the sizes of a neural spline flow. Zero values ask for the
// defaults.
type SplineOptions struct {
	Layers     int              // coupling layers; by default 8
	Hidden     []int            // widths of the conditioners' hidden layers; by default 128, 128
	Activation dense.Activation // of the hidden layers; by default ReLU
	Bins       int              // of each spline; by default 8
	Bound      float32          // the splines end at ±Bound; by default 5
}

// Spline returns the layers of a neural spline flow (arXiv:1906.04032) for events
// of dim features, to be given to [New]: coupling layers in pairs that cut the
// features as those of [RealNVP] do, with a linear layer in front of each pair
// and one at the end.
func Spline(dim int, seed uint64, opts SplineOptions) []Layer {
	if opts.Layers <= 0 {
		opts.Layers = 8
	}
	if len(opts.Hidden) == 0 {
		opts.Hidden = []int{128, 128}
	}
	if opts.Activation == dense.None {
		opts.Activation = dense.ReLU
	}
	var layers []Layer
	for i, keep := range halves(dim, opts.Layers, seed) {
		if i%2 == 0 && dim > 1 {
			layers = append(layers, Linear{})
		}
		layers = append(layers, SplineCoupling{
			Keep: keep, Conditioner: Conditioner{opts.Hidden, opts.Activation}, Bins: opts.Bins, Bound: opts.Bound,
		})
	}
	return append(layers, Linear{})
}
