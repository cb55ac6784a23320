// Command coupling writes the assembly of kernels/coupling.
//
// Rows are short, and a vector holds eight columns. So the formulas, which are in
// this file, know no rows: they take m·n elements side by side. What does not lie so in
// memory, the rows of st and gst and vectors with one number for each row, goes over
// the stack (see rows.go).
package main

import (
	"github.com/eidolon-hep/eidolon/asm/internal/abreast"
	"github.com/eidolon-hep/eidolon/asm/internal/emit"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
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
	TEXT("forwardAVX2", 0, "func(y, s, logDet, x, r, t *float32, m, n, stride int, bound float32)")
	Pragma("noescape")
	Doc("forwardAVX2 is forwardPure for a block, with the rows of r and t stride apart. s may be nil.")
	b := newBlock(e)
	bound, inverse := b.bounds()
	r, t, scales := b.gather("r"), b.gather("t"), b.scratch()
	x, y, s := b.matrix("x"), b.matrix("y"), b.matrix("s")

	b.elements(func(at span) {
		scale := softBound(at, r, inverse, bound)
		at.store(scale, scales)
		at.storeUnlessNil(scale, s)
	})
	b.elements(func(at span) {
		factor, value, shift := e.ExpInRange(at.load(scales)), at.load(x), at.operands(t)
		value.Each(func(i int, v VecVirtual) { VFMADD213PS(shift[i], factor[i], v) })
		at.store(value, y)
	})
	b.addRows(scales, "logDet")
	b.end()
}

func inverse(e *emit.Emitter) {
	TEXT("inverseAVX2", 0, "func(x, logDet, y, r, t *float32, m, n, stride int, bound float32)")
	Pragma("noescape")
	Doc("inverseAVX2 is inversePure for a block, with the rows of r and t stride apart.")
	b := newBlock(e)
	minus, inverse := b.bounds()
	b.negate(minus)
	r, t, scales := b.gather("r"), b.gather("t"), b.scratch()
	x, y := b.matrix("x"), b.matrix("y")

	b.elements(func(at span) {
		at.store(softBound(at, r, inverse, minus), scales) // −s
	})
	b.elements(func(at span) {
		factor, value, shift := e.ExpInRange(at.load(scales)), at.load(y), at.operands(t)
		value.Each(func(i int, v VecVirtual) {
			VSUBPS(shift[i], v, v)
			VMULPS(factor[i], v, v)
		})
		at.store(value, x)
	})
	b.addRows(scales, "logDet")
	b.end()
}

func backward(e *emit.Emitter) {
	TEXT("backwardAVX2", 0, "func(gx, gr, gt, gy, gl, x, s *float32, m, n, stride int, bound float32)")
	Pragma("noescape")
	Doc("backwardAVX2 is backwardPure for a block, with the rows of gr and gt stride apart.")
	b := newBlock(e)
	_, inverse := b.bounds()
	gl, gr, gt := b.spread("gl"), b.scratch(), b.scratch()
	gx, gy, x, s := b.matrix("gx"), b.matrix("gy"), b.matrix("x"), b.matrix("s")

	b.elements(func(at span) {
		factor := e.ExpInRange(at.load(s))
		grad := at.load(gy)
		at.store(grad, gt)
		grad.Each(func(i int, v VecVirtual) { VMULPS(factor[i], v, v) })
		at.store(grad, gx)

		value, add := at.load(x), at.operands(gl)
		grad.Each(func(i int, v VecVirtual) { VFMADD213PS(add[i], value[i], v) })
		slope := at.load(s).With(VMULPS, inverse)
		slope.Each(func(i int, v VecVirtual) {
			VFNMADD213PS(e.Float(1), v, v)
			VMULPS(v, grad[i], grad[i])
		})
		at.store(grad, gr)
	})
	b.scatter(gr, "gr", gt, "gt")
	b.end()
}

// softBound is bound·tanh(r/bound).
func softBound(at span, r place, inverse, bound Mem) abreast.Vectors {
	tanh := at.e.TanhAbs(at.load(r).With(VMULPS, inverse))
	at.e.WithSign(tanh, at.operands(r))
	return tanh.With(VMULPS, bound)
}
