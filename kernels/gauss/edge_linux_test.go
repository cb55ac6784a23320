package gauss

import (
	"runtime/debug"
	"syscall"
	"testing"
	"unsafe"
)

// TestNothingIsReadOutside lets what the kernels read and write end where
// readable memory ends.
func TestNothingIsReadOutside(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	var slices [7]func(int) []float32
	for i := range slices {
		slices[i] = edge(t)
	}
	for _, dim := range dims {
		for _, blocks := range []int{1, 2, 3, blocksOnce} {
			events, y, base := slices[0](blocks*blockSize(dim)), slices[1](dim*tileLen), slices[2](tileLen)
			v, w := slices[3](blocks*BlockLen*tileLen), slices[4](blocks*BlockLen*tileLen)
			low, lane := slices[5](tileLen*lanes), slices[6](tileLen*sumCount(dim)*lanes)
			scores(v, y, base, events, blocks, dim, 1)
			lowest(low, v, blocks)
			weights(w, v, blocks)
			for columns := range dim + 2 {
				addProducts(lane, w, events, blocks, dim, columns)
			}
			addExcess(lane, w, v, events, blocks, dim)
			addSquares(lane, w, blocks, dim)
		}
	}
}

// edge reserves memory whose end is the end of what may be read, and returns
// the function that gives its last n floats.
func edge(t *testing.T) func(n int) []float32 {
	size := 32 * syscall.Getpagesize()
	memory, err := syscall.Mmap(-1, 0, size+syscall.Getpagesize(), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(memory) })
	if err := syscall.Mprotect(memory[size:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	all := unsafe.Slice((*float32)(unsafe.Pointer(&memory[0])), size/4)
	return func(n int) []float32 { return all[len(all)-n:] }
}
