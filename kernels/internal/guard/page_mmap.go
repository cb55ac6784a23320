//go:build linux || darwin

package guard

import (
	"runtime/debug"
	"syscall"
	"testing"
	"unsafe"
)

// AtPageEnd returns a function that gives the last n ≤ most floats before the
// end of readable memory. The floats are the same in each call. Reading or
// writing beyond them panics until the test ends.
func AtPageEnd[T Float](t testing.TB, most int) func(n int) []T {
	t.Helper()
	old := debug.SetPanicOnFault(true)
	t.Cleanup(func() { debug.SetPanicOnFault(old) })

	size, page := int(unsafe.Sizeof(T(0))), syscall.Getpagesize()
	readable := (most*size + page - 1) / page * page
	memory, err := syscall.Mmap(-1, 0, readable+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(memory) })
	if err := syscall.Mprotect(memory[readable:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	all := unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(memory))), readable/size)
	return func(n int) []T { return all[len(all)-n : len(all) : len(all)] }
}
