package classify

import (
	"context"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/training"
)

// polynomial is a logistic regression on low powers of the inputs and, where these are
// few, their products. It has far fewer parameters than a network or trees, and needs no
// events to stop it: it is what sees small differences of small samples. How far it may go
// from zero is found from the events (MacKay, Neural Comput. 4 (1992) 720).
type polynomial struct {
	dim   int
	Terms []term    `json:"terms"`
	C     []float64 `json:"coefficients"` // the constant last
}

// term is a power of an input, or the product of two.
type term struct {
	A     int     `json:"a"` // inputs
	B     int     `json:"b"` // < 0: none
	Power int     `json:"power,omitempty"`
	Mean  float64 `json:"mean"`
	Width float64 `json:"width"`
}

func (t *term) raw(x []float32) float64 {
	const far = 3.5 // beyond it, powers would say what few events do
	v := min(max(float64(x[t.A]), -far), far)
	if t.B >= 0 {
		return v * min(max(float64(x[t.B]), -far), far)
	}
	switch t.Power {
	case 2:
		return v * v
	case 3:
		return v * v * v
	}
	return v
}

func (t *term) at(x []float32) float64 { return (t.raw(x) - t.Mean) / t.Width }

// fitPolynomial fits one; it has no terms where inputs are too many for it.
func fitPolynomial(ctx context.Context, train training.Data) (*polynomial, error) {
	const (
		mostInputs  = 64
		mostProduct = 12     // inputs of which products are taken
		mostRows    = 20_000 // more, and networks and trees see all
		steps       = 15
		precise     = 1e-6
	)
	p := &polynomial{dim: train.Dim}
	if train.Dim > mostInputs || train.Len() == 0 {
		return p, nil
	}
	stride := (train.Len() + mostRows - 1) / mostRows
	var rows []int
	var sum, sum2 float64
	for i := 0; i < train.Len(); i += stride {
		rows = append(rows, i)
		w := float64(train.W[i])
		sum += w
		sum2 += w * w
	}
	scale := sum / sum2 // to effective events
	row := func(i int) []float32 { return train.X[i*train.Dim : (i+1)*train.Dim] }
	add := func(t term) {
		var s, s2 float64
		for _, i := range rows {
			v := t.raw(row(i))
			s += v
			s2 += v * v
		}
		n := float64(len(rows))
		t.Mean = s / n
		if t.Width = math.Sqrt(max(0, s2/n-t.Mean*t.Mean)); t.Width > precise {
			p.Terms = append(p.Terms, t)
		}
	}
	for a := range train.Dim {
		for power := range 3 {
			add(term{A: a, B: -1, Power: power + 1})
		}
		for b := 0; b < a && train.Dim <= mostProduct; b++ {
			add(term{A: a, B: b})
		}
	}

	n := len(p.Terms) + 1
	design := blas64.General{Rows: len(rows), Cols: n, Stride: n, Data: make([]float64, len(rows)*n)}
	weighted := design
	weighted.Data = make([]float64, len(design.Data))
	for k, i := range rows {
		for j := range p.Terms {
			design.Data[k*n+j] = p.Terms[j].at(row(i))
		}
		design.Data[k*n+n-1] = 1
	}
	p.C = make([]float64, n)
	precision := 10.0
	for step := range steps {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		g := mat.NewVecDense(n, nil)
		for k, i := range rows {
			x := design.Data[k*n : (k+1)*n]
			s := 0.0
			for j, v := range x {
				s += p.C[j] * v
			}
			prob := probability(s)
			w := float64(train.W[i]) * scale
			root := math.Sqrt(w * prob * (1 - prob))
			for j, v := range x {
				g.SetVec(j, g.AtVec(j)+w*(prob-float64(train.C[i]))*v)
				weighted.Data[k*n+j] = root * v
			}
		}
		h := blas64.Symmetric{N: n, Stride: n, Data: make([]float64, n*n), Uplo: blas.Upper}
		blas64.Syrk(blas.Trans, 1, weighted, 0, h)
		var size float64
		for j := range n {
			λ := precision
			if j == n-1 {
				λ = precise // the constant is free
			} else {
				size += p.C[j] * p.C[j]
			}
			h.Data[j*n+j] += λ
			g.SetVec(j, g.AtVec(j)+λ*p.C[j])
		}
		sym := mat.NewSymDense(n, nil)
		sym.SetRawSymmetric(h)
		var chol mat.Cholesky
		var change mat.VecDense
		var inverse mat.SymDense
		if !chol.Factorize(sym) || chol.SolveVecTo(&change, g) != nil || chol.InverseTo(&inverse) != nil {
			return &polynomial{dim: train.Dim}, nil
		}
		far := min(1, 2/max(precise, mat.Norm(&change, math.Inf(1))))
		for j := range p.C {
			p.C[j] -= far * change.AtVec(j)
		}
		if step >= 2 {
			told := float64(n - 1) // of the parameters, by the events
			for j := range n - 1 {
				told -= precision * inverse.At(j, j)
			}
			precision = min(max(1, max(told, 0.1)/max(size, 1e-9)), 1e6)
		}
	}
	return p, nil
}

// logits stores the outputs for the rows of x in dst.
func (p *polynomial) logits(dst []float64, x []float32) {
	if len(p.C) == 0 {
		clear(dst)
		return
	}
	parallel.Ranges(len(dst), 4096, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			s := p.C[len(p.C)-1]
			for j := range p.Terms {
				s += p.C[j] * p.Terms[j].at(x[i*p.dim:(i+1)*p.dim])
			}
			dst[i] = s
		}
	})
}
