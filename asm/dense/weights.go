package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// gather writes the function that copies a panel of dz.
func (p panel) gather() {
	function(fmt.Sprintf("gather%d", p.columns), "func(dst, db, dz *float32, m, n, columns int)",
		fmt.Sprintf("copies columns, %s, of m ≥ 1 rows of dz to dst, whose rows", p.some()),
		fmt.Sprintf("are %d floats, the rest zero, and adds their sums to db.", p.columns))
	dst, db, dz := argument("dst", 1), argument("db", 1), argument("dz", 1)
	stride, m := argument("n", float), argument("m", 1)
	last := p.lastMask(argument("columns", 1))

	sums := zeroTile(1, p.vectors())
	Label("row")
	sums.each(func(_, v int, acc VecVirtual) {
		g, offset := register(), v*vector*float
		if v < p.vectors()-1 {
			VMOVUPS(Mem{Base: dz, Disp: offset}, g)
		} else {
			last.load(Mem{Base: dz, Disp: offset}, g)
		}
		VMOVUPS(g, Mem{Base: dst, Disp: offset})
		VADDPS(g, acc, acc)
	})
	ADDQ(stride, dz)
	ADDQ(U32(p.columns*float), dst)
	DECQ(m)
	JNZ(LabelRef("row"))
	sums.addTo(newRowPointers(db, stride, 1), last)
	VZEROUPPER()
	RET()
}

// gradWeights writes the gradient of the weights for one panel: tiles of
// outer products summed over the rows of the batch.
func (p panel) gradWeights() {
	signature := "func(dw, x, dz *float32, m, k, n, columns int)"
	doc := []string{fmt.Sprintf("adds xᵀ·dz to columns, %s, of dw, summing over m ≥ 1 rows.", p.some())}
	masked := p.columns <= packed
	switch {
	case !*wide:
		doc = append(doc, fmt.Sprintf("dw points to the first of them, dz to the panel that gather%d made.", p.columns))
	case masked:
		doc = append(doc, "dw points to the first of them, dz to theirs in the first row.")
	default:
		signature = "func(dw, x, dz *float32, m, k, n int)"
		doc[0] = fmt.Sprintf("adds xᵀ·dz to %d columns of dw, summing over m ≥ 1 rows.", p.columns)
		doc = append(doc, "dw points to the first of them, dz to theirs in the first row.")
	}
	function(fmt.Sprintf("gradWeights%d", p.columns), signature, doc...)
	dw, x := argument("dw", 1), argument("x", 1)
	xStride, wStride := argument("k", float), argument("n", float)
	xStride3, wStride3 := GP64(), GP64()
	LEAQ(Mem{Base: xStride, Index: xStride, Scale: 2}, xStride3)
	var last mask
	if *wide {
		LEAQ(Mem{Base: wStride, Index: wStride, Scale: 2}, wStride3)
		if masked {
			last = p.lastMask(argument("columns", 1))
		}
	}
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
				at := Mem{Base: dz, Disp: copy * p.columns * float}
				if *wide {
					at = rowOf(dz, wStride, wStride3, copy)
				}
				var gs []VecVirtual
				for v := range p.vectors() {
					gs = append(gs, register())
					if offset := v * vector * float; *wide && v == p.vectors()-1 {
						last.load(at.Offset(offset), gs[v])
					} else {
						VMOVUPS(at.Offset(offset), gs[v])
					}
				}
				at = rowOf(row, xStride, xStride3, copy)
				for r := range t {
					addProducts(t[r], gs, at.Offset(r*float))
				}
			},
			func(iterations int) {
				addRows(row, xStride, iterations)
				if *wide {
					addRows(dz, wStride, iterations)
				} else {
					ADDQ(U32(iterations*p.columns*float), dz)
				}
			})

		to := newRowPointers(dw, wStride, rows)
		if *wide {
			t.addTo(to, last)
		} else {
			columns := argument("columns", 1)
			CMPQ(columns, Imm(uint64(p.columns)))
			JE(LabelRef(label + "_whole"))
			t.addTo(to, p.lastMask(columns))
			JMP(LabelRef(label + "_next"))
			Label(label + "_whole")
			t.addTo(to, mask{})
			Label(label + "_next")
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

// sumRows writes the gradient of the bias, which the narrow functions sum as they
// gather dz.
func sumRows() {
	p := panel{columns: 4 * vector}
	function("sumRows", "func(db, dz *float32, m, n, columns int)",
		fmt.Sprintf("adds to db the sums of columns, 1 to %d, over m ≥ 1 rows of dz.", p.columns))
	db, dz := argument("db", 1), argument("dz", 1)
	stride, m, columns := argument("n", float), argument("m", 1), argument("columns", 1)
	masks := make([]mask, p.vectors())
	for v := range masks {
		masks[v] = mask{lanes: constants.Mask16(columns)}
		SUBQ(Imm(uint64(vector)), columns)
	}
	sums := zeroTile(1, p.vectors())
	Label("row")
	sums.each(func(_, v int, acc VecVirtual) {
		VADDPS(Mem{Base: dz, Disp: v * vector * float}, acc, masks[v].lanes, acc)
	})
	ADDQ(stride, dz)
	DECQ(m)
	JNZ(LabelRef("row"))
	sums.each(func(_, v int, acc VecVirtual) { masks[v].add(acc, Mem{Base: db, Disp: v * vector * float}) })
	VZEROUPPER()
	RET()
}

// rowOf is the row so many strides from first, of which there are at most three.
func rowOf(first, stride, stride3 GPVirtual, row int) Mem {
	return []Mem{
		{Base: first}, {Base: first, Index: stride, Scale: 1},
		{Base: first, Index: stride, Scale: 2}, {Base: first, Index: stride3, Scale: 1},
	}[row]
}

// addRows moves a pointer on by one row or by four.
func addRows(p, stride GPVirtual, rows int) {
	if rows == 1 {
		ADDQ(stride, p)
	} else {
		LEAQ(Mem{Base: p, Index: stride, Scale: uint8(rows)}, p)
	}
}

// some says how many of a panel's columns may be used.
func (p panel) some() string {
	if p.columns == vector {
		return fmt.Sprintf("1 to %d", vector)
	}
	return fmt.Sprintf("%d to %d", p.columns-vector+1, p.columns)
}

// lastMask is the mask of the last vector of a panel of which so many columns
// are used. It destroys columns.
func (p panel) lastMask(columns GPVirtual) mask {
	if more := p.columns - vector; more > 0 || !*wide {
		SUBQ(Imm(uint64(more)), columns)
	}
	return newMask(columns)
}

// addTo adds t to the rows to, of the last vector only what mask says.
func (t tile) addTo(to rowPointers, last mask) {
	t.each(func(r, v int, acc VecVirtual) {
		at := to.row(r).Offset(v * vector * float)
		if v < len(t[r])-1 {
			mask{}.add(acc, at)
		} else {
			last.add(acc, at)
		}
	})
}
