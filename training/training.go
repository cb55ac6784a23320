// Package training has the loop that trains every model of Eidolon, and the words for it.
//
// A model is an [Objective]: a flat vector of parameters and a loss with its gradient.
// [Fit] lowers the mean loss over the rows of a [Data] by Adam, keeps the parameters with
// the lowest loss on other rows, and returns the [History]. [Options] say how long and how
// fast; a [Checkpoint] is all that a training needs to go on after an interrupt.
package training

import "strings"

// Tile is the largest number of rows that travel through a model together, so that what is
// between its layers stays in the processor's cache.
const Tile = 64

// Tensor is a named part of what a model has learnt, as a model file holds it.
type Tensor struct {
	Name  string
	Shape []int
	Value []float32 // the memory of the model itself
}

// Under returns the tensors whose names begin with a prefix, without it, and the others.
func Under(prefix string, tensors []Tensor) (under, others []Tensor) {
	for _, t := range tensors {
		if name, ok := strings.CutPrefix(t.Name, prefix); ok {
			t.Name = name
			under = append(under, t)
		} else {
			others = append(others, t)
		}
	}
	return under, others
}

// Prefixed appends tensors, under a prefix, to others: it is the inverse of [Under].
func Prefixed(prefix string, tensors, others []Tensor) []Tensor {
	for _, t := range tensors {
		t.Name = prefix + t.Name
		others = append(others, t)
	}
	return others
}

// Values returns the number of values of some tensors.
func Values(tensors []Tensor) int {
	n := 0
	for _, t := range tensors {
		n += len(t.Value)
	}
	return n
}

// Objective is what Fit minimises: the weighted mean of a loss per row.
type Objective interface {
	// Params returns the parameters to be found, in one flat vector.
	Params() []float32
	// Pack takes over changed parameters: one of parts pieces of that work.
	Pack(part, parts int)
	// NewWorker returns a worker for one goroutine.
	NewWorker() Worker
}

// Worker evaluates an objective, one tile after the other.
type Worker interface {
	// Loss returns Σ w·loss over the rows and adds its gradient to grad, unless
	// grad is nil. It may overwrite the rows.
	Loss(grad []float32, rows Rows) float64
}

// Inverter is an objective with a map of rows that can be undone.
type Inverter interface {
	// RoundTrip returns the mean and the largest |f⁻¹(f(x)) − x| of the features of
	// some rows.
	RoundTrip(x, c []float32) (mean, largest float64)
}
