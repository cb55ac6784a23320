package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Parameters go from rows to slots and back by transposing four columns of eight
// rows at a time. The last four columns end with the row, and may overlap with
// those before.

// loadSlots copies the parameters to their slots.
func (c *curves) loadSlots() {
	c.findRows("params")
	c.eachFourColumns(func(row func(i int) Mem, slot func(i int) Mem) {
		var v [4]VecVirtual
		for i := range v {
			v[i] = YMM()
			VBROADCASTF128(row(i), v[i])
			VINSERTF128(Imm(1), row(i+4), v[i], v[i])
		}
		for i, column := range transpose(v) {
			VMOVUPS(column, slot(i))
		}
	})
}

// storeSlots copies the slots to parameters. Missing rows share the place of the last
// one, which is written after them.
func (c *curves) storeSlots(name string) {
	c.findRows(name)
	c.eachFourColumns(func(row func(i int) Mem, slot func(i int) Mem) {
		var v [4]VecVirtual
		for i := range v {
			v[i] = YMM()
			VMOVUPS(slot(i), v[i])
		}
		v = transpose(v)
		for i := 3; i >= 0; i-- {
			VEXTRACTF128(Imm(1), v[i], row(i+4))
		}
		for i := 3; i >= 0; i-- {
			VMOVUPS(v[i].AsX(), row(i))
		}
	})
}

// findRows notes where the parameters of the elements begin. For those that do not
// exist it is the place of the last.
func (c *curves) findRows(name string) {
	row, next, existing := GP64(), GP64(), c.existing()
	LEAQ(Mem{Base: c.start, Index: c.vector, Scale: 1}, row)
	IMULQ(c.width, row)
	ADDQ(Load(Param(name).Base(), next), row)
	MOVQ(row, c.rows)
	for i := 1; i < 8; i++ {
		LEAQ(Mem{Base: row, Index: c.width, Scale: float}, next)
		CMPQ(existing, Imm(uint64(i)))
		CMOVQGT(next, row)
		MOVQ(row, c.rows.Offset(8*i))
	}
}

// eachFourColumns repeats f for four columns of the rows, and their slots.
func (c *curves) eachFourColumns(f func(row, slot func(i int) Mem)) {
	again, done := c.label("columns"), c.label("columns_done")
	slots, column, last, row := c.slots(), GP64(), GP64(), GP64() // columns in bytes
	XORQ(column, column)
	MOVQ(c.width, last)
	SHLQ(Imm(2), last)
	SUBQ(Imm(4*float), last)
	Label(again)
	f(func(i int) Mem {
		MOVQ(c.rows.Offset(8*i), row)
		return Mem{Base: row, Index: column, Scale: 1}
	}, func(i int) Mem {
		return Mem{Base: slots, Disp: vector * i, Index: column, Scale: vector / float}
	})
	CMPQ(column, last)
	JE(LabelRef(done))
	ADDQ(Imm(4*float), column)
	CMPQ(column, last)
	CMOVQGT(last, column)
	JMP(LabelRef(again))
	Label(done)
}

// transpose transposes the 4×4 matrices in the lower and in the upper halves.
func transpose(v [4]VecVirtual) (t [4]VecVirtual) {
	var u [4]VecVirtual
	for i := range u {
		u[i], t[i] = YMM(), YMM()
	}
	VUNPCKLPS(v[1], v[0], u[0])
	VUNPCKHPS(v[1], v[0], u[1])
	VUNPCKLPS(v[3], v[2], u[2])
	VUNPCKHPS(v[3], v[2], u[3])
	VUNPCKLPD(u[2], u[0], t[0])
	VUNPCKHPD(u[2], u[0], t[1])
	VUNPCKLPD(u[3], u[1], t[2])
	VUNPCKHPD(u[3], u[1], t[3])
	return t
}
