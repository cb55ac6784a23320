package rootio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/xxHash/xxHash64"
	"github.com/ulikunitz/xz"
)

// block is one compressed block of a record.
type block struct {
	pos    int64 // of the record
	header [blockHeader]byte
	data   []byte
	want   int // bytes when decompressed
}

func (b *block) resize(n int) {
	if cap(b.data) < n {
		b.data = make([]byte, n)
	}
	b.data = b.data[:n]
}

// inflater checks blocks, one after the other. It keeps its memory.
type inflater struct {
	src   bytes.Reader
	out   [32 << 10]byte
	zlib  io.ReadCloser
	flate io.ReadCloser
	zstd  *zstd.Decoder
	buf   []byte
}

var errChecksum = errors.New("the checksum is wrong")

// safeCheck is check for blocks of any content: should a decompressor panic,
// that is an error.
func (in *inflater) safeCheck(b *block) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return in.check(b)
}

// check decompresses a block and compares its size and its checksum: Adler-32
// in zlib, XXH64 in LZ4, CRC in LZMA and, where the writer put one, in
// Zstandard.
func (in *inflater) check(b *block) error {
	in.src.Reset(b.data)
	switch string(b.header[:2]) {
	case "ZL":
		if in.zlib == nil {
			z, err := zlib.NewReader(&in.src)
			if err != nil {
				return err
			}
			in.zlib = z
		} else if err := in.zlib.(zlib.Resetter).Reset(&in.src, nil); err != nil {
			return err
		}
		return in.drain(in.zlib, b.want)
	case "CS":
		if in.flate == nil {
			in.flate = flate.NewReader(&in.src)
		} else if err := in.flate.(flate.Resetter).Reset(&in.src, nil); err != nil {
			return err
		}
		return in.drain(in.flate, b.want)
	case "XZ":
		z, err := xz.NewReader(&in.src)
		if err != nil {
			return err
		}
		return in.drain(z, b.want)
	case "ZS":
		return in.checkZstd(b)
	case "L4":
		const sum = 8
		if len(b.data) < sum || xxHash64.Checksum(b.data[sum:], 0) != binary.BigEndian.Uint64(b.data) {
			return errChecksum
		}
		return nil
	}
	return fmt.Errorf("%q is no compression that ROOT knows", b.header[:2])
}

func (in *inflater) checkZstd(b *block) error {
	if in.zstd == nil {
		const most = 1 << 24 // a block says its size in 3 bytes
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(most))
		if err != nil {
			return err
		}
		in.zstd = z
	}
	out, err := in.zstd.DecodeAll(b.data, in.buf[:0])
	if err != nil {
		return err
	}
	in.buf = out
	return sameSize(len(out), b.want)
}

// drain reads r to its end, where it compares checksums.
func (in *inflater) drain(r io.Reader, want int) error {
	for n := 0; ; {
		k, err := r.Read(in.out[:])
		n += k
		switch {
		case n > want:
			return fmt.Errorf("there are more than %d bytes", want)
		case err == io.EOF:
			return sameSize(n, want)
		case err != nil:
			return err
		}
	}
}

func sameSize(n, want int) error {
	if n != want {
		return fmt.Errorf("there are %d bytes, not %d", n, want)
	}
	return nil
}
