//go:build !purego

package coupling

import "github.com/eidolon-hep/eidolon/kernels/cpu"

func forward(y, s, logDet, x, st []float32, m, n int, bound float32) {
	if !cpu.AVX2 {
		forwardPure(y, s, logDet, x, st, m, n, bound)
		return
	}
	if s == nil {
		s = y // which is written after it
	}
	forwardAVX2(y, s, logDet, x, st, m, n, bound)
}

func inverse(x, logDet, y, st []float32, m, n int, bound float32) {
	if cpu.AVX2 {
		inverseAVX2(x, logDet, y, st, m, n, bound)
	} else {
		inversePure(x, logDet, y, st, m, n, bound)
	}
}

func backward(gx, gst, gy, gl, x, s []float32, m, n int, bound float32) {
	if cpu.AVX2 {
		backwardAVX2(gx, gst, gy, gl, x, s, m, n, bound)
	} else {
		backwardPure(gx, gst, gy, gl, x, s, m, n, bound)
	}
}
