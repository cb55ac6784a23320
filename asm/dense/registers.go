package main

import (
	"flag"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	"github.com/eidolon-hep/eidolon/asm/internal/abreast"
)

// wide says that the program writes for AVX-512, not for AVX2.
var wide = flag.Bool("wide", false, "write for AVX-512")

// What registers are: YMM or, after widen, ZMM, of so many floats. The suffix is that
// of the functions' names.
var (
	vector   = 8
	register = YMM
	suffix   = ""
)

func widen() { vector, register, suffix = 16, ZMM, "Wide" }

// load returns a register with the constant x in all lanes.
func load(x float32) VecVirtual { return abreast.Filled(register, constants.Float(x)) }

// constant is an operand with the constant x in all lanes: memory for AVX2, whose
// registers are few.
func constant(x float32) Op {
	if *wide {
		return load(x)
	}
	return constants.Float(x)
}

// mask says which lanes of a vector are used: all where it is the zero mask. It is a
// vector for AVX2, and a register of its own kind for AVX-512.
type mask struct{ lanes Op }

// newMask is the mask of the first n lanes.
func newMask(n GPVirtual) mask {
	if *wide {
		return mask{constants.Mask16(n)}
	}
	return mask{constants.Mask8(n)}
}

// load loads what the mask says, and zeros.
func (m mask) load(from Mem, to VecVirtual) {
	switch {
	case m.lanes == nil:
		VMOVUPS(from, to)
	case *wide:
		VMOVUPS_Z(from, m.lanes, to)
	default:
		VMASKMOVPS(from, m.lanes, to)
	}
}

// store stores what the mask says.
func (m mask) store(from VecVirtual, to Mem) {
	switch {
	case m.lanes == nil:
		VMOVUPS(from, to)
	case *wide:
		VMOVUPS(from, m.lanes, to)
	default:
		VMASKMOVPS(from, m.lanes, to)
	}
}

// add adds a vector to memory. The vector is changed.
func (m mask) add(v VecVirtual, to Mem) {
	switch {
	case m.lanes == nil:
		VADDPS(to, v, v)
	case *wide:
		VADDPS(to, v, m.lanes, v)
	default:
		old := register()
		m.load(to, old)
		VADDPS(old, v, v)
	}
	m.store(v, to)
}
