package measure

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// Figure is a measured number.
type Figure struct {
	What  string  `json:"what"`
	Shape string  `json:"shape"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// Ancestor is the problem on which the training-free solver was published: 4000 rows of
// noise become events of 4000 in 2 dimensions, a ring in a ring, at σ = 0.
type Ancestor struct {
	Events, Noise []float32 // 4000×2
}

// NewAncestor returns the problem.
func NewAncestor() Ancestor {
	const n = 4000
	a := Ancestor{Events: make([]float32, 2*n), Noise: make([]float32, 2*n)}
	philox.Normal(a.Events, 2, 0, 0)
	philox.Normal(a.Noise, 2, 1, 0)
	for i := range n {
		s, c := math.Sincos(2 * math.Pi * float64(i) / n)
		radius := 1.7 - float64(i%2)
		a.Events[2*i] = float32(radius*c + 0.05*float64(a.Events[2*i]))
		a.Events[2*i+1] = float32(radius*s + 0.05*float64(a.Events[2*i+1]))
	}
	return a
}

// ManySteps are the numbers of steps that are tried for an accuracy.
var ManySteps = [...]int{24, 32, 40, 48, 64, 80, 96, 128, 192, 256}

// Heun is the solver of the ancestor.
func (a Ancestor) Heun(steps int) diffusion.Solver {
	grid := diffusion.Uniform
	return diffusion.Solver{Method: diffusion.Heun, Grid: &grid, Steps: steps}
}

// Solve returns where the paths end, how long it took, growing
// the tree included, and how often q was evaluated.
func (a Ancestor) Solve(ctx context.Context, s diffusion.Solver, epsilon float64) (x []float32, took time.Duration, evaluations int, err error) {
	begin := time.Now()
	m, err := diffusion.NewMixture(ctx, a.Events, nil, 2, epsilon)
	if err != nil {
		return nil, 0, 0, err
	}
	times, err := s.Times(m, 0)
	if err != nil {
		return nil, 0, 0, err
	}
	x = append(x, a.Noise...)
	if evaluations, err = s.Solve(ctx, m, x, nil, nil, times); err != nil {
		return nil, 0, 0, err
	}
	return x, time.Since(begin), evaluations, nil
}

// Apart is the root mean square of the differences, relative to the size of y.
func Apart(x, y []float32) float64 {
	sum, size := 0.0, 0.0
	for i, v := range x {
		sum += float64(v-y[i]) * float64(v-y[i])
		size += float64(y[i]) * float64(y[i])
	}
	return math.Sqrt(sum / size)
}

// Diffusion measures paths by kernel sums, with and without a tree, how their cost grows
// with the number of training events (for so many generated), and how fast a denoiser
// and one-step maps of 8 features draw, and the memory that it takes. progress is called
// before each part.
func Diffusion(ctx context.Context, events int, progress func(what string)) ([]Figure, error) {
	var all []Figure
	add := func(what, shape string, value float64, unit string) {
		all = append(all, Figure{what, shape, value, unit})
	}
	for _, part := range []struct {
		name string
		run  func(ctx context.Context, add func(what, shape string, value float64, unit string)) error
	}{
		{"the published problem", ancestor},
		{"cost against the number of training events", func(ctx context.Context, add func(string, string, float64, string)) error {
			return scaling(ctx, events, add)
		}},
		{"networks", networks},
	} {
		if err := ctx.Err(); err != nil {
			return all, err
		}
		if progress != nil {
			progress(part.name)
		}
		if err := part.run(ctx, add); err != nil {
			return all, err
		}
	}
	return all, nil
}

// ancestor measures the published problem by Heun's method and by default.
func ancestor(ctx context.Context, add func(what, shape string, value float64, unit string)) error {
	a := NewAncestor()
	exact, _, _, err := a.Solve(ctx, diffusion.Solver{Method: diffusion.DPM3S, Steps: 300}, 0)
	if err != nil {
		return err
	}
	const shape = "N=K=4000 D=2"
	x, heun, n, err := a.Solve(ctx, a.Heun(500), 0)
	if err != nil {
		return err
	}
	add("Heun, 500 uniform steps, all events", shape, heun.Seconds(), "s")
	add("  pairs", shape, float64(n)*16e6/heun.Seconds()/1e9, "10⁹/s")
	reached := Apart(x, exact)
	add("  relative error of the path", shape, reached, "")
	for _, steps := range ManySteps {
		x, took, n, err := a.Solve(ctx, diffusion.Solver{Steps: steps}, diffusion.DefaultEpsilon)
		if err != nil {
			return err
		}
		e := Apart(x, exact)
		if steps == 24 {
			add("default solver, 24 steps, tree", shape, took.Seconds(), "s")
			add("  relative error of the path", shape, e, "")
		}
		if e <= reached || steps == ManySteps[len(ManySteps)-1] {
			add(fmt.Sprintf("default solver, %d steps (%d evaluations), tree", steps, n), shape, took.Seconds(), "s")
			add("  relative error of the path", shape, e, "")
			add("  faster than Heun's 500 steps", shape, heun.Seconds()/took.Seconds(), "×")
			return nil
		}
	}
	return nil
}

// scaling measures whole paths for samples of 8 features that have modes and thin
// directions.
func scaling(ctx context.Context, n int, add func(what, shape string, value float64, unit string)) error {
	const dim = 8
	noise := make([]float32, n*dim)
	philox.Normal(noise, 3, 1, 0)
	var first, last float64
	var firstK, lastK int
	for _, k := range []int{1e4, 1e5, 1e6} {
		if err := ctx.Err(); err != nil {
			return err
		}
		shape := fmt.Sprintf("K=%d N=%d D=8", k, n)
		x0 := structured(k, dim)
		begin := time.Now()
		var m *diffusion.Mixture
		heap, err := peakHeap(func() (err error) {
			begin = time.Now()
			m, err = diffusion.NewMixture(ctx, x0, nil, dim, diffusion.DefaultEpsilon)
			return err
		})
		if err != nil {
			return err
		}
		add("growing the tree", shape, time.Since(begin).Seconds(), "s")
		add("  "+heapPeak, shape, heap/1e6, "MB")
		s := diffusion.Solver{}
		const width = 0.1
		times, err := s.Times(m, width)
		if err != nil {
			return err
		}
		x := append([]float32(nil), noise...)
		evaluations := 0
		heap, err = peakHeap(func() error {
			begin = time.Now()
			var err error
			evaluations, err = s.Solve(ctx, m, x, nil, nil, times)
			last, lastK = time.Since(begin).Seconds(), k
			return err
		})
		if err != nil {
			return err
		}
		if first == 0 {
			first, firstK = last, k
		}
		pairs := float64(evaluations) * float64(n) * float64(k)
		add(fmt.Sprintf("path to σ/α = %g, default solver, tree", width), shape, last, "s")
		add("  generated", shape, float64(n)/last, "events/s")
		add("  "+heapPeak, shape, heap/1e6, "MB")
		add("  of all pairs of events", shape, 100*float64(m.Pairs())/pairs, "%")

		// A part of the rows by all events.
		const part = 256
		brute, err := diffusion.NewMixture(ctx, x0, nil, dim, 0)
		if err != nil {
			return err
		}
		y := append([]float32(nil), noise[:min(part, n)*dim]...)
		if _, err := s.Solve(ctx, brute, y, nil, nil, times); err != nil {
			return err
		}
		add("  relative error of x by what the tree leaves out", shape, Apart(x[:len(y)], y), "")
	}
	add("cost grows as K to the power", fmt.Sprintf("K=%d…%d", firstK, lastK), math.Log(last/first)/math.Log(float64(lastK)/float64(firstK)), "")
	return nil
}

// structured draws n events of about unit variance: three modes, curved thin directions.
func structured(n, dim int) []float32 {
	x, u := make([]float32, n*dim), make([]float32, n)
	philox.Normal(x, 3, 2, 0)
	philox.Normal(u, 3, 3, 0)
	for i := range n {
		mode := float64(philox.Uint64(3, 4, uint64(i))%3) - 1
		for d := range dim {
			v := &x[i*dim+d]
			switch d % 3 {
			case 0:
				*v = float32(mode) + 0.3*u[i] + 0.1**v
			case 1:
				*v = float32(math.Tanh(float64(u[i]))) + 0.02**v
			}
		}
	}
	return x
}

// The hidden layers of the networks that are measured, which are those by default.
var (
	denoiserLayers = []int{256, 256, 256}
	mapLayers      = []int{128, 128, 128}
)

// networks measures drawing from networks that have hardly learnt anything: that is as
// fast as from others.
func networks(ctx context.Context, add func(what, shape string, value float64, unit string)) error {
	const dim, components = 8, 16
	data := training.Data{Dim: dim, X: structured(4096, dim)}
	quick := training.Options{Epochs: 1, Batch: 4096}
	shape := func(layers []int) string { return fmt.Sprintf("D=%d H=%d×%d", dim, layers[0], len(layers)) }
	newDenoiser := func(components int) (*diffusion.Denoiser, error) {
		d, err := diffusion.NewDenoiser(dim, 0, 1, diffusion.DenoiserOptions{Hidden: denoiserLayers, Components: components})
		if err == nil {
			_, err = d.Train(ctx, data, training.Data{}, quick)
		}
		return d, err
	}
	speed := func(what, shape string, n int, sample func(ctx context.Context, x, c []float32, seed, attempt, first uint64) error) error {
		x := make([]float32, n*dim)
		best := math.Inf(1)
		heap, err := peakHeap(func() error {
			for range 5 {
				begin := time.Now()
				if err := sample(ctx, x, nil, 1, 0, 0); err != nil {
					return err
				}
				best = min(best, time.Since(begin).Seconds())
			}
			return nil
		})
		add(what, shape, float64(n)/best, "events/s")
		add("  "+heapPeak, fmt.Sprintf("%s N=%d", shape, n), heap/1e6, "MB")
		return err
	}
	d, err := newDenoiser(1)
	if err != nil {
		return err
	}
	if err := speed("denoiser, 24 steps", shape(denoiserLayers), 1<<13, d.Sample); err != nil {
		return err
	}

	teacher, err := diffusion.NewKernels(dim, 0, diffusion.KernelsOptions{Solver: diffusion.Solver{Steps: 1}})
	if err != nil {
		return err
	}
	over, err := newDenoiser(components)
	if err != nil {
		return err
	}
	for _, m := range []struct {
		what    string
		teacher diffusion.Teacher
	}{
		{"one-step map, one pass of its network", teacher},
		{fmt.Sprintf("one-step map over %d normals, whose equation is solved before its pass", components), over},
	} {
		s, err := diffusion.NewDistilled(m.teacher, 1, diffusion.DistilledOptions{Hidden: mapLayers})
		if err != nil {
			return err
		}
		few := data
		few.X = data.X[:256*dim]
		if _, err := s.Train(ctx, few, training.Data{}, quick); err != nil {
			return err
		}
		if err := speed(m.what, shape(mapLayers), 1<<18, s.Sample); err != nil {
			return err
		}
	}
	return nil
}

// heapPeak is what a peak of the heap is called.
const heapPeak = "memory: the heap at its peak, garbage included"

// peakHeap calls f and returns the bytes of the heap at their peak meanwhile, looked at
// every few milliseconds.
func peakHeap(f func() error) (bytes float64, err error) {
	runtime.GC()
	runtime.GC() // what pools held, too
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for more := true; more; {
			metrics.Read(sample)
			bytes = max(bytes, float64(sample[0].Value.Uint64()))
			select {
			case <-tick.C:
			case <-done:
				more = false
			}
		}
		metrics.Read(sample)
		bytes = max(bytes, float64(sample[0].Value.Uint64()))
	}()
	err = f()
	close(done)
	<-stopped
	return bytes, err
}
