package nn

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/eidolon-hep/eidolon/kernels/optim"
	"github.com/eidolon-hep/eidolon/kernels/philox"
)

// Data are the rows that a model is trained or validated on.
type Data struct {
	X []float32 // n×Dim
	C []float32 // the context, n×Context
	W []float32 // the weights of the rows, n; nil means 1 each

	Dim, Context int

	// Refresh, when not nil, is called before every pass over the rows and may
	// change X and C: it draws the fresh noise of dequantised columns.
	Refresh func(pass uint64)
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
}

// Objective is what Fit minimises: the weighted mean of a loss per row.
type Objective interface {
	// Params returns the parameters to be found.
	Params() *Params
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

// Options say how a model is trained. Zero values ask for the defaults, which
// look at the data.
type Options struct {
	// Epochs is the number of passes over the events; by default as many as
	// make 12 million events, but at most 500.
	Epochs int
	// MaxTime ends the training in time, with the learning rate lowered
	// accordingly; 0 means no limit. A training that runs into it depends on the
	// speed of the machine and cannot be repeated to the bit.
	MaxTime time.Duration
	// Batch is the number of events per step; by default 512, fewer for small
	// samples.
	Batch int
	// Rate is the highest learning rate of the cosine schedule; by default 1e-3.
	Rate float64
	// Clip bounds the norm of the gradient; by default 5.
	Clip float64
	// Patience is the number of validations (of about 100) without a better
	// loss after which the training ends; by default 30.
	Patience int
	// Seed chooses the order of the events.
	Seed uint64
	// Progress, when not nil, is called after every step.
	Progress func(Status)
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

// maxRollbacks is how often a training may start again from its last good state
// before it is given up.
const maxRollbacks = 10

// validations is the number of validations that a full training makes.
const validations = 100

// Deviates of a training come from these streams of its seed.
const streamShuffle = 1 << 32

// Fit trains the parameters of obj on the rows of train by Adam
// (arXiv:1412.6980) with a cosine schedule after a short warm-up, and leaves
// those with the lowest loss on valid. It stops early when there is no better
// one for a while, when the time is over, or when ctx is cancelled; the
// parameters are then the best ones so far, and the error in the last case is
// that of ctx.
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
	defer f.pool.close()
	return f.run(ctx)
}

type fit struct {
	obj          Objective
	train, valid Data
	opts         Options
	pool         *pool

	trainMean  float64 // mean weight
	validSum   float64 // sum of weights
	workers    []Worker
	tiles      []Rows      // the memory that the rows of a worker's tile are gathered into
	grads      [][]float32 // of the shards
	losses     []float64   // of the shards
	m, v       []float32   // Adam's moments
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
		return nil, errors.New("nn: no event to train on")
	}
	if valid.Len() == 0 {
		valid = train
		valid.Refresh = nil
	}
	if opts.Epochs <= 0 {
		opts.Epochs = min(max(12_000_000/n, 1), 500)
	}
	if opts.Batch <= 0 {
		opts.Batch = min(max(n/20, 32), 512)
	}
	opts.Batch = min(opts.Batch, n)
	if opts.Rate <= 0 {
		opts.Rate = 1e-3
	}
	if opts.Clip <= 0 {
		opts.Clip = 5
	}
	if opts.Patience <= 0 {
		opts.Patience = 30
	}

	f := &fit{obj: obj, train: train, valid: valid, opts: opts}
	trainSum := f.sumOfWeights(train)
	f.validSum = f.sumOfWeights(valid)
	if trainSum <= 0 || f.validSum <= 0 {
		return nil, fmt.Errorf("nn: the sum of weights is not positive: %g for training, %g for validation", trainSum, f.validSum)
	}
	f.trainMean = trainSum / float64(n)

	f.pool = newPool()
	size := len(obj.Params().Value)
	shards := min(max(opts.Batch/(2*Tile), 1), 8)
	f.workers = make([]Worker, shards)
	f.tiles = make([]Rows, shards)
	f.grads = make([][]float32, shards)
	f.losses = make([]float64, shards)
	for i := range shards {
		f.workers[i] = obj.NewWorker()
		f.tiles[i] = Rows{
			X: make([]float32, Tile*train.Dim),
			C: make([]float32, Tile*train.Context),
			W: make([]float32, Tile),
		}
		f.grads[i] = make([]float32, size)
	}
	f.m, f.v = make([]float32, size), make([]float32, size)
	f.squares = make([]float64, (size+chunk-1)/chunk)
	f.order = make([]int32, n)
	f.shardTask, f.reduceTask, f.updateTask, f.packTask = f.shard, f.reduce, f.update, f.packPart
	f.adam = optim.Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
	return f, nil
}

func (f *fit) sumOfWeights(d Data) float64 {
	if d.W == nil {
		return float64(d.Len())
	}
	sum := 0.0
	for _, w := range d.W {
		sum += float64(w)
	}
	return sum
}

func (f *fit) run(ctx context.Context) (History, error) {
	var (
		perEpoch = (f.train.Len() + f.opts.Batch - 1) / f.opts.Batch
		steps    = perEpoch * f.opts.Epochs
		every    = max(steps/validations, 1)
		params   = f.obj.Params().Value
		best     = append([]float32(nil), params...)
		good     = newSnapshot(params, f.m, f.v)
		h        = History{Epochs: f.opts.Epochs, Batch: f.opts.Batch}
		status   = Status{Steps: steps}
		start    = time.Now()
		slower   = 1.0 // factor on the learning rate
		sum      float64
		events   int // in sum
		stale    int // validations without a better loss
		lastRate float64
	)
	f.pack()
	h.Best = f.validate()
	if !isFinite(h.Best) {
		return h, fmt.Errorf("nn: the loss of the untrained model is %g: the input is out of range", h.Best)
	}
	status.Valid, status.Best = h.Best, h.Best
	h.Stopped = "all epochs done"

	var failed error
	total := 0
	for step := 1; step <= steps; step++ {
		if failed = ctx.Err(); failed != nil {
			h.Stopped = "interrupted"
			break
		}
		epoch, inEpoch := (step-1)/perEpoch, (step-1)%perEpoch
		if inEpoch == 0 {
			f.shuffle(uint64(epoch))
		}
		done := float64(step-1) / float64(steps)
		if f.opts.MaxTime > 0 {
			done = max(done, float64(time.Since(start))/float64(f.opts.MaxTime))
			if done >= 1 {
				h.Stopped = "time is over"
				break
			}
		}
		lastRate = f.opts.Rate * slower * schedule(done)

		lo := inEpoch * f.opts.Batch
		hi := min(lo+f.opts.Batch, f.train.Len())
		loss, finite := f.step(f.order[lo:hi], lastRate)
		if !finite {
			h.Rollbacks++
			if h.Rollbacks > maxRollbacks {
				return h, fmt.Errorf("nn: the loss was not finite %d times, last at step %d: lower the learning rate or look for extreme values in the input", h.Rollbacks, step)
			}
			good.restore(params, f.m, f.v)
			slower /= 2
			f.adam.Step = good.step
			f.pack()
			continue
		}
		sum += loss * f.trainMean * float64(hi-lo)
		events += hi - lo
		total += hi - lo

		status.Step, status.Epoch, status.Rate, status.Rollbacks = step, epoch+1, lastRate, h.Rollbacks
		status.Validated = step%every == 0 || step == steps
		if status.Validated {
			valid := f.validate()
			if isFinite(valid) {
				good.save(params, f.m, f.v)
				good.step = f.adam.Step
			}
			if valid < h.Best {
				h.Best, h.BestStep, stale = valid, step, 0
				copy(best, params)
			} else {
				stale++
			}
			status.Valid, status.Best = valid, h.Best
		}
		status.Train = sum / (f.trainMean * float64(events))
		status.Elapsed = time.Since(start)
		status.EventsPerSecond = float64(total) / status.Elapsed.Seconds()
		fraction := max(float64(step)/float64(steps), done)
		status.Left = time.Duration(float64(status.Elapsed) * (1 - fraction) / fraction)
		if status.Validated {
			h.Points = append(h.Points, Point{step, status.Train, status.Valid, lastRate, status.EventsPerSecond})
			sum, events = 0, 0
		}
		if f.opts.Progress != nil {
			f.opts.Progress(status)
		}
		if stale >= f.opts.Patience {
			h.Stopped = "no better loss for a while"
			break
		}
	}
	if events > 0 { // steps since the last validation
		if valid := f.validate(); valid < h.Best {
			h.Best, h.BestStep = valid, status.Step
			copy(best, params)
		}
	}
	copy(params, best)
	f.pack()
	return h, failed
}

// schedule is the learning rate, relative to its peak, after the given fraction
// of a training: a linear warm-up over its first hundredth, then a cosine that
// falls to zero.
func schedule(done float64) float64 {
	const warm = 0.01
	if done < warm {
		return (done + 1e-4) / warm
	}
	return 0.5 * (1 + math.Cos(math.Pi*(done-warm)/(1-warm)))
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
		f.train.Refresh(pass)
	}
}

// step makes one step on the rows of batch. It returns their mean loss, and
// false, with no step made, when that or the gradient is not finite.
func (f *fit) step(batch []int32, rate float64) (float64, bool) {
	f.batch, f.validating = batch, false
	f.pool.run(len(f.workers), f.shardTask)
	loss := 0.0
	for _, l := range f.losses {
		loss += l
	}
	f.pool.run(len(f.squares), f.reduceTask)
	norm := 0.0
	for _, s := range f.squares {
		norm += s
	}
	sum := f.trainMean * float64(len(batch))
	loss /= sum
	norm = math.Sqrt(norm) / sum
	if !isFinite(loss) || !isFinite(norm) {
		clear(f.grads[0])
		return loss, false
	}
	f.adam.Step++
	f.adam.Rate = float32(rate)
	f.scale = float32(1 / sum)
	if norm > f.opts.Clip {
		f.scale *= float32(f.opts.Clip / norm)
	}
	f.pool.run(len(f.squares), f.updateTask)
	f.pack()
	return loss, true
}

// validate returns the mean loss of all validation rows.
func (f *fit) validate() float64 {
	f.batch, f.validating = nil, true
	f.pool.run(len(f.workers), f.shardTask)
	loss := 0.0
	for _, l := range f.losses {
		loss += l
	}
	return loss / f.validSum
}

// shard works on the i-th of equal contiguous parts of the batch.
func (f *fit) shard(i int) {
	n, data, grad := len(f.batch), &f.train, f.grads[i]
	if f.validating {
		n, data, grad = f.valid.Len(), &f.valid, nil
	}
	lo, hi := n*i/len(f.workers), n*(i+1)/len(f.workers)
	loss := 0.0
	for ; lo < hi; lo += Tile {
		rows := f.tiles[i]
		rows.N = min(Tile, hi-lo)
		rows.X, rows.C, rows.W = rows.X[:rows.N*data.Dim], rows.C[:rows.N*data.Context], rows.W[:rows.N]
		for r := range rows.N {
			row := lo + r
			if !f.validating {
				row = int(f.batch[row])
			}
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
		part := piece(g, i)
		for j, x := range part {
			sum[j] += x
		}
		clear(part)
	}
	f.squares[i] = optim.SumSquares(sum)
}

func (f *fit) update(i int) {
	g := piece(f.grads[0], i)
	f.adam.Update(piece(f.obj.Params().Value, i), piece(f.m, i), piece(f.v, i), g, f.scale)
	clear(g)
}

func piece(flat []float32, i int) []float32 {
	return flat[i*chunk : min((i+1)*chunk, len(flat))]
}

func (f *fit) pack() { f.pool.run(packParts, f.packTask) }

// packParts is the number of pieces in which parameters are packed.
const packParts = 8

func (f *fit) packPart(i int) { f.obj.Pack(i, packParts) }

// snapshot is a state to which a training can go back.
type snapshot struct {
	params, m, v []float32
	step         int
}

func newSnapshot(params, m, v []float32) *snapshot {
	s := &snapshot{make([]float32, len(params)), make([]float32, len(m)), make([]float32, len(v)), 0}
	s.save(params, m, v)
	return s
}

func (s *snapshot) save(params, m, v []float32) {
	copy(s.params, params)
	copy(s.m, m)
	copy(s.v, v)
}

func (s *snapshot) restore(params, m, v []float32) {
	copy(params, s.params)
	copy(m, s.m)
	copy(v, s.v)
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
