//go:build !purego

package coupling

import "github.com/eidolon-hep/eidolon/kernels/cpu"

func forward(y, s, logDet, x, st []float32, m, n int, bound float32) {
	if !inAssembly(bound) {
		forwardPure(y, s, logDet, x, st, m, n, bound)
		return
	}
	eachBlock(m, n, func(b block) {
		var to *float32
		if s != nil {
			to = &s[b.at]
		}
		forwardAVX2(&y[b.at], to, &logDet[b.row], &x[b.at], &st[b.scale], &st[b.scale+n], b.m, b.n, 2*n, bound)
	})
}

func inverse(x, logDet, y, st []float32, m, n int, bound float32) {
	if !inAssembly(bound) {
		inversePure(x, logDet, y, st, m, n, bound)
		return
	}
	eachBlock(m, n, func(b block) {
		inverseAVX2(&x[b.at], &logDet[b.row], &y[b.at], &st[b.scale], &st[b.scale+n], b.m, b.n, 2*n, bound)
	})
}

func backward(gx, gst, gy, gl, x, s []float32, m, n int, bound float32) {
	if !inAssembly(bound) {
		backwardPure(gx, gst, gy, gl, x, s, m, n, bound)
		return
	}
	eachBlock(m, n, func(b block) {
		backwardAVX2(&gx[b.at], &gst[b.scale], &gst[b.scale+n], &gy[b.at], &gl[b.row], &x[b.at], &s[b.at], b.m, b.n, 2*n, bound)
	})
}

// inAssembly leaves to the twins those scales of which the assembly does not take
// the exponential (see ExpRange in asm/internal/emit).
func inAssembly(bound float32) bool { return cpu.AVX2 && bound <= 87 }

// blockLen is the largest number of elements that the assembly takes at a time.
const blockLen = 512

// block is m rows of n columns from the given row on. The numbers of its first
// element are at in a matrix, and scale, for its raw scale, in the conditioner's output.
type block struct{ row, at, scale, m, n int }

// eachBlock cuts m rows of n columns into blocks: as many rows as go in, eight by
// eight where there are so many, or parts of one. How a row is cut depends on n only.
func eachBlock(m, n int, f func(b block)) {
	rows := max(blockLen/max(n, 1), 1)
	if rows > 8 {
		rows -= rows % 8
	}
	for i := 0; i < m; i += rows {
		for j := 0; j < n; j += blockLen {
			f(block{i, i*n + j, 2*i*n + j, min(rows, m-i), min(blockLen, n-j)})
		}
	}
}
