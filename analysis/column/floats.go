package column

import (
	"math"

	"github.com/eidolon-hep/eidolon/rootio"
)

// ULP is the distance of neighbouring numbers of a kind at x.
func ULP(kind rootio.Kind, x float64) float64 {
	x = math.Abs(x)
	if kind == rootio.Float32 {
		return float64(math.Nextafter32(float32(x), math.MaxFloat32) - float32(x))
	}
	return math.Nextafter(x, math.MaxFloat64) - x
}

// Ascend reports whether numbers ascend, none being as large as the one before.
func Ascend(x []float64) bool {
	for i := 1; i < len(x); i++ {
		if !(x[i] > x[i-1]) {
			return false
		}
	}
	return true
}
