// Command vmath writes the assembly of kernels/vmath: each function of
// asm/internal/emit in a loop over a slice.
package main

import (
	"fmt"

	"github.com/eidolon-hep/eidolon/asm/internal/abreast"
	"github.com/eidolon-hep/eidolon/asm/internal/emit"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!purego")
	e := emit.New()
	for _, f := range []function{
		{name: "exp", abreast: 4, of: e.Exp, inRange: e.ExpInRange, outOfRange: e.OutOfExpRange},
		{name: "log", abreast: 4, of: e.Log, inRange: e.LogInRange, outOfRange: e.OutOfLogRange},
		{name: "tanh", abreast: 4, of: e.TanhAbs, odd: true},
		{name: "sigmoid", abreast: 4, of: e.Sigmoid},
		{name: "softplus", abreast: 2, of: e.Softplus},
	} {
		f.e = e
		f.overSlice()
		f.inRegisters()
	}
	Generate()
}

// function is one of emit's, and the number of vectors that it takes abreast.
type function struct {
	e       *emit.Emitter
	name    string
	abreast int
	of      func(x abreast.Vectors) abreast.Vectors
	odd     bool // of returns |f(x)|, and f(x) has the sign of x

	// Where a function is faster in a range, with the same bits, vectors abreast are
	// computed so unless any of their lanes is masked by outOfRange.
	inRange    func(x abreast.Vectors) abreast.Vectors
	outOfRange func(x abreast.Vectors) VecVirtual
}

const vector = 32 // bytes

// overSlice writes the function of slices: as many vectors abreast as may go, then one
// after the other, then a part of one.
func (f function) overSlice() {
	TEXT(f.name+"AVX2", NOSPLIT, "func(dst, src []float32)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%sAVX2 is %sPure eight at a time.", f.name, f.name))
	dst, src := Load(Param("dst").Base(), GP64()), Load(Param("src").Base(), GP64())
	n := Load(Param("src").Len(), GP64()).(GPVirtual)
	step := func(vectors int, of func(x abreast.Vectors, from []Op) abreast.Vectors) {
		x, from := abreast.New(vectors), make([]Op, vectors)
		x.Each(func(i int, r VecVirtual) {
			from[i] = Mem{Base: src, Disp: vector * i}
			VMOVUPS(from[i], r)
		})
		of(x, from).Each(func(i int, r VecVirtual) { VMOVUPS(r, Mem{Base: dst, Disp: vector * i}) })
		ADDQ(U32(vector*vectors), src)
		ADDQ(U32(vector*vectors), dst)
	}

	block := uint32(8 * f.abreast)
	SUBQ(U32(block), n)
	JL(LabelRef("few"))
	Label("block")
	step(f.abreast, f.ofBlock)
	SUBQ(U32(block), n)
	JGE(LabelRef("block"))

	Label("few")
	ADDQ(U32(block-8), n)
	JL(LabelRef("part"))
	Label("one")
	step(1, f.ofAny)
	SUBQ(U32(8), n)
	JL(LabelRef("part"))
	CMPQ(n, U32(block-8))
	JL(LabelRef("one"))
	SUBQ(U32(block-8), n)
	JMP(LabelRef("block"))

	Label("part")
	ADDQ(U32(8), n)
	JZ(LabelRef("end"))
	mask, x := f.e.Mask8(n), abreast.New(1)
	VMASKMOVPS(Mem{Base: src}, mask, x[0])
	VMASKMOVPS(f.ofAny(x, []Op{x[0]})[0], mask, Mem{Base: dst})

	Label("end")
	VZEROUPPER()
	RET()
}

// inRegisters writes what overSlice does to a block, again and again, without the loads
// and stores: it shows how fast that could be at most.
func (f function) inRegisters() {
	TEXT(f.name+"InRegisters", NOSPLIT, "func(blocks int)")
	Doc(fmt.Sprintf("%sInRegisters computes as %sAVX2 does for so many blocks of %d numbers, but without memory.", f.name, f.name, 8*f.abreast),
		"Benchmarks measure against it.")
	blocks, argument := Load(Param("blocks"), GP64()), YMM()
	VMOVAPS(f.e.Float(1), argument)
	Label("block")
	x, from := abreast.New(f.abreast), make([]Op, f.abreast)
	x.Each(func(i int, r VecVirtual) {
		from[i] = argument
		VMOVAPS(argument, r)
	})
	f.ofBlock(x, from)
	SUBQ(U32(1), blocks)
	JNZ(LabelRef("block"))
	Label("few")
	VZEROUPPER()
	RET()
}

// ofBlock is f(x) for vectors abreast. It jumps to few if that takes ofAny.
func (f function) ofBlock(x abreast.Vectors, from []Op) abreast.Vectors {
	if f.inRange == nil {
		return f.ofAny(x, from)
	}
	outside := GP32()
	VMOVMSKPS(f.outOfRange(x), outside)
	TESTL(outside, outside)
	JNZ(LabelRef("few"))
	return f.inRange(x)
}

// ofAny is f(x) for any x, which come from operands.
func (f function) ofAny(x abreast.Vectors, from []Op) abreast.Vectors {
	y := f.of(x)
	if f.odd {
		f.e.WithSign(y, from)
	}
	return y
}
