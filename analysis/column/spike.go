package column

import (
	"cmp"
	"math"
	"slices"
)

// Spike is a value that many events share.
type Spike struct {
	Value    float64 `json:"value"`
	Fraction float64 `json:"fraction"` // of the events

	// Outlier says that the value is far outside of the others, whether or not many events
	// share it.
	Outlier bool `json:"outlier,omitempty"`
}

// IsAt reports whether a value is that of the spike.
func (s Spike) IsAt(x float64) bool { return x == s.Value || math.IsNaN(x) && math.IsNaN(s.Value) }

// Spikes returns the values, ascending, that many events share: more than 1 % of the events and at
// least 20, ten times as many as have the nearest values on either side that cannot be spikes
// themselves. A sample of nothing but spikes has none.
func (s *Sample) Spikes() (values []float64) {
	isCommon := func(i int) bool { return s.Weights[i] > spikeFraction*s.Total }
	for i, k := range s.Counts {
		if !isCommon(i) || k < fewestInSpike {
			continue
		}
		neighbours := 0
		for _, step := range []int{-1, 1} {
			j := i + step
			for j >= 0 && j < len(s.Counts) && isCommon(j) {
				j += step
			}
			if j >= 0 && j < len(s.Counts) {
				neighbours = max(neighbours, s.Counts[j])
			}
		}
		if k >= spikeContrast*neighbours {
			values = append(values, s.Values[i])
		}
	}
	if len(s.Values)-len(values) < 2 {
		return nil
	}
	return values
}

// WithoutSpikes returns the spikes, and those values that are far outside of all
// others, and the rest of the sample.
func (s *Sample) WithoutSpikes() (spikes []Spike, rest *Sample) {
	rest = s.part()
	values := s.Spikes()
	for i, v := range s.Values {
		if len(values) > len(spikes) && v == values[len(spikes)] {
			spikes = append(spikes, Spike{Value: v, Fraction: s.Weights[i] / (s.Total + s.Missing)})
			continue
		}
		rest.Add(v, s.Weights[i], s.Counts[i])
	}
	if rest.Total <= 0 || len(rest.Values) < 2 {
		return nil, s
	}
	rest.Effective *= float64(rest.N) / float64(s.N)
	outliers, inner := rest.withoutOutliers()
	for _, o := range outliers {
		o.Fraction *= rest.Total / (s.Total + s.Missing)
		spikes = append(spikes, o)
	}
	slices.SortFunc(spikes, func(a, b Spike) int { return cmp.Compare(a.Value, b.Value) })
	return spikes, inner
}

// withoutOutliers returns the values that are far outside of all others, and the rest of the
// sample: at most one event of a hundred and sixteen values, with a gap of three decades before
// them, in the distance from the median.
func (s *Sample) withoutOutliers() (outliers []Spike, rest *Sample) {
	const mostValues, gap = 16, 1e3
	mostEvents := max(s.N/100, 3)
	if s.N < 100 {
		return nil, s
	}
	lo, hi := 0, len(s.Values) // of those that are left
	from, to := lo, hi         // of the rest
	middle := s.Quantile(0.5)
	nearest := math.Inf(1) // distance of those that are not left
	for events := 0; hi-lo > mostValues; {
		below, above := middle-s.Values[lo], s.Values[hi-1]-middle
		if far := max(below, above); far*gap < nearest && len(s.Values)-(hi-lo) > 0 {
			from, to = lo, hi
		}
		if len(s.Values)-(hi-lo) == mostValues {
			break
		}
		i := lo
		if above > below {
			hi--
			i = hi
		} else {
			lo++
		}
		nearest = max(below, above)
		if events += s.Counts[i]; events > mostEvents {
			break
		}
	}
	if from == 0 && to == len(s.Values) {
		return nil, s
	}
	rest = s.part()
	for i, v := range s.Values {
		if i >= from && i < to {
			rest.Add(v, s.Weights[i], s.Counts[i])
		} else { // which is possible, whatever its weights
			outliers = append(outliers, Spike{Value: v, Fraction: max(s.Weights[i]/s.Total, 1e-9), Outlier: true})
		}
	}
	if !(rest.Total > 0) {
		return nil, s
	}
	return outliers, rest
}
