//go:build !amd64 || purego

package table

func forward(y, x, t []float32, m, k, stride, cells, n int) {
	forwardPure(y, x, t, m, k, stride, cells, n)
}

func backward(dx, dt, dy, x, t []float32, m, k, stride, cells, n int) {
	backwardPure(dx, dt, dy, x, t, m, k, stride, cells, n)
}
