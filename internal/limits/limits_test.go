package limits_test

import (
	"fmt"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/limits"
)

func sum(x []float32) (s float32) {
	for _, v := range x {
		s += v
	}
	return s
}

var sink float32

// A chain of scalar additions is far from what the vector units could do.
func TestDense(t *testing.T) {
	x := make([]float32, 1000)
	speed, limit := limits.Dense(float64(len(x)), func() { sink = sum(x) })
	if speed <= 0 || limit < 0 || limit > 0 && speed > limit {
		t.Errorf("%v of %v GFLOP/s", speed, limit)
	}
}

func ExampleDense() {
	x := make([]float32, 1000)
	speed, _ := limits.Dense(float64(len(x)), func() { sink = sum(x) })
	fmt.Println(speed > 0)
	// Output: true
}
