package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	"github.com/eidolon-hep/eidolon/asm/internal/abreast"
)

// together is the number of vectors that an activation takes through its steps
// side by side. More do not fit in registers.
const together = 4

// expCoeff[k] are the coefficients of 2ᶠ − 1 ≈ f·Σ expCoeff[k]·fᵏ for |f| ≤ ½, to
// 2^−26.2 of it: a minimax fit by Lawson's algorithm, rounded to float32 one
// after the other, lowest order first, with those left fitted anew.
var expCoeff = []float32{0x1.62e43p-1, 0x1.ebfbdep-3, 0x1.c6afa4p-5, 0x1.3b2c3ep-7, 0x1.5ef136p-10, 0x1.4295f2p-13}

const (
	log2High = 0x1.715476p+0 // log₂ e as a float32
	log2Low  = math.Log2E - log2High
	rounder  = 0x1.8p23 // adding it rounds to an integer, held in the low bits
	exponent = 23       // the first bit of a float32's exponent
	signBit  = 1 << 31
)

// SiLU and its derivative come from E = 2³¹·exp(z) for lowest ≤ z ≤ highest.
// The power of two keeps E normal, and results down to the smallest subnormal
// exact, while neither (E+2³¹)² nor E overflows. At lowest both results round to
// zero, at highest to their values at +∞: to z and to 1.
const (
	scaleBits = 31
	scale     = 1 << scaleBits
	lowest    = -108.8
	highest   = 22
)

// add writes the sum of two slices.
func add() {
	function("add", "func(y, x *float32, n int)",
		"is y = y + x for n floats.")
	flat("y", []string{"y", "x"}, func(load func(string) abreast.Vectors) abreast.Vectors {
		y, x := load("y"), load("x")
		y.Each(func(i int, v VecVirtual) { VADDPS(x[i], v, v) })
		return y
	})
}

// relu writes the activations ReLU and LeakyReLU.
func relu() {
	function("relu", "func(y *float32, n int)",
		"is y = max(0, y) for n floats; NaN stays NaN.")
	flat("y", []string{"y"}, func(load func(string) abreast.Vectors) abreast.Vectors {
		zero, y := register(), load("y")
		VXORPS(zero, zero, zero)
		y.Each(func(_ int, v VecVirtual) { VMAXPS(v, zero, v) })
		return y
	})

	function("leakyReLU", "func(y *float32, n int)",
		"is y = max(y, 0.01·y) for n floats; NaN stays NaN.")
	flat("y", []string{"y"}, func(load func(string) abreast.Vectors) abreast.Vectors {
		y := load("y")
		low := y.Copy()
		slope := constant(0.01)
		low.Each(func(_ int, v VecVirtual) { VMULPS(slope, v, v) })
		y.Each(func(i int, v VecVirtual) { VMAXPS(v, low[i], v) })
		return y
	})
}

// silu writes the activation SiLU.
func silu() {
	function("silu", "func(y *float32, n int)",
		"is y = y·σ(y) for n floats.")
	flat("y", []string{"y"}, func(load func(string) abreast.Vectors) abreast.Vectors {
		e := exp(clamp(load("y"), lowest, highest), scaleBits)
		y := load("y").With(VMAXPS, constants.Float(lowest))
		z := y.Copy().With(VMINPS, constants.Float(highest))
		// Four vectors of four kinds leave no register for the constant.
		sum, power := e.Copy(), constant(scale)
		sum.Each(func(_ int, v VecVirtual) { VADDPS(power, v, v) })
		// z·E/(E+2³¹), and what y exceeds highest by.
		y.Each(func(i int, v VecVirtual) {
			VSUBPS(z[i], v, v)
			VMULPS(z[i], e[i], e[i])
			VDIVPS(sum[i], e[i], e[i])
			VADDPS(e[i], v, v)
		})
		return y
	})
}

// siluGradient writes the derivative of SiLU.
func siluGradient() {
	function("siluGradient", "func(dx, z *float32, n int)",
		"is dx = dx·σ(z)·(1 + z·σ(−z)) for n floats.")
	flat("dx", []string{"dx", "z"}, func(load func(string) abreast.Vectors) abreast.Vectors {
		e := exp(clamp(load("z"), lowest, highest), scaleBits)
		z := clamp(load("z"), lowest, highest)
		sum := e.Copy().With(VADDPS, constants.Float(scale))
		// E·(E + 2³¹ + 2³¹·z)/(E+2³¹)².
		factor := z.Load(constants.Float(scale))
		z.Each(func(i int, v VecVirtual) {
			VFMADD213PS(sum[i], factor, v)
			VMULPS(v, e[i], e[i])
			VMULPS(sum[i], sum[i], sum[i])
			VDIVPS(sum[i], e[i], e[i])
		})
		dx := load("dx")
		dx.Each(func(i int, v VecVirtual) { VMULPS(e[i], v, v) })
		return dx
	})
}

// tanh writes the activation Tanh.
func tanh() {
	function("tanh", "func(y *float32, n int)",
		"is y = tanh(y) for n floats.")
	flat("y", []string{"y"}, func(load func(string) abreast.Vectors) abreast.Vectors {
		// tanh|y| = z/(z+2) with z = exp(2|y|) − 1 = 2ⁿ·(2ᶠ−1) + (2ⁿ−1). At 10
		// and beyond it rounds to 1.
		x := load("y").With(VANDPS, constants.Bits(signBit-1)).With(VMINPS, constants.Float(10))
		power, f := split(x, 2*math.Log2E, rounder)
		factor := constant(2 * math.Log2E)
		f.Each(func(i int, v VecVirtual) {
			VFMSUB231PS(factor, x[i], v)
			VPSLLD(Imm(exponent), power[i], power[i])
		})
		z := f.Polynomial(constants.Floats(expCoeff))
		f.Each(func(i int, v VecVirtual) { VMULPS(v, z[i], z[i]) })
		one := power.Load(constants.Float(1))
		power.Each(func(i int, v VecVirtual) {
			VPADDD(one, v, v)
			less := f[i]
			VSUBPS(one, v, less)
			VFMADD213PS(less, v, z[i])
		})
		sum := z.Copy().With(VADDPS, constants.Float(2))
		y := load("y")
		sign := constant(float32(math.Copysign(0, -1)))
		y.Each(func(i int, v VecVirtual) {
			VDIVPS(sum[i], z[i], z[i])
			VANDPS(sign, v, v)
			VORPS(z[i], v, v)
		})
		return y
	})
}

// flat writes the body of a function that stores f of the slices in, as many
// vectors at a time as can be, in out. f may load a slice more than once.
func flat(out string, in []string, f func(load func(string) abreast.Vectors) abreast.Vectors) {
	pointers := make(map[string]GPVirtual)
	for _, name := range in {
		pointers[name] = argument(name, 1)
	}
	n := argument("n", 1)
	vectors := func(count int, load func(Mem, VecVirtual), store func(VecVirtual, Mem)) {
		at := func(name string, i int) Mem { return Mem{Base: pointers[name], Disp: i * vector * float} }
		f(func(name string) abreast.Vectors {
			l := abreast.Of(count, register)
			l.Each(func(i int, v VecVirtual) { load(at(name, i), v) })
			return l
		}).Each(func(i int, v VecVirtual) { store(v, at(out, i)) })
	}

	for _, loop := range []struct {
		name  string
		count int
		next  string
	}{{"together", together, "single"}, {"single", 1, "rest"}} {
		Label(loop.name)
		CMPQ(n, Imm(uint64(loop.count*vector)))
		JL(LabelRef(loop.next))
		vectors(loop.count, mask{}.load, mask{}.store)
		for _, name := range in {
			ADDQ(U32(loop.count*vector*float), pointers[name])
		}
		SUBQ(Imm(uint64(loop.count*vector)), n)
		JMP(LabelRef(loop.name))
	}
	Label("rest")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	rest := newMask(n)
	vectors(1, rest.load, rest.store)
	Label("done")
	VZEROUPPER()
	RET()
}

// clamp changes x to lie between low and high, or to be NaN.
func clamp(x abreast.Vectors, low, high float32) abreast.Vectors {
	return x.With(VMAXPS, constants.Float(low)).With(VMINPS, constants.Float(high))
}

// exp is 2ᵇ·exp(x), which must be normal.
func exp(x abreast.Vectors, b int) abreast.Vectors {
	n, f := split(x, log2High, rounder+float32(b))
	high := x.Load(constants.Float(log2High))
	x.Each(func(i int, v VecVirtual) { VFMSUB231PS(high, v, f[i]) })
	low := x.Load(constants.Float(log2Low))
	x.Each(func(i int, v VecVirtual) { VFMADD231PS(low, v, f[i]) })
	y := f.Polynomial(constants.Floats(append([]float32{1}, expCoeff...)))
	n.Each(func(i int, v VecVirtual) {
		VPSLLD(Imm(exponent), v, v)
		VPADDD(v, y[i], y[i])
	})
	return y
}

// split is the integer next to factor·x, twice: in the low bits of n, on top of
// what from has there, and as the float k.
func split(x abreast.Vectors, factor, from float32) (n, k abreast.Vectors) {
	n, k = x.Like(), x.Like()
	scale, round := x.Load(constants.Float(factor)), x.Load(constants.Float(from))
	x.Each(func(i int, v VecVirtual) {
		VMOVAPS(scale, n[i])
		VFMADD213PS(round, v, n[i])
	})
	n.Each(func(i int, v VecVirtual) { VSUBPS(round, v, k[i]) })
	return n, k
}
