package emit

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The coefficients below are minimax fits in the relative error of the function,
// found by Lawson's algorithm (C. L. Lawson, thesis, UCLA 1961) on Chebyshev
// nodes and rounded to float32 one after the other, lowest order first, with
// those left fitted anew each time.
var (
	// exp(r) − 1 ≈ r + r²·Σ expCoeff[k]·rᵏ for |r| ≤ ln(2)/2, to 2^−26.1.
	expCoeff = []float32{0x1.fffffep-02, 0x1.5554b4p-03, 0x1.5556f6p-05, 0x1.122538p-07, 0x1.6b97a2p-10}

	// log(1+f) ≈ f + f²·Σ logCoeff[k]·fᵏ for √½ ≤ 1+f ≤ √2, to 2^−25.0.
	logCoeff = []float32{-0x1.fffffap-02, 0x1.5556fp-02, -0x1.0004a8p-02, 0x1.98d3ap-03, -0x1.535c2cp-03, 0x1.317caep-03, -0x1.250596p-03, 0x1.65f074p-04}
)

const (
	expLow   = -104        // exp is below half the smallest number from here down
	expHigh  = 89          // exp is above the largest number from here up
	tanhHigh = 10          // tanh rounds to 1 from here up, by the formula used too
	signBit  = 1 << 31     // of a float32
	minNorm  = 0x1p-126    // the smallest normal number
	rootHalf = 0x3f3504f3  // the bits of √½
	rounder  = 0x1.8p23    // adding it rounds to an integer, held in the low bits
	ln2High  = 0x1.62e4p-1 // ln 2 to 15 bits, so that x − n·ln2High is exact
	ln2Low   = math.Ln2 - ln2High
	log2E    = math.Log2E
)

// The ten constants most worth a register: ExpConstants for Exp8, Tanh8, Sigmoid8
// and Softplus8, LogConstants for Log8.
var (
	ExpConstants = append([]float32{1, log2E, rounder, ln2High, ln2Low}, expCoeff...)
	LogConstants = append([]float32{1, math.Ln2}, logCoeff...)
)

// Exp8 is exp(x), to 2 ULP.
func (e *Emitter) Exp8(x VecVirtual) VecVirtual {
	return e.expWithin(e.AtLeast(expLow, e.AtMost(expHigh, x)))
}

// expWithin is exp(x) for expLow ≤ x ≤ expHigh and NaN. It uses up x.
func (e *Emitter) expWithin(x VecVirtual) VecVirtual {
	// exp(x) = 2ⁿ·exp(r) with n = round(x/ln 2). The power is multiplied in
	// two halves, for neither 2¹²⁸ nor 2⁻¹⁵⁰ is a float32.
	n, k := e.nearestPower(x)
	VFNMADD231PS(e.Float(ln2High), k, x)
	VFNMADD231PS(e.Float(ln2Low), k, x)
	y := e.polynomial(x, append([]float32{1, 1}, expCoeff...))

	half := k
	VPSRAD(Imm(1), n, half)
	VPSUBD(half, n, n)
	e.powerOfTwo(half)
	e.powerOfTwo(n)
	VMULPS(half, y, y)
	VMULPS(n, y, y)
	return y
}

// nearestPower is round(x/ln 2), as an integer in the low nine bits of n and as
// the float k.
func (e *Emitter) nearestPower(x VecVirtual) (n, k VecVirtual) {
	n, k = YMM(), YMM()
	VMOVAPS(e.Float(log2E), n)
	VFMADD213PS(e.Float(rounder), x, n)
	VSUBPS(e.Float(rounder), n, k)
	return n, k
}

// powerOfTwo turns the integer in the low nine bits of n, from −126 to 127, into the float 2ⁿ.
func (e *Emitter) powerOfTwo(n VecVirtual) {
	VPSLLD(Imm(23), n, n)
	VPADDD(e.Float(1), n, n)
}

// Log8 is log(x), to 2 ULP: NaN where x < 0, −Inf at ±0.
func (e *Emitter) Log8(x VecVirtual) VecVirtual {
	// log(x) = n·ln 2 + log(1+f) with √½ ≤ 1+f < √2.
	subnormal, m := YMM(), YMM()
	VCMPPS(Lt, e.Float(minNorm), x, subnormal)
	VMULPS(e.Float(1<<23), x, m)
	VBLENDVPS(subnormal, m, x, m)
	VANDPS(e.Float(23), subnormal, subnormal)

	n, power := YMM(), YMM()
	VPSUBD(e.Bits(rootHalf), m, n)
	VPSRAD(Imm(23), n, n)
	VPSLLD(Imm(23), n, power)
	VPSUBD(power, m, m)
	VCVTDQ2PS(n, n)
	VSUBPS(subnormal, n, n)

	VSUBPS(e.Float(1), m, m)
	y := e.log1pNear(m)
	VFMADD231PS(e.Float(math.Ln2), n, y)

	special := YMM()
	VCMPPS(Lt, e.Float(0), x, special)
	VORPS(special, y, y)
	VCMPPS(Eq, e.Float(0), x, special)
	VBLENDVPS(special, e.Float(float32(math.Inf(-1))), y, y)
	VCMPPS(NotLt, e.Float(float32(math.Inf(1))), x, special)
	VBLENDVPS(special, x, y, y)
	return y
}

// log1pNear is log(1+f) for √½ ≤ 1+f ≤ √2.
func (e *Emitter) log1pNear(f VecVirtual) VecVirtual {
	y, square := e.polynomial(f, logCoeff), YMM()
	VMULPS(f, f, square)
	VFMADD213PS(f, square, y)
	return y
}

// Tanh8 is tanh(x), to 4 ULP. Its magnitude never exceeds 1, and is 1 from 10 on.
func (e *Emitter) Tanh8(x VecVirtual) VecVirtual {
	// tanh|x| = z/(z+2) with z = exp(2|x|) − 1 = 2ⁿ·(exp(r)−1) + (2ⁿ−1).
	r := YMM()
	VANDPS(e.Bits(signBit-1), x, r)
	r = e.AtMost(tanhHigh, r)
	VADDPS(r, r, r)
	power, k := e.nearestPower(r)
	VFNMADD231PS(e.Float(math.Ln2), k, r)
	z, square := e.polynomial(r, expCoeff), k
	VMULPS(r, r, square)
	VFMADD213PS(r, square, z)
	e.powerOfTwo(power)
	less := square
	VSUBPS(e.Float(1), power, less)
	VFMADD213PS(less, power, z)

	more := power
	VADDPS(e.Float(2), z, more)
	VDIVPS(more, z, z)
	sign := more
	VANDPS(e.Bits(signBit), x, sign)
	VORPS(sign, z, z)
	return z
}

// Sigmoid8 is 1/(1+exp(−x)), to 4 ULP.
func (e *Emitter) Sigmoid8(x VecVirtual) VecVirtual {
	// With z = exp(−|x|) it is 1/(1+z) on the right and z/(1+z) on the left.
	z := e.expMinusAbs(x)
	upper, lower := YMM(), YMM()
	VMOVAPS(e.Float(1), upper)
	VADDPS(upper, z, lower)
	VBLENDVPS(x, z, upper, upper)
	VDIVPS(lower, upper, upper)
	return upper
}

// Softplus8 is log(1+exp(x)), to 4 ULP.
func (e *Emitter) Softplus8(x VecVirtual) VecVirtual {
	// It is max(x, 0) + log(1+z) with z = exp(−|x|), and where 1+z > √2,
	// log(1+z) = ln 2 + log(1+(z−1)/2).
	z := e.expMinusAbs(x)
	large, half := YMM(), YMM()
	VCMPPS(Gt, e.Float(math.Sqrt2-1), z, large)
	VMOVAPS(e.Float(0.5), half)
	VFMSUB213PS(half, z, half)
	VBLENDVPS(large, half, z, z)
	y := e.log1pNear(z)
	VANDPS(e.Float(math.Ln2), large, large)
	VADDPS(large, y, y)

	positive := YMM()
	VMAXPS(e.Float(0), x, positive)
	VADDPS(positive, y, y)
	return y
}

// expMinusAbs is exp(−|x|).
func (e *Emitter) expMinusAbs(x VecVirtual) VecVirtual {
	negative := YMM()
	VORPS(e.Bits(signBit), x, negative)
	return e.expWithin(e.AtLeast(expLow, negative))
}

// polynomial is Σ c[k]·xᵏ by Horner's rule.
func (e *Emitter) polynomial(x VecVirtual, c []float32) VecVirtual {
	y := YMM()
	last := len(c) - 1
	VMOVAPS(e.Float(c[last]), y)
	for k := last - 1; k >= 0; k-- {
		VFMADD213PS(e.Float(c[k]), x, y)
	}
	return y
}

// AtMost is min(x, limit), and NaN where x is: VMINPS returns its second source
// (written first) when either is NaN, hence the order.
func (e *Emitter) AtMost(limit float32, x VecVirtual) VecVirtual {
	y := YMM()
	VMOVAPS(e.Float(limit), y)
	VMINPS(x, y, y)
	return y
}

// AtLeast is max(x, limit), and NaN where x is.
func (e *Emitter) AtLeast(limit float32, x VecVirtual) VecVirtual {
	y := YMM()
	VMOVAPS(e.Float(limit), y)
	VMAXPS(x, y, y)
	return y
}
