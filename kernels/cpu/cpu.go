// Package cpu is the one place that asks the processor what it can do.
//
// The kernels run their AVX2 assembly where [AVX2] is true and their pure-Go
// twins elsewhere; where [AVX512] is true the heaviest of them run on registers
// twice as wide. Both are false on processors that lack the instructions, when the
// program was built with -tags purego, and when the environment variable
// EIDOLON_NOSIMD is set to anything but the empty string or 0; EIDOLON_NOAVX512
// turns off AVX512 alone.
package cpu

import "os"

var (
	// AVX2 reports whether the assembly kernels (AVX2 and FMA) are to be used. It
	// is settled when the program starts and never changes.
	AVX2 = hasAVX2() && !disabled(os.Getenv("EIDOLON_NOSIMD"))
	// AVX512 reports whether those that need AVX-512 (F, VL, BW and DQ) are to be
	// used. It implies AVX2.
	AVX512 = AVX2 && hasAVX512() && !disabled(os.Getenv("EIDOLON_NOAVX512"))
)

func disabled(env string) bool { return env != "" && env != "0" }
