//go:build !purego

package optim

import (
	"unsafe"

	"github.com/eidolon-hep/eidolon/kernels/cpu"
)

func adam(w, m, v, g []float32, c *constants) {
	if !cpu.AVX2 {
		adamPure(w, m, v, g, c)
		return
	}
	adamAVX2(&w[0], &m[0], &v[0], &g[0], len(w), (*[8]float32)(unsafe.Pointer(c)))
}

func sumSquares(g []float32) float64 {
	if !cpu.AVX2 {
		return sumSquaresPure(g)
	}
	return sumSquaresAVX2(unsafe.SliceData(g), len(g))
}

func drain(dst, src []float32) {
	if !cpu.AVX2 {
		drainPure(dst, src)
		return
	}
	drainAVX2(unsafe.SliceData(dst), unsafe.SliceData(src), len(dst))
}
