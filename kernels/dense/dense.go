// Package dense holds the matrix products of a dense layer and of its two
// gradients, with bias and activation fused.
//
// For a batch of m rows, a layer from k inputs to n outputs is
//
//	z = x·W + b    y = act(z)
//
// with x (m×k), W (k×n), y (m×n) row-major and contiguous. Training needs
//
//	∂L/∂x = (∂L/∂z)·Wᵀ    ∂L/∂W = xᵀ·(∂L/∂z)    ∂L/∂b = Σ_rows ∂L/∂z
//
// The weights are packed once per training step with [Pack] and [PackT] and
// then serve any number of calls of [Forward] and [GradInput]; [GradWeights]
// needs no packing.
//
// # Panels
//
// A packed matrix is a sequence of panels: blocks of 16 (at the right edge
// sometimes 8) columns, stored row by row, so that the innermost loop reads
// memory in order. Where n is no multiple of 8 the last panel overlaps the one
// before it and its columns are computed twice, to the same bits; only a
// matrix narrower than 8 is padded, with zeros.
//
// # Promises
//
// Row i of what [Forward] and [GradInput] compute depends on row i of their
// input only, bit for bit, whatever m is. [SiLU] and [Tanh] are exact to 4 ULP for
// all of float32, subnormal numbers and infinities included. Nothing is
// allocated. Destinations must not overlap the other arguments. Slices must have
// exactly the stated lengths: anything else is a programmer's error and panics.
// Each of m, k and n may be 0.
package dense

import "fmt"

//go:generate go run ../../asm/dense -out dense_avx2_amd64.s -stubs dense_avx2_amd64.go -pkg dense
//go:generate go run ../../asm/dense -wide -out dense_avx512_amd64.s -stubs dense_avx512_amd64.go -pkg dense

// PackedLen returns the number of floats that a packed k×n matrix takes:
// k·n with n rounded up to a multiple of 8.
func PackedLen(k, n int) int { return k * ((n + 7) &^ 7) }

// Pack stores W (k×n, row-major) in dst as panels for [Forward]. dst has
// PackedLen(k, n) floats.
func Pack(dst, w []float32, k, n int) {
	check("Pack", "dst", len(dst), PackedLen(k, n))
	check("Pack", "w", len(w), k*n)
	for j := 0; j < n; {
		start, width := panel(j, n)
		packPanel(dst[:k*width], w, k, n, start, width)
		dst = dst[k*width:]
		j = start + width
	}
}

// PackT stores Wᵀ (n×k, the transpose of w, which is k×n and row-major) in dst
// as panels for [GradInput]. dst has PackedLen(n, k) floats.
func PackT(dst, w []float32, k, n int) {
	check("PackT", "dst", len(dst), PackedLen(n, k))
	check("PackT", "w", len(w), k*n)
	packT(dst, w, k, n)
}

// Forward computes a layer,
//
//	for i := range m {
//		for j := range n {
//			v := b[j]
//			for p := range k {
//				v += x[i*k+p] * w[p*n+j]
//			}
//			z[i*n+j] = v
//			y[i*n+j] = act(v)
//		}
//	}
//
// where wp is w as [Pack] stored it. z may be nil; the gradient of [SiLU]
// needs it.
func Forward(y, z, x, wp, b []float32, m, k, n int, act Activation) {
	check("Forward", "y", len(y), m*n)
	if z != nil {
		check("Forward", "z", len(z), m*n)
	}
	check("Forward", "x", len(x), m*k)
	check("Forward", "wp", len(wp), PackedLen(k, n))
	check("Forward", "b", len(b), n)
	checkActivation("Forward", act)
	if m == 0 || n == 0 {
		return
	}
	forward(y, z, x, wp, b, m, k, n, act)
}

// GradInput takes a gradient back through a layer and through the activation
// of the layer below it,
//
//	for i := range m {
//		for p := range k {
//			var v float32
//			for j := range n {
//				v += dz[i*n+j] * w[p*n+j]
//			}
//			dx[i*k+p] = v * derivative(act, s[i*k+p])
//		}
//	}
//
// where wtp is w as [PackT] stored it, act is the activation whose output was
// this layer's input, and s (m×k) is what its derivative is taken from: that
// output for [ReLU], [LeakyReLU] and [Tanh], the pre-activation for [SiLU].
// For [None] s is not used and may be nil.
func GradInput(dx, dz, wtp, s []float32, m, k, n int, act Activation) {
	check("GradInput", "dx", len(dx), m*k)
	check("GradInput", "dz", len(dz), m*n)
	check("GradInput", "wtp", len(wtp), PackedLen(n, k))
	checkActivation("GradInput", act)
	if act != None {
		check("GradInput", "s", len(s), m*k)
	}
	if m == 0 || k == 0 {
		return
	}
	gradInput(dx, dz, wtp, s, m, k, n, act)
}

// GradWeights adds a batch's gradients to those of the weights and the bias,
//
//	for i := range m {
//		for j := range n {
//			db[j] += dz[i*n+j]
//			for p := range k {
//				dw[p*n+j] += x[i*k+p] * dz[i*n+j]
//			}
//		}
//	}
//
// The sums over rows are formed in blocks of at most 128 and these added, so
// that the rounding error hardly grows with m.
func GradWeights(dw, db, x, dz []float32, m, k, n int) {
	check("GradWeights", "dw", len(dw), k*n)
	check("GradWeights", "db", len(db), n)
	check("GradWeights", "x", len(x), m*k)
	check("GradWeights", "dz", len(dz), m*n)
	if m == 0 || n == 0 {
		return
	}
	gradWeights(dw, db, x, dz, m, k, n)
}

// Activate stores act(z) in y; y may be z. It is for what does not come out of
// [Forward].
func Activate(y, z []float32, act Activation) {
	check("Activate", "y", len(y), len(z))
	checkActivation("Activate", act)
	copy(y, z)
	activateFlat(y, act)
}

// Add adds x to y, element by element: the skip connection of a residual block.
func Add(y, x []float32) {
	check("Add", "y", len(y), len(x))
	addTo(y, x)
}

// panel returns where the panel begins that holds the columns from j on of a
// matrix with n columns, and how wide it is. The next panel holds the columns
// from start+width on.
func panel(j, n int) (start, width int) {
	left := n - j
	switch {
	case left >= 16:
		return j, 16
	case left > 8 && n >= 16:
		return n - 16, 16
	case left >= 8 || n < 8:
		return j, 8
	default:
		return n - 8, 8
	}
}

func check(function, name string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("dense: %s: %s has %d floats, want %d", function, name, got, want))
	}
}

func checkActivation(function string, act Activation) {
	if act > Tanh {
		panic(fmt.Sprintf("dense: %s: unknown activation %d", function, act))
	}
}
