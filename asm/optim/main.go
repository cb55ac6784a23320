// Command optim writes the AVX2 assembly of kernels/optim.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	"github.com/eidolon-hep/eidolon/asm/internal/emit"
)

const (
	float  = 4 // bytes of a float32
	vector = 8 // floats of a YMM register
)

// constants are those of the program.
var constants = emit.New()

func main() {
	ConstraintExpr("!purego")
	adam()
	sumSquares()
	drain()
	Generate()
}

// adam writes the step of Adam, eight parameters at a time. Division and square
// root are the exact ones: they hide behind the memory's seven streams.
func adam() {
	TEXT("adamAVX2", NOSPLIT, "func(w, m, v, grad *float32, n int, c *[8]float32)")
	Pragma("noescape")
	Doc("adamAVX2 is adamPure for n parameters, c being its constants in their order.")
	slices := []string{"w", "m", "v", "grad"}
	pointers := make([]GPVirtual, len(slices))
	for i, name := range slices {
		pointers[i] = emit.Argument(name)
	}
	n, c := emit.Argument("n"), emit.Argument("c")
	factors := make([]VecVirtual, 8)
	for i := range factors {
		factors[i] = YMM()
		VBROADCASTSS(Mem{Base: c, Disp: i * float}, factors[i])
	}
	beta1, gain1, beta2, gain2 := factors[0], factors[1], factors[2], factors[3]
	keep, rate, root, epsilon := factors[4], factors[5], factors[6], factors[7]

	eight := func(load func(Mem, VecVirtual), store func(VecVirtual, Mem)) {
		at := func(i int) Mem { return Mem{Base: pointers[i]} }
		g, m, v, w := YMM(), YMM(), YMM(), YMM()
		load(at(3), g)
		load(at(1), m)
		VMULPS(beta1, m, m)
		VFMADD231PS(gain1, g, m)
		store(m, at(1))

		load(at(2), v)
		VMULPS(beta2, v, v)
		VMULPS(g, g, g)
		VFMADD231PS(gain2, g, v)
		store(v, at(2))

		VSQRTPS(v, v)
		VFMADD213PS(epsilon, root, v)
		VMULPS(rate, m, m)
		VDIVPS(v, m, m)
		load(at(0), w)
		VFMSUB213PS(m, keep, w)
		store(w, at(0))
	}

	SUBQ(Imm(vector), n)
	JL(LabelRef("rest"))
	Label("eight")
	eight(func(from Mem, to VecVirtual) { VMOVUPS(from, to) },
		func(from VecVirtual, to Mem) { VMOVUPS(from, to) })
	for _, p := range pointers {
		ADDQ(Imm(vector*float), p)
	}
	SUBQ(Imm(vector), n)
	JGE(LabelRef("eight"))
	Label("rest")
	ADDQ(Imm(vector), n)
	JZ(LabelRef("done"))
	mask := constants.Mask8(n)
	eight(func(from Mem, to VecVirtual) { VMASKMOVPS(from, mask, to) },
		func(from VecVirtual, to Mem) { VMASKMOVPS(from, mask, to) })
	Label("done")
	VZEROUPPER()
	RET()
}

// sumSquares writes the sum of squares: each float32 becomes a float64 first.
func sumSquares() {
	const (
		chains = 4 // independent sums, to hide the latency of an addition
		lanes  = 4 // float64 of a YMM register
	)
	TEXT("sumSquaresAVX2", NOSPLIT, "func(x *float32, n int) float64")
	Pragma("noescape")
	Doc("sumSquaresAVX2 is sumSquaresPure for n floats, in another order.")
	p, n := emit.Argument("x"), emit.Argument("n")
	sums := make([]VecVirtual, chains)
	for i := range sums {
		sums[i] = YMM()
		VXORPD(sums[i], sums[i], sums[i])
	}
	SUBQ(Imm(chains*lanes), n)
	JL(LabelRef("reduce"))
	Label("sixteen")
	for i, sum := range sums {
		x := YMM()
		VCVTPS2PD(Mem{Base: p, Disp: i * lanes * float}, x)
		VFMADD231PD(x, x, sum)
	}
	ADDQ(Imm(chains*lanes*float), p)
	SUBQ(Imm(chains*lanes), n)
	JGE(LabelRef("sixteen"))

	Label("reduce")
	VADDPD(sums[1], sums[0], sums[0])
	VADDPD(sums[3], sums[2], sums[2])
	VADDPD(sums[2], sums[0], sums[0])
	high, sum := XMM(), sums[0].AsX()
	VEXTRACTF128(Imm(1), sums[0], high)
	VADDPD(high, sum, sum)
	VHADDPD(sum, sum, sum)

	ADDQ(Imm(chains*lanes), n)
	JZ(LabelRef("done"))
	Label("one")
	x := XMM()
	VXORPD(x, x, x)
	VCVTSS2SD(Mem{Base: p}, x, x)
	VFMADD231SD(x, x, sum)
	ADDQ(Imm(float), p)
	DECQ(n)
	JNZ(LabelRef("one"))
	Label("done")
	Store(sum, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// drain writes the addition that leaves its source zero.
func drain() {
	TEXT("drainAVX2", NOSPLIT, "func(dst, src *float32, n int)")
	Pragma("noescape")
	Doc("drainAVX2 is drainPure for n floats.")
	dst, src, n := emit.Argument("dst"), emit.Argument("src"), emit.Argument("n")
	zero := YMM()
	VXORPS(zero, zero, zero)
	SUBQ(Imm(vector), n)
	JL(LabelRef("rest"))
	Label("eight")
	x := YMM()
	VMOVUPS(Mem{Base: src}, x)
	VADDPS(Mem{Base: dst}, x, x)
	VMOVUPS(x, Mem{Base: dst})
	VMOVUPS(zero, Mem{Base: src})
	ADDQ(Imm(vector*float), dst)
	ADDQ(Imm(vector*float), src)
	SUBQ(Imm(vector), n)
	JGE(LabelRef("eight"))
	Label("rest")
	ADDQ(Imm(vector), n)
	JZ(LabelRef("done"))
	mask, y := constants.Mask8(n), YMM()
	VMASKMOVPS(Mem{Base: src}, mask, x)
	VMASKMOVPS(Mem{Base: dst}, mask, y)
	VADDPS(y, x, x)
	VMASKMOVPS(x, mask, Mem{Base: dst})
	VMASKMOVPS(zero, mask, Mem{Base: src})
	Label("done")
	VZEROUPPER()
	RET()
}
