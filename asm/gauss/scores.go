package main

import (
	"fmt"
	"log"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const (
	half   = queries / 2 // queries of one round: with a block they fill twelve registers
	unroll = 4           // dimensions of one turn of the loop where their number is not fixed
)

// scores writes the function for a fixed number of dimensions.
func scores(dim int) {
	TEXT(fmt.Sprintf("scores%d", dim), NOSPLIT, scoresSignature)
	Pragma("noescape")
	Doc(fmt.Sprintf("scores%d is scoresPure for dim = %d.", dim, dim))
	rounds(func(distances tile, y, x Register) {
		for d := range dim {
			distances.add(y, x, d, d == 0)
		}
	})
}

// scoresMany writes the function for any number of dimensions from unroll on.
func scoresMany() {
	TEXT("scoresMany", NOSPLIT, scoresSignature)
	Pragma("noescape")
	Doc(fmt.Sprintf("scoresMany is scoresPure for dim ≥ %d.", unroll))
	rounds(func(distances tile, y, x Register) {
		for q := range distances {
			for v := range distances[q] {
				VXORPS(distances[q][v], distances[q][v], distances[q][v])
			}
		}
		n, yd, xd := argument("dim"), GP64(), GP64()
		MOVQ(y, yd)
		MOVQ(x, xd)
		next := func(dims int) {
			ADDQ(U32(dims*queries*float), yd)
			ADDQ(U32(dims*row), xd)
		}

		SUBQ(Imm(unroll), n)
		Label("dims")
		for d := range unroll {
			distances.add(yd, xd, d, false)
		}
		next(unroll)
		SUBQ(Imm(unroll), n)
		JGE(LabelRef("dims"))
		ADDQ(Imm(unroll), n)
		JZ(LabelRef("summed"))

		Label("dim")
		distances.add(yd, xd, 0, false)
		next(1)
		DECQ(n)
		JNZ(LabelRef("dim"))
		Label("summed")
	})
}

const scoresSignature = "func(v, y, base, events *float32, blocks, dim int, scale float32) (least int32)"

// rounds takes first one half of the queries, then the other, through all
// blocks. distances sums up what each query and event are apart.
func rounds(distances func(sum tile, y, x Register)) {
	v, y, base := argument("v"), argument("y"), argument("base")
	size := argument("dim") // of a block of events
	ADDQ(Imm(2), size)
	IMUL3Q(U32(row), size, size)
	scale, err := Param("scale").Resolve()
	if err != nil {
		log.Fatal(err)
	}
	least, least8 := AllocLocal(vector), YMM()
	VPCMPEQD(least8, least8, least8)
	VPSRLD(Imm(1), least8, least8)
	VMOVDQU(least8, least)
	round := GP64()
	MOVQ(U32(queries/half), round)

	Label("round")
	to, x, block := GP64(), argument("events"), argument("blocks")
	MOVQ(v, to)

	Label("block")
	ADDQ(U32(row), x)
	t := newTile()
	distances(t, y, x)
	t.score(to, base, at(x, -row), scale.Addr, least)
	LEAQ(Mem{Base: x, Index: size, Scale: 1, Disp: -row}, x)
	ADDQ(U32(queries*row), to)
	DECQ(block)
	JNZ(LabelRef("block"))

	ADDQ(U32(half*float), y)
	ADDQ(U32(half*float), base)
	ADDQ(U32(half*row), v)
	DECQ(round)
	JNZ(LabelRef("round"))

	result, upper := YMM(), XMM()
	VMOVDQU(least, result)
	VEXTRACTI128(Imm(1), result, upper)
	fold := result.AsX()
	VPMINSD(upper, fold, fold)
	for _, exchange := range []uint64{0b01_00_11_10, 0b10_11_00_01} {
		VPSHUFD(Imm(exchange), fold, upper)
		VPMINSD(upper, fold, fold)
	}
	bits := GP32()
	VMOVD(fold, bits)
	Store(bits, Return("least"))
	VZEROUPPER()
	RET()
}

// tile has a register for every query of a round and half a block of events.
type tile [half][2]VecVirtual

func newTile() (t tile) {
	for q := range t {
		t[q] = [2]VecVirtual{YMM(), YMM()}
	}
	return t
}

// add adds the squares of the differences in dimension d, the first of the sums or not.
func (t tile) add(y, x Register, d int, first bool) {
	x0, x1 := load(at(x, d*row)), load(at(x, d*row+vector))
	for q := range t {
		u0, u1 := YMM(), YMM()
		VBROADCASTSS(at(y, (d*queries+q)*float), u1)
		VSUBPS(x0, u1, u0)
		VSUBPS(x1, u1, u1)
		if first {
			VMULPS(u0, u0, t[q][0])
			VMULPS(u1, u1, t[q][1])
		} else {
			VFMADD231PS(u0, u0, t[q][0])
			VFMADD231PS(u1, u1, t[q][1])
		}
	}
}

// score stores (distance − base)·scale + penalty and keeps the least, as integers.
// It is found by a tree whose last step alone waits for the block before.
func (t tile) score(to, base Register, penalty, scale, least Mem) {
	factor := YMM()
	VBROADCASTSS(scale, factor)
	var penalties [2]VecVirtual
	for v := range penalties {
		penalties[v] = load(penalty.Offset(v * vector))
	}
	for q := range t {
		b := YMM()
		VBROADCASTSS(at(base, q*float), b)
		for v, r := range t[q] {
			VSUBPS(b, r, r)
			VFMADD213PS(penalties[v], factor, r)
			VMOVUPS(r, at(to, q*row+v*vector))
		}
		VPMINSD(t[q][0], t[q][1], t[q][1])
		if q%2 == 1 {
			VPMINSD(t[q-1][1], t[q][1], t[q][1])
		}
	}
	VPMINSD(t[1][1], t[3][1], t[1][1])
	VPMINSD(t[1][1], t[5][1], t[1][1])
	VPMINSD(least, t[1][1], t[1][1])
	VMOVDQU(t[1][1], least)
}

// lowest writes the function that finds the least exponent of every query.
func lowest() {
	TEXT("lowestAVX2", NOSPLIT, "func(low, v *float32, blocks int)")
	Pragma("noescape")
	Doc("lowestAVX2 stores for each query the least v in each of 8 lanes.")
	low, v, n := argument("low"), argument("v"), argument("blocks")
	var least [queries]VecVirtual
	for q := range least {
		least[q] = load(at(v, q*row))
	}
	Label("block")
	for q, r := range least {
		VMINPS(at(v, q*row), r, r)
		VMINPS(at(v, q*row+vector), r, r)
	}
	ADDQ(U32(queries*row), v)
	DECQ(n)
	JNZ(LabelRef("block"))
	for q, r := range least {
		VMOVUPS(r, at(low, q*vector))
	}
	VZEROUPPER()
	RET()
}
