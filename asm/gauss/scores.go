package main

import (
	"fmt"
	"log"

	"github.com/eidolon-hep/eidolon/asm/internal/emit"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const unroll = 4 // dimensions of one turn of the loop where their number is not fixed

// part is how many queries have a round: with a block they fill twelve registers.
func part() int { return queries * vector / row }

// scores writes the function for a fixed number of dimensions.
func scores(dim int) {
	name := fmt.Sprintf("scores%d%s", dim, set)
	TEXT(name, NOSPLIT, scoresSignature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s is scoresPure for dim = %d.", name, dim))
	rounds(func(distances tile, y, x Register) {
		for d := range dim {
			if d == 0 {
				distances.begin(y, x)
			} else {
				distances.add(y, x, d)
			}
		}
	})
}

// scoresMany writes the function for any number of dimensions from unroll on.
func scoresMany() {
	TEXT("scoresMany"+set, NOSPLIT, scoresSignature)
	Pragma("noescape")
	Doc(fmt.Sprintf("scoresMany%s is scoresPure for dim > %d.", set, unroll))
	rounds(func(distances tile, y, x Register) {
		n, yd, xd := emit.Argument("dim"), GP64(), GP64()
		MOVQ(y, yd)
		MOVQ(x, xd)
		next := func(dims int) {
			ADDQ(U32(dims*queries*float), yd)
			ADDQ(U32(dims*row), xd)
		}

		distances.begin(yd, xd)
		next(1)
		SUBQ(Imm(unroll+1), n)
		Label("dims")
		for d := range unroll {
			distances.add(yd, xd, d)
		}
		next(unroll)
		SUBQ(Imm(unroll), n)
		JGE(LabelRef("dims"))
		ADDQ(Imm(unroll), n)
		JZ(LabelRef("summed"))

		Label("dim")
		distances.add(yd, xd, 0)
		next(1)
		DECQ(n)
		JNZ(LabelRef("dim"))
		Label("summed")
	})
}

const scoresSignature = "func(v, y, base, events *float32, blocks, dim int, scale float32) (least int32)"

// rounds takes first one half of the queries, then the other, through all
// blocks, or all of them at once. distances sums up what each query and event are
// apart.
func rounds(distances func(sum tile, y, x Register)) {
	v, y, base := emit.Argument("v"), emit.Argument("y"), emit.Argument("base")
	size := emit.Argument("dim") // of a block of events
	ADDQ(Imm(2), size)
	IMUL3Q(U32(row), size, size)
	scale, err := Param("scale").Resolve()
	if err != nil {
		log.Fatal(err)
	}
	least, highest := AllocLocal(vector), YMM()
	VPCMPEQD(highest, highest, highest)
	VPSRLD(Imm(1), highest, highest)
	for i := 0; i < vector; i += lanes {
		VMOVDQU(highest, least.Offset(i))
	}
	round := GP64()
	MOVQ(U32(queries/part()), round)

	Label("round")
	to, x, block := GP64(), emit.Argument("events"), emit.Argument("blocks")
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

	ADDQ(U32(part()*float), y)
	ADDQ(U32(part()*float), base)
	ADDQ(U32(part()*row), v)
	DECQ(round)
	JNZ(LabelRef("round"))

	result, other := YMM(), XMM()
	VMOVDQU(least, result)
	if wide {
		VPMINSD(least.Offset(lanes), result, result)
	}
	VEXTRACTI128(Imm(1), result, other)
	fold := result.AsX()
	VPMINSD(other, fold, fold)
	for _, exchange := range []uint64{0b01_00_11_10, 0b10_11_00_01} {
		VPSHUFD(Imm(exchange), fold, other)
		VPMINSD(other, fold, fold)
	}
	bits := GP32()
	VMOVD(fold, bits)
	Store(bits, Return("least"))
	VZEROUPPER()
	RET()
}

// tile has for every query of a round the registers of a row.
type tile [][]VecVirtual

func newTile() tile {
	t := make(tile, part())
	for q := range t {
		for range row / vector {
			t[q] = append(t[q], register())
		}
	}
	return t
}

// begin sets the tile to the squares of the differences in the first dimension.
func (t tile) begin(y, x Register) {
	t.differences(y, x, 0, func(q, v int, u VecVirtual) { VMULPS(u, u, t[q][v]) })
}

// add adds the squares of the differences in dimension d.
func (t tile) add(y, x Register, d int) {
	t.differences(y, x, d, func(q, v int, u VecVirtual) { VFMADD231PS(u, u, t[q][v]) })
}

// differences calls do for the difference of every query and event in dimension d.
func (t tile) differences(y, x Register, d int, do func(q, v int, u VecVirtual)) {
	var events []VecVirtual
	for v := range t[0] {
		events = append(events, load(at(x, d*row+v*vector)))
	}
	for q := range t {
		from := at(y, (d*queries+q)*float)
		if wide {
			u := register()
			VSUBPS_BCST(from, events[0], u)
			do(q, 0, u)
			continue
		}
		u0, u1 := register(), register()
		VBROADCASTSS(from, u1)
		VSUBPS(events[0], u1, u0)
		VSUBPS(events[1], u1, u1)
		do(q, 0, u0)
		do(q, 1, u1)
	}
}

// score stores (distance − base)·scale + penalty and keeps the least, as integers.
// The distance is rounded before the base is taken from it, so that none remains if
// they are equal. The least is found by a tree whose last step alone waits for the block before.
func (t tile) score(to, base Register, penalty, scale, least Mem) {
	factor := register()
	VBROADCASTSS(scale, factor)
	var penalties []VecVirtual
	for v := range t[0] {
		penalties = append(penalties, load(penalty.Offset(v*vector)))
	}
	var found []VecVirtual
	for q := range t {
		var b VecVirtual
		if !wide {
			b = register()
			VBROADCASTSS(at(base, q*float), b)
		}
		for v, r := range t[q] {
			if wide {
				VSUBPS_BCST(at(base, q*float), r, r)
			} else {
				VSUBPS(b, r, r)
			}
			VFMADD213PS(penalties[v], factor, r)
			VMOVUPS(r, at(to, q*row+v*vector))
			found = append(found, r)
		}
	}
	for len(found) > 1 {
		var next []VecVirtual
		for i := 0; i+1 < len(found); i += 2 {
			VPMINSD(found[i], found[i+1], found[i+1])
			next = append(next, found[i+1])
		}
		found = append(next, found[2*len(next):]...)
	}
	VPMINSD(least, found[0], found[0])
	VMOVUPS(found[0], least)
}

// lowest writes the function that finds the least exponent of every query.
func lowest() {
	TEXT("lowest"+set, NOSPLIT, "func(low, v *float32, blocks int)")
	Pragma("noescape")
	Doc("lowest" + set + " stores for each query the least v in each of 8 lanes.")
	low, v, n := emit.Argument("low"), emit.Argument("v"), emit.Argument("blocks")
	var least [queries]VecVirtual
	for q := range least {
		least[q] = load(at(v, q*row))
	}
	Label("block")
	for q, r := range least {
		for part := 0; part < row; part += vector {
			VMINPS(at(v, q*row+part), r, r)
		}
	}
	ADDQ(U32(queries*row), v)
	DECQ(n)
	JNZ(LabelRef("block"))
	for q, r := range least {
		if wide {
			VMINPS(upper(r), r.AsY(), r.AsY())
		}
		VMOVUPS(r.AsY(), at(low, q*lanes))
	}
	VZEROUPPER()
	RET()
}
