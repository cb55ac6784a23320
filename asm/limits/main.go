// Command limits writes the assembly of internal/limits, loops that do nothing but
// keep the processor as busy as it can be: for AVX2, and with -wide the one of
// multiply-adds for AVX-512.
package main

import (
	"flag"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	"github.com/eidolon-hep/eidolon/asm/internal/abreast"
	"github.com/eidolon-hep/eidolon/asm/internal/emit"
)

// constants holds the vectors of constants of this program.
var constants = emit.New()

// What registers are, and the suffix of the functions' names.
var register, suffix = YMM, "AVX2"

func main() {
	wide := flag.Bool("wide", false, "write for AVX-512")
	flag.Parse()
	ConstraintExpr("!purego")
	if *wide {
		register, suffix = ZMM, "AVX512"
	}
	mix("fma", "twelve multiply-adds", 12,
		part{1, nil})
	if !*wide {
		narrow()
	}
	Generate()
}

// narrow writes the loops that have no wide counterparts.
func narrow() {
	// As asm/internal/emit has them in range: the comparison with its ends, of |x|;
	// the nearest eighth of a power and the rest, a subtraction and three
	// multiply-adds; a polynomial of degree 3 without its constant; the power from a
	// table of eighths; and the last multiply-add.
	mix("exp", "the instructions of four exponentials of eight numbers", 4,
		part{6, nil},
		part{1, and},
		part{1, VPMAXSD},
		part{1, VSUBPS},
		part{1, VMULPS},
		part{1, VPERMPS},
		part{1, shift},
		part{1, VPADDD})

	// As asm/philox has them: ten rounds of two groups of four blocks.
	const rounds, groups = 10, 2
	mix("philox", "the instructions of eight blocks of Philox", 1,
		part{rounds * groups * 2, VPMULUDQ},
		part{rounds * groups * 2, shift},
		part{rounds * groups * 4, xor},
		part{(rounds - 1) * 2, VPADDD})

	// The same and, for each half of the words, the transformation of Box and
	// Muller: a logarithm of degree 9, a root, a sine and a cosine.
	mix("normal", "the instructions of 32 normal deviates", 1,
		part{rounds * groups * 2, VPMULUDQ},
		part{rounds*groups*2 + 24, shift},
		part{rounds*groups*4 + 20, xor}, // with comparisons and blends by constants, which have the same pipes
		part{(rounds-1)*2 + 14, VPADDD},
		part{38, nil},
		part{18, VMULPS},
		part{12, convert},
		part{12, and},
		part{6, blend},
		part{6, VADDPS},
		part{4, VPUNPCKLQDQ},
		part{2, root})

	// As asm/optim has them.
	mix("divide", "four square roots and four divisions of eight numbers", 4,
		part{1, root},
		part{1, VDIVPS})

	read()
}

// part is a number of instructions of one kind: op, which gets two sources and
// a destination, or multiply-adds where op is nil.
type part struct {
	count int
	op    func(...Op)
}

func shift(ops ...Op)   { VPSRLD(Imm(1), ops[0], ops[2]) }
func root(ops ...Op)    { VSQRTPS(ops[0], ops[2]) }
func xor(ops ...Op)     { VPXOR(ops[0], ops[1], ops[2]) }
func and(ops ...Op)     { VPAND(ops[0], ops[1], ops[2]) }
func convert(ops ...Op) { VCVTDQ2PS(ops[0], ops[2]) }
func blend(ops ...Op)   { VBLENDVPS(ops[0], ops[0], ops[1], ops[2]) }

// mix writes a loop over the instructions of all parts, repeated times over and
// evenly mixed. None of them waits for another: multiply-adds add to twelve
// registers in turn, more than their latency times the pipes of any processor,
// and what the others write nobody reads.
func mix(name, doc string, repeated int, parts ...part) {
	TEXT(name+suffix, NOSPLIT, "func(n int)")
	Doc(name+suffix+" does n ≥ 1 times "+doc+",", "none of which waits for another.")
	n := GP64()
	Load(Param("n"), n)
	x, y := abreast.Filled(register, constants.Float(1.37)), abreast.Filled(register, constants.Float(2.71))
	result := register()
	sums := abreast.Of(12, register)
	sums.Each(func(_ int, sum VecVirtual) { VMOVAPS(x, sum) })

	total := 0
	for _, p := range parts {
		total += p.count
	}
	due, next := make([]int, len(parts)), 0
	Label("loop")
	for range repeated * total {
		// The next instruction is of the part that is furthest behind.
		most := 0
		for i, p := range parts {
			due[i] += p.count
			if due[i] > due[most] {
				most = i
			}
		}
		due[most] -= total
		if op := parts[most].op; op != nil {
			op(x, y, result)
		} else {
			VFMADD231PS(x, y, sums[next%len(sums)])
			next++
		}
	}
	SUBQ(Imm(1), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// read writes a loop that loads memory.
func read() {
	const vectors, bytes = 8, 32
	TEXT("readAVX2", NOSPLIT, "func(p *float32, n int)")
	Pragma("noescape")
	Doc("readAVX2 loads n ≥ 1 times 64 floats from p on.")
	p, n := GP64(), GP64()
	Load(Param("p"), p)
	Load(Param("n"), n)
	result := YMM()
	Label("loop")
	for i := range vectors {
		VMOVUPS(Mem{Base: p, Disp: i * bytes}, result)
	}
	ADDQ(U32(vectors*bytes), p)
	SUBQ(Imm(1), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}
