// Package coupling holds the affine coupling of Real NVP (Dinh, Sohl-Dickstein,
// Bengio, arXiv:1605.08803, equations 7 and 8): forward, inverse and gradient,
// each in one pass over the data.
//
// Only the transformed half x of an event is seen here: m rows of n columns,
// row-major. Beside it lies st, the conditioner's output: m rows of 2n columns,
// in which columns [0, n) are the raw scales r and columns [n, 2n) the shifts t.
// The scale is softly bounded, s = bound·tanh(r/bound), so that exp(s) stays
// within exp(±bound) whatever the conditioner says, and s ≈ r where r is small.
// bound must be positive and finite; above 87, where exp(bound) is close to the
// largest float32, everything runs in pure Go.
//
// A row's results depend on that row only, not on m or on the row's place in
// the batch. All slices have exactly the stated lengths; others panic. Nothing
// is allocated. Sums over a row are taken in float32.
package coupling

import (
	"fmt"
	"math"
)

//go:generate go run ../../asm/coupling -out coupling_avx2_amd64.s -stubs coupling_avx2_amd64.go -pkg coupling

// Forward is, for every row i and column j,
//
//	s = bound * tanh(r/bound)
//	y = x*exp(s) + t
//	logDet[i] += s
//
// y, s and x are m×n, st is m×2n, logDet has m elements. s receives the
// bounded scale for Backward unless it is nil. y may be x.
func Forward(y, s, logDet, x, st []float32, m, n int, bound float32) {
	checkShape("Forward", m, n, bound)
	checkLen("Forward", "y", y, m*n)
	if s != nil {
		checkLen("Forward", "s", s, m*n)
	}
	checkLen("Forward", "logDet", logDet, m)
	checkLen("Forward", "x", x, m*n)
	checkLen("Forward", "st", st, 2*m*n)
	forward(y, s, logDet, x, st, m, n, bound)
}

// Inverse undoes Forward: for every row i and column j,
//
//	s = bound * tanh(r/bound)
//	x = (y - t) * exp(-s)
//	logDet[i] -= s
//
// x and y are m×n, st is m×2n, logDet has m elements. x may be y.
func Inverse(x, logDet, y, st []float32, m, n int, bound float32) {
	checkShape("Inverse", m, n, bound)
	checkLen("Inverse", "x", x, m*n)
	checkLen("Inverse", "logDet", logDet, m)
	checkLen("Inverse", "y", y, m*n)
	checkLen("Inverse", "st", st, 2*m*n)
	inverse(x, logDet, y, st, m, n, bound)
}

// Backward turns the gradient of a loss L behind Forward into the one before
// it. From gy = ∂L/∂y (m×n), gl = ∂L/∂logDet (m), and Forward's x and s (m×n)
// it computes gx = ∂L/∂x (m×n) and gst = ∂L/∂st (m×2n): for every row i and
// column j,
//
//	gx = gy * exp(s)
//	gr = (gx*x + gl[i]) * (1 - (s/bound)²)
//	gt = gy
//
// where gr fills columns [0, n) of gst and gt columns [n, 2n). gx may be gy.
func Backward(gx, gst, gy, gl, x, s []float32, m, n int, bound float32) {
	checkShape("Backward", m, n, bound)
	checkLen("Backward", "gx", gx, m*n)
	checkLen("Backward", "gst", gst, 2*m*n)
	checkLen("Backward", "gy", gy, m*n)
	checkLen("Backward", "gl", gl, m)
	checkLen("Backward", "x", x, m*n)
	checkLen("Backward", "s", s, m*n)
	backward(gx, gst, gy, gl, x, s, m, n, bound)
}

func checkShape(name string, m, n int, bound float32) {
	if m < 0 || n < 0 {
		panic(fmt.Sprintf("coupling: %s: negative shape %d×%d", name, m, n))
	}
	if !(bound > 0 && bound <= math.MaxFloat32) {
		panic(fmt.Sprintf("coupling: %s: bound is %g, not positive and finite", name, bound))
	}
}

func checkLen(name, arg string, a []float32, want int) {
	if len(a) != want {
		panic(fmt.Sprintf("coupling: %s: len(%s) = %d, want %d", name, arg, len(a), want))
	}
}
