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
	Doc(fmt.Sprintf("gather%d copies columns, %s, of m ≥ 1 rows of dz to dst, whose rows", p.columns, p.some()),
		fmt.Sprintf("are %d floats, the rest zero, and adds their sums to db.", p.columns))
	dst, db, dz := argument("dst", 1), argument("db", 1), argument("dz", 1)
	stride, m := argument("n", float), argument("m", 1)
	mask := p.lastMask(argument("columns", 1))

	sums := zeroTile(1, p.vectors())
	Label("row")
	sums.each(func(_, v int, acc VecVirtual) {
		g, offset := YMM(), v*vector*float
		if v < p.vectors()-1 {
			VMOVUPS(Mem{Base: dz, Disp: offset}, g)
		} else {
			VMASKMOVPS(Mem{Base: dz, Disp: offset}, mask, g)
		}
		VMOVUPS(g, Mem{Base: dst, Disp: offset})
		VADDPS(g, acc, acc)
	})
	ADDQ(stride, dz)
	ADDQ(U32(p.columns*float), dst)
	DECQ(m)
	JNZ(LabelRef("row"))
	p.addMasked(sums, newRowPointers(db, stride, 1), mask)
	VZEROUPPER()
	RET()
}

// gradWeights writes the gradient of the weights for one panel: tiles of
// outer products summed over the rows of the batch.
func (p panel) gradWeights() {
	TEXT(fmt.Sprintf("gradWeights%d", p.columns), NOSPLIT, "func(dw, x, dz *float32, m, k, n, columns int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("gradWeights%d adds xᵀ·dz to columns, %s, of dw, summing over m ≥ 1 rows.", p.columns, p.some()),
		fmt.Sprintf("dw points to the first of them, dz to the panel that gather%d made.", p.columns))
	dw, x := argument("dw", 1), argument("x", 1)
	xStride, wStride := argument("k", float), argument("n", float)
	xStride3 := GP64()
	LEAQ(Mem{Base: xStride, Index: xStride, Scale: 2}, xStride3)
	left := argument("k", 1)

	for _, rows := range p.rows {
		label := fmt.Sprintf("rows%d", rows)
		Label(label)
		if full := chains / p.vectors(); rows > full {
			// A tile of less than full rows takes as long as a full one, so
			// this one must leave a full one or none.
			CMPQ(left, Imm(uint64(rows)))
			JE(LabelRef(label + "_tile"))
			CMPQ(left, Imm(uint64(rows+full)))
		} else {
			CMPQ(left, Imm(uint64(rows)))
		}
		JL(LabelRef(label + "_done"))
		Label(label + "_tile")

		p.prefetch(newRowPointers(dw, wStride, rows), rows)
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

		to, columns := newRowPointers(dw, wStride, rows), argument("columns", 1)
		CMPQ(columns, Imm(uint64(p.columns)))
		JE(LabelRef(label + "_whole"))
		p.addMasked(t, to, p.lastMask(columns))
		JMP(LabelRef(label + "_next"))
		Label(label + "_whole")
		t.each(func(r, v int, acc VecVirtual) {
			at := to.row(r).Offset(v * vector * float)
			VADDPS(at, acc, acc)
			VMOVUPS(acc, at)
		})
		Label(label + "_next")
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

// some says how many of a panel's columns may be used.
func (p panel) some() string {
	if p.columns == vector {
		return "1 to 8"
	}
	return fmt.Sprintf("%d to %d", p.columns-vector+1, p.columns)
}

// lastMask is the mask of the last vector of a panel of which so many columns
// are used. It destroys columns.
func (p panel) lastMask(columns GPVirtual) VecVirtual {
	SUBQ(Imm(uint64(p.columns-vector)), columns)
	return constants.Mask8(columns)
}

// addMasked adds t to the rows to, of the last vector only what mask says.
func (p panel) addMasked(t tile, to rowPointers, mask VecVirtual) {
	t.each(func(r, v int, acc VecVirtual) {
		at, old := to.row(r).Offset(v*vector*float), YMM()
		if v < p.vectors()-1 {
			VADDPS(at, acc, acc)
			VMOVUPS(acc, at)
			return
		}
		VMASKMOVPS(at, mask, old)
		VADDPS(old, acc, acc)
		VMASKMOVPS(acc, mask, at)
	})
}
