package training

import (
	"context"
	"encoding/json"
	"math"
	"reflect"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/kernels/vmath"
)

// regression is least squares on the second of two columns by a small network of the
// first, Σ_u w_u tanh(a_u x + b_u) + c, whose parameters are a, b, w and c in this order.
type regression struct {
	p       []float32
	dropout float64
	bad     func(step int) bool   // makes the loss of a step not finite
	before  func(validating bool) // is called before a tile
	n       int
}

const units = 32

func newRegression() *regression {
	r := &regression{p: make([]float32, 3*units+1)}
	philox.Normal(r.p[:2*units], 3, 0, 0)
	return r
}

func (r *regression) Params() []float32 { return r.p }

func (r *regression) Pack(part, _ int) {
	if part == 0 {
		r.n++
	}
}

func (r *regression) NewWorker() Worker {
	return &regressionWorker{r: r, h: make([]float32, units), kept: make([]float32, units)}
}

type regressionWorker struct {
	r       *regression
	h, kept []float32
}

func (w *regressionWorker) Loss(grad []float32, rows Rows) float64 {
	if w.r.before != nil {
		w.r.before(grad == nil)
	}
	a, b, out, c := w.r.p[:units], w.r.p[units:2*units], w.r.p[2*units:3*units], w.r.p[3*units]
	loss := 0.0
	for i, weight := range rows.W {
		x, y := rows.X[2*i], c
		for u := range units {
			w.h[u] = a[u]*x + b[u]
		}
		vmath.Tanh(w.h, w.h)
		for u := range w.kept {
			w.kept[u] = 1
		}
		if rows.Pass > 0 && w.r.dropout > 0 {
			philox.Uniform(w.kept, rows.Seed, rows.Pass, uint64(rows.Index[i])*units)
			for u, v := range w.kept {
				w.kept[u] = 0
				if v >= float32(w.r.dropout) {
					w.kept[u] = float32(1 / (1 - w.r.dropout))
				}
			}
		}
		for u, h := range w.h {
			y += out[u] * h * w.kept[u]
		}
		diff := y - rows.X[2*i+1]
		loss += float64(weight * diff * diff)
		if grad == nil {
			continue
		}
		dy := 2 * weight * diff
		for u, h := range w.h {
			dh := dy * out[u] * w.kept[u] * (1 - h*h)
			grad[u] += dh * x
			grad[units+u] += dh
			grad[2*units+u] += dy * h * w.kept[u]
		}
		grad[3*units] += dy
	}
	if grad != nil && w.r.bad != nil && w.r.bad(w.r.n) {
		return math.NaN()
	}
	return loss
}

func normals(n int, seed uint64) []float32 {
	x := make([]float32, n)
	philox.Normal(x, seed, 0, 0)
	return x
}

// curve returns rows (x, sin x).
func curve(n int, seed uint64) Data {
	x := normals(n, seed)
	d := Data{Dim: 2}
	for _, v := range x {
		d.X = append(d.X, v, float32(math.Sin(float64(v))))
	}
	return d
}

func TestFitLearns(t *testing.T) {
	r := newRegression()
	h, err := Fit(context.Background(), r, curve(4000, 1), curve(500, 2), Options{Epochs: 200, Patience: 100, Rate: 1e-2, Batch: 128})
	if err != nil {
		t.Fatal(err)
	}
	if h.Best > 2e-3 {
		t.Errorf("mean square error %g after training", h.Best)
	}
	if len(h.Points) == 0 || h.Points[len(h.Points)-1].Rate > 1e-4 {
		t.Errorf("the learning rate does not fall to zero: %v", h.Points)
	}
}

// TestFitIsReproducible checks that equal seeds give equal bits for any number of
// processors, and that the seed matters.
func TestFitIsReproducible(t *testing.T) {
	limit := time.Duration(0)
	train := func(procs int, seed uint64) []float32 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		r := newRegression()
		r.dropout = 0.1
		// A batch of 1000 makes 7 shards with a ragged last tile each.
		if _, err := Fit(context.Background(), r, curve(3001, 1), curve(200, 2), Options{Epochs: 30, Batch: 1000, Seed: seed, MaxTime: limit}); err != nil {
			t.Fatal(err)
		}
		return r.p
	}
	want := train(1, 5)
	for _, procs := range []int{2, 3, 8} {
		if !slices.Equal(train(procs, 5), want) {
			t.Errorf("GOMAXPROCS=%d: other parameters than with 1", procs)
		}
	}
	limit = time.Hour // a limit that is not reached changes nothing
	if !slices.Equal(train(2, 5), want) {
		t.Error("a time limit that is not reached changes the parameters")
	}
	if slices.Equal(train(2, 6), want) {
		t.Error("another seed gives the same parameters")
	}
}

// TestFitWeights checks that an event of weight 2 counts as two events, and that
// events whose weights cancel count as none.
func TestFitWeights(t *testing.T) {
	loss := func(d Data) float64 {
		f, err := newFit(newRegression(), d, d, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer f.pool.Close()
		f.pack()
		loss, _ := f.validate()
		return loss
	}
	a, b := curve(100, 1), curve(50, 2)
	twice := Data{Dim: 2, X: slices.Concat(a.X, b.X, b.X)}
	weighted := Data{Dim: 2, X: slices.Concat(a.X, b.X), W: slices.Concat(slices.Repeat([]float32{1}, 100), slices.Repeat([]float32{2}, 50))}
	cancelled := Data{Dim: 2, X: slices.Concat(a.X, b.X, b.X), W: slices.Concat(slices.Repeat([]float32{1}, 100), slices.Repeat([]float32{3}, 50), slices.Repeat([]float32{-3}, 50))}
	if x, y := loss(twice), loss(weighted); math.Abs(x-y) > 1e-6*x {
		t.Errorf("loss %g with events twice, %g with weight 2", x, y)
	}
	if x, y := loss(a), loss(cancelled); math.Abs(x-y) > 1e-5*x {
		t.Errorf("loss %g without events, %g where their weights cancel", x, y)
	}
	if _, err := newFit(newRegression(), cancelled, Data{Dim: 2, X: []float32{1, 2}, W: []float32{-1}}, Options{}); err == nil {
		t.Error("no error for a negative sum of weights")
	}
}

// TestFitRollsBack lets the loss be NaN now and then: the training goes on from its best
// parameters; when that happens all the time it ends with an error.
func TestFitRollsBack(t *testing.T) {
	r := newRegression()
	r.bad = func(step int) bool { return step == 40 || step == 90 }
	h, err := Fit(context.Background(), r, curve(1000, 1), curve(100, 2), Options{Epochs: 20, Batch: 100, Rate: 1e-2})
	if err != nil {
		t.Fatal(err)
	}
	if h.Rollbacks != 2 {
		t.Errorf("%d rollbacks, want 2", h.Rollbacks)
	}
	for _, v := range r.p {
		if !isFinite(float64(v)) {
			t.Fatal("a parameter is not finite")
		}
	}
	if _, err := json.Marshal(h); err != nil {
		t.Error(err)
	}
	// Those of the step before, with a loss of their own, are not gone back to.
	data := curve(1000, 1)
	f, err := newFit(newRegression(), data, data, Options{Batch: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer f.pool.Close()
	f.pack()
	f.History.Best, _ = f.validate()
	f.shuffle()
	for range 3 {
		if err := f.oneStep(1e-2); err != nil {
			t.Fatal(err)
		}
	}
	f.obj.(*regression).bad = func(int) bool { return true }
	if err := f.oneStep(1e-2); err != nil {
		t.Fatal(err)
	}
	if loss, _ := f.validate(); !slices.Equal(f.Params, f.Best) || f.Slower != 0.5 || loss != f.History.Best {
		t.Errorf("after a loss that is not finite, the loss is %g and the rate is %g of what it was; want %g and 0.5", loss, f.Slower, f.History.Best)
	}
	// A rate that throws the parameters far off makes validations not finite.
	wild := newRegression()
	if h, err := Fit(context.Background(), wild, curve(1000, 1), Data{Dim: 2, X: []float32{1e30, 0}}, Options{Epochs: 20, Rate: 9}); err == nil {
		if _, err := json.Marshal(h); err != nil {
			t.Error(err)
		}
	}
	r.bad = func(int) bool { return true }
	if _, err := Fit(context.Background(), r, curve(1000, 1), curve(100, 2), Options{Epochs: 20}); err == nil {
		t.Error("no error though the loss is never finite")
	}
}

func TestFitEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r := newRegression()
	h, err := Fit(ctx, r, curve(1000, 1), curve(100, 2), Options{Epochs: 1000, Progress: func(s Status) {
		if s.Step == 25 {
			cancel()
		}
	}})
	if err != context.Canceled || h.Stopped != "interrupted" {
		t.Errorf("cancelled training: error %v, %q", err, h.Stopped)
	}
	start := time.Now()
	h, err = Fit(context.Background(), r, curve(1000, 1), curve(100, 2), Options{Epochs: 1e6, Patience: 1e6, MaxTime: 200 * time.Millisecond})
	if took := time.Since(start); err != nil || h.Stopped != "time is over" || took > 10*time.Second {
		t.Errorf("limited training: error %v, %q after %v", err, h.Stopped, took)
	}
	// In a hurry, there is more training than validation.
	h, err = Fit(context.Background(), r, curve(20_000, 1), curve(10_000, 2), Options{Batch: 100, Epochs: 1e6, Patience: 1e6, MaxTime: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(h.Points); n > 1 && h.Points[n-1].Step < 90*(n-2) {
		t.Errorf("%d validations of 10,000 rows in %d steps of 100", n, h.Points[n-1].Step)
	}
	// No improvement is possible when nothing can be learnt.
	still := Data{Dim: 2, X: make([]float32, 200)}
	h, err = Fit(context.Background(), newRegression(), still, still, Options{Epochs: 1000, Patience: 5})
	if err != nil || h.Best != 0 || h.BestStep != 0 || h.Stopped != "no better loss for a while" {
		t.Errorf("hopeless training: error %v, %+v", err, h)
	}
}

// TestStepAllocatesNothing checks the steady state of a training.
func TestStepAllocatesNothing(t *testing.T) {
	f, err := newFit(newRegression(), curve(1000, 1), curve(100, 2), Options{Batch: 500})
	if err != nil {
		t.Fatal(err)
	}
	defer f.pool.Close()
	f.pack()
	f.shuffle()
	if n := testing.AllocsPerRun(20, func() { f.step(f.order[:500], 1, 1e-3) }); n > 0 {
		t.Errorf("%g allocations per step", n)
	}
}

func TestSchedule(t *testing.T) {
	if s := schedule(0, true); s <= 0 || s > 0.02 {
		t.Errorf("schedule(0) = %g", s)
	}
	if s := schedule(0.01, true); math.Abs(s-1) > 1e-9 {
		t.Errorf("schedule(0.01) = %g, want 1", s)
	}
	if s := schedule(0, false); s != 1 {
		t.Errorf("schedule(0) = %g without warm-up", s)
	}
	if s := schedule(1, true); math.Abs(s) > 1e-9 {
		t.Errorf("schedule(1) = %g, want 0", s)
	}
}

// TestResume stops a training in the middle, goes on from the checkpoint, and
// finds the same parameters as without the stop.
func TestResume(t *testing.T) {
	for _, average := range []float64{0, 0.9} {
		newRegression := func() *regression {
			r := newRegression()
			r.dropout = 0.05
			return r
		}
		// Patience is short, so that the stop can fall into either phase.
		opts := Options{Epochs: 30, Batch: 200, Seed: 5, Patience: 12, Rate: 0.02, Average: average}
		data := func() Data {
			d := curve(1001, 1)
			clean := slices.Clone(d.X)
			d.Refresh = func(_ context.Context, pass uint64) { // noise that depends on the pass
				for i, v := range normals(len(clean), 100+pass) {
					d.X[i] = clean[i] + 0.01*v
				}
			}
			return d
		}
		whole := newRegression()
		want, err := Fit(context.Background(), whole, data(), curve(200, 2), opts)
		if err != nil {
			t.Fatal(err)
		}
		last := want.Points[len(want.Points)-1].Step
		if want.Stopped != "no better loss for a while" {
			t.Errorf("the training has no second phase: %s", want.Stopped)
		}
		// The interrupt comes after a step, or within one, or within the validation after it.
		for k, stop := range []int{1, last / 3, last / 2, last / 2 / want.Points[0].Step * want.Points[0].Step, last - 2} {
			ctx, cancel := context.WithCancel(context.Background())
			var at Checkpoint
			first := opts
			interrupted := newRegression()
			first.Progress = func(s Status) {
				if s.Step == stop {
					cancel()
				}
			}
			if k == 2 || k == 3 {
				var steps atomic.Int64
				first.Progress = func(s Status) { steps.Store(int64(s.Step)) }
				interrupted.before = func(validating bool) {
					if validating == (k == 3) && steps.Load() == int64(stop-1) {
						cancel()
					}
				}
			}
			first.Save = func(c *Checkpoint) error {
				at = *c
				for _, v := range []*[]float32{&at.Params, &at.M, &at.V, &at.Best, &at.Mean} {
					*v = slices.Clone(*v)
				}
				at.History.Points = slices.Clone(c.History.Points)
				return nil
			}
			if _, err := Fit(ctx, interrupted, data(), curve(200, 2), first); err != context.Canceled {
				t.Fatal(err)
			}
			second := opts
			second.Resume = &at
			resumed := newRegression()
			got, err := Fit(context.Background(), resumed, data(), curve(200, 2), second)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(resumed.p, whole.p) || got.Best != want.Best || len(got.Points) != len(want.Points) {
				t.Errorf("average %g, stopped at step %d of %d (%d): another result", average, stop, last, k)
			}
		}
		second := opts
		second.Batch = 100
		second.Resume = &Checkpoint{History: want}
		if _, err := Fit(context.Background(), newRegression(), data(), curve(200, 2), second); err == nil {
			t.Error("no error for a checkpoint that does not fit")
		}
	}
}

// TestOff checks that options that are off differ from those that are left to defaults.
func TestOff(t *testing.T) {
	still := Data{Dim: 2, X: make([]float32, 200)} // in which there is nothing to learn
	h, err := Fit(context.Background(), newRegression(), still, still, Options{Epochs: 100, Patience: Off, Average: Off, Decay: Off})
	if err != nil || h.Stopped != "all epochs done" {
		t.Errorf("without patience: error %v, %q", err, h.Stopped)
	}
	f, err := newFit(newRegression(), still, still, Options{Average: Off, Decay: Off})
	if err != nil {
		t.Fatal(err)
	}
	defer f.pool.Close()
	if f.Mean != nil || f.adam.Decay != 0 {
		t.Errorf("average %v, decay %g", f.Mean, f.adam.Decay)
	}
	begin := time.Now().Add(-time.Minute)
	for limit, want := range map[time.Duration]time.Duration{0: 0, time.Second: 1} {
		if got := (Options{MaxTime: limit}).Since(begin).MaxTime; got != want {
			t.Errorf("a minute after the beginning, %v are left of %v", got, limit)
		}
	}
	if got := (Options{MaxTime: time.Hour}).Since(begin).MaxTime; !(got < 59*time.Minute+time.Second && got > 58*time.Minute) {
		t.Errorf("a minute after the beginning, %v are left of an hour", got)
	}
}

func TestOptions(t *testing.T) {
	for _, bad := range []Options{
		{Epochs: -1}, {MaxTime: -1}, {Batch: -1}, {Rate: -1}, {Rate: math.NaN()}, {Clip: -1}, {Patience: -2}, {Decay: 1}, {Decay: -0.5}, {Average: 1}, {Average: -0.5},
	} {
		if _, err := Fit(context.Background(), newRegression(), curve(100, 1), Data{}, bad); err == nil {
			t.Errorf("no error for %+v", bad)
		}
	}
	short := curve(100, 1)
	short.W = make([]float32, 99)
	if _, err := Fit(context.Background(), newRegression(), short, Data{}, Options{}); err == nil {
		t.Error("no error for fewer weights than rows")
	}
}

// Options that are complete stay as they are, those that are off, too: a plan keeps them, and a
// training completes them again.
func TestCompleteTwice(t *testing.T) {
	for _, o := range []Options{{}, {Average: 0.9, Decay: 0.1, Patience: 3}, {Average: Off, Decay: Off, Patience: Off}} {
		once := o.Complete(1000)
		if twice := once.Complete(1000); !reflect.DeepEqual(once, twice) {
			t.Errorf("%+v is completed to %+v", once, twice)
		}
		if o.Average == Off && once.Average != Off {
			t.Errorf("an average that is off becomes %g", once.Average)
		}
	}
}
