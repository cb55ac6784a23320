package main

import (
	"fmt"

	"github.com/eidolon-hep/eidolon/asm/internal/emit"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// together is how many queries have their sums in registers at a time, given
// the sums that each has: twelve registers, so that there are enough additions
// in flight, and four for what is added. With AVX-512 there are up to 24 of 32.
func together(sums int) int {
	if wide {
		return queries / ((sums + 1) / 2)
	}
	return queries / sums
}

// sums writes the function that sums up the weights, alone or with their
// products with at most 3 columns of the events.
func sums(columns int) {
	begin(fmt.Sprintf("sums%d", columns), fmt.Sprintf("adds Σ w and Σ w·x for x from %d columns of the events.", columns))
	overBlocks(together(1+columns), 1+columns, func(acc [][]VecVirtual, at from) {
		x := at.columns(columns)
		for q, a := range acc {
			w := load(at.w(q))
			VADDPS(w, a[0], a[0])
			for c := range x {
				VFMADD231PS(w, x[c], a[1+c])
			}
		}
	})
}

// products writes the function that sums up the products of the weights with
// at most 4 columns of the events.
func products(columns int) {
	begin(fmt.Sprintf("products%d", columns), fmt.Sprintf("adds Σ w·x for x from %d columns of the events.", columns))
	overBlocks(together(columns), columns, func(acc [][]VecVirtual, at from) {
		if !wide && columns > len(acc) { // the weights stay in registers: with the columns there would be 17
			w := make([]VecVirtual, len(acc))
			for q := range w {
				w[q] = load(at.w(q))
			}
			for c := range columns {
				x := load(at.column(c))
				for q, a := range acc {
					VFMADD231PS(w[q], x, a[c])
				}
			}
			return
		}
		x := at.columns(columns)
		for q, a := range acc {
			if columns == 1 {
				VFMADD231PS(at.w(q), x[0], a[0])
				continue
			}
			w := load(at.w(q))
			for c := range x {
				VFMADD231PS(w, x[c], a[c])
			}
		}
	})
}

// squares writes the function that sums up the squares of the weights.
func squares() {
	begin("squares", "adds Σ w².")
	overBlocks(together(1), 1, func(acc [][]VecVirtual, at from) {
		for q, a := range acc {
			w := load(at.w(q))
			VFMADD231PS(w, w, a[0])
		}
	})
}

// excess writes the function that sums up the exponents without the penalties,
// times the weights.
func excess() {
	begin("excess", "adds Σ w·(v − x) for x from the column of the events' penalties.")
	overBlocks(together(1), 1, func(acc [][]VecVirtual, at from) {
		penalty, far := at.columns(1)[0], constant(farthest)
		for q, a := range acc {
			v := register()
			VPMINSD(at.v(q), far, v)
			VSUBPS(penalty, v, v)
			VFMADD231PS(at.w(q), v, a[0])
		}
	})
}

// begin begins a function that adds to the sums of a tile's queries.
func begin(name, does string) {
	name += set
	TEXT(name, NOSPLIT, "func(lanes, w, v, x *float32, blocks, rows, columns int)")
	Pragma("noescape")
	Doc(name+" "+does, "lanes and x point to the first column concerned, of so many columns of sums",
		"and rows of events. Only excess uses v.")
}

// from says where the operands of a part of a block are, a register of each row.
type from struct {
	weights, exponents, events Register
	part                       int
}

func (f from) w(query int) Mem { return at(f.weights, query*row+f.part*vector) }
func (f from) v(query int) Mem { return at(f.exponents, query*row+f.part*vector) }

func (f from) column(c int) Mem { return at(f.events, c*row+f.part*vector) }

// columns loads the first columns of the events.
func (f from) columns(n int) []VecVirtual {
	x := make([]VecVirtual, n)
	for c := range x {
		x[c] = load(f.column(c))
	}
	return x
}

// overBlocks takes so many queries at a time, each with so many sums, through
// all blocks, and then adds the sums to the lanes.
func overBlocks(together, sums int, add func(acc [][]VecVirtual, at from)) {
	to, w, v := emit.Argument("lanes"), emit.Argument("w"), emit.Argument("v")
	size, next := emit.Argument("rows"), emit.Argument("columns")
	IMUL3Q(U32(row), size, size)
	IMUL3Q(U32(lanes), next, next)
	end := flushing()
	group := GP64()
	MOVQ(U32(queries/together), group)

	Label("group")
	acc := make([][]VecVirtual, together)
	for q := range acc {
		for range sums {
			acc[q] = append(acc[q], zero())
		}
	}
	n, p := emit.Argument("blocks"), from{weights: GP64(), exponents: GP64(), events: emit.Argument("x")}
	MOVQ(w, p.weights)
	MOVQ(v, p.exponents)

	Label("block")
	for p.part = range row / vector {
		add(acc, p)
	}
	ADDQ(U32(queries*row), p.weights)
	ADDQ(U32(queries*row), p.exponents)
	ADDQ(size, p.events)
	DECQ(n)
	JNZ(LabelRef("block"))

	for _, a := range acc {
		for c, r := range a {
			sum := r.AsY()
			if wide {
				VADDPS(upper(r), sum, sum)
			}
			VADDPS(at(to, c*lanes), sum, sum)
			VMOVUPS(sum, at(to, c*lanes))
		}
		ADDQ(next, to)
	}
	ADDQ(U32(together*row), w)
	ADDQ(U32(together*row), v)
	DECQ(group)
	JNZ(LabelRef("group"))
	end()
	VZEROUPPER()
	RET()
}
