// Package spline holds the monotonic rational-quadratic spline of neural spline
// flows (Durkan, Bekasov, Murray, Papamakarios, arXiv:1906.04032, section 3 and
// appendix A): forward, inverse and gradient.
//
// An element x, one column of one row, has its own spline on [−bound, bound];
// outside it is the identity. The interval is cut into bins. Every element
// comes with Params(bins) = 3·bins − 1 unconstrained parameters, the
// conditioner's output: bins logits of the bins' widths, bins logits of their
// heights, and bins − 1 of the slopes at the knots between them, of which
//
//	width  = 2·bound · (0.001 + (1 − 0.001·bins)·softmax(logits))
//	height = 2·bound · (0.001 + (1 − 0.001·bins)·softmax(logits))
//	slope  = 0.001 + softplus(logit + c), c such that the logit 0 gives 1
//
// are made; the slope at either end is 1, that of the identity outside. All
// parameters zero make the identity.
//
// An element that is not within the bounds, NaN included, passes as it is, with
// slope 1: it never enters the arithmetic of its neighbours. NaN or infinite
// parameters may spoil the element they belong to, and no other.
//
// Matrices are row-major and contiguous: m rows of n columns, and m rows of
// n·Params(bins) parameters, those of one element side by side. A row's results
// depend on that row only, not on m or on the row's place in the batch. All
// slices have exactly the stated lengths, 1 ≤ bins ≤ MaxBins, and bound is
// positive and finite; anything else panics. Nothing is allocated.
package spline

import (
	"fmt"
	"math"
)

//go:generate go run ../../asm/spline -out spline_avx2_amd64.s -stubs spline_avx2_amd64.go -pkg spline

// MaxBins is the largest number of bins.
const MaxBins = 128

const (
	minShare = 1e-3 // of a bin in the interval, along x and along y
	minSlope = 1e-3
)

// slopeOffset is c in minSlope + softplus(c) = 1.
var slopeOffset = math.Log(math.Expm1(1 - minSlope))

// Params returns the number of parameters of an element, 3·bins − 1.
func Params(bins int) int { return 3*bins - 1 }

// Forward is, for every row i and column j,
//
//	y = spline(x)
//	logDet[i] += log(dy/dx)
//
// y and x are m×n, params is m×n·Params(bins), logDet has m elements. y may be x.
// Knots are known to some 1e-6 of bound, and y and log(dy/dx) as exactly as they
// follow from x moved by as much.
func Forward(y, logDet, x, params []float32, m, n, bins int, bound float32) {
	checkShape("Forward", m, n, bins, bound)
	checkLen("Forward", "y", y, m*n)
	checkLen("Forward", "logDet", logDet, m)
	checkLen("Forward", "x", x, m*n)
	checkLen("Forward", "params", params, m*n*Params(bins))

	var logSlope [block]float32
	in := newInterval(bins, bound)
	for from := 0; from < m*n; from += block {
		to := min(from+block, m*n)
		d := logSlope[:to-from]
		forward(y[from:to], d, x[from:to], params[from*Params(bins):to*Params(bins)], bins, in.bound, in.floor, in.free)
		addToRows(logDet, d, from, n)
	}
}

// Inverse undoes Forward: for every row i and column j,
//
//	x = spline⁻¹(y)
//	logDet[i] -= log(dy/dx)
//
// x and y are m×n, params is m×n·Params(bins), logDet has m elements. x may be y.
// What went through Forward comes back to 1e-5 of bound times 1 + dx/dy, if no
// logit is beyond ±3: the flatter the curve, the less a float32 y can tell of x.
//
// It returns the number of elements at which rounding made the discriminant of
// the quadratic negative; those are computed with zero in its place.
func Inverse(x, logDet, y, params []float32, m, n, bins int, bound float32) (clamped int) {
	checkShape("Inverse", m, n, bins, bound)
	checkLen("Inverse", "x", x, m*n)
	checkLen("Inverse", "logDet", logDet, m)
	checkLen("Inverse", "y", y, m*n)
	checkLen("Inverse", "params", params, m*n*Params(bins))

	var logSlope [block]float32
	in := newInterval(bins, bound)
	for from := 0; from < m*n; from += block {
		to := min(from+block, m*n)
		d := logSlope[:to-from]
		clamped += inverse(x[from:to], d, y[from:to], params[from*Params(bins):to*Params(bins)], bins, in.bound, in.floor, in.free)
		addToRows(logDet, d, from, n)
	}
	return clamped
}

// Backward turns the gradient of a loss L behind Forward into the one before
// it. From gy = ∂L/∂y (m×n), gl = ∂L/∂logDet (m), and Forward's x (m×n) and
// params (m×n·Params(bins)) it computes gx = ∂L/∂x (m×n) and
// gparams = ∂L/∂params (as params). gx may be gy.
func Backward(gx, gparams, gy, gl, x, params []float32, m, n, bins int, bound float32) {
	checkShape("Backward", m, n, bins, bound)
	checkLen("Backward", "gx", gx, m*n)
	checkLen("Backward", "gparams", gparams, m*n*Params(bins))
	checkLen("Backward", "gy", gy, m*n)
	checkLen("Backward", "gl", gl, m)
	checkLen("Backward", "x", x, m*n)
	checkLen("Backward", "params", params, m*n*Params(bins))

	var rowGrad [block]float32
	in := newInterval(bins, bound)
	for from := 0; from < m*n; from += block {
		to := min(from+block, m*n)
		g := rowGrad[:to-from]
		spreadRows(g, gl, from, n)
		p, q := from*Params(bins), to*Params(bins)
		backward(gx[from:to], gparams[p:q], gy[from:to], g, x[from:to], params[p:q], bins, in.bound, in.floor, in.free)
	}
}

// block is the number of elements computed between two visits to the rows.
const block = 256

// interval is what softmax shares out: a bin gets floor + free·softmax.
type interval struct{ bound, floor, free float32 }

func newInterval(bins int, bound float32) interval {
	width := 2 * float64(bound)
	return interval{bound, float32(width * minShare), float32(width * (1 - minShare*float64(bins)))}
}

// addToRows adds elements first, first+1, … of a matrix of n columns to the totals of their rows.
func addToRows(total, elements []float32, first, n int) {
	i, j := first/n, first%n
	for _, v := range elements {
		total[i] += v
		if j++; j == n {
			i, j = i+1, 0
		}
	}
}

// spreadRows gives elements first, first+1, … of a matrix of n columns the value of their row.
func spreadRows(elements, value []float32, first, n int) {
	i, j := first/n, first%n
	for e := range elements {
		elements[e] = value[i]
		if j++; j == n {
			i, j = i+1, 0
		}
	}
}

func checkShape(name string, m, n, bins int, bound float32) {
	if m < 0 || n < 0 {
		panic(fmt.Sprintf("spline: %s: negative shape %d×%d", name, m, n))
	}
	if bins < 1 || bins > MaxBins {
		panic(fmt.Sprintf("spline: %s: %d bins, not 1 to %d", name, bins, MaxBins))
	}
	if !(bound > 0 && bound <= math.MaxFloat32) {
		panic(fmt.Sprintf("spline: %s: bound is %g, not positive and finite", name, bound))
	}
}

func checkLen(name, arg string, a []float32, want int) {
	if len(a) != want {
		panic(fmt.Sprintf("spline: %s: len(%s) = %d, want %d", name, arg, len(a), want))
	}
}
