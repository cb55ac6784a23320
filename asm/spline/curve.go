package main

import (
	"fmt"
	"log"
	"math"

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

// curves are the splines of the eight elements at hand, of which count are left,
// possibly fewer than eight.
type curves struct {
	e                   *emit.Emitter
	params, bins, count GPVirtual
	width               GPVirtual // parameters per element
	bound, floor, free  Mem
	active              Mem     // mask of the elements that exist
	index               Mem     // where their parameters begin
	widths, heights     section // one slot for each bin
	slopes              section // and for each knot between bins
	spare               Mem     // slots for save
	saved, labels       int
}

// section is one of the three parts of the parameters, and their slots on the
// stack: its slots and parameters begin at start·bins.
type section struct {
	start int
	slots Mem
}

const (
	slot       = 32
	spareSlots = 12
)

func loadCurves(e *emit.Emitter, elements string) *curves {
	c := &curves{
		e:      e,
		params: pointer("params"),
		bins:   Load(Param("bins"), GP64()).(GPVirtual),
		count:  Load(Param(elements).Len(), GP64()).(GPVirtual),
		width:  GP64(),
		bound:  address("bound"), floor: address("floor"), free: address("free"),
	}
	LEAQ(Mem{Base: c.bins, Index: c.bins, Scale: 2, Disp: -1}, c.width)

	frame := AllocLocal(slot * (2 + spareSlots + 3*maxBins))
	c.active, c.index, c.spare = frame, frame.Offset(slot), frame.Offset(2*slot)
	slots := frame.Offset((2 + spareSlots) * slot)
	c.widths, c.heights, c.slopes = section{0, slots}, section{1, slots}, section{2, slots}

	stride := YMM()
	VMOVD(c.width.As32(), stride.AsX())
	VPBROADCASTD(stride.AsX(), stride)
	VPMULLD(e.Lanes(), stride, stride)
	VMOVUPS(stride, c.index)
	return c
}

func pointer(name string) GPVirtual { return Load(Param(name).Base(), GP64()).(GPVirtual) }

func address(name string) Mem {
	param, err := Param(name).Resolve()
	if err != nil {
		log.Fatal(err)
	}
	return param.Addr
}

// each repeats f for eight elements after the other, to which the pointers move along.
func (c *curves) each(pointers []Register, f func()) {
	Label("elements")
	CMPQ(c.count, Imm(0))
	JLE(LabelRef("end"))
	VMOVUPS(c.e.Mask8(c.count), c.active)
	f()
	for _, p := range pointers {
		ADDQ(Imm(32), p)
	}
	step := GP64()
	MOVQ(c.width, step)
	SHLQ(Imm(5), step)
	ADDQ(step, c.params)
	SUBQ(Imm(8), c.count)
	JMP(LabelRef("elements"))
	Label("end")
}

func (c *curves) end() {
	VZEROUPPER()
	RET()
}

func (c *curves) load(from Register) VecVirtual {
	mask, v := YMM(), YMM()
	VMOVUPS(c.active, mask)
	VMASKMOVPS(Mem{Base: from}, mask, v)
	return v
}

func (c *curves) store(v VecVirtual, to Register) {
	mask := YMM()
	VMOVUPS(c.active, mask)
	VMASKMOVPS(v, mask, Mem{Base: to})
}

// save puts v on the stack.
func (c *curves) save(v VecVirtual) Mem {
	if c.saved == spareSlots {
		log.Fatal("spline: no spare slot left")
	}
	to := c.spare.Offset(slot * c.saved)
	c.saved++
	VMOVUPS(v, to)
	return to
}

// clip is v within the bounds, and bound where v is NaN.
func (c *curves) clip(v VecVirtual) VecVirtual {
	limit := all(c.bound)
	VMINPS(limit, v, v)
	VXORPS(c.e.Bits(1<<31), limit, limit)
	VMAXPS(limit, v, v)
	return v
}

// inside masks the elements within the bounds.
func (c *curves) inside(v VecVirtual) VecVirtual {
	size, limit := YMM(), all(c.bound)
	VANDPS(c.e.Bits(1<<31-1), v, size)
	VCMPPS(emit.Ge, size, limit, size)
	return size
}

// shares are the sizes of bins: floor + factor·slot.
type shares struct {
	section
	factor Mem
}

// softmax fills the slots of a section with the exponentials of its logits, less
// the largest.
func (c *curves) softmax(s section) shares {
	largest, value := YMM(), YMM()
	VMOVAPS(c.e.Float(float32(math.Inf(-1))), largest)
	from := c.parameters(s)
	c.overSlots(s, c.bins, func(at Mem) {
		logit := c.gather(Mem{Base: from}, c.index, c.active)
		VMOVUPS(logit, at)
		VMAXPS(logit, largest, largest)
		ADDQ(Imm(4), from)
	})

	sum := YMM()
	VXORPS(sum, sum, sum)
	c.overSlots(s, c.bins, func(at Mem) {
		VMOVUPS(at, value)
		VSUBPS(largest, value, value)
		exp := c.e.Exp8(value)
		VMOVUPS(exp, at)
		VADDPS(exp, sum, sum)
	})
	factor := all(c.free)
	VDIVPS(sum, factor, factor)
	return shares{s, c.save(factor)}
}

// search finds the bin in whose range v lies.
func (c *curves) search(s shares, v VecVirtual) (edge, size, bin VecVirtual) {
	bin = YMM()
	VPXOR(bin, bin, bin)
	edge, size = c.walk(s, func(number, left VecVirtual) VecVirtual {
		before := YMM()
		VCMPPS(emit.Lt, left, v, before)
		VBLENDVPS(before, bin, number, bin)
		return before
	})
	return edge, size, bin
}

// pick returns the bins numbered bin.
func (c *curves) pick(s shares, bin VecVirtual) (edge, size VecVirtual) {
	return c.walk(s, func(number, _ VecVirtual) VecVirtual {
		before := YMM()
		VPCMPGTD(bin, number, before)
		return before
	})
}

// walk goes through the bins from the left and returns the last that v is not
// before. before gets the number and left edge of a bin.
func (c *curves) walk(s shares, before func(number, left VecVirtual) VecVirtual) (edge, size VecVirtual) {
	edge, size = YMM(), YMM()
	left, number, floor, factor := all(c.bound), YMM(), all(c.floor), YMM()
	VXORPS(c.e.Bits(1<<31), left, left)
	VPXOR(number, number, number)
	VMOVUPS(s.factor, factor)
	c.overSlots(s.section, c.bins, func(at Mem) {
		this := YMM()
		VMOVUPS(at, this)
		VFMADD213PS(floor, factor, this)
		keep := before(number, left)
		VBLENDVPS(keep, edge, left, edge)
		VBLENDVPS(keep, size, this, size)
		VADDPS(this, left, left)
		VPADDD(c.e.Bits(1), number, number)
	})
	return edge, size
}

// side of a bin.
type side int

const (
	left side = iota
	right
)

// slope is that at one side of the bin: 1 at the ends of the interval.
func (c *curves) slope(bin VecVirtual, at side) VecVirtual {
	logit, inner := c.slopeLogit(bin, at)
	slope := c.e.Softplus8(logit)
	VADDPS(c.e.Float(minSlope), slope, slope)
	one := YMM()
	VMOVAPS(c.e.Float(1), one)
	VBLENDVPS(inner, slope, one, slope)
	return slope
}

// slopeDerivative is the derivative of slope with respect to its logit.
func (c *curves) slopeDerivative(bin VecVirtual, at side) VecVirtual {
	logit, inner := c.slopeLogit(bin, at)
	derivative := c.e.Sigmoid8(logit)
	VANDPS(inner, derivative, derivative)
	return derivative
}

// slopeLogit is slopeOffset and the parameter of the knot at one side of the bin;
// inner masks the elements whose bin does not end the interval there.
func (c *curves) slopeLogit(bin VecVirtual, at side) (logit, inner VecVirtual) {
	inner = YMM()
	if at == left {
		VPXOR(inner, inner, inner)
		VPCMPGTD(inner, bin, inner)
	} else {
		last := YMM()
		VMOVD(c.bins.As32(), last.AsX())
		VPBROADCASTD(last.AsX(), last)
		VPSUBD(c.e.Bits(1), last, last)
		VPCMPGTD(bin, last, inner)
	}
	VPAND(c.active, inner, inner)

	// The knot on the left of bin k has parameter k−1 of the section.
	index := YMM()
	VPADDD(c.index, bin, index)
	logit = c.gather(Mem{Base: c.parameters(c.slopes), Disp: 4*int(at) - 4}, index, inner)
	VADDPS(c.e.Float(slopeOffset), logit, logit)
	return logit, inner
}

// shareGradient turns the gradients of the edge and the size of the bin into
// those of the logits, in the slots.
func (c *curves) shareGradient(s shares, bin, edge, size Mem) {
	which, number, value := YMM(), YMM(), YMM()
	VMOVUPS(bin, which)
	grad := func() VecVirtual {
		before, same := YMM(), YMM()
		VPCMPGTD(number, which, before)
		VPCMPEQD(number, which, same)
		VANDPS(edge, before, before)
		VANDPS(size, same, same)
		VORPS(same, before, before)
		VPADDD(c.e.Bits(1), number, number)
		return before
	}

	mean, factor := YMM(), YMM()
	VXORPS(mean, mean, mean)
	VPXOR(number, number, number)
	c.overSlots(s.section, c.bins, func(at Mem) {
		VMOVUPS(at, value)
		VFMADD231PS(grad(), value, mean)
	})
	VMOVUPS(s.factor, factor)
	VMULPS(factor, mean, mean)
	VDIVPS(all(c.free), mean, mean)

	VPXOR(number, number, number)
	c.overSlots(s.section, c.bins, func(at Mem) {
		g := grad()
		VSUBPS(mean, g, g)
		VMULPS(at, g, g)
		VMULPS(factor, g, g)
		VMOVUPS(g, at)
	})
}

// slopeGradient fills the slots of the slopes from the gradients of the two
// logits beside the bin.
func (c *curves) slopeGradient(bin, gLeft, gRight Mem) {
	which, number, one := YMM(), YMM(), YMM()
	VMOVUPS(bin, which)
	VPXOR(number, number, number)
	VMOVUPS(c.e.Bits(1), one)
	inner := GP64()
	LEAQ(Mem{Base: c.bins, Disp: -1}, inner)
	c.overSlots(c.slopes, inner, func(at Mem) {
		// Slot k is of the knot on the right of bin k.
		g, other := YMM(), YMM()
		VPCMPEQD(number, which, g)
		VANDPS(gRight, g, g)
		VPADDD(one, number, number)
		VPCMPEQD(number, which, other)
		VANDPS(gLeft, other, other)
		VORPS(other, g, g)
		VMOVUPS(g, at)
	})
}

// scatter writes all slots to the elements they belong to, and moves the pointer on.
func (c *curves) scatter(to Register) {
	lane, lanes := GP64(), GP64()
	LEAQ(c.widths.slots, lane)
	MOVQ(U64(8), lanes)
	CMPQ(c.count, lanes)
	CMOVQLT(c.count, lanes)

	Label("lane")
	at, left, value := GP64(), GP64(), GP32()
	MOVQ(lane, at)
	MOVQ(c.width, left)
	Label("parameter")
	MOVL(Mem{Base: at}, value)
	MOVL(value, Mem{Base: to})
	ADDQ(Imm(slot), at)
	ADDQ(Imm(4), to)
	DECQ(left)
	JNZ(LabelRef("parameter"))
	ADDQ(Imm(4), lane)
	DECQ(lanes)
	JNZ(LabelRef("lane"))
}

// parameters points to the first element's parameters of a section.
func (c *curves) parameters(s section) Register {
	p := GP64()
	MOVQ(c.params, p)
	for range s.start {
		LEAQ(Mem{Base: p, Index: c.bins, Scale: 4}, p)
	}
	return p
}

// overSlots repeats f for the first count slots of a section.
func (c *curves) overSlots(s section, count Register, f func(at Mem)) {
	c.labels++
	again, done := fmt.Sprintf("slots_%d", c.labels), fmt.Sprintf("slots_%d_done", c.labels)
	at, left := GP64(), GP64()
	MOVQ(c.bins, at)
	IMUL3Q(Imm(uint64(slot*s.start)), at, at)
	LEAQ(Mem{Base: s.slots.Base, Disp: s.slots.Disp, Index: at, Scale: 1}, at)
	MOVQ(count, left)
	TESTQ(left, left)
	JZ(LabelRef(done))
	Label(again)
	f(Mem{Base: at})
	ADDQ(Imm(slot), at)
	DECQ(left)
	JNZ(LabelRef(again))
	Label(done)
}

// gather returns the numbers at the indices, and zero where mask is off.
func (c *curves) gather(base Mem, index, mask Op) VecVirtual {
	i, m, v := YMM(), YMM(), YMM()
	VMOVUPS(index, i)
	VMOVUPS(mask, m) // which the gather clears
	VXORPS(v, v, v)
	VGATHERDPS(m, base.Idx(i, 4), v)
	return v
}

// all is eight times the number at an address.
func all(at Mem) VecVirtual {
	v := YMM()
	VBROADCASTSS(at, v)
	return v
}
