package philox

import "math"

func uniformPure(dst []float32, seed, stream, first uint64) {
	for len(dst) > 0 {
		w := block(seed, stream, first/4)
		n := 0
		for _, w := range w[first%4:] {
			if n < len(dst) {
				dst[n] = (float32(w>>9) + 0.5) * 0x1p-23
				n++
			}
		}
		dst = dst[n:]
		first += uint64(n)
	}
}

func uniform64Pure(dst []float64, seed, stream, first uint64) {
	for i := range dst {
		dst[i] = (float64(Uint64(seed, stream, first+uint64(i))>>12) + 0.5) * 0x1p-52
	}
}

func normalPure(dst []float32, seed, stream, first uint64) {
	for len(dst) > 0 {
		w := block(seed, stream, first/4)
		var z [4]float32
		z[0], z[1] = boxMuller(w[0], w[1])
		z[2], z[3] = boxMuller(w[2], w[3])
		n := copy(dst, z[first%4:])
		dst = dst[n:]
		first += uint64(n)
	}
}

// block returns block number index of a stream.
func block(seed, stream, index uint64) [4]uint32 {
	return philox(
		[4]uint32{uint32(index), uint32(index >> 32), uint32(stream), uint32(stream >> 32)},
		[2]uint32{uint32(seed), uint32(seed >> 32)})
}

// The multipliers of a round and the steps of the key from round to round, of
// the reference in this package's comment.
const (
	multiplier0 = 0xD2511F53
	multiplier1 = 0xCD9E8D57
	keyStep0    = 0x9E3779B9
	keyStep1    = 0xBB67AE85
	rounds      = 10
)

func philox(c [4]uint32, key [2]uint32) [4]uint32 {
	for range rounds {
		p0 := multiplier0 * uint64(c[0])
		p1 := multiplier1 * uint64(c[2])
		c = [4]uint32{
			uint32(p1>>32) ^ c[1] ^ key[0], uint32(p1),
			uint32(p0>>32) ^ c[3] ^ key[1], uint32(p0),
		}
		key[0] += keyStep0
		key[1] += keyStep1
	}
	return c
}

// boxMuller turns two words into two independent normal deviates. The angle is
// split in integers, so that the sine and the cosine are exact where they are
// zero: a/2³⁰ is a quarter turn q and a rest in [−½, ½) of one.
func boxMuller(w, a uint32) (float32, float32) {
	radius := math.Sqrt(-2 * math.Log((float64(w)+0.5)*0x1p-32))
	q := (a + 1<<29) >> 30
	sin, cos := math.Sincos(float64(int32(a-q<<30)) * (math.Pi / (1 << 31)))
	switch q {
	case 1:
		sin, cos = cos, -sin
	case 2:
		sin, cos = -sin, -cos
	case 3:
		sin, cos = -cos, sin
	}
	return float32(radius * cos), float32(radius * sin)
}
