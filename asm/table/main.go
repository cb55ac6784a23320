// Command table writes the assembly of kernels/table.
//
// A function first finds the places of all inputs, eight of a row at a time, and
// leaves them on the stack (place.go). Then it takes the columns panel by panel, of
// each panel row by row, and of each row input by input, while the row's outputs, or
// their gradients, stay in registers (walk.go). What it does with an input is in this
// file.
package main

import (
	"github.com/eidolon-hep/eidolon/asm/internal/emit"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const (
	float  = 4 // bytes
	vector = 8 * float
)

var constants = emit.New()

func main() {
	ConstraintExpr("!purego")
	forward()
	backward()
	gradTables()
	gradInput()
	Generate()
}

func forward() {
	TEXT("forwardAVX2", 0, "func(y, x, t *float32, m, k, stride, cells, n int)")
	Pragma("noescape")
	Doc("forwardAVX2 is forwardPure for a block, no size of which is 0.")
	w := walk{places: findPlaces(false), rows: "y", tables: "t"}
	w.overPanels(func(p panel) {
		y := p.load(w.row)
		w.overInputs(func(low, high Mem) {
			f, g := w.shares()
			for v, sum := range y {
				VFMADD231PS(p.operand(low, v), g, sum)
			}
			for v, sum := range y {
				VFMADD231PS(p.operand(high, v), f, sum)
			}
		})
		for v, sum := range y {
			p.store(sum, w.row, v)
		}
	})
	end()
}

func backward() {
	TEXT("backwardAVX2", 0, "func(dx, dt, dy, x, t *float32, m, k, stride, cells, n int)")
	Pragma("noescape")
	Doc("backwardAVX2 is backwardPure for a block, no size of which is 0.")
	w := walk{places: findPlaces(true), rows: "dy", tables: "t"}
	toGrad := GP64() // from a value of t to its gradient
	Load(Param("dt"), toGrad)
	SUBQ(emit.Argument("t"), toGrad)
	w.overInputsOfDx(func(p panel, dy []VecVirtual, low, high, dx Mem) {
		p.gradInput(dy, low, high, w.slope(), dx)
		f, g := w.shares()
		low.Index, low.Scale = toGrad, 1
		high.Index, high.Scale = toGrad, 1
		p.addMultiple(g, dy, low)
		p.addMultiple(f, dy, high)
	})
	end()
}

func gradInput() {
	TEXT("gradInputAVX2", 0, "func(dx, dy, x, t *float32, m, k, stride, cells, n int)")
	Pragma("noescape")
	Doc("gradInputAVX2 is backwardPure for a block, no size of which is 0, without dt.")
	w := walk{places: findPlaces(true), rows: "dy", tables: "t"}
	w.overInputsOfDx(func(p panel, dy []VecVirtual, low, high, dx Mem) {
		p.gradInput(dy, low, high, w.slope(), dx)
	})
	end()
}

// overInputsOfDx calls do for each input of each row of each panel, with the row's dy and
// where the gradient of the input is.
func (w *walk) overInputsOfDx(do func(p panel, dy []VecVirtual, low, high, dx Mem)) {
	toDx, dx := GP64(), local() // from a place to dx
	w.begin = func() { MOVQ(emit.Argument("dx"), dx) }
	w.overPanels(func(p panel) {
		dy := p.load(w.row)
		MOVQ(dx, toDx)
		SUBQ(w.place, toDx)
		w.overInputs(func(low, high Mem) {
			do(p, dy, low, high, Mem{Base: w.place, Index: toDx, Scale: 1})
		})
		stride := emit.Argument("stride")
		SHLQ(Imm(2), stride)
		ADDQ(stride, dx)
	})
}

func gradTables() {
	TEXT("gradTablesAVX2", 0, "func(dt, dy, x *float32, m, k, stride, cells, n int)")
	Pragma("noescape")
	Doc("gradTablesAVX2 is backwardPure for a block, no size of which is 0, without dx.")
	w := walk{places: findPlaces(false), rows: "dy", tables: "dt"}
	w.overPanels(func(p panel) {
		dy := p.load(w.row)
		w.overInputs(func(low, high Mem) {
			f, g := w.shares()
			p.addMultiple(g, dy, low)
			p.addMultiple(f, dy, high)
		})
	})
	end()
}

// addMultiple adds scale times a row's panel to another.
func (p panel) addMultiple(scale VecVirtual, row []VecVirtual, to Mem) {
	for v, r := range row {
		sum := p.loadOne(to, v)
		VFMADD231PS(r, scale, sum)
		p.store(sum, to, v)
	}
}

// gradInput adds to dx the derivative of the place times Σ dy·(high − low).
func (p panel) gradInput(dy []VecVirtual, low, high, slope, dx Mem) {
	sums := [2]VecVirtual{YMM(), YMM()}
	for v, d := range dy {
		rise := p.loadOne(high, v)
		VSUBPS(p.operand(low, v), rise, rise)
		if v < len(sums) {
			VMULPS(d, rise, sums[v])
		} else {
			VFMADD231PS(d, rise, sums[v%len(sums)])
		}
	}
	sum := sums[0]
	if len(dy) > 1 {
		VADDPS(sums[1], sum, sum)
	}
	other := XMM()
	VEXTRACTF128(Imm(1), sum, other)
	VADDPS(other, sum.AsX(), sum.AsX())
	VMOVHLPS(sum.AsX(), sum.AsX(), other)
	VADDPS(other, sum.AsX(), sum.AsX())
	VMOVSHDUP(sum.AsX(), other)
	VADDSS(other, sum.AsX(), sum.AsX())
	VMOVSS(dx, other)
	VFMADD231SS(slope, sum.AsX(), other)
	VMOVSS(other, dx)
}

// local is room for an integer on the stack.
func local() Mem { return AllocLocal(8) }

func end() {
	VZEROUPPER()
	RET()
}
