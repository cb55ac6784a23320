//go:build !amd64 || purego

package vmath

func exp(dst, src []float32)      { expPure(dst, src) }
func log(dst, src []float32)      { logPure(dst, src) }
func tanh(dst, src []float32)     { tanhPure(dst, src) }
func sigmoid(dst, src []float32)  { sigmoidPure(dst, src) }
func softplus(dst, src []float32) { softplusPure(dst, src) }
