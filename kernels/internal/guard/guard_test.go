package guard

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// failure is a test that takes note of its failing.
type failure struct {
	testing.TB
	failed bool
}

func (f *failure) Helper()               {}
func (f *failure) Fatalf(string, ...any) { f.failed = true }

func fails(check func(testing.TB, string)) bool {
	var f failure
	check(&f, "")
	return f.failed
}

func TestSlice(t *testing.T) {
	testSlice[float32](t)
	testSlice[float64](t)
}

func testSlice[T Float](t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range 20 {
		s := Normal[T](rnd, n)
		if fails(s.Intact) || fails(s.Filled) || len(s.Inside) != n {
			t.Fatalf("a fresh slice of %d is not in order", n)
		}
		for _, at := range []int{0, s.start - 1, s.start + n, len(s.all) - 1} {
			for _, v := range []T{0, T(math.NaN()), T(math.Inf(1))} {
				s.all[at] = v
				if !fails(s.Intact) || !fails(s.Filled) {
					t.Errorf("%v at %d of a slice of %d went unnoticed", v, at-s.start, n)
				}
				s.all[at] = nan[T]()
			}
		}
		if n > 0 {
			s.Inside[n-1] = T(math.NaN())
			if fails(s.Intact) || !fails(s.Filled) {
				t.Errorf("NaN in a slice of %d: Intact and Filled do not tell it from a guard", n)
			}
		}
	}
}

func TestAtPageEnd(t *testing.T) {
	slice := AtPageEnd[float32](t, 5000)
	for _, n := range []int{0, 1, 5000} {
		s := slice(n)
		if len(s) != n {
			t.Fatalf("%d floats, want %d", len(s), n)
		}
		for i := range s {
			s[i] = float32(i)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("the memory beyond the end can be read")
		}
	}()
	s := slice(1)
	t.Log(*(*float32)(unsafe.Add(unsafe.Pointer(&s[0]), 4)))
}

func Example() {
	zero := func(dst []float32) {
		for i := range dst {
			dst[i] = 0
		}
	}
	var t failure // in a test, its *testing.T
	s := New[float32](rand.New(rand.NewPCG(1, 2)), 5)
	zero(s.Inside)
	s.Filled(&t, "zero")
	fmt.Println(s.Inside, t.failed)
	// Output: [0 0 0 0 0] false
}
