package main

import (
	"github.com/eidolon-hep/eidolon/asm/internal/emit"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// exp2 are the coefficients of 2ᶠ ≈ Σ exp2[k]·fᵏ for |f| ≤ ½, to 2^−23.3: a
// minimax fit in the relative error with exp2[0] = 1, found and rounded as those
// of asm/internal/emit. kernels/gauss/pure.go has them too.
var exp2 = [...]float32{1, 0x1.62e42ap-01, 0x1.ebf9c2p-03, 0x1.c6b6d8p-05, 0x1.3ce8acp-07, 0x1.5bda4p-10}

// exp2Above are those of 2ᶠ for 0 ≤ f ≤ 1, to 2^−23.5, found in the same way.
var exp2Above = [...]float32{1, 0x1.62e4bap-1, 0x1.ebdb6ap-3, 0x1.c91c1p-5, 0x1.277c1cp-7, 0x1.e9691p-10}

const (
	chains   = 3        // evaluated in step: as many as there are registers for
	farthest = 127      // from here on weights are 0
	rounder  = 0x1.8p23 // adding it rounds to an integer, held in the low bits
)

// weights writes the function that computes 2⁻ᵛ.
func weights() {
	TEXT("weights"+set, NOSPLIT, "func(w, v *float32, blocks int)")
	Pragma("noescape")
	Doc("weights" + set + " is weightsPure for so many blocks.")
	if wide {
		weightsByScaling()
	} else {
		weightsByBits()
	}
}

func weightsByBits() {
	w, v, n := emit.Argument("w"), emit.Argument("v"), emit.Argument("blocks")
	far, magic := constant(farthest), constant(rounder)
	var coeff []Op
	for _, c := range exp2[:len(exp2)-1] {
		coeff = append(coeff, constant(c))
	}
	coeff = append(coeff, constants.Float(exp2[len(exp2)-1]))

	Label("block")
	for first := 0; first < queries*row; first += chains * vector {
		var f, n, p [chains]VecVirtual
		each := func(do func(i int)) {
			for i := range chains {
				do(i)
			}
		}
		each(func(i int) {
			f[i], n[i], p[i] = register(), register(), register()
			VPMINSD(at(v, first+i*vector), far, f[i])
		})
		// 2⁻ᵛ = 2ⁿ·2ᶠ with n = −round(v). At v = farthest, f is 0, so that the
		// polynomial is 1 and its bits, moved on by n exponents, are those of 0.
		each(func(i int) { VSUBPS(f[i], magic, n[i]) })
		each(func(i int) { VSUBPS(n[i], magic, p[i]) })
		each(func(i int) { VSUBPS(f[i], p[i], f[i]) })
		each(func(i int) { VMOVUPS(coeff[len(coeff)-1], p[i]) })
		for k := len(coeff) - 2; k >= 0; k-- {
			each(func(i int) { VFMADD213PS(coeff[k], f[i], p[i]) })
		}
		each(func(i int) { VPSLLD(Imm(23), n[i], n[i]) })
		each(func(i int) { VPADDD(n[i], p[i], p[i]) })
		each(func(i int) { VMOVUPS(p[i], at(w, first+i*vector)) })
	}
	ADDQ(U32(queries*row), v)
	ADDQ(U32(queries*row), w)
	DECQ(n)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// weightsByScaling computes 2⁻ᵛ = 2ⁿ·2ᶠ with n = ⌊−v⌋, for both of which there are
// instructions. Where it would be subnormal it is 0.
func weightsByScaling() {
	const floor = 1 // rounding
	w, v, n := emit.Argument("w"), emit.Argument("v"), emit.Argument("blocks")
	end := flushing()
	nothing := zero()
	var coeff []VecVirtual
	for _, c := range exp2Above {
		coeff = append(coeff, constant(c))
	}
	Label("block")
	for q := range queries {
		minus, f, p := register(), register(), register()
		VSUBPS(at(v, q*row), nothing, minus)
		VREDUCEPS(Imm(floor), minus, f)
		VMOVAPS(coeff[len(coeff)-1], p)
		for k := len(coeff) - 2; k >= 0; k-- {
			VFMADD213PS(coeff[k], f, p)
		}
		VSCALEFPS(minus, p, p)
		VMOVUPS(p, at(w, q*row))
	}
	ADDQ(U32(queries*row), v)
	ADDQ(U32(queries*row), w)
	DECQ(n)
	JNZ(LabelRef("block"))
	end()
	VZEROUPPER()
	RET()
}
