package classify

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Significance is the p-value below which samples are told apart.
const Significance = 0.01

// Apart says in words whether samples are told apart by an AUC that has this
// p-value.
func Apart(auc, p float64) string {
	if p >= Significance {
		return "cannot be told apart"
	}
	value := fmt.Sprintf("p = %.2g", p)
	if p < 1e-99 {
		value = "p < 1e-99"
	}
	if auc < 0.5 {
		return "told apart, the wrong way round: the samples are not independent; " + value
	}
	return "told apart, " + value
}

// scored is what an AUC needs to know of the events of one sample.
type scored struct {
	score, weight []float64
	place         []float64 // the part of the other sample below, ties counting half
	block         []int32   // nil if events are independent
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
	x, _ := mean(zero.place, zero.weight)
	y, _ := mean(one.place, one.weight)
	return varianceOf(zero, one, zero.place, one.place, x, y)
}

// nullVariance is the variance of the AUC if the samples have one distribution: that of
// the places of the events in both samples together. It does not vanish where the
// scores of the samples do not overlap.
func nullVariance(zero, one *scored) float64 {
	var all scored
	for _, s := range []*scored{zero, one} {
		sum := 0.0
		for _, w := range s.weight {
			sum += w
		}
		for i, v := range s.score {
			all.add(v, s.weight[i]/sum)
		}
	}
	all.placeIn(&all)
	n := len(zero.score)
	return varianceOf(zero, one, all.place[:n], all.place[n:], 0.5, 0.5)
}

// varianceOf is the variance of the difference of the weighted means of x and y, which
// belong to the events of zero and of one and should have these means.
func varianceOf(zero, one *scored, x, y []float64, meanX, meanY float64) float64 {
	parts := func(s *scored, values []float64, mean float64) []float64 {
		var sum float64
		for _, w := range s.weight {
			sum += w
		}
		p := make([]float64, len(values))
		for i, v := range values {
			p[i] = s.weight[i] * (v - mean) / sum
		}
		return p
	}
	a, b := parts(zero, x, meanX), parts(one, y, meanY)
	if zero.block == nil {
		return floats.Dot(a, a) + floats.Dot(b, b)
	}
	sums := map[int32]float64{}
	for i, v := range a {
		sums[zero.block[i]] -= v
	}
	for i, v := range b {
		sums[one.block[i]] += v
	}
	var sum float64
	for _, k := range slices.Sorted(maps.Keys(sums)) {
		sum += sums[k] * sums[k]
	}
	return sum
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
