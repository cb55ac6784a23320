package compare

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Filling says how the samples fill each other's neighbourhoods.
type Filling struct {
	Candidate Neighbours `json:"candidate"`        // the candidate against the reference
	Itself    Neighbours `json:"reference_itself"` // one part of the reference against another: what equal samples give
}

// Neighbours says how two samples fill each other's neighbourhoods: balls around
// events that reach to the fifth nearest event of the same sample (Naeem et al.,
// arXiv:2002.09797). It looks at up to 5,000 events of each.
type Neighbours struct {
	Precision float64 `json:"precision"` // the part of the candidate in a ball of the reference
	Recall    float64 `json:"recall"`    // the part of the reference in a ball of the candidate
	Density   float64 `json:"density"`   // the number of the reference's balls that an event of the candidate is in, over five
	Coverage  float64 `json:"coverage"`  // the part of the reference's balls that have an event of the candidate
	Events    int     `json:"events"`
}

const (
	neighbour       = 5
	neighbourEvents = 5_000
)

func measureFilling(ctx context.Context, s *samples) Finding {
	own := s.chosen[0]
	first := s.spread[0].take(own[:len(own)/2])
	f := &Filling{Itself: neighbours(ctx, first, s.spread[0].take(own[len(own)/2:]))}
	f.Candidate = neighbours(ctx, first, s.spread[1].take(s.chosen[1][:min(len(s.chosen[1]), first.n)]))
	return f
}

// Text gives the four numbers, and those of the reference itself.
func (f *Filling) Text() string {
	c, i := f.Candidate, f.Itself
	return fmt.Sprintf("precision %.3f, recall %.3f, density %.3f, coverage %.3f; the reference itself: %.3f, %.3f, %.3f, %.3f",
		c.Precision, c.Recall, c.Density, c.Coverage, i.Precision, i.Recall, i.Density, i.Coverage)
}

// Words say what precision and coverage are.
func (f *Filling) Words() []string {
	return []string{fmt.Sprintf("%.1f %% of the candidate's events lie where the reference has some (precision; another part of the reference: %.1f %%), and they fill %.1f %% of the reference's neighbourhoods (coverage; %.1f %%).",
		100*f.Candidate.Precision, 100*f.Itself.Precision, 100*f.Candidate.Coverage, 100*f.Itself.Coverage)}
}

// reach returns the squared distance from a point to its k-th nearest of the cloud;
// event skip does not count.
func (c *cloud) reach(x []float64, k, skip int) float64 {
	nearest := slices.Repeat([]float64{math.Inf(1)}, k)
	for i := range c.n {
		if i == skip {
			continue
		}
		if d := squares(x, c.row(i), nearest[k-1]); d < nearest[k-1] {
			at, _ := slices.BinarySearch(nearest, d)
			copy(nearest[at+1:], nearest[at:k-1])
			nearest[at] = d
		}
	}
	return nearest[k-1]
}

func neighbours(ctx context.Context, ref, cand *cloud) Neighbours {
	found := Neighbours{Events: min(ref.n, cand.n)}
	if found.Events <= neighbour {
		return Neighbours{Events: found.Events}
	}
	reachA, reachB := make([]float64, ref.n), make([]float64, cand.n)
	all(ctx, ref.n, func(i int) { reachA[i] = ref.reach(ref.row(i), neighbour, i) })
	all(ctx, cand.n, func(j int) { reachB[j] = cand.reach(cand.row(j), neighbour, j) })
	widest := slices.Max(reachA)
	inside := make([]int, cand.n) // balls of the reference that an event of the candidate is in
	all(ctx, cand.n, func(j int) {
		for i := range ref.n {
			if squares(cand.row(j), ref.row(i), widest) < reachA[i] {
				inside[j]++
			}
		}
	})
	recalled, covered := make([]float64, ref.n), make([]float64, ref.n)
	widest = slices.Max(reachB)
	all(ctx, ref.n, func(i int) {
		for j := range cand.n {
			d := squares(ref.row(i), cand.row(j), max(widest, reachA[i]))
			if d < reachB[j] {
				recalled[i] = 1
			}
			if d < reachA[i] {
				covered[i] = 1
			}
		}
	})
	for _, k := range inside {
		found.Density += float64(k) / float64(neighbour*cand.n)
		if k > 0 {
			found.Precision += 1 / float64(cand.n)
		}
	}
	found.Recall, found.Coverage = stat.Mean(recalled, nil), stat.Mean(covered, nil)
	return found
}
