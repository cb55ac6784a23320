//go:build !purego

package spline

import "github.com/eidolon-hep/eidolon/kernels/cpu"

func forward(y, logSlope, x, params []float32, bins int, bound, floor, free float32) {
	if cpu.AVX2 {
		forwardAVX2(y, logSlope, x, params, bins, bound, floor, free)
	} else {
		forwardPure(y, logSlope, x, params, bins, bound, floor, free)
	}
}

func inverse(x, logSlope, y, params []float32, bins int, bound, floor, free float32) (clamped int) {
	if cpu.AVX2 {
		return inverseAVX2(x, logSlope, y, params, bins, bound, floor, free)
	}
	return inversePure(x, logSlope, y, params, bins, bound, floor, free)
}

func backward(gx, gparams, gy, gl, x, params []float32, bins int, bound, floor, free float32) {
	if cpu.AVX2 {
		backwardAVX2(gx, gparams, gy, gl, x, params, bins, bound, floor, free)
	} else {
		backwardPure(gx, gparams, gy, gl, x, params, bins, bound, floor, free)
	}
}
