package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// pack writes the packing of a panel as it is.
func pack() {
	function("pack16", "func(dst, w *float32, k, n int)",
		"stores 16 columns of k ≥ 1 rows of w, which are n floats apart, row behind row.")
	dst, w, k, stride := argument("dst", 1), argument("w", 1), argument("k", 1), argument("n", float)
	Label("row")
	for v := range packed / vector {
		r := register()
		VMOVUPS(Mem{Base: w, Disp: v * vector * float}, r)
		VMOVUPS(r, Mem{Base: dst, Disp: v * vector * float})
	}
	ADDQ(stride, w)
	ADDQ(U32(packed*float), dst)
	DECQ(k)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// transpose writes the transposition of eight rows, eight columns at a time.
func transpose() {
	TEXT("transpose8", NOSPLIT, "func(dst, src *float32, blocks, width, n int)")
	Pragma("noescape")
	Doc("transpose8 stores eight rows of 8·blocks floats, blocks ≥ 1, as columns. The",
		"rows of src are n floats apart, those of dst width floats.")
	dst, blocks := argument("dst", 1), argument("blocks", 1)
	src := newRowPointers(argument("src", 1), argument("n", float), vector)
	to := newRowPointers(dst, argument("width", float), vector)
	step := GP64()
	MOVQ(to.stride, step)
	SHLQ(Imm(3), step)

	Label("block")
	for half := range 2 {
		// Four columns: rows r and r+4 share a register, so that what follows
		// are two transpositions of 4×4 side by side.
		lane := vector / 2
		rows := make([]VecVirtual, lane)
		for r := range rows {
			rows[r] = YMM()
			VMOVUPS(src.row(r).Offset(half*lane*float), rows[r].AsX())
			VINSERTF128(Imm(1), src.row(r+lane).Offset(half*lane*float), rows[r], rows[r])
		}
		low01, high01, low23, high23 := YMM(), YMM(), YMM(), YMM()
		VUNPCKLPS(rows[1], rows[0], low01)
		VUNPCKHPS(rows[1], rows[0], high01)
		VUNPCKLPS(rows[3], rows[2], low23)
		VUNPCKHPS(rows[3], rows[2], high23)
		for c, pair := range [][2]VecVirtual{{low01, low23}, {high01, high23}} {
			first, second := YMM(), YMM()
			VUNPCKLPD(pair[1], pair[0], first)
			VUNPCKHPD(pair[1], pair[0], second)
			VMOVUPS(first, to.row(half*lane+2*c))
			VMOVUPS(second, to.row(half*lane+2*c+1))
		}
	}
	src.advance(vector * float)
	for _, base := range to.base {
		ADDQ(step, base)
	}
	DECQ(blocks)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}
