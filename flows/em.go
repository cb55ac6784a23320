package flows

import (
	"math"

	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"gonum.org/v1/gonum/mat"
)

// start fits the mixture to n rows of z, with weights w (nil: 1 each), by EM. Negative
// weights count as none, and only their ratios matter. Rows that are not finite leave
// the mixture as it is.
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
	weight := positive(w, n) // of mean 1 where it is not zero
	// The widths of the features over all rows set the scale of the prior.
	var total float64
	mean, variance := make([]float64, d), make([]float64, d)
	for i, w := range weight {
		total += w
		for j := range d {
			v := float64(z[i*d+j])
			mean[j] += w * v
			variance[j] += w * v * v
		}
	}
	for j := range d {
		mean[j] /= total
		variance[j] = max(variance[j]/total-mean[j]*mean[j], 1e-6)
		if s := mean[j] + variance[j]; s-s != 0 {
			return
		}
	}
	p := make([]float64, n*kk) // responsibilities
	log := make([]float64, n)
	nearest(p, z, weight, d, kk, seed)
	before := math.Inf(-1)
	for range most {
		// M: weights, means and covariances from the responsibilities.
		for k := range kk {
			g.clear(k)
		}
		for i := range n {
			row := z[i*d : (i+1)*d]
			for k, r := range p[i*kk : (i+1)*kk] {
				if r *= weight[i]; r > 1e-9 {
					g.add(k, row, r)
				}
			}
		}
		for k := range kk {
			g.finish(k, total, mean, variance, prior, weighty*float64(d))
		}
		// E: responsibilities from these.
		nn.Parallel(n, 1<<9, func(lo, hi int) {
			u := make([]float64, d)
			for i := lo; i < hi; i++ {
				log[i] = g.terms(p[i*kk:(i+1)*kk], u, z[i*d:(i+1)*d])
			}
		})
		sum := 0.0
		for i, w := range weight {
			sum += w * log[i]
		}
		if after := sum / total; after-before < enough {
			break
		} else {
			before = after
		}
	}
	b.take(g)
}

// positive returns the n weights w, without the negative ones and divided by the mean
// of the others.
func positive(w []float32, n int) []float64 {
	weight := make([]float64, n)
	sum, k := 0.0, 0
	for i := range weight {
		weight[i] = 1
		if w != nil {
			weight[i] = max(float64(w[i]), 0)
		}
		if weight[i] > 0 {
			sum += weight[i]
			k++
		}
	}
	for i := range weight {
		weight[i] *= float64(k) / sum
	}
	return weight
}

// nearest starts responsibilities from centres that are chosen as k-means++ does
// (https://dl.acm.org/doi/10.5555/1283383.1283494): every row belongs to the one
// that is nearest.
func nearest(p []float64, z []float32, weight []float64, d, kk int, seed uint64) {
	const stream = 1 << 41
	n := len(weight)
	distance, of := make([]float64, n), make([]int, n)
	for i := range distance {
		distance[i] = math.Inf(1)
	}
	// choose draws a row in proportion to its share of the sum.
	choose := func(draw int, sum float64, share func(i int) float64) (row int) {
		left := sum * float64(philox.Uint64(seed, stream, uint64(draw))>>11) / (1 << 53)
		for i := range n {
			if s := share(i); s > 0 {
				row = i
				if left -= s; left < 0 {
					break
				}
			}
		}
		return row
	}
	total := 0.0
	for _, w := range weight {
		total += w
	}
	centre := choose(0, total, func(i int) float64 { return weight[i] })
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
			sum += weight[i] * distance[i]
		}
		centre = choose(k+1, sum, func(i int) float64 { return weight[i] * distance[i] })
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
}

func newGaussians(kk, d int) *gaussians {
	return &gaussians{
		dim: d, sum: make([]float64, kk), share: make([]float64, kk), mean: make([]float64, kk*d),
		square: make([]float64, kk*d*d), a: make([]float64, kk*d*d), log: make([]float64, kk),
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
	// With the covariance L Lᵀ, A = L⁻¹. Rounding may spoil it, and a larger variance
	// mends that.
	var inverse mat.TriDense
	for ridge := 1e-6; ; ridge *= 10 {
		var chol mat.Cholesky
		var l mat.TriDense
		if chol.Factorize(cov) {
			chol.LTo(&l)
			if inverse.InverseTri(&l) == nil {
				break
			}
		}
		if ridge > 1e12 {
			inverse = *mat.NewTriDense(d, mat.Lower, nil)
			for i := range d {
				inverse.SetTri(i, i, 1/math.Sqrt(variance[i]))
			}
			break
		}
		for i := range d {
			cov.SetSym(i, i, cov.At(i, i)+ridge*variance[i])
		}
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
// the logarithm of its density. u is memory for a row.
func (g *gaussians) terms(p, u []float64, row []float32) float64 {
	d, top := g.dim, math.Inf(-1)
	for k := range p {
		m, sum := g.mean[k*d:(k+1)*d], 0.0
		for i, v := range row {
			u[i] = float64(v) - m[i]
			product := 0.0
			for j, a := range g.a[(k*d+i)*d : (k*d+i)*d+i+1] {
				product += a * u[j]
			}
			sum += product * product
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
