//go:build !amd64 || purego

package optim

func adam(w, m, v, g []float32, c *constants) { adamPure(w, m, v, g, c) }

func sumSquares(g []float32) float64 { return sumSquaresPure(g) }

func drain(dst, src []float32) { drainPure(dst, src) }
