package flows

import (
	"fmt"

	"github.com/eidolon-hep/eidolon/internal/nn"
)

// Permutation puts the features in another order,
//
//	y_i = x_Order[i],  log|det J| = 0
//
// such as the matrix M of a Real NVP that swaps the halves between its layers.
type Permutation struct {
	Order []int `json:"order"`
}

func (l Permutation) parameters(dim, _ int) (int, error) {
	if len(l.Order) != dim {
		return 0, fmt.Errorf("%v is no permutation of %d features", l.Order, dim)
	}
	return 0, checkPermutation(l.Order, dim)
}

func (l Permutation) build(_ *nn.Params, _ string, dim, context int) (bijection, error) {
	_, err := l.parameters(dim, context)
	return permutation(l.Order), err
}

// permutation is the bijection of Permutation. Its state is memory for one row.
type permutation []int

func (b permutation) init(uint64, uint64) {}
func (b permutation) pack(bool)           {}
func (b permutation) newState(int) any    { return make([]float32, len(b)) }

func (b permutation) forward(state any, x, _, _ []float32, m int) {
	eachRow(state, x, len(b), m, func(to, from []float32) {
		for i, k := range b {
			to[i] = from[k]
		}
	})
}

func (b permutation) inverse(state any, x, _, _ []float32, m int) {
	eachRow(state, x, len(b), m, func(to, from []float32) {
		for i, k := range b {
			to[k] = from[i]
		}
	})
}

func (b permutation) backward(state any, _, g, _ []float32, m int) { b.inverse(state, g, nil, nil, m) }

// eachRow calls move with each of m rows of x and a copy of it.
func eachRow(state any, x []float32, dim, m int, move func(to, from []float32)) {
	old := state.([]float32)
	for i := range m {
		row := x[i*dim : (i+1)*dim]
		copy(old, row)
		move(row, old)
	}
}
