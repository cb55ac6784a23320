package flows

import (
	"cmp"

	"github.com/eidolon-hep/eidolon/kernels/dense"
)

// AutoregressiveOptions are the sizes of an autoregressive flow. Zero values ask for the
// defaults.
type AutoregressiveOptions struct {
	Layers     int              // rounds over all features; by default 1
	Hidden     []int            // widths of the conditioners' hidden layers, or residual blocks; by default 128, 128
	Activation dense.Activation // of the hidden layers; by default ReLU
	Residual   bool             // whether conditioners are residual networks
	Dropout    float64          // in the conditioners while training; by default 0
	Bins       int              // of each spline; by default 32
	Bound      float32          // the splines end at ±Bound; by default 5
	Cells      int              // of the tables of [Conditioner], none if negative; by default 32
	Tabled     []int            // context features that have tables, too
	Components int              // of the base distribution; by default 1, the standard normal
	Context    int              // the number of context features that it is conditional on

	// Standard says that the features have mean 0 and variance 1 already. Otherwise an
	// [ActNorm] standardises them first: the splines change nothing beyond ±Bound.
	Standard bool
}

// Autoregressive returns the layers of an autoregressive neural spline flow
// (arXiv:1906.04032, with the factors of arXiv:1705.07057) for events of dim features,
// to be given to [New], over the given base distribution:
//
//	p(x) = Π_j p(x_j | x_1, …, x_{j−1})
//
// Each factor is a coupling layer that changes one feature by a spline of many bins. Its
// conditioner reads the features before it as they are in the data, but for their
// scale. So what is sharp in one of them, such as the edge of a detector or an integer,
// stays sharp for the conditioners, and tables help them to see it. Events are drawn feature
// by feature, which takes as long as dim coupling layers. A second round transforms the
// features again, in the opposite order.
func Autoregressive(dim int, opts AutoregressiveOptions) []Layer {
	opts.Bins, opts.Cells = cmp.Or(opts.Bins, 32), cmp.Or(opts.Cells, 32)
	if opts.Cells < 0 { // no tables
		opts.Cells, opts.Tabled = 0, nil
	}
	c := conditioner(opts.Hidden, opts.Activation, opts.Residual, opts.Dropout)
	c.Cells, c.Tabled = opts.Cells, opts.Tabled
	var layers []Layer
	if !opts.Standard {
		layers = append(layers, ActNorm{})
	}
	for round := range max(opts.Layers, 1) {
		// The last feature is the first to change: it is conditional on all others.
		for last := dim - 1; last >= 0; last-- {
			var keep, ignore []int
			for k := range dim {
				place := k // in the order of this round
				if round%2 == 1 {
					place = dim - 1 - k
				}
				if place != last {
					keep = append(keep, k)
				}
				if place > last {
					ignore = append(ignore, k)
				}
			}
			layers = append(layers, SplineCoupling{Keep: keep, Ignore: ignore, Conditioner: c, Bins: opts.Bins, Bound: opts.Bound})
		}
	}
	return append(layers, Base(opts.Components, opts.Context)...)
}
