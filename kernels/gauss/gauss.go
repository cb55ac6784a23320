// Package gauss sums Gaussian kernels over many events.
//
// For a query x, events x0 with weights ω, a shrinking factor α and a width σ,
// every event counts with
//
//	w = ω·exp(−½‖(x − α·x0)/σ‖²)
//
// and a [Result] holds log Σ w, the mean Σ w·x0 / Σ w and more. This is the
// posterior mean E[x0 | x] of a diffusion without training (arXiv:2310.14458), and
// log Σ w, but for constants, a kernel density estimate.
//
// # Use
//
// [NewEvents] packs the events once; all goroutines may read them. [NewSums]
// makes room for the sums of a block of queries; every goroutine needs its own.
// Then either [Sums.Compute] does all, or
//
//	s.Start(result, x, m, alpha, sigma)
//	s.Add(events, lo, hi) // any number of times
//	s.Finish()
//
// sums over chosen blocks of [BlockLen] events, such as the leaves of a tree that
// are near enough. Queries are worked on twelve at a time, so that few cost as
// much as twelve. Only NewEvents and NewSums allocate.
//
// # How
//
// The difference form ‖x/α − x0‖²·(α/σ)² does not suffer the cancellation of the
// expanded square. What it lies above a base, the query's own, is the exponent
// of a power of two; the base follows the nearest event as it is found, so that no
// query ever loses all weights to underflow, unless ‖x/α − x0‖²·(α/σ)² is beyond
// 10³⁷ for all events. Nothing of the size of queries times
// events is kept: the sums over 256 events at a time are formed in eight float32
// lanes, up to 64 of them added in such lanes, and those in float64.
//
// # Promises
//
// A mean is right to 10⁻⁵ of the events' scale, whatever their number; what an
// exponent −½‖(x − α·x0)/σ‖² of size t costs besides is a relative error of some
// 10⁻⁷·t in its w, and what x/α rounded to float32 costs is that of moving the
// query as much. A query's results depend on that query and on the blocks added,
// bit for bit, never on the other queries. How blocks are grouped into calls of
// Add changes roundings only.
package gauss

import (
	"fmt"
	"math"
	"unsafe"
)

//go:generate go run ../../asm/gauss -out gauss_avx2_amd64.s -stubs gauss_avx2_amd64.go -pkg gauss
//go:generate go run ../../asm/gauss -avx512 -out gauss_avx512_amd64.s -stubs gauss_avx512_amd64.go -pkg gauss

// BlockLen is the number of events in a block.
const BlockLen = 16

const (
	// largest is how large a coordinate of an event may be.
	largest = 1 << 50
	// faintest is how many powers of two a weight may be below the largest
	// before it counts as 0.
	faintest = 1 << 16
	// unseen is the penalty of an event without weight.
	unseen = 0x1p126
)

// Events are events with their weights, in the order in which the kernels read
// them. They never change.
type Events struct {
	n, dim int
	// packed has for each block rows of BlockLen floats: the penalties, that is
	// the powers of two by which the weights are below the largest weight; the
	// coordinates, dimension after dimension; and ‖x0‖². The last block is
	// filled up with events without weight.
	packed []float32
	// logLargest is the logarithm of the largest weight, −Inf if there is none.
	logLargest float64
}

// NewEvents packs n events x0 (n×dim, row-major) with the logarithms of their
// weights, logw (n), of which −Inf is the weight 0; nil is a weight of 1 for each.
// An event that is not finite or has a coordinate beyond 2⁵⁰, or a weight that is
// NaN or infinite, is an error. Weights less than 2⁻⁶⁵⁵³⁶ of the largest are taken
// as 0.
func NewEvents(x0, logw []float32, n, dim int) (*Events, error) {
	check("NewEvents", "x0", len(x0), n*dim)
	if logw != nil {
		check("NewEvents", "logw", len(logw), n)
	}
	if dim < 1 {
		panic(fmt.Sprintf("gauss: NewEvents: dim is %d", dim))
	}
	for i, v := range x0 {
		if !(math.Abs(float64(v)) <= largest) {
			return nil, fmt.Errorf("gauss: could not pack event %d: coordinate %d is %v", i/dim, i%dim, v)
		}
	}

	e := &Events{n: n, dim: dim, logLargest: math.Inf(-1)}
	if logw == nil && n > 0 {
		e.logLargest = 0
	}
	for i, v := range logw {
		if !(v <= math.MaxFloat32) {
			return nil, fmt.Errorf("gauss: could not pack event %d: the logarithm of its weight is %v", i, v)
		}
		e.logLargest = max(e.logLargest, float64(v))
	}

	blocks := (n + BlockLen - 1) / BlockLen
	e.packed = aligned(blocks * blockSize(dim))
	for i := range blocks * BlockLen {
		place := e.packed[i/BlockLen*blockSize(dim)+i%BlockLen:]
		place[0] = unseen
		if i >= n {
			continue
		}
		penalty := 0.
		if logw != nil {
			penalty = (e.logLargest - float64(logw[i])) * math.Log2E
		}
		if penalty <= faintest {
			place[0] = float32(penalty)
		}
		square := 0.
		for d, v := range x0[i*dim:][:dim] {
			place[(1+d)*BlockLen] = v
			square += float64(v) * float64(v)
		}
		place[(1+dim)*BlockLen] = float32(square)
	}
	return e, nil
}

// Len returns the number of events.
func (e *Events) Len() int { return e.n }

// Dim returns the number of an event's coordinates.
func (e *Events) Dim() int { return e.dim }

// Blocks returns the number of blocks: event i is in block i/BlockLen.
func (e *Events) Blocks() int { return len(e.packed) / blockSize(e.dim) }

// rowCount is the number of rows in a block.
func rowCount(dim int) int { return dim + 2 }

// blockSize is the number of floats in a block.
func blockSize(dim int) int { return rowCount(dim) * BlockLen }

// aligned returns n zeros that begin where a cache line does.
func aligned(n int) []float32 {
	const line = 64
	s := make([]float32, n+line/4)
	skip := -uintptr(unsafe.Pointer(&s[0])) % line / 4
	return s[skip:][:n:n]
}

func check(function, name string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("gauss: %s: %s has %d floats, want %d", function, name, got, want))
	}
}
