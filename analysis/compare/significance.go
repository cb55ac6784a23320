package compare

import (
	"cmp"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

// holm corrects p-values for their number, in place: the probability that any
// of them is below α by chance is at most α, whether or not the tests depend on one
// another (Holm, Scand. J. Statist. 6 (1979) 65).
func holm(p []float64) {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	var largest float64
	for rank, i := range order {
		largest = max(largest, min(1, p[i]*float64(len(p)-rank)))
		p[i] = largest
	}
}

// equalProportions returns the p-value for the same proportion of events inside
// and outside a bin in two samples. It is that of χ² where events are many.
// Otherwise, of all the rarer events, those of the first sample follow a binomial
// distribution, of which it takes the smaller tail twice.
func equalProportions(inA, outA, inB, outB bin) float64 {
	const many = 25
	allA, allB := inA, inB
	allA.add(outA)
	allB.add(outB)
	na, nb := allA.effective(), allB.effective()
	p := pooled(allA, inA, allB, inB)
	if min(p, 1-p)*min(na, nb) >= many {
		return chi2([]bin{inA, outA}, []bin{inB, outB}).PValue
	}
	rareA, rareB := inA, inB
	if p > 0.5 {
		rareA, rareB = outA, outB
	}
	j, k := max(0, na*rareA.w/allA.w), max(0, nb*rareB.w/allB.w)
	atLeast, atMost := 1.0, 1.0
	if j > 0 {
		atLeast = mathext.RegIncBeta(j, k+1, na/(na+nb))
	}
	if k > 0 {
		atMost = mathext.RegIncBeta(k, j+1, nb/(na+nb))
	}
	return min(1, 2*min(atLeast, atMost))
}

// pooled is the fraction of two samples, each with its effective number of
// events, that is in a bin; never less than zero nor more than one.
func pooled(allA, inA, allB, inB bin) float64 {
	na, nb := allA.effective(), allB.effective()
	return min(max(0, (na*inA.w/allA.w+nb*inB.w/allB.w)/(na+nb)), 1)
}
