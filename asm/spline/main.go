// Command spline writes the assembly of kernels/spline.
//
// A register holds eight elements, each with its own spline. Their parameters are
// transposed to the stack. What goes through the bins is in curve.go, how parameters
// get there and gradients back in transpose.go, the formulas within a bin in piece.go.
package main

import (
	"github.com/eidolon-hep/eidolon/asm/internal/abreast"
	"github.com/eidolon-hep/eidolon/asm/internal/emit"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
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
	TEXT("forwardAVX2", 0, "func(y, logSlope, x, params []float32, bins int, bound, floor, free float32, group int)")
	Pragma("noescape")
	Doc("forwardAVX2 is forwardPure for a group of vectors of eight elements at a time. It needs an element and two bins.")
	c := loadCurves(e, "x")
	var (
		v, inside, slope Mem
		b                bin
		p                piece
	)
	c.each(func() {
		c.loadSlots()
		factor := c.exponentials()
		v, inside = c.clip("x")
		b = c.search(widths, v, factor)
	}, func() {
		p = newPiece(e, b, c.slopes(b))
	}, func() {
		t := p.terms(p.position(v))
		slope = c.save(t.slope())
		VMULPS(p.h, t.top, t.top)
		VDIVPS(t.bottom, t.top, t.top)
		VADDPS(p.y, t.top, t.top)
		c.store(c.within(inside, t.top, "x"), "y")
	}, func() {
		log := e.Log(abreast.Vectors{load(slope)})[0]
		VANDPS(inside, log, log)
		c.store(log, "logSlope")
	})
}

func inverse(e *emit.Emitter) {
	TEXT("inverseAVX2", 0, "func(x, logSlope, y, params []float32, bins int, bound, floor, free float32, group int) (clamped int)")
	Pragma("noescape")
	Doc("inverseAVX2 is inversePure for a group of vectors of eight elements at a time. It needs an element and two bins.")
	c := loadCurves(e, "y")
	clamped, _ := ReturnIndex(0).Resolve()
	none := GP64()
	XORQ(none, none)
	MOVQ(none, clamped.Addr)
	var (
		v, inside, xi, slope Mem
		b                    bin
		p                    piece
	)
	c.each(func() {
		c.loadSlots()
		factor := c.exponentials()
		v, inside = c.clip("y")
		b = c.search(heights, v, factor)
	}, func() {
		p = newPiece(e, b, c.slopes(b))
	}, func() {
		position, negative := p.solve(v)
		xi = c.save(position)
		VANDPS(inside, negative, negative)
		bits, count := GP32(), GP64()
		VMOVMSKPS(negative, bits)
		POPCNTL(bits, count.As32())
		ADDQ(count, clamped.Addr)
	}, func() {
		position := load(xi)
		slope = c.save(p.terms(position).slope())
		VMULPS(p.w, position, position)
		VADDPS(p.x, position, position)
		c.store(c.within(inside, position, "y"), "x")
	}, func() {
		log := e.Log(abreast.Vectors{load(slope)})[0]
		VXORPS(e.Bits(1<<31), log, log)
		VANDPS(inside, log, log)
		c.store(log, "logSlope")
	})
}

func backward(e *emit.Emitter) {
	TEXT("backwardAVX2", 0, "func(gx, gparams, gy, gl, x, params []float32, bins int, bound, floor, free float32, group int)")
	Pragma("noescape")
	Doc("backwardAVX2 is backwardPure for a group of vectors of eight elements at a time. It needs an element and two bins.")
	c := loadCurves(e, "x")
	var (
		v, inside, gy, gl         Mem
		factor, slope, derivative [2]Mem
		b                         bin
		g                         piece
	)
	c.each(func() {
		c.loadSlots()
		factor = c.exponentials()
		v, inside = c.clip("x")
		b = c.search(widths, v, factor)
	}, func() {
		slope = c.slopes(b)
	}, func() {
		derivative = c.slopeDerivatives(b)
	}, func() {
		y, log := c.load("gy"), c.load("gl")
		VANDPS(inside, y, y)
		VANDPS(inside, log, log)
		gy, gl = c.save(y), c.save(log)
		p := newPiece(e, b, slope)
		g = p.gradient(c.save(p.position(v)), gy, gl, c.save)
		minus := load(g.x)
		VXORPS(e.Bits(1<<31), minus, minus)
		c.store(c.within(inside, minus, "gy"), "gx")
	}, func() {
		logits := [2]Mem{g.left, g.right}
		for i, to := range logits {
			logit := load(derivative[i])
			VMULPS(to, logit, logit)
			VMOVUPS(logit, to)
		}
		c.gradient(b, factor, [2]Mem{g.x, g.y}, [2]Mem{g.w, g.h}, logits)
		c.storeSlots("gparams")
	})
}
