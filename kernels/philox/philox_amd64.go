//go:build !purego

package philox

import "github.com/eidolon-hep/eidolon/kernels/cpu"

// The deviates of the eight blocks that the assembly makes at a time.
const (
	batch   = 32
	batch64 = 16
)

func uniform(dst []float32, seed, stream, first uint64) {
	if !cpu.AVX2 {
		uniformPure(dst, seed, stream, first)
		return
	}
	var some [batch]float32
	for len(dst) > 0 {
		done := 0
		if n := len(dst) / batch; n > 0 && first%4 == 0 {
			uniformAVX2(&dst[0], n, seed, stream, first/4)
			done = n * batch
		} else {
			uniformAVX2(&some[0], 1, seed, stream, first/4)
			done = copy(dst, some[first%4:])
		}
		dst = dst[done:]
		first += uint64(done)
	}
}

func uniform64(dst []float64, seed, stream, first uint64) {
	if !cpu.AVX2 {
		uniform64Pure(dst, seed, stream, first)
		return
	}
	var some [batch64]float64
	for len(dst) > 0 {
		done := 0
		if n := len(dst) / batch64; n > 0 && first%2 == 0 {
			uniform64AVX2(&dst[0], n, seed, stream, first/2)
			done = n * batch64
		} else {
			uniform64AVX2(&some[0], 1, seed, stream, first/2)
			done = copy(dst, some[first%2:])
		}
		dst = dst[done:]
		first += uint64(done)
	}
}

func normal(dst []float32, seed, stream, first uint64) {
	if !cpu.AVX2 {
		normalPure(dst, seed, stream, first)
		return
	}
	var some [batch]float32
	for len(dst) > 0 {
		done := 0
		if n := len(dst) / batch; n > 0 && first%4 == 0 {
			normalAVX2(&dst[0], n, seed, stream, first/4)
			done = n * batch
		} else {
			normalAVX2(&some[0], 1, seed, stream, first/4)
			done = copy(dst, some[first%4:])
		}
		dst = dst[done:]
		first += uint64(done)
	}
}
