// Package limits measures what the processor can do at most, so that a kernel's
// speed can be told as a part of it.
//
// A shared machine changes its speed from moment to moment. Hence a kernel and
// the limit are measured in turn, in short windows, and the best window of one
// is compared with the best window of the other.
package limits

import (
	"math"
	"time"
)

//go:generate go run ../../asm/limits -out limits_avx2_amd64.s -stubs limits_avx2_amd64.go -pkg limits

const (
	windows    = 40
	window     = 500 * time.Microsecond
	fmaFlops   = 12 * 8 * 2 // of one round of fma
	fmaAtATime = 1 << 14
)

// Dense runs kernel, which does so many floating-point operations (a multiply
// and an add count as two), and returns the best speeds that were seen in
// GFLOP/s: the kernel's and that of multiply-adds in registers on the same
// core. The second is 0 where the kernels run in pure Go.
func Dense(flops float64, kernel func()) (speed, limit float64) {
	kernel()
	calls := 1
	if once := best(1, 3, kernel); once < window {
		calls = int(window/max(once, 1)) + 1
	}
	kernelTime, fmaTime := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for range windows {
		kernelTime = min(kernelTime, best(calls, 1, kernel))
		fmaTime = min(fmaTime, best(1, 1, func() { fma(fmaAtATime) }))
	}
	speed = flops * float64(calls) / float64(kernelTime.Nanoseconds())
	if hasFMA {
		limit = fmaFlops * fmaAtATime / float64(fmaTime.Nanoseconds())
	}
	return speed, limit
}

// best is the shortest time that so many calls took in so many attempts.
func best(calls, attempts int, f func()) time.Duration {
	shortest := time.Duration(math.MaxInt64)
	for range attempts {
		start := time.Now()
		for range calls {
			f()
		}
		shortest = min(shortest, time.Since(start))
	}
	return shortest
}
