// Command vmath writes the assembly of kernels/vmath: each function of
// asm/internal/emit in a loop over a slice.
package main

import (
	"fmt"

	"github.com/eidolon-hep/eidolon/asm/internal/emit"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!purego")
	e := emit.New()
	function(e, "exp", emit.ExpConstants, e.Exp8)
	function(e, "log", emit.LogConstants, e.Log8)
	function(e, "tanh", emit.ExpConstants, e.Tanh8)
	function(e, "sigmoid", emit.ExpConstants, e.Sigmoid8)
	function(e, "softplus", emit.ExpConstants, e.Softplus8)
	Generate()
}

func function(e *emit.Emitter, name string, constants []float32, f func(x VecVirtual) VecVirtual) {
	TEXT(name+"AVX2", NOSPLIT, "func(dst, src []float32)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%sAVX2 is %sPure eight at a time.", name, name))
	dst, src := Load(Param("dst").Base(), GP64()), Load(Param("src").Base(), GP64())
	n := Load(Param("src").Len(), GP64()).(GPVirtual)

	x := YMM()
	SUBQ(Imm(8), n)
	JL(LabelRef("part"))
	e.Hold(constants)

	Label("whole")
	VMOVUPS(Mem{Base: src}, x)
	VMOVUPS(f(x), Mem{Base: dst})
	ADDQ(Imm(32), src)
	ADDQ(Imm(32), dst)
	SUBQ(Imm(8), n)
	JGE(LabelRef("whole"))
	e.Release()

	Label("part")
	ADDQ(Imm(8), n)
	JZ(LabelRef("end"))
	mask := e.Mask8(n)
	VMASKMOVPS(Mem{Base: src}, mask, x)
	VMASKMOVPS(f(x), mask, Mem{Base: dst})

	Label("end")
	VZEROUPPER()
	RET()
}
