package compare

import (
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// Spike is a value of a continuous column that many events share, such as 0 or
// −999: more than 1 % of the events of a sample and at least 20, ten times as many
// as its neighbours have.
type Spike struct {
	Value             float64 `json:"value"`
	ReferenceFraction float64 `json:"reference_fraction"` // of the sum of weights
	CandidateFraction float64 `json:"candidate_fraction"`
	PValue            float64 `json:"p_value"` // of equal fractions

	referenceError, candidateError float64 // of the fractions
}

// compareSpikes compares the values that are spikes in a or b, in rising order.
func compareSpikes(a, b *values) []Spike {
	found := append(a.spikes(), b.spikes()...)
	slices.Sort(found)
	var spikes []Spike
	for _, x := range slices.Compact(found) {
		inA, inB := a.at(x), b.at(x)
		spikes = append(spikes, Spike{
			Value:             x,
			ReferenceFraction: inA.w / a.all.w, referenceError: math.Sqrt(inA.w2) / a.all.w,
			CandidateFraction: inB.w / b.all.w, candidateError: math.Sqrt(inB.w2) / b.all.w,
			PValue: equalProportions(inA, a.all.less(inA), inB, b.all.less(inB)),
		})
	}
	return spikes
}

// spikes returns the values that are spikes in the sample.
func (v *values) spikes() []float64 {
	const (
		least  = 0.01 // of the weights
		fewest = 20   // events
	)
	s := &column.Sample{}
	for x, b := range v.runs {
		s.Add(x, b.w, b.n)
	}
	return slices.DeleteFunc(s.Spikes(), func(x float64) bool {
		i, _ := slices.BinarySearch(s.Values, x)
		return !(s.Weights[i] > least*s.Total) || s.Counts[i] < fewest
	})
}

// at returns the sums of the values equal to x.
func (v *values) at(x float64) bin {
	lo, _ := slices.BinarySearch(v.x, x)
	n, _ := slices.BinarySearch(v.x[lo:], math.Nextafter(x, math.Inf(1)))
	return v.sum(lo, lo+n)
}

// without returns the values that are no spikes, which rise. Its sums remain those of all
// values.
func (v *values) without(spikes []Spike) *values {
	if len(spikes) == 0 {
		return v
	}
	var places []int // of the others
	for i, x := range v.x {
		for len(spikes) > 0 && x > spikes[0].Value {
			spikes = spikes[1:]
		}
		if len(spikes) == 0 || x < spikes[0].Value {
			places = append(places, i)
		}
	}
	return &values{x: taken(v.x, places), sampled: v.take(places), all: v.all, left: v.left}
}
