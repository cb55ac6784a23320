package main

import (
	"github.com/eidolon-hep/eidolon/asm/internal/emit"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// batch writes the loop over m rows of n columns and moves the pointers of all
// arguments along. The pointers stand at the element that is next.
type batch struct {
	e        *emit.Emitter
	m, n     GPVirtual
	matrices []pointer // m×n
	pairs    []pointer // either half of an m×2n
	vectors  []pointer // m
	total    *pointer  // the vector that takes the sums of the rows, if any
	sum      VecVirtual
}

// pointer is an argument's register and the distance of its rows in units of n bytes.
type pointer struct {
	Register
	stride uint8
}

func loadBatch(e *emit.Emitter) *batch {
	return &batch{
		e: e,
		m: Load(Param("m"), GP64()).(GPVirtual),
		n: Load(Param("n"), GP64()).(GPVirtual),
	}
}

func (b *batch) matrix(name string) pointer {
	p := pointer{Load(Param(name).Base(), GP64()), 4}
	b.matrices = append(b.matrices, p)
	return p
}

// halves returns the left and the right half of an m×2n argument.
func (b *batch) halves(name string) (left, right pointer) {
	left = pointer{Load(Param(name).Base(), GP64()), 8}
	right = pointer{GP64(), 8}
	LEAQ(Mem{Base: left, Index: b.n, Scale: 4}, right.Register)
	b.pairs = append(b.pairs, left, right)
	return left, right
}

func (b *batch) vector(name string) pointer {
	p := pointer{Register: Load(Param(name).Base(), GP64())}
	b.vectors = append(b.vectors, p)
	return p
}

// sumInto makes each add to the named vector, row by row, what the formula adds
// to the register returned.
func (b *batch) sumInto(name string) VecVirtual {
	total := b.vector(name)
	b.total, b.sum = &total, YMM()
	return b.sum
}

// each puts formula into the loop over the batch, and returns from the function.
func (b *batch) each(formula func(at span)) {
	CMPQ(b.n, Imm(4))
	JG(LabelRef("rows"))

	low := pair{b, b.e.Mask8(b.n)}
	Label("two_rows")
	SUBQ(Imm(2), b.m)
	JL(LabelRef("one_row"))
	b.clearSum()
	formula(low)
	for _, p := range b.matrices {
		LEAQ(Mem{Base: p, Index: b.n, Scale: 8}, p.Register)
	}
	for _, p := range b.pairs {
		LEAQ(Mem{Base: p, Index: b.n, Scale: 8}, p.Register)
		LEAQ(Mem{Base: p, Index: b.n, Scale: 8}, p.Register)
	}
	b.storeSum(2)
	JMP(LabelRef("two_rows"))
	Label("one_row")
	ADDQ(Imm(2), b.m)

	Label("rows")
	SUBQ(Imm(1), b.m)
	JL(LabelRef("end"))
	b.clearSum()
	columns := GP64()
	MOVQ(b.n, columns)

	Label("columns")
	SUBQ(Imm(8), columns)
	JL(LabelRef("rest"))
	formula(whole{})
	for _, p := range append(b.matrices, b.pairs...) {
		ADDQ(Imm(32), p.Register)
	}
	JMP(LabelRef("columns"))

	Label("rest")
	ADDQ(Imm(8), columns)
	JZ(LabelRef("row_done"))
	formula(part{b.e.Mask8(columns)})
	for _, p := range append(b.matrices, b.pairs...) {
		LEAQ(Mem{Base: p, Index: columns, Scale: 4}, p.Register)
	}

	Label("row_done")
	for _, p := range b.pairs {
		LEAQ(Mem{Base: p, Index: b.n, Scale: 4}, p.Register)
	}
	b.storeSum(1)
	JMP(LabelRef("rows"))

	Label("end")
	VZEROUPPER()
	RET()
}

func (b *batch) clearSum() {
	if b.total != nil {
		VXORPS(b.sum, b.sum, b.sum)
	}
}

// storeSum adds the sum of the lanes to the total of one row, or those of either
// half of the lanes to the totals of two, and goes on to the next.
func (b *batch) storeSum(rows int) {
	if b.total != nil {
		low, high := b.sum.AsX(), XMM()
		VEXTRACTF128(Imm(1), b.sum, high)
		if rows == 1 {
			VADDPS(high, low, low)
		}
		for row, x := range []Register{low, high}[:rows] {
			at := Mem{Base: b.total, Disp: 4 * row}
			VHADDPS(x, x, x)
			VHADDPS(x, x, x)
			VADDSS(at, x, x)
			VMOVSS(x, at)
		}
	}
	for _, p := range b.vectors {
		ADDQ(Imm(uint64(4*rows)), p.Register)
	}
}

// span is what a register covers of the batch.
type span interface {
	load(p pointer) VecVirtual
	store(v VecVirtual, p pointer)
	broadcast(p pointer) VecVirtual // a row's element of a vector, to all of its columns
}

// whole is eight columns of a row.
type whole struct{}

func (whole) load(p pointer) VecVirtual {
	v := YMM()
	VMOVUPS(Mem{Base: p}, v)
	return v
}

func (whole) store(v VecVirtual, p pointer) { VMOVUPS(v, Mem{Base: p}) }

func (whole) broadcast(p pointer) VecVirtual {
	v := YMM()
	VBROADCASTSS(Mem{Base: p}, v)
	return v
}

// part is the last columns of a row, fewer than eight.
type part struct{ mask VecVirtual }

func (s part) load(p pointer) VecVirtual {
	v := YMM()
	VMASKMOVPS(Mem{Base: p}, s.mask, v)
	return v
}

func (s part) store(v VecVirtual, p pointer) { VMASKMOVPS(v, s.mask, Mem{Base: p}) }

func (s part) broadcast(p pointer) VecVirtual { return whole{}.broadcast(p) }

// pair is two rows of at most four columns.
type pair struct {
	*batch
	mask VecVirtual
}

func (s pair) second(p pointer) Mem { return Mem{Base: p, Index: s.n, Scale: p.stride} }

func (s pair) load(p pointer) VecVirtual {
	v, high := YMM(), XMM()
	VMASKMOVPS(Mem{Base: p}, s.mask.AsX(), v.AsX())
	VMASKMOVPS(s.second(p), s.mask.AsX(), high)
	VINSERTF128(Imm(1), high, v, v)
	return v
}

func (s pair) store(v VecVirtual, p pointer) {
	high := XMM()
	VEXTRACTF128(Imm(1), v, high)
	VMASKMOVPS(v.AsX(), s.mask.AsX(), Mem{Base: p})
	VMASKMOVPS(high, s.mask.AsX(), s.second(p))
}

func (pair) broadcast(p pointer) VecVirtual {
	v, high := YMM(), XMM()
	VBROADCASTSS(Mem{Base: p}, v.AsX())
	VBROADCASTSS(Mem{Base: p, Disp: 4}, high)
	VINSERTF128(Imm(1), high, v, v)
	return v
}
