//go:build !purego

package table

import (
	"math"

	"github.com/eidolon-hep/eidolon/kernels/cpu"
)

func forward(y, x, t []float32, m, k, stride, cells, n int) {
	if !inAssembly(cells, n) {
		forwardPure(y, x, t, m, k, stride, cells, n)
		return
	}
	eachBlock(m, k, func(b block) {
		from := Len(b.input, cells, n)
		forwardAVX2(&y[b.row*n], &x[b.row*stride+b.input], &t[from], b.m, b.k, stride, cells, n)
	})
}

func backward(dx, dt, dy, x, t []float32, m, k, stride, cells, n int) {
	if !inAssembly(cells, n) {
		backwardPure(dx, dt, dy, x, t, m, k, stride, cells, n)
		return
	}
	eachBlock(m, k, func(b block) {
		at, from := b.row*stride+b.input, Len(b.input, cells, n)
		switch {
		case dx == nil:
			gradTablesAVX2(&dt[from], &dy[b.row*n], &x[at], b.m, b.k, stride, cells, n)
		case dt == nil:
			gradInputAVX2(&dx[at], &dy[b.row*n], &x[at], &t[from], b.m, b.k, stride, cells, n)
		default:
			backwardAVX2(&dx[at], &dt[from], &dy[b.row*n], &x[at], &t[from], b.m, b.k, stride, cells, n)
		}
	})
}

// inAssembly leaves to the twins empty rows, and tables in which an int32 does not
// count the bytes.
func inAssembly(cells, n int) bool {
	return cpu.AVX2 && n > 0 && cells < math.MaxInt32/4/n
}

const (
	blockLen    = 512 // the most places of a block, where a row has a multiple of eight
	blockInputs = 64  // the most inputs of a block
)

// block is m rows from the given row on, and of them k inputs from the given one on.
type block struct{ row, input, m, k int }

// eachBlock cuts m rows of k inputs into blocks: first all rows of the first inputs. How
// a row is cut depends on k only.
func eachBlock(m, k int, f func(b block)) {
	for l := 0; l < k; l += blockInputs {
		inputs := min(blockInputs, k-l)
		rows := blockLen / ((inputs + 7) &^ 7)
		for i := 0; i < m; i += rows {
			f(block{i, l, min(rows, m-i), inputs})
		}
	}
}
