package flows

import (
	"math"

	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/training"
)

// ActNorm is activation normalisation (arXiv:1807.03039, section 3.1): a scale and
// a shift for every feature,
//
//	y = (x − shift) ⊙ exp(scale),  log|det J| = Σ scale
//
// Before training it is set so that its outputs have mean 0 and standard deviation 1.
type ActNorm struct{}

func (ActNorm) parameters(dim, _ int) (int, error) { return 2 * dim, nil }

func (ActNorm) build(p *nn.Params, name string, dim, _ int) (bijection, error) {
	return &actNorm{
		params: p, dim: dim,
		shift: p.Add(name+".shift", dim), scale: p.Add(name+".scale", dim),
		factor: make([]float32, dim),
	}, nil
}

type actNorm struct {
	params       *nn.Params
	dim          int
	shift, scale nn.Param
	factor       []float32 // exp(scale)
	logDet       float32
}

type actNormState struct{ y []float32 } // rows×dim, the output

func (b *actNorm) init(uint64, uint64) {
	clear(b.shift.Of(b.params.Value))
	clear(b.scale.Of(b.params.Value))
}

// start sets the scale and the shift from rows of data.
func (b *actNorm) start(d training.Data) {
	x, n := d.X, d.Len()
	shift, scale := b.shift.Of(b.params.Value), b.scale.Of(b.params.Value)
	for j := range b.dim {
		var mean, square float64
		for i := range n {
			mean += float64(x[i*b.dim+j]) / float64(n)
		}
		for i := range n {
			d := float64(x[i*b.dim+j]) - mean
			square += d * d / float64(n)
		}
		const least = 1e-3 // standard deviation: a constant feature stays as it is
		shift[j], scale[j] = float32(mean), 0
		if std := math.Sqrt(square); std > least {
			scale[j] = float32(-math.Log(std))
		}
	}
	b.pack(false)
}

func (b *actNorm) pack(bool) {
	b.logDet = 0
	for j, s := range b.scale.Of(b.params.Value) {
		b.factor[j] = float32(math.Exp(float64(s)))
		b.logDet += s
	}
}

func (b *actNorm) newState(rows int) any { return &actNormState{make([]float32, rows*b.dim)} }

func (b *actNorm) forward(state any, x, _, logDet []float32, m int) {
	s, shift := state.(*actNormState), b.shift.Of(b.params.Value)
	for i := range m {
		row := x[i*b.dim : (i+1)*b.dim]
		for j, v := range row {
			row[j] = (v - shift[j]) * b.factor[j]
		}
		logDet[i] += b.logDet
	}
	copy(s.y, x[:m*b.dim])
}

func (b *actNorm) inverse(_ any, x, _, logDet []float32, m int) {
	shift := b.shift.Of(b.params.Value)
	for i := range m {
		row := x[i*b.dim : (i+1)*b.dim]
		for j, v := range row {
			row[j] = v/b.factor[j] + shift[j]
		}
		logDet[i] -= b.logDet
	}
}

func (b *actNorm) backward(state any, grad, g, gLogDet []float32, m int) {
	s := state.(*actNormState)
	gShift, gScale := b.shift.Of(grad), b.scale.Of(grad)
	for i := range m {
		row, y := g[i*b.dim:(i+1)*b.dim], s.y[i*b.dim:(i+1)*b.dim]
		for j, v := range row {
			gScale[j] += v*y[j] + gLogDet[i]
			row[j] = v * b.factor[j]
			gShift[j] -= row[j]
		}
	}
}
