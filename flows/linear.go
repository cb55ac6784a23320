package flows

import (
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/kernels/dense"
)

// Linear is an invertible linear map in LU form (arXiv:1807.03039, section 3.2):
//
//	y = L U P x + b,  log|det J| = Σ log U_ii
//
// with L lower triangular of unit diagonal, U upper triangular of positive
// diagonal, and P a fixed permutation. It starts as the permutation.
type Linear struct {
	// Permutation is P: (P x)_i = x_Permutation[i]. Empty stands for the identity.
	Permutation []int `json:"permutation,omitempty"`
}

// checkPermutation checks an order of dim features; empty stands for the identity.
func checkPermutation(order []int, dim int) error {
	if len(order) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(order))
	for i, k := range sorted {
		if len(sorted) != dim || i != k {
			return fmt.Errorf("%v is no permutation of %d features", order, dim)
		}
	}
	return nil
}

func (l Linear) parameters(dim, _ int) (int, error) {
	return dim*dim + dim, checkPermutation(l.Permutation, dim)
}

func (l Linear) build(p *nn.Params, name string, dim, _ int) (bijection, error) {
	if err := checkPermutation(l.Permutation, dim); err != nil {
		return nil, err
	}
	b := &linear{
		params: p, dim: dim, permutation: l.Permutation,
		lu:      p.Add(name+".lu", dim, dim),
		bias:    p.Add(name+".bias", dim),
		packed:  make([]float32, dense.PackedLen(dim, dim)),
		packedT: make([]float32, dense.PackedLen(dim, dim)),
		back:    make([]float32, dense.PackedLen(dim, dim)),
		zero:    make([]float32, dim),
		a:       make([]float32, dim*dim),
		l:       make([]float64, dim*dim),
		u:       make([]float64, dim*dim),
	}
	if len(b.permutation) == 0 {
		b.permutation = make([]int, dim)
		for i := range b.permutation {
			b.permutation[i] = i
		}
	}
	return b, nil
}

// linear is the bijection of Linear. Rows are multiplied from the right, so the
// matrix of the products is A = (L U P)ᵀ. The tensor lu holds L below the diagonal
// and U above it; on it stand the logarithms of U's diagonal.
type linear struct {
	params      *nn.Params
	dim         int
	permutation []int
	lu, bias    nn.Param

	a, packed, packedT, back []float32 // A, and A, Aᵀ and A⁻¹ packed
	l, u                     []float64 // the factors
	zero                     []float32
	logDet                   float32
}

type linearState struct {
	x, y []float32 // rows×dim
	ga   []float32 // ∂L/∂A
	gw   []float64 // ∂L/∂(L U)
}

func (b *linear) init(uint64, uint64) {
	clear(b.lu.Of(b.params.Value))
	clear(b.bias.Of(b.params.Value))
}

func (b *linear) pack(inverse bool) {
	d, lu := b.dim, b.lu.Of(b.params.Value)
	logDet := 0.0
	for i := range d {
		logDet += float64(lu[i*d+i])
		for j := range d {
			b.l[i*d+j], b.u[i*d+j] = 0, float64(lu[i*d+j])
			if i > j {
				b.l[i*d+j], b.u[i*d+j] = b.u[i*d+j], 0
			}
		}
		b.l[i*d+i], b.u[i*d+i] = 1, math.Exp(b.u[i*d+i])
	}
	for i := range d {
		for j := range d {
			sum := 0.0 // (L U)_ij
			for k := range min(i, j) + 1 {
				sum += b.l[i*d+k] * b.u[k*d+j]
			}
			b.a[b.permutation[j]*d+i] = float32(sum) // (L U P)_i,permutation[j], transposed
		}
	}
	b.logDet = float32(logDet)
	dense.Pack(b.packed, b.a, d, d)
	dense.PackT(b.packedT, b.a, d, d)
	if inverse {
		b.packInverse()
	}
}

// packInverse solves L U z = e_k for every k by substitution: the columns of
// (L U)⁻¹. Then x = Pᵀ z.
func (b *linear) packInverse() {
	d := b.dim
	z := make([]float64, d)
	inverse := make([]float32, d*d) // (A⁻¹)_ki = x_i of e_k
	for k := range d {
		clear(z)
		z[k] = 1
		for i := range d {
			for j := range i {
				z[i] -= b.l[i*d+j] * z[j]
			}
		}
		for i := d - 1; i >= 0; i-- {
			for j := i + 1; j < d; j++ {
				z[i] -= b.u[i*d+j] * z[j]
			}
			z[i] /= b.u[i*d+i]
		}
		for i, v := range z {
			inverse[k*d+b.permutation[i]] = float32(v)
		}
	}
	dense.Pack(b.back, inverse, d, d)
}

func (b *linear) newState(rows int) any {
	d := b.dim
	return &linearState{
		x: make([]float32, rows*d), y: make([]float32, rows*d),
		ga: make([]float32, d*d), gw: make([]float64, d*d),
	}
}

func (b *linear) forward(state any, x, _, logDet []float32, m int) {
	s, d := state.(*linearState), b.dim
	copy(s.x, x[:m*d])
	dense.Forward(x[:m*d], nil, s.x[:m*d], b.packed, b.bias.Of(b.params.Value), m, d, d, dense.None)
	for i := range m {
		logDet[i] += b.logDet
	}
}

func (b *linear) inverse(state any, x, _, logDet []float32, m int) {
	s, d := state.(*linearState), b.dim
	bias := b.bias.Of(b.params.Value)
	for i := range m {
		for j, v := range x[i*d : (i+1)*d] {
			s.y[i*d+j] = v - bias[j]
		}
		logDet[i] -= b.logDet
	}
	dense.Forward(x[:m*d], nil, s.y[:m*d], b.back, b.zero, m, d, d, dense.None)
}

func (b *linear) backward(state any, grad, g, gLogDet []float32, m int) {
	s, d := state.(*linearState), b.dim
	glu := b.lu.Of(grad)
	clear(s.ga)
	dense.GradWeights(s.ga, b.bias.Of(grad), s.x[:m*d], g[:m*d], m, d, d)
	dense.GradInput(s.y[:m*d], g[:m*d], b.packedT, nil, m, d, d, dense.None)
	copy(g, s.y[:m*d])

	// ∂L/∂(L U), from A's entries as pack places them; then the two factors.
	for i := range d {
		for j := range d {
			s.gw[i*d+j] = float64(s.ga[b.permutation[j]*d+i])
		}
	}
	for i := range d {
		for j := range d {
			sum := 0.0
			if i > j { // ∂L/∂L = gw Uᵀ
				for k := j; k < d; k++ {
					sum += s.gw[i*d+k] * b.u[j*d+k]
				}
			} else { // ∂L/∂U = Lᵀ gw
				for k := i; k < d; k++ {
					sum += b.l[k*d+i] * s.gw[k*d+j]
				}
			}
			if i == j { // the logarithm is the parameter
				sum *= b.u[i*d+i]
			}
			glu[i*d+j] += float32(sum)
		}
	}
	total := float32(0)
	for _, v := range gLogDet[:m] {
		total += v
	}
	for i := range d {
		glu[i*d+i] += total
	}
}
