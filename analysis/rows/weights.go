package rows

import (
	"fmt"
	"math"
	"slices"
	"strings"
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
	// Events is their number, and Heaviest are those with the largest |w|.
	Events   int     `json:"events,omitempty"`
	Heaviest []Heavy `json:"heaviest,omitempty"`
}

// Heavy is an event with a large weight.
type Heavy struct {
	Entry int     `json:"entry"`
	Share float64 `json:"share"` // of Σ|w|
}

// WeightsOf returns what weights are like, nil where there are none.
func WeightsOf(w []float64) *Weights {
	if w == nil {
		return nil
	}
	const heaviest = 3
	s := &Weights{Events: len(w)}
	var top []int // the heaviest, in order
	for i, v := range w {
		k := len(top)
		for k > 0 && math.Abs(v) > math.Abs(w[top[k-1]]) {
			k--
		}
		if k < heaviest {
			top = slices.Insert(top, k, i)
			top = top[:min(len(top), heaviest)]
		}
	}
	if len(top) == 0 || w[top[0]] == 0 {
		return s
	}
	most := math.Abs(w[top[0]]) // the unit in which squares do not overflow
	var sum, squares, size, negative float64
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
	for _, i := range top {
		s.Heaviest = append(s.Heaviest, Heavy{i, math.Abs(w[i]) / most / size})
	}
	return s
}

// String is a line about the weights.
func (s *Weights) String() string {
	text := fmt.Sprintf("weights: as good as %.0f events of equal weight", s.Effective)
	if s.Negative == 0 {
		return text + ", none negative"
	}
	return text + fmt.Sprintf("; %s of the events have negative ones, which are %s of the sum of |weight|", Percent(s.Negative), Percent(s.NegativeSum))
}

// Few says that the weights leave few of the events, and which ones dominate; "" where they
// do not: below a hundred effective events, or where one event is a twentieth of all.
func (s *Weights) Few() string {
	const enough, dominant = 100, 0.05
	if s == nil || len(s.Heaviest) == 0 || s.Effective >= enough && s.Heaviest[0].Share < dominant {
		return ""
	}
	var heavy []string
	for _, h := range s.Heaviest {
		heavy = append(heavy, fmt.Sprintf("%d (%s)", h.Entry, Percent(h.Share)))
	}
	return fmt.Sprintf("%d weighted events are as good as %.3g of equal weight only; the heaviest, with their part of the sum of |weight|, are entries %s",
		s.Events, s.Effective, strings.Join(heavy, ", "))
}

// Percent is a share as one reads it, with two digits at least.
func Percent(x float64) string {
	digits := 0
	if x > 0 && x < 0.1 {
		digits = min(max(int(-math.Floor(math.Log10(100*x)))+1, 1), 6)
	}
	return fmt.Sprintf("%.*f %%", digits, 100*x)
}
