package compare

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/eidolon-hep/eidolon/rootio"
)

// spectrum is what a plot shows of a column: how much of both samples is in
// common bins.
type spectrum struct {
	lo, hi     []float64  // of the bins
	ref, cand  []fraction // in percent
	labels     []string   // of the first bins, in the middle of each: all of a categorical column, the spikes of another
	outside    float64    // part of the candidate that is in no bin
	logarithms bool       // whether a logarithmic scale shows more
}

// maxBars is the number of codes up to which each has a bar that stands alone.
const maxBars = 32

// fraction is a part of a sample with its statistical error.
type fraction struct{ value, err float64 }

// valueSpectrum covers the bulk of the reference, all of it if its tails are
// short, in at most 50 bins of equal width. Spikes may be far from the bulk and have
// more events than any bin: the largest, up to four, are left out and have bars to the
// left of the others. More than eight are a column of rounded values.
func valueSpectrum(a, b *values, spikes []Spike, kind rootio.Kind) spectrum {
	if len(spikes) > 8 {
		spikes = nil
	}
	bulk := a.without(spikes)
	spikes = largest(spikes)
	if len(bulk.x) == 0 || bulk.x[0] == bulk.x[len(bulk.x)-1] {
		bulk, spikes = a, nil
	}
	a, b = a.without(spikes), b.without(spikes)
	quantile := func(p float64) float64 { return bulk.x[int(p*float64(len(bulk.x)-1))] }
	lo, hi := quantile(0.001), quantile(0.999)
	first, last := quantile(0), quantile(1)
	if room := 0.15 * (hi - lo); room == 0 {
		lo, hi = first, last
	} else {
		if lo-first < room {
			lo = first
		}
		if last-hi < room {
			hi = last
		}
	}
	if lo > 0 && lo < 0.05*hi {
		lo = 0
	}
	smaller := min(a.all.effective(), b.all.effective())
	n := int(max(10, min(50, math.Sqrt(smaller)/2)))
	width := (hi - lo) / float64(n)
	if !kind.IsFloat() {
		// As many integers in each bin.
		width = max(1, math.Ceil((hi-lo+1)/float64(n)))
		lo -= 0.5
		n = int(math.Ceil((hi + 0.5 - lo) / width))
	}
	edges := make([]float64, n+1)
	for k := range edges {
		edges[k] = lo + float64(k)*width
	}
	if kind.IsFloat() {
		edges[n] = hi
	}

	s := spectrum{lo: edges[:n], hi: edges[1:]}
	s.ref = fractions(a, edges)
	s.cand = fractions(b, edges)
	s.logarithms = spansDecades(s.ref)
	s.addSpikes(spikes, kind)
	s.outside = 1
	for _, f := range s.cand {
		s.outside -= f.value / 100
	}
	return s
}

// largest returns the four largest spikes in rising order of their values.
func largest(spikes []Spike) []Spike {
	const most = 4
	if len(spikes) <= most {
		return spikes
	}
	spikes = slices.Clone(spikes)
	slices.SortStableFunc(spikes, func(p, q Spike) int {
		return cmp.Compare(q.ReferenceFraction+q.CandidateFraction, p.ReferenceFraction+p.CandidateFraction)
	})
	spikes = spikes[:most]
	slices.SortFunc(spikes, func(p, q Spike) int { return cmp.Compare(p.Value, q.Value) })
	return spikes
}

// addSpikes puts bars for the spikes before the other bins.
func (s *spectrum) addSpikes(spikes []Spike, kind rootio.Kind) {
	if len(spikes) == 0 {
		return
	}
	n, letters := len(spikes), 0
	bars := &spectrum{}
	for _, p := range spikes {
		label := "=" + codeLabel(p.Value, kind)
		letters = max(letters, len(label))
		bars.labels = append(bars.labels, label)
		bars.ref = append(bars.ref, fraction{100 * p.ReferenceFraction, 100 * p.referenceError})
		bars.cand = append(bars.cand, fraction{100 * p.CandidateFraction, 100 * p.candidateError})
	}
	// A bar has room for its label, every second has where they are long: parts of
	// the axis, of which at most half is for spikes.
	const most, gap, half = 0.5, 0.035, 0.017
	room := 0.02 + 0.025*float64(letters)
	if float64(n)*room+gap > most {
		for k := 1; k < n; k += 2 {
			bars.labels[n-1-k] = ""
		}
		room = (most - gap) / float64(n)
	}
	axis := (s.hi[len(s.hi)-1] - s.lo[0]) / (1 - gap - float64(n)*room)
	for k := range spikes {
		middle := s.lo[0] - axis*(gap+room*(float64(n-k)-0.5))
		bars.lo = append(bars.lo, middle-half*axis)
		bars.hi = append(bars.hi, middle+half*axis)
	}

	s.logarithms = s.logarithms || highest(bars.ref) > 10*highest(s.ref)
	s.labels = bars.labels
	s.lo, s.hi = append(bars.lo, s.lo...), append(bars.hi, s.hi...)
	s.ref, s.cand = append(bars.ref, s.ref...), append(bars.cand, s.cand...)
}

func fractions(v *values, edges []float64) []fraction {
	var bins []fraction
	for _, b := range v.histogram(edges) {
		bins = append(bins, fraction{100 * b.w / v.all.w, 100 * math.Sqrt(b.w2) / v.all.w})
	}
	return bins
}

func codeSpectrum(codes []Code, kind rootio.Kind) spectrum {
	var s spectrum
	half := 0.4
	if len(codes) > maxBars {
		half = 0.5
	}
	for k, c := range codes {
		s.lo = append(s.lo, float64(k)-half)
		s.hi = append(s.hi, float64(k)+half)
		s.ref = append(s.ref, fraction{100 * c.ReferenceFraction, 100 * c.referenceError})
		s.cand = append(s.cand, fraction{100 * c.CandidateFraction, 100 * c.candidateError})
		s.labels = append(s.labels, codeLabel(c.Value, kind))
	}
	s.logarithms = spansDecades(s.ref)
	return s
}

func codeLabel(x float64, kind rootio.Kind) string {
	switch {
	case kind == rootio.Bool && x == 0:
		return "false"
	case kind == rootio.Bool && x == 1:
		return "true"
	case kind.IsFloat():
		return strconv.FormatFloat(x, 'g', 5, 64)
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

func highest(bins []fraction) float64 {
	return slices.MaxFunc(bins, func(p, q fraction) int { return cmp.Compare(p.value, q.value) }).value
}

// spansDecades reports whether a fifth of the filled bins have less than a
// hundredth of the fullest.
func spansDecades(bins []fraction) bool {
	filled, low, top := 0, 0, highest(bins)
	for _, b := range bins {
		if b.value > 0 {
			filled++
			if b.value < top/100 {
				low++
			}
		}
	}
	return 5*low >= filled && low > 0
}
