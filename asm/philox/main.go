// Command philox writes the AVX2 assembly of kernels/philox.
//
// Eight blocks are made at a time, in two groups of four. A group is four
// registers, one for each word of a block; a block's words lie in the low
// halves of the same 64-bit lane of the four, where VPMULUDQ wants them. What
// lies in the high halves never matters.
package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	"github.com/eidolon-hep/eidolon/asm/internal/abreast"
	"github.com/eidolon-hep/eidolon/asm/internal/emit"
)

// The multipliers of a round, the steps of the key from round to round, and the
// number of rounds; the reference is in the comment of kernels/philox.
const (
	multiplier0 = 0xD2511F53
	multiplier1 = 0xCD9E8D57
	keyStep0    = 0x9E3779B9
	keyStep1    = 0xBB67AE85
	rounds      = 10
)

const (
	groups    = 2
	groupSize = 4 // blocks of a group
	register  = 32
)

// group is the words of four blocks.
type group [4]VecVirtual

var (
	constants = emit.New()
	numbers   [groups]Mem // of the blocks of a group, after the first block's
)

func main() {
	ConstraintExpr("!purego")
	numberBlocks()
	draw("uniformAVX2", "float32", "uniform deviates", 32, func(words [groups]group) []VecVirtual {
		var out []VecVirtual
		for _, g := range words {
			out = append(out, inOrder(pairs(g[0], g[1]), pairs(g[2], g[3]))...)
		}
		for _, v := range out {
			VPSRLD(Imm(9), v, v)
			VCVTDQ2PS(v, v)
			half := YMM()
			VMOVAPS(constants.Float(0x1p-24), half)
			VFMADD132PS(constants.Float(0x1p-23), half, v)
		}
		return out
	})
	draw("uniform64AVX2", "float64", "uniform deviates", 16, func(words [groups]group) []VecVirtual {
		one := quads("one", 0x3FF0000000000000)
		belowOne := quads("below_one", 0x3FEFFFFFFFFFFFFF)
		var out []VecVirtual
		for _, g := range words {
			out = append(out, inOrder(pairs(g[0], g[1]), pairs(g[2], g[3]))...)
		}
		for _, v := range out {
			// The 52 bits become the fraction of a number in [1, 2).
			VPSRLQ(Imm(12), v, v)
			VPOR(one, v, v)
			VSUBPD(belowOne, v, v)
		}
		return out
	})
	draw("normalAVX2", "float32", "normal deviates", 32, func(words [groups]group) []VecVirtual {
		var w, a abreast.Vectors
		for half := range 2 {
			w = append(w, pairs(words[0][2*half], words[1][2*half]))
			a = append(a, pairs(words[0][2*half+1], words[1][2*half+1]))
		}
		x, y := boxMuller(w, a)
		var deviates [groups][2]VecVirtual
		for half := range 2 {
			first, second := YMM(), YMM()
			VPSLLQ(Imm(32), y[half], first)
			VPBLENDD(Imm(0xAA), first, x[half], first)
			VPSRLQ(Imm(32), x[half], second)
			VPBLENDD(Imm(0xAA), y[half], second, second)
			deviates[0][half], deviates[1][half] = first, second
		}
		var out []VecVirtual
		for _, d := range deviates {
			out = append(out, inOrder(d[0], d[1])...)
		}
		return out
	})
	Generate()
}

// numberBlocks lays the blocks of a group in the lanes such that the
// interleaving of inOrder puts them in order.
func numberBlocks() {
	for i := range groups {
		numbers[i] = GLOBL([]string{"numbers0", "numbers1"}[i], attr.RODATA|attr.NOPTR)
		for lane, block := range []int{0, 2, 1, 3} {
			DATA(8*lane, U64(uint64(i*groupSize+block)))
		}
	}
}

func quads(name string, bits uint64) Mem {
	m := GLOBL(name, attr.RODATA|attr.NOPTR)
	for lane := range 4 {
		DATA(8*lane, U64(bits))
	}
	return m
}

// draw writes a function that makes blocks, eight at a time, and stores what
// deviates turns them into: count numbers of the given type in order. Where the
// deviates' numbers end, at 2⁶⁴, the blocks begin anew.
func draw(name, typ, what string, count int, deviates func([groups]group) []VecVirtual) {
	TEXT(name, NOSPLIT, "func(dst *"+typ+", n int, seed, stream, block uint64)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s stores n ≥ 1 times %d %s, those of eight blocks a time, from", name, count, what),
		"block on.")
	dst, n, block := emit.Argument("dst"), emit.Argument("n"), emit.Argument("block")
	last := quads(name+"_last", math.MaxUint64/uint64(count/groups/groupSize))
	Label("eight_blocks")
	out := deviates(philox(block, last))
	for i, v := range out {
		VMOVUPS(v, Mem{Base: dst, Disp: i * register})
	}
	ADDQ(Imm(uint64(len(out)*register)), dst)
	ADDQ(Imm(groups*groupSize), block)
	DECQ(n)
	JNZ(LabelRef("eight_blocks"))
	VZEROUPPER()
	RET()
}

// philox makes eight blocks from block on; block 0 follows the last.
func philox(block GPVirtual, last Mem) [groups]group {
	key0, key1 := broadcast(emit.Argument("seed")), YMM()
	VPSRLQ(Imm(32), key0, key1)
	var words [groups]group
	first, stream := broadcast(block), broadcast(emit.Argument("stream"))
	for i := range words {
		for j := range words[i] {
			words[i][j] = YMM()
		}
		VPADDQ(numbers[i], first, words[i][0])
		VPAND(last, words[i][0], words[i][0])
		VPSRLQ(Imm(32), words[i][0], words[i][1])
		VMOVDQA(stream, words[i][2])
		VPSRLQ(Imm(32), stream, words[i][3])
	}
	for round := range rounds {
		if round > 0 {
			VPADDD(constants.Bits(keyStep0), key0, key0)
			VPADDD(constants.Bits(keyStep1), key1, key1)
		}
		for i, c := range words {
			product0, product1 := YMM(), YMM()
			VPMULUDQ(constants.Bits(multiplier0), c[0], product0)
			VPMULUDQ(constants.Bits(multiplier1), c[2], product1)
			VPXOR(key0, c[1], c[1])
			VPXOR(key1, c[3], c[3])
			high0, high1 := c[0], c[2]
			VPSRLQ(Imm(32), product1, high1)
			VPXOR(high1, c[1], c[1])
			VPSRLQ(Imm(32), product0, high0)
			VPXOR(high0, c[3], c[3])
			words[i] = group{c[1], product1, c[3], product0}
		}
	}
	return words
}

// pairs puts low in the even 32-bit lanes and high in the odd ones: two words of each block
// of a group in its 64-bit lane, or a word of each of two groups. It destroys high.
func pairs(low, high VecVirtual) VecVirtual {
	VPSLLQ(Imm(32), high, high)
	VPBLENDD(Imm(0xAA), high, low, low)
	return low
}

// inOrder turns two registers that hold the first and the second 64 bits of
// each block of a group into two that hold block after block.
func inOrder(first, second VecVirtual) []VecVirtual {
	low, high := YMM(), YMM()
	VPUNPCKLQDQ(second, first, low)
	VPUNPCKHQDQ(second, first, high)
	return []VecVirtual{low, high}
}

func broadcast(word GPVirtual) VecVirtual {
	x, y := XMM(), YMM()
	VMOVQ(word, x)
	VPBROADCASTQ(x, y)
	return y
}
