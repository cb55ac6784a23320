package inflate

import "encoding/binary"

// adler32 returns the checksum of zlib (RFC 1950): of the bytes b₀ … the sums a = 1 + Σ bᵢ and Σ (n−i) bᵢ + n, modulo 65521.
//
// Eight bytes are added at a time, in lanes of 16 bits: those at even places and those at odd ones. The second sum
// counts the bytes of each word as often as there are words from it on.
func adler32(b []byte) uint32 {
	const (
		modulus = 65521
		words   = 16 // that do not overflow a lane: 255 · 16 · 17 / 2 < 2¹⁶
		lanes   = 0x00ff00ff00ff00ff
	)
	a, c := uint64(1), uint64(0)
	for len(b) >= 8*words {
		var even, odd, evens, odds uint64
		for i := 0; i < 8*words; i += 8 {
			w := binary.LittleEndian.Uint64(b[i : i+8])
			evens += even
			odds += odd
			even += w & lanes
			odd += w >> 8 & lanes
		}
		b = b[8*words:]
		c += 8 * words * a
		for k := range uint64(4) {
			e, o := even>>(16*k)&0xffff, odd>>(16*k)&0xffff
			a += e + o
			c += 8*(evens>>(16*k)&0xffff+odds>>(16*k)&0xffff) + (8-2*k)*e + (7-2*k)*o
		}
		a %= modulus
		c %= modulus
	}
	for _, x := range b {
		a += uint64(x)
		c += a
	}
	return uint32(c%modulus)<<16 | uint32(a%modulus)
}
