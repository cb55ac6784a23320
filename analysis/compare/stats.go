package compare

import (
	"iter"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"
)

// steps yields each different value of a and b, which are sorted, in rising order, and how
// many of both are not above it.
func steps(a, b []float64) iter.Seq2[float64, [2]int] {
	return func(yield func(x float64, end [2]int) bool) {
		for i, j := 0, 0; i < len(a) || j < len(b); {
			var x float64
			if j == len(b) || i < len(a) && a[i] < b[j] {
				x = a[i]
			} else {
				x = b[j]
			}
			for i < len(a) && a[i] == x {
				i++
			}
			for j < len(b) && b[j] == x {
				j++
			}
			if !yield(x, [2]int{i, j}) {
				return
			}
		}
	}
}

// distances returns the largest difference of the cumulative distributions of
// a and b, the value where it is, and the integral of the difference.
func distances(a, b *values) (ks, at, integral float64) {
	var i, j int
	var sumA, sumB, last, difference float64
	for x, end := range steps(a.x, b.x) {
		if difference > 0 {
			integral += difference * (x - last)
		}
		for ; i < end[0]; i++ {
			sumA += a.weight(i)
		}
		for ; j < end[1]; j++ {
			sumB += b.weight(j)
		}
		difference, last = math.Abs(sumA/a.all.w-sumB/b.all.w), x
		if difference > ks {
			ks, at = difference, x
		}
	}
	return ks, at, integral
}

// measure returns the distances of a continuous column, without errors. std is
// the reference's.
func measure(a, b *values, std float64) *Distance {
	d := &Distance{}
	var integral float64
	d.KS, d.KSAt, integral = distances(a, b)
	na, nb := a.all.effective(), b.all.effective()
	const few = 200_000 // ways, with or without a step
	if a.w == nil && a.block == nil && b.w == nil && b.block == nil && len(a.x)*len(b.x) <= few {
		d.KSPValue = kolmogorovExactly(a, b, d.KS)
	} else {
		d.KSPValue = kolmogorov(d.KS, na*nb/(na+nb))
	}
	if std > 0 {
		d.Wasserstein = integral / std
	}
	return d
}

// bootstrap fills in the errors of the distances of a continuous column, if there is a
// generator of random numbers for them, and finds the p-value of events in blocks.
func (c *Column) bootstrap(a, b *values, edges []float64, rng *rand.Rand) {
	if rng == nil && a.block == nil {
		return
	}
	if rng == nil {
		rng = rand.New(rand.NewPCG(1, 1))
	}
	cellsA, cellsB := c.cells[0], c.cells[1]
	centre := make([]float64, len(cellsA)) // of the values in a cell
	for k := range centre {
		both := cellsA[k]
		both.add(cellsB[k])
		if centre[k] = both.wx / both.w; both.n == 0 || !usable(centre[k]) {
			centre[k] = centre[max(0, k-1)]
		}
	}
	var ks, transport []float64
	if a.block != nil {
		ks, transport = c.resampleBlocks(a, b, edges, centre, rng)
	} else {
		drawnA, drawnB := make([]float64, len(cellsA)), make([]float64, len(cellsB))
		for range resamples {
			d, t := binnedDistances(cumulate(drawnA, cellsA, rng), cumulate(drawnB, cellsB, rng), centre)
			ks, transport = append(ks, d), append(transport, t)
		}
	}
	c.Distance.KSError = spread(ks)
	if c.Reference.Std > 0 {
		c.Distance.WassersteinError = spread(transport) / c.Reference.Std
	}
}

// cumulate fills dst with the cumulative distribution of a sample drawn again
// from the one in the bins. The contents of a bin follow a gamma distribution of
// their mean and variance, which is the Bayesian bootstrap (Rubin, Ann. Statist. 9
// (1981) 130) of whole bins.
func cumulate(dst []float64, bins []bin, rng *rand.Rand) []float64 {
	var sum float64
	for k, b := range bins {
		switch {
		case b.w > 0:
			sum += distuv.Gamma{Alpha: b.w * b.w / b.w2, Beta: b.w / b.w2, Src: rng}.Rand()
		case b.n > 0:
			sum += b.w + math.Sqrt(b.w2)*rng.NormFloat64()
		}
		dst[k] = sum
	}
	for k := range dst {
		dst[k] /= sum
	}
	return dst
}

func binnedDistances(f, g, x []float64) (ks, integral float64) {
	for k := range len(f) - 1 {
		difference := math.Abs(f[k] - g[k])
		ks = max(ks, difference)
		integral += difference * math.Abs(x[k+1]-x[k])
	}
	return ks, integral
}

// spread is the standard deviation.
func spread(x []float64) float64 {
	var mean, sum2 float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		sum2 += (v - mean) * (v - mean)
	}
	return math.Sqrt(sum2 / float64(len(x)-1))
}

// kolmogorov returns the probability of a KS distance of d or more between two
// samples of one distribution, where n = n₁n₂/(n₁+n₂): Kolmogorov's limit with the
// correction of Stephens (J. R. Stat. Soc. B 32 (1970) 115) for small n.
func kolmogorov(d, n float64) float64 {
	root := math.Sqrt(n)
	t := d * (root + 0.12 + 0.11/root)
	var sum float64
	if t < 1 {
		// Jacobi's theta function, turned round: it converges where the other does not.
		for k := 1.0; k < 8; k += 2 {
			sum += math.Exp(-k * k * math.Pi * math.Pi / (8 * t * t))
		}
		return 1 - math.Sqrt(2*math.Pi)/max(t, 1e-3)*sum
	}
	sign := 2.0
	for k := 1.0; k < 8; k++ {
		sum += sign * math.Exp(-2*k*k*t*t)
		sign = -sign
	}
	return sum
}

// chi2 tests whether two samples have equal proportions in common bins. For
// unweighted events it is Pearson's test of homogeneity. With weights, the
// variance of a bin is that of its pooled content, for events of the bin's mean
// weight Σw²/Σw. A bin that is empty in both samples does not count.
func chi2(a, b []bin) *Chi2 {
	var allA, allB bin
	for k := range a {
		allA.add(a[k])
		allB.add(b[k])
	}
	na, nb := allA.effective(), allB.effective()
	test := &Chi2{NDF: -1}
	for k := range a {
		p, q := a[k].w/allA.w, b[k].w/allB.w
		both := (na*p + nb*q) / (na + nb)
		if a[k].n+b[k].n == 0 || both <= 0 {
			continue
		}
		variance := both * (meanWeight(a[k], allA)/allA.w + meanWeight(b[k], allB)/allB.w)
		test.Value += (p - q) * (p - q) / variance
		test.NDF++
	}
	if test.NDF < 1 {
		return nil
	}
	test.PValue = distuv.ChiSquared{K: float64(test.NDF)}.Survival(test.Value)
	return test
}

// meanWeight is the weight that matters for the variance of a bin, or the
// sample's where the bin says nothing.
func meanWeight(b, all bin) float64 {
	if b.w > 0 {
		return b.w2 / b.w
	}
	return all.w2 / all.w
}

// chi2OfCells joins cells to at most 50 bins of about equal content and tests
// them. Bins are chosen by looking at both samples together only, so that they favour
// neither. A bin has at least ten effective events of the smaller sample if there
// are so many, and a hundred if events have weights: a bin's own events have to
// tell its mean weight.
func chi2OfCells(a, b *values, cellsA, cellsB []bin) *Chi2 {
	each := 10.0
	if a.w != nil || b.w != nil {
		each = 100
	}
	smaller := min(a.all.effective(), b.all.effective())
	if smaller < 2*each && a.w == nil && b.w == nil {
		return nil // the exact distribution of the KS distance says all
	}
	if a.block != nil {
		return nil // bins have more in common than their contents say
	}
	share := 1 / max(2, min(chi2Bins, math.Floor(smaller/each)))
	var binsA, binsB []bin
	var nextA, nextB bin
	for k := range cellsA {
		nextA.add(cellsA[k])
		nextB.add(cellsB[k])
		if pooled(a.all, nextA, b.all, nextB) >= share*(1-1e-9) {
			binsA, binsB = append(binsA, nextA), append(binsB, nextB)
			nextA, nextB = bin{}, bin{}
		}
	}
	if last := len(binsA) - 1; last >= 0 {
		binsA[last].add(nextA)
		binsB[last].add(nextB)
	}
	return chi2(binsA, binsB)
}
