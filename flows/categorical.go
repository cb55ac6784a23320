package flows

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/training"
)

// Categorical is the probability of a few classes, P(k | c) = softmax(b + f(c))_k,
// with a perceptron f of the context c. Without a context it is a table.
type Categorical struct {
	classes, context int
	hidden           []int

	params nn.Params
	base   nn.Param
	net    *nn.MLP // nil without a context
}

// categoricalDescription is a Categorical without its parameters.
type categoricalDescription struct {
	Classes int   `json:"classes"`
	Context int   `json:"context,omitempty"`
	Hidden  []int `json:"hidden,omitempty"`
}

func (d categoricalDescription) check() error {
	const most = 1 << 16
	if d.Classes < 1 || d.Classes > most || d.Context < 0 || d.Context > most {
		return fmt.Errorf("%d classes with %d context features", d.Classes, d.Context)
	}
	return Conditioner{Hidden: d.Hidden}.check()
}

// NewCategorical returns equal probabilities of the classes, to be trained. hidden
// are the widths of the hidden layers of the network of the context.
func NewCategorical(classes, context int, hidden []int, seed uint64) (*Categorical, error) {
	if err := (categoricalDescription{classes, context, hidden}).check(); err != nil {
		return nil, fmt.Errorf("flows: %w", err)
	}
	k := &Categorical{classes: classes, context: context}
	k.base = k.params.Add("base", classes)
	if context > 0 {
		k.hidden = hidden
		k.net = nn.NewMLP(&k.params, "network", context, hidden, classes, dense.SiLU)
		k.net.Init(seed, streamClasses)
		k.net.Pack()
	}
	return k, nil
}

// streamClasses is the stream of deviates that the network starts from.
const streamClasses = 1 << 17

// Classes returns the number of classes.
func (k *Categorical) Classes() int { return k.classes }

// Context returns the number of features that they are conditional on.
func (k *Categorical) Context() int { return k.context }

// Tensors returns the parameters.
func (k *Categorical) Tensors() []training.Tensor { return k.params.Tensors() }

// MarshalJSON describes the classes and the network, without its parameters.
func (k *Categorical) MarshalJSON() ([]byte, error) {
	return json.Marshal(categoricalDescription{k.classes, k.context, k.hidden})
}

// LoadCategorical returns the probabilities with the given description and
// parameters. Names and shapes must be those of the description.
func LoadCategorical(text []byte, tensors []training.Tensor) (*Categorical, error) {
	var d categoricalDescription
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("flows: could not read the description of probabilities: %w", err)
	}
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("flows: %w", err)
	}
	want := d.Classes
	if d.Context > 0 {
		want += nn.MLPLen(d.Context, d.Hidden, d.Classes)
	}
	if have := training.Values(tensors); have != want {
		return nil, fmt.Errorf("flows: %d parameters for probabilities with %d", have, want)
	}
	k, err := NewCategorical(d.Classes, d.Context, d.Hidden, 0)
	if err != nil {
		return nil, err
	}
	if err := k.params.Load(tensors); err != nil {
		return nil, fmt.Errorf("flows: %w", err)
	}
	if k.net != nil {
		k.net.Pack()
	}
	return k, nil
}

// Train fits the probabilities to the classes in X, one feature that is the number
// of the class. Without a context they are the proportions of the classes; those of
// negative weight count as absent.
func (k *Categorical) Train(ctx context.Context, train, valid training.Data, opts training.Options) (training.History, error) {
	sums := make([]float64, k.classes)
	total := 0.0
	count := func(d training.Data) {
		for i, class := range d.X {
			sums[int(class)] += d.Weight(i)
		}
	}
	count(train)
	if k.net == nil { // nothing to be held out for
		count(valid)
	}
	for i := range sums {
		sums[i] = max(sums[i], 0)
		total += sums[i]
	}
	base := k.base.Of(k.params.Value)
	least := 1e-3 / float64(k.classes) * total / max(float64(train.Len()), 1) // a thousandth of an event
	for i, s := range sums {
		base[i] = float32(math.Log(max(s, least) / total))
	}
	if k.net == nil {
		return training.History{}, nil
	}
	h, err := training.Fit(ctx, (*crossEntropy)(k), train, valid, opts)
	k.net.Pack()
	return h, err
}

// LogProb stores log P(k|c) of all classes, for each row of c, in dst (n×Classes).
func (k *Categorical) LogProb(dst []float64, c []float32) {
	n := len(dst) / k.classes
	if n*k.classes != len(dst) || n*k.context != len(c) {
		panic(fmt.Sprintf("flows: %d probabilities of %d classes for %d values of %d context features", len(dst), k.classes, len(c), k.context))
	}
	base := k.base.Of(k.params.Value)
	parallel.Ranges(n, rowsPerGoroutine, func(lo, hi int) {
		var state *nn.MLPState
		if k.net != nil {
			state = k.net.NewState(training.Tile)
		}
		for ; lo < hi; lo += training.Tile {
			m := min(training.Tile, hi-lo)
			var out []float32
			if k.net != nil {
				out = k.net.Forward(state, c[lo*k.context:(lo+m)*k.context], m)
			}
			for i := range m {
				row := dst[(lo+i)*k.classes : (lo+i+1)*k.classes]
				for j, b := range base {
					row[j] = float64(b)
					if out != nil {
						row[j] += float64(out[i*k.classes+j])
					}
				}
				logSoftmax(row)
			}
		}
	})
}

// logSoftmax turns logits into logarithms of probabilities.
func logSoftmax(row []float64) {
	most := math.Inf(-1)
	for _, v := range row {
		most = max(most, v)
	}
	sum := 0.0
	for _, v := range row {
		sum += math.Exp(v - most)
	}
	log := most + math.Log(sum)
	for j := range row {
		row[j] -= log
	}
}

// crossEntropy makes a Categorical a [training.Objective]: −Σ w log P(k|c).
type crossEntropy Categorical

func (o *crossEntropy) Params() []float32 { return o.params.Value }

func (o *crossEntropy) Pack(part, _ int) {
	if part == 0 {
		o.net.Pack()
	}
}

func (o *crossEntropy) NewWorker() training.Worker {
	return &classWorker{
		k: (*Categorical)(o), state: o.net.NewState(training.Tile),
		dy: make([]float32, training.Tile*o.classes), row: make([]float64, o.classes),
	}
}

type classWorker struct {
	k     *Categorical
	state *nn.MLPState
	dy    []float32
	row   []float64
}

// Loss implements training.Worker. The feature of a row is the number of its class.
func (w *classWorker) Loss(grad []float32, rows training.Rows) float64 {
	k := w.k
	base := k.base.Of(k.params.Value)
	out := k.net.Forward(w.state, rows.C, rows.N)
	loss := 0.0
	for i := range rows.N {
		for j, b := range base {
			w.row[j] = float64(b) + float64(out[i*k.classes+j])
		}
		logSoftmax(w.row)
		class, weight := int(rows.X[i]), float64(rows.W[i])
		loss -= weight * w.row[class]
		dy := w.dy[i*k.classes : (i+1)*k.classes]
		for j, l := range w.row {
			dy[j] = float32(weight * math.Exp(l))
		}
		dy[class] -= float32(weight)
	}
	if grad != nil {
		dy := w.dy[:rows.N*k.classes]
		g := k.base.Of(grad)
		for i := range dy {
			g[i%k.classes] += dy[i]
		}
		k.net.Backward(w.state, grad, nil, rows.C, dy, rows.N)
	}
	return loss
}
