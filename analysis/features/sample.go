package features

import (
	"cmp"
	"math"
	"slices"
)

// sample is a column sorted, with equal values joined, without missing ones (NaN).
type sample struct {
	value   []float64 // ascending, distinct
	weight  []float64 // the sum of the weights of the events with the value
	count   []int     // their number
	n       int       // of events
	total   float64   // sum of weights
	missing float64   // sum of weights of the events without a value, positive if there are any
	as      string    // how it is to be treated, if that was said

	// effective is the number of events of equal weight that are worth as much.
	effective float64
	signed    bool // there are negative weights
}

func newSample(x, w []float64) *sample {
	s := &sample{}
	if w == nil {
		sorted := slices.Clone(x)
		slices.Sort(sorted) // NaN first
		for len(sorted) > 0 && math.IsNaN(sorted[0]) {
			s.missing++
			sorted = sorted[1:]
		}
		for _, v := range sorted {
			s.add(v, 1, 1)
		}
		s.effective = float64(s.n)
		return s
	}
	var order []int
	most, size := 0.0, 0.0
	for i, v := range x {
		size += math.Abs(w[i])
		if math.IsNaN(v) {
			s.missing += w[i]
			continue
		}
		order = append(order, i)
		most = max(most, math.Abs(w[i]))
		s.signed = s.signed || w[i] < 0
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	squares := 0.0
	for _, i := range order {
		s.add(x[i], w[i], 1)
		squares += (w[i] / most) * (w[i] / most)
	}
	if len(order) < len(x) { // what is there is possible, whatever the sum
		s.missing = max(s.missing, 1e-9*size)
	}
	if !(s.total > 0) { // the weights say nothing about these values
		for i, k := range s.count {
			s.weight[i] = float64(k) / float64(s.n) * 1e-9 * size
		}
		s.total, s.signed, s.effective = 1e-9*size, false, float64(s.n)
		return s
	}
	s.effective = min(s.total/most*(s.total/most)/squares, float64(s.n))
	return s
}

// monotone returns the sample with weights that are not negative: those for which the sum of
// the weights up to each value is nearest to what it was, in the least squares, among the sums that never
// fall (by pooling adjacent violators: Barlow et al., Statistical Inference under Order
// Restrictions, 1972), within 0 and the total.
func (s *sample) monotone() *sample {
	if !s.signed {
		return s
	}
	type pool struct {
		sum float64 // of the cumulative weights
		n   int     // of values
	}
	mean := func(p pool) float64 { return p.sum / float64(p.n) }
	var pools []pool
	cumulative := 0.0
	for _, w := range s.weight {
		cumulative += w
		p := pool{cumulative, 1}
		for len(pools) > 0 && mean(pools[len(pools)-1]) >= mean(p) {
			before := pools[len(pools)-1]
			p.sum, p.n = p.sum+before.sum, p.n+before.n
			pools = pools[:len(pools)-1]
		}
		pools = append(pools, p)
	}
	// What the sum gains from one pool to the next it gains evenly between their middles.
	m := *s
	m.weight = make([]float64, len(s.weight))
	at, sum := -0.5, 0.0 // the place among the values, and the sum there
	gain := func(to, level float64) {
		level = min(max(level, 0), s.total)
		if rise := level - sum; rise > 0 {
			from, until := int(math.Floor(at+1)), int(math.Floor(to))
			until = min(max(until, from), len(m.weight)-1)
			for i := from; i <= until; i++ {
				m.weight[i] += rise / float64(until-from+1)
			}
			sum = level
		}
		at = to
	}
	start := 0
	for _, p := range pools {
		gain(float64(start)+float64(p.n-1)/2, mean(p))
		start += p.n
	}
	gain(float64(start-1), s.total)
	return &m
}

// add adds count events of the value v, none of the values before being larger, and
// the sum w of their weights.
func (s *sample) add(v, w float64, count int) {
	last := len(s.value) - 1
	if last < 0 || s.value[last] != v {
		s.value, s.weight, s.count = append(s.value, v), append(s.weight, 0), append(s.count, 0)
		last++
	}
	s.weight[last] += w
	s.count[last] += count
	s.n += count
	s.total += w
}

// proportions returns the cumulative proportions of the values. Each value has a
// share that is larger than zero.
func (s *sample) proportions() []float64 {
	cum := make([]float64, len(s.value))
	least := max(1e-9*s.total, math.SmallestNonzeroFloat32) / float64(len(s.value))
	sum := 0.0
	for i, w := range s.weight {
		sum += max(w, least)
		cum[i] = sum
	}
	for i := range cum {
		cum[i] /= sum
	}
	cum[len(cum)-1] = 1
	return cum
}

// withoutSpikes returns the values that many events share or that are far outside of all
// others, and the rest of the sample. A sample of nothing but spikes has none.
func (s *sample) withoutSpikes() (spikes []Spike, rest *sample) {
	rest = s.part()
	for i, k := range s.count {
		neighbours := 0 // the nearest on either side that cannot be spikes themselves
		for _, step := range []int{-1, 1} {
			j := i + step
			for j >= 0 && j < len(s.count) && s.weight[j] > spikeFraction*s.total {
				j += step
			}
			if j >= 0 && j < len(s.count) {
				neighbours = max(neighbours, s.count[j])
			}
		}
		if s.weight[i] > spikeFraction*s.total && k >= fewestInSpike && k >= spikeContrast*neighbours {
			spikes = append(spikes, Spike{Value: s.value[i], Fraction: s.weight[i] / (s.total + s.missing)})
			continue
		}
		rest.add(s.value[i], s.weight[i], k)
	}
	if rest.total <= 0 || len(rest.value) < 2 {
		return nil, s
	}
	rest.effective *= float64(rest.n) / float64(s.n)
	outliers, inner := rest.withoutOutliers()
	for _, o := range outliers {
		o.Fraction *= rest.total / (s.total + s.missing)
		spikes = append(spikes, o)
	}
	slices.SortFunc(spikes, func(a, b Spike) int { return cmp.Compare(a.Value, b.Value) })
	return spikes, inner
}

// withoutOutliers returns the values that are far outside of all others, and the rest of the
// sample: at most one event of a hundred and sixteen values, with a gap of three decades before
// them, in the distance from the median.
func (s *sample) withoutOutliers() (outliers []Spike, rest *sample) {
	const mostValues, gap = 16, 1e3
	mostEvents := max(s.n/100, 3)
	if s.n < 100 {
		return nil, s
	}
	lo, hi := 0, len(s.value) // of those that are left
	from, to := lo, hi        // of the rest
	middle := s.quantile(0.5)
	nearest := math.Inf(1) // distance of those that are not left
	for events := 0; hi-lo > mostValues; {
		below, above := middle-s.value[lo], s.value[hi-1]-middle
		if far := max(below, above); far*gap < nearest && len(s.value)-(hi-lo) > 0 {
			from, to = lo, hi
		}
		if len(s.value)-(hi-lo) == mostValues {
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
		if events += s.count[i]; events > mostEvents {
			break
		}
	}
	if from == 0 && to == len(s.value) {
		return nil, s
	}
	rest = s.part()
	for i, v := range s.value {
		if i >= from && i < to {
			rest.add(v, s.weight[i], s.count[i])
		} else { // which is possible, whatever its weights
			outliers = append(outliers, Spike{Value: v, Fraction: max(s.weight[i]/s.total, 1e-9), Outlier: true})
		}
	}
	if !(rest.total > 0) {
		return nil, s
	}
	return outliers, rest
}

// part returns an empty sample for a part of the values.
func (s *sample) part() *sample {
	return &sample{signed: s.signed, effective: s.effective}
}

// step is a place in the distribution of a sample, by the probabilities on both sides of it.
type step struct{ below, above float64 }

// steps returns the middle of each value's step, and how many events there are up to each
// value.
func (s *sample) steps() (cdf []step, events []int) {
	cdf, events = make([]step, len(s.value)), make([]int, len(s.value))
	sum, n := 0.0, 0
	for i, w := range s.weight {
		cdf[i].below = (sum + w/2) / s.total
		sum += w
		n += s.count[i]
		events[i] = n
	}
	sum = 0 // from above, so that nothing is lost of what is little there
	for i := len(s.weight) - 1; i >= 0; i-- {
		w := s.weight[i]
		cdf[i].above = (sum + w/2) / s.total
		sum += w
	}
	return cdf, events
}

// least is the probability beyond the outermost values that there is in any case: half of
// an event.
func (s *sample) least() float64 {
	if s.signed {
		return 0.5 / s.effective
	}
	lightest := s.total
	for _, w := range s.weight {
		if w > 0 {
			lightest = min(lightest, w)
		}
	}
	return lightest / s.total / 2
}

// quantile returns the value below which a proportion p of the sample is.
func (s *sample) quantile(p float64) float64 {
	sum := 0.0
	for i, w := range s.weight {
		if sum += w; sum >= p*s.total {
			return s.value[i]
		}
	}
	return s.value[len(s.value)-1]
}

// halfWidth is half of the interval that 68 % of the sample are in.
func (s *sample) halfWidth() float64 { return (s.quantile(0.84) - s.quantile(0.16)) / 2 }
