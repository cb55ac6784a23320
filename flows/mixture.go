package flows

import (
	"context"
	"fmt"
	"math"

	"github.com/eidolon-hep/eidolon/internal/em"
	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/kernels/philox"
)

// Mixture is the base distribution of a flow, in the place of the standard normal: a
// mixture of normals,
//
//	p(z) = Σ_k π_k N(z; m_k, (A_kᵀ A_k)⁻¹),  A_k lower triangular of positive diagonal
//
// whose parameters are learnt together with those of the layers. A smooth invertible
// map cannot tear a normal into separate islands: it leaves bridges between them
// (arXiv:2110.15828); a mixture has islands from the start. It is the last layer of a
// flow. Before training it is fitted to the data that arrive there by [the EM algorithm].
//
// [the EM algorithm]: https://doi.org/10.1111/j.2517-6161.1977.tb01600.x
type Mixture struct {
	Components int `json:"components"`
}

func (l Mixture) check() error {
	if l.Components < 1 || l.Components > 1<<12 {
		return fmt.Errorf("%d components", l.Components)
	}
	return nil
}

func (l Mixture) parameters(dim, _ int) (int, error) {
	return l.Components * (1 + dim + dim*(dim+1)/2), l.check()
}

func (Mixture) build(*nn.Params, string, int, int) (bijection, error) {
	return nil, fmt.Errorf("a base distribution must be the last layer")
}

// buildBase adds the parameters of the mixture to p.
func (l Mixture) buildBase(p *nn.Params, name string, dim int) (*mixture, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	k := l.Components
	return &mixture{
		params: p, dim: dim, components: k,
		logit:   p.Add(name+".logit", k),
		bias:    p.Add(name+".bias", k, dim),
		a:       p.Add(name+".a", k, dim*(dim+1)/2),
		w:       make([]float32, dim*k*dim),
		packed:  make([]float32, dense.PackedLen(dim, k*dim)),
		packedT: make([]float32, dense.PackedLen(k*dim, dim)),
		logNorm: make([]float64, k),
		share:   make([]float64, k),
	}, nil
}

// mixture is the base distribution of Mixture. The matrices of all components stand
// side by side, so that one product gives u_k = A_k z + b_k for all k; then m_k =
// −A_k⁻¹ b_k. The tensor a holds the rows of A_k one after the other, up to the
// diagonal, of which it holds the logarithm.
type mixture struct {
	params          *nn.Params
	dim, components int
	logit, bias, a  nn.Param

	w, packed, packedT []float32
	logNorm            []float64 // log π_k + log det A_k − ½ D log 2π
	share              []float64 // π_k
}

type mixtureState struct {
	u, gu, gz []float32 // rows×components×dim, and rows×dim
	gw        []float32 // ∂L/∂W
	p         []float64 // rows×components: the probabilities that a row came from them
	from      []float64 // sums of these
}

func (b *mixture) newState(rows int) *mixtureState {
	n := b.components * b.dim
	return &mixtureState{
		u: make([]float32, rows*n), gu: make([]float32, rows*n), gz: make([]float32, rows*b.dim),
		gw: make([]float32, b.dim*n), p: make([]float64, rows*b.components), from: make([]float64, b.components),
	}
}

// init spreads the components a little, so that they can part.
func (b *mixture) init(seed, stream uint64) {
	clear(b.logit.Of(b.params.Value))
	clear(b.a.Of(b.params.Value))
	bias := b.bias.Of(b.params.Value)
	clear(bias)
	if b.components > 1 {
		philox.Normal(bias, seed, stream, 0)
	}
}

// start fits the mixture to n rows of z, with weights w (nil: 1 each), by EM, until ctx is
// cancelled. Rows that are not finite leave the mixture as it is.
func (b *mixture) start(ctx context.Context, z, w []float32, n int, seed uint64) {
	g := em.Fit(ctx, b.components, b.dim, z, w, n, seed)
	if g == nil {
		return
	}
	d := b.dim
	logit, bias, a := b.logit.Of(b.params.Value), b.bias.Of(b.params.Value), b.a.Of(b.params.Value)
	at := 0
	for k := range b.components {
		logit[k] = float32(math.Log(g.Share[k]))
		for i := range d {
			sum := 0.0
			for j, v := range g.Factor[(k*d+i)*d : (k*d+i)*d+i+1] {
				sum -= v * g.Mean[k*d+j]
				if i == j {
					v = math.Log(v)
				}
				a[at] = float32(v)
				at++
			}
			bias[k*d+i] = float32(sum)
		}
	}
	b.pack()
}

// pack takes over changed parameters.
func (b *mixture) pack() {
	d, n := b.dim, b.components*b.dim
	logit, a := b.logit.Of(b.params.Value), b.a.Of(b.params.Value)
	sum, top := 0.0, math.Inf(-1)
	for _, l := range logit {
		top = max(top, float64(l))
	}
	for _, l := range logit {
		sum += math.Exp(float64(l) - top)
	}
	for k := range b.components {
		log := float64(logit[k]) - top - math.Log(sum)
		b.share[k] = math.Exp(log)
		b.logNorm[k] = log - 0.5*float64(d)*math.Log(2*math.Pi)
		row := a[k*d*(d+1)/2:]
		for i := range d {
			for j := range i {
				b.w[j*n+k*d+i] = row[j]
			}
			b.w[i*n+k*d+i] = float32(math.Exp(float64(row[i])))
			b.logNorm[k] += float64(row[i])
			row = row[i+1:]
		}
	}
	dense.Pack(b.packed, b.w, d, n)
	dense.PackT(b.packedT, b.w, d, n)
}

// logDensity stores log p of the m rows of z in dst.
func (b *mixture) logDensity(s *mixtureState, dst []float64, z []float32, m int) {
	n, kk := b.components*b.dim, b.components
	dense.Forward(s.u[:m*n], nil, z[:m*b.dim], b.packed, b.bias.Of(b.params.Value), m, b.dim, n, dense.None)
	for i := range m {
		dst[i] = b.terms(s.p[i*kk:(i+1)*kk], s.u[i*n:(i+1)*n])
	}
}

// terms stores the probabilities that a row with the given u came from the components
// in p, and returns the logarithm of its density.
func (b *mixture) terms(p []float64, u []float32) float64 {
	top := math.Inf(-1)
	for k := range p {
		sum := 0.0
		for _, v := range u[k*b.dim : (k+1)*b.dim] {
			sum += float64(v) * float64(v)
		}
		p[k] = b.logNorm[k] - 0.5*sum
		top = max(top, p[k])
	}
	return em.LogSumExp(p, top)
}

// backward follows logDensity: it puts the gradient of −Σ w log p with respect to z in
// the place of z, and adds those of the parameters to grad.
func (b *mixture) backward(s *mixtureState, grad, z, w []float32, m int) {
	d, n := b.dim, b.components*b.dim
	logit, a := b.logit.Of(grad), b.a.Of(grad)
	total := 0.0
	clear(s.from)
	for i := range m {
		total += float64(w[i])
		for k, p := range s.p[i*b.components : (i+1)*b.components] {
			p *= float64(w[i])
			s.from[k] += p
			scale := float32(p)
			gu := s.gu[i*n+k*d : i*n+(k+1)*d]
			for j, v := range s.u[i*n+k*d : i*n+(k+1)*d] {
				gu[j] = scale * v
			}
		}
	}
	clear(s.gw)
	dense.GradWeights(s.gw, b.bias.Of(grad), z[:m*d], s.gu[:m*n], m, d, n)
	dense.GradInput(s.gz[:m*d], s.gu[:m*n], b.packedT, nil, m, d, n, dense.None)
	copy(z, s.gz[:m*d])
	for k, from := range s.from {
		logit[k] += float32(total*b.share[k] - from)
		row := a[k*d*(d+1)/2:]
		for i := range d {
			for j := range i {
				row[j] += s.gw[j*n+k*d+i]
			}
			row[i] += s.gw[i*n+k*d+i]*b.w[i*n+k*d+i] - float32(from)
			row = row[i+1:]
		}
	}
}

// streamComponents is the first of the streams of a seed that components are drawn
// from.
const streamComponents = 1 << 59

// place turns the standard normal deviates of row i of a seed, in z, into a row of the
// mixture.
func (b *mixture) place(z []float32, seed, attempt, row uint64) {
	var u [1]float64
	philox.Uniform64(u[:], seed, streamComponents+attempt, row)
	k, rest := 0, u[0]
	for ; k < b.components-1 && rest >= b.share[k]; k++ {
		rest -= b.share[k]
	}
	// Solve A_k x = z − b_k from the first feature on.
	d := b.dim
	bias, a := b.bias.Of(b.params.Value)[k*d:(k+1)*d], b.a.Of(b.params.Value)[k*d*(d+1)/2:]
	for i := range d {
		v := z[i] - bias[i]
		for j, of := range a[:i] {
			v -= of * z[j]
		}
		z[i] = v / b.w[i*b.components*d+k*d+i]
		a = a[i+1:]
	}
}
