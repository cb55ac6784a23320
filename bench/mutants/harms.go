package main

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
)

// harm is a way to damage a file.
type harm struct {
	name string
	do   func(rng *rand.Rand, b []byte) []byte
}

// harms are for all kinds of files.
var harms = []harm{
	{"a bit", func(rng *rand.Rand, b []byte) []byte {
		b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		return b
	}},
	{"ten bits", func(rng *rand.Rand, b []byte) []byte {
		for range 10 {
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		}
		return b
	}},
	{"a byte", func(rng *rand.Rand, b []byte) []byte {
		b[rng.IntN(len(b))] = byte(rng.IntN(256))
		return b
	}},
	{"truncated", func(rng *rand.Rand, b []byte) []byte { return b[:rng.IntN(len(b))] }},
	{"zeros", func(rng *rand.Rand, b []byte) []byte {
		at := rng.IntN(len(b))
		clear(b[at:min(len(b), at+1+rng.IntN(512))])
		return b
	}},
	{"two parts swapped", func(rng *rand.Rand, b []byte) []byte {
		n := 1 + rng.IntN(len(b)/4)
		i, j := rng.IntN(len(b)-n), rng.IntN(len(b)-n)
		x, y := bytes.Clone(b[i:i+n]), bytes.Clone(b[j:j+n])
		copy(b[i:], y)
		copy(b[j:], x)
		return b
	}},
	{"a part over another", func(rng *rand.Rand, b []byte) []byte {
		n := 1 + rng.IntN(len(b)/4)
		copy(b[rng.IntN(len(b)-n):], bytes.Clone(b[rng.IntN(len(b)-n):])[:n])
		return b
	}},
	{"a part twice", func(rng *rand.Rand, b []byte) []byte {
		n := 1 + rng.IntN(len(b)/4)
		at := rng.IntN(len(b) - n)
		return append(bytes.Clone(b[:at+n]), b[at:]...)
	}},
	{"a large number", func(rng *rand.Rand, b []byte) []byte {
		large := []uint64{0x7fffffff, 0xffffffff, 0x3fffffff, 0x7fffffffffffffff, 1 << 20, 1 << 28, 0x8000000000000000}
		x := large[rng.IntN(len(large))]
		at := rng.IntN(len(b) - 8)
		switch rng.IntN(4) {
		case 0:
			binary.BigEndian.PutUint32(b[at:], uint32(x))
		case 1:
			binary.BigEndian.PutUint64(b[at:], x)
		case 2:
			binary.LittleEndian.PutUint64(b[at:], x)
		case 3:
			binary.BigEndian.PutUint16(b[at:], uint16(x))
		}
		return b
	}},
}
