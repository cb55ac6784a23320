// Command gauss writes the assembly of kernels/gauss: that for AVX2, or with -avx512
// that for AVX-512.
//
// Twelve queries meet a few hundred events in three steps, each with its own
// kernels: scores.go makes exponents of the distances, weights.go turns these
// into weights, and sums.go multiplies the weights with the events. Between the
// steps lies a buffer small enough for the first cache. What the functions do is
// said in their comments, which avo copies into the stubs; how they are strung
// together, in kernels/gauss/sums.go.
//
// The registers of AVX-512 are twice as many and each as long as a row of a block.
// All queries of a tile meet a block in one round there, and those that are summed up
// at a time are more.
package main

import (
	"flag"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	"github.com/eidolon-hep/eidolon/asm/internal/emit"
)

const (
	float   = 4          // bytes of a float32
	lanes   = 8 * float  // bytes of the parts of a sum
	row     = 16 * float // bytes of what a block of events has of one kind
	queries = 12         // of a tile
	maxDim  = 16         // that has its own scores
)

// What the processor has.
var (
	wide     bool        // AVX-512
	set      = "AVX2"    // its name, the end of the functions'
	vector   = 8 * float // bytes of a register
	register = YMM       // a new one
)

// constants holds the vectors of constants of this program.
var constants = emit.New()

func main() {
	flag.BoolVar(&wide, "avx512", false, "write the assembly for AVX-512")
	flag.Parse()
	if wide {
		set, vector, register = "AVX512", 16*float, ZMM
	}
	ConstraintExpr("!purego")
	for dim := 1; dim <= maxDim; dim++ {
		scores(dim)
	}
	scoresMany()
	lowest()
	weights()
	for columns := range 4 {
		sums(columns)
	}
	for columns := 1; columns <= 4; columns++ {
		products(columns)
	}
	squares()
	excess()
	Generate()
}

// at is the memory some bytes beyond base.
func at(base Register, bytes int) Mem { return Mem{Base: base, Disp: bytes} }

// load is a new register with the vector at m.
func load(m Op) VecVirtual {
	r := register()
	VMOVUPS(m, r)
	return r
}

// constant is a new register with a constant.
func constant(x float32) VecVirtual {
	if !wide {
		return load(constants.Float(x))
	}
	r := register()
	VBROADCASTSS(constants.Float(x), r)
	return r
}

// zero is a new register with zeros.
func zero() VecVirtual {
	r := register()
	if wide {
		VPXORD(r, r, r)
	} else {
		VXORPS(r, r, r)
	}
	return r
}

// upper is the upper half of a register of AVX-512.
func upper(r VecVirtual) VecVirtual {
	half := YMM()
	VEXTRACTF32X8(Imm(1), r, half)
	return half
}

// flushing takes subnormal numbers as 0 until the function that it returns is
// called, since to some processors they are a hundred times the work.
func flushing() (end func()) {
	mode, flushed, control := AllocLocal(float), AllocLocal(float), GP32()
	STMXCSR(mode)
	MOVL(mode, control)
	ORL(U32(1<<15|1<<6), control)
	MOVL(control, flushed)
	LDMXCSR(flushed)
	return func() { LDMXCSR(mode) }
}
