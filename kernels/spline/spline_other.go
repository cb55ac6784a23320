//go:build !amd64 || purego

package spline

func forward(y, logSlope, x, params []float32, bins int, bound, floor, free float32) {
	forwardPure(y, logSlope, x, params, bins, bound, floor, free)
}

func inverse(x, logSlope, y, params []float32, bins int, bound, floor, free float32) (clamped int) {
	return inversePure(x, logSlope, y, params, bins, bound, floor, free)
}

func backward(gx, gparams, gy, gl, x, params []float32, bins int, bound, floor, free float32) {
	backwardPure(gx, gparams, gy, gl, x, params, bins, bound, floor, free)
}
