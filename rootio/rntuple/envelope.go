package rntuple

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/zeebo/xxh3"
)

// Kinds of envelopes.
const (
	envelopeHeader   = 1
	envelopeFooter   = 2
	envelopePageList = 3
)

const (
	checksumSize = 8
	preambleSize = 8
)

// file is what holds the tuple.
type file struct {
	data       io.ReaderAt
	size       int64
	maxKeySize int64 // of a record of the file; longer blobs are in several
	inflate    Inflate
}

// Inflate fills dst with what a series of blocks of ROOT decompresses to, each with its header
// of nine bytes. It is an error if there are fewer bytes or more. It may be called by several
// goroutines at a time.
type Inflate func(dst, blocks []byte) error

// most returns the number of bytes that a block of the file may have, decompressed. A file
// justifies only so much memory.
func (f *file) most() int64 { return min(1<<30, 32<<20+4*f.size) }

// locator says where a block is in the file.
type locator struct {
	pos, size int64
}

// check reports an error if the block is not in the file.
func (f *file) check(l locator) error {
	if l.pos <= 0 || l.size < 0 || l.pos > f.size || l.size > f.size-l.pos {
		return fmt.Errorf("%d bytes at byte %d are not in the file of %d bytes", l.size, l.pos, f.size)
	}
	return nil
}

// read fills dst with the bytes from pos on. Blobs that are longer than a record of the file
// may be are in several; where the further ones are is written behind the data of the first.
func (f *file) read(dst []byte, pos int64) error {
	n := int64(len(dst))
	if f.maxKeySize <= 0 || n <= f.maxKeySize {
		return f.readAt(dst, pos)
	}
	const placeSize = 8
	chunks := (n + f.maxKeySize - 1) / f.maxKeySize
	if free := chunks*f.maxKeySize - n; (chunks-1)*placeSize > free {
		chunks++
	}
	places := make([]byte, (chunks-1)*placeSize)
	first := f.maxKeySize - int64(len(places))
	if first <= 0 {
		return fmt.Errorf("%d bytes do not fit into records of %d", n, f.maxKeySize)
	}
	if err := f.readAt(dst[:first], pos); err != nil {
		return err
	}
	if err := f.readAt(places, pos+first); err != nil {
		return err
	}
	for rest := dst[first:]; len(rest) > 0; places = places[placeSize:] {
		if len(places) == 0 {
			return fmt.Errorf("%d bytes do not fit into records of %d", n, f.maxKeySize)
		}
		k := min(int64(len(rest)), f.maxKeySize)
		if err := f.readAt(rest[:k], int64(binary.LittleEndian.Uint64(places))); err != nil {
			return err
		}
		rest = rest[k:]
	}
	return nil
}

func (f *file) readAt(dst []byte, pos int64) error {
	if err := f.check(locator{pos, int64(len(dst))}); err != nil {
		return err
	}
	n, err := f.data.ReadAt(dst, pos)
	if n == len(dst) {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// envelope reads an envelope and compares its checksum. The payload is what is between the
// preamble and the checksum.
func (f *file) envelope(kind uint16, at locator, length int64) (payload buffer, sum uint64, err error) {
	if err := f.check(at); err != nil {
		return payload, 0, err
	}
	if length < preambleSize+checksumSize || length > f.most() {
		return payload, 0, fmt.Errorf("it cannot have %d bytes in a file of %d", length, f.size)
	}
	b := make([]byte, at.size)
	if err := f.read(b, at.pos); err != nil {
		return payload, 0, err
	}
	if at.size != length {
		raw := b
		b = make([]byte, length)
		if err := f.inflate(b, raw); err != nil {
			return payload, 0, fmt.Errorf("it does not decompress: %w", err)
		}
	}
	body := b[:len(b)-checksumSize]
	sum = binary.LittleEndian.Uint64(b[len(body):])
	if xxh3.Hash(body) != sum {
		return payload, 0, errChecksum
	}
	preamble := binary.LittleEndian.Uint64(body)
	if uint16(preamble) != kind || int64(preamble>>16) != length {
		return payload, 0, fmt.Errorf("it says that it is an envelope of kind %d and %d bytes", uint16(preamble), preamble>>16)
	}
	return buffer{b: body[preambleSize:]}, sum, nil
}

// buffer reads little-endian numbers, strings and frames one after the other. Once it has
// failed it gives zeros.
type buffer struct {
	b      []byte
	failed bool
}

var errShort = errors.New("it ends too early")

// err reports whether all that was read was there.
func (r *buffer) err() error {
	if r.failed {
		return errShort
	}
	return nil
}

func (r *buffer) next(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.failed, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *buffer) u16() uint16 {
	if b := r.next(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *buffer) u32() uint32 {
	if b := r.next(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *buffer) u64() uint64 {
	if b := r.next(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *buffer) i64() int64 { return int64(r.u64()) }

func (r *buffer) text() string {
	n := r.u32()
	if int64(n) > int64(len(r.b)) {
		n = 0
		r.failed = true
	}
	return string(r.next(int(n)))
}

// record returns the contents of a record frame, and goes on behind it.
func (r *buffer) record() buffer {
	size := r.i64()
	return r.frame(size, 8)
}

// list returns the contents of a list frame and the number of its items, which have so many
// bytes each at least, and goes on behind it.
func (r *buffer) list(least int64) (items buffer, n int) {
	size := -r.i64()
	count := r.u32()
	items = r.frame(size, 12)
	if int64(count)*least > int64(len(items.b)) {
		r.failed, count = true, 0
	}
	return items, int(count)
}

func (r *buffer) frame(size, head int64) (inner buffer) {
	if size < head || size-head > int64(len(r.b)) {
		r.failed, r.b = true, nil
		return buffer{failed: true}
	}
	return buffer{b: r.next(int(size - head))}
}

// locator reads where a block is.
func (r *buffer) locator() (l locator, err error) {
	const large = 1
	head := int32(r.u32())
	if head >= 0 {
		l.size, l.pos = int64(head), r.i64()
		return l, r.err()
	}
	kind, size := -int64(head)>>24&0x7f, -int64(head)&0xffff
	if size < 4 {
		return l, errShort
	}
	payload := buffer{b: r.next(int(size - 4)), failed: r.failed}
	if kind != large {
		return l, fmt.Errorf("%w (locator %d)", ErrVersion, kind)
	}
	l.size, l.pos = payload.i64(), payload.i64()
	return l, payload.err()
}

// ErrVersion is wrapped by errors about a tuple of another version of the format.
var ErrVersion = errors.New("it is of a version of RNTuple that cannot be read")

// features reads feature flags. None is defined in version 1.0.
func (r *buffer) features() error {
	for n := 0; ; n++ {
		flags := r.u64()
		if r.failed {
			return errShort
		}
		for bit := range 63 {
			if flags>>bit&1 != 0 {
				return fmt.Errorf("%w (feature %d)", ErrVersion, 63*n+bit)
			}
		}
		if flags>>63 == 0 {
			return nil
		}
	}
}
