// Package emit writes elementary functions of float32 into avo programs.
//
// Within the TEXT of an avo program,
//
//	e := emit.New()
//	y := e.Exp(x)
//
// appends the AVX2 and FMA instructions that compute y = exp(x) for vectors x
// abreast, which keep their values, and returns the new ones. The constants needed
// are memory operands, emitted once per program.
//
// The registers suffice for four vectors abreast in ExpInRange, LogInRange, TanhAbs
// and Sigmoid, and for two in the others. Beyond, avo would take Y16 to Y31, which
// AVX2 does not have: a test looks for them in all generated files.
//
// All functions take the whole range of float32, subnormal numbers, infinities
// and NaN included, unless they say otherwise. The errors stated in ULP are proved
// by the tests of kernels/vmath, whose functions are these in a loop.
package emit

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Predicates of VCMPPS that raise no exception on NaN. Lt, Gt, Ge and Eq are
// false where an operand is NaN, NotLt is true there.
const (
	Eq    = U8(0x00)
	Lt    = U8(0x11)
	NotLt = U8(0x15)
	Ge    = U8(0x1d)
	Gt    = U8(0x1e)
)

// Argument returns a new register with an argument of the function.
func Argument(name string) GPVirtual { return Load(Param(name), GP64()).(GPVirtual) }

// Emitter is one avo program's store of constants and writer of functions.
type Emitter struct {
	vectors map[string]Mem
}

// New returns the emitter of a program. A program needs only one.
func New() *Emitter { return &Emitter{vectors: make(map[string]Mem)} }

// Float is a memory operand of eight times x.
func (e *Emitter) Float(x float32) Mem { return e.Bits(math.Float32bits(x)) }

// Floats are memory operands of eight times each number.
func (e *Emitter) Floats(c []float32) []Op {
	ops := make([]Op, len(c))
	for i, x := range c {
		ops[i] = e.Float(x)
	}
	return ops
}

// Bits is a memory operand of eight times the 32 bits u.
func (e *Emitter) Bits(u uint32) Mem {
	return e.vector(fmt.Sprintf("all_%08x", u), u, u, u, u, u, u, u, u)
}

// Mask8 is a mask for VMASKMOVPS with the first n lanes on: none if n ≤ 0, all
// if n ≥ 8.
func (e *Emitter) Mask8(n GPVirtual) VecVirtual {
	count, mask := XMM(), YMM()
	VMOVD(n.As32(), count)
	VPBROADCASTD(count, mask)
	VPCMPGTD(e.vector("lanes", 0, 1, 2, 3, 4, 5, 6, 7), mask, mask)
	return mask
}

// Mask16 is Mask8 for the sixteen lanes of AVX-512.
func (e *Emitter) Mask16(n GPVirtual) OpmaskVirtual {
	count, mask := ZMM(), K()
	VPBROADCASTD(n.As32(), count)
	VPCMPGTD(e.vector("lanes16", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), count, mask)
	return mask
}

func (e *Emitter) vector(name string, lanes ...uint32) Mem {
	mem, ok := e.vectors[name]
	if !ok {
		mem = GLOBL(name, attr.RODATA|attr.NOPTR)
		for i, u := range lanes {
			DATA(4*i, U32(u))
		}
		e.vectors[name] = mem
	}
	return mem
}
