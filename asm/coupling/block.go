package main

import (
	"fmt"
	"log"

	"github.com/eidolon-hep/eidolon/asm/internal/abreast"
	"github.com/eidolon-hep/eidolon/asm/internal/emit"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const (
	blockLen = 512 // the largest m·n, as in kernels/coupling

	float     = 4 // bytes
	vector    = 8 * float
	frameSize = 3*(blockLen*float+vector) + 2*vector
)

// block is m rows of n columns, at least one of each and at most blockLen elements.
type block struct {
	e            *emit.Emitter
	m, n, stride GPVirtual
	frame        GPVirtual // where the stack is aligned to vectors
	used, labels int       // bytes of the frame, and labels
}

func newBlock(e *emit.Emitter) *block {
	b := &block{e: e, m: emit.Argument("m"), n: emit.Argument("n"), stride: emit.Argument("stride"), frame: GP64()}
	LEAQ(AllocLocal(frameSize+vector), b.frame)
	ADDQ(Imm(vector-1), b.frame)
	ANDQ(I8(-vector), b.frame)
	return b
}

// place is where the elements of a block lie side by side. On the stack there is a
// vector of room behind them.
type place struct {
	Mem
	onStack bool
}

func (b *block) matrix(name string) place { return place{Mem: Mem{Base: emit.Argument(name)}} }

func (b *block) scratch() place { return place{b.local(blockLen*float + vector), true} }

// local is so many bytes of the stack.
func (b *block) local(bytes int) Mem {
	m := Mem{Base: b.frame, Disp: b.used}
	if b.used += bytes; b.used > frameSize {
		log.Fatal("coupling: the frame is too small")
	}
	return m
}

// bounds returns eight times bound and eight times 1/bound.
func (b *block) bounds() (bound, inverse Mem) {
	bound, inverse = b.local(vector), b.local(vector)
	param, err := Param("bound").Resolve()
	if err != nil {
		log.Fatal(err)
	}
	v, w := YMM(), YMM()
	VBROADCASTSS(param.Addr, v)
	VMOVUPS(v, bound)
	VMOVAPS(b.e.Float(1), w)
	VDIVPS(v, w, w)
	VMOVUPS(w, inverse)
	return bound, inverse
}

// negate turns the sign of eight numbers.
func (b *block) negate(m Mem) {
	v := YMM()
	VMOVUPS(m, v)
	VXORPS(b.e.Bits(1<<31), v, v)
	VMOVUPS(v, m)
}

func (b *block) end() {
	VZEROUPPER()
	RET()
}

func (b *block) label(name string) string {
	b.labels++
	return fmt.Sprintf("%s_%d", name, b.labels)
}

// elements puts formula into a loop over all elements: four vectors abreast, then
// one after the other, then a part of one.
func (b *block) elements(formula func(at span)) {
	const vectors = 4
	four, few, one, part, done := b.label("four"), b.label("few"), b.label("one"), b.label("part"), b.label("elements_done")
	offset, left := GP64(), GP64()
	XORQ(offset, offset)
	MOVQ(b.m, left)
	IMULQ(b.n, left)

	SUBQ(Imm(8*vectors), left)
	JL(LabelRef(few))
	Label(four)
	formula(span{b, vectors, nil, offset})
	ADDQ(U32(vector*vectors), offset)
	SUBQ(Imm(8*vectors), left)
	JGE(LabelRef(four))

	Label(few)
	ADDQ(Imm(8*(vectors-1)), left)
	JL(LabelRef(part))
	Label(one)
	formula(span{b, 1, nil, offset})
	ADDQ(Imm(vector), offset)
	SUBQ(Imm(8), left)
	JGE(LabelRef(one))

	Label(part)
	ADDQ(Imm(8), left)
	JZ(LabelRef(done))
	formula(span{b, 1, b.e.Mask8(left), offset})
	Label(done)
}

// span is so many vectors of elements. If they have a mask, some do not exist.
type span struct {
	*block
	vectors int
	mask    Register
	offset  GPVirtual // of the first, in bytes
}

func (s span) at(p place, i int) Mem {
	m := p.Offset(vector * i)
	m.Index, m.Scale = s.offset, 1
	return m
}

// operands are the elements in a place on the stack.
func (s span) operands(p place) []Op {
	ops := make([]Op, s.vectors)
	for i := range ops {
		ops[i] = s.at(p, i)
	}
	return ops
}

func (s span) load(p place) abreast.Vectors {
	v := abreast.New(s.vectors)
	v.Each(func(i int, r VecVirtual) {
		if s.mask == nil || p.onStack {
			VMOVUPS(s.at(p, i), r)
		} else {
			VMASKMOVPS(s.at(p, i), s.mask, r)
		}
	})
	return v
}

func (s span) store(v abreast.Vectors, p place) {
	v.Each(func(i int, r VecVirtual) {
		if s.mask == nil || p.onStack {
			VMOVUPS(r, s.at(p, i))
		} else {
			VMASKMOVPS(r, s.mask, s.at(p, i))
		}
	})
}

func (s span) storeUnlessNil(v abreast.Vectors, p place) {
	isNil := s.label("nil")
	TESTQ(p.Base, p.Base)
	JZ(LabelRef(isNil))
	s.store(v, p)
	Label(isNil)
}
