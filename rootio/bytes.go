package rootio

import (
	"encoding/binary"
	"math"

	"github.com/eidolon-hep/eidolon/internal/printable"
)

// bytesReader reads big-endian numbers. Beyond the end it reads zeros and
// remembers that it failed.
type bytesReader struct {
	b      []byte
	pos    int
	failed bool
}

func (r *bytesReader) next(n int) []byte {
	if n > len(r.b)-r.pos {
		r.failed = true
		return make([]byte, n) // n is a number of our own, and small
	}
	r.pos += n
	return r.b[r.pos-n : r.pos]
}

func (r *bytesReader) skip(n int) {
	if n < 0 || n > len(r.b)-r.pos {
		r.failed, n = true, len(r.b)-r.pos
	}
	r.pos += n
}

func (r *bytesReader) i16() int64   { return int64(int16(binary.BigEndian.Uint16(r.next(2)))) }
func (r *bytesReader) i32() int64   { return int64(int32(binary.BigEndian.Uint32(r.next(4)))) }
func (r *bytesReader) i64() int64   { return int64(binary.BigEndian.Uint64(r.next(8))) }
func (r *bytesReader) byte() uint8  { return r.next(1)[0] }
func (r *bytesReader) u32() uint32  { return binary.BigEndian.Uint32(r.next(4)) }
func (r *bytesReader) f64() float64 { return math.Float64frombits(binary.BigEndian.Uint64(r.next(8))) }

// seek reads a position. In large files the upper 16 bits of one of them may
// hold something else; it is not looked at.
func (r *bytesReader) seek(big bool) int64 {
	if big {
		return r.i64()
	}
	return r.i32()
}

// str reads a TString: its length in one byte, or after 255 in four.
func (r *bytesReader) str() string {
	n := int64(r.byte())
	if n == 255 {
		n = r.i32()
	}
	if n < 0 || n > int64(len(r.b)-r.pos) {
		r.failed = true
		return ""
	}
	return string(r.next(int(n)))
}

// label reads a TString that is a name or a title. What a terminal would take for more than
// that is escaped, here where all of them come from: a name is the same in what we print, ask
// for and write.
func (r *bytesReader) label() string { return printable.Text(r.str()) }
