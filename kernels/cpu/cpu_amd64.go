//go:build !purego

package cpu

import "github.com/klauspost/cpuid/v2"

func hasAVX2() bool { return cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3) }
