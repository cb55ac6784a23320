package emit

import (
	"math"

	"github.com/eidolon-hep/eidolon/asm/internal/abreast"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The coefficients below are minimax fits in the relative error of the function,
// found by Lawson's algorithm (C. L. Lawson, thesis, UCLA 1961) on Chebyshev
// nodes and rounded to float32 one after the other, lowest order first, with
// those left fitted anew each time.
var (
	// 2^(f/8) ≈ 1 + f·Σ eighthCoeff[k]·fᵏ for |f| ≤ ½, to 2^−25.2.
	eighthCoeff = []float32{0x1.62e432p-04, 0x1.ec0c22p-09, 0x1.c690dp-14}

	// exp(r) − 1 ≈ r + r²·Σ expCoeff[k]·rᵏ for |r| ≤ ln(2)/2, to 2^−26.1.
	expCoeff = []float32{0x1.fffffep-02, 0x1.5554b4p-03, 0x1.5556f6p-05, 0x1.122538p-07, 0x1.6b97a2p-10}

	// log(1+f) ≈ f + f²·Σ logCoeff[k]·fᵏ for √½ ≤ 1+f ≤ √2, to 2^−25.0.
	logCoeff = []float32{-0x1.fffffap-02, 0x1.5556fp-02, -0x1.0004a8p-02, 0x1.98d3ap-03, -0x1.535c2cp-03, 0x1.317caep-03, -0x1.250596p-03, 0x1.65f074p-04}
)

// ExpRange is the largest |x| that ExpInRange takes.
const ExpRange = 87

const (
	expLow      = -104 // exp is below half the smallest number from here down
	expHigh     = 89   // exp is above the largest number from here up
	tanhHigh    = 10   // tanh rounds to 1 from here up, by the formula used too
	sigmoidHigh = 18   // and so does sigmoid

	signBit     = 1 << 31      // of a float32
	exponent    = 23           // the first bit of a float32's exponent
	minNormBits = 0x00800000   // of the smallest normal number
	infBits     = 0x7f800000   // of +Inf
	rootHalf    = 0x3f3504f3   // of √½
	rounder     = 0x1.8p23     // adding it rounds to an integer, held in the low bits
	log2High    = 0x1.715476p0 // log₂ e as a float32
	log2Low     = math.Log2E - log2High
)

// ExpInRange is exp(x), to 2 ULP, where |x| ≤ ExpRange, and NaN where x is. It has
// the bits of Exp there, for half the work.
func (e *Emitter) ExpInRange(x abreast.Vectors) abreast.Vectors {
	return e.timesPower(e.eighths(x, 0))
}

// OutOfExpRange masks the lanes in which any of x is not for ExpInRange.
func (e *Emitter) OutOfExpRange(x abreast.Vectors) VecVirtual {
	return anyAbove(e.Float(ExpRange), x, VANDPS, e.Bits(signBit-1))
}

// Exp is exp(x), to 2 ULP.
func (e *Emitter) Exp(x abreast.Vectors) abreast.Vectors {
	return e.expWithin(e.AtLeast(expLow, e.AtMost(expHigh, x)))
}

// expWithin is exp(x) for expLow ≤ x ≤ expHigh, and NaN where x is. The power of two
// is multiplied in two steps, for neither 2¹²⁸ nor 2⁻¹⁵⁰ is a float32.
func (e *Emitter) expWithin(x abreast.Vectors) abreast.Vectors {
	n, p := e.eighths(x, 0)
	half := abreast.New(len(x))
	half.Each(func(i int, r VecVirtual) {
		eighths := YMM()
		VPSRAD(Imm(4), n[i], r)
		VPSLLD(Imm(3), r, eighths)
		VPSUBD(eighths, n[i], n[i])
	})
	y := e.timesPower(n, p)
	e.power(half).Each(func(i int, r VecVirtual) { VMULPS(r, y[i], y[i]) })
	return y
}

// eighths splits 2ᵇ·exp(x) into 2^(n/8)·(1+p), with p small and the integer n in the
// low bits.
func (e *Emitter) eighths(x abreast.Vectors, b int) (n, p abreast.Vectors) {
	// p = 2^(f/8) − 1 with f = 8x/ln 2 − k.
	scale := load(e.Float(8 * log2High))
	n, k := e.nearest(x, scale, rounder+float32(8*b))
	f := k
	f.Each(func(i int, r VecVirtual) { VFMSUB231PS(scale, x[i], r) })
	low := load(e.Float(8 * log2Low))
	f.Each(func(i int, r VecVirtual) { VFMADD231PS(low, x[i], r) })
	p = f.Polynomial(e.Floats(eighthCoeff))
	p.Each(func(i int, r VecVirtual) { VMULPS(f[i], r, r) })
	return n, p
}

// nearest is the integer nearest to scale·x, as the float k, and in the low bits of n
// what it and from add up to.
func (e *Emitter) nearest(x abreast.Vectors, scale Op, from float32) (n, k abreast.Vectors) {
	n, k = abreast.New(len(x)), abreast.New(len(x))
	add := load(e.Float(from))
	n.Each(func(i int, r VecVirtual) {
		VMOVAPS(scale, r)
		VFMADD213PS(add, x[i], r)
	})
	k.Each(func(i int, r VecVirtual) { VSUBPS(add, n[i], r) })
	return n, k
}

// timesPower is 2^(n/8)·(1+p). It uses up n and p.
func (e *Emitter) timesPower(n, p abreast.Vectors) abreast.Vectors {
	// The fraction of n/8 is looked up, and all of it added to the exponent. What of
	// this runs over into the digits is left out of the table.
	var fractions [8]uint32
	for k := range fractions {
		power := float32(math.Exp2(float64(k) / 8))
		fractions[k] = math.Float32bits(power) - uint32(k)<<(exponent-3)
	}
	table, power := e.vector("eighths", fractions[:]...), abreast.New(len(n))
	power.Each(func(i int, r VecVirtual) { VPERMPS(table, n[i], r) })
	n.Each(func(_ int, r VecVirtual) { VPSLLD(Imm(exponent-3), r, r) })
	power.Each(func(i int, r VecVirtual) { VPADDD(n[i], r, r) })
	p.Each(func(i int, r VecVirtual) { VFMADD213PS(power[i], power[i], r) })
	return p
}

// power turns the integer in the low nine bits of n, from −126 to 127, into the
// float 2ⁿ.
func (e *Emitter) power(n abreast.Vectors) abreast.Vectors {
	n.Each(func(_ int, r VecVirtual) { VPSLLD(Imm(exponent), r, r) })
	return n.With(VPADDD, e.Float(1))
}

// LogInRange is log(x), to 2 ULP, where x is positive, normal and finite. It has the
// bits of Log there, for half the work.
func (e *Emitter) LogInRange(x abreast.Vectors) abreast.Vectors {
	n, f := e.splitNearOne(x)
	return e.addLn2(n, e.log1pNear(f))
}

// OutOfLogRange masks the lanes in which any of x is not for LogInRange.
func (e *Emitter) OutOfLogRange(x abreast.Vectors) VecVirtual {
	// Added to the bits, shift makes those in range the lowest integers.
	const lowest = 1 << 31
	const shift = lowest - minNormBits
	return anyAbove(e.Bits(infBits-1+shift), x, VPADDD, e.Bits(shift))
}

// anyAbove masks the lanes in which any of op(c, x) is above limit, as integers.
func anyAbove(limit Mem, x abreast.Vectors, op func(...Op), c Mem) VecVirtual {
	by, largest := load(c), YMM()
	op(by, x[0], largest)
	for _, r := range x[1:] {
		other := YMM()
		op(by, r, other)
		VPMAXSD(other, largest, largest)
	}
	VPCMPGTD(limit, largest, largest)
	return largest
}

// Log is log(x), to 2 ULP: NaN where x < 0, −Inf at ±0.
func (e *Emitter) Log(x abreast.Vectors) abreast.Vectors {
	subnormal, normal := abreast.New(len(x)), abreast.New(len(x))
	x.Each(func(i int, r VecVirtual) {
		VCMPPS(Lt, e.Bits(minNormBits), r, subnormal[i])
		VMULPS(e.Float(1<<exponent), r, normal[i])
		VBLENDVPS(subnormal[i], normal[i], r, normal[i])
	})
	n, f := e.splitNearOne(normal)
	n.Each(func(i int, r VecVirtual) {
		VANDPS(e.Float(exponent), subnormal[i], subnormal[i])
		VSUBPS(subnormal[i], r, r)
	})
	y := e.addLn2(n, e.log1pNear(f))

	x.Each(func(i int, r VecVirtual) {
		special := YMM()
		VCMPPS(Lt, e.Float(0), r, special)
		VORPS(special, y[i], y[i])
		VCMPPS(Eq, e.Float(0), r, special)
		VBLENDVPS(special, e.Float(float32(math.Inf(-1))), y[i], y[i])
		VCMPPS(NotLt, e.Bits(infBits), r, special)
		VBLENDVPS(special, r, y[i], y[i])
	})
	return y
}

// splitNearOne splits x, positive and normal, into 2ⁿ·(1+f) with √½ ≤ 1+f < √2.
func (e *Emitter) splitNearOne(x abreast.Vectors) (n, f abreast.Vectors) {
	n, f = abreast.New(len(x)), abreast.New(len(x))
	x.Each(func(i int, r VecVirtual) {
		power := YMM()
		VPSUBD(e.Bits(rootHalf), r, n[i])
		VPSRAD(Imm(exponent), n[i], n[i])
		VPSLLD(Imm(exponent), n[i], power)
		VPSUBD(power, r, f[i])
	})
	n.Each(func(_ int, r VecVirtual) { VCVTDQ2PS(r, r) })
	one := load(e.Float(1))
	f.Each(func(_ int, r VecVirtual) { VSUBPS(one, r, r) })
	return n, f
}

// log1pNear is log(1+f) for √½ ≤ 1+f ≤ √2.
func (e *Emitter) log1pNear(f abreast.Vectors) abreast.Vectors {
	y := f.Polynomial(e.Floats(logCoeff))
	y.Each(func(i int, r VecVirtual) { VMULPS(f[i], r, r) })
	y.Each(func(i int, r VecVirtual) { VFMADD213PS(f[i], f[i], r) })
	return y
}

// addLn2 is y + n·ln 2. It uses up y.
func (e *Emitter) addLn2(n, y abreast.Vectors) abreast.Vectors {
	ln2 := load(e.Float(math.Ln2))
	y.Each(func(i int, r VecVirtual) { VFMADD231PS(ln2, n[i], r) })
	return y
}

// TanhAbs is tanh|x|, to 4 ULP. It never exceeds 1, and is 1 from 10 on.
func (e *Emitter) TanhAbs(x abreast.Vectors) abreast.Vectors {
	// It is z/(z+2) with z = exp(2|x|) − 1 = 2ⁿ·(exp(r)−1) + (2ⁿ−1).
	r := abreast.New(len(x))
	abs := load(e.Bits(signBit - 1))
	r.Each(func(i int, v VecVirtual) { VANDPS(x[i], abs, v) })
	r.With(VMINPS, e.Float(tanhHigh))
	n, k := e.nearest(r, load(e.Float(2*log2High)), rounder)
	r.Each(func(_ int, v VecVirtual) { VADDPS(v, v, v) })
	ln2 := load(e.Float(math.Ln2))
	r.Each(func(i int, v VecVirtual) { VFNMADD231PS(ln2, k[i], v) })
	z := r.Polynomial(e.Floats(expCoeff))
	z.Each(func(i int, v VecVirtual) { VMULPS(r[i], v, v) })
	z.Each(func(i int, v VecVirtual) { VFMADD213PS(r[i], r[i], v) })

	power, less, one := e.power(n), abreast.New(len(x)), load(e.Float(1))
	less.Each(func(i int, v VecVirtual) { VSUBPS(one, power[i], v) })
	z.Each(func(i int, v VecVirtual) { VFMADD213PS(less[i], power[i], v) })
	more, two := abreast.New(len(x)), load(e.Float(2))
	more.Each(func(i int, v VecVirtual) { VADDPS(two, z[i], v) })
	z.Each(func(i int, v VecVirtual) { VDIVPS(more[i], v, v) })
	return z
}

// WithSign gives y, of which none is negative, the signs of the operands.
func (e *Emitter) WithSign(y abreast.Vectors, of []Op) {
	bit := load(e.Bits(signBit))
	y.Each(func(i int, r VecVirtual) {
		sign := YMM()
		VANDPS(of[i], bit, sign)
		VORPS(sign, r, r)
	})
}

// Sigmoid is 1/(1+exp(−x)), to 4 ULP.
func (e *Emitter) Sigmoid(x abreast.Vectors) abreast.Vectors {
	// It is E/(E+2³¹) with E = 2³¹·exp(x), a normal number wherever the quotient is
	// neither zero nor one.
	const b = 31
	y := e.timesPower(e.eighths(e.AtLeast(expLow, e.AtMost(sigmoidHigh, x)), b))
	power := load(e.Float(1 << b))
	y.Each(func(_ int, r VecVirtual) {
		sum := YMM()
		VADDPS(power, r, sum)
		VDIVPS(sum, r, r)
	})
	return y
}

// Softplus is log(1+exp(x)), to 4 ULP.
func (e *Emitter) Softplus(x abreast.Vectors) abreast.Vectors {
	// It is max(x, 0) + log(1+z) with z = exp(−|x|), and where 1+z > √2,
	// log(1+z) = ln 2 + log(1+(z−1)/2).
	negative := abreast.New(len(x))
	negative.Each(func(i int, r VecVirtual) { VORPS(e.Bits(signBit), x[i], r) })
	z := e.expWithin(e.AtLeast(expLow, negative))
	large := abreast.New(len(x))
	z.Each(func(i int, r VecVirtual) {
		half := YMM()
		VCMPPS(Gt, e.Float(math.Sqrt2-1), r, large[i])
		VMOVAPS(e.Float(0.5), half)
		VFMSUB213PS(half, r, half)
		VBLENDVPS(large[i], half, r, r)
	})
	y := e.log1pNear(z)
	y.Each(func(i int, r VecVirtual) {
		positive := YMM()
		VANDPS(e.Float(math.Ln2), large[i], large[i])
		VADDPS(large[i], r, r)
		VMAXPS(e.Float(0), x[i], positive)
		VADDPS(positive, r, r)
	})
	return y
}

// AtMost is min(x, limit), and NaN where x is.
func (e *Emitter) AtMost(limit float32, x abreast.Vectors) abreast.Vectors {
	return choose(VMINPS, x, e.Float(limit))
}

// AtLeast is max(x, limit), and NaN where x is.
func (e *Emitter) AtLeast(limit float32, x abreast.Vectors) abreast.Vectors {
	return choose(VMAXPS, x, e.Float(limit))
}

// choose is op(x, limit), where op returns what is written first if one is NaN.
func choose(op func(...Op), x abreast.Vectors, limit Mem) abreast.Vectors {
	y, c := abreast.New(len(x)), load(limit)
	y.Each(func(i int, r VecVirtual) { op(x[i], c, r) })
	return y
}

// load returns a register with the content of m.
func load(m Mem) VecVirtual {
	r := YMM()
	VMOVAPS(m, r)
	return r
}
