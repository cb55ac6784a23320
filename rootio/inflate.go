package rootio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/pierrec/xxHash/xxHash64"
	"github.com/ulikunitz/xz"

	"github.com/eidolon-hep/eidolon/internal/inflate"
)

// block is one compressed block of a record.
type block struct {
	pos    int64 // of the record
	header [blockHeader]byte
	data   []byte
	want   int // bytes when decompressed
}

// inflater decompresses blocks, one after the other. It keeps its memory.
type inflater struct {
	deflate inflate.Decoder
	zstd    *zstd.Decoder
	buf     []byte
}

// algorithms are the letters that blocks start with.
var algorithms = []string{"ZL", "CS", "XZ", "ZS", "L4"}

// blocksSize returns the number of bytes of a series of blocks when decompressed,
// as their headers say; −1 if they are no series of blocks.
//
// It also tells a compressed object from one that is not when both have the same
// size, as groot may write it (v0.40.0): for other readers the object is lost.
func blocksSize(body []byte) (total int64) {
	for len(body) > 0 {
		if len(body) < blockHeader || !slices.Contains(algorithms, string(body[:2])) {
			return -1
		}
		size, want := blockSizes(body)
		body = body[blockHeader:]
		if size == 0 || size > len(body) || want == 0 {
			return -1
		}
		body = body[size:]
		total += int64(want)
	}
	return total
}

// object returns the object of a record with the given body: the body itself, or what its
// blocks decompress to, in dst if that is large enough. It may have so many bytes at most.
func (in *inflater) object(dst, body []byte, rec record, most int64) ([]byte, error) {
	packed := blocksSize(body) == rec.objectSize
	switch {
	case rec.objectSize > most:
		return nil, damaged(rec.pos, "says that it has %d bytes", rec.objectSize)
	case !packed && int64(len(body)) == rec.objectSize:
		return body, nil
	case !packed:
		return nil, damaged(rec.pos, "does not decompress to %d bytes", rec.objectSize)
	}
	dst = resize(dst, int(rec.objectSize))
	if err := in.inflateAll(dst, body); err != nil {
		return nil, damaged(rec.pos, "does not decompress: %w", err)
	}
	return dst, nil
}

// blockSizes returns what the header of a block says: the number of bytes that
// follow it, and that of them when decompressed.
func blockSizes(header []byte) (size, want int) {
	h := header[3:blockHeader]
	return int(h[0]) | int(h[1])<<8 | int(h[2])<<16, int(h[3]) | int(h[4])<<8 | int(h[5])<<16
}

// inflateAll decompresses a series of blocks of the given total size.
func (in *inflater) inflateAll(dst, body []byte) error {
	for len(body) > 0 {
		header := body[:blockHeader]
		size, want := blockSizes(header)
		body = body[blockHeader:]
		if err := in.inflate(dst[:want:want], header[:2], body[:size]); err != nil {
			return err
		}
		dst, body = dst[want:], body[size:]
	}
	return nil
}

// inflate fills dst with what a block decompresses to and compares its checksum:
// Adler-32 in zlib, XXH64 in LZ4, CRC in LZMA and, where the writer put one, in
// Zstandard. It is an error if there are fewer bytes or more, and if a decompressor panics.
func (in *inflater) inflate(dst, algorithm, src []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	switch string(algorithm) {
	case "ZL":
		return in.deflate.Zlib(dst, src)
	case "CS":
		return in.deflate.Deflate(dst, src)
	case "XZ":
		z, err := xz.NewReader(bytes.NewReader(src))
		if err != nil {
			return err
		}
		return fill(dst, z)
	case "ZS":
		return in.inflateZstd(dst, src)
	case "L4":
		const sum = 8
		if len(src) < sum || xxHash64.Checksum(src[sum:], 0) != binary.BigEndian.Uint64(src) {
			return errors.New("the checksum is wrong")
		}
		n, err := lz4.UncompressBlock(src[sum:], dst)
		if err != nil {
			return err
		}
		return sameSize(n, len(dst))
	}
	return fmt.Errorf("%q is no compression that ROOT knows", algorithm)
}

func (in *inflater) inflateZstd(dst, src []byte) error {
	if in.zstd == nil {
		const most = 1 << 24 // a block says its size in 3 bytes
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(most))
		if err != nil {
			return err
		}
		in.zstd = z
	}
	out, err := in.zstd.DecodeAll(src, dst[:0])
	if err != nil {
		return err
	}
	return sameSize(len(out), len(dst))
}

// fill reads r into dst and on to its end, where it compares checksums.
func fill(dst []byte, r io.Reader) error {
	if n, err := io.ReadFull(r, dst); err == io.EOF || err == io.ErrUnexpectedEOF {
		return sameSize(n, len(dst))
	} else if err != nil {
		return err
	}
	switch n, err := io.CopyN(io.Discard, r, 1); {
	case n > 0:
		return fmt.Errorf("there are more than %d bytes", len(dst))
	case err != io.EOF:
		return err
	}
	return nil
}

func sameSize(n, want int) error {
	if n != want {
		return fmt.Errorf("there are %d bytes, not %d", n, want)
	}
	return nil
}
