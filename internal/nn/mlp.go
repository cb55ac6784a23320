package nn

import (
	"fmt"
	"math"

	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/kernels/table"
	"github.com/eidolon-hep/eidolon/training"
)

// MLP is a multilayer perceptron: hidden layers with one activation, and a
// linear last layer. It is plain ([NewMLP]) or residual ([NewResidualMLP]).
//
// Its weights are read from the parameters of the model by [MLP.Pack], which
// must be called each time that they have changed; after that any number of
// goroutines may evaluate it, each with its own [MLPState].
type MLP struct {
	// Dropout is the probability with which an output of a hidden layer is set to
	// zero in training, all others being divided by what is left of it
	// (arXiv:1207.0580): of every hidden layer of a plain network, of the first
	// layer of every block of a residual one.
	Dropout float64

	params   *Params
	layers   []layer
	act      dense.Activation
	residual bool

	// Beside the first layer: tables of the first tabled inputs.
	tabled, cells int
	tables        Param
}

type layer struct {
	in, out      int
	weight, bias Param // in×out, out
	packed       []float32
	packedT      []float32
}

// NewMLP adds the parameters of a perceptron in → hidden… → out to params,
// under names that begin with name.
func NewMLP(params *Params, name string, in int, hidden []int, out int, act dense.Activation) *MLP {
	return newMLP(params, name, widths(in, hidden, out, false), act, false)
}

// NewResidualMLP is [NewMLP] for a residual network, as neural spline flows have
// it (arXiv:1906.04032, appendix B.1): a linear layer, a block for every entry of
// hidden, which must be equal, and a linear layer. A block of the width w takes h to
//
//	h + W₂·act(W₁·act(h) + b₁) + b₂
func NewResidualMLP(params *Params, name string, in int, hidden []int, out int, act dense.Activation) *MLP {
	return newMLP(params, name, widths(in, hidden, out, true), act, len(hidden) > 0)
}

func newMLP(params *Params, name string, widths []int, act dense.Activation, residual bool) *MLP {
	n := &MLP{params: params, act: act, residual: residual}
	for i := range len(widths) - 1 {
		k, m := widths[i], widths[i+1]
		n.layers = append(n.layers, layer{
			in: k, out: m,
			weight:  params.Add(fmt.Sprintf("%s.%d.weight", name, i), k, m),
			bias:    params.Add(fmt.Sprintf("%s.%d.bias", name, i), m),
			packed:  make([]float32, dense.PackedLen(k, m)),
			packedT: make([]float32, dense.PackedLen(m, k)),
		})
	}
	return n
}

// AddTables lets the first tabled inputs pass through tables of so many cells, too
// ([table.Forward]): their functions are added to the outputs of the first layer, before
// its activation. A network of steep functions of its inputs is learnt faster so
// (arXiv:2203.05556). It adds [table.Len] parameters, which Init sets to zero.
func (n *MLP) AddTables(name string, tabled, cells int) {
	n.tabled, n.cells = tabled, cells
	n.tables = n.params.Add(name+".tables", tabled, cells+1, n.layers[0].out)
}

// widths are those of what the layers read, and of the output.
func widths(in int, hidden []int, out int, residual bool) []int {
	all := []int{in}
	if residual && len(hidden) > 0 {
		all = append(all, hidden[0])
		for _, w := range hidden {
			all = append(all, w, w)
		}
	} else {
		all = append(all, hidden...)
	}
	return append(all, out)
}

// CheckHidden checks the widths of the hidden layers of a network.
func CheckHidden(hidden []int) error {
	const most, widest = 1 << 8, 1 << 14
	if len(hidden) > most {
		return fmt.Errorf("there cannot be %d hidden layers, at most %d", len(hidden), most)
	}
	for _, h := range hidden {
		if h < 1 || h > widest {
			return fmt.Errorf("a hidden layer cannot be %d wide, at most %d", h, widest)
		}
	}
	return nil
}

// MLPLen returns the number of parameters of a perceptron in → hidden… → out.
// Widths up to 2³⁰ do not make it overflow.
func MLPLen(in int, hidden []int, out int) int { return length(widths(in, hidden, out, false)) }

// ResidualMLPLen is [MLPLen] for a residual network.
func ResidualMLPLen(in int, hidden []int, out int) int {
	return length(widths(in, hidden, out, true))
}

func length(widths []int) int {
	n := 0
	for i, w := range widths[1:] {
		n += (widths[i] + 1) * w
	}
	return n
}

// Init draws the weights of the hidden layers as He et al. (arXiv:1502.01852):
// normal with variance 2/in, from the deviates (seed, stream); those that end a
// residual block are small, so that it starts near the identity. The biases and
// the whole last layer are set to zero, so that the network starts as the zero
// function.
func (n *MLP) Init(seed, stream uint64) {
	const small = 1e-3
	if n.tabled > 0 {
		clear(n.tables.Of(n.params.Value))
	}
	first := uint64(0)
	for i := range n.layers {
		l := &n.layers[i]
		w := l.weight.Of(n.params.Value)
		clear(l.bias.Of(n.params.Value))
		if i == len(n.layers)-1 {
			clear(w)
			continue
		}
		philox.Normal(w, seed, stream, first)
		first += uint64(len(w))
		scale := float32(math.Sqrt(2 / float64(max(l.in, 1))))
		if n.endsBlock(i) {
			scale = small
		}
		for j := range w {
			w[j] *= scale
		}
	}
}

// endsBlock reports whether layer i is the second one of a residual block.
func (n *MLP) endsBlock(i int) bool {
	return n.residual && i > 0 && i%2 == 0 && i < len(n.layers)-1
}

// activation is what the output of layer i goes through on its way to the next one.
func (n *MLP) activation(i int) dense.Activation {
	if last := len(n.layers) - 1; i == last || n.residual && i == last-1 {
		return dense.None
	}
	return n.act
}

// drops reports whether outputs of layer i are dropped in training.
func (n *MLP) drops(i int) bool {
	if n.residual {
		return i%2 == 1 && i < len(n.layers)-1
	}
	return i < len(n.layers)-1
}

// Pack reads the weights from the parameters of the model.
func (n *MLP) Pack() {
	for _, l := range n.layers {
		w := l.weight.Of(n.params.Value)
		dense.Pack(l.packed, w, l.in, l.out)
		dense.PackT(l.packedT, w, l.in, l.out)
	}
}

// MLPState is the memory of one evaluation of an [MLP]: what Forward leaves for
// Backward.
type MLPState struct {
	y     [][]float32 // the outputs of the layers, activated
	z     [][]float32 // the same before, where they are needed
	kept  [][]float32 // the outputs after dropout, where there is any
	mask  [][]float32 // factors of dropout
	delta [3][]float32

	rows training.Rows // what Train was told; Pass is 0 where nothing is to be dropped
	id   uint64
}

// NewState returns the memory for tiles of at most rows rows.
func (n *MLP) NewState(rows int) *MLPState {
	s := &MLPState{
		y: make([][]float32, len(n.layers)), z: make([][]float32, len(n.layers)),
		kept: make([][]float32, len(n.layers)), mask: make([][]float32, len(n.layers)),
	}
	widest := 0
	for i, l := range n.layers {
		s.y[i] = make([]float32, rows*l.out)
		if n.activation(i) == dense.SiLU || i == 0 && n.tabled > 0 || n.residual && (i == 0 || n.endsBlock(i)) {
			s.z[i] = make([]float32, rows*l.out)
		}
		if n.Dropout > 0 && n.drops(i) {
			s.kept[i], s.mask[i] = make([]float32, rows*l.out), make([]float32, rows*l.out)
		}
		widest = max(widest, l.in, l.out)
	}
	for i := range s.delta {
		s.delta[i] = make([]float32, rows*widest)
	}
	return s
}

// Train lets Forward and Backward drop outputs if the rows are from a pass of a
// training. What is dropped of a row depends on its Seed, Pass and Index alone, and
// on id, which tells this network from the others of a model: at most 2¹⁶.
func (s *MLPState) Train(rows training.Rows, id int) { s.rows, s.id = rows, uint64(id) }

// dropping reports whether outputs of layer i are dropped.
func (s *MLPState) dropping(i int) bool { return s.rows.Pass > 0 && s.mask[i] != nil }

// Forward returns the output (m×out) for the m rows of x (m×in). The result
// belongs to s and lasts until the next call.
func (n *MLP) Forward(s *MLPState, x []float32, m int) []float32 {
	for i, l := range n.layers {
		y, z, act := s.y[i][:m*l.out], s.z[i], n.activation(i)
		if z != nil {
			z = z[:m*l.out]
		}
		bias := l.bias.Of(n.params.Value)
		if i == 0 && n.tabled > 0 {
			dense.Forward(z, nil, x, l.packed, bias, m, l.in, l.out, dense.None)
			table.Forward(z, x, n.tables.Of(n.params.Value), m, n.tabled, l.in, n.cells, l.out)
			dense.Activate(y, z, act)
		} else if n.endsBlock(i) {
			dense.Forward(z, nil, x, l.packed, bias, m, l.in, l.out, dense.None)
			dense.Add(z, s.z[i-2][:m*l.out])
			dense.Activate(y, z, act)
		} else {
			dense.Forward(y, z, x, l.packed, bias, m, l.in, l.out, act)
		}
		x = y
		if s.dropping(i) {
			x = n.drop(s, i, m)
		}
	}
	return x
}

// streamDropout is the first of the streams that the deviates of dropout come
// from. There is one for every pass and network; layers of it lie far apart.
const streamDropout = 1 << 48

// drop returns the outputs of layer i after dropout.
func (n *MLP) drop(s *MLPState, i, m int) []float32 {
	w := n.layers[i].out
	y, kept, mask := s.y[i][:m*w], s.kept[i][:m*w], s.mask[i][:m*w]
	for r, row := range s.rows.Index[:m] {
		philox.Uniform(mask[r*w:(r+1)*w], s.rows.Seed, streamDropout+s.rows.Pass<<16+s.id, uint64(i)<<56+uint64(row)*uint64(w))
	}
	p, scale := float32(n.Dropout), float32(1/(1-n.Dropout))
	for j, u := range mask {
		factor := scale
		if u < p {
			factor = 0
		}
		mask[j] = factor
		kept[j] = y[j] * factor
	}
	return kept
}

// Backward follows a Forward of the same rows x (m×in): from dy = ∂L/∂y (m×out)
// it adds the gradients of the parameters to grad, unless that is nil, and stores ∂L/∂x
// in dx (m×in), unless that is nil.
func (n *MLP) Backward(s *MLPState, grad, dx, x, dy []float32, m int) {
	var block []float32 // ∂L/∂h behind a residual block
	for i := len(n.layers) - 1; i >= 0; i-- {
		l := &n.layers[i]
		if n.endsBlock(i) {
			block = dy
		}
		below := x // what the layer has read
		if i > 0 {
			below = s.y[i-1]
			if s.dropping(i - 1) {
				below = s.kept[i-1]
			}
			below = below[:m*l.in]
		}
		if grad != nil {
			dense.GradWeights(l.weight.Of(grad), l.bias.Of(grad), below, dy, m, l.in, l.out)
		}
		if i == 0 {
			if dx != nil {
				dense.GradInput(dx, dy, l.packedT, nil, m, l.in, l.out, dense.None)
			}
			if n.tabled > 0 {
				var dt []float32
				if grad != nil {
					dt = n.tables.Of(grad)
				}
				table.Backward(dx, dt, dy, x, n.tables.Of(n.params.Value), m, n.tabled, l.in, n.cells, l.out)
			}
			return
		}
		d := s.delta[i%3][:m*l.in]
		through := s.y[i-1] // what the derivative of the activation below is taken from
		if n.activation(i-1) == dense.SiLU {
			through = s.z[i-1]
		}
		dense.GradInput(d, dy, l.packedT, through[:m*l.in], m, l.in, l.out, n.activation(i-1))
		if s.dropping(i - 1) {
			for j, factor := range s.mask[i-1][:m*l.in] {
				d[j] *= factor
			}
		}
		if n.residual && i%2 == 1 && i < len(n.layers)-1 { // the first layer of a block
			dense.Add(d, block)
		}
		dy = d
	}
}
