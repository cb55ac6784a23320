package compare

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// FPD is the Fréchet physics distance (Kansal et al., arXiv:2211.10295) with the parameters
// of JetNet: the Fréchet distance of the samples as normal distributions, in columns that are
// divided by the largest absolute value of the reference. It is extrapolated to infinite
// samples from 20 draws at each of ten sizes, up to 50,000 events.
type FPD struct {
	Value float64 `json:"fpd"`
	Error float64 `json:"fpd_error"`
}

func measureFPD(ctx context.Context, s *samples) Finding {
	f := &FPD{}
	f.Value, f.Error = fpd(ctx, s.scaled[0], s.scaled[1], s.weights[0], s.weights[1])
	return f
}

// Text gives the distance with its error.
func (f *FPD) Text() string { return thousandths(f.Value, f.Error) }

// Words are none.
func (f *FPD) Words() []string { return nil }

// thousandths writes a small distance with its error.
func thousandths(value, err float64) string {
	return fmt.Sprintf("(%.3g ± %.1g) × 10⁻³", 1e3*value, 1e3*err)
}

// fpd is the Fréchet distance of the samples as normal distributions, extrapolated
// to samples without end: the constant of a line in 1/n, neither of whose
// parameters is negative.
func fpd(ctx context.Context, a, b *cloud, wa, wb []float64) (value, err float64) {
	const (
		draws, points = 20, 10
		most          = 50_000
		fewest        = 0.4 // of the most
	)
	largest := float64(min(most, a.n, b.n))
	ca, cb := cumulative(wa), cumulative(wb)
	x, y := make([]float64, points), make([]float64, points)
	all(ctx, points, func(p int) {
		inverse := (1/fewest + (1-1/fewest)*float64(p)/(points-1)) / largest
		n := max(2, int(1/inverse))
		x[p] = 1 / float64(n)
		rng := rand.New(rand.NewPCG(2, uint64(p)))
		for i := 0; i < draws && ctx.Err() == nil; i++ {
			y[p] += frechet(a.draw(n, ca, rng), b.draw(n, cb, rng)) / draws
		}
	})
	constant, slope := stat.LinearRegression(x, y, nil, false)
	switch {
	case slope < 0:
		constant, slope = stat.Mean(y, nil), 0
	case constant < 0:
		var xy, xx float64
		for p := range x {
			xy, xx = xy+x[p]*y[p], xx+x[p]*x[p]
		}
		constant, slope = 0, max(0, xy/xx)
	}
	var squares float64
	for p := range x {
		d := y[p] - constant - slope*x[p]
		squares += d * d
	}
	mean, variance := stat.PopMeanVariance(x, nil)
	return constant, math.Sqrt(squares / (points - 2) * (1 + mean*mean/variance) / points)
}

// frechet is |μ₁−μ₂|² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½).
func frechet(a, b *cloud) float64 {
	muA, sigmaA := moments(a)
	muB, sigmaB := moments(b)
	d := 0.0
	for k := range muA {
		d += (muA[k] - muB[k]) * (muA[k] - muB[k])
	}
	d += mat.Trace(sigmaA) + mat.Trace(sigmaB)

	// (Σ₁Σ₂)^½ has the trace of (Σ₁^½ Σ₂ Σ₁^½)^½.
	var eigen mat.EigenSym
	if !eigen.Factorize(sigmaA, true) {
		return math.NaN()
	}
	var v, half, product mat.Dense
	eigen.VectorsTo(&v)
	roots := make([]float64, a.dim)
	for k, l := range eigen.Values(nil) {
		roots[k] = math.Sqrt(max(0, l))
	}
	half.Mul(&v, mat.NewDiagDense(a.dim, roots))
	product.Mul(sigmaB, &half)
	var inner mat.Dense
	inner.Mul(half.T(), &product)
	symmetric := mat.NewSymDense(a.dim, nil)
	for i := range a.dim {
		for k := range i + 1 {
			symmetric.SetSym(i, k, (inner.At(i, k)+inner.At(k, i))/2)
		}
	}
	if !eigen.Factorize(symmetric, false) {
		return math.NaN()
	}
	for _, l := range eigen.Values(nil) {
		d -= 2 * math.Sqrt(max(0, l))
	}
	return d
}

// moments returns the means and the covariances, and destroys the cloud.
func moments(c *cloud) (mu []float64, sigma *mat.SymDense) {
	mu = make([]float64, c.dim)
	for i := range c.n {
		for k, v := range c.row(i) {
			mu[k] += v / float64(c.n)
		}
	}
	for i := range c.n {
		row := c.row(i)
		for k := range row {
			row[k] -= mu[k]
		}
	}
	s := blas64.Symmetric{N: c.dim, Stride: c.dim, Data: make([]float64, c.dim*c.dim), Uplo: blas.Upper}
	blas64.Syrk(blas.Trans, 1/float64(c.n-1), c.general(), 0, s)
	sigma = mat.NewSymDense(c.dim, nil)
	sigma.SetRawSymmetric(s)
	return mu, sigma
}
