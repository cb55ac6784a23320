package training

import (
	"context"
	"fmt"
)

// Data are the rows that a model is trained or validated on.
type Data struct {
	X []float32 // the features, Len×Dim
	C []float32 // the context, Len×Context
	W []float32 // the weights of the rows, Len; nil means 1 each

	Dim, Context int // numbers of features, and of context features

	// Refresh, when not nil, is called before every pass over the rows and may
	// change X and C: it draws the fresh noise of dequantised columns. When ctx is
	// cancelled it may leave some of them as they are.
	Refresh func(ctx context.Context, pass uint64)
}

// Len returns the number of rows.
func (d Data) Len() int {
	if d.Dim == 0 {
		return 0
	}
	return len(d.X) / d.Dim
}

// Weight returns the weight of a row.
func (d Data) Weight(row int) float64 {
	if d.W == nil {
		return 1
	}
	return float64(d.W[row])
}

// check reports whether the values make rows.
func (d Data) check() error {
	if n := d.Len(); len(d.X) != n*d.Dim || len(d.C) != n*d.Context || d.W != nil && len(d.W) != n {
		return fmt.Errorf("training: %d values, %d of the context and %d weights do not make rows of %d and %d features", len(d.X), len(d.C), len(d.W), d.Dim, d.Context)
	}
	return nil
}

func (d Data) sumOfWeights() float64 {
	sum := 0.0
	for i := range d.Len() {
		sum += d.Weight(i)
	}
	return sum
}

// Rows are the rows of one tile.
type Rows struct {
	N    int       // number of rows, at most Tile
	X, C []float32 // N×Dim, N×Context
	W    []float32 // N

	// Deviates that a loss draws depend on these alone: the seed of the training, the
	// numbers of the rows in the data, and the number of the pass over the data, from 1;
	// the pass is 0 in a validation, which so draws the same deviates every time.
	Seed  uint64
	Index []int32
	Pass  uint64
}

// newTile returns the memory for one tile of the data.
func newTile(d Data, seed uint64) Rows {
	return Rows{
		X: make([]float32, Tile*d.Dim), C: make([]float32, Tile*d.Context),
		W: make([]float32, Tile), Index: make([]int32, Tile), Seed: seed,
	}
}

// gather returns the tile with n rows of d in its memory: those of the numbers lo, lo+1, …,
// or, unless order is nil, order[lo], order[lo+1], ….
func (r Rows) gather(d *Data, order []int32, lo, n int) Rows {
	r.N = n
	r.X, r.C, r.W, r.Index = r.X[:n*d.Dim], r.C[:n*d.Context], r.W[:n], r.Index[:n]
	for i := range n {
		row := lo + i
		if order != nil {
			row = int(order[row])
		}
		r.Index[i] = int32(row)
		copy(r.X[i*d.Dim:(i+1)*d.Dim], d.X[row*d.Dim:])
		copy(r.C[i*d.Context:(i+1)*d.Context], d.C[row*d.Context:])
		r.W[i] = float32(d.Weight(row))
	}
	return r
}
