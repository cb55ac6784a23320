package compare

import (
	"math"
	"strconv"

	"github.com/eidolon-hep/eidolon/rootio"
)

// spectrum is what a plot shows of a column: how much of both samples is in
// common bins.
type spectrum struct {
	lo, hi     []float64  // of the bins
	ref, cand  []fraction // in percent
	labels     []string   // of the bins of a categorical column, in the middle of each
	outside    float64    // part of the candidate that is in no bin
	logarithms bool       // whether a logarithmic scale shows more
}

// fraction is a part of a sample with its statistical error.
type fraction struct{ value, err float64 }

// valueSpectrum covers the bulk of the reference, all of it if its tails are
// short, in at most 50 bins of equal width.
func valueSpectrum(a, b *values, kind rootio.Kind) spectrum {
	quantile := func(p float64) float64 { return a.x[int(p*float64(len(a.x)-1))] }
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
	s.ref, _ = fractions(a, edges)
	s.cand, s.outside = fractions(b, edges)
	s.logarithms = spansDecades(s.ref)
	return s
}

func fractions(v *values, edges []float64) (bins []fraction, outside float64) {
	outside = 1
	for _, b := range v.histogram(edges) {
		outside -= b.w / v.all.w
		bins = append(bins, fraction{100 * b.w / v.all.w, 100 * math.Sqrt(b.w2) / v.all.w})
	}
	return bins, outside
}

func codeSpectrum(codes []Code, kind rootio.Kind) spectrum {
	var s spectrum
	for k, c := range codes {
		s.lo = append(s.lo, float64(k)-0.4)
		s.hi = append(s.hi, float64(k)+0.4)
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

// spansDecades reports whether a fifth of the filled bins have less than a
// hundredth of the fullest.
func spansDecades(bins []fraction) bool {
	var filled, low int
	var top float64
	for _, b := range bins {
		top = max(top, b.value)
	}
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
