//go:build !amd64 || purego

package coupling

func forward(y, s, logDet, x, st []float32, m, n int, bound float32) {
	forwardPure(y, s, logDet, x, st, m, n, bound)
}

func inverse(x, logDet, y, st []float32, m, n int, bound float32) {
	inversePure(x, logDet, y, st, m, n, bound)
}

func backward(gx, gst, gy, gl, x, s []float32, m, n int, bound float32) {
	backwardPure(gx, gst, gy, gl, x, s, m, n, bound)
}
