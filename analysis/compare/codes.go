package compare

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/eidolon-hep/eidolon/rootio"
)

// contents is what the samples a and b have of each value that either of them
// takes, in rising order, and altogether.
type contents struct {
	x          []float64
	a, b       []bin
	allA, allB bin
}

// countValues counts the values of a categorical column.
func countValues(a, b *values) *contents {
	c := &contents{allA: a.all, allB: b.all}
	i, j := 0, 0
	for x, end := range steps(a.x, b.x) {
		c.x, c.a, c.b = append(c.x, x), append(c.a, a.sum(i, end[0])), append(c.b, b.sum(j, end[1]))
		i, j = end[0], end[1]
	}
	return c
}

// codes lists the values of the reference a, and the 32 most frequent ones that
// only b has.
func (c *contents) codes() []Code {
	var legal, others []Code
	for k, x := range c.x {
		inA, inB := c.a[k], c.b[k]
		code := Code{
			Value:     x,
			Reference: inA.n, ReferenceFraction: inA.w / c.allA.w,
			Candidate: inB.n, CandidateFraction: inB.w / c.allB.w,
			referenceError: math.Sqrt(inA.w2) / c.allA.w,
			candidateError: math.Sqrt(inB.w2) / c.allB.w,
		}
		if inA.n > 0 {
			legal = append(legal, code)
		} else {
			others = append(others, code)
		}
	}
	slices.SortStableFunc(others, func(p, q Code) int { return q.Candidate - p.Candidate })
	codes := append(legal, others[:min(len(others), maxIllegal)]...)
	slices.SortFunc(codes, func(p, q Code) int { return cmp.Compare(p.Value, q.Value) })
	return codes
}

// illegal is the number of events with values that only b has.
func (c *contents) illegal() int {
	n := 0
	for k := range c.x {
		if c.a[k].n == 0 {
			n += c.b[k].n
		}
	}
	return n
}

// illegalPValue is the probability that chance gives b as many events, or more,
// with values that a never takes: if the samples have one distribution, the events of
// each value are dealt to them at random. The k events of a value are all in b, and
// illegal, with the probability that the hypergeometric distribution gives, qᵏ or a little
// less, with q the part of all events that are b's. Values that are rare enough to be missed by
// a count as much as they should: many of them make many illegal events.
//
// Values count as independent, which is right but for few events: see [exactly]. Where the
// distribution of the number of illegal events is too long to be added up, Chernoff's bound is
// taken, which is somewhat larger: the moment-generating function is Π (1 − qᵏ + qᵏ e^θk),
// for any θ ≥ 0.
//
// A value that columns of a's kind cannot hold needs no statistics.
func (c *contents) illegalPValue(kind rootio.Kind) float64 {
	var illegal float64
	values := map[float64]float64{} // their number, by their events in both samples
	for k, x := range c.x {
		events := c.a[k].events() + c.b[k].events()
		values[events]++
		if c.a[k].n == 0 && c.b[k].n > 0 {
			if !canHold(kind, x) {
				return 0
			}
			illegal += events
		}
	}
	if illegal == 0 {
		return 1
	}

	na, nb := c.allA.effective(), c.allB.effective()
	multiplicities := slices.Sorted(maps.Keys(values))
	const longest, precision = 4_000_000, 1e-11
	if illegal*float64(len(c.x)) <= longest {
		fewer := make([]float64, int(illegal)) // the probability of each number of illegal events
		fewer[0] = 1
		for _, k := range multiplicities {
			p := math.Exp(logFalling(nb, k) - logFalling(na+nb, k))
			for range int(values[k]) {
				for n := len(fewer) - 1; n >= 0; n-- {
					fewer[n] *= 1 - p
					if n >= int(k) {
						fewer[n] += p * fewer[n-int(k)]
					}
				}
			}
		}
		if p := 1 - floats.Sum(fewer); p > precision {
			return p
		}
	}

	logQ := -math.Log1p(na / nb)
	const steps = 200
	var best float64
	for step := range steps {
		theta := -logQ * float64(step+1) / steps
		bound := -theta * illegal
		for _, k := range multiplicities {
			bound += values[k] * math.Log1p(math.Exp(k*(logQ+theta))-math.Exp(k*logQ))
		}
		best = min(best, bound)
	}
	return math.Exp(best)
}

// logFalling is log n(n−1)…(n−k+1), −∞ if there are no k.
func logFalling(n, k float64) float64 {
	if k > n {
		return math.Inf(-1)
	}
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(n - k + 1)
	return a - b
}

// canHold reports whether a column of that kind can have the value x.
func canHold(kind rootio.Kind, x float64) bool {
	switch {
	case kind == rootio.Bool:
		return x == 0 || x == 1
	case kind.IsInteger():
		return x == math.Trunc(x)
	}
	return true
}

// totalVariation is ½ Σ |difference of the fractions|, and its mean for samples
// of one distribution, to which the events of each value are dealt at random: the
// first sample's number of k events is binomial, and its mean distance from kp is
// 2v(1−p) P(v), v = ⌊kp⌋ + 1 (de Moivre). The value being a part of all events
// narrows that a little.
func (c *contents) totalVariation() (value, byChance float64) {
	na, nb := c.allA.effective(), c.allB.effective()
	p := na / (na + nb)
	for k := range c.x {
		value += math.Abs(c.a[k].w/c.allA.w-c.b[k].w/c.allB.w) / 2
		share := pooled(c.allA, c.a[k], c.allB, c.b[k])
		events := max(1, math.Round(share*(na+nb)))
		v := math.Floor(events*p) + 1
		distance := 2 * v * (1 - p) * distuv.Binomial{N: events, P: p}.Prob(v)
		byChance += distance * math.Sqrt(1-share) * (1/na + 1/nb) / 2
	}
	return value, byChance
}

// chi2 tests the proportions of the values, exactly where events are few: then illegal is
// the p-value for as many events with values that a never takes. Otherwise, values of which
// fewer than ten events are expected in the smaller sample are joined to their neighbours among
// such values. That looks at both samples together only, as it must: a bin of the
// values that one of them lacks would differ by construction.
func (c *contents) chi2() (test *Chi2, illegal float64, exact bool) {
	const each = 10
	enough := each / min(c.allA.effective(), c.allB.effective())
	var a, b []bin
	var shares []float64
	var rareA, rareB bin
	rare := false
	for k := range c.x {
		inA, inB := c.a[k], c.b[k]
		share := pooled(c.allA, inA, c.allB, inB)
		if share < enough {
			rare = true
			rareA.add(inA)
			rareB.add(inB)
			if share = pooled(c.allA, rareA, c.allB, rareB); share < enough {
				continue
			}
			inA, inB, rareA, rareB = rareA, rareB, bin{}, bin{}
		}
		a, b, shares = append(a, inA), append(b, inB), append(shares, share)
	}
	if rare && len(c.x) > 1 {
		if test = chi2(c.a, c.b); test != nil {
			if test.PValue, illegal, exact = exactly(c.a, c.b); exact {
				return test, illegal, true
			}
		}
	}
	if len(shares) == 0 {
		return nil, 0, false
	}
	least := floats.MinIdx(shares)
	a[least].add(rareA)
	b[least].add(rareB)
	return chi2(a, b), 0, false
}

// fullest is the place of the most frequent value.
func (c *contents) fullest() int {
	best := 0
	for k := range c.x {
		if pooled(c.allA, c.a[k], c.allB, c.b[k]) > pooled(c.allA, c.a[best], c.allB, c.b[best]) {
			best = k
		}
	}
	return best
}
