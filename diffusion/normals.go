package diffusion

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/eidolon-hep/eidolon/internal/em"
	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// normals is a mixture of normals, Σ π_k N(m_k, V_k diag(v_k) V_kᵀ), whose posterior mean a
// [Denoiser] corrects. With noise it stays such a mixture, so that its posterior mean is known:
// at x with α and σ
//
//	u_k = V_kᵀ (x − α m_k)        s_k = α² v_k + σ²
//	q_k = V_k (V_kᵀ m_k + α v_k/s_k u_k)
//	r_k ∝ π_k Π s_k^−½ exp(−½ Σ u_k²/s_k)
//	q   = Σ r_k q_k
//	∇·q = α/σ² Σ r_k (σ² Σ v_k/s_k + ‖q_k − q‖²)
//
// where the inner sums and products are over the D directions. All V_k stand side by
// side, so that one product projects x on all axes, and one takes all q_k back. The network
// learns x_0 − q, whose scale is measured: ρ(α/σ) is the standard deviation of x_0 − q over the
// training events, in units of σ/√(α²+σ²), which it is for a single normal of variance 1.
type normals struct {
	dim, components int
	params          nn.Params // that a model file holds
	share, mean     []float32 // π_k; m_k
	variance, axes  []float32 // v_k; the columns of V_k, one after the other
	scale           []float32 // ρ at the places of scaleAt

	logShare []float64
	along    []float32 // V_kᵀ m_k
	packed   []float32 // all V_k side by side
	packedT  []float32
	zero     []float32
}

// The places where ρ is measured are so many values of log(α/σ), from −mostLogSNR to
// mostLogSNR.
const scales = 33

// newNormals returns a mixture whose values are still to be filled in.
func newNormals(dim, components int) *normals {
	g := &normals{dim: dim, components: components}
	p := &g.params
	share, mean, variance := p.Add("share", components), p.Add("mean", components, dim), p.Add("variance", components, dim)
	axes, scale := p.Add("axes", components, dim, dim), p.Add("scale", scales)
	g.share, g.mean, g.variance = share.Of(p.Value), mean.Of(p.Value), variance.Of(p.Value)
	g.axes, g.scale = axes.Of(p.Value), scale.Of(p.Value)
	return g
}

// normalsLen is the number of values of a mixture.
func normalsLen(dim, components int) int { return components*(1+2*dim+dim*dim) + scales }

// findNormals fits a mixture of so many normals to white rows by EM.
func findNormals(ctx context.Context, rows training.Data, components int, seed uint64) (*normals, error) {
	dim := rows.Dim
	found := em.Fit(ctx, components, dim, rows.X, rows.W, rows.Len(), seed)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fmt.Errorf("diffusion: %d events make no mixture of normals", rows.Len())
	}
	g := newNormals(dim, components)
	var eigen mat.EigenSym
	var axes mat.Dense
	for k := range components {
		g.share[k] = float32(found.Share[k])
		if !eigen.Factorize(mat.NewSymDense(dim, found.Covariance[k*dim*dim:(k+1)*dim*dim]), true) {
			return nil, errors.New("diffusion: a covariance has no principal axes: are there values out of range?")
		}
		eigen.VectorsTo(&axes)
		for j, v := range eigen.Values(nil) {
			g.mean[k*dim+j] = float32(found.Mean[k*dim+j])
			g.variance[k*dim+j] = float32(max(v, leastVariance))
			for i := range dim {
				g.axes[(k*dim+j)*dim+i] = float32(axes.At(i, j))
			}
		}
	}
	for i := range g.scale {
		g.scale[i] = 1
	}
	if err := g.finish(); err != nil {
		return nil, err
	}
	g.measure(rows, seed)
	return g, nil
}

// finish derives what follows from the values.
func (g *normals) finish() error {
	d, n := g.dim, g.components*g.dim
	total := 0.0
	for k, share := range g.share {
		if total += float64(share); !(share > 0) {
			return fmt.Errorf("diffusion: normal %d has the share %v of a mixture", k, share)
		}
	}
	for i, v := range g.variance {
		if !(v > 0) {
			return fmt.Errorf("diffusion: normal %d of a mixture has the variance %v", i/d, v)
		}
	}
	for _, v := range g.scale {
		if !(v > 0) {
			return fmt.Errorf("diffusion: the scale of what a network learns beside a mixture is %v", v)
		}
	}
	g.logShare, g.along = make([]float64, g.components), make([]float32, n)
	g.packed, g.packedT, g.zero = make([]float32, dense.PackedLen(d, n)), make([]float32, dense.PackedLen(n, d)), make([]float32, n)
	w := make([]float32, d*n)
	for k, share := range g.share {
		g.logShare[k] = math.Log(float64(share) / total)
		for j := range d {
			sum := 0.0
			for i, v := range g.axes[(k*d+j)*d : (k*d+j+1)*d] {
				w[i*n+k*d+j] = v
				sum += float64(v) * float64(g.mean[k*d+i])
			}
			g.along[k*d+j] = float32(sum)
		}
	}
	dense.Pack(g.packed, w, d, n)
	dense.PackT(g.packedT, w, d, n)
	return nil
}

// The deviates that ρ is measured with.
const streamScale = 1 << 37

// measure finds ρ.
func (g *normals) measure(rows training.Data, seed uint64) {
	const most = 1 << 11 // rows
	n := min(rows.Len(), most)
	s := g.newState()
	x, event, noise := make([]float32, g.dim), make([]float32, g.dim), make([]float32, g.dim)
	for k := range g.scale {
		alpha, sigma := unit(mostLogSNR * (2*float64(k)/(scales-1) - 1))
		g.at(s, alpha, sigma)
		sum, total := 0.0, 0.0
		for i := range n {
			row := int(int64(i) * int64(rows.Len()) / int64(n))
			copy(event, rows.X[row*g.dim:])
			philox.Normal(noise, seed, streamScale+uint64(k), uint64(i*g.dim))
			for j, v := range event {
				x[j] = float32(alpha)*v + float32(sigma)*noise[j]
			}
			g.residual(s, event, x, sigma)
			w := max(0, rows.Weight(row))
			total += w
			for _, v := range event {
				sum += w * float64(v) * float64(v)
			}
		}
		if total > 0 {
			g.scale[k] = float32(max(math.Sqrt(sum/(total*float64(g.dim))), 1e-3))
		}
	}
}

// unit returns the α and σ with this logarithm of their ratio whose squares sum to 1.
func unit(logSNR float64) (alpha, sigma float64) {
	sigma = 1 / math.Hypot(1, math.Exp(logSNR))
	return math.Exp(logSNR) * sigma, sigma
}

// scaleAt returns ρ, between its measured values.
func (g *normals) scaleAt(alpha, sigma float64) float64 {
	at := (math.Log(alpha/sigma)/mostLogSNR + 1) / 2 * (scales - 1)
	at = min(max(at, 0), scales-1)
	k := min(int(at), scales-2)
	part := at - float64(k)
	return (1-part)*float64(g.scale[k]) + part*float64(g.scale[k+1])
}

// normalsState is the memory for a tile of rows.
type normalsState struct {
	alpha, sigma float64
	offset, gain []float32 // −α V_kᵀ m_k; α v/s
	inverse      []float64 // 1/s
	log          []float64 // of each component: what does not depend on x
	width        []float64 // σ² Σ v/s

	u, h []float32 // rows×components×dim: V_kᵀ q_k, before that u_k; r_k V_kᵀ q_k
	p    []float64 // rows×components: r_k
	q    []float32 // of a row
}

func (g *normals) newState() *normalsState {
	n := g.components * g.dim
	return &normalsState{
		offset: make([]float32, n), gain: make([]float32, n), inverse: make([]float64, n),
		log: make([]float64, g.components), width: make([]float64, g.components),
		u: make([]float32, training.Tile*n), h: make([]float32, training.Tile*n),
		p: make([]float64, training.Tile*g.components), q: make([]float32, g.dim),
	}
}

// at prepares for an α and a σ.
func (g *normals) at(s *normalsState, alpha, sigma float64) {
	s.alpha, s.sigma = alpha, sigma
	for k := range g.components {
		log, product, width := g.logShare[k], 1.0, 0.0
		for j := k * g.dim; j < (k+1)*g.dim; j++ {
			v := float64(g.variance[j])
			of := alpha*alpha*v + sigma*sigma
			s.inverse[j] = 1 / of
			s.gain[j] = float32(alpha * v / of)
			s.offset[j] = float32(-alpha * float64(g.along[j]))
			width += v / of
			if product *= of; product < 1e-200 { // a logarithm now and then
				log -= 0.5 * math.Log(product)
				product = 1
			}
		}
		s.log[k], s.width[k] = log-0.5*math.Log(product), sigma*sigma*width
	}
}

// evaluate stores in q (m×dim) the posterior mean of each row of x (m×dim), m being at most
// training.Tile, and in div (m), unless it is nil, its divergence.
func (g *normals) evaluate(s *normalsState, q []float32, div []float64, x []float32) {
	n := g.components * g.dim
	m := len(x) / g.dim
	u, h := s.u[:m*n], s.h[:m*n]
	dense.Forward(u, nil, x, g.packed, s.offset, m, g.dim, n, dense.None)
	for r := range m {
		g.posterior(s, s.p[r*g.components:(r+1)*g.components], u[r*n:(r+1)*n], h[r*n:(r+1)*n])
	}
	dense.GradInput(q, h, g.packedT, nil, m, g.dim, n, dense.None)
	if div == nil {
		return
	}
	dense.Forward(h, nil, q, g.packed, g.zero, m, g.dim, n, dense.None) // V_kᵀ q
	for r := range m {
		div[r] = g.divergence(s, s.p[r*g.components:(r+1)*g.components], u[r*n:(r+1)*n], h[r*n:(r+1)*n])
	}
}

// residual replaces the event x_0 of a row x by the network's target, (x_0 − q)/scale.
func (g *normals) residual(s *normalsState, event, x []float32, scale float64) {
	g.evaluate(s, s.q, nil, x)
	for i, v := range s.q {
		event[i] = float32(float64(event[i]-v) / scale)
	}
}

// posterior finds r_k of a row in p, V_kᵀ q_k in the place of u_k in u, and their
// products in h.
func (g *normals) posterior(s *normalsState, p []float64, u, h []float32) {
	d, top := g.dim, math.Inf(-1)
	for k := range p {
		sum, u, inverse := 0.0, u[k*d:(k+1)*d], s.inverse[k*d:(k+1)*d]
		for j, v := range u {
			sum += float64(v) * float64(v) * inverse[j]
		}
		p[k] = s.log[k] - 0.5*sum
		top = max(top, p[k])
	}
	em.LogSumExp(p, top)
	clear(h)
	for k, p := range p {
		if p == 0 {
			continue
		}
		u, h, along, gain := u[k*d:(k+1)*d], h[k*d:(k+1)*d], g.along[k*d:(k+1)*d], s.gain[k*d:(k+1)*d]
		for j, v := range u {
			v = along[j] + gain[j]*v
			u[j], h[j] = v, float32(p)*v
		}
	}
}

// divergence returns ∇·q of a row, from r_k, V_kᵀ q_k and V_kᵀ q.
func (g *normals) divergence(s *normalsState, p []float64, of, q []float32) float64 {
	d, trace := g.dim, 0.0
	for k, p := range p {
		if p == 0 {
			continue
		}
		square := 0.0
		for j := k * d; j < (k+1)*d; j++ {
			square += float64(of[j]-q[j]) * float64(of[j]-q[j])
		}
		trace += p * (s.width[k] + square)
	}
	return s.alpha / s.sigma / s.sigma * trace
}
