// Package training is the one loop that trains every model of Eidolon: what is given to
// it, how it is steered, and what it tells.
//
// A model is an [Objective]: a flat vector of parameters and a loss with its gradient.
// [Fit] lowers the mean loss over the rows of a [Data] by Adam, keeps the parameters with
// the lowest loss on other rows, and returns the [History]. [Options] say how long and how
// fast; a [Checkpoint] is all that a training needs to go on after an interrupt.
package training

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/kernels/optim"
	"github.com/eidolon-hep/eidolon/kernels/philox"
)

// Tile is the number of rows that travel through a model together, so that what is between
// its layers stays in the processor's cache.
const Tile = 64

// Tensor is a named part of what a model has learnt, as a model file holds it.
type Tensor struct {
	Name  string
	Shape []int
	Value []float32 // the memory of the model itself
}

// Data are the rows that a model is trained or validated on.
type Data struct {
	X []float32 // n×Dim
	C []float32 // the context, n×Context
	W []float32 // the weights of the rows, n; nil means 1 each

	Dim, Context int

	// Refresh, when not nil, is called before every pass over the rows and may
	// change X and C: it draws the fresh noise of dequantised columns. When ctx is
	// cancelled it may leave some of them as they are.
	Refresh func(ctx context.Context, pass uint64)
}

// Len returns the number of rows.
func (d Data) Len() int {
	if d.Dim == 0 {
		return 0
	}
	return len(d.X) / d.Dim
}

// Rows are the rows of one tile.
type Rows struct {
	N    int       // at most Tile
	X, C []float32 // N×Dim, N×Context
	W    []float32 // N

	// Seed is that of the training, Index are the numbers of the rows in the data,
	// and Pass that of the pass over them, from 1; 0 when they validate. They are the
	// keys of deviates that a loss draws: a pass has its own ones, a validation
	// always the same.
	Seed  uint64
	Index []int32
	Pass  uint64
}

// Kept returns the point of the history at which the best parameters were found,
// and false where none were better than those at the start.
func (h History) Kept() (Point, bool) {
	for _, p := range h.Points {
		if p.Step == h.BestStep {
			return p, true
		}
	}
	return Point{}, false
}

// Objective is what Fit minimises: the weighted mean of a loss per row.
type Objective interface {
	// Params returns the parameters to be found, in one flat vector.
	Params() []float32
	// Pack takes over changed parameters: one of parts pieces of that work.
	Pack(part, parts int)
	// NewWorker returns a worker for one goroutine.
	NewWorker() Worker
}

// Worker evaluates an objective, one tile after the other.
type Worker interface {
	// Loss returns Σ w·loss over the rows and adds its gradient to grad, unless
	// grad is nil. It may overwrite the rows.
	Loss(grad []float32, rows Rows) float64
}

// Inverter is an objective with a map of rows that can be undone.
type Inverter interface {
	// RoundTrip returns the mean and the largest |f⁻¹(f(x)) − x| of the features of
	// some rows.
	RoundTrip(x, c []float32) (mean, largest float64)
}

// An Inverter is asked about so many rows at a validation, and so many of their values.
const (
	roundTrips      = 1 << 10
	roundTripValues = 1 << 17
)

// Off is the value of an option that asks for nothing of its kind, where zero asks for
// the default.
const Off = -1

// Options say how a model is trained. Zero values ask for the defaults, which
// look at the data and may differ between models; values that make no sense are errors.
type Options struct {
	// Epochs is the number of passes over the events; by default as many as
	// make 12 million events, but at most 500.
	Epochs int `json:"epochs,omitempty"`
	// MaxTime ends the training in time; 0 means no limit. When the pace says
	// that it will not do, fewer steps are planned, and the learning rate falls
	// accordingly; such a training depends on the speed of the machine and cannot
	// be repeated to the bit.
	MaxTime time.Duration `json:"max_time,omitempty"`
	// Batch is the number of events per step; by default 512, fewer for small
	// samples.
	Batch int `json:"batch,omitempty"`
	// Rate is the highest learning rate of the cosine schedule; by default 1e-3.
	Rate float64 `json:"rate,omitempty"`
	// Clip bounds the norm of the gradient; by default 5.
	Clip float64 `json:"clip,omitempty"`
	// Patience is the number of validations (of about 100) without a better
	// loss after which the training turns to its last phase, and there to its
	// end; by default 15; [Off]: all epochs are made.
	Patience int `json:"patience,omitempty"`
	// Decay is the decoupled weight decay (arXiv:1711.05101); by default, and when [Off],
	// there is none.
	Decay float64 `json:"decay,omitempty"`
	// Average is the decay of an exponential moving average of the parameters, such as
	// 0.999; the average is validated and kept. By default, and when [Off], there is none.
	Average float64 `json:"average,omitempty"`
	// Seed chooses the order of the events.
	Seed uint64 `json:"-"`
	// Progress, when not nil, is called after every step.
	Progress func(Status) `json:"-"`

	// Resume, when not nil, is the checkpoint to go on from. The data and the
	// other options must be those of the training that it was taken from; the
	// continuation is then the same to the bit (but for MaxTime's effect).
	Resume *Checkpoint `json:"-"`
	// Finish makes no further step of the training that Resume has stopped: its best
	// parameters are the result.
	Finish bool `json:"-"`
	// Save, when not nil, is given a checkpoint now and then and when ctx is
	// cancelled after a step. It belongs to the training: Save must be done with it when it
	// returns. An error of Save ends the training.
	Save func(*Checkpoint) error `json:"-"`
	// SaveEvery is the time between checkpoints; by default one minute.
	SaveEvery time.Duration `json:"-"`
}

// Since returns the options for what is left of a training that began a while ago: with
// less time, if that is limited.
func (o Options) Since(begin time.Time) Options {
	if o.MaxTime > 0 {
		o.MaxTime = max(o.MaxTime-time.Since(begin), 1)
	}
	return o
}

// Status says how far a training has come.
type Status struct {
	Step, Steps     int           // steps done, steps planned
	Epoch           int           // passes over the events begun
	Elapsed         time.Duration // since the start
	Left            time.Duration // estimated
	EventsPerSecond float64       // since the start
	Validated       bool          // whether the losses are from just now
	Train, Valid    float64       // mean loss since the validation before this step, and of the last validation
	Best            float64       // the lowest validation loss so far
	Rate            float64       // learning rate
	Rollbacks       int           // times that the loss was not finite
}

// Point is a line of the history of a training: what a validation found.
type Point struct {
	Step            int     `json:"step"`
	Train           float64 `json:"train"`
	Valid           float64 `json:"valid"`
	Rate            float64 `json:"rate"`
	EventsPerSecond float64 `json:"events_per_second"`
	// RoundTrip and WorstRoundTrip are the mean and the largest |f⁻¹(f(x)) − x| of
	// validation events, in units of model space, where the model is a flow.
	RoundTrip      float64 `json:"round_trip,omitempty"`
	WorstRoundTrip float64 `json:"worst_round_trip,omitempty"`
}

// History is what is left to tell of a training.
type History struct {
	Points    []Point `json:"points"`
	Epochs    int     `json:"epochs"`
	Batch     int     `json:"batch"`
	Best      float64 `json:"best"`
	BestStep  int     `json:"best_step"`
	Stopped   string  `json:"stopped"` // why the training ended
	Rollbacks int     `json:"rollbacks,omitempty"`
}

// OutOfTime is what a history says has stopped a training for which there was not the
// time for all of its steps.
const OutOfTime = "time is over"

// maxRollbacks is how often a training may go back because of a loss that is not finite
// before it is given up.
const maxRollbacks = 10

// validations is the number of validations that a full training makes, or more, so
// that there are at most 10 epochs between them.
const validations = 100

// Deviates of a training come from these streams of its seed.
const streamShuffle = 1 << 32

// Fit trains the parameters of obj on the rows of train by Adam
// (arXiv:1412.6980) and leaves those with the lowest loss on valid.
//
// The learning rate follows a cosine after a short warm-up. When there has been
// no better loss for a while, the training goes back to the best parameters and
// lets the rate fall to zero from there, in a quarter of the steps that they took.
// A loss that is not finite is answered by going back to the best parameters with
// half of the rate: not to those of the step before, which led there and have not been
// validated. When ctx is cancelled the training stops within a step or a validation, which
// then has not been; the parameters are the best ones so far, and its error is returned.
//
// For equal seeds the result is the same to the bit for any GOMAXPROCS: a batch
// is cut in shards by its size alone, and their gradients are added in order.
//
// Gradients are normalised by the expected sum of weights of a batch, so that
// weights of both signs need no care. The sum over all events must be positive.
func Fit(ctx context.Context, obj Objective, train, valid Data, opts Options) (History, error) {
	f, err := newFit(obj, train, valid, opts)
	if err != nil {
		return History{}, err
	}
	defer f.pool.Close()
	err = f.run(ctx)
	copy(f.params, f.Best)
	f.pack()
	return f.History, err
}

// Checkpoint is all that a training needs to go on. It can be written as JSON,
// but for the vectors, which have the length of the parameters.
type Checkpoint struct {
	Params, M, V []float32 `json:"-"` // the parameters and Adam's moments
	Best         []float32 `json:"-"` // the best parameters so far
	Mean         []float32 `json:"-"` // their moving average; nil unless asked for

	Step     int           `json:"step"`      // steps done
	AdamStep int           `json:"adam_step"` // of them since the moments were zero
	Phase    Phase         `json:"phase"`
	Slower   float64       `json:"slower"` // factor on the learning rate
	Stale    int           `json:"stale"`  // validations without a better loss
	Sum      float64       `json:"sum"`    // of w·loss since the last validation
	Events   int           `json:"events"` // since then
	Total    int           `json:"total"`  // events seen
	Elapsed  time.Duration `json:"elapsed"`
	History  History       `json:"history"`
}

// Check reports whether a checkpoint that was read from a file makes sense.
func (c *Checkpoint) Check() error {
	vectors := [][]float32{c.Params, c.M, c.V, c.Best}
	if len(c.Mean) > 0 {
		vectors = append(vectors, c.Mean)
	}
	for _, v := range vectors {
		if len(v) != len(c.Params) {
			return fmt.Errorf("training: a checkpoint has %d parameters, and %d of their moments or averages", len(c.Params), len(v))
		}
		for _, x := range v {
			if x-x != 0 {
				return fmt.Errorf("training: a checkpoint has a parameter that is %v", x)
			}
		}
	}
	p, h := c.Phase, c.History
	if c.Step < 0 || c.AdamStep < 0 || c.AdamStep > c.Step || c.Stale < 0 || c.Events < 0 || c.Total < c.Events || !(c.Slower > 0 && c.Slower <= 1) || c.Elapsed < 0 ||
		p.First < 0 || p.First > c.Step || c.Step > p.Last || p.Last > p.Planned || p.Every < 1 || !(p.Rate >= 0) || p.Begin < 0 ||
		h.Epochs < 1 || h.Batch < 1 || h.BestStep < 0 || h.BestStep > c.Step || h.Rollbacks < 0 {
		return errors.New("training: the steps of a checkpoint contradict each other")
	}
	return nil
}

// Phase is a part of a training over which the learning rate falls to zero.
type Phase struct {
	First int           `json:"first"` // step before it
	Last  int           `json:"last"`  // last step
	Begin time.Duration `json:"begin"` // time at First
	Rate  float64       `json:"rate"`  // highest learning rate
	Final bool          `json:"final"` // there is none after it

	Planned int `json:"planned"` // last step if there is time
	Every   int `json:"every"`   // steps between validations
}

type fit struct {
	*Checkpoint
	ctx          context.Context
	begin        time.Time     // as if there had been no stop
	judging      time.Duration // the longest that a validation took
	status       Status
	obj          Objective
	train, valid Data
	opts         Options
	pool         *parallel.Pool

	params    []float32 // of obj
	perEpoch  int       // steps
	trainMean float64   // mean weight
	validSum  float64   // sum of weights

	workers    []Worker
	tiles      []Rows      // the memory that the rows of a worker's tile are gathered into
	grads      [][]float32 // of the shards
	losses     []float64   // of the shards
	squares    []float64   // of the chunks of the gradient
	order      []int32     // the rows of this pass
	batch      []int32     // the part of it that this step looks at
	validating bool        // the rows come from valid, and there is no gradient
	adam       optim.Adam
	scale      float32

	// The pieces of work, made once so that steps allocate nothing.
	shardTask, reduceTask, updateTask, packTask func(i int)
}

// chunk is the number of parameters that one piece of the optimiser's work has.
const chunk = 1 << 13

func newFit(obj Objective, train, valid Data, opts Options) (*fit, error) {
	n := train.Len()
	if n == 0 {
		return nil, errors.New("training: no event to train on")
	}
	if valid.Len() == 0 {
		valid = train
		valid.Refresh = nil
	}
	for _, d := range []Data{train, valid} {
		if k := d.Len(); len(d.X) != k*d.Dim || len(d.C) != k*d.Context || d.W != nil && len(d.W) != k {
			return nil, fmt.Errorf("training: %d values, %d of the context and %d weights do not make rows of %d and %d features", len(d.X), len(d.C), len(d.W), d.Dim, d.Context)
		}
	}
	if err := opts.Check(); err != nil {
		return nil, err
	}
	f := &fit{ctx: context.Background(), obj: obj, train: train, valid: valid, opts: opts.withDefaults(n), params: obj.Params()}
	trainSum := sumOfWeights(train)
	f.validSum = sumOfWeights(valid)
	if trainSum <= 0 || f.validSum <= 0 {
		return nil, fmt.Errorf("training: the sum of weights is not positive: %g for training, %g for validation", trainSum, f.validSum)
	}
	f.trainMean = trainSum / float64(n)
	f.perEpoch = (n + f.opts.Batch - 1) / f.opts.Batch
	steps := f.perEpoch * f.opts.Epochs

	size := len(f.params)
	if r := opts.Resume; r != nil {
		if err := r.Check(); err != nil {
			return nil, err
		}
		if r.Phase.Planned > 2*steps+r.Phase.Every || r.Events > n*f.opts.Epochs {
			return nil, errors.New("training: the checkpoint is of a longer training")
		}
		vectors := [][]float32{r.Params, r.M, r.V, r.Best}
		if opts.Average > 0 {
			vectors = append(vectors, r.Mean)
		}
		for _, v := range vectors {
			if len(v) != size {
				return nil, fmt.Errorf("training: the checkpoint has %d parameters, the model %d", len(v), size)
			}
		}
		if r.History.Batch != f.opts.Batch || r.History.Epochs != f.opts.Epochs || (len(r.Mean) > 0) != (opts.Average > 0) {
			return nil, errors.New("training: the checkpoint was taken with other options")
		}
		copy(f.params, r.Params)
		f.Checkpoint = r
	} else {
		f.Checkpoint = &Checkpoint{
			M: make([]float32, size), V: make([]float32, size), Best: make([]float32, size),
			Phase:   Phase{Last: steps, Planned: steps, Every: max(min(steps/validations, 10*f.perEpoch), 1), Rate: f.opts.Rate},
			Slower:  1,
			History: History{Epochs: f.opts.Epochs, Batch: f.opts.Batch},
		}
		if opts.Average > 0 {
			f.Mean = append([]float32(nil), f.params...)
		}
		copy(f.Best, f.params)
	}
	f.Params = f.params

	f.pool = parallel.NewPool()
	// A shard has two tiles, so that there is not too much to add up, but where that
	// would leave processors idle.
	shards := max(min(f.opts.Batch/Tile, 4), min(f.opts.Batch/(2*Tile), 8), 1)
	f.workers = make([]Worker, shards)
	f.tiles = make([]Rows, shards)
	f.grads = make([][]float32, shards)
	f.losses = make([]float64, shards)
	for i := range shards {
		f.workers[i] = obj.NewWorker()
		f.tiles[i] = Rows{
			X: make([]float32, Tile*train.Dim),
			C: make([]float32, Tile*train.Context),
			W: make([]float32, Tile), Index: make([]int32, Tile), Seed: f.opts.Seed,
		}
		f.grads[i] = make([]float32, size)
	}
	f.squares = make([]float64, (size+chunk-1)/chunk)
	f.order = make([]int32, n)
	f.shardTask, f.reduceTask, f.updateTask, f.packTask = f.shard, f.reduce, f.update, f.packPart
	f.adam = optim.Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Decay: float32(f.opts.Decay)}
	return f, nil
}

// maxBatch keeps a mistyped batch from making a training of one step.
const maxBatch = 1 << 20

// Check says which option makes no sense, if any.
func (o Options) Check() error {
	switch {
	case o.Epochs < 0:
		return fmt.Errorf("the number of epochs cannot be %d", o.Epochs)
	case o.MaxTime < 0:
		return fmt.Errorf("the time for training cannot be %v", o.MaxTime)
	case o.Batch < 0 || o.Batch > maxBatch:
		return fmt.Errorf("a batch can have 1 to %d events, not %d", maxBatch, o.Batch)
	case !(o.Rate >= 0 && o.Rate < 10):
		return fmt.Errorf("the learning rate cannot be %g", o.Rate)
	case !(o.Clip >= 0):
		return fmt.Errorf("the norm of the gradient cannot be clipped at %g", o.Clip)
	case o.Patience < 0 && o.Patience != Off:
		return fmt.Errorf("the patience cannot be %d validations", o.Patience)
	case !(o.Decay >= 0 && o.Decay < 1) && o.Decay != Off:
		return fmt.Errorf("the weight decay cannot be %g", o.Decay)
	case !(o.Average >= 0 && o.Average < 1) && o.Average != Off:
		return fmt.Errorf("the decay of the moving average cannot be %g", o.Average)
	}
	return nil
}

// withDefaults fills in what was left open for a sample of n events.
func (o Options) withDefaults(n int) Options {
	if o.Epochs == 0 {
		o.Epochs = min(max(12_000_000/n, 1), 500)
	}
	if o.Batch == 0 {
		o.Batch = min(max(n/20, 32), 512)
	}
	o.Batch = min(o.Batch, n)
	if o.Rate == 0 {
		o.Rate = 1e-3
	}
	if o.Clip == 0 {
		o.Clip = 5
	}
	switch o.Patience {
	case 0:
		o.Patience = 15
	case Off:
		o.Patience = math.MaxInt
	}
	o.Decay = max(o.Decay, 0)
	if o.SaveEvery <= 0 {
		o.SaveEvery = time.Minute
	}
	return o
}

func sumOfWeights(d Data) float64 {
	if d.W == nil {
		return float64(d.Len())
	}
	sum := 0.0
	for _, w := range d.W {
		sum += float64(w)
	}
	return sum
}

// run makes the steps.
func (f *fit) run(ctx context.Context) error {
	f.ctx = ctx
	f.begin = time.Now().Add(-f.Elapsed)
	f.pack()
	h := &f.History
	if f.Step == 0 {
		best, err := f.validate()
		if err != nil {
			return err
		}
		f.judging = time.Since(f.begin)
		if h.Best = best; !isFinite(h.Best) {
			return fmt.Errorf("training: the loss of the untrained model is %g: the input is out of range", h.Best)
		}
	} else if f.Step%f.perEpoch != 0 {
		f.shuffle(uint64(f.Step / f.perEpoch))
	}
	f.status = Status{Valid: h.Best, Best: h.Best}
	saved := time.Now()
	h.Stopped = ""
	for h.Stopped == "" {
		err := f.turn()
		if ctx.Err() != nil && h.Stopped == "" {
			h.Stopped = "interrupted"
			if f.opts.Save != nil && f.Step > 0 {
				if err := f.opts.Save(f.Checkpoint); err != nil {
					return err
				}
			}
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		if f.opts.Save != nil && h.Stopped == "" && time.Since(saved) > f.opts.SaveEvery {
			if err := f.opts.Save(f.Checkpoint); err != nil {
				return err
			}
			saved = time.Now()
		}
	}
	return nil
}

// turn makes a step and what follows on it, or says why the training has stopped. When the
// context is cancelled within it, the checkpoint is that of before the step, or before the
// validation after it.
func (f *fit) turn() error {
	if f.validates() { // an interrupt came before it
		if err := f.judgeNow(); err != nil {
			return err
		}
	}
	f.Elapsed = time.Since(f.begin)
	f.fitIntoTime()
	if f.Step >= f.Phase.Last || f.opts.Finish {
		reason := "all epochs done"
		switch {
		case f.opts.Finish:
			reason = "finished before its time"
		case f.Phase.Last < f.Phase.Planned:
			reason = OutOfTime
		case f.Phase.Final:
			reason = "no better loss for a while"
		}
		if f.Events > 0 { // the time was over before the next validation
			if _, err := f.judge(f.status.Rate); err != nil {
				return err
			}
		}
		f.History.Stopped = reason
		return nil
	}
	if f.Step%f.perEpoch == 0 {
		f.shuffle(uint64(f.Step / f.perEpoch))
	}
	f.status.Rate = f.rate() * f.Slower
	if err := f.oneStep(f.status.Rate); err != nil {
		return err
	}
	f.Elapsed = time.Since(f.begin)
	f.status.Validated = false
	if f.validates() {
		if err := f.judgeNow(); err != nil {
			return err
		}
	}
	f.show(&f.status)
	return nil
}

// validates reports whether a validation is due.
func (f *fit) validates() bool {
	return f.Events > 0 && (f.Step%f.Phase.Every == 0 || f.Step == f.Phase.Last)
}

// judgeNow judges within a phase.
func (f *fit) judgeNow() error {
	valid, err := f.judge(f.status.Rate)
	if err != nil {
		return err
	}
	f.status.Validated, f.status.Valid, f.status.Best = isFinite(valid), valid, f.History.Best
	return nil
}

// fitIntoTime plans fewer steps when, at the pace so far, there is no time for
// all and a validation, and as many as there is time for otherwise. A training that has
// time for all of them is not touched.
func (f *fit) fitIntoTime() {
	const enough = 20 // steps, to know the pace, or one where these take a tenth of the time
	p := &f.Phase
	made := f.Step - p.First
	left := f.opts.MaxTime - f.Elapsed - f.judging
	if f.opts.MaxTime == 0 || left > 0 && made < enough && (made == 0 || f.Elapsed-p.Begin < f.opts.MaxTime/10) {
		return
	}
	pace := float64(made) / max(float64(f.Elapsed-p.Begin), 1)
	last := f.Step + int(max(float64(left), 0)*pace)
	if p.Last = min(last, p.Planned); p.Last < p.Planned {
		// A validation of more rows than were trained on since the last one is a waste.
		rows := (f.valid.Len() + f.opts.Batch - 1) / f.opts.Batch
		p.Every = max((p.Last-p.First)/validations, rows, 1)
	}
}

// rate returns the learning rate at this place of the phase.
func (f *fit) rate() float64 {
	p := f.Phase
	return p.Rate * schedule(float64(f.Step-p.First)/float64(p.Last-p.First), p.First == 0)
}

// oneStep makes a step, or answers one that is not finite.
func (f *fit) oneStep(rate float64) error {
	lo := f.Step % f.perEpoch * f.opts.Batch
	batch := f.order[lo:min(lo+f.opts.Batch, f.train.Len())]
	loss, finite, err := f.step(batch, rate)
	if err != nil {
		return err
	}
	f.Step++
	if finite {
		f.Sum += loss * f.trainMean * float64(len(batch))
		f.Events += len(batch)
		f.Total += len(batch)
		return nil
	}
	return f.answerNotFinite()
}

// answerNotFinite goes back to the best parameters with half of the rate.
func (f *fit) answerNotFinite() error {
	h := &f.History
	if h.Rollbacks++; h.Rollbacks > maxRollbacks {
		return fmt.Errorf("training: the loss was not finite %d times, last at step %d: lower the learning rate or look for extreme values in the input", h.Rollbacks, f.Step)
	}
	f.goBack()
	f.Slower /= 2
	return nil
}

// goBack returns to the best parameters.
func (f *fit) goBack() {
	copy(f.params, f.Best)
	copy(f.Mean, f.Best)
	clear(f.M)
	clear(f.V)
	f.AdamStep = 0
	f.pack()
}

// judge validates, keeps the parameters if they are the best, and decides how to
// go on. It returns the loss.
func (f *fit) judge(rate float64) (float64, error) {
	h := &f.History
	candidate := f.params
	if f.Mean != nil { // validate the average, in the place of the parameters
		candidate = f.Mean
		f.swapMean()
	}
	begin := time.Now()
	loss, err := f.validate()
	if err != nil {
		if f.Mean != nil {
			f.swapMean()
		}
		return 0, err
	}
	point := Point{Step: f.Step, Valid: loss, Rate: rate, EventsPerSecond: f.pace()}
	if i, ok := f.obj.(Inverter); ok {
		n := min(roundTrips, f.valid.Len(), max(roundTripValues/f.valid.Dim, 1))
		point.RoundTrip, point.WorstRoundTrip = i.RoundTrip(f.valid.X[:n*f.valid.Dim], f.valid.C[:n*f.valid.Context])
	}
	if f.Mean != nil {
		f.swapMean()
	}
	f.judging = max(f.judging, time.Since(begin))
	point.Train = f.Sum / (f.trainMean * float64(f.Events))
	f.Sum, f.Events = 0, 0
	if !isFinite(loss) {
		return loss, f.answerNotFinite()
	}
	if loss < h.Best {
		h.Best, h.BestStep, f.Stale = loss, f.Step, 0
		copy(f.Best, candidate)
	} else {
		f.Stale++
	}
	h.Points = append(h.Points, point)
	if f.Stale < f.opts.Patience {
		return loss, nil
	}
	f.Stale = 0
	if f.Phase.Final {
		f.Phase.Last, f.Phase.Planned = f.Step, f.Step
		return loss, nil
	}
	last := f.Step + max(h.BestStep/4, f.Phase.Every)
	f.Phase = Phase{
		First: f.Step, Last: last, Planned: last, Every: f.Phase.Every, Begin: f.Elapsed,
		Rate: f.rate(), Final: true,
	}
	f.goBack()
	return loss, nil
}

// pace returns the number of events per second so far.
func (f *fit) pace() float64 {
	return float64(f.Total) / max(f.Elapsed, time.Microsecond).Seconds()
}

// swapMean exchanges the parameters and their average.
func (f *fit) swapMean() {
	for i, v := range f.params {
		f.params[i], f.Mean[i] = f.Mean[i], v
	}
	f.pack()
}

// show reports the status after a step.
func (f *fit) show(s *Status) {
	if f.opts.Progress == nil {
		return
	}
	s.Step, s.Steps, s.Epoch, s.Rollbacks = f.Step, f.Phase.Last, (f.Step-1)/f.perEpoch+1, f.History.Rollbacks
	s.Elapsed, s.EventsPerSecond = f.Elapsed, f.pace()
	if s.Validated {
		s.Train = f.History.Points[len(f.History.Points)-1].Train
	} else if f.Events > 0 {
		s.Train = f.Sum / (f.trainMean * float64(f.Events))
	}
	if made := f.Step - f.Phase.First; made > 0 {
		s.Left = time.Duration(float64(f.Elapsed-f.Phase.Begin) / float64(made) * float64(f.Phase.Last-f.Step))
	}
	f.opts.Progress(*s)
}

// schedule is the learning rate, relative to its peak, after the given fraction
// of a phase: a linear warm-up over its first hundredth, if asked for, then a
// cosine that falls to zero.
func schedule(done float64, warmUp bool) float64 {
	const warm = 0.01
	if warmUp && done < warm {
		return (done + 1e-4) / warm
	}
	if warmUp {
		done = (done - warm) / (1 - warm)
	}
	return 0.5 * (1 + math.Cos(math.Pi*done))
}

// shuffle puts the rows in the order of the given pass and refreshes their noise.
func (f *fit) shuffle(pass uint64) {
	for i := range f.order {
		f.order[i] = int32(i)
	}
	for i := len(f.order) - 1; i > 0; i-- { // Fisher and Yates
		j := int(philox.Uint64(f.opts.Seed, streamShuffle+pass, uint64(i)) % uint64(i+1))
		f.order[i], f.order[j] = f.order[j], f.order[i]
	}
	if f.train.Refresh != nil {
		f.train.Refresh(f.ctx, pass)
	}
}

// step makes one step on the rows of batch. It returns their mean loss, and
// false, with no step made, when that or the gradient is not finite. The error is that of
// the context, with no step made either.
func (f *fit) step(batch []int32, rate float64) (float64, bool, error) {
	f.batch, f.validating = batch, false
	f.pool.Run(len(f.workers), f.shardTask)
	if err := f.ctx.Err(); err != nil { // some rows may have been left out
		for _, g := range f.grads {
			clear(g)
		}
		return 0, false, err
	}
	loss := 0.0
	for _, l := range f.losses {
		loss += l
	}
	f.pool.Run(len(f.squares), f.reduceTask)
	norm := 0.0
	for _, s := range f.squares {
		norm += s
	}
	sum := f.trainMean * float64(len(batch))
	loss /= sum
	norm = math.Sqrt(norm) / sum
	if !isFinite(loss) || !isFinite(norm) {
		clear(f.grads[0])
		return loss, false, nil
	}
	f.AdamStep++
	f.adam.Step = f.AdamStep
	f.adam.Rate = float32(rate)
	f.scale = float32(1 / sum)
	if norm > f.opts.Clip {
		f.scale *= float32(f.opts.Clip / norm)
	}
	f.pool.Run(len(f.squares), f.updateTask)
	f.pack()
	return loss, true, nil
}

// validate returns the mean loss of all validation rows, or the error of the context.
func (f *fit) validate() (float64, error) {
	f.batch, f.validating = nil, true
	f.pool.Run(len(f.workers), f.shardTask)
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	loss := 0.0
	for _, l := range f.losses {
		loss += l
	}
	return loss / f.validSum, nil
}

// shard works on the i-th of equal contiguous parts of the batch.
func (f *fit) shard(i int) {
	n, data, grad := len(f.batch), &f.train, f.grads[i]
	if f.validating {
		n, data, grad = f.valid.Len(), &f.valid, nil
	}
	lo, hi := n*i/len(f.workers), n*(i+1)/len(f.workers)
	loss := 0.0
	for ; lo < hi && f.ctx.Err() == nil; lo += Tile {
		rows := f.tiles[i]
		rows.N = min(Tile, hi-lo)
		rows.X, rows.C, rows.W, rows.Index = rows.X[:rows.N*data.Dim], rows.C[:rows.N*data.Context], rows.W[:rows.N], rows.Index[:rows.N]
		if !f.validating {
			rows.Pass = uint64(f.Step/f.perEpoch) + 1
		}
		for r := range rows.N {
			row := lo + r
			if !f.validating {
				row = int(f.batch[row])
			}
			rows.Index[r] = int32(row)
			copy(rows.X[r*data.Dim:(r+1)*data.Dim], data.X[row*data.Dim:])
			copy(rows.C[r*data.Context:(r+1)*data.Context], data.C[row*data.Context:])
			rows.W[r] = 1
			if data.W != nil {
				rows.W[r] = data.W[row]
			}
		}
		loss += f.workers[i].Loss(grad, rows)
	}
	f.losses[i] = loss
}

// reduce adds the gradients of the shards, for the i-th chunk of the parameters,
// and clears all but the sum for the next step.
func (f *fit) reduce(i int) {
	sum := piece(f.grads[0], i)
	for _, g := range f.grads[1:] {
		optim.Drain(sum, piece(g, i))
	}
	f.squares[i] = optim.SumSquares(sum)
}

func (f *fit) update(i int) {
	g := piece(f.grads[0], i)
	f.adam.Update(piece(f.params, i), piece(f.M, i), piece(f.V, i), g, f.scale)
	clear(g)
	if f.Mean != nil {
		// At first the average is over fewer steps, so that it forgets the start.
		step := float64(f.AdamStep)
		mean, decay := piece(f.Mean, i), float32(min(f.opts.Average, step/(step+10)))
		for j, w := range piece(f.params, i) {
			mean[j] = decay*mean[j] + (1-decay)*w
		}
	}
}

func piece(flat []float32, i int) []float32 {
	return flat[i*chunk : min((i+1)*chunk, len(flat))]
}

func (f *fit) pack() { f.pool.Run(packParts, f.packTask) }

// packParts is the number of pieces in which parameters are packed.
const packParts = 8

func (f *fit) packPart(i int) { f.obj.Pack(i, packParts) }

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
