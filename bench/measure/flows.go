package measure

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/flows"
	"github.com/eidolon-hep/eidolon/internal/limits"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// FlowJob is something that a flow of 8 features, 8 coupling layers and 2 hidden
// layers is asked to do again and again.
type FlowJob struct {
	Kernel string  // what is done: train, sample or log-density, and the kind of flow
	Hidden int     // width of the hidden layers
	Batch  int     // events of a step, or of a call
	Events int     // events of a call of run
	Flops  float64 // floating-point operations that an event cannot do without

	Flow *flows.Flow // that is asked

	// Start returns a function that does the job's next Events events, and one that ends it.
	// What is done once only is done before.
	Start func() (run func() error, stop func())
}

// Shape tells the sizes of the job.
func (j FlowJob) Shape() string { return fmt.Sprintf("H=%d batch=%d", j.Hidden, j.Batch) }

// FlowJobs are the jobs that [Flows] measures; sampling and log-densities are in
// batches of the given numbers of events. Flops are those of the matrix products:
// twice the weights of the conditioners per event in one direction, and three times
// that for a step of training.
func FlowJobs(batches ...int) ([]FlowJob, error) {
	const dim = 8
	var jobs []FlowJob
	for _, size := range []struct {
		model   string
		hidden  int
		train   []int // batches
		forward []int
	}{
		{"realnvp", 128, []int{128, 512, 4096}, batches},
		{"realnvp", 64, []int{512}, nil},
		{"spline", 128, []int{512}, batches},
	} {
		hidden := []int{size.hidden, size.hidden}
		layers := flows.RealNVP(dim, 1, flows.RealNVPOptions{Layers: 8, Hidden: hidden})
		if size.model == "spline" {
			layers = flows.Spline(dim, 1, flows.SplineOptions{Layers: 8, Hidden: hidden, Bins: 8})
		}
		f, err := flows.New(dim, 0, 1, layers...)
		if err != nil {
			return nil, err
		}
		flops := 0.0
		for _, t := range f.Tensors() {
			if len(t.Shape) == 2 {
				flops += 2 * float64(len(t.Value))
			}
		}
		for _, batch := range size.train {
			steps := max(1024/batch, 1)
			jobs = append(jobs, FlowJob{"train " + size.model, size.hidden, batch, steps * batch, 3 * flops, f,
				func() (func() error, func()) { return trainingSteps(f, batch, steps) }})
		}
		learnt, err := flows.New(dim, 0, 1, layers...)
		if err != nil {
			return nil, err
		}
		weigh(learnt)
		for _, n := range size.forward {
			x, p := normals(n*dim), make([]float64, n)
			forward := func(what string, run func(ctx context.Context) error) {
				jobs = append(jobs, FlowJob{what + " " + size.model, size.hidden, n, n, flops, learnt, func() (func() error, func()) {
					return func() error { return run(context.Background()) }, func() {}
				}})
			}
			forward("sample", func(ctx context.Context) error { return learnt.Sample(ctx, x, nil, 1, 0, 0) })
			forward("log-density", func(ctx context.Context) error { return learnt.LogDensity(ctx, p, x, nil) })
		}
	}
	return jobs, nil
}

// weigh gives the conditioners weights as if they had been trained: a new flow is the
// identity.
func weigh(f *flows.Flow) {
	for i, t := range f.Tensors() {
		if strings.HasSuffix(t.Name, ".weight") {
			philox.Normal(t.Value, 1, uint64(i), 0)
			for k := range t.Value {
				t.Value[k] *= float32(0.5 / math.Sqrt(float64(t.Shape[0])))
			}
		}
	}
	f.Update()
}

// trainingSteps starts a training that makes so many steps at a time and waits in
// between.
func trainingSteps(f *flows.Flow, batch, steps int) (run func() error, stop func()) {
	const events = 1 << 13
	ctx, cancel := context.WithCancel(context.Background())
	turn, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		<-turn
		data := training.Data{Dim: f.Dim(), X: normals(events * f.Dim())}
		_, err := f.Train(ctx, data, training.Data{Dim: f.Dim(), X: normals(f.Dim())}, training.Options{
			Epochs: 1 << 20, Batch: batch, Patience: 1 << 30,
			Progress: func(s training.Status) {
				if s.Step%steps == 0 {
					turn <- struct{}{}
					<-turn
				}
			},
		})
		ended <- err
	}()
	run = func() error {
		turn <- struct{}{}
		select {
		case <-turn:
			return nil
		case err := <-ended:
			ended <- err // for stop
			return err
		}
	}
	return run, func() {
		cancel()
		select {
		case turn <- struct{}{}:
			<-ended
		case <-ended:
		}
	}
}

// Flows measures training, sampling and log-densities, on one thread and on two,
// in thousand events per second, against the multiply-adds that the matrix products
// alone would take. progress is as in [Kernels].
func Flows(ctx context.Context, progress func(r Result, done, total int)) ([]Result, error) {
	jobs, err := FlowJobs(512, 1<<16)
	if err != nil {
		return nil, err
	}
	return onThreads(ctx, jobs, FlowJob.measure, progress)
}

func (j FlowJob) measure(threads int) (Result, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
	run, stop := j.Start()
	defer stop()
	var failed error
	const thousand = 1e6 // per second, in events per nanosecond
	m := limits.Measure(1, 300*time.Millisecond,
		func() limits.Work {
			return limits.Work{Amount: thousand * float64(j.Events), Run: func() {
				if err := run(); err != nil {
					failed = err
				}
			}}
		},
		func() limits.Work { return limits.FMA(j.Flops / thousand / float64(threads)) })
	return Result{j.Kernel, j.Shape(), threads, m.Speed, "k events/s", m.Limit, m.Fraction, m.Median}, failed
}

func normals(n int) []float32 {
	x := make([]float32, n)
	philox.Normal(x, 1, 0, 0)
	return x
}
