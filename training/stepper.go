package training

import (
	"context"
	"math"

	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/kernels/optim"
)

// stepper computes the steps and the validations of a training on all processors.
//
// The rows are cut into shards by their number alone, each shard has a gradient of its own,
// and these are added in order: that is how the result does not depend on the number of
// processors. A step allocates nothing.
type stepper struct {
	ctx          context.Context
	at           *Checkpoint // whose parameters and moments the steps change
	obj          Objective
	train, valid Data
	trainMean    float64 // mean weight of a row of train
	validSum     float64 // sum of the weights of valid
	clip         float64 // Options.Clip
	average      float64 // Options.Average
	adam         optim.Adam

	pool    *parallel.Pool
	workers []Worker    // one for each shard, and so the following
	tiles   []Rows      // the memory that the rows of a tile are gathered into
	grads   [][]float32 // gradients
	losses  []float64   // sums of w·loss

	// What the pieces of work are told.
	batch                                       []int32   // the numbers of the rows of this step; nil for all of valid
	pass                                        uint64    // the number of the pass over the rows, from 1; 0 to validate
	scale                                       float32   // factor on the gradient
	squares                                     []float64 // the squared norms of the chunks of the gradient
	shardTask, reduceTask, updateTask, packTask func(i int)
}

// chunk is the number of parameters that one piece of the optimiser's work has.
const chunk = 1 << 13

func newStepper(at *Checkpoint, obj Objective, train, valid Data, o Options) *stepper {
	s := &stepper{
		ctx: context.Background(), at: at, obj: obj, train: train, valid: valid,
		trainMean: train.sumOfWeights() / float64(train.Len()), validSum: valid.sumOfWeights(),
		clip: o.Clip, average: o.Average,
		adam:    optim.Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Decay: float32(o.Decay)},
		pool:    parallel.NewPool(),
		squares: make([]float64, (len(at.Params)+chunk-1)/chunk),
	}
	// A shard has two tiles, so that there is not too much to add up, or one where two
	// would leave processors idle.
	shards := max(min(o.Batch/Tile, 4), min(o.Batch/(2*Tile), 8), 1)
	s.losses = make([]float64, shards)
	for range shards {
		s.workers = append(s.workers, obj.NewWorker())
		s.tiles = append(s.tiles, newTile(train, o.Seed))
		s.grads = append(s.grads, make([]float32, len(at.Params)))
	}
	s.shardTask, s.reduceTask, s.updateTask, s.packTask = s.shard, s.reduce, s.update, s.packPart
	return s
}

// expectedWeight is the sum of weights that a batch has in the mean.
func (s *stepper) expectedWeight(batch []int32) float64 { return s.trainMean * float64(len(batch)) }

// step makes one step on the rows of batch in a pass, from 1. It returns their mean loss, and
// false, with no step made, when that or the gradient is not finite. The error is that of
// the context, with no step made either.
func (s *stepper) step(batch []int32, pass uint64, rate float64) (float64, bool, error) {
	s.batch, s.pass = batch, pass
	loss := s.sumOfLosses()
	if err := s.ctx.Err(); err != nil { // some rows may have been left out
		for _, g := range s.grads {
			clear(g)
		}
		return 0, false, err
	}
	s.pool.Run(len(s.squares), s.reduceTask)
	norm := 0.0
	for _, square := range s.squares {
		norm += square
	}
	sum := s.expectedWeight(batch)
	loss /= sum
	norm = math.Sqrt(norm) / sum
	if !isFinite(loss) || !isFinite(norm) {
		clear(s.grads[0])
		return loss, false, nil
	}
	s.at.AdamStep++
	s.adam.Step, s.adam.Rate = s.at.AdamStep, float32(rate)
	s.scale = float32(1 / sum)
	if norm > s.clip {
		s.scale *= float32(s.clip / norm)
	}
	s.pool.Run(len(s.squares), s.updateTask)
	s.pack()
	return loss, true, nil
}

// validate returns the mean loss of all validation rows, or the error of the context.
func (s *stepper) validate() (float64, error) {
	s.batch, s.pass = nil, 0
	loss := s.sumOfLosses() / s.validSum
	return loss, s.ctx.Err()
}

// sumOfLosses returns Σ w·loss over the rows that are looked at; in a step it leaves their
// gradient in the parts of the shards.
func (s *stepper) sumOfLosses() float64 {
	s.pool.Run(len(s.workers), s.shardTask)
	loss := 0.0
	for _, l := range s.losses {
		loss += l
	}
	return loss
}

// shard works on the i-th of equal contiguous parts of the rows.
func (s *stepper) shard(i int) {
	n, data, grad := len(s.batch), &s.train, s.grads[i]
	if s.pass == 0 {
		n, data, grad = s.valid.Len(), &s.valid, nil
	}
	lo, hi := n*i/len(s.workers), n*(i+1)/len(s.workers)
	loss := 0.0
	for ; lo < hi && s.ctx.Err() == nil; lo += Tile {
		rows := s.tiles[i].gather(data, s.batch, lo, min(Tile, hi-lo))
		rows.Pass = s.pass
		loss += s.workers[i].Loss(grad, rows)
	}
	s.losses[i] = loss
}

// reduce adds the gradients of the shards, for the i-th chunk of the parameters,
// and clears all but the sum for the next step.
func (s *stepper) reduce(i int) {
	sum := piece(s.grads[0], i)
	for _, g := range s.grads[1:] {
		optim.Drain(sum, piece(g, i))
	}
	s.squares[i] = optim.SumSquares(sum)
}

// update makes Adam's step, for the i-th chunk of the parameters, and clears the gradient.
func (s *stepper) update(i int) {
	at, g := s.at, piece(s.grads[0], i)
	s.adam.Update(piece(at.Params, i), piece(at.M, i), piece(at.V, i), g, s.scale)
	clear(g)
	if at.Mean != nil {
		// At first the average is over fewer steps, so that it forgets the start.
		step := float64(at.AdamStep)
		mean, decay := piece(at.Mean, i), float32(min(s.average, step/(step+10)))
		for j, w := range piece(at.Params, i) {
			mean[j] = decay*mean[j] + (1-decay)*w
		}
	}
}

func piece(flat []float32, i int) []float32 {
	return flat[i*chunk : min((i+1)*chunk, len(flat))]
}

// packParts is the number of pieces in which parameters are packed.
const packParts = 8

// pack lets the objective take over changed parameters.
func (s *stepper) pack() { s.pool.Run(packParts, s.packTask) }

func (s *stepper) packPart(i int) { s.obj.Pack(i, packParts) }
