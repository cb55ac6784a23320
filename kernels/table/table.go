// Package table holds layers whose outputs are sums of piecewise linear functions, one
// of each input:
//
//	y_ij += Σ_l T_l(x_il)_j
//
// T_l is a table of cells+1 rows of n values, those of the functions of input l at its
// knots, and linear between them. That is a dense layer behind the piecewise linear
// encoding of Gorishniy, Rubachev and Babenko (arXiv:2203.05556), of which only two
// inputs are not 0. It costs two rows for each input, however many cells there are.
//
// The knots are where standard normal inputs have equal numbers between them, about:
// they are evenly spaced in u = 1/(1+exp(−1.702 x)), which is Φ(x) to 0.01 (Haley 1952).
//
// A row's results depend on that row only, not on m or on the row's place in the batch;
// dt is a sum over rows in their order. All slices have exactly the stated lengths;
// others panic. Nothing is allocated.
package table

import "fmt"

//go:generate go run ../../asm/table -out table_avx2_amd64.s -stubs table_avx2_amd64.go -pkg table

// Len returns the number of values in the tables of k inputs for n outputs.
func Len(k, cells, n int) int { return k * (cells + 1) * n }

// Forward adds to y (m×n) the functions of the first k of the stride columns of x
// (m×stride). t holds k tables of (cells+1)×n.
func Forward(y, x, t []float32, m, k, stride, cells, n int) {
	check("Forward", m, k, stride, cells, n)
	checkLen("Forward", "y", y, m*n)
	checkLen("Forward", "x", x, m*stride)
	checkLen("Forward", "t", t, Len(k, cells, n))
	forward(y, x, t, m, k, stride, cells, n)
}

// Backward follows a Forward of the same x and t: from dy = ∂L/∂y (m×n) it adds ∂L/∂t to
// dt, unless that is nil, and ∂L/∂x to the first k columns of dx (m×stride), unless that
// is nil.
func Backward(dx, dt, dy, x, t []float32, m, k, stride, cells, n int) {
	check("Backward", m, k, stride, cells, n)
	if dx != nil {
		checkLen("Backward", "dx", dx, m*stride)
	}
	if dt != nil {
		checkLen("Backward", "dt", dt, Len(k, cells, n))
	}
	checkLen("Backward", "dy", dy, m*n)
	checkLen("Backward", "x", x, m*stride)
	checkLen("Backward", "t", t, Len(k, cells, n))
	if dx == nil && dt == nil {
		return
	}
	backward(dx, dt, dy, x, t, m, k, stride, cells, n)
}

// steepness is that of u(x).
const steepness = 1.702

func check(function string, m, k, stride, cells, n int) {
	if m < 0 || k < 0 || stride < k || cells < 1 || n < 0 {
		panic(fmt.Sprintf("table: %s: %d rows, %d of %d inputs, %d cells, %d outputs", function, m, k, stride, cells, n))
	}
}

func checkLen(function, name string, s []float32, want int) {
	if len(s) != want {
		panic(fmt.Sprintf("table: %s: %s has %d floats, want %d", function, name, len(s), want))
	}
}
