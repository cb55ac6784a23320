// Package em finds mixtures of normals by the EM algorithm
// (https://doi.org/10.1111/j.2517-6161.1977.tb01600.x). They are what models of events
// that come as islands begin with.
package em

import (
	"context"
	"math"

	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"gonum.org/v1/gonum/mat"
)

// Mixture is a mixture of normals, Σ π_k N(x; m_k, S_k).
type Mixture struct {
	Dim        int
	Share      []float64 // π_k
	Mean       []float64 // m_k: components×Dim
	Covariance []float64 // S_k: components×Dim×Dim
	// Factor is A_k with A_kᵀ A_k = S_k⁻¹, lower triangular: components×Dim×Dim.
	Factor []float64

	sum []float64 // weights of the rows of each
	log []float64 // log π_k + log det A_k − ½ D log 2π
}

// Len returns the number of normals.
func (g *Mixture) Len() int { return len(g.Share) }

func newMixture(kk, d int) *Mixture {
	return &Mixture{
		Dim: d, Share: make([]float64, kk), Mean: make([]float64, kk*d),
		Covariance: make([]float64, kk*d*d), Factor: make([]float64, kk*d*d),
		sum: make([]float64, kk), log: make([]float64, kk),
	}
}

const (
	first = 1 << 13 // rows that islands are looked for in
	most  = 1 << 18 // rows that the mixture is fitted to, at most
	work  = 1 << 31 // products of an iteration over these, at most
	space = 1 << 25 // their responsibilities, at most
)

// Fit returns the mixture of so many normals that is likely for n rows of z (n×dim), with
// the weights w (nil: 1 each); negative weights count as 0, and only ratios of weights matter.
// The normals are found with some thousand rows from all over z, and then refined with
// many rows. It returns nil where there are no two rows, some are not finite, or ctx is cancelled before there
// is a mixture. When ctx is cancelled later the mixture is what it is by then.
//
// The result does not depend on the number of threads.
func Fit(ctx context.Context, components, dim int, z, w []float32, n int, seed uint64) *Mixture {
	if n < 2 {
		return nil
	}
	g := newMixture(components, dim)
	some, someW := spread(min(n, first), z, w, n, dim)
	f := newFit(g, some, someW)
	if f == nil {
		return nil
	}
	f.nearest(seed)
	f.iterate(ctx, 60)
	for k := range components {
		if g.Factor[k*dim*dim] == 0 {
			return nil // ctx was cancelled before this one was found
		}
	}
	if many := min(n, most, work/(components*dim*dim), space/components); many > first {
		some, someW = spread(many, z, w, n, dim)
		if f = newFit(g, some, someW); f == nil {
			return nil
		}
		f.expect(ctx)
		f.iterate(ctx, 8)
	}
	return g
}

// spread returns count of n rows, from all over them, and their weights.
func spread(count int, z, w []float32, n, dim int) (some, weights []float32) {
	if count == n {
		return z[:n*dim], w
	}
	some = make([]float32, 0, count*dim)
	for i := range count {
		row := int(int64(i) * int64(n) / int64(count))
		some = append(some, z[row*dim:(row+1)*dim]...)
		if w != nil {
			weights = append(weights, w[row])
		}
	}
	return some, weights
}

// fit is a mixture on its way to be the most likely one for some rows.
type fit struct {
	*Mixture
	z              []float32
	weight         []float64 // of the rows, of mean 1 where it is not zero
	total          float64   // of these
	mean, variance []float64 // of all rows: they set the scale of the prior
	p              []float64 // rows×components: responsibilities
	rows           []float64 // log-densities
}

// newFit returns nil where rows are not finite.
func newFit(g *Mixture, z, w []float32) *fit {
	d := g.Dim
	n := len(z) / d
	f := &fit{
		Mixture: g, z: z, weight: positive(w, n), mean: make([]float64, d), variance: make([]float64, d),
		p: make([]float64, n*g.Len()), rows: make([]float64, n),
	}
	for i, w := range f.weight {
		f.total += w
		for j := range d {
			v := float64(z[i*d+j])
			f.mean[j] += w * v
			f.variance[j] += w * v * v
		}
	}
	for j := range d {
		f.mean[j] /= f.total
		f.variance[j] = max(f.variance[j]/f.total-f.mean[j]*f.mean[j], 1e-6)
		if s := f.mean[j] + f.variance[j]; s-s != 0 {
			return nil
		}
	}
	return f
}

// iterate goes on from the responsibilities, so many times at most.
func (f *fit) iterate(ctx context.Context, most int) {
	const enough = 1e-4 // nats per row that an iteration must gain
	before := math.Inf(-1)
	for range most {
		f.maximise(ctx)
		after := f.expect(ctx)
		if after-before < enough || ctx.Err() != nil {
			break
		}
		before = after
	}
}

// maximise finds weights, means and covariances from the responsibilities.
func (f *fit) maximise(ctx context.Context) {
	const (
		prior   = 0.1 // variance of a component that saw nothing, against that of all rows
		weighty = 1   // rows that this counts for, per feature
	)
	d, kk := f.Dim, f.Len()
	parallel.RangesContext(ctx, kk, 1, func(lo, hi int) {
		for k := lo; k < hi; k++ {
			f.clear(k)
			for i, w := range f.weight {
				if r := w * f.p[i*kk+k]; r > 1e-9 {
					f.add(k, f.z[i*d:(i+1)*d], r)
				}
			}
			f.finish(k, f.total, f.mean, f.variance, prior, weighty*float64(d))
		}
	})
}

// expect finds the responsibilities from these, and returns the mean log-density.
func (f *fit) expect(ctx context.Context) float64 {
	d, kk := f.Dim, f.Len()
	parallel.RangesContext(ctx, len(f.rows), 1<<9, func(lo, hi int) {
		u := make([]float64, d)
		for i := lo; i < hi; i++ {
			f.rows[i] = f.terms(f.p[i*kk:(i+1)*kk], u, f.z[i*d:(i+1)*d])
		}
	})
	sum := 0.0
	for i, w := range f.weight {
		sum += w * f.rows[i]
	}
	return sum / f.total
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
func (f *fit) nearest(seed uint64) {
	const stream = 1 << 41
	z, weight, d, kk, n := f.z, f.weight, f.Dim, f.Len(), len(f.weight)
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
	centre := choose(0, f.total, func(i int) float64 { return weight[i] })
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
	clear(f.p)
	for i, k := range of {
		f.p[i*kk+k] = 1
	}
}

func (g *Mixture) clear(k int) {
	g.sum[k] = 0
	clear(g.Mean[k*g.Dim : (k+1)*g.Dim])
	clear(g.Covariance[k*g.Dim*g.Dim : (k+1)*g.Dim*g.Dim])
}

// add adds a row of weight w to component k.
func (g *Mixture) add(k int, row []float32, w float64) {
	d := g.Dim
	g.sum[k] += w
	mean, square := g.Mean[k*d:(k+1)*d], g.Covariance[k*d*d:(k+1)*d*d]
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
func (g *Mixture) finish(k int, total float64, mean, variance []float64, prior, rows float64) {
	d := g.Dim
	sum := g.sum[k] + 1e-3
	m, s := g.Mean[k*d:(k+1)*d], g.Covariance[k*d*d:(k+1)*d*d]
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
			cov.Zero()
			for i := range d {
				inverse.SetTri(i, i, 1/math.Sqrt(variance[i]))
				cov.SetSym(i, i, variance[i])
			}
			break
		}
		for i := range d {
			cov.SetSym(i, i, cov.At(i, i)+ridge*variance[i])
		}
	}
	g.Share[k] = sum / (total + 1e-3*float64(len(g.sum)))
	g.log[k] = math.Log(g.Share[k]) - 0.5*float64(d)*math.Log(2*math.Pi)
	for i := range d {
		for j := range i + 1 {
			g.Factor[(k*d+i)*d+j] = inverse.At(i, j)
			s[i*d+j], s[j*d+i] = cov.At(i, j), cov.At(i, j)
		}
		g.log[k] += math.Log(inverse.At(i, i))
	}
}

// terms stores the probabilities that a row came from the components in p, and returns
// the logarithm of its density. u is memory for a row.
func (g *Mixture) terms(p, u []float64, row []float32) float64 {
	d, top := g.Dim, math.Inf(-1)
	for k := range p {
		m, sum := g.Mean[k*d:(k+1)*d], 0.0
		for i, v := range row {
			u[i] = float64(v) - m[i]
			product := 0.0
			for j, a := range g.Factor[(k*d+i)*d : (k*d+i)*d+i+1] {
				product += a * u[j]
			}
			sum += product * product
		}
		p[k] = g.log[k] - 0.5*sum
		top = max(top, p[k])
	}
	return LogSumExp(p, top)
}

// LogSumExp returns log Σ exp p_k, the largest of which is top, and turns p into the
// shares of that sum.
func LogSumExp(p []float64, top float64) float64 {
	sum := 0.0
	for k, v := range p {
		p[k] = 0
		if v > top-40 { // the others vanish
			p[k] = math.Exp(v - top)
			sum += p[k]
		}
	}
	for k := range p {
		p[k] /= sum
	}
	return top + math.Log(sum)
}

// LogNormal is the log-density of N(z; 0, 1).
func LogNormal(z []float32) float64 {
	sum := 0.0
	for _, v := range z {
		sum += float64(v) * float64(v)
	}
	return -0.5*sum - 0.5*float64(len(z))*math.Log(2*math.Pi)
}
