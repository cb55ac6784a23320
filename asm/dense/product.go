package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// forward writes the layer for one panel.
func (p panel) forward() {
	function(fmt.Sprintf("forward%d", p.columns), "func(y, z, x, w, b *float32, m, k, n, act int)",
		fmt.Sprintf("computes %d columns of a layer for m ≥ 1 rows:", p.columns),
		"y and, unless it is nil, z point to the first of them in the first row, w to",
		"their panel, b to their biases. act is that of an Activation without an",
		"exponential; for the others y gets what z gets.")
	p.product("x", "k", "n", []string{"y", "z"}, "y",
		func(rows int) tile {
			t := make(tile, rows)
			b := argument("b", 1)
			for r := range t {
				for v := range p.vectors() {
					t[r] = append(t[r], register())
					VMOVUPS(Mem{Base: b, Disp: v * vector * float}, t[r][v])
				}
			}
			return t
		},
		func(label string, t tile, address func(string) rowPointers) {
			store := func(t tile, to rowPointers) {
				t.each(func(r, v int, acc VecVirtual) {
					VMOVUPS(acc, to.row(r).Offset(v*vector*float))
				})
			}
			z := argument("z", 1)
			TESTQ(z, z)
			JZ(LabelRef(label + "_no_z"))
			store(t, address("z"))
			Label(label + "_no_z")

			act := argument("act", 1)
			CMPQ(act, Imm(1))
			JNE(LabelRef(label + "_not_relu"))
			zero := register()
			VXORPS(zero, zero, zero)
			t.each(func(_, _ int, acc VecVirtual) { VMAXPS(acc, zero, acc) })
			JMP(LabelRef(label + "_store"))
			Label(label + "_not_relu")
			CMPQ(act, Imm(2))
			JNE(LabelRef(label + "_store"))
			slope := load(0.01)
			t.each(func(_, _ int, acc VecVirtual) {
				low := register()
				VMULPS(slope, acc, low)
				VMAXPS(acc, low, acc)
			})
			Label(label + "_store")
			store(t, address("y"))
		})
}

// gradInput writes the gradient of a layer's input for one panel.
func (p panel) gradInput() {
	function(fmt.Sprintf("gradInput%d", p.columns), "func(dx, s, dz, w *float32, m, n, k, act int)",
		fmt.Sprintf("computes %d columns of the gradient of a layer's input for m ≥ 1", p.columns),
		"rows: dx and s point to the first of them in the first row, w to their panel.",
		"act is an Activation other than SiLU; s is not read for None.")
	p.product("dz", "n", "k", []string{"dx", "s"}, "s",
		func(rows int) tile { return zeroTile(rows, p.vectors()) },
		func(label string, t tile, address func(string) rowPointers) {
			act := argument("act", 1)
			TESTQ(act, act)
			JZ(LabelRef(label + "_store"))
			s := address("s")
			at := func(r, v int) Mem { return s.row(r).Offset(v * vector * float) }
			CMPQ(act, Imm(1))
			JNE(LabelRef(label + "_not_relu"))
			zero := register()
			VXORPS(zero, zero, zero)
			t.each(func(r, v int, acc VecVirtual) { zeroUnlessPositive(at(r, v), zero, acc) })
			JMP(LabelRef(label + "_store"))

			Label(label + "_not_relu")
			CMPQ(act, Imm(2))
			JNE(LabelRef(label + "_tanh"))
			VXORPS(zero, zero, zero)
			slope := constant(0.01)
			t.each(func(r, v int, acc VecVirtual) { scaleUnlessPositive(at(r, v), zero, slope, acc) })
			JMP(LabelRef(label + "_store"))

			Label(label + "_tanh")
			one := load(1)
			t.each(func(r, v int, acc VecVirtual) {
				d := register()
				VMOVUPS(at(r, v), d)
				VFNMADD213PS(one, d, d)
				VMULPS(d, acc, acc)
			})

			Label(label + "_store")
			dx := address("dx")
			t.each(func(r, v int, acc VecVirtual) {
				VMOVUPS(acc, dx.row(r).Offset(v*vector*float))
			})
		})
}

const lessOrEqual, notLessOrEqual = U8(0x12), U8(0x16) // quiet predicates of VCMPPS

// zeroUnlessPositive sets acc to 0 where s ≤ 0.
func zeroUnlessPositive(s Mem, zero, acc VecVirtual) {
	v := register()
	VMOVUPS(s, v)
	if *wide {
		positive := K()
		VCMPPS(notLessOrEqual, zero, v, positive)
		VMOVAPS_Z(acc, positive, acc)
		return
	}
	VCMPPS(notLessOrEqual, zero, v, v)
	VANDPS(v, acc, acc)
}

// scaleUnlessPositive multiplies acc by a slope where s ≤ 0.
func scaleUnlessPositive(s Mem, zero VecVirtual, slope Op, acc VecVirtual) {
	v := register()
	VMOVUPS(s, v)
	if *wide {
		low := K()
		VCMPPS(lessOrEqual, zero, v, low)
		VMULPS(slope, acc, low, acc)
		return
	}
	low := register()
	VCMPPS(lessOrEqual, zero, v, v)
	VMULPS(slope, acc, low)
	VBLENDVPS(v, low, acc, acc)
}

// product writes the body of a function that multiplies the matrix in, whose
// rows are inner floats, by the panel w, tile by tile from the first row to the
// last. The matrices out have rows of outer floats. start makes a tile, finish
// stores it: address gives the tile's rows in one of out.
//
// The last rows go to the smallest tile that holds them. Where that has more
// rows than are left it is moved up over rows already done, which get the same
// values again.
func (p panel) product(in, inner, outer string, out []string, ahead string,
	start func(rows int) tile,
	finish func(label string, t tile, address func(string) rowPointers)) {
	x := argument(in, 1)
	outs := make(map[string]GPVirtual)
	for _, name := range out {
		outs[name] = argument(name, 1)
	}
	inStride, outStride := argument(inner, float), argument(outer, float)
	left := argument("m", 1)

	label := func(i int) string { return fmt.Sprintf("rows%d", p.rows[i]) }
	for i, rows := range p.rows {
		Label(label(i))
		if i+1 < len(p.rows) {
			CMPQ(left, Imm(uint64(rows)))
			JL(LabelRef(label(i + 1)))
		}
		p.prefetch(newRowPointers(outs[ahead], outStride, rows), rows)
		t := start(rows)
		p.multiply(label(i)+"_inner", t, newRowPointers(x, inStride, rows), inner)
		finish(label(i), t, func(name string) rowPointers {
			return newRowPointers(outs[name], outStride, rows)
		})

		SUBQ(Imm(uint64(rows)), left)
		JZ(LabelRef("done"))
		step := GP64()
		MOVQ(U32(rows), step)
		CMPQ(left, step)
		JGE(LabelRef(label(i) + "_advance"))
		next, smaller := GP64(), GP64()
		MOVQ(step, next)
		for _, rows := range p.rows[i+1:] {
			MOVQ(U32(rows), smaller)
			CMPQ(left, smaller)
			CMOVQLE(smaller, next)
		}
		ADDQ(left, step)
		SUBQ(next, step)
		MOVQ(next, left)

		Label(label(i) + "_advance")
		bytes := GP64()
		MOVQ(inStride, bytes)
		IMULQ(step, bytes)
		ADDQ(bytes, x)
		IMULQ(outStride, step)
		for _, name := range out {
			ADDQ(step, outs[name])
		}
		JMP(LabelRef(label(i)))
	}
	Label("done")
	VZEROUPPER()
	RET()
}

// multiply adds to t the product of its rows of x by the panel.
func (p panel) multiply(label string, t tile, x rowPointers, inner string) {
	panels := []GPVirtual{argument("w", 1)}
	n := argument(inner, 1)
	for len(panels) < p.columns/p.packed() {
		next := argument(inner, p.packed()*float)
		ADDQ(panels[len(panels)-1], next)
		panels = append(panels, next)
	}
	loop(label, n, 4,
		func(copy int) {
			var ws []VecVirtual
			for v := range p.vectors() {
				ws = append(ws, register())
				column := v * vector
				VMOVUPS(Mem{Base: panels[column/p.packed()], Disp: (copy*p.packed() + column%p.packed()) * float}, ws[v])
			}
			for r := range t {
				addProducts(t[r], ws, x.row(r).Offset(copy*float))
			}
		},
		func(iterations int) {
			x.advance(iterations * float)
			for _, w := range panels {
				ADDQ(U32(iterations*p.packed()*float), w)
			}
		})
}

// addProducts adds to a row of a tile the products of the vectors ws with the number
// at a.
func addProducts(row, ws []VecVirtual, a Mem) {
	if *wide && len(ws) == 1 {
		VFMADD231PS_BCST(a, ws[0], row[0])
		return
	}
	all := register()
	VBROADCASTSS(a, all)
	for v := range ws {
		VFMADD231PS(ws[v], all, row[v])
	}
}
