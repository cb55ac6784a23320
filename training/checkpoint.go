package training

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Checkpoint is all that a training needs to go on. It can be written as JSON,
// but for the vectors, which have the length of the parameters.
type Checkpoint struct {
	Params, M, V []float32 `json:"-"` // the parameters and Adam's moments
	Best         []float32 `json:"-"` // the best parameters so far
	Mean         []float32 `json:"-"` // the moving average of the parameters; nil unless asked for

	Step     int           `json:"step"`      // steps done
	AdamStep int           `json:"adam_step"` // of them since the moments were zero
	Phase    Phase         `json:"phase"`
	Slower   float64       `json:"slower"`  // factor on the learning rate
	Stale    int           `json:"stale"`   // validations since the last better loss
	Sum      float64       `json:"sum"`     // Σ w·loss since the last validation
	Events   int           `json:"events"`  // events seen since the last validation
	Total    int           `json:"total"`   // events seen
	Elapsed  time.Duration `json:"elapsed"` // time spent in steps and validations
	History  History       `json:"history"`
}

// Phase is a part of a training over which the learning rate falls to zero.
type Phase struct {
	First int           `json:"first"` // the step before it
	Last  int           `json:"last"`  // its last step
	Begin time.Duration `json:"begin"` // time at First
	Rate  float64       `json:"rate"`  // highest learning rate
	Final bool          `json:"final"` // whether the training ends with it

	Planned int `json:"planned"` // its last step if there is time
	Every   int `json:"every"`   // steps between validations
}

// validations is the number of validations that a full training makes, or more, so
// that there are at most 10 epochs between them.
const validations = 100

// newCheckpoint is that of a training of the parameters which begins. The checkpoint works
// on the memory of the parameters.
func newCheckpoint(params []float32, o Options, stepsPerEpoch int) *Checkpoint {
	steps := stepsPerEpoch * o.Epochs
	c := &Checkpoint{
		Params: params, M: make([]float32, len(params)), V: make([]float32, len(params)), Best: slices.Clone(params),
		Phase:   Phase{Last: steps, Planned: steps, Every: max(min(steps/validations, 10*stepsPerEpoch), 1), Rate: o.Rate},
		Slower:  1,
		History: History{Epochs: o.Epochs, Batch: o.Batch},
	}
	if o.Average > 0 {
		c.Mean = slices.Clone(params)
	}
	return c
}

// Beginning returns the checkpoint of a training that has to begin anew: it has no parameters.
func Beginning() *Checkpoint {
	return &Checkpoint{Phase: Phase{Every: 1}, Slower: 1, History: History{Epochs: 1, Batch: 1}}
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

// checkFor reports whether a training with the options, of n events and so many parameters,
// can go on from the checkpoint.
func (c *Checkpoint) checkFor(o Options, n, params, stepsPerEpoch int) error {
	if err := c.Check(); err != nil {
		return err
	}
	h := c.History
	switch {
	case len(c.Params) != params:
		return fmt.Errorf("training: the checkpoint has %d parameters, the model %d", len(c.Params), params)
	case h.Batch != o.Batch || h.Epochs != o.Epochs || (len(c.Mean) > 0) != (o.Average > 0):
		return errors.New("training: the checkpoint was taken with other options")
	case c.Phase.Planned > 2*stepsPerEpoch*o.Epochs+c.Phase.Every || c.Events > n*o.Epochs:
		return errors.New("training: the checkpoint is of a longer training")
	}
	return nil
}
