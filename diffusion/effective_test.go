package diffusion

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/training"
)

// TestFollow wants of Follow the end of Solve, to the bit, and what a walk in single steps
// passes by.
func TestFollow(t *testing.T) {
	q := threeBlobs()
	for _, s := range []Solver{{Steps: 7}, {Method: Heun, Steps: 7}, {Tolerance: 0.1}} {
		times, err := s.Times(q, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		want, got := noise(2*20), noise(2*20)
		evaluations, err := s.Solve(t.Context(), q, want, nil, nil, times)
		if err != nil {
			t.Fatal(err)
		}
		var seen []float64
		n, err := s.Follow(t.Context(), q, got, nil, times, func(at float64, x []float32) {
			part := noise(2 * 20)
			if _, err := s.Solve(t.Context(), q, part, nil, nil, times[:len(seen)+1]); err != nil || !slices.Equal(part, x) {
				t.Errorf("%v: at t = %v the rows are others than those of a path that ends there (%v)", s.Method, at, err)
			}
			seen = append(seen, at)
		})
		if err != nil || n != evaluations || !slices.Equal(got, want) || !slices.Equal(seen, times) {
			t.Errorf("%v: after %d evaluations it ends elsewhere, or was not everywhere: %v, want %v (%v)", s.Method, n, seen, times, err)
		}
	}
}

// TestEffectiveAlongThePath compares medians with the sums in float64 over rows that the
// test follows itself.
func TestEffectiveAlongThePath(t *testing.T) {
	const n, dim, rows, seed = 300, 2, 101, 5
	x := cloud(n, dim)
	w := make([]float32, n)
	for i := range w {
		w[i] = 1 + float32(i%3)
	}
	for _, width := range []float64{0.2, 0.01, 0} {
		k, err := NewKernels(dim, 0, KernelsOptions{Width: &width, Solver: Solver{Steps: 10}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Train(context.Background(), training.Data{X: x, W: w, Dim: dim}, training.Data{}, training.Options{}); err != nil {
			t.Fatal(err)
		}
		path, err := k.Effective(t.Context(), rows, seed)
		if err != nil {
			t.Fatal(err)
		}
		m := k.groups[0].mixture
		y := make([]float32, rows*dim)
		drawNoise(y, dim, seed, 0, 0)
		step := 0
		_, err = k.opts.Solver.Follow(t.Context(), m, y, nil, k.times, func(at float64, y []float32) {
			alpha, sigma := k.opts.Solver.Schedule.Alpha(at), k.opts.Solver.Schedule.Sigma(at)
			want := make([]float64, rows)
			for i := range want {
				want[i] = effective(m.x, m.w, y[i*dim:(i+1)*dim], alpha, sigma)
			}
			slices.Sort(want)
			got := path[step]
			if got.Time != at || got.Alpha != alpha || got.Sigma != sigma ||
				math.Abs(got.Median/want[rows/2]-1) > 1e-3 || math.Abs(got.Tenth/want[rows/10]-1) > 1e-3 {
				t.Errorf("width %g, t = %.3f: %+v, want a median of %g and a tenth of %g", width, at, got, want[rows/2], want[rows/10])
			}
			step++
		})
		if err != nil || step != len(path) {
			t.Errorf("%d times of %d (%v)", step, len(path), err)
		}
		last := path[len(path)-1]
		if width > 0 && math.Abs(last.Sigma/last.Alpha/width-1) > 1e-9 {
			t.Errorf("the path ends at a width of %g, want %g", last.Sigma/last.Alpha, width)
		}
		if first := path[0].Median; math.Abs(first-600*600/1400.) > 1e-2 {
			t.Errorf("in noise alone the effective number is %g", first)
		}
	}
}

// effective is (Σ w)²/Σ w² in float64.
func effective(x, w, y []float32, alpha, sigma float64) float64 {
	if sigma == 0 {
		return 1
	}
	dim := len(y)
	logs := make([]float64, len(w))
	for i := range logs {
		logs[i] = math.Log(float64(w[i]))
		for d := range dim {
			u := (float64(y[d]) - alpha*float64(x[i*dim+d])) / sigma
			logs[i] -= u * u / 2
		}
	}
	most := slices.Max(logs)
	sum, squares := 0.0, 0.0
	for _, l := range logs {
		p := math.Exp(l - most)
		sum += p
		squares += p * p
	}
	return sum * sum / squares
}

// TestEffectiveByContext wants of two contexts, one of a single event, numbers of both.
func TestEffectiveByContext(t *testing.T) {
	const n = 40
	x, c := cloud(n, 1), make([]float32, n)
	for i := n / 2; i < n; i++ {
		c[i], x[i] = 1, x[n/2]
	}
	width := 0.1
	k, err := NewKernels(1, 1, KernelsOptions{Width: &width})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Train(context.Background(), training.Data{X: x, C: c, Dim: 1, Context: 1}, training.Data{}, training.Options{}); err != nil {
		t.Fatal(err)
	}
	path, err := k.Effective(t.Context(), 100, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(path) != defaultSteps+1 {
		t.Fatalf("%d times", len(path))
	}
	if first := path[0]; first.Median != n/2 || first.Tenth != n/2 {
		t.Errorf("in noise alone %+v, want %d each", first, n/2)
	}
	if last := path[len(path)-1]; last.Median < 15 || last.Tenth > 10 { // 20 events that are equal count as 20
		t.Errorf("at the end %+v", last)
	}
}
