package heldout

import (
	"math"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// TestSplit checks that each event goes to one side, one in four to the test, and that a
// thinned sample comes from all over the table.
func TestSplit(t *testing.T) {
	const n = 40_000
	number := make([]int32, n)
	for i := range number {
		number[i] = int32(i)
	}
	all := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("number", number)}}
	train, test := Split(all)
	seen := make([]int, n)
	for _, part := range []*rootio.Table{train, test} {
		for _, i := range part.Columns[0].Values().([]int32) {
			seen[i]++
		}
	}
	for i, k := range seen {
		if k != 1 {
			t.Fatalf("event %d is there %d times", i, k)
		}
	}
	if d := math.Abs(float64(test.Len()) - n/4); d > 5*math.Sqrt(n*3/16) {
		t.Errorf("%d of %d events are for the test, want one in four", test.Len(), n)
	}

	const few = 4000
	some := Thin(all, few).Columns[0].Values().([]int32)
	if d := math.Abs(float64(len(some)) - few); d > 5*math.Sqrt(few) {
		t.Errorf("%d events, want about %d", len(some), few)
	}
	sum := 0.0
	for _, i := range some {
		sum += float64(i)
	}
	if mean := sum / float64(len(some)); math.Abs(mean-n/2) > 5*n/math.Sqrt(12*few) {
		t.Errorf("the mean number is %.0f of %d", mean, n)
	}
	tests := 0 // thinning must not depend on the split
	for _, i := range some {
		if IsTest(int(i)) {
			tests++
		}
	}
	if d := math.Abs(float64(tests) - few/4); d > 5*math.Sqrt(few*3/16) {
		t.Errorf("%d of %d thinned events are for the test", tests, len(some))
	}
	for _, all2 := range []int{0, n} {
		if Thin(all, all2).Len() != n {
			t.Errorf("not all events for %d", all2)
		}
	}
}

func TestMean(t *testing.T) {
	mean, sigma := Mean([]float64{1e9 + 1, 1e9 + 3, 1e9 + 5, 1e9 + 7})
	if mean != 1e9+4 || math.Abs(sigma-math.Sqrt(20./12)) > 1e-9 {
		t.Errorf("%v ± %v", mean, sigma)
	}
}
