package column

import (
	"math"
	"slices"
)

// Ranks returns the ranks of values between −1 and 1, those of equal ones being equal; 0 for what is no number.
func Ranks(x []float64) []float64 {
	sorted := slices.Clone(x)
	slices.Sort(sorted)
	ranks := make([]float64, len(x))
	for i, v := range x {
		if v == v {
			lo, _ := slices.BinarySearch(sorted, v)
			hi, _ := slices.BinarySearch(sorted, math.Nextafter(v, math.Inf(1)))
			ranks[i] = float64(lo+hi)/float64(len(x)) - 1
		}
	}
	return ranks
}
