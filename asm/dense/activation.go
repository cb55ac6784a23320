package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// silu writes the activation SiLU.
func silu() {
	TEXT("silu", NOSPLIT, "func(y *float32, n int)")
	Pragma("noescape")
	Doc("silu is y = y·σ(y) for n floats.")
	flat("y", []string{"y"}, func(v []VecVirtual) VecVirtual {
		s := constants.Sigmoid8(v[0])
		VMULPS(v[0], s, s)
		return s
	})
}

// tanh writes the activation Tanh.
func tanh() {
	TEXT("tanh", NOSPLIT, "func(y *float32, n int)")
	Pragma("noescape")
	Doc("tanh is y = tanh(y) for n floats.")
	flat("y", []string{"y"}, func(v []VecVirtual) VecVirtual { return constants.Tanh8(v[0]) })
}

// siluGradient writes the derivative of SiLU.
func siluGradient() {
	TEXT("siluGradient", NOSPLIT, "func(dx, z *float32, n int)")
	Pragma("noescape")
	Doc("siluGradient is dx = dx·σ(z)·(1 + z·σ(−z)) for n floats.")
	flat("dx", []string{"dx", "z"}, func(v []VecVirtual) VecVirtual {
		// σ(|z|) = 1/(1+e) and σ(−|z|) = e/(1+e) with e = exp(−|z|): no
		// difference of nearly equal numbers.
		dx, z := v[0], v[1]
		negative := YMM()
		VORPS(constants.Bits(1<<31), z, negative)
		lower := constants.Exp8(negative)
		one, upper := YMM(), YMM()
		VMOVAPS(constants.Float(1), one)
		VADDPS(one, lower, upper)
		VDIVPS(upper, one, upper)
		VMULPS(upper, lower, lower)
		s, rest := YMM(), YMM()
		VBLENDVPS(z, lower, upper, s)
		VBLENDVPS(z, upper, lower, rest)
		VFMADD213PS(one, z, rest)
		VMULPS(s, rest, rest)
		VMULPS(dx, rest, rest)
		return rest
	})
}

// flat writes the body of a function that stores f of the slices in, eight by
// eight, in out.
func flat(out string, in []string, f func([]VecVirtual) VecVirtual) {
	pointers := make(map[string]GPVirtual)
	for _, name := range in {
		pointers[name] = argument(name, 1)
	}
	n := argument("n", 1)
	eight := func(load func(Mem, VecVirtual), store func(VecVirtual, Mem)) {
		var v []VecVirtual
		for _, name := range in {
			v = append(v, YMM())
			load(Mem{Base: pointers[name]}, v[len(v)-1])
		}
		store(f(v), Mem{Base: pointers[out]})
	}

	SUBQ(Imm(vector), n)
	JL(LabelRef("rest"))
	Label("eight")
	eight(func(from Mem, to VecVirtual) { VMOVUPS(from, to) },
		func(from VecVirtual, to Mem) { VMOVUPS(from, to) })
	for _, name := range in {
		ADDQ(Imm(vector*float), pointers[name])
	}
	SUBQ(Imm(vector), n)
	JGE(LabelRef("eight"))
	Label("rest")
	ADDQ(Imm(vector), n)
	JZ(LabelRef("done"))
	mask := constants.Mask8(n)
	eight(func(from Mem, to VecVirtual) { VMASKMOVPS(from, mask, to) },
		func(from VecVirtual, to Mem) { VMASKMOVPS(from, mask, to) })
	Label("done")
	VZEROUPPER()
	RET()
}
