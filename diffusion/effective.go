package diffusion

import (
	"context"
	"slices"
)

// Effective tells of how many training events the posterior mean is the mean at some time
// of a path: (Σ w)²/Σ w², where w are the weights of the kernel sums. At t = 1 it is all of
// them; where it is near 1, paths have made up their mind which event they become a copy
// of.
type Effective struct {
	Time   float64 `json:"t"`
	Alpha  float64 `json:"alpha"`
	Sigma  float64 `json:"sigma"`
	Median float64 `json:"median"` // over paths
	Tenth  float64 `json:"tenth"`  // of ten paths, one has less
}

// Effective follows n rows of noise along the path on which events are drawn, and returns
// the effective numbers of training events at the times of its steps, the last of which is
// where σ/α is the width of the kernels. With a context, each has as many of the rows as
// it has of the events. Without training events it returns nil. The error is that of ctx.
func (k *Kernels) Effective(ctx context.Context, n int, seed uint64) ([]Effective, error) {
	if n < 1 || len(k.groups) == 0 {
		return nil, nil
	}
	x := make([]float32, n*k.dim)
	drawNoise(x, k.dim, seed, 0, 0)
	numbers := make([][]float32, len(k.times)) // of all rows, at each time
	for i := range numbers {
		numbers[i] = make([]float32, n)
	}
	total := 0.0
	for _, g := range k.groups {
		total += g.cumulated[len(g.cumulated)-1]
	}
	schedule := k.opts.Solver.Schedule
	lo, sum := 0, 0.0
	for _, g := range k.groups {
		sum += g.cumulated[len(g.cumulated)-1]
		hi := int(float64(n)*sum/total + 0.5)
		step := 0
		_, err := k.opts.Solver.Follow(ctx, g.mixture, x[lo*k.dim:hi*k.dim], nil, k.times, func(t float64, x []float32) {
			g.mixture.Effective(ctx, numbers[step][lo:hi], x, schedule.Alpha(t), schedule.Sigma(t))
			step++
		})
		if err != nil {
			return nil, err
		}
		lo = hi
	}
	path := make([]Effective, len(k.times))
	for i, t := range k.times {
		slices.Sort(numbers[i])
		path[i] = Effective{
			Time: t, Alpha: schedule.Alpha(t), Sigma: schedule.Sigma(t),
			Median: float64(numbers[i][n/2]), Tenth: float64(numbers[i][n/10]),
		}
	}
	return path, nil
}

// effectiveAtEnds is [Mixture.Effective] where all events have their own weights, for
// α = 0, or where only the nearest one has any, for σ = 0.
func (m *Mixture) effectiveAtEnds(dst []float32, alpha float64) {
	number := 1.0
	if alpha == 0 {
		sum, squares := 0.0, 0.0
		for _, w := range m.w {
			sum += float64(w)
			squares += float64(w) * float64(w)
		}
		number = sum * sum / squares
	}
	for i := range dst {
		dst[i] = float32(number)
	}
}
