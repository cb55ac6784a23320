package compare

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// SlicedKS is the sliced Kolmogorov–Smirnov distance (Grossi, Letizia and Torre,
// arXiv:2409.16336): KS distances of the samples projected on random directions, isotropic in
// the space of the columns. The columns are put on one scale first: asinh((x − median)/σ), σ
// from the quartiles of the reference. It looks at up to 5,000 events of each sample, at one
// of each block.
type SlicedKS struct {
	Mean       float64 `json:"mean"`    // over the directions
	Max        float64 `json:"max"`     // over the directions
	PValue     float64 `json:"p_value"` // of the mean, by permutations: at least 1/201
	Directions int     `json:"directions"`
}

const (
	directions   = 64
	permutations = 200
)

func measureSlicedKS(ctx context.Context, s *samples) Finding {
	var of [2]*cloud
	for k := range of {
		seen := map[int32]bool{}
		events := slices.Clone(s.chosen[k])
		if block := s.blocks[k]; block != nil {
			events = slices.DeleteFunc(events, func(i int) bool {
				again := seen[block[i]]
				seen[block[i]] = true
				return again
			})
		}
		of[k] = s.spread[k].take(events[:min(len(events), neighbourEvents)])
	}
	return slicedKS(ctx, of[0], of[1])
}

// slicedKS measures a against b. Under the hypothesis that all events are of one distribution
// the labels of the samples may be permuted: the p-value is the part of the permutations,
// this one counted, with a mean distance that is at least as large.
func slicedKS(ctx context.Context, a, b *cloud) *SlicedKS {
	rng := rand.New(rand.NewPCG(5, 0))
	both := &cloud{a.n + b.n, a.dim, slices.Concat(a.x, b.x)}
	labels := make([][]bool, 1+permutations) // whether an event is of b
	for p := range labels {
		labels[p] = make([]bool, both.n)
		for i := a.n; i < both.n; i++ {
			labels[p][i] = true
		}
		if p > 0 {
			rng.Shuffle(both.n, func(i, k int) { labels[p][i], labels[p][k] = labels[p][k], labels[p][i] })
		}
	}
	axes := make([][]float64, directions)
	for d := range axes {
		axes[d] = make([]float64, both.dim)
		for k := range axes[d] {
			axes[d][k] = rng.NormFloat64()
		}
	}
	distances := make([][]float64, directions) // for each direction and permutation
	all(ctx, directions, func(d int) {
		x, order := make([]float64, both.n), make([]int, both.n)
		for i := range x {
			x[i] = floats.Dot(both.row(i), axes[d])
		}
		floats.Argsort(x, order)
		distances[d] = make([]float64, len(labels))
		for p, of := range labels {
			distances[d][p] = ksOfSorted(x, order, of, a.n, b.n)
		}
	})
	if ctx.Err() != nil {
		return nil
	}
	means := make([]float64, len(labels))
	s := &SlicedKS{Directions: directions}
	for _, of := range distances {
		floats.AddScaled(means, 1./directions, of)
		s.Max = max(s.Max, of[0])
	}
	s.Mean = means[0]
	for _, m := range means {
		if m >= s.Mean {
			s.PValue += 1 / float64(len(means))
		}
	}
	return s
}

// ksOfSorted is the KS distance of two samples of na and nb events: x are the sorted values of
// both, of which x[i] is that of event order[i], and ofB says which events are of the second.
func ksOfSorted(x []float64, order []int, ofB []bool, na, nb int) float64 {
	stepA, stepB := 1/float64(na), 1/float64(nb)
	largest, difference := 0.0, 0.0
	for i, event := range order {
		if ofB[event] {
			difference -= stepB
		} else {
			difference += stepA
		}
		if i == len(x)-1 || x[i+1] > x[i] { // not between equal values
			largest = max(largest, math.Abs(difference))
		}
	}
	return largest
}

// MarshalJSON writes the numbers under a name of their own.
func (s *SlicedKS) MarshalJSON() ([]byte, error) {
	type fields SlicedKS
	return json.Marshal(map[string]*fields{"sliced_ks": (*fields)(s)})
}

// Text gives the distances and the p-value.
func (s *SlicedKS) Text() string {
	return fmt.Sprintf("%.4f on average, %.4f at most, of %d directions; p %s", s.Mean, s.Max, s.Directions, pvalue(s.PValue))
}

// Words are none.
func (s *SlicedKS) Words() []string { return nil }
