package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/rows"
	"github.com/eidolon-hep/eidolon/rootio"
)

// block finds the blocks of events that the named column tells.
func (r *Report) block(inRef, inCand *sampled, ref, cand *rootio.Table, opts Options) error {
	name := opts.Blocks
	if name == "" {
		return nil
	}
	number := map[uint64]int32{}
	last := int32(0)
	of := func(t *rootio.Table, in *sampled, s *Sample) bool {
		c, ok := t.Column(name)
		if !ok {
			return false
		}
		mine := map[int32]float64{} // their weights
		in.block = make([]int32, t.Len())
		for i, h := range rows.Hash([]rootio.Column{c}) {
			b, ok := number[h]
			if !ok {
				b = last
				number[h] = b
				last++
			}
			in.block[i] = b
			mine[b] += in.weight(i)
		}
		s.Blocks = len(mine)
		return true
	}
	inReference := of(ref, inRef, &r.Reference)
	if !opts.Pairs {
		clear(number)
	}
	if !of(cand, inCand, &r.Candidate) && !inReference {
		return fmt.Errorf("compare: neither sample has a column %q, by which events are in blocks", name)
	}
	pairs := r.Reference.Blocks + r.Candidate.Blocks - int(last)
	inRef.paired, inCand.paired = pairs > 0, pairs > 0
	single := func(s Sample) bool { return s.Blocks == 0 || s.Blocks == s.Events }
	if pairs == 0 && single(r.Reference) && single(r.Candidate) { // each event is a block of its own
		inRef.block, inCand.block = nil, nil
		r.Reference.Blocks, r.Candidate.Blocks = 0, 0
		return nil
	}
	for _, s := range []struct {
		*Sample
		*sampled
	}{{&r.Reference, inRef}, {&r.Candidate, inCand}} {
		if s.block == nil { // all independent
			s.block = make([]int32, s.Events)
			for i := range s.block {
				s.block[i] = last + int32(i)
			}
			s.Blocks = s.Events
		}
		v := values{x: make([]float64, s.Events), sampled: *s.sampled}
		s.EffectiveEvents = v.sum(0, s.Events).effective()
	}
	text := fmt.Sprintf("Events with the same %s are not independent: errors and p-values are by blocks of them, %s in %s and %s in %s",
		name, grouped(r.Reference.Blocks), r.Reference.Label, grouped(r.Candidate.Blocks), r.Candidate.Label)
	if pairs > 0 {
		text += fmt.Sprintf("; %s are in both samples, and their differences count", grouped(pairs))
	}
	r.note("%s.", text)
	return nil
}

// resampleBlocks returns the distances of samples drawn again, and finds the p-value of the
// KS distance, where events come in blocks. Blocks are drawn again, each with an exponential weight, the
// same for both samples (Rubin, Ann. Statist. 9 (1981) 130). The mean of the distance of what is
// drawn from what was there tells how many independent events would have it.
func (c *Column) resampleBlocks(a, b *values, edges, centre []float64, rng *rand.Rand) (ks, transport []float64) {
	factor := make([]float64, 1+max(slices.Max(a.block), slices.Max(b.block)))
	cellA, cellB := a.cellsIn(edges), b.cellsIn(edges)
	one := func(k int32) float64 { return 1 }
	drawn := func(k int32) float64 { return factor[k] }
	fill := func(v *values, cell []int, f func(k int32) float64) []float64 {
		sums := make([]float64, len(edges)-1)
		var all float64
		for i, k := range cell {
			sums[k] += v.weight(i) * f(v.block[i])
		}
		for k := range sums {
			all += sums[k]
			sums[k] = all
		}
		for k := range sums {
			sums[k] /= all
		}
		return sums
	}
	nowA, nowB := fill(a, cellA, one), fill(b, cellB, one)
	var mean float64
	for range resamples {
		for k := range factor {
			factor[k] = rng.ExpFloat64()
		}
		f, g := fill(a, cellA, drawn), fill(b, cellB, drawn)
		d, t := binnedDistances(f, g, centre)
		ks, transport = append(ks, d), append(transport, t)
		for k := range f {
			f[k] -= nowA[k] - nowB[k]
		}
		d, _ = binnedDistances(f, g, centre)
		mean += d / resamples
	}
	if mean > 0 {
		n := math.Sqrt(math.Pi/2) * math.Ln2 / mean // of Kolmogorov's distribution
		c.Distance.KSPValue = kolmogorov(c.Distance.KS, n*n)
	}
	return ks, transport
}
