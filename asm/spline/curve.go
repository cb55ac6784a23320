package main

import (
	"fmt"
	"log"
	"math"

	"github.com/eidolon-hep/eidolon/asm/internal/abreast"
	"github.com/eidolon-hep/eidolon/asm/internal/emit"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The numbers of kernels/spline.
const (
	maxBins  = 128
	minSlope = 1e-3
)

var slopeOffset = float32(math.Log(math.Expm1(1 - minSlope)))

const (
	float     = 4         // bytes
	vector    = 8 * float // and those of a slot
	maxGroup  = 8         // vectors, as in kernels/spline
	variables = 24        // the largest number
)

// curves are the splines of a group of vectors of elements, the last of which may
// have fewer than eight. What is known of them is on the stack, in slots: a slot has one
// number for each element of a vector.
//
// A vector's slots of parameters follow each other as the parameters do: bins of
// widths, bins of heights, and one less of the slopes between bins. So there is one
// more for the slope at the right end.
type curves struct {
	e                     *emit.Emitter
	bins, width           GPVirtual // width is the number of an element's parameters
	bound, floor, free    Mem
	start, vector         GPVirtual // bytes of a slice before the group, and in it before the vector at hand
	left                  GPVirtual // elements of the group and behind it
	rows                  Mem       // addresses of the elements' parameters
	parameters, variables Mem       // slots
	used, labels          int       // variables, and labels
}

func loadCurves(e *emit.Emitter, elements string) *curves {
	c := &curves{
		e:    e,
		bins: Load(Param("bins"), GP64()).(GPVirtual), width: GP64(),
		bound: address("bound"), floor: address("floor"), free: address("free"),
		start: GP64(), vector: GP64(),
		left: Load(Param(elements).Len(), GP64()).(GPVirtual),
		rows: AllocLocal(8 * 8),
	}
	LEAQ(Mem{Base: c.bins, Index: c.bins, Scale: 2, Disp: -1}, c.width)
	XORQ(c.start, c.start)

	aligned := GP64()
	LEAQ(AllocLocal((3*maxBins+variables*maxGroup+1)*vector), aligned)
	ADDQ(Imm(vector-1), aligned)
	ANDQ(I8(-vector), aligned)
	c.parameters = Mem{Base: aligned}
	c.variables = Mem{Base: aligned, Disp: 3 * maxBins * vector}
	return c
}

func address(name string) Mem {
	param, err := Param(name).Resolve()
	if err != nil {
		log.Fatal(err)
	}
	return param.Addr
}

// each takes all vectors of a group through one stage after the other, then those of
// the next group. What a stage has to wait for in one vector, it computes in others.
func (c *curves) each(stages ...func()) {
	stop := GP64()
	Label("group")
	Load(Param("group"), stop)
	SHLQ(Imm(3), stop)
	CMPQ(stop, c.left)
	CMOVQGT(c.left, stop)
	SHLQ(Imm(2), stop)
	for _, stage := range stages {
		again := c.label("stage")
		XORQ(c.vector, c.vector)
		Label(again)
		stage()
		ADDQ(Imm(vector), c.vector)
		CMPQ(c.vector, stop)
		JL(LabelRef(again))
	}
	ADDQ(stop, c.start)
	SHRQ(Imm(2), stop)
	SUBQ(stop, c.left)
	JNZ(LabelRef("group"))
	VZEROUPPER()
	RET()
}

func (c *curves) label(name string) string {
	c.labels++
	return fmt.Sprintf("%s_%d", name, c.labels)
}

// elements are those at hand of a slice.
func (c *curves) elements(name string) Mem {
	base := Load(Param(name).Base(), GP64()).(GPVirtual)
	ADDQ(c.start, base)
	return Mem{Base: base, Index: c.vector, Scale: 1}
}

// existing is the number of elements from those at hand on.
func (c *curves) existing() GPVirtual {
	before, n := GP64(), GP64()
	MOVQ(c.vector, before)
	SHRQ(Imm(2), before)
	MOVQ(c.left, n)
	SUBQ(before, n)
	return n
}

// load returns elements of a slice, and zero for those that do not exist.
func (c *curves) load(name string) VecVirtual {
	v := YMM()
	VMASKMOVPS(c.elements(name), c.e.Mask8(c.existing()), v)
	return v
}

// store takes the slow way, through a mask, only where elements are missing.
func (c *curves) store(v VecVirtual, name string) {
	some, done := c.label("some"), c.label("stored")
	to, n := c.elements(name), c.existing()
	CMPQ(n, Imm(8))
	JL(LabelRef(some))
	VMOVUPS(v, to)
	JMP(LabelRef(done))
	Label(some)
	VMASKMOVPS(v, c.e.Mask8(n), to)
	Label(done)
}

// save puts v into a new variable, which has a slot for every vector of the group.
func (c *curves) save(v VecVirtual) Mem {
	if c.used == variables {
		log.Fatal("spline: too many variables")
	}
	m := c.variables.Offset(c.used * maxGroup * vector)
	m.Index, m.Scale = c.vector, 1
	c.used++
	VMOVUPS(v, m)
	return m
}

// clip returns elements of a slice moved to within the bounds, NaN too, and a mask of
// those that exist and were within.
func (c *curves) clip(name string) (v, inside Mem) {
	given, clipped, limit, size := c.load(name), YMM(), all(c.bound), YMM()
	VANDPS(c.e.Bits(1<<31-1), given, size)
	VCMPPS(emit.Ge, size, limit, size)
	VANDPS(c.e.Mask8(c.existing()), size, size)
	VMINPS(limit, given, clipped)
	VXORPS(c.e.Bits(1<<31), limit, limit)
	VMAXPS(limit, clipped, clipped)
	return c.save(clipped), c.save(size)
}

// within is v inside the bounds, and elements of a slice outside.
func (c *curves) within(inside Mem, v VecVirtual, outside string) VecVirtual {
	mask, other := load(inside), c.load(outside)
	VBLENDVPS(mask, v, other, v)
	return v
}

// axis along which bins have sizes.
type axis int

const (
	widths axis = iota
	heights
)

// exponentials replaces the logits of widths and heights by exp(logit), less the
// largest logit. It returns the factors that make them shares of what there is to share.
func (c *curves) exponentials() (factor [2]Mem) {
	largest, sum := abreast.New(2), abreast.New(2)
	largest.Each(func(_ int, v VecVirtual) { VMOVAPS(c.e.Float(float32(math.Inf(-1))), v) })
	c.eachBin(func(at [3]Mem) {
		largest.Each(func(i int, v VecVirtual) { VMAXPS(at[i], v, v) })
	})
	sum.Each(func(_ int, v VecVirtual) { VXORPS(v, v, v) })
	c.eachBin(func(at [3]Mem) {
		below := abreast.New(2)
		below.Each(func(i int, v VecVirtual) {
			VMOVUPS(at[i], v)
			VSUBPS(largest[i], v, v)
		})
		exp := c.e.ExpInRange(c.e.AtLeast(-emit.ExpRange, below))
		exp.Each(func(i int, v VecVirtual) {
			VMOVUPS(v, at[i])
			VADDPS(v, sum[i], sum[i])
		})
	})
	sum.Each(func(i int, v VecVirtual) {
		share := all(c.free)
		VDIVPS(v, share, share)
		factor[i] = c.save(share)
	})
	return factor
}

// bin is one of each element.
type bin struct {
	edge, size [2]Mem // along either axis
	slope      [2]Mem // the logits of those at the left and the right end
	number     Mem
}

// search finds the bins in whose range along an axis v lies.
func (c *curves) search(by axis, v Mem, factor [2]Mem) (b bin) {
	edge, size, next := abreast.New(2), abreast.New(2), abreast.New(2)
	slope, knot, floor, number := abreast.New(2), YMM(), all(c.floor), YMM()
	VXORPS(knot, knot, knot) // the logit 0 makes the slope 1, as at either end
	end, at := GP64(), c.slots()
	MOVQ(c.width, end)
	SHLQ(Imm(5), end)
	VMOVUPS(knot, Mem{Base: at, Index: end, Scale: 1})
	next.Each(func(i int, v VecVirtual) {
		VXORPS(edge[i], edge[i], edge[i])
		VXORPS(size[i], size[i], size[i])
		VXORPS(slope[i], slope[i], slope[i])
		VBROADCASTSS(c.bound, v)
		VXORPS(c.e.Bits(1<<31), v, v)
	})
	last := GP64()
	LEAQ(Mem{Base: c.bins, Disp: -1}, last)
	VMOVD(last.As32(), number.AsX())
	VPBROADCASTD(number.AsX(), number)

	c.eachBin(func(at [3]Mem) {
		before, this := YMM(), YMM()
		VCMPPS(emit.Gt, v, next[by], before)
		VPADDD(before, number, number) // a mask is −1
		for i := range next {
			VBLENDVPS(before, edge[i], next[i], edge[i])
			VMOVUPS(at[i], this)
			VFMADD132PS(factor[i], floor, this)
			VBLENDVPS(before, size[i], this, size[i])
			VADDPS(this, next[i], next[i])
		}
		VBLENDVPS(before, slope[left], knot, slope[left])
		VMOVUPS(at[2], knot)
		VBLENDVPS(before, slope[right], knot, slope[right])
	})
	for i := range 2 {
		b.edge[i], b.size[i], b.slope[i] = c.save(edge[i]), c.save(size[i]), c.save(slope[i])
	}
	b.number = c.save(number)
	return b
}

// side of a bin.
type side int

const (
	left side = iota
	right
)

// slopes are those at the ends of a bin.
func (c *curves) slopes(b bin) (slope [2]Mem) {
	c.e.Softplus(c.slopeLogits(b)).Each(func(i int, v VecVirtual) {
		VADDPS(c.e.Float(minSlope), v, v)
		slope[i] = c.save(v)
	})
	return slope
}

// slopeDerivatives are those of the slopes with respect to their logits.
func (c *curves) slopeDerivatives(b bin) (derivative [2]Mem) {
	c.e.Sigmoid(c.slopeLogits(b)).Each(func(i int, v VecVirtual) { derivative[i] = c.save(v) })
	return derivative
}

func (c *curves) slopeLogits(b bin) abreast.Vectors {
	return abreast.Vectors{load(b.slope[left]), load(b.slope[right])}.With(VADDPS, c.e.Float(slopeOffset))
}

// gradient puts the gradients of the logits into the slots, given those of edge,
// size and slopes' logits of the bin.
func (c *curves) gradient(b bin, factor, edge, size, slope [2]Mem) {
	// Every logit draws from all shares: mean, of the gradients of all sizes.
	// The shares before the bin add up to where the bin begins.
	var below, at, above [2]VecVirtual
	for i := range below {
		mean, share, floor, number := YMM(), YMM(), all(c.floor), YMM()
		VCVTDQ2PS(b.number, number)
		VBROADCASTSS(c.bound, mean)
		VADDPS(b.edge[i], mean, mean)
		VFNMADD231PS(number, floor, mean)
		VMULPS(edge[i], mean, mean)
		VMOVUPS(b.size[i], share)
		VSUBPS(floor, share, share)
		VFMADD231PS(size[i], share, mean)
		VDIVPS(all(c.free), mean, mean)

		below[i], at[i], above[i] = YMM(), YMM(), YMM()
		VMOVUPS(edge[i], below[i])
		VMOVUPS(size[i], at[i])
		VXORPS(above[i], above[i], above[i])
		for _, g := range []VecVirtual{below[i], at[i], above[i]} {
			VSUBPS(mean, g, g)
			VMULPS(factor[i], g, g)
		}
	}

	number, k := YMM(), YMM()
	VMOVUPS(b.number, number)
	VPXOR(k, k, k)
	c.eachBin(func(slots [3]Mem) {
		before, same, knot := YMM(), YMM(), YMM()
		VPCMPGTD(k, number, before)
		VPCMPEQD(k, number, same)
		for i := range below {
			g := YMM()
			VBLENDVPS(before, below[i], above[i], g)
			VBLENDVPS(same, at[i], g, g)
			VMULPS(slots[i], g, g)
			VMOVUPS(g, slots[i])
		}
		// The knot on the right of this bin is on the left of the next.
		VANDPS(slope[right], same, same)
		VPADDD(c.e.Bits(1), k, k)
		VPCMPEQD(k, number, knot)
		VANDPS(slope[left], knot, knot)
		VORPS(same, knot, knot)
		VMOVUPS(knot, slots[2])
	})
}

// eachBin repeats f for the slots of every bin's width and height and of the slope
// on its right.
func (c *curves) eachBin(f func(at [3]Mem)) {
	again := c.label("bin")
	at, section, left := c.slots(), GP64(), GP64()
	MOVQ(c.bins, left)
	MOVQ(c.bins, section)
	SHLQ(Imm(5), section)
	Label(again)
	f([3]Mem{{Base: at}, {Base: at, Index: section, Scale: 1}, {Base: at, Index: section, Scale: 2}})
	ADDQ(Imm(vector), at)
	SUBQ(Imm(1), left)
	JNZ(LabelRef(again))
}

// slots returns the address of the slots of parameters.
func (c *curves) slots() GPVirtual {
	offset, at := GP64(), GP64()
	LEAQ(Mem{Base: c.bins, Index: c.bins, Scale: 2}, offset)
	IMULQ(c.vector, offset)
	LEAQ(c.parameters, at)
	ADDQ(offset, at)
	return at
}

// all is eight times the number at an address.
func all(at Mem) VecVirtual {
	v := YMM()
	VBROADCASTSS(at, v)
	return v
}
