package main

import (
	"fmt"

	"github.com/eidolon-hep/eidolon/asm/internal/emit"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// walk goes over all rows and inputs of a block.
type walk struct {
	places
	rows, tables string // arguments: a matrix of m×n, and the tables
	begin        func() // of each panel, or nil

	// Where it is.
	row        Mem
	table      GPVirtual // the first input's, in the panel's first column
	rowBytes   GPVirtual
	panel      string
	tableBytes Mem
}

// panel is so many vectors of columns. With a mask it is one, of less than eight.
type panel struct {
	vectors int
	mask    Register
}

// overPanels calls do for each row of each panel.
func (w *walk) overPanels(do func(p panel)) {
	w.rowBytes, w.table = emit.Argument("n"), GP64()
	SHLQ(Imm(2), w.rowBytes)
	w.tableBytes = local()
	size := emit.Argument("cells")
	INCQ(size)
	IMULQ(w.rowBytes, size)
	MOVQ(size, w.tableBytes)

	left, offset, rows, row := local(), local(), local(), GP64()
	w.row = Mem{Base: row}
	MOVQ(emit.Argument("n"), left)
	MOVQ(U32(0), offset)

	for _, p := range []panel{{vectors: 8}, {vectors: 4}, {vectors: 2}, {vectors: 1}, {vectors: 1, mask: YMM()}} {
		w.panel = fmt.Sprintf("panel_%d", 8*p.vectors)
		done := w.panel + "_done"
		columns := GP64()
		if p.mask == nil {
			Label(w.panel)
			MOVQ(left, columns)
			SUBQ(U32(8*p.vectors), columns)
			JL(LabelRef(done))
		} else {
			w.panel, done = "panel_part", "panel_part_done"
			MOVQ(left, columns)
			TESTQ(columns, columns)
			JZ(LabelRef(done))
			p.mask = constants.Mask8(columns)
		}
		MOVQ(columns, left)
		Load(Param(w.tables), w.table)
		ADDQ(offset, w.table)
		Load(Param(w.rows), row)
		ADDQ(offset, row)
		ADDQ(U32(p.vectors*vector), offset)
		MOVQ(emit.Argument("m"), rows)
		MOVQ(w.first, w.place)
		if w.begin != nil {
			w.begin()
		}

		Label(w.panel + "_row")
		do(p)
		ADDQ(w.rowBytes, row)
		DECQ(rows)
		JNZ(LabelRef(w.panel + "_row"))
		if p.vectors == 8 {
			JMP(LabelRef(w.panel))
		}
		Label(done)
	}
}

// overInputs calls do for each input of a row with the two rows of its table that its
// place is between.
func (w *walk) overInputs(do func(low, high Mem)) {
	table, left, low, high := GP64(), emit.Argument("k"), GP64(), GP64()
	MOVQ(w.table, table)
	Label(w.panel + "_input")
	MOVL(w.offset(), low.As32())
	ADDQ(table, low)
	LEAQ(Mem{Base: low, Index: w.rowBytes, Scale: 1}, high)
	do(Mem{Base: low}, Mem{Base: high})
	ADDQ(w.tableBytes, table)
	ADDQ(Imm(float), w.place)
	DECQ(left)
	JNZ(LabelRef(w.panel + "_input"))
	// A row has places for a multiple of eight inputs.
	ADDQ(Imm(vector-1), w.place)
	ANDQ(I8(-vector), w.place)
}

func (p panel) load(row Mem) []VecVirtual {
	r := make([]VecVirtual, p.vectors)
	for v := range r {
		r[v] = p.loadOne(row, v)
	}
	return r
}

// loadOne loads a vector of a panel of a row.
func (p panel) loadOne(row Mem, v int) VecVirtual {
	r := YMM()
	if p.mask == nil {
		VMOVUPS(row.Offset(v*vector), r)
	} else {
		VMASKMOVPS(row, p.mask, r)
	}
	return r
}

// operand is a vector of a panel of a row, for an instruction that loads it.
func (p panel) operand(row Mem, v int) Op {
	if p.mask == nil {
		return row.Offset(v * vector)
	}
	return p.loadOne(row, v)
}

func (p panel) store(r VecVirtual, row Mem, v int) {
	if p.mask == nil {
		VMOVUPS(r, row.Offset(v*vector))
	} else {
		VMASKMOVPS(r, p.mask, row)
	}
}
