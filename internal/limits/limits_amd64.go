//go:build !purego

package limits

import "github.com/eidolon-hep/eidolon/kernels/cpu"

var available = cpu.AVX2

func fma(n int) {
	if cpu.AVX512 {
		fmaAVX512(n)
	} else {
		fmaAVX2(n)
	}
}

// fmaLanes is how many numbers a multiply-add of fma takes.
func fmaLanes() float64 {
	if cpu.AVX512 {
		return 2 * lanes
	}
	return lanes
}

func exp(n int)              { expAVX2(n) }
func divide(n int)           { divideAVX2(n) }
func philox(n int)           { philoxAVX2(n) }
func normal(n int)           { normalAVX2(n) }
func read(p *float32, n int) { readAVX2(p, n) }
