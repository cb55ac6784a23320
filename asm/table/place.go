package main

import (
	"github.com/eidolon-hep/eidolon/asm/internal/abreast"
	"github.com/eidolon-hep/eidolon/asm/internal/emit"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const (
	blockLen  = 512   // as in kernels/table: the most places, a row's being a multiple of eight
	steepness = 1.702 // as there, too

	// A place is a position in a cell, the offset of the cell in its table, and the
	// derivative of the position. So far apart lie these.
	kind = blockLen * float
)

// places are those of a block's inputs, on the stack.
type places struct {
	first, place GPVirtual // the first, and the one at hand
	one          VecVirtual
}

func (p places) position() Mem { return Mem{Base: p.place} }
func (p places) offset() Mem   { return Mem{Base: p.place, Disp: kind} }
func (p places) slope() Mem    { return Mem{Base: p.place, Disp: 2 * kind} }

// shares are those of a cell's ends in a function's value: position, and 1 − position.
func (p places) shares() (f, g VecVirtual) {
	f, g = YMM(), YMM()
	VBROADCASTSS(p.position(), f)
	VSUBPS(f, p.one, g)
	return f, g
}

// findPlaces finds the places of all rows of x, as place in kernels/table does.
func findPlaces(slopes bool) places {
	p := places{GP64(), GP64(), YMM()}
	kinds := 2
	if slopes {
		kinds = 3
	}
	LEAQ(AllocLocal(kinds*kind+vector), p.first)
	ADDQ(Imm(vector-1), p.first)
	ANDQ(I8(-vector), p.first)
	MOVQ(p.first, p.place)

	cells, rowBytes, last, scale := YMM(), YMM(), YMM(), YMM()
	spread := func(name string, v VecVirtual) {
		VMOVD(emit.Argument(name).As32(), v.AsX())
		VPBROADCASTD(v.AsX(), v)
	}
	spread("cells", last)
	VCVTDQ2PS(last, cells)
	minusOne := YMM()
	VPCMPEQD(minusOne, minusOne, minusOne)
	VPADDD(minusOne, last, last)
	spread("n", rowBytes)
	VPSLLD(Imm(2), rowBytes, rowBytes)
	VMULPS(constants.Float(steepness), cells, scale)

	x, stride, rows := emit.Argument("x"), emit.Argument("stride"), emit.Argument("m")
	SHLQ(Imm(2), stride)
	Label("places")
	left, from := emit.Argument("k"), GP64()
	MOVQ(x, from)
	Label("eight_places")
	mask, v := constants.Mask8(left), YMM()
	VMASKMOVPS(Mem{Base: from}, mask, v)
	VMULPS(constants.Float(steepness), v, v)
	u := constants.Sigmoid(abreast.Vectors{v})[0]

	at, cell, start := YMM(), YMM(), YMM()
	VMULPS(cells, u, at)
	VCVTTPS2DQ(at, cell) // the lowest integer where at is NaN
	VPMINSD(last, cell, cell)
	VPMAXSD(constants.Bits(0), cell, cell)
	VCVTDQ2PS(cell, start)
	VSUBPS(start, at, at)
	VMOVUPS(at, p.position())
	VPMULLD(rowBytes, cell, cell)
	VMOVDQU(cell, p.offset())
	if slopes {
		slope := YMM()
		VMOVAPS(constants.Float(1), slope)
		VSUBPS(u, slope, slope)
		VMULPS(u, slope, slope)
		VMULPS(scale, slope, slope)
		VMOVUPS(slope, p.slope())
	}
	ADDQ(Imm(vector), p.place)
	ADDQ(Imm(vector), from)
	SUBQ(Imm(8), left)
	JG(LabelRef("eight_places"))
	ADDQ(stride, x)
	DECQ(rows)
	JNZ(LabelRef("places"))

	VMOVAPS(constants.Float(1), p.one)
	return p
}
