package flows

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/training"
)

// ContextAffine shifts and scales every feature by linear functions of the context,
//
//	y = (x − m(c)) ⊙ exp(−s(c)),  log|det J| = −Σ s
//
// with s = 2 tanh(r/2) of a linear function r. In front of a base distribution it makes that
// conditional on the context: events of each code have means and widths of their own. Before training, m and s are
// found by regression, so that y has mean 0 and variance 1 whatever the context.
type ContextAffine struct{}

func (ContextAffine) parameters(dim, context int) (int, error) {
	return nn.MLPLen(context, nil, 2*dim), nil
}

func (ContextAffine) build(p *nn.Params, name string, dim, context int) (bijection, error) {
	b := &contextAffine{params: p, dim: dim, context: context, net: nn.NewMLP(p, name, context, nil, 2*dim, dense.None)}
	last := len(p.List)
	b.weight, b.bias = p.List[last-2], p.List[last-1]
	return b, nil
}

// contextAffine is the bijection of ContextAffine. The outputs of the linear functions of a row are
// the dim values r, then the dim values m.
type contextAffine struct {
	params       *nn.Params
	dim, context int
	net          *nn.MLP
	weight, bias nn.Param // context×2·dim, and 2·dim
}

type contextAffineState struct {
	net  *nn.MLPState
	c    []float32 // the context of forward, rows×context
	y    []float32 // rows×dim
	tanh []float32 // rows×dim, of r/2
	inv  []float32 // rows×dim, exp(−s)
	gp   []float32 // rows×2·dim
}

const scaleBound = 2 // of |s|

func (b *contextAffine) init(uint64, uint64) {
	clear(b.weight.Of(b.params.Value))
	clear(b.bias.Of(b.params.Value))
}

func (b *contextAffine) pack(bool) { b.net.Pack() }

func (b *contextAffine) newState(rows int) any {
	n := rows * b.dim
	return &contextAffineState{
		net: b.net.NewState(rows), c: make([]float32, rows*b.context),
		y: make([]float32, n), tanh: make([]float32, n), inv: make([]float32, n), gp: make([]float32, 2*n),
	}
}

// run returns the outputs of m rows, and stores tanh and exp(−s).
func (b *contextAffine) run(s *contextAffineState, c []float32, m int) (p []float32) {
	p = b.net.Forward(s.net, c[:m*b.context], m)
	n := b.dim
	for i := range m {
		for j, r := range p[i*2*n : i*2*n+n] {
			t := math.Tanh(float64(r) / scaleBound)
			s.tanh[i*n+j], s.inv[i*n+j] = float32(t), float32(math.Exp(-scaleBound*t))
		}
	}
	return p
}

func (b *contextAffine) forward(state any, x, c, logDet []float32, m int) {
	s, n := state.(*contextAffineState), b.dim
	copy(s.c, c[:m*b.context])
	p := b.run(s, c, m)
	for i := range m {
		for j, mean := range p[i*2*n+n : (i+1)*2*n] {
			at := i*n + j
			x[at] = (x[at] - mean) * s.inv[at]
			logDet[i] -= scaleBound * s.tanh[at]
		}
	}
	copy(s.y, x[:m*n])
}

func (b *contextAffine) inverse(state any, x, c, logDet []float32, m int) {
	s, n := state.(*contextAffineState), b.dim
	p := b.run(s, c, m)
	for i := range m {
		for j, mean := range p[i*2*n+n : (i+1)*2*n] {
			at := i*n + j
			x[at] = x[at]/s.inv[at] + mean
			logDet[i] += scaleBound * s.tanh[at]
		}
	}
}

func (b *contextAffine) backward(state any, grad, g, gLogDet []float32, m int) {
	s, n := state.(*contextAffineState), b.dim
	for i := range m {
		for j := range n {
			at := i*n + j
			slope := 1 - s.tanh[at]*s.tanh[at] // ds/dr
			s.gp[i*2*n+j] = -(g[at]*s.y[at] + gLogDet[i]) * slope
			g[at] *= s.inv[at]
			s.gp[i*2*n+n+j] = -g[at]
		}
	}
	b.net.Backward(s.net, grad, nil, s.c[:m*b.context], s.gp[:m*2*n], m)
}

// start finds m and s. A code of few events has nearly the means and widths of all: coefficients
// have a normal prior, as if prior events had been seen at 0. Widths are found by Fisher scoring of
// the normal likelihood. Both are shrunk towards those of all events by the part of what they explain that chance explains
// (W. James and C. Stein, Proc. 4th Berkeley Symp. 1 (1961) 361): a feature that does not depend on the context stays as it is.
func (b *contextAffine) start(d training.Data) {
	const (
		prior  = 4 // events
		rounds = 5
	)
	n, dim, in := d.Len(), b.dim, b.context
	if n == 0 || in == 0 {
		return
	}
	weights := make([]float64, n) // of mean 1
	total := 0.0
	for i := range weights {
		weights[i] = max(d.Weight(i), 0)
		total += weights[i]
	}
	if !(total > 0) {
		return
	}
	products := mat.NewSymDense(in+1, nil) // Σ w c cᵀ, with a 1 behind c, and the prior
	row := func(i int) []float32 { return d.C[i*in : (i+1)*in] }
	for i := range weights {
		weights[i] *= float64(n) / total
		c := row(i)
		for j, v := range c {
			if v == 0 {
				continue
			}
			for k := j; k < in; k++ {
				products.SetSym(j, k, products.At(j, k)+weights[i]*float64(v)*float64(c[k]))
			}
			products.SetSym(j, in, products.At(j, in)+weights[i]*float64(v))
		}
		products.SetSym(in, in, products.At(in, in)+weights[i])
	}
	for j := range in {
		products.SetSym(j, j, products.At(j, j)+prior)
	}
	var solver mat.Cholesky
	if !solver.Factorize(products) {
		return
	}
	// regress returns the coefficients of y, less those of the prior for coefficients so far.
	coefficients, sums := mat.NewVecDense(in+1, nil), mat.NewVecDense(in+1, nil)
	regress := func(y func(i int) float64, soFar []float64) bool {
		sums.Zero()
		s := sums.RawVector().Data
		for i, w := range weights {
			v := w * y(i)
			for j, c := range row(i) {
				s[j] += v * float64(c)
			}
			s[in] += v
		}
		for j := range soFar[:in] {
			s[j] -= prior * soFar[j]
		}
		if solver.SolveVecTo(coefficients, sums) != nil {
			return false
		}
		for j, v := range coefficients.RawVector().Data {
			soFar[j] += v
		}
		return true
	}
	at := func(of []float64, i int) float64 {
		v := of[in]
		for j, c := range row(i) {
			v += of[j] * float64(c)
		}
		return v
	}
	// shrink does so with coefficients that were found from values of a variance.
	shrink := func(of []float64, variance float64) {
		mean, squares := 0.0, 0.0
		for i, w := range weights {
			mean += w * at(of, i) / float64(n)
		}
		for i, w := range weights {
			d := at(of, i) - mean
			squares += w * d * d
		}
		part := 0.0
		if chance := float64(in) * variance; squares > chance {
			part = 1 - chance/squares
		}
		for j := range of {
			of[j] *= part
		}
		of[in] += (1 - part) * mean
	}
	weight, bias := b.weight.Of(b.params.Value), b.bias.Of(b.params.Value)
	for f := range dim {
		x := func(i int) float64 { return float64(d.X[i*dim+f]) }
		mean, r := make([]float64, in+1), make([]float64, in+1)
		ok := regress(x, mean)
		rest := 0.0
		for i, w := range weights {
			d := x(i) - at(mean, i)
			rest += w * d * d
		}
		shrink(mean, rest/float64(n))
		for range rounds {
			ok = ok && regress(func(i int) float64 {
				z := (x(i) - at(mean, i)) * math.Exp(-scaleBound*math.Tanh(at(r, i)/scaleBound))
				return (min(z*z, 10) - 1) / 2 // a single event far out is no width
			}, r)
		}
		shrink(r, 0.5)
		if !ok || !isFinite(mean) || !isFinite(r) {
			continue
		}
		for j := range in {
			weight[j*2*dim+f], weight[j*2*dim+dim+f] = float32(r[j]), float32(mean[j])
		}
		bias[f], bias[dim+f] = float32(r[in]), float32(mean[in])
	}
	b.pack(false)
}

func isFinite(x []float64) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}
