package rootio

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
)

// stored is how the file has a number: as it is, or shortened. ROOT's Float16_t and
// Double32_t are a 32-bit number on a grid, or a floating-point number with fewer bits of
// mantissa, or, a Double32_t without a range, a float32.
type stored struct {
	size         int     // bytes
	factor, xmin float64 // of a grid: the number is n/factor + xmin
	xmax         float64 // its end
	bits         uint    // of the mantissa; 0: there is no such thing
	single       bool    // a float64 that is stored as a float32
}

// plainly is how numbers are stored as they are, in big-endian order.
func plainly(k Kind) stored { return stored{size: k.size()} }

// lowPrecision is how a Float16_t or a Double32_t is stored, by the title of its leaf or
// member: "x[0,100,12]" has 2¹² numbers from 0 to 100, "x[0,0,8]" 8 bits of mantissa.
func lowPrecision(member int, title string) (s stored) {
	const mostBits = 14 // that fit beside the sign
	xmin, xmax, bits := valueRange(rangeText(title))
	s.size = 4
	switch {
	case math.IsNaN(xmin), math.IsNaN(xmax):
		return stored{}
	case xmin < xmax:
		s.xmin, s.xmax, s.factor = xmin, xmax, math.Exp2(float64(bits))/(xmax-xmin)
		if bits == 32 {
			s.factor = math.MaxUint32 / (xmax - xmin)
		}
		return s
	case bits < 15:
		s.bits = bits
	case xmin != 0: // the range is none: ROOT takes its start for the number of bits
		s.bits = uint(int64(xmin))
	}
	switch {
	case s.bits == 0 && member == memberFloat16:
		s.bits = 12
	case s.bits == 0:
		s.single = true
		return s
	}
	s.size = 3
	if s.bits > mostBits {
		s.size = 0
	}
	return s
}

// isKnown reports whether it is known how the numbers are stored.
func (s stored) isKnown() bool { return s.size > 0 }

// rangeText returns the range in a title, such as "[0,200,12]", as ROOT's TStreamerElement finds it: in the first or
// second pair of brackets, with commas; "" if there is none.
func rangeText(title string) string {
	for range 2 {
		_, rest, _ := strings.Cut(title, "[")
		inside, after, found := strings.Cut(rest, "]")
		if !found {
			return ""
		}
		if title = after; strings.Contains(inside, ",") {
			return "[" + inside + "]"
		}
	}
	return ""
}

// valueRange returns what a range says: its limits, and the number of bits. Without one the limits are 0 and the bits 32.
func valueRange(text string) (xmin, xmax float64, bits uint) {
	bits = 32
	if text == "" {
		return 0, 0, bits
	}
	parts := strings.SplitN(text[1:len(text)-1], ",", 3)
	if len(parts) == 3 {
		digits, _, _ := strings.Cut(strings.TrimSpace(parts[2]), ",")
		if n, err := strconv.Atoi(digits); err == nil && n >= 2 && n <= 32 {
			bits = uint(n)
		}
	}
	return limit(parts[0]), limit(parts[1]), bits
}

// limit reads a limit of a range, such as -2*pi; NaN: it is none.
func limit(text string) float64 {
	text = strings.ToLower(strings.ReplaceAll(text, " ", ""))
	if !strings.Contains(text, "pi") {
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return math.NaN()
		}
		return x
	}
	x := math.Pi
	switch {
	case strings.Contains(text, "2pi"), strings.Contains(text, "2*pi"), strings.Contains(text, "twopi"):
		x = 2 * math.Pi
	case strings.Contains(text, "pi/2"):
		x = math.Pi / 2
	case strings.Contains(text, "pi/4"):
		x = math.Pi / 4
	}
	if strings.Contains(text, "-") {
		x = -x
	}
	return x
}

// decode reads numbers that start stride bytes after each other.
func (s stored) decode(dst any, src []byte, stride int) {
	switch {
	case s.factor != 0:
		store(dst, func(i int) float64 { return float64(binary.BigEndian.Uint32(src[i*stride:]))/s.factor + s.xmin })
	case s.bits != 0:
		store(dst, func(i int) float64 { return float64(short(src[i*stride:], s.bits)) })
	case s.single:
		store(dst, func(i int) float64 { return float64(math.Float32frombits(binary.BigEndian.Uint32(src[i*stride:]))) })
	default:
		decode(dst, src, stride)
	}
}

// short reads a float32 of which an exponent, a sign and some bits of the mantissa are stored.
func short(b []byte, bits uint) float32 {
	mantissa := uint32(binary.BigEndian.Uint16(b[1:]))
	x := math.Float32frombits(uint32(b[0])<<23 | mantissa&(1<<(bits+1)-1)<<(23-bits))
	if mantissa&(1<<(bits+1)) != 0 {
		return -x
	}
	return x
}

func store(dst any, value func(i int) float64) {
	switch dst := dst.(type) {
	case []float32:
		for i := range dst {
			dst[i] = float32(value(i))
		}
	case []float64:
		for i := range dst {
			dst[i] = value(i)
		}
	}
}

// encode writes numbers that start stride bytes after each other, as ROOT's TBufferFile does: those beyond a range as its
// nearer end.
func (s stored) encode(dst []byte, src any, stride int) {
	put := binary.BigEndian.PutUint32
	switch {
	case s.factor != 0:
		eachFloat(src, func(i int, x float64) {
			put(dst[i*stride:], uint32(0.5+s.factor*(min(max(x, s.xmin), s.xmax)-s.xmin)))
		})
	case s.bits != 0:
		eachFloat(src, func(i int, x float64) { putShort(dst[i*stride:], float32(x), s.bits) })
	case s.single:
		eachFloat(src, func(i int, x float64) { put(dst[i*stride:], math.Float32bits(float32(x))) })
	default:
		encode(dst, src, stride)
	}
}

// putShort writes what short reads, rounded to the nearest.
func putShort(b []byte, x float32, bits uint) {
	all := math.Float32bits(x)
	mantissa := (all>>(22-bits)&(1<<(bits+1)-1) + 1) >> 1
	if mantissa > 1<<bits-1 {
		mantissa = 1<<bits - 1
	}
	if x < 0 {
		mantissa |= 1 << (bits + 1)
	}
	b[0] = byte(all >> 23)
	binary.BigEndian.PutUint16(b[1:], uint16(mantissa))
}

// eachFloat calls do for floating-point numbers.
func eachFloat(src any, do func(i int, x float64)) {
	switch src := src.(type) {
	case []float32:
		for i, x := range src {
			do(i, float64(x))
		}
	case []float64:
		for i, x := range src {
			do(i, x)
		}
	}
}

// storedAs is how numbers of a kind are written where a field asks for [Field.Stored]: plainly, if it cannot be.
func storedAs(kind Kind, text string) (s stored, isShort bool) {
	member := map[Kind]int{Float32: memberFloat16, Float64: memberDouble32}[kind]
	if text == "" || member == 0 || text[0] != map[Kind]byte{Float32: 'f', Float64: 'd'}[kind] {
		return plainly(kind), false
	}
	_, _, bits := valueRange(rangeText(text))
	isAsLong := kind == Float32 && rangeText(text) != "" && bits == 32 // on a grid that float32 has, too, and readers round differently
	if s = lowPrecision(member, text); !s.isKnown() || isAsLong {
		return plainly(kind), false
	}
	return s, true
}
