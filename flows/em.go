package flows

import (
	"math"

	"github.com/eidolon-hep/eidolon/kernels/philox"
	"gonum.org/v1/gonum/mat"
)

// start fits the mixture to n rows of z, with weights w (nil: 1 each; negative ones
// count as none), by EM.
func (b *mixture) start(z, w []float32, n int, seed uint64) {
	const (
		most    = 60   // iterations
		enough  = 1e-4 // nats per row that an iteration must gain
		prior   = 0.1  // variance of a component that saw nothing, against that of all rows
		weighty = 1    // rows that this counts for, per feature
	)
	if n < 2 {
		return
	}
	d, kk := b.dim, b.components
	g := newGaussians(kk, d)
	weight := func(i int) float64 {
		if w == nil {
			return 1
		}
		return max(float64(w[i]), 0)
	}
	// The widths of the features over all rows set the scale of the prior.
	var total float64
	mean, variance := make([]float64, d), make([]float64, d)
	for i := range n {
		total += weight(i)
		for j := range d {
			v := float64(z[i*d+j])
			mean[j] += weight(i) * v
			variance[j] += weight(i) * v * v
		}
	}
	if total == 0 {
		return
	}
	for j := range d {
		mean[j] /= total
		variance[j] = max(variance[j]/total-mean[j]*mean[j], 1e-6)
	}
	p := make([]float64, n*kk) // responsibilities
	nearest(p, z, w, n, d, kk, seed)
	before := math.Inf(-1)
	for range most {
		// M: weights, means and covariances from the responsibilities.
		for k := range kk {
			g.clear(k)
		}
		for i := range n {
			row := z[i*d : (i+1)*d]
			for k, r := range p[i*kk : (i+1)*kk] {
				if r *= weight(i); r > 1e-9 {
					g.add(k, row, r)
				}
			}
		}
		for k := range kk {
			g.finish(k, total, mean, variance, prior, weighty*float64(d))
		}
		// E: responsibilities from these.
		sum := 0.0
		for i := range n {
			sum += weight(i) * g.terms(p[i*kk:(i+1)*kk], z[i*d:(i+1)*d])
		}
		if after := sum / total; after-before < enough {
			break
		} else {
			before = after
		}
	}
	b.take(g)
}

// nearest starts responsibilities from centres that are chosen as k-means++ does
// (https://dl.acm.org/doi/10.5555/1283383.1283494): every row belongs to the one
// that is nearest.
func nearest(p []float64, z, w []float32, n, d, kk int, seed uint64) {
	const stream = 1 << 40
	distance, of := make([]float64, n), make([]int, n)
	for i := range distance {
		distance[i] = math.Inf(1)
	}
	centre := int(philox.Uint64(seed, stream, 0) % uint64(n))
	for k := range kk {
		sum := 0.0
		for i := range n {
			dist := 0.0
			for j := range d {
				v := float64(z[i*d+j] - z[centre*d+j])
				dist += v * v
			}
			if dist < distance[i] {
				distance[i], of[i] = dist, k
			}
			if w == nil || w[i] > 0 {
				sum += distance[i]
			}
		}
		left := sum * float64(philox.Uint64(seed, stream, uint64(k+1))>>11) / (1 << 53)
		for i := range n {
			if w == nil || w[i] > 0 {
				if left -= distance[i]; left <= 0 {
					centre = i
					break
				}
			}
		}
	}
	clear(p)
	for i, k := range of {
		p[i*kk+k] = 1
	}
}

// gaussians are the normals of a mixture in float64, while they are being found.
type gaussians struct {
	dim    int
	sum    []float64 // weights
	share  []float64
	mean   []float64 // components×dim
	square []float64 // components×dim×dim: sums of products, then covariances
	a      []float64 // components×dim×dim: A_k, lower triangular
	log    []float64 // log π_k + log det A_k − ½ D log 2π
	u      []float64
}

func newGaussians(kk, d int) *gaussians {
	return &gaussians{
		dim: d, sum: make([]float64, kk), share: make([]float64, kk), mean: make([]float64, kk*d),
		square: make([]float64, kk*d*d), a: make([]float64, kk*d*d), log: make([]float64, kk), u: make([]float64, d),
	}
}

func (g *gaussians) clear(k int) {
	g.sum[k] = 0
	clear(g.mean[k*g.dim : (k+1)*g.dim])
	clear(g.square[k*g.dim*g.dim : (k+1)*g.dim*g.dim])
}

// add adds a row of weight w to component k.
func (g *gaussians) add(k int, row []float32, w float64) {
	d := g.dim
	g.sum[k] += w
	mean, square := g.mean[k*d:(k+1)*d], g.square[k*d*d:(k+1)*d*d]
	for i, v := range row {
		x := w * float64(v)
		mean[i] += x
		for j, v := range row[:i+1] {
			square[i*d+j] += x * float64(v)
		}
	}
}

// finish turns the sums of component k into its parameters. The mean and the variance
// of all rows count for some more rows in it.
func (g *gaussians) finish(k int, total float64, mean, variance []float64, prior, rows float64) {
	d := g.dim
	sum := g.sum[k] + 1e-3
	m, s := g.mean[k*d:(k+1)*d], g.square[k*d*d:(k+1)*d*d]
	for i := range d {
		m[i] = (m[i] + 1e-3*mean[i]) / sum
	}
	cov := mat.NewSymDense(d, nil)
	for i := range d {
		for j := range i + 1 {
			c := s[i*d+j] - g.sum[k]*m[i]*m[j]
			if i == j {
				c = max(c, 0) + rows*prior*variance[i]
			}
			cov.SetSym(i, j, c/(sum+rows))
		}
	}
	var chol mat.Cholesky
	for ridge := 0.0; !chol.Factorize(cov); ridge = 10*ridge + 1e-6 { // rounding
		for i := range d {
			cov.SetSym(i, i, cov.At(i, i)+ridge*variance[i]+1e-12)
		}
	}
	// With the covariance L Lᵀ, A = L⁻¹.
	var l, inverse mat.TriDense
	chol.LTo(&l)
	if inverse.InverseTri(&l) != nil {
		// Ill-conditioned, yet with an answer.
	}
	g.share[k] = sum / (total + 1e-3*float64(len(g.sum)))
	g.log[k] = math.Log(g.share[k]) - 0.5*float64(d)*math.Log(2*math.Pi)
	for i := range d {
		for j := range i + 1 {
			g.a[(k*d+i)*d+j] = inverse.At(i, j)
		}
		g.log[k] += math.Log(inverse.At(i, i))
	}
}

// terms stores the probabilities that a row came from the components in p, and returns
// the logarithm of its density.
func (g *gaussians) terms(p []float64, row []float32) float64 {
	d, top := g.dim, math.Inf(-1)
	for k := range p {
		m, sum := g.mean[k*d:(k+1)*d], 0.0
		for i, v := range row {
			g.u[i] = float64(v) - m[i]
			u := 0.0
			for j, a := range g.a[(k*d+i)*d : (k*d+i)*d+i+1] {
				u += a * g.u[j]
			}
			sum += u * u
		}
		p[k] = g.log[k] - 0.5*sum
		top = max(top, p[k])
	}
	return logSumExp(p, top)
}

// take makes g the mixture's parameters.
func (b *mixture) take(g *gaussians) {
	d := b.dim
	logit, bias, a := b.logit.Of(b.params.Value), b.bias.Of(b.params.Value), b.a.Of(b.params.Value)
	at := 0
	for k := range b.components {
		logit[k] = float32(math.Log(g.share[k]))
		for i := range d {
			sum := 0.0
			for j, v := range g.a[(k*d+i)*d : (k*d+i)*d+i+1] {
				sum -= v * g.mean[k*d+j]
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
