package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The coefficients below are minimax fits in the relative error of the function
// (Lawson's algorithm for the logarithm, Remez's for the others), rounded to
// float32 one after the other, lowest order first, with those left fitted anew.
var (
	// log(1+f) ≈ f + f²·Σ logCoeff[k]·fᵏ for √½ ≤ 1+f ≤ √2, to 2^−25.0.
	logCoeff = []float32{-0x1.fffffap-2, 0x1.5556f2p-2, -0x1.0004aep-2, 0x1.98d32ep-3, -0x1.535aeap-3, 0x1.317f7ap-3, -0x1.250e38p-3, 0x1.65f5bap-4}
	// sin(t·π/4) ≈ t·Σ sinCoeff[k]·t²ᵏ for |t| ≤ 1, to 2^−25.1.
	sinCoeff = []float32{0x1.921fb6p-1, -0x1.4abc24p-4, 0x1.4680a4p-9, -0x1.33198ep-15}
	// cos(t·π/4) ≈ Σ cosCoeff[k]·t²ᵏ for |t| ≤ 1, to 2^−31.
	cosCoeff = []float32{1, -0x1.3bd3ccp-2, 0x1.03c1bp-6, -0x1.55b2b6p-12, 0x1.d4f7eep-19}
)

const (
	ln2       = 0x1.62e42fefa39efp-1
	ln2High   = 0x1.62e4p-1        // ln 2 to 15 bits: its product with an exponent is exact
	rootHalf  = 0x3f3504f3         // the bits of √½
	exponent  = 23                 // the first bit of a float32's exponent
	eighth    = 1 << 29            // of a turn
	belowHalf = eighth<<1 - 1      // the bits of an angle below its quarter turns
	signBit   = uint32(1) << 31    // of a float32
	quarter   = uint32(eighth) * 2 // of a turn
)

// boxMuller is the function of that name of kernels/philox, in eight lanes. It
// destroys w and a.
func boxMuller(w, a VecVirtual) (x, y VecVirtual) {
	r := radius(w)
	sin, cos := turn(a)
	VMULPS(r, cos, cos)
	VMULPS(r, sin, sin)
	return cos, sin
}

// radius is √(−2 ln u) with u = (w+½)·2⁻³². With u = 2ⁿ(1+f), ln u is
// n·ln 2 + log(1+f). Where n = 0 f is taken from the integer ¬w, which has the
// digits that a float32 near 1 has lost: 1−u = (¬w+½)·2⁻³².
func radius(w VecVirtual) VecVirtual {
	f := scaled(w)
	n := YMM()
	VPSUBD(constants.Bits(rootHalf), f, n)
	VPSRAD(Imm(exponent), n, n)
	shift, complement := YMM(), YMM()
	VPSLLD(Imm(exponent), n, shift)
	VPSUBD(shift, f, f)
	VSUBPS(constants.Float(1), f, f)

	VPXOR(constants.Bits(1<<32-1), w, complement)
	below, zero := scaled(complement), shift
	VXORPS(constants.Bits(signBit), below, below)
	VPXOR(zero, zero, zero)
	VPCMPEQD(zero, n, zero)
	VBLENDVPS(zero, below, f, f)

	log, square := polynomial(f, logCoeff), YMM()
	VMULPS(f, f, square)
	VFMADD213PS(f, square, log)
	VCVTDQ2PS(n, n)
	VFMADD231PS(constants.Float(ln2-ln2High), n, log)
	VFMADD231PS(constants.Float(ln2High), n, log)
	VMULPS(constants.Float(-2), log, log)
	VSQRTPS(log, log)
	return log
}

// scaled is (w+½)·2⁻³², rounded once. The conversion knows signed integers
// only, hence the two halves.
func scaled(w VecVirtual) VecVirtual {
	high, low := YMM(), YMM()
	VPSRLD(Imm(16), w, high)
	VCVTDQ2PS(high, high)
	VPAND(constants.Bits(0xFFFF), w, low)
	VCVTDQ2PS(low, low)
	VADDPS(constants.Float(0.5), low, low)
	VMULPS(constants.Float(0x1p-32), low, low)
	VFMADD231PS(constants.Float(0x1p-16), high, low)
	return low
}

// turn is the sine and the cosine of a·2⁻³² turns.
func turn(a VecVirtual) (sin, cos VecVirtual) {
	// a + 2²⁹ holds the number q of quarter turns in its two high bits, and
	// below them the rest t·2²⁹, counted from −1 to 1 eighth.
	t := YMM()
	VPADDD(constants.Bits(eighth), a, a)
	VPAND(constants.Bits(belowHalf), a, t)
	VPSUBD(constants.Bits(eighth), t, t)
	VCVTDQ2PS(t, t)
	VMULPS(constants.Float(1.0/eighth), t, t)

	square := YMM()
	VMULPS(t, t, square)
	s, c := polynomial(square, sinCoeff), polynomial(square, cosCoeff)
	VMULPS(t, s, s)

	swap, sign := t, square
	VPSLLD(Imm(1), a, swap)
	sin, cos = YMM(), YMM()
	VBLENDVPS(swap, c, s, sin)
	VBLENDVPS(swap, s, c, cos)
	VPAND(constants.Bits(signBit), a, sign)
	VXORPS(sign, sin, sin)
	VPADDD(constants.Bits(quarter), a, sign)
	VPAND(constants.Bits(signBit), sign, sign)
	VXORPS(sign, cos, cos)
	return sin, cos
}

// polynomial is Σ c[k]·xᵏ by Horner's rule.
func polynomial(x VecVirtual, c []float32) VecVirtual {
	y := YMM()
	last := len(c) - 1
	VMOVAPS(constants.Float(c[last]), y)
	for k := last - 1; k >= 0; k-- {
		VFMADD213PS(constants.Float(c[k]), x, y)
	}
	return y
}
