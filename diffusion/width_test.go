package diffusion

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"
)

// bulkDivergence is the part of KL(truth ‖ model) that comes from where the density is at least
// e⁻² of its largest: the mean over n events of the truth there of r − 1 − log r, r =
// model/truth. With r − 1, whose mean over all events is 0, it fluctuates less.
func bulkDivergence(t *testing.T, b blobs, m Model, n int, seed uint64) float64 {
	t.Helper()
	d := b.draw(n, seed)
	p := make([]float64, n)
	must(t, m.LogDensity(t.Context(), p, d.X, d.C))
	truth := b.logDensity(d.X, d.C)
	sum, most := 0.0, slices.Max(truth)
	for i, l := range truth {
		if l >= most-2 {
			sum += math.Expm1(p[i]-l) - (p[i] - l)
		}
	}
	return sum / float64(n)
}

// TestDivergenceFalls wants KL(truth ‖ model) to fall with the number of events K as theory says
// where the density is not small: with kernels of width h in D dimensions biases grow as h², and
// variances as 1/(K h^D); so the best h falls as K^(−1/(4+D)), and KL as K^(−4/(4+D)). In
// tails, where a kernel has less than an event, it falls more slowly.
func TestDivergenceFalls(t *testing.T) {
	for _, dim := range []int{2, 3} {
		q := threeBlobs()
		q.dim = dim
		for i := range q.m {
			q.m[i] = append(q.m[i], 0)[:dim]
		}
		var logK, logKL []float64
		for _, c := range []struct{ events, samples int }{{500, 12}, {2000, 6}, {8000, 3}, {32000, 1}} {
			sum := 0.0
			for i := range c.samples {
				seed := 10 + uint64(i)
				m := newKernels(t, q.draw(c.events, seed), KernelsOptions{})
				sum += bulkDivergence(t, q, m, 4000, 100+seed)
			}
			logK, logKL = append(logK, math.Log(float64(c.events))), append(logKL, math.Log(sum/float64(c.samples)))
		}
		_, slope := stat.LinearRegression(logK, logKL, nil, false)
		if want := -4 / float64(4+dim); math.Abs(slope-want) > 0.12 {
			t.Errorf("in %d dimensions KL falls as K^%.2f, want K^%.2f", dim, slope, want)
		}
	}
}

// TestWidthOfManyEvents wants no other width of a large sample to be better by much.
func TestWidthOfManyEvents(t *testing.T) {
	q := threeBlobs()
	d := q.draw(30000, 1)
	k := newKernels(t, d, KernelsOptions{})
	kl := divergence(t, q, k, 10000)
	for _, factor := range []float64{0.7, 0.85, 1.2, 1.4} {
		other := newKernels(t, d, KernelsOptions{Width: ptr(k.Width() * factor)})
		if better := divergence(t, q, other, 10000); better < 0.85*kl {
			t.Errorf("KL %.5f with the width %.3f, %.5f with %.3f", kl, k.Width(), better, other.Width())
		}
	}
}
