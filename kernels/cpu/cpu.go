// Package cpu is the one place that asks the processor what it can do.
//
// The kernels run their AVX2 assembly where [AVX2] is true and their pure-Go
// twins elsewhere. It is false on processors without AVX2 and FMA, when the
// program was built with -tags purego, and when the environment variable
// EIDOLON_NOSIMD is set to anything but the empty string or 0.
package cpu

import "os"

// AVX2 reports whether the assembly kernels (AVX2 and FMA) are to be used. It
// is settled when the program starts and never changes.
var AVX2 = hasAVX2() && !disabled(os.Getenv("EIDOLON_NOSIMD"))

func disabled(env string) bool { return env != "" && env != "0" }
