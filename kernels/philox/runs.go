package philox

import "iter"

// Runs gives the parts [lo, hi) of numbers that follow each other: the deviates of such events
// can be drawn at once.
func Runs(numbers []uint64) iter.Seq2[int, int] {
	return func(yield func(lo, hi int) bool) {
		for lo := 0; lo < len(numbers); {
			hi := lo + 1
			for hi < len(numbers) && numbers[hi] == numbers[lo]+uint64(hi-lo) {
				hi++
			}
			if !yield(lo, hi) {
				return
			}
			lo = hi
		}
	}
}
