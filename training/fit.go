package training

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/eidolon-hep/eidolon/kernels/philox"
)

// Fit trains the parameters of obj on the rows of train by Adam
// (arXiv:1412.6980) and leaves those with the lowest loss on valid, which may be empty
// (then train serves).
//
// The learning rate follows a cosine after a short warm-up. When there has been
// no better loss for a while, the training goes back to the best parameters and
// lets the rate fall to zero from there, in a quarter of the steps that they took.
// After a loss that is not finite it goes back to the best parameters, too, and goes on with
// half of the rate: the parameters of the step before have led there and have not been
// validated. When ctx is cancelled the training stops within a step or a validation, which
// then does not count; the parameters are the best ones so far, and the error of ctx is
// returned.
//
// For equal seeds the result is the same to the bit for any GOMAXPROCS.
//
// Gradients are divided by the expected sum of weights of a batch, so that
// weights of both signs need no care. The sum over all events must be positive.
func Fit(ctx context.Context, obj Objective, train, valid Data, opts Options) (History, error) {
	f, err := newFit(obj, train, valid, opts)
	if err != nil {
		return History{}, err
	}
	defer f.pool.Close()
	err = f.run(ctx)
	copy(f.Params, f.Best)
	f.pack()
	return f.History, err
}

// fit is a training: the order of the rows, the steps on them, the validations, and what is
// decided after these.
type fit struct {
	*Checkpoint
	*stepper
	opts          Options
	stepsPerEpoch int
	order         []int32       // the rows in the order of this pass
	begin         time.Time     // as if there had been no stop
	validation    time.Duration // the longest that one took
	status        Status
}

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
		if err := d.check(); err != nil {
			return nil, err
		}
	}
	if t, v := train.sumOfWeights(), valid.sumOfWeights(); t <= 0 || v <= 0 {
		return nil, fmt.Errorf("training: the sum of weights is not positive: %g for training, %g for validation", t, v)
	}
	if err := opts.Check(); err != nil {
		return nil, err
	}
	f := &fit{opts: opts.Complete(n), order: make([]int32, n), Checkpoint: opts.Resume}
	f.opts.Decay, f.opts.Average = max(f.opts.Decay, 0), max(f.opts.Average, 0) // without those that are Off
	f.stepsPerEpoch = (n + f.opts.Batch - 1) / f.opts.Batch
	params := obj.Params()
	if f.Checkpoint == nil {
		f.Checkpoint = newCheckpoint(params, f.opts, f.stepsPerEpoch)
	} else if err := f.checkFor(f.opts, n, len(params), f.stepsPerEpoch); err != nil {
		return nil, err
	} else {
		copy(params, f.Params)
		f.Params = params
	}
	f.stepper = newStepper(f.Checkpoint, obj, train, valid, f.opts)
	return f, nil
}

// run trains until there is a reason to stop.
func (f *fit) run(ctx context.Context) error {
	f.ctx = ctx
	f.begin = time.Now().Add(-f.Elapsed)
	f.pack()
	h := &f.History
	if f.Step == 0 {
		loss, err := f.validate()
		if err != nil {
			return err
		}
		f.validation = time.Since(f.begin)
		if h.Best = loss; !isFinite(loss) {
			return fmt.Errorf("training: the loss of the untrained model is %g: the input is out of range", loss)
		}
	} else if f.Step%f.stepsPerEpoch != 0 {
		f.shuffle()
	}
	f.status = Status{Valid: h.Best, Best: h.Best}
	saved := time.Now()
	for h.Stopped = ""; h.Stopped == ""; {
		err := f.advance()
		interrupted := ctx.Err() != nil && h.Stopped == ""
		if err != nil && !interrupted {
			return err
		}
		if interrupted {
			h.Stopped = "interrupted"
		}
		if f.opts.Save != nil && (interrupted && f.Step > 0 || h.Stopped == "" && time.Since(saved) > f.opts.SaveEvery) {
			if err := f.opts.Save(f.Checkpoint); err != nil {
				return err
			}
			saved = time.Now()
		}
		if interrupted {
			return ctx.Err()
		}
	}
	if f.opts.SaveLast && f.opts.Save != nil {
		return f.opts.Save(f.Checkpoint)
	}
	return nil
}

// advance makes a step and the validation that is due after it, or says why the training
// has stopped. When the context is cancelled within it, the checkpoint is that of before the
// step, or before the validation.
func (f *fit) advance() error {
	if f.validationDue() { // an interrupt came before it
		if err := f.judge(); err != nil {
			return err
		}
	}
	f.Elapsed = time.Since(f.begin)
	f.fitIntoTime()
	if f.Step >= f.Phase.Last || f.opts.Finish {
		return f.end()
	}
	if f.Step%f.stepsPerEpoch == 0 {
		f.shuffle()
	}
	f.status.Rate = f.rate()
	if err := f.oneStep(f.status.Rate); err != nil {
		return err
	}
	f.Elapsed = time.Since(f.begin)
	f.status.Validated = false
	if f.validationDue() {
		if err := f.judge(); err != nil {
			return err
		}
	}
	f.report()
	return nil
}

// end validates what has not been validated, and says why the training has stopped.
func (f *fit) end() error {
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
		if err := f.judge(); err != nil {
			return err
		}
	}
	f.History.Stopped = reason
	return nil
}

// streamShuffle is the first of the streams of a seed that shuffles are drawn from.
const streamShuffle = 1 << 32

// pass is the number of the pass over the rows, from 0, that the next step belongs to.
func (f *fit) pass() uint64 { return uint64(f.Step / f.stepsPerEpoch) }

// shuffle puts the rows in the order of this pass and refreshes their noise.
func (f *fit) shuffle() {
	for i := range f.order {
		f.order[i] = int32(i)
	}
	for i := len(f.order) - 1; i > 0; i-- { // Fisher and Yates
		j := int(philox.Uint64(f.opts.Seed, streamShuffle+f.pass(), uint64(i)) % uint64(i+1))
		f.order[i], f.order[j] = f.order[j], f.order[i]
	}
	if f.train.Refresh != nil {
		f.train.Refresh(f.ctx, f.pass())
	}
}

// oneStep makes a step on the next batch; where its loss is not finite it rolls back.
func (f *fit) oneStep(rate float64) error {
	lo := f.Step % f.stepsPerEpoch * f.opts.Batch
	batch := f.order[lo:min(lo+f.opts.Batch, len(f.order))]
	loss, finite, err := f.step(batch, f.pass()+1, rate)
	if err != nil {
		return err
	}
	f.Step++
	if !finite {
		return f.rollBack()
	}
	f.Sum += loss * f.expectedWeight(batch)
	f.Events += len(batch)
	f.Total += len(batch)
	return nil
}

// maxRollbacks is how often a training may go back because of a loss that is not finite
// before it is given up.
const maxRollbacks = 10

// rollBack goes back to the best parameters with half of the rate.
func (f *fit) rollBack() error {
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
	copy(f.Params, f.Best)
	copy(f.Mean, f.Best)
	clear(f.M)
	clear(f.V)
	f.AdamStep = 0
	f.pack()
}

// validationDue reports whether the steps since the last validation ask for one.
func (f *fit) validationDue() bool {
	return f.Events > 0 && (f.Step%f.Phase.Every == 0 || f.Step == f.Phase.Last)
}

// judge validates, keeps the parameters if they are the best, and decides how to
// go on.
func (f *fit) judge() error {
	point, err := f.measure()
	if err != nil {
		return err
	}
	f.Sum, f.Events = 0, 0
	h := &f.History
	loss, finite := point.Valid, isFinite(point.Valid)
	defer func() { f.status.Validated, f.status.Valid, f.status.Best = finite, loss, h.Best }()
	if !finite {
		return f.rollBack()
	}
	if loss < h.Best {
		h.Best, h.BestStep, f.Stale = loss, f.Step, 0
		copy(f.Best, f.candidate())
	} else {
		f.Stale++
	}
	h.Points = append(h.Points, point)
	if f.Stale >= f.opts.Patience {
		f.Stale = 0
		f.nextPhase()
	}
	return nil
}

// An Inverter is asked about so many rows at a validation, and so many of their values.
const (
	roundTrips      = 1 << 10
	roundTripValues = 1 << 17
)

// measure validates the parameters, or in their place the average of them that is wanted.
func (f *fit) measure() (Point, error) {
	if f.Mean != nil {
		f.swapMean()
		defer f.swapMean()
	}
	begin := time.Now()
	loss, err := f.validate()
	if err != nil {
		return Point{}, err
	}
	p := Point{Step: f.Step, Train: f.trainLoss(), Valid: loss, Rate: f.status.Rate, EventsPerSecond: f.pace()}
	if i, ok := f.obj.(Inverter); ok {
		n := min(roundTrips, f.valid.Len(), max(roundTripValues/f.valid.Dim, 1))
		p.RoundTrip, p.WorstRoundTrip = i.RoundTrip(f.valid.X[:n*f.valid.Dim], f.valid.C[:n*f.valid.Context])
	}
	f.validation = max(f.validation, time.Since(begin))
	return p, nil
}

// candidate returns what is validated and kept: the parameters, or their average.
func (f *fit) candidate() []float32 {
	if f.Mean != nil {
		return f.Mean
	}
	return f.Params
}

// swapMean exchanges the parameters and their average.
func (f *fit) swapMean() {
	for i, v := range f.Params {
		f.Params[i], f.Mean[i] = f.Mean[i], v
	}
	f.pack()
}

// trainLoss is the mean loss of the steps since the last validation.
func (f *fit) trainLoss() float64 { return f.Sum / (f.trainMean * float64(f.Events)) }

// pace returns the number of events per second so far.
func (f *fit) pace() float64 {
	return float64(f.Total) / max(f.Elapsed, time.Microsecond).Seconds()
}

// nextPhase goes back to the best parameters, from which the last phase begins, or ends it.
func (f *fit) nextPhase() {
	if f.Phase.Final {
		f.Phase.Last, f.Phase.Planned = f.Step, f.Step
		return
	}
	last := f.Step + max(f.History.BestStep/4, f.Phase.Every)
	f.Phase = Phase{
		First: f.Step, Last: last, Planned: last, Every: f.Phase.Every, Begin: f.Elapsed,
		Rate: f.Phase.rate(f.Step), Final: true,
	}
	f.goBack()
}

// fitIntoTime plans fewer steps when, at the pace so far, there is no time for
// all and a validation, and as many as there is time for otherwise. A training that has
// time for all of them is not touched.
func (f *fit) fitIntoTime() {
	const enough = 20 // steps, to know the pace, or one where these take a tenth of the time
	p := &f.Phase
	made := f.Step - p.First
	remaining := f.opts.MaxTime - f.Elapsed - f.validation
	if f.opts.MaxTime == 0 || remaining > 0 && made < enough && (made == 0 || f.Elapsed-p.Begin < f.opts.MaxTime/10) {
		return
	}
	pace := float64(made) / max(float64(f.Elapsed-p.Begin), 1)
	last := f.Step + int(max(float64(remaining), 0)*pace)
	if p.Last = min(last, p.Planned); p.Last < p.Planned {
		// A validation of more rows than were trained on since the last one is a waste.
		rows := (f.valid.Len() + f.opts.Batch - 1) / f.opts.Batch
		p.Every = max((p.Last-p.First)/validations, rows, 1)
	}
}

// rate returns the learning rate of the next step.
func (f *fit) rate() float64 { return f.Phase.rate(f.Step) * f.Slower }

// rate returns the learning rate of the phase after so many steps of the training.
func (p Phase) rate(step int) float64 {
	return p.Rate * schedule(float64(step-p.First)/float64(p.Last-p.First), p.First == 0)
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

// report shows the status after a step.
func (f *fit) report() {
	if f.opts.Progress == nil {
		return
	}
	s := &f.status
	s.Step, s.Steps, s.Epoch, s.Rollbacks = f.Step, f.Phase.Last, (f.Step-1)/f.stepsPerEpoch+1, f.History.Rollbacks
	s.Elapsed, s.EventsPerSecond = f.Elapsed, f.pace()
	if s.Validated {
		s.Train = f.History.Points[len(f.History.Points)-1].Train
	} else if f.Events > 0 {
		s.Train = f.trainLoss()
	}
	if made := f.Step - f.Phase.First; made > 0 {
		s.Remaining = time.Duration(float64(f.Elapsed-f.Phase.Begin) / float64(made) * float64(f.Phase.Last-f.Step))
	}
	f.opts.Progress(*s)
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
