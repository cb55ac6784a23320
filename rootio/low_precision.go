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
	bits         uint    // of the mantissa; 0: there is no such thing
	single       bool    // a float64 that is stored as a float32
}

// plainly is how numbers are stored as they are, in big-endian order.
func plainly(k Kind) stored { return stored{size: k.size()} }

// lowPrecision is how a Float16_t or a Double32_t is stored, by the title of its leaf or
// member: "x[0,100,12]" has 2¹² numbers from 0 to 100, "x[0,0,8]" 8 bits of mantissa.
func lowPrecision(member int, title string) (s stored) {
	const mostBits = 14 // that fit beside the sign
	xmin, xmax, bits := valueRange(title)
	s.size = 4
	switch {
	case math.IsNaN(xmin), math.IsNaN(xmax):
		return stored{}
	case xmin < xmax:
		s.xmin, s.factor = xmin, math.Exp2(float64(bits))/(xmax-xmin)
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

// valueRange returns the range in a title, and the number of bits, as ROOT's
// TStreamerElement does: in the first or second pair of brackets, with commas. Without
// one the limits are 0 and the bits 32.
func valueRange(title string) (xmin, xmax float64, bits uint) {
	for range 2 {
		_, rest, _ := strings.Cut(title, "[")
		inside, after, found := strings.Cut(rest, "]")
		if !found {
			return 0, 0, 32
		}
		title = after
		parts := strings.SplitN(inside, ",", 3)
		if len(parts) < 2 {
			continue
		}
		bits = 32
		if len(parts) == 3 {
			digits, _, _ := strings.Cut(strings.TrimSpace(parts[2]), ",")
			if n, err := strconv.Atoi(digits); err == nil && n >= 2 && n <= 32 {
				bits = uint(n)
			}
		}
		return limit(parts[0]), limit(parts[1]), bits
	}
	return 0, 0, 32
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
