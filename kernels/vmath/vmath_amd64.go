//go:build !purego

package vmath

import "github.com/eidolon-hep/eidolon/kernels/cpu"

func exp(dst, src []float32) {
	if cpu.AVX2 {
		expAVX2(dst, src)
	} else {
		expPure(dst, src)
	}
}

func log(dst, src []float32) {
	if cpu.AVX2 {
		logAVX2(dst, src)
	} else {
		logPure(dst, src)
	}
}

func tanh(dst, src []float32) {
	if cpu.AVX2 {
		tanhAVX2(dst, src)
	} else {
		tanhPure(dst, src)
	}
}

func sigmoid(dst, src []float32) {
	if cpu.AVX2 {
		sigmoidAVX2(dst, src)
	} else {
		sigmoidPure(dst, src)
	}
}

func softplus(dst, src []float32) {
	if cpu.AVX2 {
		softplusAVX2(dst, src)
	} else {
		softplusPure(dst, src)
	}
}
