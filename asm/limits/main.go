// Command limits writes the AVX2 assembly of internal/limits.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!purego")

	const chains = 12 // more than latency × pipes of any processor with AVX2
	TEXT("fmaAVX2", NOSPLIT, "func(n int)")
	Doc("fmaAVX2 does n ≥ 1 times 12 independent fused multiply-adds on registers.")
	n := GP64()
	Load(Param("n"), n)
	x := YMM()
	VXORPS(x, x, x)
	sums := make([]VecVirtual, chains)
	for i := range sums {
		sums[i] = YMM()
		VXORPS(sums[i], sums[i], sums[i])
	}
	Label("loop")
	for _, sum := range sums {
		VFMADD231PS(x, x, sum)
	}
	SUBQ(Imm(1), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
	Generate()
}
