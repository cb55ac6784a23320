package column

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Sample holds the values of a column, sorted, with equal ones joined, without missing ones
// (NaN).
type Sample struct {
	Values  []float64 // ascending, distinct
	Weights []float64 // the sum of the weights of the events with the value
	Counts  []int     // their number
	N       int       // of events with a value
	Total   float64   // sum of the weights of these
	Missing float64   // sum of the weights of the events without a value, positive if there are any

	// Effective is the number of events of equal weight that are worth as much.
	Effective float64
	Signed    bool // there are negative weights
}

// NewSample returns the sample of the values x with the weights w, nil for 1 each.
func NewSample(x, w []float64) *Sample {
	s := &Sample{}
	if w == nil {
		sorted := slices.Clone(x)
		slices.Sort(sorted) // NaN first
		for len(sorted) > 0 && math.IsNaN(sorted[0]) {
			s.Missing++
			sorted = sorted[1:]
		}
		for _, v := range sorted {
			s.Add(v, 1, 1)
		}
		s.Effective = float64(s.N)
		return s
	}
	var order []int
	most, size := 0.0, 0.0
	for i, v := range x {
		size += math.Abs(w[i])
		if math.IsNaN(v) {
			s.Missing += w[i]
			continue
		}
		order = append(order, i)
		most = max(most, math.Abs(w[i]))
		s.Signed = s.Signed || w[i] < 0
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	squares := 0.0
	for _, i := range order {
		s.Add(x[i], w[i], 1)
		squares += (w[i] / most) * (w[i] / most)
	}
	if len(order) < len(x) { // what is there is possible, whatever the sum
		s.Missing = max(s.Missing, 1e-9*size)
	}
	if !(s.Total > 0) { // the weights say nothing about these values
		for i, k := range s.Counts {
			s.Weights[i] = float64(k) / float64(s.N) * 1e-9 * size
		}
		s.Total, s.Signed, s.Effective = 1e-9*size, false, float64(s.N)
		return s
	}
	s.Effective = min(s.Total/most*(s.Total/most)/squares, float64(s.N))
	return s
}

// Monotone returns the sample with weights that are not negative: those for which the sum of
// the weights up to each value is nearest to what it was, in the least squares, among the sums that never
// fall (by pooling adjacent violators: Barlow et al., Statistical Inference under Order
// Restrictions, 1972), within 0 and the total.
func (s *Sample) Monotone() *Sample {
	if !s.Signed {
		return s
	}
	type pool struct {
		sum float64 // of the cumulative weights
		n   int     // of values
	}
	mean := func(p pool) float64 { return p.sum / float64(p.n) }
	var pools []pool
	cumulative := 0.0
	for _, w := range s.Weights {
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
	m.Weights = make([]float64, len(s.Weights))
	at, sum := -0.5, 0.0 // the place among the values, and the sum there
	gain := func(to, level float64) {
		level = min(max(level, 0), s.Total)
		if rise := level - sum; rise > 0 {
			from, until := int(math.Floor(at+1)), int(math.Floor(to))
			until = min(max(until, from), len(m.Weights)-1)
			for i := from; i <= until; i++ {
				m.Weights[i] += rise / float64(until-from+1)
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
	gain(float64(start-1), s.Total)
	return &m
}

// Add adds count events of the value v, none of the values before being larger, and
// the sum w of their weights.
func (s *Sample) Add(v, w float64, count int) {
	last := len(s.Values) - 1
	if last < 0 || s.Values[last] != v {
		s.Values, s.Weights, s.Counts = append(s.Values, v), append(s.Weights, 0), append(s.Counts, 0)
		last++
	}
	s.Weights[last] += w
	s.Counts[last] += count
	s.N += count
	s.Total += w
}

// Proportions returns the cumulative proportions of the values. Each value has a
// share that is larger than zero.
func (s *Sample) Proportions() []float64 {
	cum := make([]float64, len(s.Values))
	least := max(1e-9*s.Total, math.SmallestNonzeroFloat32) / float64(len(s.Values))
	sum := 0.0
	for i, w := range s.Weights {
		sum += max(w, least)
		cum[i] = sum
	}
	for i := range cum {
		cum[i] /= sum
	}
	cum[len(cum)-1] = 1
	return cum
}

// part returns an empty sample for a part of the values.
func (s *Sample) part() *Sample {
	return &Sample{Signed: s.Signed, Effective: s.Effective}
}

// Tails are the probabilities on both sides of a place in a distribution.
type Tails struct{ Below, Above float64 }

// Tails returns those of the values, half of each value's own probability being on either side,
// and how many events there are up to each value.
func (s *Sample) Tails() (cdf []Tails, events []int) {
	cdf, events = make([]Tails, len(s.Values)), make([]int, len(s.Values))
	sum, n := 0.0, 0
	for i, w := range s.Weights {
		cdf[i].Below = (sum + w/2) / s.Total
		sum += w
		n += s.Counts[i]
		events[i] = n
	}
	sum = 0 // from above, so that nothing is lost of what is little there
	for i := len(s.Weights) - 1; i >= 0; i-- {
		w := s.Weights[i]
		cdf[i].Above = (sum + w/2) / s.Total
		sum += w
	}
	return cdf, events
}

// Least is the probability beyond the outermost values that there is in any case: half of
// an event.
func (s *Sample) Least() float64 {
	if s.Signed {
		return 0.5 / s.Effective
	}
	lightest := s.Total
	for _, w := range s.Weights {
		if w > 0 {
			lightest = min(lightest, w)
		}
	}
	return lightest / s.Total / 2
}

// Quantile returns the value below which a proportion p of the sample is.
func (s *Sample) Quantile(p float64) float64 {
	sum := 0.0
	for i, w := range s.Weights {
		if sum += w; sum >= p*s.Total {
			return s.Values[i]
		}
	}
	return s.Values[len(s.Values)-1]
}

// shifted returns the sample with all values larger by d.
func (s *Sample) shifted(d float64) *Sample {
	t := *s
	t.Values = slices.Clone(s.Values)
	floats.AddConst(d, t.Values)
	return &t
}

// HalfWidth is half of the interval that 68 % of the sample are in.
func (s *Sample) HalfWidth() float64 { return (s.Quantile(0.84) - s.Quantile(0.16)) / 2 }
