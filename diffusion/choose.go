package diffusion

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// The deviates that choose events for kernel sums: the order of the events, and where the
// counting begins.
const streamChoice = 1 << 52

// choose returns k of the rows of d by a seed, with the weights that make sums over them
// unbiased: the mean of Σ w f(x) over seeds is the sum over all rows, whatever f is.
//
// A row is chosen with the probability π = min(1, w/c), where c makes the sum of all π equal
// to k, and gets the weight w/π: rows that are chosen by chance have the same weight c,
// heavier ones are all there and keep theirs (systematic sampling with a probability
// proportional to size, in random order: Madow, Ann. Math. Stat. 20 (1949) 333). Equal weights
// stay equal, and all sets of k rows are as likely as each other.
//
// Each context gets its share of the k rows by its weight, one at least, and keeps its weight.
func choose(d training.Data, k int, seed uint64) (training.Data, error) {
	places := map[string]int{}
	var strata []stratum
	n := 0
	for i := range d.Len() {
		w := d.Weight(i)
		if w == 0 {
			continue
		}
		c := key(d.C[i*d.Context : (i+1)*d.Context])
		at, ok := places[c]
		if !ok {
			at = len(strata)
			places[c] = at
			strata = append(strata, stratum{})
		}
		s := &strata[at]
		s.rows, s.weight = append(s.rows, candidate{i, w, philox.Uint64(seed, streamChoice, uint64(i))}), s.weight+w
		n++
	}
	switch {
	case k > n:
		return d, fmt.Errorf("diffusion: kernel sums over %d events need as many to train on, and there are %d", k, n)
	case k < len(strata):
		return d, fmt.Errorf("diffusion: kernel sums over %d events cannot tell %d conditions apart: each needs one event at least", k, len(strata))
	}
	share(strata, k)
	var all []candidate
	for at := range strata {
		all = append(all, strata[at].choose(float64(philox.Uint64(seed, streamChoice+1, uint64(at))>>11)/(1<<53))...)
	}
	slices.SortFunc(all, func(a, b candidate) int { return a.row - b.row })
	chosen := training.Data{Dim: d.Dim, Context: d.Context}
	for _, c := range all {
		chosen.X = append(chosen.X, d.X[c.row*d.Dim:(c.row+1)*d.Dim]...)
		chosen.C = append(chosen.C, d.C[c.row*d.Context:(c.row+1)*d.Context]...)
		if d.W != nil || len(strata) > 1 {
			chosen.W = append(chosen.W, float32(c.weight))
		}
	}
	return chosen, nil
}

// candidate is a row that may be chosen; its place among others is random.
type candidate struct {
	row    int
	weight float64
	place  uint64
}

// stratum are the rows of one context, of which k are to be chosen.
type stratum struct {
	rows   []candidate
	weight float64
	k      int
}

// share sets the numbers of rows that are chosen from each stratum: k in all.
func share(strata []stratum, k int) {
	total := 0.0
	for _, s := range strata {
		total += s.weight
	}
	left := k
	for i := range strata {
		s := &strata[i]
		s.k = min(max(int(float64(k)*s.weight/total), 1), len(s.rows))
		left -= s.k
	}
	for ; left > 0; left-- { // one more for where each stands for most
		s := best(strata, func(s stratum) bool { return s.k < len(s.rows) }, func(s stratum) float64 { return s.weight / float64(s.k+1) })
		s.k++
	}
	for ; left < 0; left++ { // one less for where each stands for least
		s := best(strata, func(s stratum) bool { return s.k > 1 }, func(s stratum) float64 { return float64(s.k) / s.weight })
		s.k--
	}
}

// best returns the stratum with the largest value among those that may be taken.
func best(strata []stratum, may func(s stratum) bool, value func(s stratum) float64) *stratum {
	at := -1
	for i, s := range strata {
		if may(s) && (at < 0 || value(s) > value(strata[at])) {
			at = i
		}
	}
	return &strata[at]
}

// choose returns k rows with their new weights, where u, in [0, 1), is where the counting begins.
func (s *stratum) choose(u float64) []candidate {
	if s.k == len(s.rows) {
		return s.rows
	}
	slices.SortFunc(s.rows, func(a, b candidate) int { return cmp.Compare(b.weight, a.weight) })
	// c stands for rest/(k − sure), and shrinks with each row that is heavier.
	sure, rest := 0, s.weight
	for sure < s.k && s.rows[sure].weight*float64(s.k-sure) >= rest {
		rest -= s.rows[sure].weight
		sure++
	}
	chosen, others := slices.Clone(s.rows[:sure]), s.rows[sure:]
	slices.SortFunc(others, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.place, b.place), a.row-b.row) })
	c := rest / float64(s.k-sure)
	sum := 0.0
	for i, r := range others {
		sum += r.weight / c
		wanted := s.k - len(chosen)
		// Of the points u, u+1, … the next one is in the interval of this row; or it is in that of the
		// last one, whatever rounding says.
		if wanted > 0 && (sum > u+float64(len(chosen)-sure) || wanted == len(others)-i) {
			chosen = append(chosen, candidate{r.row, c, r.place})
		}
	}
	return chosen
}
