package main

import (
	"github.com/eidolon-hep/eidolon/asm/internal/emit"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// gather returns a copy on the stack of rows that are stride apart.
func (b *block) gather(name string) place {
	from, to, p, v := emit.Argument(name), GP64(), b.scratch(), YMM()
	LEAQ(p.Mem, to)
	b.eachRow(func(c columns) {
		if c.mask == nil {
			VMOVUPS(c.of(from), v)
		} else {
			VMASKMOVPS(c.of(from), c.mask, v)
		}
		VMOVUPS(v, c.of(to))
	}, func() {
		next(from, b.stride)
		next(to, b.n)
	})
	return p
}

// spread returns rows on the stack that repeat the number that a vector has for each.
func (b *block) spread(name string) place {
	from, to, p, v := emit.Argument(name), GP64(), b.scratch(), YMM()
	LEAQ(p.Mem, to)
	b.eachRow(func(c columns) {
		VBROADCASTSS(Mem{Base: from}, v)
		VMOVUPS(v, c.of(to))
	}, func() {
		ADDQ(Imm(float), from)
		next(to, b.n)
	})
	return p
}

// scatter copies rows from the stack to where they are stride apart: those of left,
// and behind each the one of right.
func (b *block) scatter(left place, toLeft string, right place, toRight string) {
	from, to := [2]GPVirtual{GP64(), GP64()}, [2]GPVirtual{emit.Argument(toLeft), emit.Argument(toRight)}
	LEAQ(left.Mem, from[0])
	LEAQ(right.Mem, from[1])
	room := GP64() // for so many numbers from here on, counted from the right row
	LEAQ(Mem{Base: b.m, Disp: -1}, room)
	IMULQ(b.stride, room)
	ADDQ(b.n, room)

	b.eachRow(func(c columns) {
		copyRows := func(store func(v VecVirtual, to Mem)) {
			for i := range from {
				v := YMM()
				VMOVUPS(c.of(from[i]), v)
				store(v, c.of(to[i]))
			}
		}
		whole := func(v VecVirtual, to Mem) { VMOVUPS(v, to) }
		if c.mask == nil {
			copyRows(whole)
			return
		}
		CMPQ(room, Imm(8))
		JL(LabelRef("last_rows"))
		copyRows(whole)
		JMP(LabelRef("row_copied"))
		Label("last_rows")
		copyRows(func(v VecVirtual, to Mem) { VMASKMOVPS(v, c.mask, to) })
		Label("row_copied")
	}, func() {
		for i := range from {
			next(from[i], b.n)
			next(to[i], b.stride)
		}
		SUBQ(b.stride, room)
	})
}

// columns are eight of a row. Where a row is shorter, they have a mask; but rows are
// gone through from the first to the last, and what is written too much is
// overwritten by the next.
type columns struct {
	mask   Register
	offset Register // of the first, in bytes, unless it is 0
}

func (c columns) of(row Register) Mem {
	if c.offset == nil {
		return Mem{Base: row}
	}
	return Mem{Base: row, Index: c.offset, Scale: 1}
}

// eachRow repeats f along a row, then next, for all rows. The last columns of
// long rows may overlap with those before, to end with the row.
func (b *block) eachRow(f func(c columns), next func()) {
	short, long, done := b.label("short"), b.label("long"), b.label("rows_done")
	along, last := b.label("along"), b.label("last")
	rows, offset, end := GP64(), GP64(), GP64()
	MOVQ(b.m, rows)
	CMPQ(b.n, Imm(8))
	JGE(LabelRef(long))

	mask := b.e.Mask8(b.n)
	Label(short)
	f(columns{mask: mask})
	next()
	SUBQ(Imm(1), rows)
	JNZ(LabelRef(short))
	JMP(LabelRef(done))

	Label(long)
	LEAQ(Mem{Base: b.n, Disp: -8}, end)
	SHLQ(Imm(2), end)
	row := b.label("row")
	Label(row)
	XORQ(offset, offset)
	Label(along)
	CMPQ(offset, end)
	JGE(LabelRef(last))
	f(columns{offset: offset})
	ADDQ(Imm(vector), offset)
	JMP(LabelRef(along))
	Label(last)
	f(columns{offset: end})
	next()
	SUBQ(Imm(1), rows)
	JNZ(LabelRef(row))
	Label(done)
}

// next moves a pointer to the next row.
func next(row, stride GPVirtual) { LEAQ(Mem{Base: row, Index: stride, Scale: float}, row) }

// addRows adds the sum of each row of a place to a vector, four at a time. The
// order of the additions depends on n only.
func (b *block) addRows(p place, name string) {
	totals, left, last := emit.Argument(name), GP64(), GP64()
	rows, sums := [4]GPVirtual{}, [4]VecVirtual{}
	for i := range rows {
		rows[i], sums[i] = GP64(), YMM()
	}
	LEAQ(p.Mem, rows[0])
	MOVQ(b.m, left)
	LEAQ(Mem{Base: left, Disp: -1}, last)
	IMULQ(b.n, last)
	LEAQ(Mem{Base: rows[0], Index: last, Scale: float}, last)
	rest := GP64()
	MOVQ(b.n, rest)
	ANDQ(Imm(7), rest)
	mask := b.e.Mask8(rest)

	Label("four")
	for i := 1; i < 4; i++ { // behind the last, the last again
		LEAQ(Mem{Base: rows[i-1], Index: b.n, Scale: float}, rows[i])
		CMPQ(rows[i], last)
		CMOVQGT(last, rows[i])
	}
	for _, sum := range sums {
		VXORPS(sum, sum, sum)
	}
	offset, columns := GP64(), GP64()
	XORQ(offset, offset)
	MOVQ(b.n, columns)
	SUBQ(Imm(8), columns)
	JL(LabelRef("add_rest"))
	Label("add_whole")
	for i, sum := range sums {
		VADDPS(Mem{Base: rows[i], Index: offset, Scale: 1}, sum, sum)
	}
	ADDQ(Imm(vector), offset)
	SUBQ(Imm(8), columns)
	JGE(LabelRef("add_whole"))
	Label("add_rest")
	for i, sum := range sums {
		v := YMM()
		VANDPS(Mem{Base: rows[i], Index: offset, Scale: 1}, mask, v)
		VADDPS(v, sum, sum)
	}

	for _, sum := range sums {
		high := XMM()
		VEXTRACTF128(Imm(1), sum, high)
		VADDPS(high, sum.AsX(), sum.AsX())
	}
	sum := sums[0].AsX()
	VHADDPS(sums[1].AsX(), sum, sum)
	VHADDPS(sums[3].AsX(), sums[2].AsX(), sums[2].AsX())
	VHADDPS(sums[2].AsX(), sum, sum)
	SUBQ(Imm(4), left)
	JL(LabelRef("total_rest"))
	VADDPS(Mem{Base: totals}, sum, sum)
	VMOVUPS(sum, Mem{Base: totals})
	ADDQ(Imm(4*float), totals)
	LEAQ(Mem{Base: rows[3], Index: b.n, Scale: float}, rows[0])
	TESTQ(left, left)
	JNZ(LabelRef("four"))
	JMP(LabelRef("added"))
	Label("total_rest")
	ADDQ(Imm(4), left)
	these, total := b.e.Mask8(left).AsX(), XMM()
	VMASKMOVPS(Mem{Base: totals}, these, total)
	VADDPS(total, sum, sum)
	VMASKMOVPS(sum, these, Mem{Base: totals})
	Label("added")
}
