package dense

import (
	"runtime/debug"
	"syscall"
	"testing"
	"unsafe"
)

// TestNothingIsReadOutside lets every slice end where readable memory ends.
func TestNothingIsReadOutside(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	slices := make([]func(int) []float32, 9)
	for i := range slices {
		slices[i] = edge(t)
	}
	for _, m := range []int{1, 2, 5, 6, 7, 11, 12, 13, 25} {
		for _, k := range []int{0, 1, 3, 4, 5, 7, 8, 9, 16, 17, 21} {
			for _, n := range []int{1, 2, 3, 7, 8, 9, 15, 16, 17, 23, 24, 25, 33} {
				y, z, x, b, w := slices[0](m*n), slices[1](m*n), slices[2](m*k), slices[3](n), slices[4](k*n)
				wp, wtp := slices[5](PackedLen(k, n)), slices[6](PackedLen(n, k))
				dx, db := slices[7](m*k), slices[8](n)
				Pack(wp, w, k, n)
				PackT(wtp, w, k, n)
				for _, act := range activations {
					Forward(y, z, x, wp, b, m, k, n, act)
					Forward(y, nil, x, wp, b, m, k, n, act)
					GradInput(dx, y, wtp, x, m, k, n, act)
				}
				GradWeights(w, db, x, y, m, k, n)
			}
		}
	}
}

// edge reserves memory whose end is the end of what may be read, and returns
// the function that gives its last n floats.
func edge(t *testing.T) func(n int) []float32 {
	page := syscall.Getpagesize()
	memory, err := syscall.Mmap(-1, 0, 2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(memory) })
	if err := syscall.Mprotect(memory[page:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	all := unsafe.Slice((*float32)(unsafe.Pointer(&memory[0])), page/4)
	return func(n int) []float32 { return all[len(all)-n:] }
}
