package main

import (
	"github.com/eidolon-hep/eidolon/asm/internal/abreast"
	"github.com/eidolon-hep/eidolon/asm/internal/emit"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// piece is the spline within one bin, as in the twin: from (x, y) over (w, h)
// with the slopes at its ends.
type piece struct {
	e                       *emit.Emitter
	x, y, w, h, left, right Mem
}

func newPiece(e *emit.Emitter, b bin, slope [2]Mem) piece {
	return piece{e, b.edge[widths], b.edge[heights], b.size[widths], b.size[heights], slope[left], slope[right]}
}

// position is (v − x)/w, within 0 and 1.
func (p piece) position(v Mem) VecVirtual {
	xi := load(v)
	VSUBPS(p.x, xi, xi)
	VDIVPS(p.w, xi, xi)
	return p.withinOne(xi)
}

func (p piece) withinOne(xi VecVirtual) VecVirtual {
	return p.e.AtLeast(0, p.e.AtMost(1, abreast.Vectors{xi}))[0]
}

// terms of equations 4 and 5 of the paper at the position ξ.
type terms struct {
	s                 VecVirtual // h/w
	xi, rest, z       VecVirtual // ξ, 1−ξ, ξ(1−ξ)
	bend              VecVirtual // left + right − 2s
	top, bottom, rise VecVirtual // y = y_k + h·top/bottom, dy/dx = s²·rise/bottom²
}

func (p piece) terms(xi VecVirtual) terms {
	t := terms{xi: xi, s: p.steepness(), rest: YMM(), z: YMM()}
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

// steepness is h/w.
func (p piece) steepness() VecVirtual {
	s := load(p.h)
	VDIVPS(p.w, s, s)
	return s
}

// bend is left + right − 2s.
func (p piece) bend(s VecVirtual) VecVirtual {
	bend := load(p.left)
	VADDPS(p.right, bend, bend)
	VFNMADD231PS(p.e.Float(2), s, bend)
	return bend
}

// slope is dy/dx. It uses up rise.
func (t terms) slope() VecVirtual {
	ratio := YMM()
	VDIVPS(t.bottom, t.s, ratio)
	VMULPS(ratio, t.rise, t.rise)
	VMULPS(ratio, t.rise, t.rise)
	return t.rise
}

// solve finds the position of y: with dy = y − y_k, the root of equations 6 to 8
// that does not cancel, ξ = 2s·dy/(b + √(b² + 4a·s·dy)). negative masks the
// elements whose discriminant was negative and taken as zero.
func (p piece) solve(y Mem) (xi, negative VecVirtual) {
	dy, s := load(y), p.steepness()
	VSUBPS(p.y, dy, dy)
	bend := p.bend(s)
	VMULPS(dy, bend, bend)
	a, b := YMM(), load(p.left)
	VSUBPS(p.left, s, a)
	VFMADD132PS(p.h, bend, a)
	VFMSUB132PS(p.h, bend, b)

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
	return p.withinOne(twice), negative
}

// gradient returns that of gy·y + gl·log(dy/dx) with respect to the numbers of the
// piece, as in the twin. It calls save for each once it is known.
func (p piece) gradient(atXi, atGy, atGl Mem, save func(VecVirtual) Mem) (g piece) {
	g.y = atGy
	xi, gl := load(atXi), load(atGl)
	t := p.terms(xi)
	gTop, gBottom, gRise, product := load(atGy), YMM(), YMM(), YMM()
	VDIVPS(t.bottom, gTop, gTop)
	VMULPS(t.top, gTop, product)
	alongY := save(product)
	VMULPS(p.h, gTop, gTop)
	VADDPS(gl, gl, gBottom)
	VFMADD231PS(gTop, t.top, gBottom)
	VDIVPS(t.bottom, gBottom, gBottom)
	VXORPS(p.e.Bits(1<<31), gBottom, gBottom)
	VDIVPS(t.rise, gl, gRise)

	square, sum := t.top, t.rise
	VMULPS(t.rest, t.rest, square)
	VMULPS(gRise, square, square)
	VADDPS(gTop, gBottom, sum)
	VFMADD213PS(square, t.z, sum)
	g.left = save(sum)
	VMULPS(xi, xi, square)
	VMULPS(gRise, square, sum)
	VFMADD231PS(t.z, gBottom, sum)
	g.right = save(sum)

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
	u, gXi := square, twice
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

	// g.x = −gξ/w, g.w = −(ξ·gξ + s·gs)/w, g.h = gy·top/bottom + gs/w
	minus, gW := load(p.e.Float(-1)), t.rest
	VDIVPS(p.w, minus, minus)
	VMULPS(gXi, xi, gW)
	VFMADD231PS(gs, t.s, gW)
	VMULPS(minus, gW, gW)
	g.w = save(gW)
	VMULPS(minus, gXi, gXi)
	g.x = save(gXi)
	gH := load(alongY)
	VFNMADD231PS(minus, gs, gH)
	g.h = save(gH)
	return g
}

func load(m Mem) VecVirtual {
	v := YMM()
	VMOVUPS(m, v)
	return v
}
