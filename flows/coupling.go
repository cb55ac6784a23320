package flows

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/kernels/coupling"
	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/kernels/spline"
	"github.com/eidolon-hep/eidolon/kernels/table"
	"github.com/eidolon-hep/eidolon/kernels/vmath"
	"github.com/eidolon-hep/eidolon/training"
)

// Conditioner describes the network of a coupling layer, which reads the features
// that stay and the context. Its last layer starts at zero, so that the coupling
// layer starts as the identity.
type Conditioner struct {
	// Hidden are the widths of the hidden layers.
	Hidden []int `json:"hidden"`
	// Activation is that of the hidden layers.
	Activation dense.Activation `json:"activation"`
	// Residual asks for a residual network: every entry of Hidden, which must all
	// be equal, is then a block of two layers with a skip connection
	// (arXiv:1906.04032, appendix B.1).
	Residual bool `json:"residual,omitempty"`
	// Dropout is the probability with which an output of a hidden layer is set to zero
	// in training (arXiv:1207.0580), in [0, 1). It depends only on the seed of
	// the training, the pass and the event, which outputs these are.
	Dropout float64 `json:"dropout,omitempty"`
	// Cells, if not 0, is the number of cells of the tables of functions of one feature
	// that are added to the outputs of the first layer: they help a network to be steep
	// (package [table], arXiv:2203.05556). Every feature that is read has tables, and so
	// have the context features in Tabled.
	Cells  int   `json:"cells,omitempty"`
	Tabled []int `json:"tabled,omitempty"`
}

const mostCells = 1 << 12 // of a table

func (c Conditioner) check() error {
	if err := nn.CheckHidden(c.Hidden); err != nil {
		return err
	}
	for _, w := range c.Hidden {
		if c.Residual && w != c.Hidden[0] {
			return fmt.Errorf("the blocks of a residual conditioner must be equally wide, not %v", c.Hidden)
		}
	}
	if !(c.Dropout >= 0 && c.Dropout < 1) {
		return fmt.Errorf("outputs of hidden layers cannot be dropped with probability %g", c.Dropout)
	}
	if c.Cells < 0 || c.Cells > mostCells {
		return fmt.Errorf("the tables of a conditioner cannot have %d cells, at most %d", c.Cells, mostCells)
	}
	if c.Activation > dense.Tanh {
		return fmt.Errorf("a conditioner cannot have the activation %v", c.Activation)
	}
	return nil
}

// AffineCoupling is the coupling layer of Real NVP (arXiv:1605.08803): the
// features in Keep stay, x_A, and each other one, x_B, becomes
//
//	y_B = x_B ⊙ exp(s(x_A, c)) + t(x_A, c),  log|det J| = Σ s
//
// s and t come from the conditioner; s = Bound·tanh(r/Bound) of its output r, so
// that a layer scales by exp(±Bound) at most, or s = r where it is [Unbounded].
type AffineCoupling struct {
	// Keep are the indices of the features that stay; it may be empty.
	Keep []int `json:"keep"`
	// Ignore are the features in Keep that the conditioner does not read.
	Ignore []int `json:"ignore,omitempty"`
	Conditioner
	// Separate asks for two conditioners, one for s and one for t, in the place of one for both.
	Separate bool `json:"separate,omitempty"`
	// Bound is the largest |s|; 0 stands for 2, and [Unbounded] for none.
	Bound float32 `json:"bound,omitempty"`
}

// Unbounded is the [AffineCoupling.Bound] of a layer whose s is what the conditioner says, as in
// arXiv:1605.08803: exp(s) may overflow far from the events.
const Unbounded = -1

func (l AffineCoupling) shape() (couplingShape, error) {
	s := couplingShape{l.Keep, l.Ignore, l.Conditioner, unbounded{}, 2, 1}
	if l.Separate {
		s.networks = 2
	}
	if l.Bound == Unbounded {
		return s, nil
	}
	bound, err := checkBound(l.Bound, 2)
	s.transform = affine{bound}
	return s, err
}

func (l AffineCoupling) parameters(dim, context int) (int, error) {
	return couplingParameters(l, dim, context)
}

func (l AffineCoupling) build(p *nn.Params, name string, dim, context int) (bijection, error) {
	return buildCoupling(l, p, name, dim, context)
}

// SplineCoupling is the coupling layer of neural spline flows (arXiv:1906.04032):
// the features in Keep stay, and each other one goes through its own monotone
// rational-quadratic spline of Bins bins on ±Bound, with the identity outside,
// whose widths, heights and slopes come from the conditioner.
type SplineCoupling struct {
	// Keep are the indices of the features that stay; it may be empty.
	Keep []int `json:"keep"`
	// Ignore are the features in Keep that the conditioner does not read.
	Ignore []int `json:"ignore,omitempty"`
	Conditioner
	// Bins is the number of bins; 0 stands for 8.
	Bins int `json:"bins,omitempty"`
	// Bound is where the splines end; 0 stands for 5.
	Bound float32 `json:"bound,omitempty"`
}

func (l SplineCoupling) shape() (couplingShape, error) {
	l.Bins = cmp.Or(l.Bins, 8)
	if l.Bins < 1 || l.Bins > spline.MaxBins {
		return couplingShape{}, fmt.Errorf("a spline cannot have %d bins, at most %d", l.Bins, spline.MaxBins)
	}
	bound, err := checkBound(l.Bound, 5)
	return couplingShape{l.Keep, l.Ignore, l.Conditioner, rationalQuadratic{l.Bins, bound}, spline.Params(l.Bins), 1}, err
}

func (l SplineCoupling) parameters(dim, context int) (int, error) {
	return couplingParameters(l, dim, context)
}

func (l SplineCoupling) build(p *nn.Params, name string, dim, context int) (bijection, error) {
	return buildCoupling(l, p, name, dim, context)
}

func checkBound(bound, otherwise float32) (float32, error) {
	if bound == 0 {
		return otherwise, nil
	}
	if !(bound > 0) || math.IsInf(float64(bound), 0) {
		return 0, fmt.Errorf("the bound of a coupling layer cannot be %g", bound)
	}
	return bound, nil
}

// transform is an elementwise map of m×n values x, each with its own parameters,
// which stand in m rows of p.
type transform interface {
	// forward maps x to y and adds log|det J| of each row to logDet. It may leave
	// m×n values in aux for backward.
	forward(y, aux, logDet, x, p []float32, m, n int)
	// inverse maps y to x and adds log|det J| of the inverse to logDet. It returns
	// how many values would have been NaN by rounding, and were mended.
	inverse(x, logDet, y, p []float32, m, n int) (clamped int)
	// backward stores ∂L/∂x in gx, which may be gy, and ∂L/∂p in gp.
	backward(gx, gp, gy, gl, x, aux, p []float32, m, n int)
}

type affine struct{ bound float32 }

func (a affine) forward(y, s, logDet, x, p []float32, m, n int) {
	coupling.Forward(y, s, logDet, x, p, m, n, a.bound)
}

func (a affine) inverse(x, logDet, y, p []float32, m, n int) int {
	coupling.Inverse(x, logDet, y, p, m, n, a.bound)
	return 0
}

func (a affine) backward(gx, gp, gy, gl, x, s, _ []float32, m, n int) {
	coupling.Backward(gx, gp, gy, gl, x, s, m, n, a.bound)
}

// unbounded is affine without a bound on s.
type unbounded struct{}

func (unbounded) forward(y, s, logDet, x, p []float32, m, n int) {
	for i := range m {
		copy(s[i*n:(i+1)*n], p[2*i*n:])
	}
	vmath.Exp(y, s)
	for i := range m {
		for j := i * n; j < (i+1)*n; j++ {
			y[j] = x[j]*y[j] + p[j+(i+1)*n]
			logDet[i] += s[j]
		}
	}
}

func (unbounded) inverse(x, logDet, y, p []float32, m, n int) int {
	for i := range m {
		for j := range n {
			x[i*n+j] = -p[2*i*n+j]
			logDet[i] += x[i*n+j]
		}
	}
	vmath.Exp(x, x)
	for i := range m {
		for j := i * n; j < (i+1)*n; j++ {
			x[j] *= y[j] - p[j+(i+1)*n]
		}
	}
	return 0
}

func (unbounded) backward(gx, gp, gy, gl, x, s, _ []float32, m, n int) {
	vmath.Exp(s, s)
	for i := range m {
		for j := range n {
			at := i*n + j
			gs, gt := &gp[2*i*n+j], &gp[(2*i+1)*n+j]
			*gt = gy[at]
			gx[at] = gy[at] * s[at]
			*gs = gx[at]*x[at] + gl[i]
		}
	}
}

type rationalQuadratic struct {
	bins  int
	bound float32
}

func (r rationalQuadratic) forward(y, _, logDet, x, p []float32, m, n int) {
	spline.Forward(y, logDet, x, p, m, n, r.bins, r.bound)
}

func (r rationalQuadratic) inverse(x, logDet, y, p []float32, m, n int) int {
	return spline.Inverse(x, logDet, y, p, m, n, r.bins, r.bound)
}

func (r rationalQuadratic) backward(gx, gp, gy, gl, x, _, p []float32, m, n int) {
	spline.Backward(gx, gp, gy, gl, x, p, m, n, r.bins, r.bound)
}

// couplingShape is what a kind of coupling layer says of itself; the rest they have in common.
type couplingShape struct {
	keep, ignore []int
	Conditioner
	transform transform
	outputs   int // of the conditioner, per feature that changes
	networks  int // that these come from, in equal shares
}

// reads returns the features that the conditioner reads.
func (s *couplingShape) reads() []int {
	return slices.DeleteFunc(slices.Clone(s.keep), func(k int) bool { return slices.Contains(s.ignore, k) })
}

// tabled returns the number of inputs of the conditioner that pass through tables.
func (s *couplingShape) tabled() int {
	if s.Cells == 0 {
		return 0
	}
	return len(s.reads()) + len(s.Tabled)
}

type couplingDescription interface {
	shape() (couplingShape, error)
}

// checkedShape returns the shape of a coupling layer of dim features and context ones.
func checkedShape(l couplingDescription, dim, context int) (couplingShape, error) {
	s, err := l.shape()
	if err != nil {
		return s, err
	}
	for i, k := range s.keep {
		if k < 0 || k >= dim || slices.Contains(s.keep[:i], k) {
			return s, fmt.Errorf("a coupling layer of %d features cannot keep %v", dim, s.keep)
		}
	}
	for i, k := range s.ignore {
		if !slices.Contains(s.keep, k) || slices.Contains(s.ignore[:i], k) {
			return s, fmt.Errorf("a coupling layer that keeps %v cannot ignore %v", s.keep, s.ignore)
		}
	}
	for i, k := range s.Tabled {
		if k < 0 || k >= context || slices.Contains(s.Tabled[:i], k) {
			return s, fmt.Errorf("a conditioner of %d context features cannot have tables for %v", context, s.Tabled)
		}
	}
	return s, s.check()
}

func couplingParameters(l couplingDescription, dim, context int) (int, error) {
	s, err := checkedShape(l, dim, context)
	if err != nil {
		return 0, err
	}
	length := nn.MLPLen
	if s.Residual {
		length = nn.ResidualMLPLen
	}
	in, out := len(s.reads())+context, s.outputs/s.networks*(dim-len(s.keep))
	n := length(in, s.Hidden, out)
	if tabled := s.tabled(); tabled > 0 {
		n += table.Len(tabled, s.Cells, append(slices.Clone(s.Hidden), out)[0])
	}
	return s.networks * n, nil
}

func buildCoupling(l couplingDescription, p *nn.Params, name string, dim, context int) (bijection, error) {
	s, err := checkedShape(l, dim, context)
	if err != nil {
		return nil, err
	}
	b := &couplingLayer{couplingShape: s, dim: dim, context: context, read: s.reads()}
	for j := range dim {
		if !slices.Contains(s.keep, j) {
			b.change = append(b.change, j)
		}
	}
	newMLP := nn.NewMLP
	if s.Residual {
		newMLP = nn.NewResidualMLP
	}
	for k := range s.networks {
		of := name
		if s.networks > 1 {
			of += [...]string{".s", ".t"}[k]
		}
		net := newMLP(p, of, len(b.read)+context, s.Hidden, s.outputs/s.networks*len(b.change), s.Activation)
		if tabled := s.tabled(); tabled > 0 {
			net.AddTables(of, tabled, s.Cells)
		}
		net.Dropout = s.Dropout
		b.nets = append(b.nets, net)
	}
	b.from = slices.Clone(s.Tabled) // these come first
	for k := range context {
		if !slices.Contains(s.Tabled, k) {
			b.from = append(b.from, k)
		}
	}
	return b, nil
}

// couplingLayer is the bijection of both kinds of coupling layers.
type couplingLayer struct {
	couplingShape
	change       []int // the features that do not stay
	read         []int // the features that the conditioner reads
	from         []int // the context features that it reads after them
	dim, context int
	nets         []*nn.MLP
	clamped      atomic.Int64
}

type couplingState struct {
	nets  []*nn.MLPState
	in    []float32 // rows×(read+context), what the conditioner reads
	x     []float32 // rows×change, before the map
	y     []float32 // rows×change, after it
	aux   []float32 // rows×change, what the map leaves for backward
	p     []float32 // rows×outputs·change, what the conditioner has put out
	gp    []float32 // like p
	gin   []float32 // like in
	share []float32 // the part of gp of one of several networks
}

func (s *couplingState) drop(rows training.Rows, id int) {
	for k, net := range s.nets {
		net.Train(rows, k<<15+id)
	}
}

func (b *couplingLayer) init(seed, stream uint64) {
	for k, net := range b.nets {
		net.Init(seed, uint64(k)<<15+stream)
	}
}

func (b *couplingLayer) pack(bool) {
	for _, net := range b.nets {
		net.Pack()
	}
}

func (b *couplingLayer) newState(rows int) any {
	in, n := len(b.read)+b.context, len(b.change)
	s := &couplingState{
		in:  make([]float32, rows*in),
		x:   make([]float32, rows*n),
		y:   make([]float32, rows*n),
		aux: make([]float32, rows*n),
		gp:  make([]float32, rows*n*b.outputs),
		gin: make([]float32, rows*in),
	}
	for _, net := range b.nets {
		s.nets = append(s.nets, net.NewState(rows))
	}
	if len(b.nets) > 1 {
		s.p, s.share = make([]float32, rows*n*b.outputs), make([]float32, rows*n*b.outputs/b.networks)
	}
	return s
}

// condition runs the conditioner on m rows.
func (b *couplingLayer) condition(s *couplingState, x, c []float32, m int) {
	in := len(b.read) + b.context
	for i := range m {
		row, from := s.in[i*in:(i+1)*in], x[i*b.dim:(i+1)*b.dim]
		for j, k := range b.read {
			row[j] = from[k]
		}
		given := c[i*b.context : (i+1)*b.context]
		for j, k := range b.from {
			row[len(b.read)+j] = given[k]
		}
	}
	if len(b.nets) == 1 {
		s.p = b.nets[0].Forward(s.nets[0], s.in[:m*in], m)
		return
	}
	n := len(b.change) * b.outputs / len(b.nets)
	s.p = s.p[:m*n*len(b.nets)]
	for k, net := range b.nets {
		share := net.Forward(s.nets[k], s.in[:m*in], m)
		for i := range m {
			copy(s.p[(i*len(b.nets)+k)*n:], share[i*n:(i+1)*n])
		}
	}
}

// share returns the part of the gradients of m rows of outputs that is of the k-th network.
func (b *couplingLayer) share(s *couplingState, gp []float32, k, m int) []float32 {
	if len(b.nets) == 1 {
		return gp
	}
	n := len(b.change) * b.outputs / len(b.nets)
	for i := range m {
		at := (i*len(b.nets) + k) * n
		copy(s.share[i*n:], gp[at:at+n])
	}
	return s.share[:m*n]
}

func (b *couplingLayer) forward(state any, x, c, logDet []float32, m int) {
	s, n := state.(*couplingState), len(b.change)
	b.condition(s, x, c, m)
	b.gather(s.x, x, m)
	b.transform.forward(s.y[:m*n], s.aux[:m*n], logDet[:m], s.x[:m*n], s.p, m, n)
	b.scatter(x, s.y, m)
}

func (b *couplingLayer) inverse(state any, x, c, logDet []float32, m int) {
	s, n := state.(*couplingState), len(b.change)
	b.condition(s, x, c, m)
	b.gather(s.y, x, m)
	if k := b.transform.inverse(s.x[:m*n], logDet[:m], s.y[:m*n], s.p, m, n); k > 0 {
		b.clamped.Add(int64(k))
	}
	b.scatter(x, s.x, m)
}

func (b *couplingLayer) backward(state any, grad, g, gLogDet []float32, m int) {
	s, n, in := state.(*couplingState), len(b.change), len(b.read)+b.context
	gy, gp := s.y[:m*n], s.gp[:m*n*b.outputs] // y is no longer needed
	b.gather(gy, g, m)
	b.transform.backward(gy, gp, gy, gLogDet[:m], s.x[:m*n], s.aux[:m*n], s.p, m, n)
	b.scatter(g, gy, m)
	for k, net := range b.nets {
		net.Backward(s.nets[k], grad, s.gin[:m*in], s.in[:m*in], b.share(s, gp, k, m), m)
		for i := range m {
			row, from := g[i*b.dim:(i+1)*b.dim], s.gin[i*in:(i+1)*in]
			for j, k := range b.read {
				row[k] += from[j]
			}
		}
	}
}

// gather copies the features that change, of m rows, to dst.
func (b *couplingLayer) gather(dst, x []float32, m int) {
	n := len(b.change)
	for i := range m {
		row, from := dst[i*n:(i+1)*n], x[i*b.dim:(i+1)*b.dim]
		for j, k := range b.change {
			row[j] = from[k]
		}
	}
}

// scatter copies src back to the features that change, of m rows.
func (b *couplingLayer) scatter(x, src []float32, m int) {
	n := len(b.change)
	for i := range m {
		row, from := x[i*b.dim:(i+1)*b.dim], src[i*n:(i+1)*n]
		for j, k := range b.change {
			row[k] = from[j]
		}
	}
}
