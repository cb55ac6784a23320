package rootio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/pierrec/xxHash/xxHash64"
	"github.com/ulikunitz/xz"
)

// setting returns the compression as files and branches say it, 100 times the algorithm
// plus the level. The levels are those that serve columns of numbers best: higher ones gain little for much time.
func (c Compression) setting() int32 {
	return [...]int32{Zlib: 103, LZMA: 201, LZ4: 401, Zstd: 501, NoCompression: 0}[c]
}

// deflater compresses objects, one after the other. It keeps its memory.
type deflater struct {
	compression Compression
	out         bytes.Buffer
	zlib        [2]*zlib.Writer // of the level, and without matches
	zstd        *zstd.Encoder
	lz4         lz4.Compressor
}

// object returns the object as a series of compressed blocks, or the object itself if that
// would not be smaller.
func (d *deflater) object(object []byte) ([]byte, error) {
	const (
		least = 512 // bytes that are worth it
		most  = 1<<24 - 1
	)
	if d.compression == NoCompression || len(object) < least {
		return object, nil
	}
	d.out.Reset()
	for rest := object; len(rest) > 0; {
		n := min(len(rest), most)
		at := d.out.Len()
		d.out.Write(make([]byte, blockHeader))
		name, err := d.block(rest[:n])
		if err != nil {
			return nil, fmt.Errorf("could not compress: %w", err)
		}
		size := d.out.Len() - at - blockHeader
		if size > most || d.out.Len() >= len(object) {
			return object, nil
		}
		header := d.out.Bytes()[at:]
		copy(header, name)
		putBlockSizes(header, size, n)
		rest = rest[n:]
	}
	return bytes.Clone(d.out.Bytes()), nil
}

func putBlockSizes(header []byte, size, want int) {
	for i, n := range []int{size, want} {
		header[3+3*i], header[4+3*i], header[5+3*i] = byte(n), byte(n>>8), byte(n>>16)
	}
}

// block appends a compressed block to out, without its header, and returns what the
// header starts with.
func (d *deflater) block(src []byte) (name string, err error) {
	var w io.WriteCloser
	switch d.compression {
	case LZ4:
		const sum = 8
		b := make([]byte, sum+lz4.CompressBlockBound(len(src)))
		n, err := d.lz4.CompressBlock(src, b[sum:])
		if n == 0 || err != nil {
			n = len(b) - sum // it does not shrink
		}
		b = b[:sum+n]
		binary.BigEndian.PutUint64(b, xxHash64.Checksum(b[sum:], 0))
		d.out.Write(b)
		return "L4\x01", err
	case Zlib:
		return "ZL\x08", d.zlibBlock(src)
	case Zstd:
		if d.zstd == nil {
			d.zstd, err = zstd.NewWriter(&d.out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
				zstd.WithAllLitEntropyCompression(true)) // or floating-point numbers stay as they are
		} else {
			d.zstd.Reset(&d.out)
		}
		name, w = "ZS\x01", d.zstd
	default:
		w, err = xz.WriterConfig{CheckSum: xz.CRC32}.NewWriter(&d.out)
		name = "XZ\x00"
	}
	if err != nil {
		return "", err
	}
	if _, err = w.Write(src); err != nil {
		return "", err
	}
	return name, w.Close()
}

// zlibBlock appends a zlib stream. Floating-point numbers have few matches, which the fast levels take for data that cannot
// be compressed; but their bytes are of different frequencies. So what hardly shrinks is also compressed without matches, and the shorter
// stream is kept.
func (d *deflater) zlibBlock(src []byte) error {
	start := d.out.Len()
	for i, level := range []int{int(Zlib.setting() % 100), zlib.HuffmanOnly} {
		at := d.out.Len()
		if i == 1 && at-start < len(src)*3/4 {
			break
		}
		var err error
		if d.zlib[i] == nil {
			d.zlib[i], err = zlib.NewWriterLevel(&d.out, level)
		} else {
			d.zlib[i].Reset(&d.out)
		}
		if err == nil {
			_, err = d.zlib[i].Write(src)
		}
		if err == nil {
			err = d.zlib[i].Close()
		}
		if err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		if n := d.out.Len() - at; n < at-start {
			copy(d.out.Bytes()[start:], d.out.Bytes()[at:])
			d.out.Truncate(start + n)
		} else {
			d.out.Truncate(at)
		}
	}
	return nil
}
