// Package inflate decompresses DEFLATE (RFC 1951) and zlib (RFC 1950) from one slice into another of known length,
// which takes half the time of reading a stream or less: input and output are at hand, and nothing is copied twice.
//
// The loop is that of libdeflate (E. Biggers): a buffer of 64 bits from which several symbols are taken between two loads,
// and tables whose entries say at once how many bits a symbol takes with its extra bits. Where two literals fit in
// the bits of an index, one entry has both.
package inflate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// Errors of damaged data.
var (
	errInvalid   = errors.New("the data are no DEFLATE stream")
	errTruncated = errors.New("the data end early")
	errChecksum  = errors.New("the checksum is wrong")
)

// Decoder decompresses blocks, one after the other. It keeps its tables, of 40 kB. The zero value is ready for use.
type Decoder struct {
	literals  table
	distances table
	isFixed   bool // the tables are those of the fixed code
	lengths   [maxLiterals + maxDistances]uint8
	src       []byte
	at        int    // of the next byte of src
	buffer    uint64 // bits that are not used yet, the next one lowest
	have      uint   // how many there are; what is above them is loaded again
}

const (
	maxLiterals  = 288
	maxDistances = 32
	maxBits      = 15 // of a code
	tableBits    = 12 // of the index of a table
	endOfBlock   = 256
)

// table finds the symbol of a code by the next bits.
type table struct {
	// entries, by the next bits: see below. A code that is longer than the index is long.
	entries [1 << tableBits]uint32
	// The codes in the order of their values, for long ones.
	symbols [maxLiterals]uint16
	counts  [maxBits + 1]uint16
	values  []uint32 // entries of the symbols, without the number of bits of the code
}

// An entry has in its bits
//
//	0–7    the number of bits it takes, extra ones counted
//	8–15   a literal; of a length or distance, the bits of its code, behind which the extra ones are
//	16–23  a second literal
//	16–31  the least length or distance
//
// and these flags, the last three of which are exceptional.
const (
	isLiteral = 1 << 31
	isPair    = 1 << 30 // of literals
	special   = 1 << 7
	isLong    = special | 1<<6 // the code is longer than the index
	isEnd     = special | 1<<5 // of the block
	isInvalid = special | 1<<4 // no code starts with these bits
	takes     = 63             // mask of the number of bits of what is not special
)

// Lengths and distances: 2 or 4 values to each number of extra bits.
var lengthEntries, distanceEntries = func() (l [maxLiterals]uint32, d [maxDistances]uint32) {
	for s := range uint32(256) {
		l[s] = isLiteral | s<<8
	}
	l[endOfBlock] = isEnd
	for s, base := uint32(0), uint32(3); s < 28; s++ {
		extra := max(s>>2, 1) - 1
		l[257+s] = base<<16 | extra
		base += 1 << extra
	}
	l[285] = 258 << 16
	l[286], l[287] = isInvalid, isInvalid
	for s, base := uint32(0), uint32(1); s < 30; s++ {
		extra := max(s>>1, 1) - 1
		d[s] = base<<16 | extra
		base += 1 << extra
	}
	d[30], d[31] = isInvalid, isInvalid
	return l, d
}()

// build makes the table of a code from the numbers of bits of its symbols; 0: the symbol does not occur. The values are
// the entries of the symbols without the bits of their codes.
func (t *table) build(lengths []uint8, values []uint32) error {
	t.values = values
	t.counts = [maxBits + 1]uint16{}
	for _, n := range lengths {
		t.counts[n]++
	}
	t.counts[0] = 0
	var next [maxBits + 2]uint16 // places in symbols
	left := 1
	for n := 1; n <= maxBits; n++ {
		left = left<<1 - int(t.counts[n])
		if left < 0 {
			return errInvalid
		}
		next[n+1] = next[n] + t.counts[n]
	}
	used := int(next[maxBits+1])
	if left > 0 {
		// Only a code of one symbol, or of none, may leave codes unused: the distances of a block that needs no more.
		if used > 1 || used == 1 && t.counts[1] != 1 {
			return errInvalid
		}
		for i := range t.entries {
			t.entries[i] = isInvalid
		}
	}
	for symbol, n := range lengths {
		if n > 0 {
			t.symbols[next[n]] = uint16(symbol)
			next[n]++
		}
	}
	code, place := uint32(0), 0
	for n := 1; n <= maxBits; n++ {
		for range t.counts[n] {
			first := bits.Reverse16(uint16(code)) >> (16 - n)
			if n <= tableBits {
				e := entry(values[t.symbols[place]], uint32(n))
				for i := int(first); i < len(t.entries); i += 1 << n {
					t.entries[i] = e
				}
			} else {
				t.entries[int(first)&(len(t.entries)-1)] = isLong
			}
			code++
			place++
		}
		code <<= 1
	}
	return nil
}

// entry returns the entry of a value whose code has n bits.
func entry(value, n uint32) uint32 {
	switch {
	case value&isLiteral != 0:
		return value | n
	case value&special != 0:
		return value
	}
	return value + n + n<<8
}

// pair puts two literals in the entries of those after which another fits in the index.
func (t *table) pair() {
	for i := len(t.entries) - 1; i >= 0; i-- { // entries of smaller indices are still single
		e := t.entries[i]
		if e&isLiteral == 0 {
			continue
		}
		n := e & takes
		second := t.entries[i>>n]
		if m := second & takes; second&(isLiteral|isPair) == isLiteral && n+m <= tableBits {
			t.entries[i] = e&^takes | isPair | second&0xff00<<8 | (n + m)
		}
	}
}

// long returns the entry of a code that does not fit in the index of the table.
func (t *table) long(next uint64) uint32 {
	code, first, place := 0, 0, 0
	for n := 1; n <= maxBits; n++ {
		code |= int(next & 1)
		next >>= 1
		count := int(t.counts[n])
		if code-first < count {
			return entry(t.values[t.symbols[place+code-first]], uint32(n))
		}
		place += count
		first = (first + count) << 1
		code <<= 1
	}
	return isInvalid
}

// Zlib fills dst with what src, a zlib stream, decompresses to, and compares the checksum. It is an error if there are fewer
// bytes or more. What follows the stream in src does not count.
func (d *Decoder) Zlib(dst, src []byte) error {
	const header, trailer, method, dictionary = 2, 4, 8, 0x20
	if len(src) < header+trailer {
		return errTruncated
	}
	if src[0]&15 != method || src[0]>>4 > 7 || src[1]&dictionary != 0 || binary.BigEndian.Uint16(src)%31 != 0 {
		return errors.New("the data are no zlib stream")
	}
	if err := d.Deflate(dst, src[header:]); err != nil {
		return err
	}
	end := header + d.at - int(d.have>>3)
	switch {
	case len(src)-end < trailer:
		return errTruncated
	case adler32(dst) != binary.BigEndian.Uint32(src[end:]):
		return errChecksum
	}
	return nil
}

// Deflate fills dst with what src decompresses to. It is an error if there are fewer bytes or more.
func (d *Decoder) Deflate(dst, src []byte) error {
	d.src, d.at, d.buffer, d.have = src, 0, 0, 0
	defer func() { d.src = nil }()
	out, last := 0, false
	for !last {
		d.fill()
		head := d.take(3)
		last = head&1 != 0
		var err error
		switch head >> 1 {
		case 0:
			out, err = d.stored(dst, out)
		case 1:
			d.fixedCodes()
			out, err = d.block(dst, out)
		case 2:
			if err = d.readCodes(); err == nil {
				out, err = d.block(dst, out)
			}
		default:
			err = errInvalid
		}
		if err != nil {
			return err
		}
		if d.overrun() {
			return errTruncated
		}
	}
	if out != len(dst) {
		return fmt.Errorf("there are %d bytes, not %d", out, len(dst))
	}
	return nil
}

// fill loads at least 56 bits; zeros, where there are no more: see overrun.
func (d *Decoder) fill() {
	if d.at+8 <= len(d.src) {
		d.buffer |= binary.LittleEndian.Uint64(d.src[d.at:]) << d.have
		d.at += int(63-d.have) >> 3
		d.have |= 56
		return
	}
	for d.have < 56 {
		if d.at < len(d.src) {
			d.buffer |= uint64(d.src[d.at]) << d.have
		}
		d.at++
		d.have += 8
	}
}

// overrun reports whether bits were used behind the end of the source.
func (d *Decoder) overrun() bool { return d.at-int(d.have>>3) > len(d.src) }

// take returns the next n bits, which fill has loaded.
func (d *Decoder) take(n uint) uint64 {
	x := d.buffer & (1<<n - 1)
	d.buffer >>= n
	d.have -= n
	return x
}

// stored copies a block that is not compressed.
func (d *Decoder) stored(dst []byte, out int) (int, error) {
	d.take(d.have & 7)
	at := d.at - int(d.have>>3) // where the bytes in the buffer start
	d.buffer, d.have = 0, 0
	if at+4 > len(d.src) {
		return out, errTruncated
	}
	n := int(binary.LittleEndian.Uint16(d.src[at:]))
	if n != int(^binary.LittleEndian.Uint16(d.src[at+2:])) {
		return out, errInvalid
	}
	at += 4
	switch {
	case n > len(d.src)-at:
		return out, errTruncated
	case n > len(dst)-out:
		return out, tooMany(dst)
	}
	d.at = at + n
	return out + copy(dst[out:], d.src[at:d.at]), nil
}

func tooMany(dst []byte) error { return fmt.Errorf("there are more than %d bytes", len(dst)) }

// fixedCodes makes the tables of the fixed code.
func (d *Decoder) fixedCodes() {
	if d.isFixed {
		return
	}
	for i := range d.lengths {
		switch {
		case i < 144:
			d.lengths[i] = 8
		case i < 256:
			d.lengths[i] = 9
		case i < 280:
			d.lengths[i] = 7
		case i < maxLiterals:
			d.lengths[i] = 8
		default:
			d.lengths[i] = 5
		}
	}
	_ = d.literals.build(d.lengths[:maxLiterals], lengthEntries[:])
	_ = d.distances.build(d.lengths[maxLiterals:], distanceEntries[:])
	d.literals.pair()
	d.isFixed = true
}

// order is that of the numbers of bits of the code of numbers of bits.
var order = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// readCodes reads the codes of a block.
func (d *Decoder) readCodes() error {
	d.isFixed = false
	d.fill()
	literals, distances, n := int(d.take(5))+257, int(d.take(5))+1, int(d.take(4))+4
	if literals > 286 || distances > 30 {
		return errInvalid
	}
	var lengths [19]uint8
	for _, symbol := range order[:n] {
		d.fill()
		lengths[symbol] = uint8(d.take(3))
	}
	var values [19]uint32
	for symbol := range values {
		values[symbol] = isLiteral | uint32(symbol)<<8
	}
	code := &d.distances // its table is not in use yet
	if err := code.build(lengths[:], values[:]); err != nil {
		return err
	}
	total := literals + distances
	for i := 0; i < total; {
		d.fill()
		e := code.entries[d.buffer&(1<<tableBits-1)]
		if e&isLiteral == 0 {
			return errInvalid
		}
		d.take(uint(e & takes))
		symbol, repeated, times := uint8(e>>8), uint8(0), 1
		switch symbol {
		case 16:
			if i == 0 {
				return errInvalid
			}
			repeated, times = d.lengths[i-1], 3+int(d.take(2))
		case 17:
			times = 3 + int(d.take(3))
		case 18:
			times = 11 + int(d.take(7))
		default:
			repeated = symbol
		}
		if times > total-i {
			return errInvalid
		}
		for ; times > 0; times-- {
			d.lengths[i] = repeated
			i++
		}
		if d.overrun() {
			return errTruncated
		}
	}
	if d.lengths[endOfBlock] == 0 {
		return errInvalid
	}
	if err := d.literals.build(d.lengths[:literals], lengthEntries[:]); err != nil {
		return err
	}
	d.literals.pair()
	return d.distances.build(d.lengths[literals:total], distanceEntries[:])
}

// block decompresses a block of symbols into dst from out on, and returns where it ends.
func (d *Decoder) block(dst []byte, out int) (int, error) {
	const (
		mask   = 1<<tableBits - 1
		margin = 258 + 16 // bytes that a turn of the fast loop may write
	)
	literals, distances := &d.literals.entries, &d.distances.entries
	src, at, buffer, have := d.src, d.at, d.buffer, d.have

	// A turn takes up to four entries of literals, or a length and a distance: 48 bits at most, of 56. Neither source nor
	// destination ends within it.
	for at+8 <= len(src) && out+margin <= len(dst) {
		buffer |= binary.LittleEndian.Uint64(src[at:]) << (have & 63)
		at += int(63-have) >> 3
		have |= 56
		e := literals[buffer&mask]
		if e&isLiteral != 0 {
			buffer >>= e & takes
			have -= uint(e & takes)
			binary.LittleEndian.PutUint16(dst[out:], uint16(e>>8))
			out += int(1 + e>>30&1)
			e = literals[buffer&mask]
			if e&isLiteral != 0 {
				buffer >>= e & takes
				have -= uint(e & takes)
				binary.LittleEndian.PutUint16(dst[out:], uint16(e>>8))
				out += int(1 + e>>30&1)
				e = literals[buffer&mask]
				if e&isLiteral != 0 {
					buffer >>= e & takes
					have -= uint(e & takes)
					binary.LittleEndian.PutUint16(dst[out:], uint16(e>>8))
					out += int(1 + e>>30&1)
					e = literals[buffer&mask]
					if e&isLiteral != 0 {
						buffer >>= e & takes
						have -= uint(e & takes)
						binary.LittleEndian.PutUint16(dst[out:], uint16(e>>8))
						out += int(1 + e>>30&1)
						continue
					}
				}
			}
			// A length follows; its distance needs more bits than there may be.
			if at+8 > len(src) {
				break
			}
			buffer |= binary.LittleEndian.Uint64(src[at:]) << (have & 63)
			at += int(63-have) >> 3
			have |= 56
		}
		if e&special != 0 {
			if e == isLong {
				e = d.literals.long(buffer)
			}
			if e&isLiteral != 0 {
				buffer >>= e & takes
				have -= uint(e & takes)
				dst[out] = byte(e >> 8)
				out++
				continue
			}
			if e&special != 0 {
				break // an end, or a fault: the slow loop knows
			}
		}
		length := int(e >> 16)
		length += int(buffer & (1<<(e&takes) - 1) >> (e >> 8 & takes))
		used := e & takes
		f := distances[buffer>>used&mask]
		if f&special != 0 {
			if f == isLong {
				f = d.distances.long(buffer >> used)
			}
			if f&special != 0 {
				return out, errInvalid
			}
		}
		buffer >>= used
		have -= uint(used)
		distance := int(f >> 16)
		distance += int(buffer & (1<<(f&takes) - 1) >> (f >> 8 & takes))
		buffer >>= f & takes
		have -= uint(f & takes)
		if distance > out {
			return out, errInvalid
		}
		from := out - distance
		end := out + length
		if distance >= 8 {
			for out < end { // up to 7 bytes more, which come later
				binary.LittleEndian.PutUint64(dst[out:], binary.LittleEndian.Uint64(dst[from:]))
				out += 8
				from += 8
			}
			out = end
			continue
		}
		for ; out < end; out++ {
			dst[out] = dst[from]
			from++
		}
	}
	d.at, d.buffer, d.have = at, buffer, have
	return d.lastSymbols(dst, out)
}

// lastSymbols decompresses the rest of a block, symbol by symbol.
func (d *Decoder) lastSymbols(dst []byte, out int) (int, error) {
	const mask = 1<<tableBits - 1
	for {
		d.fill()
		e := d.literals.entries[d.buffer&mask]
		if e == isLong {
			e = d.literals.long(d.buffer)
		}
		switch {
		case e&isLiteral != 0:
			n := int(1 + e>>30&1)
			if n > len(dst)-out {
				// What looks like a second literal may be the end: of the first alone the bits are not known.
				e = d.literals.long(d.buffer)
				if n = 1; out == len(dst) {
					return out, tooMany(dst)
				}
			}
			d.take(uint(e & takes))
			dst[out] = byte(e >> 8)
			if n == 2 {
				dst[out+1] = byte(e >> 16)
			}
			out += n
			if d.overrun() {
				return out, errTruncated
			}
			continue
		case e == isEnd:
			d.take(d.lengthOfEnd())
			return out, nil
		case e&special != 0:
			return out, errInvalid
		}
		length := int(e>>16) + int(d.buffer&(1<<(e&takes)-1)>>(e>>8&takes))
		d.take(uint(e & takes))
		d.fill()
		f := d.distances.entries[d.buffer&mask]
		if f == isLong {
			f = d.distances.long(d.buffer)
		}
		if f&special != 0 {
			return out, errInvalid
		}
		distance := int(f>>16) + int(d.buffer&(1<<(f&takes)-1)>>(f>>8&takes))
		d.take(uint(f & takes))
		switch {
		case d.overrun():
			return out, errTruncated
		case distance > out:
			return out, errInvalid
		case length > len(dst)-out:
			return out, tooMany(dst)
		}
		for range length {
			dst[out] = dst[out-distance]
			out++
		}
	}
}

// lengthOfEnd returns the number of bits of the end of a block.
func (d *Decoder) lengthOfEnd() uint { return uint(d.lengths[endOfBlock]) }
