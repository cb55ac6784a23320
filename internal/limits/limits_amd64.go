//go:build !purego

package limits

import "github.com/eidolon-hep/eidolon/kernels/cpu"

var hasFMA = cpu.AVX2

func fma(n int) {
	if hasFMA {
		fmaAVX2(n)
	}
}
