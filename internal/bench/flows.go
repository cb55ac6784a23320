package bench

import (
	"context"
	"fmt"
	"runtime"

	"github.com/eidolon-hep/eidolon/flows"
	"github.com/eidolon-hep/eidolon/internal/limits"
	"github.com/eidolon-hep/eidolon/kernels/philox"
)

// Flows measures training, sampling and log-densities of flows of 8 features, 8
// coupling layers and 2 hidden layers, on one thread and on all. Speed is in
// thousand events per second. The limit is that of the multiply-adds of the matrix
// products: twice the weights of the conditioners per event in one direction, and
// three times that for a step of training. progress is as in [Kernels].
func Flows(ctx context.Context, progress func(r Result, done, total int)) ([]Result, error) {
	const dim = 8
	type job struct {
		kernel, shape string
		passes        float64 // over the weights per event, in units of one direction
		events        int
		run           func() error
	}
	var jobs []job
	var flops []float64
	for _, size := range []struct {
		model   string
		hidden  int
		batches []int
	}{{"realnvp", 128, []int{128, 512, 4096}}, {"realnvp", 64, []int{512}}, {"spline", 128, []int{512}}} {
		hidden := []int{size.hidden, size.hidden}
		layers := flows.RealNVP(dim, 1, flows.RealNVPOptions{Layers: 8, Hidden: hidden})
		if size.model == "spline" {
			layers = flows.Spline(dim, 1, flows.SplineOptions{Layers: 8, Hidden: hidden, Bins: 8})
		}
		f, err := flows.New(dim, 0, 1, layers...)
		if err != nil {
			return nil, err
		}
		weights := 0.0
		for _, t := range f.Tensors() {
			if len(t.Shape) == 2 {
				weights += float64(len(t.Value))
			}
		}
		for _, batch := range size.batches {
			n := 1 << 12
			data := flows.Data{Dim: dim, X: normals(n * dim)}
			valid := flows.Data{Dim: dim, X: normals(dim)}
			jobs = append(jobs, job{"train " + size.model, fmt.Sprintf("H=%d batch=%d", size.hidden, batch), 3, n, func() error {
				_, err := f.Train(context.Background(), data, valid, flows.TrainOptions{Epochs: 1, Batch: batch, Patience: 1 << 20})
				return err
			}})
			flops = append(flops, 2*weights)
		}
		for _, n := range []int{512, 1 << 16} {
			if size.hidden != 128 {
				break
			}
			x, p := normals(n*dim), make([]float64, n)
			shape := fmt.Sprintf("H=%d events=%d", size.hidden, n)
			jobs = append(jobs,
				job{"sample " + size.model, shape, 1, n, func() error { f.Sample(x, nil, 1, 0, 0); return nil }},
				job{"log-density " + size.model, shape, 1, n, func() error { f.LogDensity(p, x, nil); return nil }})
			flops = append(flops, 2*weights, 2*weights)
		}
	}

	var results []Result
	for i, j := range jobs {
		for _, n := range threads() {
			if err := ctx.Err(); err != nil {
				return results, err
			}
			var failed error
			old := runtime.GOMAXPROCS(n)
			perEvent := j.passes * flops[i]
			speed, limit := limits.Dense(perEvent*float64(j.events), func() {
				if err := j.run(); err != nil {
					failed = err
				}
			})
			runtime.GOMAXPROCS(old)
			if failed != nil {
				return results, failed
			}
			const thousand = 1e6 // of events per second, in GFLOP/s of one flop each
			r := Result{Kernel: j.kernel, Shape: j.shape, Threads: n, Speed: speed * thousand / perEvent, Unit: "k events/s"}
			if limit > 0 {
				r.Limit = limit * float64(n) * thousand / perEvent
				r.Fraction = r.Speed / r.Limit
			}
			results = append(results, r)
			if progress != nil {
				progress(r, len(results), len(jobs)*len(threads()))
			}
		}
	}
	return results, nil
}

func normals(n int) []float32 {
	x := make([]float32, n)
	philox.Normal(x, 1, 0, 0)
	return x
}
