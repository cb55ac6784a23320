package parallel

import "testing"

func TestRangesCoverAllRows(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 65, 1000} {
		seen := make([]int, n)
		Ranges(n, 64, func(lo, hi int) {
			if hi-lo > 64 {
				t.Errorf("a range of %d rows", hi-lo)
			}
			for i := lo; i < hi; i++ {
				seen[i]++
			}
		})
		for i, k := range seen {
			if k != 1 {
				t.Fatalf("row %d of %d was visited %d times", i, n, k)
			}
		}
	}
}
