package flows

import (
	"cmp"

	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/kernels/philox"
)

// RealNVPOptions are the sizes of a Real NVP. Zero values ask for the defaults.
type RealNVPOptions struct {
	Layers     int              // coupling layers; by default 8
	Hidden     []int            // widths of the conditioners' hidden layers, or residual blocks; by default 128, 128
	Activation dense.Activation // of the hidden layers; by default ReLU
	Residual   bool             // whether conditioners are residual networks
	Dropout    float64          // in the conditioners while training; by default 0
	Bound      float32          // the largest |s| of a layer; by default 2
	Components int              // of the base distribution; by default 1, the standard normal
	Mixed      bool             // whether a [Linear] layer, which learns to mix the features, is in front of each layer
	Cells      int              // of the tables of [Conditioner]; by default there are none
	Tabled     []int            // context features that have tables, too
	Context    int              // the number of context features that the base distribution is conditional on
}

// conditioner is the network of a recipe's coupling layers.
func conditioner(hidden []int, act dense.Activation, residual bool, dropout float64) Conditioner {
	if len(hidden) == 0 {
		hidden = []int{128, 128}
	}
	if act == dense.None {
		act = dense.ReLU
	}
	return Conditioner{Hidden: hidden, Activation: act, Residual: residual, Dropout: dropout}
}

// RealNVP returns the layers of a Real NVP (arXiv:1605.08803) for events of dim
// features, to be given to [New].
//
// Layers come in pairs: the first keeps one half of the features and changes the
// other, the second does it the other way round. Each pair has other halves: of 64 random
// ones it takes those that separate the features that have been in the same half most often,
// so that after few pairs every feature has been conditioned on every other. A
// single feature is changed by every layer, conditional on the context only.
//
// What affine couplings lack is made up for by what is around them: linear layers that mix the
// features (Mixed), conditioners that are steep where the density is (Cells), and a base
// distribution of many normals (Components), since the image of one normal is one piece.
func RealNVP(dim int, seed uint64, opts RealNVPOptions) []Layer {
	if opts.Layers <= 0 {
		opts.Layers = 8
	}
	c := conditioner(opts.Hidden, opts.Activation, opts.Residual, opts.Dropout)
	c.Cells, c.Tabled = opts.Cells, opts.Tabled
	var layers []Layer
	for _, keep := range halves(dim, opts.Layers, seed) {
		if opts.Mixed {
			layers = append(layers, Linear{})
		}
		layers = append(layers, AffineCoupling{Keep: keep, Conditioner: c, Bound: opts.Bound})
	}
	return append(layers, Base(opts.Components, opts.Context)...)
}

// LectureRealNVP returns the layers of a Real NVP in the textbook form (arXiv:1605.08803, section
// 3.2): each layer swaps the two parts of the features by a permutation M, keeps the first
// d = dim/2 of them, which the mask b marks, and changes the others by two separate networks S and T,
//
//	x ← x M,  s = S(b ⊙ x),  t = T(b ⊙ x)
//	y = b ⊙ x + (1 − b) ⊙ (x ⊙ exp(s) + t),  log|det J| = Σ (1 − b) ⊙ s
//
// over the standard normal. Of the options it has no use for Bound and those from Components on. The
// features that the mask hides are zeros for the networks, which is why they do not read them here.
func LectureRealNVP(dim int, opts RealNVPOptions) []Layer {
	d := dim / 2
	swap := Permutation{Order: make([]int, dim)} // (x_B, x_A) becomes (x_A, x_B)
	var first []int                              // that b marks
	for i := range dim {
		swap.Order[i] = (i + dim - d) % dim
		if i < d {
			first = append(first, i)
		}
	}
	layer := AffineCoupling{
		Keep: first, Separate: true, Bound: Unbounded,
		Conditioner: conditioner(opts.Hidden, opts.Activation, opts.Residual, opts.Dropout),
	}
	var layers []Layer
	for range cmp.Or(opts.Layers, 8) {
		layers = append(layers, swap, layer)
	}
	return layers
}

// Base returns the layers of the base distribution of a flow: a mixture of so many normals, or the
// standard normal; with means and widths that depend on the context, if there is one of so many
// features.
func Base(components, context int) []Layer {
	var layers []Layer
	if context > 0 {
		layers = append(layers, ContextAffine{})
	}
	if components > 1 {
		layers = append(layers, Mixture{components})
	}
	return layers
}

// streamHalves is the stream of deviates that halvings are drawn from.
const streamHalves = 1 << 16

// halves returns the features that each of n layers keeps.
func halves(dim, n int, seed uint64) [][]int {
	keeps := make([][]int, n)
	if dim == 1 {
		return keeps
	}
	together := make([]int, dim*dim) // how many pairs of layers have both features in one half
	var draws uint64
	for i := 0; i < n; i += 2 {
		var best []bool
		bestCost := -1
		for range 64 {
			side := halve(dim, seed, &draws)
			cost := 0
			for a := range dim {
				for b := range a {
					if side[a] == side[b] {
						t := together[a*dim+b]
						cost += t * t
					}
				}
			}
			if bestCost < 0 || cost < bestCost {
				best, bestCost = side, cost
			}
		}
		for a := range dim {
			for b := range a {
				if best[a] == best[b] {
					together[a*dim+b]++
				}
			}
			j := i
			if best[a] {
				j++
			}
			if j < n {
				keeps[j] = append(keeps[j], a)
			}
		}
	}
	return keeps
}

// halve puts every feature on one of two sides, at random, half of them on each.
func halve(dim int, seed uint64, draws *uint64) []bool {
	order := make([]int, dim)
	for i := range order {
		order[i] = i
	}
	for i := dim - 1; i > 0; i-- { // Fisher and Yates
		j := int(philox.Uint64(seed, streamHalves, *draws) % uint64(i+1))
		*draws++
		order[i], order[j] = order[j], order[i]
	}
	side := make([]bool, dim)
	for _, k := range order[:dim/2] {
		side[k] = true
	}
	return side
}
