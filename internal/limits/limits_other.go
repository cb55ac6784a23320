//go:build !amd64 || purego

package limits

const hasFMA = false

func fma(int) {}
