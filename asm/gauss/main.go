// Command gauss writes the AVX2 assembly of kernels/gauss.
//
// Twelve queries meet a few hundred events in three steps, each with its own
// kernels: scores.go makes exponents of the distances, weights.go turns these
// into weights, and sums.go multiplies the weights with the events. Between the
// steps lies a buffer small enough for the first cache. What the functions do is
// said in their comments, which avo copies into the stubs; how they are strung
// together, in kernels/gauss/sums.go.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	"github.com/eidolon-hep/eidolon/asm/internal/emit"
)

const (
	float   = 4          // bytes of a float32
	vector  = 8 * float  // bytes of a YMM register
	row     = 2 * vector // bytes of what a block of events has of one kind
	queries = 12         // of a tile
	maxDim  = 16         // that has its own scores
)

// constants holds the vectors of constants of this program.
var constants = emit.New()

func main() {
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

// argument is a new register with an argument of the function.
func argument(name string) GPVirtual {
	r := GP64()
	Load(Param(name), r)
	return r
}

// at is the memory some bytes beyond base.
func at(base Register, bytes int) Mem { return Mem{Base: base, Disp: bytes} }

// load is a new register with the vector at m.
func load(m Op) VecVirtual {
	r := YMM()
	VMOVUPS(m, r)
	return r
}

// zero is a new register with zeros.
func zero() VecVirtual {
	r := YMM()
	VXORPS(r, r, r)
	return r
}
