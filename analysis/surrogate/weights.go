package surrogate

import (
	"fmt"
	"math"
)

// Weights says what the weights w of the events are like.
type Weights struct {
	Sum float64 `json:"sum"` // Σw
	// Effective is (Σw)²/Σw²: so many events of equal weight have sums that are as certain.
	Effective float64 `json:"effective"`
	// Negative is the share of events with a negative weight, and NegativeSum their share
	// of Σ|w|.
	Negative    float64 `json:"negative"`
	NegativeSum float64 `json:"negative_sum"`
}

// weightsOf returns nil where there are none.
func weightsOf(w []float64) *Weights {
	if w == nil {
		return nil
	}
	most := 0.0 // in units of which squares do not overflow
	for _, v := range w {
		most = max(most, math.Abs(v))
	}
	var sum, squares, size, negative float64
	s := &Weights{}
	for _, v := range w {
		s.Sum += v
		v /= most
		sum += v
		squares += v * v
		size += math.Abs(v)
		if v < 0 {
			negative -= v
			s.Negative += 1 / float64(len(w))
		}
	}
	s.Effective, s.NegativeSum = sum*sum/squares, negative/size
	return s
}

// String is a line about the weights.
func (s *Weights) String() string {
	text := fmt.Sprintf("weights: as good as %.0f events of equal weight", s.Effective)
	if s.Negative == 0 {
		return text + ", none negative"
	}
	return text + fmt.Sprintf("; %s of the events have negative ones, which are %s of the sum of |weight|", percent(s.Negative), percent(s.NegativeSum))
}

// percent is a share as one reads it, with two digits at least.
func percent(x float64) string {
	digits := 0
	if x > 0 && x < 0.1 {
		digits = min(max(int(-math.Floor(math.Log10(100*x)))+1, 1), 6)
	}
	return fmt.Sprintf("%.*f %%", digits, 100*x)
}

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
