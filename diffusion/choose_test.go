package diffusion

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/training"
)

// TestChoiceIsUnbiased chooses rows by many seeds: the mean of weighted sums over the chosen rows
// is the sum over all, for each context and all in all, and a heavy row is always there.
func TestChoiceIsUnbiased(t *testing.T) {
	const n, heavy, seeds = 60, 17, 4000
	for name, d := range map[string]training.Data{
		"equal":    {Dim: 1},
		"weights":  {Dim: 1, W: make([]float32, n)},
		"codes":    {Dim: 1, Context: 1, C: make([]float32, n)},
		"contexts": {Dim: 1, Context: 1, C: make([]float32, n), W: make([]float32, n)},
	} {
		rnd := rand.New(rand.NewPCG(1, 2))
		d.X = make([]float32, n)
		for i := range n {
			d.X[i] = float32(i)
			if d.W != nil {
				d.W[i] = float32(rnd.ExpFloat64())
			}
			if d.C != nil && i >= n/2 { // one in two, three in eight and one in eight
				d.C[i] = float32(1 + i%4/3)
			}
		}
		if d.W != nil {
			d.W[heavy], d.W[3] = 30, 0
		}
		for _, k := range []int{3, 20, 59} {
			var want, mean, square float64
			for i := range n {
				want += d.Weight(i) * math.Sin(float64(i))
			}
			for seed := range uint64(seeds) {
				got, err := choose(d, k, seed)
				if err != nil {
					t.Fatal(err)
				}
				if got.Len() != k || !slices.IsSorted(got.X) || slices.Compact(slices.Clone(got.X))[k-1:] == nil {
					t.Fatalf("%s: %d rows, not %d different ones: %v", name, got.Len(), k, got.X)
				}
				sum, total, whole := 0.0, map[float32]float64{}, map[float32]float64{}
				for i, x := range got.X {
					w := got.Weight(i)
					if got.W == nil { // 1 each
						w = n / float64(k)
					}
					sum += w * math.Sin(float64(x))
					if d.C != nil {
						total[got.C[i]] += w
					} else {
						total[0] += w
					}
				}
				for i := range n {
					if d.C != nil {
						whole[d.C[i]] += d.Weight(i)
					} else {
						whole[0] += d.Weight(i)
					}
				}
				for c, w := range whole {
					if math.Abs(total[c]-w) > 1e-4*w {
						t.Fatalf("%s, context %g: the chosen rows weigh %g of %g", name, c, total[c], w)
					}
				}
				if d.W != nil && k >= 20 && !slices.Contains(got.X, heavy) {
					t.Fatalf("%s, seed %d: the heaviest row is not there", name, seed)
				}
				mean += sum / seeds
				square += sum * sum / seeds
			}
			deviation := math.Sqrt(max(0, square-mean*mean)/seeds) + 1e-6
			if math.Abs(mean-want) > 4*deviation {
				t.Errorf("%s, %d of %d rows: the mean of the sums is %g ± %g, want %g", name, k, n, mean, deviation, want)
			}
		}
	}
	d := training.Data{Dim: 1, Context: 1, X: []float32{1, 2, 3}, C: []float32{0, 1, 1}, W: []float32{1, 0, 1}}
	for _, k := range []int{1, 3} { // fewer than contexts; more than rows with a weight
		if got, err := choose(d, k, 1); err == nil {
			t.Errorf("%d rows were chosen: %v", k, got)
		}
	}
}

// TestKernelEvents wants a model of K events to be that of a sample of these, with the posterior
// mean that float64 has for them at all times of all schedules, and the same again by the
// same seed and from a file.
func TestKernelEvents(t *testing.T) {
	const n, k, rows = 1500, 200, 50
	d := threeBlobs().draw(n, 1)
	d.W = make([]float32, n)
	for i := range d.W {
		d.W[i] = 0.5 + float32(i%3)
	}
	for _, schedule := range allSchedules(t) {
		options := KernelsOptions{Events: k, Solver: Solver{Schedule: schedule}}
		m, err := NewKernels(2, 0, options)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Train(t.Context(), d, training.Data{}, training.Options{Seed: 3}); err != nil {
			t.Fatal(err)
		}
		chosen, err := choose(d, k, 3)
		if err != nil {
			t.Fatal(err)
		}
		of, err := NewKernels(2, 0, KernelsOptions{Solver: options.Solver})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := of.Train(t.Context(), chosen, training.Data{}, training.Options{}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(m.Tensors()[0].Value, of.Tensors()[0].Value) || m.Width() != of.Width() {
			t.Errorf("%v: the model of %d chosen events is not that of a sample of these", schedule, k)
		}
		text, err := m.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := Load(text, m.Tensors())
		if err != nil || loaded.String() != m.String() {
			t.Errorf("%v: %v became %v (%v)", schedule, m, loaded, err)
		}

		mixture := m.groups[0].mixture
		for _, at := range []float64{0.999, 0.9, 0.5, 0.1, 0.02} {
			alpha, sigma := schedule.Alpha(at), schedule.Sigma(at)
			x := diffuse(mixture.x, rows, 2, alpha, sigma)
			q := make([]float32, len(x))
			mixture.Mean(t.Context(), q, nil, x, nil, alpha, sigma)
			for i := range rows {
				_, want, _ := sums(mixture.x, mixture.w, x[2*i:2*i+2], 2, alpha, sigma)
				for j, w := range want {
					if math.Abs(float64(q[2*i+j])-w) > 3e-4 {
						t.Fatalf("%v: q(%g, %v) = %v, in float64 %v", schedule, at, x[2*i:2*i+2], q[2*i:2*i+2], want)
					}
				}
			}
		}
	}
}
