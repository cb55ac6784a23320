package compare

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// equalProportions returns the p-value for the same proportion of events inside
// and outside a bin in two samples. It is that of χ² where events are many.
// Otherwise, of all the rarer events, those of the first sample follow a
// hypergeometric distribution (Fisher's exact test), or a binomial one if events have
// weights, of which it takes the smaller tail twice.
func equalProportions(inA, outA, inB, outB bin) float64 {
	const many = 25
	allA, allB := inA, inB
	allA.add(outA)
	allB.add(outB)
	if allA.w <= 0 || allB.w <= 0 {
		return math.NaN()
	}
	na, nb := allA.effective(), allB.effective()
	p := pooled(allA, inA, allB, inB)
	if min(p, 1-p)*min(na, nb) >= many {
		return chi2([]bin{inA, outA}, []bin{inB, outB}).PValue
	}
	rareA, rareB := inA, inB
	if p > 0.5 {
		rareA, rareB = outA, outB
	}
	if allA.counts() && allB.counts() {
		return fisher(rareA.n, allA.n, rareB.n, allB.n)
	}
	// In units of its own events' mean weight, if these are enough to tell it.
	ofA, ofB := rareWeight(rareA, allA), rareWeight(rareB, allB)
	j, k := max(0, rareA.w/ofA), max(0, rareB.w/ofB)
	ta, tb := allA.w/ofA, allB.w/ofB
	atLeast, atMost := 1.0, 1.0
	if j > 0 {
		atLeast = mathext.RegIncBeta(j, k+1, ta/(ta+tb))
	}
	if k > 0 {
		atMost = mathext.RegIncBeta(k, j+1, tb/(ta+tb))
	}
	return min(1, 2*min(atLeast, atMost))
}

// rareWeight is the mean weight of the events of a bin with few events.
func rareWeight(b, all bin) float64 {
	const enough = 30
	if b.n >= enough && b.w > 0 && b.effective() >= enough/3 {
		return b.w2 / b.w
	}
	return all.w2 / all.w
}

// counts reports whether the events have no weights.
func (b bin) counts() bool { return b.w == float64(b.n) && b.w2 == b.w }

// fisher is the probability that k of na events and l of nb are as unequal, or
// more, if all are dealt to the samples at random: the smaller tail of the hypergeometric
// distribution, twice.
func fisher(k, na, l, nb int) float64 {
	m, n := k+l, na+nb
	least, most := max(0, m-nb), min(m, na)
	whole := logChoose(n, na)
	var below, above float64
	for i := least; i <= most; i++ {
		p := math.Exp(logChoose(m, i) + logChoose(n-m, na-i) - whole)
		if i <= k {
			below += p
		}
		if i >= k {
			above += p
		}
	}
	return min(1, 2*min(below, above))
}

func logChoose(n, k int) float64 {
	if k < 0 || k > n {
		return math.Inf(-1)
	}
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}

// mostTables is the number of tables that an exact test goes through.
const mostTables = 20_000

// exactly tests proportions in bins by all the ways in which the events of each can be
// dealt to the two samples: χ², and the number of events in bins that the first has
// nothing of. It reports whether these are few enough; no event may have a weight.
func exactly(a, b []bin) (chi2, illegal float64, ok bool) {
	m, na, nb, largest := make([]int, len(a)), 0, 0, 0
	for k := range a {
		if !a[k].counts() || !b[k].counts() {
			return 0, 0, false
		}
		m[k] = a[k].n + b[k].n
		na, nb = na+a[k].n, nb+b[k].n
		if m[k] > m[largest] {
			largest = k
		}
	}
	tables := 1
	for k, n := range m {
		if k != largest {
			if tables *= n + 1; tables > mostTables {
				return 0, 0, false
			}
		}
	}
	// χ² rises with Σ k²/m.
	seen, missing := 0.0, 0
	for k := range a {
		if m[k] > 0 {
			seen += float64(a[k].n*a[k].n) / float64(m[k])
		}
		if a[k].n == 0 {
			missing += m[k]
		}
	}
	whole := logChoose(na+nb, na)
	var deal func(k, left int, squares, logP float64, without int)
	deal = func(k, left int, squares, logP float64, without int) {
		take := func(k, n int) (int, float64, float64, int) {
			s, w := squares, without
			if m[k] > 0 {
				s += float64(n*n) / float64(m[k])
			}
			if n == 0 {
				w += m[k]
			}
			return left - n, s, logP + logChoose(m[k], n), w
		}
		switch {
		case k == len(m): // the rest is in the fullest
			if left > m[largest] {
				return
			}
			_, squares, logP, without = take(largest, left)
			p := math.Exp(logP - whole)
			if squares >= seen*(1-1e-9) {
				chi2 += p
			}
			if without >= missing {
				illegal += p
			}
		case k == largest:
			deal(k+1, left, squares, logP, without)
		default:
			for n := range min(m[k], left) + 1 {
				l, s, p, w := take(k, n)
				deal(k+1, l, s, p, w)
			}
		}
	}
	deal(0, na, 0, 0, 0)
	return min(1, chi2), min(1, illegal), true
}

// kolmogorovExactly is the probability of a KS distance of d or more between two samples
// of one distribution, given which values are equal: all ways to deal the values to the samples
// are as probable (Hodges, Arkiv för Matematik 3 (1958) 469). It is for events without weights.
func kolmogorovExactly(a, b *values, d float64) float64 {
	n, m := len(a.x), len(b.x)
	ends := make([]bool, n+m) // after so many of both, whether the next value is another
	for _, end := range steps(a.x, b.x) {
		ends[end[0]+end[1]-1] = true
	}
	d -= 1e-9
	beyond := make([]float64, m+1) // the probability that a way through (i, j) has been as far apart
	for i := range n + 1 {
		for j := range m + 1 {
			switch {
			case i+j == 0:
				beyond[j] = 0
			case ends[i+j-1] && math.Abs(float64(i)/float64(n)-float64(j)/float64(m)) >= d:
				beyond[j] = 1
			default:
				var p float64
				if i > 0 {
					p += float64(i) * beyond[j]
				}
				if j > 0 {
					p += float64(j) * beyond[j-1]
				}
				beyond[j] = p / float64(i+j)
			}
		}
	}
	return beyond[m]
}

// pooled is the fraction of two samples, each with its effective number of
// events, that is in a bin; never less than zero nor more than one.
func pooled(allA, inA, allB, inB bin) float64 {
	na, nb := allA.effective(), allB.effective()
	return min(max(0, (na*inA.w/allA.w+nb*inB.w/allB.w)/(na+nb)), 1)
}
