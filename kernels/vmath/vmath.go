// Package vmath evaluates elementary functions over slices of float32.
//
// Every function writes f(src[i]) to dst[i], needs len(dst) == len(src) and
// panics otherwise. dst may be src; slices that overlap in any other way give
// undefined values. Nothing is allocated.
//
// The whole range of float32 is served: NaN gives NaN, ±Inf gives the limit,
// subnormal numbers are read and written as such. The value of f(x) depends on
// x only, never on its place in the slice, so that work may be cut anywhere.
//
// The errors stated are those of the AVX2 assembly, in units in the last place
// of the true value (a unit being 2⁻¹⁴⁹ where it is subnormal). The pure-Go
// twins round package math's float64 functions, which costs them half a unit.
package vmath

import "fmt"

//go:generate go run ../../asm/vmath -out vmath_avx2_amd64.s -stubs vmath_avx2_amd64.go -pkg vmath

// Exp is
//
//	for i, x := range src {
//		dst[i] = exp(x)
//	}
//
// with an error below 2 ULP.
func Exp(dst, src []float32) {
	check("Exp", dst, src)
	exp(dst, src)
}

// Log is
//
//	for i, x := range src {
//		dst[i] = log(x) // the natural logarithm; NaN where x < 0, −Inf at ±0
//	}
//
// with an error below 2 ULP.
func Log(dst, src []float32) {
	check("Log", dst, src)
	log(dst, src)
}

// Tanh is
//
//	for i, x := range src {
//		dst[i] = tanh(x)
//	}
//
// with an error below 4 ULP; it keeps the sign of zero.
func Tanh(dst, src []float32) {
	check("Tanh", dst, src)
	tanh(dst, src)
}

// Sigmoid is
//
//	for i, x := range src {
//		dst[i] = 1 / (1 + exp(-x))
//	}
//
// with an error below 4 ULP, also where the value is tiny.
func Sigmoid(dst, src []float32) {
	check("Sigmoid", dst, src)
	sigmoid(dst, src)
}

// Softplus is
//
//	for i, x := range src {
//		dst[i] = log(1 + exp(x))
//	}
//
// with an error below 4 ULP, also where the value is tiny; it does not overflow.
func Softplus(dst, src []float32) {
	check("Softplus", dst, src)
	softplus(dst, src)
}

func check(name string, dst, src []float32) {
	if len(dst) != len(src) {
		panic(fmt.Sprintf("vmath: %s: len(dst) = %d, len(src) = %d", name, len(dst), len(src)))
	}
}
