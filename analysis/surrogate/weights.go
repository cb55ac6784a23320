package surrogate

import (
	"fmt"
	"math"
)

func checkWeights(w []float64) error {
	sum := 0.0
	for i, v := range w {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("surrogate: the weight is %v in entry %d", v, i)
		}
		sum += v
	}
	if w != nil && sum <= 0 {
		return fmt.Errorf("surrogate: the sum of the weights is %g, must be positive", sum)
	}
	return nil
}
