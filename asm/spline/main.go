// Command spline writes the assembly of kernels/spline.
//
// A register holds eight elements, each with its own spline. Their parameters
// are gathered, one parameter of each element at a time, and kept on the stack.
// Every loop over elements and bins is in curve.go, the formulas within a bin
// are in piece.go.
package main

import (
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
	TEXT("forwardAVX2", 0, "func(y, logSlope, x, params []float32, bins int, bound, floor, free float32)")
	Pragma("noescape")
	Doc("forwardAVX2 is forwardPure eight elements at a time.")
	y, logSlope, x := pointer("y"), pointer("logSlope"), pointer("x")
	c := loadCurves(e, "x")

	c.each([]Register{y, logSlope, x}, func() {
		widths, heights := c.softmax(c.widths), c.softmax(c.heights)
		v := c.clip(c.load(x))
		p := piece{e: e}
		p.x, p.w, p.bin = c.search(widths, v)
		xi := p.position(v)
		p.y, p.h = c.pick(heights, p.bin)
		p.left = c.slope(p.bin, left)
		p.right = c.slope(p.bin, right)

		t := p.terms(xi)
		VMULPS(p.h, t.top, t.top)
		VDIVPS(t.bottom, t.top, t.top)
		VADDPS(p.y, t.top, t.top)
		log := t.logSlope(e)

		outer := c.load(x)
		inside := c.inside(outer)
		VBLENDVPS(inside, t.top, outer, t.top)
		c.store(t.top, y)
		VANDPS(inside, log, log)
		c.store(log, logSlope)
	})
	c.end()
}

func inverse(e *emit.Emitter) {
	TEXT("inverseAVX2", 0, "func(x, logSlope, y, params []float32, bins int, bound, floor, free float32) (clamped int)")
	Pragma("noescape")
	Doc("inverseAVX2 is inversePure eight elements at a time.")
	x, logSlope, y := pointer("x"), pointer("logSlope"), pointer("y")
	c := loadCurves(e, "y")
	clamped := GP64()
	XORQ(clamped, clamped)

	c.each([]Register{x, logSlope, y}, func() {
		widths, heights := c.softmax(c.widths), c.softmax(c.heights)
		v := c.clip(c.load(y))
		p := piece{e: e}
		p.y, p.h, p.bin = c.search(heights, v)
		VSUBPS(p.y, v, v)
		p.x, p.w = c.pick(widths, p.bin)
		p.left = c.slope(p.bin, left)
		p.right = c.slope(p.bin, right)

		xi, negative := p.solve(v)
		VANDPS(c.inside(c.load(y)), negative, negative)
		bits, count := GP32(), GP64()
		VMOVMSKPS(negative, bits)
		POPCNTL(bits, count.As32())
		ADDQ(count, clamped)

		log := p.terms(xi).logSlope(e)
		VXORPS(e.Bits(1<<31), log, log)
		VFMADD213PS(p.x, p.w, xi)

		outer := c.load(y)
		inside := c.inside(outer)
		VBLENDVPS(inside, xi, outer, xi)
		c.store(xi, x)
		VANDPS(inside, log, log)
		c.store(log, logSlope)
	})
	Store(clamped, ReturnIndex(0))
	c.end()
}

func backward(e *emit.Emitter) {
	TEXT("backwardAVX2", 0, "func(gx, gparams, gy, gl, x, params []float32, bins int, bound, floor, free float32)")
	Pragma("noescape")
	Doc("backwardAVX2 is backwardPure eight elements at a time.")
	gx, gparams, gy, gl, x := pointer("gx"), pointer("gparams"), pointer("gy"), pointer("gl"), pointer("x")
	c := loadCurves(e, "x")

	c.each([]Register{gx, gy, gl, x}, func() {
		widths, heights := c.softmax(c.widths), c.softmax(c.heights)
		v := c.clip(c.load(x))
		p := piece{e: e}
		p.x, p.w, p.bin = c.search(widths, v)
		xi := c.save(p.position(v))
		_, p.h = c.pick(heights, p.bin)
		gLeft := c.save(c.slopeDerivative(p.bin, left))
		gRight := c.save(c.slopeDerivative(p.bin, right))
		p.left, p.right = c.slope(p.bin, left), c.slope(p.bin, right)
		bin, w := c.save(p.bin), c.save(p.w)

		inside := c.inside(c.load(x))
		y, log := c.load(gy), c.load(gl)
		VANDPS(inside, y, y)
		VANDPS(inside, log, log)
		edgeY := c.save(y)
		g := p.gradient(xi, w, y, log)
		VMULPS(gLeft, g.left, g.left)
		VMOVUPS(g.left, gLeft)
		VMULPS(gRight, g.right, g.right)
		VMOVUPS(g.right, gRight)
		edge, size, sizeY := c.save(g.x), c.save(g.w), c.save(g.h)

		outer := c.load(gy)
		minus := YMM()
		VXORPS(e.Bits(1<<31), g.x, minus)
		VBLENDVPS(c.inside(c.load(x)), minus, outer, minus)
		c.store(minus, gx)

		c.shareGradient(widths, bin, edge, size)
		c.shareGradient(heights, bin, edgeY, sizeY)
		c.slopeGradient(bin, gLeft, gRight)
		c.scatter(gparams)
	})
	c.end()
}
