package diffusion

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// Teacher is a model whose map from noise to events can be distilled: a [Denoiser], a
// [Kernels], or, until it is trained, a choice between these ([NewEither]).
type Teacher interface {
	Model
	Train(ctx context.Context, train, valid training.Data, opts training.Options) (training.History, error)
	// generate takes noise to white events, in place.
	generate(ctx context.Context, x, c []float32) error
	// unwhiten takes white events to events, in place.
	unwhiten(ctx context.Context, x, c []float32)
	// trained returns the parameters that training finds, if any. adopt takes over such
	// parameters, and finds the rest of the model from the rows of a training.
	trained() []float32
	adopt(ctx context.Context, train, valid training.Data, seed uint64) error
}

// Distilled is a map from noise to events in one pass of a network, learnt from the
// solutions of a teacher's equation (arXiv:2310.14458): in white space,
//
//	x = y + F(y, context)
//
// or, where the teacher is a denoiser over a mixture of normals,
//
//	x = o(y) + F(y, o(y), context)
//
// where o is the solution of the equation of the mixture alone, which takes no network: a
// smooth network could not tear noise into islands. The pairs of noise and its solution are
// drawn anew while the training goes on, so that none is seen for long. The teacher stays in
// the model: the log-density is the teacher's.
type Distilled struct {
	dim, context int
	opts         DistilledOptions
	teacher      Teacher
	overBase     *Denoiser // the teacher, where it is a denoiser over a mixture; or nil
	params       nn.Params
	net          *nn.MLP
	memory       sync.Pool // of *pass
}

// DistilledOptions say how a [Distilled] is made.
type DistilledOptions struct {
	// Hidden are the widths of the hidden layers; by default three of 128.
	Hidden []int `json:"hidden"`
	// Loss is set by training: the mean squared distance of the map from its teacher's,
	// per feature, in units of the events' variance.
	Loss float64 `json:"loss,omitempty"`
	// Choice says why this is the teacher, where that was left open; training sets it where the
	// teacher is [NewEither].
	Choice *Choice `json:"choice,omitempty"`
}

func (o DistilledOptions) withDefaults() DistilledOptions {
	if o.Hidden == nil {
		o.Hidden = []int{128, 128, 128}
	}
	return o
}

// NewDistilled returns the map that is to learn from the teacher.
func NewDistilled(teacher Teacher, seed uint64, opts DistilledOptions) (*Distilled, error) {
	opts = opts.withDefaults()
	if err := nn.CheckHidden(opts.Hidden); err != nil {
		return nil, fmt.Errorf("diffusion: %w", err)
	}
	s := newDistilled(teacher, opts)
	s.net = nn.NewMLP(&s.params, "map", s.inputs(), opts.Hidden, s.dim, dense.SiLU)
	s.net.Init(seed, 1)
	s.net.Pack()
	s.memory.New = func() any { return s.newPass() }
	return s, nil
}

// newDistilled is [NewDistilled] without a network.
func newDistilled(teacher Teacher, opts DistilledOptions) *Distilled {
	s := &Distilled{dim: teacher.Dim(), context: teacher.Context(), opts: opts, teacher: teacher}
	if d, ok := teacher.(*Denoiser); ok && d.opts.Components > 1 {
		s.overBase = d
	}
	return s
}

// inputs is the number of what the network reads.
func (s *Distilled) inputs() int { return s.starts()*s.dim + s.context }

// starts is the number of points of an event that the network reads: y, and o(y).
func (s *Distilled) starts() int {
	if s.overBase != nil {
		return 2
	}
	return 1
}

// Dim returns the number of features of an event.
func (s *Distilled) Dim() int { return s.dim }

// Context returns the number of features that the density is conditional on.
func (s *Distilled) Context() int { return s.context }

// Teacher returns the model that the map was learnt from.
func (s *Distilled) Teacher() Teacher { return s.teacher }

// Loss returns the mean squared distance from the teacher's map.
func (s *Distilled) Loss() float64 { return s.opts.Loss }

// Choice says why the map was learnt from this teacher; it is nil where that was asked for.
func (s *Distilled) Choice() *Choice { return s.opts.Choice }

func (s *Distilled) String() string {
	return fmt.Sprintf("one-step map %v, %d parameters, learnt from %v", s.opts.Hidden, len(s.params.Value), s.teacher)
}

// pass is the memory for a tile of rows.
type pass struct {
	state *nn.MLPState
	start []float32 // y, and o(y), of the rows
	in    []float32
	dy    []float32
	read  []float32 // what the network was given last
}

func (s *Distilled) newPass() *pass {
	return &pass{
		s.net.NewState(training.Tile), make([]float32, training.Tile*s.starts()*s.dim),
		make([]float32, training.Tile*s.inputs()), make([]float32, training.Tile*s.dim), nil,
	}
}

// run returns F for the m ≤ Tile rows of p.start.
func (p *pass) run(s *Distilled, c []float32, m int) []float32 {
	p.read = p.input(s, c, m)
	return s.net.Forward(p.state, p.read, m)
}

// input returns what the network reads.
func (p *pass) input(s *Distilled, c []float32, m int) []float32 {
	own, width := s.starts()*s.dim, s.inputs()
	if width == own {
		return p.start[:m*own]
	}
	for r := range m {
		copy(p.in[r*width:], p.start[r*own:(r+1)*own])
		copy(p.in[r*width+own:], c[r*s.context:(r+1)*s.context])
	}
	return p.in[:m*width]
}

// Sample draws the events first, first+1, … of a seed into x (n×Dim). c is the context,
// n×Context. Event i depends on (seed, attempt, i) and its context alone. The error is that
// of ctx.
func (s *Distilled) Sample(ctx context.Context, x, c []float32, seed, attempt, first uint64) error {
	s.Noise(x, seed, attempt, first)
	return s.Inverse(ctx, x, x, c)
}

// Noise draws the noise y (n×Dim) of the events first, first+1, … of a seed.
func (s *Distilled) Noise(y []float32, seed, attempt, first uint64) {
	drawNoise(y, s.dim, seed, attempt, first)
}

// Inverse maps noise y to events x (both n×Dim), which may be the same, in one step. The error
// is that of ctx.
func (s *Distilled) Inverse(ctx context.Context, x, y, c []float32) error {
	copy(x, y)
	own := s.starts() * s.dim
	err := inParts(ctx, len(x)/s.dim, func(lo, hi int) error {
		p := s.memory.Get().(*pass)
		defer s.memory.Put(p)
		for ; lo < hi; lo += training.Tile {
			m := min(training.Tile, hi-lo)
			y := x[lo*s.dim : (lo+m)*s.dim]
			for r := range m {
				copy(p.start[r*own:], y[r*s.dim:(r+1)*s.dim])
			}
			if s.overBase != nil {
				if err := s.overBase.baseEvents(ctx, y); err != nil {
					return err
				}
				for r := range m {
					copy(p.start[r*own+s.dim:], y[r*s.dim:(r+1)*s.dim])
				}
			}
			for j, f := range p.run(s, c[lo*s.context:(lo+m)*s.context], m) {
				y[j] += f
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.teacher.unwhiten(ctx, x, c)
	return ctx.Err()
}

// Forward is that of the teacher: a network has no inverse in closed form. Inverse undoes it to
// the distance of the map from the teacher's ([Distilled.Loss]).
func (s *Distilled) Forward(ctx context.Context, y []float32, logDet [][]float64, x, c []float32) error {
	return s.teacher.Forward(ctx, y, logDet, x, c)
}

// Path is that of the teacher.
func (s *Distilled) Path(ctx context.Context, at [][]float32, y, c []float32, times []float64) error {
	return s.teacher.Path(ctx, at, y, c, times)
}

// LogDensity is that of the teacher: the map has none in closed form.
func (s *Distilled) LogDensity(ctx context.Context, dst []float64, x, c []float32) error {
	return s.teacher.LogDensity(ctx, dst, x, c)
}

// So many pairs of noise and its solution are kept. For every pass over them one part of
// them is drawn anew.
const (
	poolLen      = 1 << 16
	poolParts    = 16
	poolPart     = poolLen / poolParts
	streamPool   = 1 << 35 // noise
	streamPicked = 1 << 36 // rows whose context it gets
	poolValid    = 1 << 34 // the number of the draw that validates
)

// Train trains the teacher and then the map. opts are for both, and a checkpoint of the
// second training holds the result of the first. The loss is the mean of the pseudo-Huber
// loss (arXiv:2310.14189, equation 7)
//
//	√(d² + c²) − c,  c = 0.03
//
// where d² is the mean squared distance from the teacher's event, per feature, in white
// space. A distance far beyond c counts linearly, not by its square: where the teacher's map is
// steeper than the network can be, events then lie on the one side or the other, and not
// between.
func (s *Distilled) Train(ctx context.Context, train, valid training.Data, opts training.Options) (training.History, error) {
	if err := checkData(s.dim, s.context, train, valid); err != nil {
		return training.History{}, err
	}
	taught, begin, limit := s.teacher.trained(), time.Now(), opts.MaxTime
	if r := opts.Resume; r != nil && len(r.Params) == len(taught)+len(s.params.Value) {
		copy(taught, r.Params)
		if err := s.teacher.adopt(ctx, train, valid, opts.Seed); err != nil {
			return training.History{}, err
		}
		opts.Resume = mapVectors(r, func(v []float32) []float32 { return v[len(taught):] })
	} else {
		teaching := opts
		teaching.MaxTime = limit / 2
		teaching.Epochs = opts.EpochsOr(epochsOf(teacherRows(s.dim), train.Len()))
		if h, err := s.teacher.Train(ctx, train, valid, teaching); err != nil {
			return h, err
		}
		opts.Resume = nil
	}
	if e, ok := s.teacher.(*either); ok {
		choice := e.choice
		s.teacher, s.opts.Choice = e.Teacher, &choice
	}
	if limit > 0 {
		opts.MaxTime = max(limit/3, limit-time.Since(begin))
	}
	if save := opts.Save; save != nil {
		opts.Save = func(c *training.Checkpoint) error {
			return save(mapVectors(c, func(v []float32) []float32 { return slices.Concat(taught, v) }))
		}
	}
	return s.learn(ctx, train, opts)
}

// FewFeatures is the number of features up to which a map is learnt in about a minute, from a
// teacher that has a narrow network, or none.
const FewFeatures = 8

// teacherRows and mapRows are how many rows the two parts of a training read.
func teacherRows(dim int) int {
	if dim <= FewFeatures {
		return 8_000_000
	}
	return denoiserRows
}

func mapRows(dim int) int {
	if dim <= FewFeatures {
		return 18_000_000
	}
	return 24_000_000
}

// learn trains the map.
func (s *Distilled) learn(ctx context.Context, train training.Data, opts training.Options) (training.History, error) {
	opts = regressing(opts, poolLen, mapRows(s.dim))
	if train.Refresh != nil { // the contexts must not depend on where the teacher's training ended
		train.Refresh(ctx, 0)
	}
	p := s.newPool(train, opts.Seed)
	valid := p.validation(ctx)
	h, err := training.Fit(ctx, (*imitation)(s), p.data(poolLen), valid, opts)
	s.net.Pack()
	s.opts.Loss = s.distance(valid)
	return h, err
}

// distance returns the mean squared distance of the map from rows that begin and end as
// the teacher's, per feature.
func (s *Distilled) distance(rows training.Data) float64 {
	g, sum := (*imitation)(s).NewWorker().(*imitator), 0.0
	for lo := 0; lo < rows.Len(); lo += training.Tile {
		m := min(training.Tile, rows.Len()-lo)
		g.errors(rows.X[lo*rows.Dim:(lo+m)*rows.Dim], rows.C[lo*rows.Context:(lo+m)*rows.Context])
		for _, e := range g.dy[:m*s.dim] {
			sum += float64(e) * float64(e)
		}
	}
	return sum / float64(rows.Len()*s.dim)
}

// mapVectors returns the checkpoint with all its vectors changed.
func mapVectors(c *training.Checkpoint, change func([]float32) []float32) *training.Checkpoint {
	again := *c
	for _, v := range []*[]float32{&again.Params, &again.M, &again.V, &again.Best, &again.Mean} {
		if len(*v) > 0 {
			*v = change(*v)
		}
	}
	return &again
}

// pool has the pairs of noise and what the teacher makes of it.
type pool struct {
	*Distilled
	contexts []float32 // to choose from
	seed     uint64
	drawn    [poolParts]uint64 // the number of the draw that each part is from
	begun    bool
	rows     training.Data
}

func (s *Distilled) newPool(train training.Data, seed uint64) *pool {
	return &pool{Distilled: s, contexts: train.C, seed: seed}
}

// data returns n rows (y, x) or (y, o, x) with their contexts.
func (p *pool) data(n int) training.Data {
	width := (p.starts() + 1) * p.dim
	p.rows = training.Data{Dim: width, Context: p.context, X: make([]float32, n*width), C: make([]float32, n*p.context)}
	rows := p.rows
	rows.Refresh = p.refresh
	return rows
}

func (p *pool) validation(ctx context.Context) training.Data {
	v := p.newPool(training.Data{C: p.contexts}, p.seed)
	rows := v.data(poolPart)
	v.draw(ctx, 0, poolValid)
	rows.Refresh = nil
	return rows
}

// refresh makes the pool what it is for a pass: part k is drawn anew in the passes k,
// k + poolParts, …, so that the pool does not depend on where a training was resumed.
func (p *pool) refresh(ctx context.Context, pass uint64) {
	for k := range p.drawn {
		turn := pass - (pass+poolParts-uint64(k))%poolParts // the last one of this part
		if pass < uint64(k) {
			turn = 0
		}
		if !p.begun || p.drawn[k] != turn {
			p.draw(ctx, k, turn)
			p.drawn[k] = turn
		}
	}
	p.begun = true
}

// draw draws part k. When ctx is cancelled the part is of no use.
func (p *pool) draw(ctx context.Context, k int, turn uint64) {
	y, c := make([]float32, poolPart*p.dim), make([]float32, poolPart*p.context)
	first := uint64(k) * poolPart
	philox.Normal(y, p.seed, streamPool+turn, first*uint64(p.dim))
	for i := range poolPart {
		if p.context > 0 {
			n := uint64(len(p.contexts) / p.context)
			row := int(philox.Uint64(p.seed, streamPicked+turn, first+uint64(i)) % n)
			copy(c[i*p.context:(i+1)*p.context], p.contexts[row*p.context:])
		}
	}
	x := slices.Clone(y)
	if p.teacher.generate(ctx, x, c) != nil {
		return
	}
	copy(p.rows.C[k*poolPart*p.context:], c)
	all := [][]float32{y, x}
	if p.overBase != nil {
		o := slices.Clone(y)
		if p.overBase.baseEvents(ctx, o) != nil {
			return
		}
		all = [][]float32{y, o, x}
	}
	for i := range poolPart {
		row := p.rows.X[(k*poolPart+i)*len(all)*p.dim:]
		for j, v := range all {
			copy(row[j*p.dim:], v[i*p.dim:(i+1)*p.dim])
		}
	}
}

// imitation makes the map a [training.Objective].
type imitation Distilled

func (g *imitation) Params() []float32 { return g.params.Value }

func (g *imitation) Pack(part, _ int) {
	if part == 0 {
		g.net.Pack()
	}
}

func (g *imitation) NewWorker() training.Worker {
	s := (*Distilled)(g)
	return &imitator{s, s.newPass()}
}

type imitator struct {
	*Distilled
	*pass
}

// errors stores in g.dy how far the map is from the ends of rows (y, x), y + F − x, or of
// rows (y, o, x), o + F − x.
func (g *imitator) errors(x, c []float32) {
	dim, own := g.dim, g.starts()*g.dim
	m := len(x) / (own + dim)
	for r := range m {
		copy(g.start[r*own:(r+1)*own], x[r*(own+dim):])
	}
	f := g.run(g.Distilled, c, m)
	for r := range m {
		from, to := x[r*(own+dim)+own-dim:], x[r*(own+dim)+own:]
		for j := range dim {
			g.dy[r*dim+j] = from[j] + f[r*dim+j] - to[j]
		}
	}
}

// fair is c of the loss: the distance per feature beyond which one counts linearly.
const fair = 0.03

// Loss returns Σ w (√(d² + c²) − c) over the rows, see [Distilled.Train], and adds its
// gradient to grad.
func (g *imitator) Loss(grad []float32, rows training.Rows) float64 {
	m, loss := rows.N, 0.0
	g.errors(rows.X, rows.C)
	for r := range m {
		row, sum := g.dy[r*g.dim:(r+1)*g.dim], 0.0
		for _, e := range row {
			sum += float64(e) * float64(e)
		}
		w := float64(rows.W[r])
		far := math.Sqrt(sum/float64(g.dim) + fair*fair)
		loss += w * (far - fair)
		for j := range row {
			row[j] *= float32(w / far / float64(g.dim))
		}
	}
	if grad != nil {
		g.net.Backward(g.state, grad, nil, g.read, g.dy[:m*g.dim], m)
	}
	return loss
}

const distilledKind = "distilled"

// distilledFile is what a model file says of a model beside its parameters.
type distilledFile struct {
	Kind    string           `json:"kind"`
	Options DistilledOptions `json:"options"`
	Teacher json.RawMessage  `json:"teacher"`
}

// MarshalJSON describes the model and its teacher, without their parameters.
func (s *Distilled) MarshalJSON() ([]byte, error) {
	teacher, err := json.Marshal(s.teacher)
	if err != nil {
		return nil, err
	}
	return json.Marshal(distilledFile{distilledKind, s.opts, teacher})
}

// teacherPrefix begins the names of the teacher's tensors.
const teacherPrefix = "teacher."

// Tensors returns the parameters of the map and of its teacher.
func (s *Distilled) Tensors() []training.Tensor {
	return training.Prefixed(teacherPrefix, s.teacher.Tensors(), s.params.Tensors())
}

func loadDistilled(text []byte, tensors []training.Tensor) (*Distilled, error) {
	f, err := described[distilledFile](text)
	if err != nil {
		return nil, err
	}
	ofTeacher, own := training.Under(teacherPrefix, tensors)
	var kind struct{ Kind string }
	if err := json.Unmarshal(f.Teacher, &kind); err != nil || kind.Kind == distilledKind { // whose teacher may be one, and so on
		return nil, errors.New("diffusion: the teacher of a one-step map cannot be one itself")
	}
	model, err := Load(f.Teacher, ofTeacher)
	if err != nil {
		return nil, err
	}
	teacher, ok := model.(Teacher)
	if !ok {
		return nil, fmt.Errorf("diffusion: a %v teaches nothing", model)
	}
	f.Options = f.Options.withDefaults()
	if err := nn.CheckHidden(f.Options.Hidden); err != nil {
		return nil, fmt.Errorf("diffusion: %w", err)
	}
	width := newDistilled(teacher, f.Options).inputs()
	if have, want := training.Values(own), nn.MLPLen(width, f.Options.Hidden, teacher.Dim()); want != have {
		return nil, fmt.Errorf("diffusion: %d parameters for a map of %d", have, want)
	}
	s, err := NewDistilled(teacher, 0, f.Options)
	if err != nil {
		return nil, err
	}
	if err := s.params.Load(own); err != nil {
		return nil, fmt.Errorf("diffusion: %w", err)
	}
	s.net.Pack()
	return s, nil
}
