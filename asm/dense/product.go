package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// forward writes the layer for one panel.
func (p panel) forward() {
	TEXT(fmt.Sprintf("forward%d", p.columns), NOSPLIT, "func(y, z, x, w, b *float32, m, k, n, act int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("forward%d computes %d columns of a layer for m ≥ 1 rows:", p.columns, p.columns),
		"y and, unless it is nil, z point to the first of them in the first row, w to",
		"their panel, b to their biases. act is that of an Activation without an",
		"exponential; for the others y gets what z gets.")
	p.product("x", "k", "n", []string{"y", "z"}, "y",
		func(rows int) tile {
			t := make(tile, rows)
			b := argument("b", 1)
			for r := range t {
				for v := range p.vectors() {
					t[r] = append(t[r], YMM())
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
			zero := YMM()
			VXORPS(zero, zero, zero)
			t.each(func(_, _ int, acc VecVirtual) { VMAXPS(acc, zero, acc) })
			JMP(LabelRef(label + "_store"))
			Label(label + "_not_relu")
			CMPQ(act, Imm(2))
			JNE(LabelRef(label + "_store"))
			slope := YMM()
			VMOVAPS(constants.Float(0.01), slope)
			t.each(func(_, _ int, acc VecVirtual) {
				low := YMM()
				VMULPS(slope, acc, low)
				VMAXPS(acc, low, acc)
			})
			Label(label + "_store")
			store(t, address("y"))
		})
}

// gradInput writes the gradient of a layer's input for one panel.
func (p panel) gradInput() {
	TEXT(fmt.Sprintf("gradInput%d", p.columns), NOSPLIT, "func(dx, s, dz, w *float32, m, n, k, act int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("gradInput%d computes %d columns of the gradient of a layer's input for m ≥ 1", p.columns, p.columns),
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
			const lessOrEqual, notLessOrEqual = U8(0x12), U8(0x16) // quiet predicates of VCMPPS

			CMPQ(act, Imm(1))
			JNE(LabelRef(label + "_not_relu"))
			zero := YMM()
			VXORPS(zero, zero, zero)
			t.each(func(r, v int, acc VecVirtual) {
				mask := YMM()
				VMOVUPS(at(r, v), mask)
				VCMPPS(notLessOrEqual, zero, mask, mask)
				VANDPS(mask, acc, acc)
			})
			JMP(LabelRef(label + "_store"))

			Label(label + "_not_relu")
			CMPQ(act, Imm(2))
			JNE(LabelRef(label + "_tanh"))
			VXORPS(zero, zero, zero)
			t.each(func(r, v int, acc VecVirtual) {
				mask, low := YMM(), YMM()
				VMOVUPS(at(r, v), mask)
				VCMPPS(lessOrEqual, zero, mask, mask)
				VMULPS(constants.Float(0.01), acc, low)
				VBLENDVPS(mask, low, acc, acc)
			})
			JMP(LabelRef(label + "_store"))

			Label(label + "_tanh")
			one := YMM()
			VMOVAPS(constants.Float(1), one)
			t.each(func(r, v int, acc VecVirtual) {
				d := YMM()
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
	w, n := argument("w", 1), argument(inner, 1)
	loop(label, n, 4,
		func(copy int) {
			var ws []VecVirtual
			for v := range p.vectors() {
				ws = append(ws, YMM())
				VMOVUPS(Mem{Base: w, Disp: (copy*p.columns + v*vector) * float}, ws[v])
			}
			for r := range t {
				a := YMM()
				VBROADCASTSS(x.row(r).Offset(copy*float), a)
				for v := range ws {
					VFMADD231PS(ws[v], a, t[r][v])
				}
			}
		},
		func(iterations int) {
			x.advance(iterations * float)
			ADDQ(U32(iterations*p.columns*float), w)
		})
}
