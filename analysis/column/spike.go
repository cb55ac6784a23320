package column

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
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

// Spikes returns the values, ascending, that so many events share that it is no accident, such as
// −999, or the weights of a few processes among others; at most [mostSpikes], those of the most
// events. A sample of nothing but spikes has none.
//
// Values repeat by accident where they are rounded, and how often is seen in the values nearby,
// whatever the rounding: if n events have m different values, there are λ events for each that is
// possible, n/m = λ/(1 − exp(−λ)), and k events share one with the Poisson probability P(≥ k | λ).
// No value of a column is a spike unless that is below e⁻⁹ for all of them together, k is at
// least 10 λ, and about ten times as large as that of the next values on either side that cannot
// be spikes themselves.
func (s *Sample) Spikes() (values []float64) {
	var places []int
	for i, k := range s.Counts {
		if k >= fewestInSpike && s.Weights[i] > leastSpike*s.Total {
			places = append(places, i)
		}
	}
	if len(places) == 0 {
		return nil
	}
	isRepeated := s.repeated(places)
	places = s.withoutRuns(slices.DeleteFunc(places, func(i int) bool { return !isRepeated[i] }))
	places = slices.DeleteFunc(places, func(i int) bool {
		neighbours := 0
		for _, step := range []int{-1, 1} {
			j := i + step
			for j >= 0 && j < len(s.Counts) && isRepeated[j] {
				j += step
			}
			if j >= 0 && j < len(s.Counts) {
				neighbours = max(neighbours, s.Counts[j])
			}
		}
		return s.Counts[i] <= spikeContrast*(neighbours-1)
	})
	if len(places) > mostSpikes {
		slices.SortStableFunc(places, func(i, j int) int { return s.Counts[j] - s.Counts[i] })
		places = places[:mostSpikes]
		slices.Sort(places)
	}
	if len(s.Values)-len(places) < 2 {
		return nil
	}
	for _, i := range places {
		values = append(values, s.Values[i])
	}
	return values
}

// repeated reports which of the values in some places, ascending, are shared by more events than
// the values around them explain.
func (s *Sample) repeated(places []int) map[int]bool {
	const (
		block    = 64 // values that have the same others around them: as many on either side
		accident = 1.2e-4
	)
	isRepeated := map[int]bool{}
	at, mean := -1, 0.0 // the block, and λ there
	for _, i := range places {
		if i/block != at {
			at = i / block
			mean = repetition(s.Counts[max(at-1, 0)*block : min((at+2)*block, len(s.Counts))])
		}
		k := float64(s.Counts[i])
		isRepeated[i] = k >= spikeContrast*mean && float64(len(s.Values))*mathext.GammaIncReg(k, mean) < accident
	}
	return isRepeated
}

// repetition returns the number λ of events for each possible value, at most, where different
// values have the counts that are given. Those that may be spikes do not count.
func repetition(counts []int) float64 {
	sorted := slices.Sorted(slices.Values(counts))
	few := sorted[len(sorted)/20]
	n, m := 3, 0 // so many more would not be seen, at 95 % confidence
	for _, k := range sorted {
		if k <= 3*few+3 {
			n, m = n+k, m+1
		}
	}
	ratio := float64(n) / float64(m)
	mean := ratio
	for range 50 { // λ = ratio·(1 − exp(−λ)), from above
		mean = ratio * -math.Expm1(-mean)
	}
	return mean
}

// withoutRuns returns the places, ascending, but for those of many values in a row in equal
// steps: they are a peak of rounded values.
func (s *Sample) withoutRuns(places []int) (rest []int) {
	const (
		longest = 16
		equal   = 2.5 // of the smallest step
	)
	for from := 0; from < len(places); {
		to := from + 1
		for to < len(places) && places[to] == places[to-1]+1 {
			to++
		}
		if run := places[from:to]; len(run) > longest {
			var steps []float64
			for _, i := range run[1:] {
				steps = append(steps, s.Values[i]-s.Values[i-1])
			}
			slices.Sort(steps)
			if steps[len(steps)/2] <= equal*steps[0] {
				from = to
				continue
			}
		}
		rest = append(rest, places[from:to]...)
		from = to
	}
	return rest
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
