package training

import (
	"cmp"
	"fmt"
	"math"
	"time"
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
	// Passes multiplies the number of passes that is the default; by default 1.
	Passes float64 `json:"passes,omitempty"`
	// MaxTime ends the training in time; 0 means no limit. When at the pace so far there
	// is not the time for all steps, fewer are planned, and the learning rate falls
	// accordingly. Such a training depends on the speed of the machine and cannot
	// be repeated to the bit.
	MaxTime time.Duration `json:"max_time,omitempty"`
	// Batch is the number of events per step; by default a twentieth of them, at least
	// 32 and at most 512.
	Batch int `json:"batch,omitempty"`
	// Rate is the highest learning rate of the cosine schedule; by default 1e-3.
	Rate float64 `json:"rate,omitempty"`
	// Clip is the largest norm of the gradient: a longer one is made so short; by
	// default 5.
	Clip float64 `json:"clip,omitempty"`
	// Patience is the number of validations (of about 100) without a better
	// loss after which the training turns to its last phase, and there to its
	// end; by default 15; [Off]: all epochs are made.
	Patience int `json:"patience,omitempty"`
	// Decay is the decoupled weight decay (arXiv:1711.05101), relative to the learning
	// rate; by default, and when [Off], there is none.
	Decay float64 `json:"decay,omitempty"`
	// Average is the decay per step of an exponential moving average of the parameters,
	// such as 0.999; the average is validated and kept. By default, and when [Off], there
	// is none.
	Average float64 `json:"average,omitempty"`
	// Seed chooses the order of the events, and the deviates that a loss draws.
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
	// Save, when not nil, is given a checkpoint every SaveEvery and when ctx is
	// cancelled after a step. The memory belongs to the training: Save must have copied or
	// written it when it returns. An error of Save ends the training.
	Save func(*Checkpoint) error `json:"-"`
	// SaveEvery is the time between checkpoints; by default one minute.
	SaveEvery time.Duration `json:"-"`
	// SaveLast gives Save a checkpoint at the end, too, for what follows a training: who goes on from it makes no further
	// step.
	SaveLast bool `json:"-"`
}

// maxBatch keeps a mistyped batch from making a training of one step.
const maxBatch = 1 << 20

// Check says which option makes no sense, if any.
func (o Options) Check() error {
	switch {
	case o.Epochs < 0:
		return fmt.Errorf("the number of epochs cannot be %d", o.Epochs)
	case !(o.Passes >= 0 && o.Passes < 1000):
		return fmt.Errorf("the default number of epochs cannot be multiplied by %g", o.Passes)
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

// Since returns the options for the rest of a training that began at the given time: with
// less time, if that is limited.
func (o Options) Since(begin time.Time) Options {
	if o.MaxTime > 0 {
		o.MaxTime = max(o.MaxTime-time.Since(begin), 1)
	}
	return o
}

// EpochsOr returns the number of epochs: the one that is asked for, or else Passes times that which is the default for some events and a
// model; at least 1.
func (o Options) EpochsOr(byDefault int) int {
	if o.Epochs > 0 || o.Passes == 0 {
		return cmp.Or(o.Epochs, byDefault)
	}
	return max(int(math.Round(o.Passes*float64(byDefault))), 1)
}

// Complete returns the options for n events to train on, with the defaults in the place of zeros. What is
// complete stays as it is.
func (o Options) Complete(n int) Options {
	o.Epochs = o.EpochsOr(min(max(12_000_000/n, 1), 500))
	o.Batch = min(cmp.Or(o.Batch, min(max(n/20, 32), 512)), n)
	o.Rate, o.Clip = cmp.Or(o.Rate, 1e-3), cmp.Or(o.Clip, 5)
	switch o.Patience {
	case 0:
		o.Patience = 15
	case Off:
		o.Patience = math.MaxInt
	}
	if o.SaveEvery <= 0 {
		o.SaveEvery = time.Minute
	}
	return o
}
