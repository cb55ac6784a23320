package classify

import (
	"cmp"
	"math"
	"slices"
)

// scored is what an AUC needs to know of the events of one sample.
type scored struct {
	score, weight []float64
	place         []float64 // the part of the other sample below, ties counting half
}

func (s *scored) add(score, weight float64) {
	s.score, s.weight = append(s.score, score), append(s.weight, weight)
}

// auc returns the area under the ROC curve of a score that is to tell sample 1 from
// sample 0: the probability that an event of 1 has a higher score than one of 0,
// a tie counting half. It fills in the places of all events.
func auc(zero, one *scored) float64 {
	zero.placeIn(one)
	one.placeIn(zero)
	a, _ := mean(one.place, one.weight)
	return a
}

// placeIn finds the part of the other sample that is below each event.
func (s *scored) placeIn(other *scored) {
	order := make([]int, len(other.score))
	total := 0.0
	for i := range order {
		order[i] = i
		total += other.weight[i]
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(other.score[i], other.score[j]) })
	sorted, below := make([]float64, len(order)), make([]float64, len(order)+1)
	for k, i := range order {
		sorted[k] = other.score[i]
		below[k+1] = below[k] + other.weight[i]
	}
	s.place = make([]float64, len(s.score))
	for i, v := range s.score {
		lo, _ := slices.BinarySearch(sorted, v)
		hi := lo
		for hi < len(sorted) && sorted[hi] == v { // ties
			n, _ := slices.BinarySearch(sorted[hi:], math.Nextafter(v, math.Inf(1)))
			hi += n
		}
		s.place[i] = (below[lo] + below[hi]) / 2 / total
	}
}

// variance is that of the AUC (DeLong, DeLong and Clarke-Pearson, Biometrics 44
// (1988) 837), for weighted events.
func variance(zero, one *scored) float64 {
	_, a := mean(zero.place, zero.weight)
	_, b := mean(one.place, one.weight)
	return a + b
}

// mean returns the weighted mean of x and its variance.
func mean(x, w []float64) (m, variance float64) {
	var sum float64
	for i, v := range x {
		sum += w[i]
		m += w[i] * v
	}
	m /= sum
	for i, v := range x {
		variance += w[i] * w[i] * (v - m) * (v - m)
	}
	return m, variance / (sum * sum)
}
