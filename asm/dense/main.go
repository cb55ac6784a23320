// Command dense writes the assembly of kernels/dense: for AVX2, and with -wide for
// AVX-512.
//
// Read product.go for the layers and the gradients of their inputs, weights.go
// for the gradients of the weights, transpose.go for the packing of weights, activation.go for the activations that are a pass of their own. What
// the functions do is said in their comments, which avo copies into the stubs;
// how slices become calls of them, in kernels/dense/dense_amd64.go.
//
// The wide functions have the names of the others with Wide behind, and compute the
// same bits: every number is the same chain of the same instructions.
package main

import (
	"flag"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	"github.com/eidolon-hep/eidolon/asm/internal/emit"
)

const (
	float  = 4  // bytes of a float32
	line   = 64 // bytes of a cache line
	packed = 16 // columns of a panel in memory, but of one of eight
	chains = 8  // registers that sums must go to in turn: the latency of a multiply-add times the pipes
)

// constants holds the vectors of constants of this program.
var constants = emit.New()

func main() {
	flag.Parse()
	ConstraintExpr("!purego")
	if *wide {
		widen()
		for _, p := range []panel{{columns: 32, rows: []int{12, 8, 4, 2, 1}}, {columns: 16, rows: []int{16, 12, 8, 4, 2, 1}}} {
			p.forward()
			p.gradInput()
		}
		for _, p := range []panel{{columns: 32, rows: append([]int{12}, falling(8)...)}, {columns: 16, rows: falling(16)}} {
			p.gradWeights()
		}
		sumRows()
	} else {
		for _, p := range []panel{{columns: 16, rows: []int{6, 4, 2, 1}}, {columns: 8, rows: []int{12, 8, 4, 2, 1}}} {
			p.forward()
			p.gradInput()
		}
		for _, p := range []panel{{columns: 16, rows: falling(6)}, {columns: 8, rows: []int{12, 8, 4, 2, 1}}} {
			p.gather()
			p.gradWeights()
		}
		pack()
		transpose()
	}
	add()
	relu()
	silu()
	siluGradient()
	tanh()
	Generate()
}

// function begins a function. doc is what it does, after its name.
func function(name, signature string, doc ...string) {
	name += suffix
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(strings.Split(name+" "+strings.Join(doc, "\n"), "\n")...)
}

// falling is n, n−1, … 1.
func falling(n int) []int {
	var rows []int
	for ; n > 0; n-- {
		rows = append(rows, n)
	}
	return rows
}

// panel is a block of columns and the numbers of rows, falling to 1, that a
// tile of it may have. A tile is what one microkernel computes: it lives in
// registers, rows × columns/vector of them.
type panel struct {
	columns int
	rows    []int
}

func (p panel) vectors() int { return p.columns / vector }

// packed is how many of the columns lie side by side in packed weights: 32 columns
// are two panels there, one behind the other.
func (p panel) packed() int { return min(p.columns, packed) }

// tile is rows × vectors of registers.
type tile [][]VecVirtual

// zeroTile is a tile of zeros.
func zeroTile(rows, vectors int) tile {
	t := make(tile, rows)
	for r := range t {
		t[r] = make([]VecVirtual, vectors)
		for v := range t[r] {
			t[r][v] = register()
			VXORPS(t[r][v], t[r][v], t[r][v])
		}
	}
	return t
}

// each calls f for every register of the tile, with its row and vector.
func (t tile) each(f func(r, v int, acc VecVirtual)) {
	for r := range t {
		for v := range t[r] {
			f(r, v, t[r][v])
		}
	}
}

// rowPointers are the addresses of rows that are a stride in bytes apart. Since
// an address in an instruction may add the stride once or twice, one register
// serves three rows.
type rowPointers struct {
	base   []GPVirtual
	stride GPVirtual
}

func newRowPointers(first, stride GPVirtual, rows int) rowPointers {
	p := rowPointers{stride: stride}
	for r := 0; r < rows; r += 3 {
		base := GP64()
		if r == 0 {
			MOVQ(first, base)
		} else {
			LEAQ(p.row(r-1), base)
			ADDQ(stride, base)
		}
		p.base = append(p.base, base)
	}
	return p
}

// row is the address of row r's beginning.
func (p rowPointers) row(r int) Mem {
	m := Mem{Base: p.base[r/3]}
	if r%3 > 0 {
		m.Index, m.Scale = p.stride, uint8(r%3)
	}
	return m
}

// advance moves all rows on by bytes.
func (p rowPointers) advance(bytes int) {
	for _, base := range p.base {
		ADDQ(U32(bytes), base)
	}
}

// prefetch asks for the panel's part of rows that a tile needs when it is done:
// they may be as far away as the third cache.
func (p panel) prefetch(at rowPointers, rows int) {
	last := (p.columns - 1) * float // may lie in one more line
	for r := range rows {
		for offset := 0; offset < last; offset += line {
			PREFETCHT0(at.row(r).Offset(offset))
		}
		PREFETCHT0(at.row(r).Offset(last))
	}
}

// argument is a new register with an argument of the function, times scale.
func argument(name string, scale int) GPVirtual {
	r := GP64()
	Load(Param(name), r)
	if scale > 1 {
		IMUL3Q(Imm(uint64(scale)), r, r)
	}
	return r
}

// loop repeats body n times, unroll at a time as long as possible: body is
// written unroll times in the loop, with the number of the copy, and next moves
// its pointers on by a number of iterations. n is destroyed.
func loop(name string, n GPVirtual, unroll int, body func(copy int), next func(iterations int)) {
	SUBQ(Imm(uint64(unroll)), n)
	JL(LabelRef(name + "_rest"))
	Label(name + "_unrolled")
	for i := range unroll {
		body(i)
	}
	next(unroll)
	SUBQ(Imm(uint64(unroll)), n)
	JGE(LabelRef(name + "_unrolled"))
	Label(name + "_rest")
	ADDQ(U32(unroll), n)
	JZ(LabelRef(name + "_end"))
	Label(name + "_single")
	body(0)
	next(1)
	DECQ(n)
	JNZ(LabelRef(name + "_single"))
	Label(name + "_end")
}
