package main

import (
	"github.com/eidolon-hep/eidolon/asm/internal/emit"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// piece is the spline within one bin, as in the twin: from (x, y) over (w, h)
// with the slopes at its ends. Not every kernel needs all of it.
type piece struct {
	e           *emit.Emitter
	bin         VecVirtual
	x, w, y, h  VecVirtual
	left, right VecVirtual
}

// position is (v − x)/w, within 0 and 1. It uses up v.
func (p piece) position(v VecVirtual) VecVirtual {
	VSUBPS(p.x, v, v)
	VDIVPS(p.w, v, v)
	return p.e.AtLeast(0, p.e.AtMost(1, v))
}

// terms of equations 4 and 5 of the paper at the position ξ.
type terms struct {
	s                 VecVirtual // h/w
	xi, rest, z       VecVirtual // ξ, 1−ξ, ξ(1−ξ)
	bend              VecVirtual // left + right − 2s
	top, bottom, rise VecVirtual // y = y_k + h·top/bottom, dy/dx = s²·rise/bottom²
}

func (p piece) terms(xi VecVirtual) terms {
	t := terms{xi: xi, s: YMM(), rest: YMM(), z: YMM()}
	VDIVPS(p.w, p.h, t.s)
	VMOVAPS(p.e.Float(1), t.rest)
	VSUBPS(xi, t.rest, t.rest)
	VMULPS(xi, t.rest, t.z)
	t.bend = p.bend(t.s)

	t.bottom = YMM()
	VMOVAPS(t.s, t.bottom)
	VFMADD231PS(t.bend, t.z, t.bottom)

	square := YMM()
	VMULPS(xi, xi, square)
	t.top = YMM()
	VMULPS(t.s, square, t.top)
	VFMADD231PS(p.left, t.z, t.top)

	t.rise = YMM()
	VMULPS(p.right, square, t.rise)
	VMULPS(t.rest, t.rest, square)
	VFMADD231PS(p.left, square, t.rise)
	VADDPS(t.s, t.s, square)
	VFMADD231PS(square, t.z, t.rise)
	return t
}

// bend is left + right − 2s.
func (p piece) bend(s VecVirtual) VecVirtual {
	bend := YMM()
	VADDPS(p.left, p.right, bend)
	VFNMADD231PS(p.e.Float(2), s, bend)
	return bend
}

// logSlope is log(dy/dx). It uses up rise.
func (t terms) logSlope(e *emit.Emitter) VecVirtual {
	ratio := YMM()
	VDIVPS(t.bottom, t.s, ratio)
	VMULPS(ratio, t.rise, t.rise)
	VMULPS(ratio, t.rise, t.rise)
	return e.Log8(t.rise)
}

// solve finds the position of y from dy = y − y_k: the root of equations 6 to 8
// that does not cancel, ξ = 2s·dy/(b + √(b² + 4a·s·dy)). negative masks the
// elements whose discriminant was negative and taken as zero.
func (p piece) solve(dy VecVirtual) (xi, negative VecVirtual) {
	s := YMM()
	VDIVPS(p.w, p.h, s)
	bend := p.bend(s)
	VMULPS(dy, bend, bend)
	a, b := YMM(), YMM()
	VSUBPS(p.left, s, a)
	VFMADD213PS(bend, p.h, a)
	VMOVAPS(p.left, b)
	VFMSUB213PS(bend, p.h, b)

	twice := s
	VMULPS(dy, s, s)
	VADDPS(s, s, twice)
	discriminant := a
	VMULPS(twice, a, a)
	VADDPS(a, a, a)
	VFMADD231PS(b, b, discriminant)
	negative = YMM()
	VCMPPS(emit.Lt, p.e.Float(0), discriminant, negative)
	VANDNPS(discriminant, negative, discriminant)

	VSQRTPS(discriminant, discriminant)
	VADDPS(discriminant, b, b)
	VDIVPS(b, twice, twice)
	return p.e.AtLeast(0, p.e.AtMost(1, twice)), negative
}

// gradient of gy·y + gl·log(dy/dx) with respect to the numbers of the piece, as
// in the twin. ξ and w come from the stack.
func (p piece) gradient(atXi, atW Mem, gy, gl VecVirtual) piece {
	xi := YMM()
	VMOVUPS(atXi, xi)
	t := p.terms(xi)
	g := piece{e: p.e, x: YMM(), w: YMM(), h: YMM(), left: YMM(), right: YMM()}

	gTop, gBottom, gRise := YMM(), YMM(), YMM()
	VDIVPS(t.bottom, gy, gTop)
	VMULPS(t.top, gTop, g.h) // along y only, so far
	VMULPS(p.h, gTop, gTop)
	VADDPS(gl, gl, gBottom)
	VFMADD231PS(gTop, t.top, gBottom)
	VDIVPS(t.bottom, gBottom, gBottom)
	VXORPS(p.e.Bits(1<<31), gBottom, gBottom)
	VDIVPS(t.rise, gl, gRise)

	square := t.top
	VMULPS(t.rest, t.rest, square)
	VMULPS(gRise, square, square)
	VADDPS(gTop, gBottom, g.left)
	VFMADD213PS(square, t.z, g.left)
	VMULPS(xi, xi, square)
	VMULPS(gRise, square, g.right)
	VFMADD231PS(t.z, gBottom, g.right)

	// gs = 2·gl/s + ξ²·gTop + (1−2z)·gBottom + 2z·gRise
	gs := t.bottom
	VADDPS(gl, gl, gs)
	VDIVPS(t.s, gs, gs)
	VFMADD231PS(gTop, square, gs)
	VADDPS(gBottom, gs, gs)
	twice := t.z
	VADDPS(t.z, t.z, twice)
	VFNMADD231PS(gBottom, twice, gs)
	VFMADD231PS(gRise, twice, gs)

	// gξ = gTop·(2s·ξ + left·u) + gBottom·bend·u + 2·gRise·(right·ξ + s·u − left·(1−ξ))
	// with u = 1−2ξ
	u, gXi, sum := t.rise, square, YMM()
	VSUBPS(xi, t.rest, u)
	VMULPS(u, t.s, sum)
	VFMADD231PS(p.right, xi, sum)
	VFNMADD231PS(p.left, t.rest, sum)
	VADDPS(sum, sum, sum)
	VMULPS(gRise, sum, gXi)
	VMULPS(u, t.bend, t.bend)
	VFMADD231PS(gBottom, t.bend, gXi)
	VMULPS(p.left, u, u)
	VADDPS(t.s, t.s, sum)
	VFMADD231PS(sum, xi, u)
	VFMADD231PS(gTop, u, gXi)

	VMULPS(gXi, xi, g.w)
	VFMADD231PS(gs, t.s, g.w)
	minus := t.z
	VMOVAPS(p.e.Float(-1), minus)
	VDIVPS(atW, minus, minus)
	VMULPS(minus, gXi, g.x)
	VMULPS(minus, g.w, g.w)
	VFNMADD231PS(minus, gs, g.h)
	return g
}
