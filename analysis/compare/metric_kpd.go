package compare

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/stat"
)

// KPD is the kernel physics distance (Kansal et al., arXiv:2211.10295) with the parameters of
// JetNet: the squared maximum mean discrepancy with a kernel of degree four, in the columns
// of [FPD]. It is the median of ten draws of 5,000 events.
type KPD struct {
	Value float64 `json:"kpd"`
	Error float64 `json:"kpd_error"`
}

func measureKPD(ctx context.Context, s *samples) Finding {
	k := &KPD{}
	k.Value, k.Error = kpd(ctx, s.scaled[0], s.scaled[1], s.weights[0], s.weights[1])
	return k
}

// Text gives the distance with its error.
func (k *KPD) Text() string { return thousandths(k.Value, k.Error) }

// Words are none.
func (k *KPD) Words() []string { return nil }

// kpd is the squared maximum mean discrepancy with the kernel (x·y/d + 1)⁴, unbiased: the
// median over draws, and half the width of their central 68 %.
func kpd(ctx context.Context, a, b *cloud, wa, wb []float64) (value, err float64) {
	const (
		draws = 10
		most  = 5_000
	)
	n := min(most, a.n, b.n)
	if n < 2 {
		return math.NaN(), math.NaN()
	}
	ca, cb := cumulative(wa), cumulative(wb)
	found := make([]float64, draws)
	all(ctx, draws, func(k int) {
		rng := rand.New(rand.NewPCG(3, uint64(k)))
		x, y := a.draw(n, ca, rng), b.draw(n, cb, rng)
		pairs := float64(n) * float64(n-1)
		found[k] = kernelSum(x, x, true)/pairs + kernelSum(y, y, true)/pairs - 2*kernelSum(x, y, false)/(float64(n)*float64(n))
	})
	slices.Sort(found)
	quantile := func(p float64) float64 { return stat.Quantile(p, stat.LinInterp, found, nil) }
	return (found[draws/2-1] + found[draws/2]) / 2, (quantile(0.83725) - quantile(0.16275)) / 2
}

// kernelSum is Σᵢⱼ (xᵢ·yⱼ/d + 1)⁴, without i = j if asked.
func kernelSum(x, y *cloud, others bool) float64 {
	const block = 64
	products := blas64.General{Cols: y.n, Stride: y.n, Data: make([]float64, block*y.n)}
	sum := 0.0
	for lo := 0; lo < x.n; lo += block {
		m := min(block, x.n-lo)
		products.Rows = m
		rows := blas64.General{Rows: m, Cols: x.dim, Stride: x.dim, Data: x.x[lo*x.dim:]}
		blas64.Gemm(blas.NoTrans, blas.Trans, 1/float64(x.dim), rows, y.general(), 0, products)
		for i := range m {
			for k, p := range products.Data[i*y.n : (i+1)*y.n] {
				if others && k == lo+i {
					continue
				}
				p = (p + 1) * (p + 1)
				sum += p * p
			}
		}
	}
	return sum
}
