// Command coupling writes the assembly of kernels/coupling.
//
// A register holds either eight columns of one row or, where n ≤ 4, four
// columns of each of two rows (see span). Every kernel is a formula over
// registers put into the one loop over the batch (see batch), so that
// neither knows of the other. Columns beyond n read as zero, have s = 0 and add
// nothing to the sum of a row.
package main

import (
	"log"

	"github.com/eidolon-hep/eidolon/asm/internal/emit"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!purego")
	e := emit.New()
	forward(e)
	inverse(e)
	backward(e)
	Generate()
}

func forward(e *emit.Emitter) {
	TEXT("forwardAVX2", NOSPLIT, "func(y, s, logDet, x, st []float32, m, n int, bound float32)")
	Pragma("noescape")
	Doc("forwardAVX2 is forwardPure with registers of eight. s may be y, which is written after it.")
	b := loadBatch(e)
	y, s, x := b.matrix("y"), b.matrix("s"), b.matrix("x")
	r, t := b.halves("st")
	sum := b.sumInto("logDet")
	bound, inverse := loadBound(e)

	b.each(func(at span) {
		scale, value := at.load(r), at.load(x)
		VMULPS(inverse, scale, scale)
		scale = e.Tanh8(scale)
		VMULPS(bound, scale, scale)
		at.store(scale, s)
		VADDPS(scale, sum, sum)

		factor := e.Exp8(scale)
		VFMADD213PS(at.load(t), factor, value)
		at.store(value, y)
	})
}

func inverse(e *emit.Emitter) {
	TEXT("inverseAVX2", NOSPLIT, "func(x, logDet, y, st []float32, m, n int, bound float32)")
	Pragma("noescape")
	Doc("inverseAVX2 is inversePure with registers of eight.")
	b := loadBatch(e)
	x, y := b.matrix("x"), b.matrix("y")
	r, t := b.halves("st")
	sum := b.sumInto("logDet")
	bound, inverse := loadBound(e)
	VXORPS(e.Bits(1<<31), inverse, inverse) // scale is −s below

	b.each(func(at span) {
		scale := at.load(r)
		VMULPS(inverse, scale, scale)
		scale = e.Tanh8(scale)
		VMULPS(bound, scale, scale)
		VADDPS(scale, sum, sum)

		value := at.load(y)
		VSUBPS(at.load(t), value, value)
		VMULPS(e.Exp8(scale), value, value)
		at.store(value, x)
	})
}

func backward(e *emit.Emitter) {
	TEXT("backwardAVX2", NOSPLIT, "func(gx, gst, gy, gl, x, s []float32, m, n int, bound float32)")
	Pragma("noescape")
	Doc("backwardAVX2 is backwardPure with registers of eight.")
	b := loadBatch(e)
	gx, gy, x, s := b.matrix("gx"), b.matrix("gy"), b.matrix("x"), b.matrix("s")
	gr, gt := b.halves("gst")
	gl := b.vector("gl")
	_, inverse := loadBound(e)

	b.each(func(at span) {
		scale, grad := at.load(s), at.load(gy)
		at.store(grad, gt)
		VMULPS(e.Exp8(scale), grad, grad)
		at.store(grad, gx)

		VFMADD132PS(at.load(x), at.broadcast(gl), grad)
		slope := YMM()
		VMULPS(inverse, scale, scale)
		VMOVAPS(e.Float(1), slope)
		VFNMADD231PS(scale, scale, slope)
		VMULPS(slope, grad, grad)
		at.store(grad, gr)
	})
}

// loadBound returns eight times bound and eight times 1/bound.
func loadBound(e *emit.Emitter) (bound, inverse VecVirtual) {
	bound, inverse = YMM(), YMM()
	param, err := Param("bound").Resolve()
	if err != nil {
		log.Fatal(err)
	}
	VBROADCASTSS(param.Addr, bound)
	VMOVAPS(e.Float(1), inverse)
	VDIVPS(bound, inverse, inverse)
	return bound, inverse
}
