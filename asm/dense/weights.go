package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// gather writes the function that copies a panel of dz.
func (p panel) gather() {
	TEXT(fmt.Sprintf("gather%d", p.columns), NOSPLIT, "func(dst, db, dz *float32, m, n, columns int)")
	Pragma("noescape")
	if p.columns == vector {
		Doc("gather8 copies columns ≤ 8 columns of m ≥ 1 rows of dz to dst, whose rows",
			"are 8 floats, the rest zero, and adds their sums to db.")
	} else {
		Doc(fmt.Sprintf("gather%d copies %d columns of m ≥ 1 rows of dz to dst, whose rows are %d floats,", p.columns, p.columns, p.columns),
			"and adds their sums to db. columns is not used.")
	}
	dst, db, dz := argument("dst", 1), argument("db", 1), argument("dz", 1)
	stride, m := argument("n", float), argument("m", 1)
	load := func(from Mem, to VecVirtual) { VMOVUPS(from, to) }
	store := func(from VecVirtual, to Mem) { VMOVUPS(from, to) }
	if p.columns == vector {
		mask := constants.Mask8(argument("columns", 1))
		load = func(from Mem, to VecVirtual) { VMASKMOVPS(from, mask, to) }
		store = func(from VecVirtual, to Mem) { VMASKMOVPS(from, mask, to) }
	}

	sums := zeroTile(1, p.vectors())
	Label("row")
	sums.each(func(_, v int, acc VecVirtual) {
		g := YMM()
		load(Mem{Base: dz, Disp: v * vector * float}, g)
		VMOVUPS(g, Mem{Base: dst, Disp: v * vector * float})
		VADDPS(g, acc, acc)
	})
	ADDQ(stride, dz)
	ADDQ(U32(p.columns*float), dst)
	DECQ(m)
	JNZ(LabelRef("row"))
	sums.each(func(_, v int, acc VecVirtual) {
		b := YMM()
		load(Mem{Base: db, Disp: v * vector * float}, b)
		VADDPS(b, acc, acc)
		store(acc, Mem{Base: db, Disp: v * vector * float})
	})
	VZEROUPPER()
	RET()
}

// gradWeights writes the gradient of the weights for one panel: tiles of
// outer products summed over the rows of the batch.
func (p panel) gradWeights() {
	TEXT(fmt.Sprintf("gradWeights%d", p.columns), NOSPLIT, "func(dw, x, dz *float32, m, k, n, columns int)")
	Pragma("noescape")
	if p.columns == vector {
		Doc("gradWeights8 adds xᵀ·dz to columns ≤ 8 columns of dw, summing over m ≥ 1 rows.",
			"dw points to the first of them, dz to the panel that gather8 made.")
	} else {
		Doc(fmt.Sprintf("gradWeights%d adds xᵀ·dz to %d columns of dw, summing over m ≥ 1 rows.", p.columns, p.columns),
			fmt.Sprintf("dw points to the first of them, dz to the panel that gather%d made. columns is", p.columns),
			"not used.")
	}
	dw, x := argument("dw", 1), argument("x", 1)
	xStride, wStride := argument("k", float), argument("n", float)
	xStride3 := GP64()
	LEAQ(Mem{Base: xStride, Index: xStride, Scale: 2}, xStride3)
	left := argument("k", 1)

	for _, rows := range p.rows {
		label := fmt.Sprintf("rows%d", rows)
		Label(label)
		CMPQ(left, Imm(uint64(rows)))
		JL(LabelRef(label + "_done"))
		if rows == 6 {
			// Twice 4 rows keep the pipes fuller than 6 and 2.
			CMPQ(left, Imm(8))
			JE(LabelRef(label + "_done"))
		}

		t := zeroTile(rows, p.vectors())
		row, dz, m := GP64(), argument("dz", 1), argument("m", 1)
		MOVQ(x, row)
		loop(label+"_sum", m, 4,
			func(copy int) {
				var gs []VecVirtual
				for v := range p.vectors() {
					gs = append(gs, YMM())
					VMOVUPS(Mem{Base: dz, Disp: (copy*p.columns + v*vector) * float}, gs[v])
				}
				at := []Mem{
					{Base: row}, {Base: row, Index: xStride, Scale: 1},
					{Base: row, Index: xStride, Scale: 2}, {Base: row, Index: xStride3, Scale: 1},
				}[copy]
				for r := range t {
					a := YMM()
					VBROADCASTSS(at.Offset(r*float), a)
					for v := range gs {
						VFMADD231PS(gs[v], a, t[r][v])
					}
				}
			},
			func(iterations int) {
				if iterations == 1 {
					ADDQ(xStride, row)
				} else {
					LEAQ(Mem{Base: row, Index: xStride, Scale: uint8(iterations)}, row)
				}
				ADDQ(U32(iterations*p.columns*float), dz)
			})

		to := newRowPointers(dw, wStride, rows)
		add := func() {
			t.each(func(r, v int, acc VecVirtual) {
				at := to.row(r).Offset(v * vector * float)
				VADDPS(at, acc, acc)
				VMOVUPS(acc, at)
			})
		}
		if p.columns == vector {
			columns := argument("columns", 1)
			CMPQ(columns, Imm(vector))
			JE(LabelRef(label + "_whole"))
			mask := constants.Mask8(columns)
			t.each(func(r, v int, acc VecVirtual) {
				old := YMM()
				VMASKMOVPS(to.row(r), mask, old)
				VADDPS(old, acc, acc)
				VMASKMOVPS(acc, mask, to.row(r))
			})
			JMP(LabelRef(label + "_next"))
			Label(label + "_whole")
			add()
			Label(label + "_next")
		} else {
			add()
		}

		LEAQ(to.row(rows-1), dw)
		ADDQ(wStride, dw)
		ADDQ(U32(rows*float), x)
		SUBQ(Imm(uint64(rows)), left)
		JMP(LabelRef(label))
		Label(label + "_done")
	}
	VZEROUPPER()
	RET()
}
