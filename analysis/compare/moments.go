package compare

import "math"

const (
	fewestForMoments = 100  // effective events of a sample
	tailFraction     = 1e-3 // of the pooled sample, in a tail
	fewestInTail     = 20   // events of both samples together
)

// compareMoments tests the means, the standard deviations, and the parts of the
// samples in the two tails. A distance as large as that of any two cuts says little of
// a tail, which may hold a small part of the events and most of the width.
func (c *Column) compareMoments(a, b *values, edges []float64) {
	ref, cand := c.Reference, c.Candidate
	if min(a.all.effective(), b.all.effective()) < fewestForMoments || ref.Std == 0 || cand.Std == 0 {
		return
	}
	moment := func(what string, difference, effect float64, f, g func(x float64) float64) {
		if sigma := c.errorOf(a, b, edges, f, g); sigma > 0 {
			c.decide(what, math.Erfc(math.Abs(difference)/sigma/math.Sqrt2), effect)
		}
	}
	square := func(of Summary) func(x float64) float64 {
		return func(x float64) float64 { return (x-of.Mean)*(x-of.Mean) - of.Std*of.Std }
	}
	moment("mean", cand.Mean-ref.Mean, math.Abs(cand.Mean-ref.Mean)/ref.Std*closeKS/closeTransport,
		func(x float64) float64 { return x - ref.Mean }, func(x float64) float64 { return x - cand.Mean })
	moment("std", cand.Std*cand.Std-ref.Std*ref.Std, math.Abs(cand.Std/ref.Std-1)*closeKS/closeStd, square(ref), square(cand))

	c.compareTail("lower tail", a, b, func(k int) int { return k })
	c.compareTail("upper tail", a, b, func(k int) int { return len(c.cells[0]) - 1 - k })
}

// errorOf is the error of the difference of the means of f in a and g in b, both zero:
// the larger of what the samples themselves say and of what they would say if they had
// one distribution. Where one has the events of a tail and the other has none, the one or the
// other is far too small.
func (c *Column) errorOf(a, b *values, edges []float64, f, g func(x float64) float64) float64 {
	own := difference(a, b, f, g)
	if a.paired { // the samples have their tails in common
		return math.Sqrt(own)
	}
	cellsA, cellsB := c.cells[0], c.cells[1]
	na, nb := a.all.effective(), b.all.effective()
	squareA, squareB := a.meanSquares(edges, f), b.meanSquares(edges, g)
	var pooled float64
	for k := range cellsA {
		square := max(0, (na*squareA[k]+nb*squareB[k])/(na+nb))
		pooled += square * (meanWeight(cellsA[k], a.all)/a.all.w + meanWeight(cellsB[k], b.all)/b.all.w)
	}
	return math.Sqrt(max(own, pooled))
}

// meanSquares is the part of the mean square of f that is in each cell.
func (v *values) meanSquares(edges []float64, f func(x float64) float64) []float64 {
	sums := make([]float64, len(edges)-1)
	for i, k := range v.cellsIn(edges) {
		sums[k] += v.weight(i) * f(v.x[i]) * f(v.x[i]) / v.all.w
	}
	return sums
}

// difference is the variance of the difference of the means of f in a and g in b. A
// block in both samples counts for what is different in it.
func difference(a, b *values, f, g func(x float64) float64) float64 {
	ofA := func(i int) float64 { return a.weight(i) * f(a.x[i]) / a.all.w }
	ofB := func(i int) float64 { return b.weight(i) * g(b.x[i]) / b.all.w }
	variance := a.squares(0, len(a.x), ofA) + b.squares(0, len(b.x), ofB)
	if !a.paired {
		return variance
	}
	sumsA, sumsB := a.blockSums(0, len(a.x), ofA), b.blockSums(0, len(b.x), ofB)
	for k := range min(len(sumsA), len(sumsB)) {
		variance -= 2 * sumsA[k] * sumsB[k]
	}
	clear(sumsA)
	clear(sumsB)
	return variance
}

// compareTail tests the part of the samples in the first cells that place lists, enough
// to tell something.
func (c *Column) compareTail(what string, a, b *values, place func(k int) int) {
	var inA, inB bin
	na, nb := a.all.effective(), b.all.effective()
	enough := max(tailFraction, fewestInTail/(na+nb))
	for k := range c.cells[0] {
		inA.add(c.cells[0][place(k)])
		inB.add(c.cells[1][place(k)])
		if inA.n+inB.n < fewestInTail || pooled(a.all, inA, b.all, inB) < enough {
			continue
		}
		if pooled(a.all, inA, b.all, inB) > 0.25 {
			return // of few values: no tail
		}
		p, q := inA.w/a.all.w, inB.w/b.all.w
		ratio := math.Abs(math.Log(max(q, 1e-12)/max(p, 1e-12))) / math.Log(closeTails)
		c.decide(what, equalProportions(inA, a.all.less(inA), inB, b.all.less(inB)), closeKS*ratio)
		return
	}
}
