// Package philox draws random deviates by number: deviate i of a stream is a
// function of (seed, stream, i) alone, so that any cut of the work into
// batches, threads or machines draws the same ones.
//
// The generator is Philox 4×32-10 of Salmon, Moraes, Dror and Shaw, "Parallel
// random numbers: as easy as 1, 2, 3", SC'11, doi:10.1145/2063384.2063405. It
// turns a key of 64 bits and a counter of 128 bits into a block of four words
// of 32 bits. Here
//
//	key     = (low, high half of seed)
//	counter = (low, high half of the block's number, low, high half of stream)
//
// and block ⌊i/4⌋ holds the words of the deviates i of [Uniform] and [Normal]
// with the same quotient, block ⌊i/2⌋ those of [Uniform64] and [Uint64]. All
// four functions read the same words: let each use have a stream of its own. The
// deviates' numbers begin anew at 2⁶⁴.
package philox

//go:generate go run ../../asm/philox -out philox_avx2_amd64.s -stubs philox_avx2_amd64.go -pkg philox

// Uint64 returns word number index of a stream: words 2j and 2j+1 of the
// block index/2, the first being the low half, where j = index mod 2.
func Uint64(seed, stream, index uint64) uint64 {
	w := block(seed, stream, index/2)
	j := index % 2 * 2
	return uint64(w[j]) | uint64(w[j+1])<<32
}

// Uniform fills dst with the deviates first, first+1, … of a stream, uniform
// in the open interval (0, 1):
//
//	(⌊w/2⁹⌋ + ½) · 2⁻²³
//
// where w is word i mod 4 of block ⌊i/4⌋. The smallest is 2⁻²⁴ and the
// largest 1 − 2⁻²⁴.
func Uniform(dst []float32, seed, stream, first uint64) {
	uniform(dst, seed, stream, first)
}

// Uniform64 fills dst with the deviates first, first+1, … of a stream, uniform
// in the open interval (0, 1):
//
//	(⌊u/2¹²⌋ + ½) · 2⁻⁵²
//
// where u is Uint64(seed, stream, i). The smallest is 2⁻⁵³ and the largest
// 1 − 2⁻⁵³.
func Uniform64(dst []float64, seed, stream, first uint64) {
	uniform64(dst, seed, stream, first)
}

// Normal fills dst with the deviates first, first+1, … of a stream, each
// normal with mean 0 and variance 1, by the transformation of Box and Muller
// (doi:10.1214/aoms/1177706645). Words 0 and 1 of block ⌊i/4⌋ make the
// deviates with i mod 4 = 0 and 1, words 2 and 3 those with 2 and 3: with the
// pair (w, a),
//
//	√(−2 ln((w+½)·2⁻³²)) · (cos, sin)(2π·a·2⁻³²)
//
// so no deviate exceeds 6.77. The error is at most 4 ULP; the twin in pure Go
// rounds the exact deviate.
func Normal(dst []float32, seed, stream, first uint64) {
	normal(dst, seed, stream, first)
}
