// Package guard helps tests to catch kernels that touch what is not theirs.
//
// A [Slice] lies at any alignment between guards: a write to them is found by
// [Slice.Intact], and since they are NaN, what is read from them spoils the
// results. [AtPageEnd] makes reading beyond the end of a slice a fault.
package guard

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// Float is a number that kernels work on.
type Float interface{ float32 | float64 }

// Slice is a slice between guards.
type Slice[T Float] struct {
	Inside []T
	all    []T
	start  int
}

const (
	width = 24 // floats of a guard, and up to 7 more in front
	nan32 = 0x7fc5a5a5
	nan64 = 0x7ff8a5a5a5a5a5a5
)

// New returns a slice of n floats, all of them NaN, as the guards are.
func New[T Float](rnd *rand.Rand, n int) Slice[T] {
	start := width + rnd.IntN(8)
	all := make([]T, start+n+width)
	for i := range all {
		all[i] = nan[T]()
	}
	return Slice[T]{all[start : start+n : start+n], all, start}
}

// Normal returns a slice of n normal deviates.
func Normal[T Float](rnd *rand.Rand, n int) Slice[T] {
	s := New[T](rnd, n)
	for i := range s.Inside {
		s.Inside[i] = T(rnd.NormFloat64())
	}
	return s
}

// Intact fails the test where a guard was written to.
func (s Slice[T]) Intact(t testing.TB, name string) {
	t.Helper()
	for i, v := range s.all {
		if outside := i < s.start || i >= s.start+len(s.Inside); outside && bits(v) != bits(nan[T]()) {
			t.Fatalf("%s: wrote %v at %d of a slice of %d", name, v, i-s.start, len(s.Inside))
		}
	}
}

// Filled is Intact, and fails the test where the slice itself holds a NaN: one
// that nobody replaced, or one that was read from a guard.
func (s Slice[T]) Filled(t testing.TB, name string) {
	t.Helper()
	s.Intact(t, name)
	for i, v := range s.Inside {
		if v != v {
			t.Fatalf("%s: found NaN at %d of a slice of %d", name, i, len(s.Inside))
		}
	}
}

// nan is what guards are made of: a NaN that no arithmetic makes.
func nan[T Float]() T {
	if unsafe.Sizeof(T(0)) == 4 {
		return T(math.Float32frombits(nan32))
	}
	return T(math.Float64frombits(nan64))
}

func bits[T Float](v T) uint64 {
	if unsafe.Sizeof(v) == 4 {
		return uint64(math.Float32bits(float32(v)))
	}
	return math.Float64bits(float64(v))
}
