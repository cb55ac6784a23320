package column

import (
	"math"
)

// Edge is a hard edge, and the distance from it within which about one event is.
type Edge struct{ At, Reach float64 }

// Edge returns the hard edge beside the outermost value at the lower or upper end, and
// whether there is one: where the density ends at a natural bound, or events pile up to it.
func (s *Sample) Edge(outermost float64, upper bool) (e Edge, ok bool) {
	spacing, hard := s.endsHard(edgeEvents(s.N), upper)
	if !hard {
		return e, false
	}
	side := -1.0
	if upper {
		side = 1
	}
	e.At = placeEdge(outermost, spacing, side)
	e.Reach = max(spacing, math.Abs(outermost-e.At))
	return e, isNatural(e.At) || s.pilesUp(upper)
}

// isNatural reports whether quantities often end at a number: 0, ±1, and multiples of π/2.
func isNatural(x float64) bool {
	x = math.Abs(x)
	quarters := x / (math.Pi / 2)
	return x == 0 || x == 1 || quarters <= 4 && math.Abs(quarters-math.Round(quarters)) < 1e-15
}

// pilesUp reports whether the events at one end of a sample are evidence of an edge: they
// are as near to each other up to the last, or nearer. With D_i the distance of the i-th
// event from the end to the next one, exponentially distributed, an edge at which the
// density is not zero has means ∝ i^−b, b ≤ ¼. In a smooth tail they are ∝ 1/i for the
// outermost events, however many these are, and as before for those further in. The one is believed
// where it makes the distances 20 times more likely than any of the other kind does.
func (s *Sample) pilesUp(upper bool) bool {
	const (
		most     = 200
		fewest   = 24 // events of a tail
		evidence = 3
	)
	d := s.spacings(min(s.N/5, most), upper)
	logLikelihood := func(mean func(rank float64) float64) float64 {
		sum, log := 0.0, 0.0
		for i, v := range d {
			m := mean(float64(i + 1))
			sum += v / m
			log += math.Log(m)
		}
		return -float64(len(d))*math.Log(sum) - log
	}
	hard, smooth := math.Inf(-1), math.Inf(-1)
	for _, b := range []float64{-1, -0.5, 0, 0.25, 0.5} {
		if b <= 0.25 {
			hard = max(hard, logLikelihood(func(i float64) float64 { return math.Pow(i, -b) }))
		}
		for in := float64(fewest); ; in *= 1.5 {
			in = min(in, float64(len(d)))
			smooth = max(smooth, logLikelihood(func(i float64) float64 {
				if i < in {
					return in / i
				}
				return math.Pow(i/in, -b)
			}))
			if in == float64(len(d)) {
				break
			}
		}
	}
	return !(hard <= smooth+evidence) // or NaN: all at one value
}

// spacings returns the distances of k neighbouring events from one end on.
func (s *Sample) spacings(k int, upper bool) []float64 {
	i, step := 0, 1
	if upper {
		i, step = len(s.Values)-1, -1
	}
	var d []float64
	for ; len(d) < k && i+step >= 0 && i+step < len(s.Values); i += step {
		for range s.Counts[i] - 1 {
			d = append(d, 0)
		}
		d = append(d, math.Abs(s.Values[i+step]-s.Values[i]))
	}
	return d[:min(k, len(d))]
}

// edgeEvents is the number of events by which an edge of a sample of n is told; 0 if
// there are so few that one would be mistaken too often.
func edgeEvents(n int) int {
	if n < 1000 {
		return 0
	}
	return min(n/10, 200)
}

// endsHard reports whether the sample has a hard edge at its lower or upper end, and
// the mean distance of neighbouring events there, looking at 2k of them.
//
// Near a hard edge order statistics are as far apart as further in; in a tail
// they spread. A density that begins as the power p of the distance from its edge
// has its r-th event at a distance ∝ r^(1/(p+1)). With a, b, c the third value
// from the end, the k-th and the 2k-th, this gives (b−a)/(c−b) = 1 for p = 0, 2.1
// for p = 1, 2.9 for p = 2, and 6 for an exponential tail (k = 200). The bar is
// between p = 1 and p = 2: where so little is left at the edge, it cannot be told
// where it is.
func (s *Sample) endsHard(k int, upper bool) (spacing float64, hard bool) {
	if k == 0 {
		return 0, false
	}
	at := func(rank int) float64 { // the value of the event of that rank from the end
		i, step := 0, 1
		if upper {
			i, step = len(s.Values)-1, -1
		}
		for seen := s.Counts[i]; seen < rank; seen += s.Counts[i] {
			i += step
		}
		return s.Values[i]
	}
	const first = 3
	a, b, c := at(first), at(k), at(2*k)
	near, far := math.Abs(b-a), math.Abs(c-b)
	if near == 0 { // nearly all of the k events at the very end
		return math.Abs(s.Values[len(s.Values)-1]-s.Values[0]) / float64(len(s.Values)), true
	}
	bar := func(power float64) float64 {
		r := func(rank float64) float64 { return math.Pow(rank, 1/(power+1)) }
		return (r(float64(k)) - r(first)) / (r(float64(2*k)) - r(float64(k)))
	}
	return near / float64(k-first), near < math.Sqrt(bar(1)*bar(2))*far
}

// reach is how far from the outermost event an edge is looked for, in mean
// distances of neighbouring events there. A density that begins linearly leaves
// √k of them free on average, 14 at most; an event beyond the edge would have
// probability zero, so it should be far enough that no later sample has one.
const reach = 20

// placeEdge returns where the edge beside the outermost value is, given the mean
// distance of events there: at a multiple of π/2 if that is very near (polar angles
// fill their range), else at the roundest decimal number within reach.
func placeEdge(outermost, spacing, side float64) float64 {
	beside := func(multiple, divisor, reach float64) (at float64, ok bool) {
		at = outermost / multiple * divisor
		if side < 0 {
			at = min(math.Floor(at)*multiple/divisor, outermost) // whatever the rounding
		} else {
			at = max(math.Ceil(at)*multiple/divisor, outermost)
		}
		return at, math.Abs(at-outermost) <= reach*spacing
	}
	if at, ok := beside(math.Pi, 2, 5); ok && at != 0 && math.Abs(at) <= 2*math.Pi && math.Abs(at-outermost) <= 0.01*math.Abs(at) {
		return at
	}
	largest := math.Ceil(math.Log10(max(math.Abs(outermost), spacing)))
	for digits := range 17 {
		for _, digit := range []float64{1, 2} {
			// A power of ten or its half, as a fraction of whole numbers.
			e := largest - float64(digits)
			if at, ok := beside(math.Pow(10, max(e, 0)), digit*math.Pow(10, max(-e, 0)), reach); ok {
				return at
			}
		}
	}
	return outermost + side*reach*spacing
}
