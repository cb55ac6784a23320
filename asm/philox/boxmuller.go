package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	"github.com/eidolon-hep/eidolon/asm/internal/abreast"
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

// boxMuller is the function of that name of kernels/philox, for eight pairs of
// words in each of some registers. It destroys w and a.
func boxMuller(w, a abreast.Vectors) (x, y abreast.Vectors) {
	r := radius(w)
	sin, cos := turn(a)
	r.Each(func(i int, v VecVirtual) {
		VMULPS(v, cos[i], cos[i])
		VMULPS(v, sin[i], sin[i])
	})
	return cos, sin
}

// radius is √(−2 ln u) with u = (w+½)·2⁻³². With u = 2ⁿ(1+f), ln u is
// n·ln 2 + log(1+f). Where n = 0 f is taken from the integer ¬w, which has the
// digits that a float32 near 1 has lost: 1−u = (¬w+½)·2⁻³².
func radius(w abreast.Vectors) abreast.Vectors {
	f, n := scaled(w), abreast.New(len(w))
	f.Each(func(i int, v VecVirtual) {
		VPSUBD(constants.Bits(rootHalf), v, n[i])
		VPSRAD(Imm(exponent), n[i], n[i])
		shift := YMM()
		VPSLLD(Imm(exponent), n[i], shift)
		VPSUBD(shift, v, v)
		VSUBPS(constants.Float(1), v, v)
		VPXOR(constants.Bits(1<<32-1), w[i], w[i])
	})
	below := scaled(w)
	f.Each(func(i int, v VecVirtual) {
		zero := YMM()
		VXORPS(constants.Bits(signBit), below[i], below[i])
		VPXOR(zero, zero, zero)
		VPCMPEQD(zero, n[i], zero)
		VBLENDVPS(zero, below[i], v, v)
	})

	log := f.Polynomial(constants.Floats(logCoeff))
	log.Each(func(i int, v VecVirtual) {
		square := YMM()
		VMULPS(f[i], f[i], square)
		VFMADD213PS(f[i], square, v)
		VCVTDQ2PS(n[i], n[i])
		VFMADD231PS(constants.Float(ln2-ln2High), n[i], v)
		VFMADD231PS(constants.Float(ln2High), n[i], v)
		VMULPS(constants.Float(-2), v, v)
		VSQRTPS(v, v)
	})
	return log
}

// scaled is (w+½)·2⁻³², rounded once. The conversion knows signed integers
// only, hence the two halves.
func scaled(w abreast.Vectors) abreast.Vectors {
	low := abreast.New(len(w))
	w.Each(func(i int, v VecVirtual) {
		high := YMM()
		VPSRLD(Imm(16), v, high)
		VCVTDQ2PS(high, high)
		VPAND(constants.Bits(0xFFFF), v, low[i])
		VCVTDQ2PS(low[i], low[i])
		VADDPS(constants.Float(0.5), low[i], low[i])
		VMULPS(constants.Float(0x1p-32), low[i], low[i])
		VFMADD231PS(constants.Float(0x1p-16), high, low[i])
	})
	return low
}

// turn is the sine and the cosine of a·2⁻³² turns.
func turn(a abreast.Vectors) (sin, cos abreast.Vectors) {
	// a + 2²⁹ holds the number q of quarter turns in its two high bits, and
	// below them the rest t·2²⁹, counted from −1 to 1 eighth.
	t, square := abreast.New(len(a)), abreast.New(len(a))
	a.Each(func(i int, v VecVirtual) {
		VPADDD(constants.Bits(eighth), v, v)
		VPAND(constants.Bits(belowHalf), v, t[i])
		VPSUBD(constants.Bits(eighth), t[i], t[i])
		VCVTDQ2PS(t[i], t[i])
		VMULPS(constants.Float(1.0/eighth), t[i], t[i])
		VMULPS(t[i], t[i], square[i])
	})
	s, c := square.Polynomial(constants.Floats(sinCoeff)), square.Polynomial(constants.Floats(cosCoeff))
	sin, cos = abreast.New(len(a)), abreast.New(len(a))
	a.Each(func(i int, v VecVirtual) {
		VMULPS(t[i], s[i], s[i])
		swap, sign := t[i], square[i]
		VPSLLD(Imm(1), v, swap)
		VBLENDVPS(swap, c[i], s[i], sin[i])
		VBLENDVPS(swap, s[i], c[i], cos[i])
		VPAND(constants.Bits(signBit), v, sign)
		VXORPS(sign, sin[i], sin[i])
		VPADDD(constants.Bits(quarter), v, sign)
		VPAND(constants.Bits(signBit), sign, sign)
		VXORPS(sign, cos[i], cos[i])
	})
	return sin, cos
}
