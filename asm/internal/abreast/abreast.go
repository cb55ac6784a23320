// Package abreast writes the same steps for several vectors side by side.
//
// A function like exp is a chain: every instruction waits for the one before. A
// processor hides that by starting on the next vector meanwhile, but it does
// not look far enough ahead to keep all its pipes busy. Hence
//
//	y := x.Polynomial(c)
//
// writes for the vectors of x, of which there are two to four, first all their
// first steps, then all their second ones, and so on. Every step loads its
// constant once.
package abreast

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Vectors are YMM or ZMM registers that go through the same steps side by side.
type Vectors []VecVirtual

// New returns so many new YMM registers.
func New(count int) Vectors { return Of(count, YMM) }

// Of returns so many new registers, each from a call of register: YMM or ZMM.
func Of(count int, register func() VecVirtual) Vectors {
	v := make(Vectors, count)
	for i := range v {
		v[i] = register()
	}
	return v
}

// Like returns as many new registers of the same kind.
func (v Vectors) Like() Vectors { return Of(len(v), v.register) }

// register returns a new register of the kind that v has.
func (v Vectors) register() VecVirtual {
	if wide(v[0]) {
		return ZMM()
	}
	return YMM()
}

// Each calls f for every register.
func (v Vectors) Each(f func(i int, r VecVirtual)) {
	for i, r := range v {
		f(i, r)
	}
}

// Copy returns new registers with the same numbers.
func (v Vectors) Copy() Vectors {
	c := v.Like()
	v.Each(func(i int, r VecVirtual) { VMOVAPS(r, c[i]) })
	return c
}

// With changes every register r to op(r, c, r), in the order of the Go
// assembler, and returns v. Where one operand is NaN, VMAXPS and VMINPS return r
// then.
func (v Vectors) With(op func(...Op), c Op) Vectors {
	loaded := v.Load(c)
	v.Each(func(_ int, r VecVirtual) { op(r, loaded, r) })
	return v
}

// Polynomial returns Σ c[k]·xᵏ of every register x, by Horner's rule, in new
// registers.
func (v Vectors) Polynomial(c []Op) Vectors {
	y := v.Like()
	last := len(c) - 1
	highest := v.Load(c[last])
	y.Each(func(_ int, r VecVirtual) { VMOVAPS(highest, r) })
	for k := last - 1; k >= 0; k-- {
		next := v.Load(c[k])
		v.Each(func(i int, r VecVirtual) { VFMADD213PS(next, r, y[i]) })
	}
	return y
}

// Load is [Filled] for a register of the kind that v has.
func (v Vectors) Load(c Op) VecVirtual { return Filled(v.register, c) }

// Filled returns a register, from a call of register, with the constant c. Of one in
// memory ZMM registers read the first number alone.
func Filled(register func() VecVirtual, c Op) VecVirtual {
	r := register()
	if _, memory := c.(Mem); memory && wide(r) {
		VBROADCASTSS(c, r)
	} else {
		VMOVAPS(c, r)
	}
	return r
}

func wide(r VecVirtual) bool { return r.Size() == 64 }
