package rntuple

import (
	"encoding/binary"
	"math"
)

// Types of the elements of columns.
const (
	typeBit = iota
	typeByte
	typeChar
	typeInt8
	typeUint8
	typeInt16
	typeUint16
	typeInt32
	typeUint32
	typeInt64
	typeUint64
	typeReal16
	typeReal32
	typeReal64
	typeIndex32
	typeIndex64
	typeSwitch
	typeSplitInt16
	typeSplitUint16
	typeSplitInt32
	typeSplitUint32
	typeSplitInt64
	typeSplitUint64
	typeSplitReal16
	typeSplitReal32
	typeSplitReal64
	typeSplitIndex32
	typeSplitIndex64
	typeReal32Trunc
	typeReal32Quant
)

// element is how the numbers of a column lie in a page.
type element struct {
	typ       uint16
	bits      int
	low, high float64 // of typeReal32Quant
}

// elementKind says what the elements of a type are. A further type of element is a row of this
// table, and a case in decode if its layout is none of these.
type elementKind struct {
	kind        Kind
	least, most int  // bits
	split       bool // all first bytes come first, then all second ones, …
	zigzag      bool // signed numbers as 0, −1, 1, −2, …
	delta       bool // each but the first as the difference to that before
	layout      layout
}

type layout uint8

const (
	plain   layout = iota // little-endian
	bitwise               // one bit each
	half                  // half precision
	truncated
	quantised
	offsets   // ends of collections
	switching // ends and tags of variants
)

var elementKinds = [...]elementKind{
	typeBit:          {kind: Bool, least: 1, most: 1, layout: bitwise},
	typeByte:         {kind: Uint8, least: 8, most: 8},
	typeChar:         {kind: Int8, least: 8, most: 8},
	typeInt8:         {kind: Int8, least: 8, most: 8},
	typeUint8:        {kind: Uint8, least: 8, most: 8},
	typeInt16:        {kind: Int16, least: 16, most: 16},
	typeUint16:       {kind: Uint16, least: 16, most: 16},
	typeInt32:        {kind: Int32, least: 32, most: 32},
	typeUint32:       {kind: Uint32, least: 32, most: 32},
	typeInt64:        {kind: Int64, least: 64, most: 64},
	typeUint64:       {kind: Uint64, least: 64, most: 64},
	typeReal16:       {kind: Float32, least: 16, most: 16, layout: half},
	typeReal32:       {kind: Float32, least: 32, most: 32},
	typeReal64:       {kind: Float64, least: 64, most: 64},
	typeIndex32:      {kind: Uint64, least: 32, most: 32, layout: offsets},
	typeIndex64:      {kind: Uint64, least: 64, most: 64, layout: offsets},
	typeSwitch:       {least: 96, most: 96, layout: switching},
	typeSplitInt16:   {kind: Int16, least: 16, most: 16, split: true, zigzag: true},
	typeSplitUint16:  {kind: Uint16, least: 16, most: 16, split: true},
	typeSplitInt32:   {kind: Int32, least: 32, most: 32, split: true, zigzag: true},
	typeSplitUint32:  {kind: Uint32, least: 32, most: 32, split: true},
	typeSplitInt64:   {kind: Int64, least: 64, most: 64, split: true, zigzag: true},
	typeSplitUint64:  {kind: Uint64, least: 64, most: 64, split: true},
	typeSplitReal16:  {kind: Float32, least: 16, most: 16, split: true, layout: half},
	typeSplitReal32:  {kind: Float32, least: 32, most: 32, split: true},
	typeSplitReal64:  {kind: Float64, least: 64, most: 64, split: true},
	typeSplitIndex32: {kind: Uint64, least: 32, most: 32, split: true, delta: true, layout: offsets},
	typeSplitIndex64: {kind: Uint64, least: 64, most: 64, split: true, delta: true, layout: offsets},
	typeReal32Trunc:  {kind: Float32, least: 10, most: 31, layout: truncated},
	typeReal32Quant:  {kind: Float32, least: 1, most: 32, layout: quantised},
}

// isKnown reports whether the elements can be decoded.
func (e element) isKnown() bool {
	if int(e.typ) >= len(elementKinds) {
		return false
	}
	k := elementKinds[e.typ]
	return e.bits >= k.least && e.bits <= k.most
}

func (e element) of() elementKind { return elementKinds[e.typ] }

// bytes returns the size of a page of n elements.
func (e element) bytes(n int64) int64 { return (n*int64(e.bits) + 7) / 8 }

// decode decodes the elements of a page of n, from the given one on, as many as dst has.
func decode[T Number](dst []T, e element, page []byte, n, from int) {
	k := e.of()
	switch k.layout {
	case bitwise:
		for i := range dst {
			at := from + i
			dst[i] = T(page[at>>3] >> (at & 7) & 1)
		}
		return
	case truncated, quantised:
		e.decodeBits(func(i int, x float64) { dst[i] = T(x) }, len(dst), page, from)
		return
	case half:
		get := halfAt(page, n, k.split)
		for i := range dst {
			dst[i] = T(halfToFloat(get(from + i)))
		}
		return
	}
	switch k.kind {
	case Int8:
		for i, b := range page[from : from+len(dst)] {
			dst[i] = T(int8(b))
		}
	case Uint8:
		for i, b := range page[from : from+len(dst)] {
			dst[i] = T(b)
		}
	case Int16, Uint16:
		lo, hi, step := bytes16(page, n, k.split)
		for i := range dst {
			at := (from + i) * step
			x := uint16(lo[at]) | uint16(hi[at])<<8
			if k.zigzag {
				x = x>>1 ^ -(x & 1)
			}
			if k.kind == Int16 {
				dst[i] = T(int16(x))
			} else {
				dst[i] = T(x)
			}
		}
	case Int32:
		words32(dst, page, n, from, k.split, func(x uint32) T {
			if k.zigzag {
				x = x>>1 ^ -(x & 1)
			}
			return T(int32(x))
		})
	case Uint32:
		words32(dst, page, n, from, k.split, func(x uint32) T { return T(x) })
	case Float32:
		if dst, ok := any(dst).([]float32); ok { // the bits of NaN, too
			words32(dst, page, n, from, k.split, math.Float32frombits)
			return
		}
		words32(dst, page, n, from, k.split, func(x uint32) T { return T(math.Float32frombits(x)) })
	case Int64:
		words64(dst, page, n, from, k.split, func(x uint64) T {
			if k.zigzag {
				x = x>>1 ^ -(x & 1)
			}
			return T(int64(x))
		})
	case Uint64:
		words64(dst, page, n, from, k.split, func(x uint64) T { return T(x) })
	case Float64:
		words64(dst, page, n, from, k.split, func(x uint64) T { return T(math.Float64frombits(x)) })
	}
}

func bytes16(page []byte, n int, split bool) (lo, hi []byte, step int) {
	if split {
		return page[:n], page[n : 2*n], 1
	}
	return page, page[1:], 2
}

func words32[T Number](dst []T, page []byte, n, from int, split bool, of func(uint32) T) {
	if !split {
		page = page[4*from:]
		for i := range dst {
			dst[i] = of(binary.LittleEndian.Uint32(page[4*i:]))
		}
		return
	}
	var b [4][]byte
	for k := range b {
		b[k] = page[k*n+from:][:len(dst)]
	}
	b0, b1, b2, b3 := b[0], b[1][:len(b[0])], b[2][:len(b[0])], b[3][:len(b[0])]
	dst = dst[:len(b0)]
	for i := range b0 {
		dst[i] = of(uint32(b0[i]) | uint32(b1[i])<<8 | uint32(b2[i])<<16 | uint32(b3[i])<<24)
	}
}

func words64[T Number](dst []T, page []byte, n, from int, split bool, of func(uint64) T) {
	if !split {
		page = page[8*from:]
		for i := range dst {
			dst[i] = of(binary.LittleEndian.Uint64(page[8*i:]))
		}
		return
	}
	var b [8][]byte
	for k := range b {
		b[k] = page[k*n+from:][:len(dst)]
	}
	for i := range dst {
		dst[i] = of(uint64(b[0][i]) | uint64(b[1][i])<<8 | uint64(b[2][i])<<16 | uint64(b[3][i])<<24 |
			uint64(b[4][i])<<32 | uint64(b[5][i])<<40 | uint64(b[6][i])<<48 | uint64(b[7][i])<<56)
	}
}

// decodeBits decodes numbers of less than 32 bits, which lie one after the other from the
// lowest bit on: the upper bits of a float32, or whole numbers that count steps of a range.
func (e element) decodeBits(put func(i int, x float64), n int, page []byte, from int) {
	steps := (e.high - e.low) / float64(uint64(1)<<e.bits-1)
	for i := range n {
		at := (from + i) * e.bits
		x := uint64(0)
		for k, b := range page[at>>3 : (at+e.bits+7)>>3] {
			x |= uint64(b) << (8 * k)
		}
		x = x >> (at & 7) & (1<<e.bits - 1)
		if e.typ == typeReal32Trunc {
			put(i, float64(math.Float32frombits(uint32(x)<<(32-e.bits))))
		} else {
			put(i, float64(x)*steps+e.low)
		}
	}
}

func halfAt(page []byte, n int, split bool) func(i int) uint16 {
	lo, hi, step := bytes16(page, n, split)
	return func(i int) uint16 { return uint16(lo[i*step]) | uint16(hi[i*step])<<8 }
}

// halfToFloat returns the value of a number of half precision (IEEE 754 binary16).
func halfToFloat(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, int(h>>10&0x1f), uint32(h&0x3ff)
	switch {
	case exponent == 0x1f:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	case exponent == 0: // below the normal ones
		x := math.Float32bits(float32(fraction) / (1 << 24))
		return math.Float32frombits(sign | x)
	}
	return math.Float32frombits(sign | uint32(exponent-15+127)<<23 | fraction<<13)
}

// decodeOffsets decodes all ends of collections of a page, dst long.
func (e element) decodeOffsets(dst []uint64, page []byte) {
	k := e.of()
	if e.bits == 32 {
		words32(dst, page, len(dst), 0, k.split, func(x uint32) uint64 { return uint64(x) })
	} else {
		words64(dst, page, len(dst), 0, k.split, func(x uint64) uint64 { return x })
	}
	if k.delta {
		for i := 1; i < len(dst); i++ {
			dst[i] += dst[i-1]
		}
	}
}
