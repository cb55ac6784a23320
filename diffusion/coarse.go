package diffusion

import (
	"math"
	"math/bits"

	"gonum.org/v1/gonum/mat"

	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/kernels/philox"
)

const (
	// fewest is the number of events from which on coarser ones are made.
	fewest = 1 << 13
	// coarseError is the error that they may have, in units of ε.
	coarseError = 100
	// The kernels on which it is measured have widths up to broadest standard
	// deviations of the events.
	broadest = 64
	narrower = 0.84 // each has so much of the width of the one before
	trials   = 64   // x for each width
	// streamTrial is the stream that their noise is from, the next that of their events.
	streamTrial = 1 << 53
)

// coarsen makes coarser events, and coarser ones of these, and finds from which width on
// they do.
func (m *Mixture) coarsen() error {
	if m.n < fewest {
		return nil
	}
	_, _, variance := moments(m.x, m.w, m.dim)
	var exact []trial
	h := broadest * math.Sqrt(variance/float64(m.dim))
	least := h * 1e-9
	if !(variance > 0) { // equal events are coarse as they are
		return nil
	}
	for c := m; c.n >= fewest; c = c.coarser {
		x, w := c.halve()
		next, err := newMixture(x, w, m.dim, m.epsilon)
		if err != nil {
			return err
		}
		c.coarser, c.from = next, math.Inf(1)
		for k := 0; ; k++ {
			if k == len(exact) && !(h > least) {
				break
			}
			if k == len(exact) {
				exact = append(exact, m.try(h))
				h *= narrower
			}
			if !(exact[k].error(next) <= coarseError*m.epsilon) {
				break
			}
			c.from = exact[k].h
		}
	}
	for c := m; c != nil; c = c.coarser {
		c.blocks.Store(0)
	}
	return nil
}

// trial is q at some x for kernels of the width h, and the traces of the covariance of
// x_0 given x, in units of h².
type trial struct {
	h     float64
	x, q  []float32
	trace []float64
}

// try works out q at some x by all events.
func (m *Mixture) try(h float64) trial {
	t := trial{h, make([]float32, trials*m.dim), make([]float32, trials*m.dim), make([]float64, trials)}
	philox.Normal(t.x, 0, streamTrial, 0)
	for i := range trials {
		event := int(philox.Uint64(0, streamTrial+1, uint64(i)) % uint64(m.n))
		for d, c := range m.x[event*m.dim:][:m.dim] {
			t.x[i*m.dim+d] = c + float32(h)*t.x[i*m.dim+d]
		}
	}
	m.meanOfAll(t.q, t.trace, t.x, 1, h)
	return t
}

// error returns the error of q by a mixture, relative to the root of the trace.
func (t trial) error(m *Mixture) float64 {
	q, sum := make([]float32, len(t.q)), 0.0
	m.meanOfAll(q, nil, t.x, 1, t.h)
	for i, v := range q {
		off := float64(v-t.q[i]) / t.h
		sum += off * off / t.trace[i/m.dim]
	}
	return math.Sqrt(sum / trials)
}

// halve returns two points for each cell of the events, and their weights. With u_k, σ_k²
// for the axes and variances of the cell's covariance about its mean, they are at
//
//	mean ± Σ_k s_k σ_k u_k
//
// whose covariance has the same trace and, in the mean over signs s_k, is the same. The
// signs are rows of a Hadamard matrix, another one for each of 4 neighbouring cells.
func (m *Mixture) halve() (x, w []float32) {
	cells := (m.n + cellLen - 1) / cellLen
	x, w = make([]float32, 2*cells*m.dim), make([]float32, 2*cells)
	nn.Parallel(cells, 1<<10, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			first, last := i*cellLen, min((i+1)*cellLen, m.n)
			weight := halveCell(x[2*i*m.dim:2*(i+1)*m.dim], m.x[first*m.dim:last*m.dim], m.w[first:last], uint(i))
			w[2*i], w[2*i+1] = float32(weight/2), float32(weight/2)
		}
	})
	return x, w
}

// halveCell stores two points for the events x in to, and returns their weight.
func halveCell(to, x, w []float32, number uint) float64 {
	n, dim := len(w), len(to)/2
	weight, mean, _ := moments(x, w, dim)
	// With the rows b_i = √(ω_i/Σω) (x_i − mean), the covariance is bᵀb, and the
	// eigenvectors v_k of bbᵀ, which is small, have σ_k u_k = bᵀ v_k.
	b, gram := mat.NewDense(n, dim, nil), mat.NewSymDense(n, nil)
	for i := range n {
		for d := range dim {
			b.Set(i, d, math.Sqrt(float64(w[i])/weight)*(float64(x[i*dim+d])-mean[d]))
		}
	}
	gram.SymOuterK(1, b)
	signs, side := mat.NewVecDense(n, nil), mat.NewVecDense(dim, nil)
	for k := range n {
		signs.SetVec(k, float64(1-2*(bits.OnesCount(number&uint(k))&1)))
	}
	var eigen mat.EigenSym
	if eigen.Factorize(gram, true) {
		var v mat.Dense
		eigen.VectorsTo(&v)
		signs.MulVec(&v, mat.VecDenseCopyOf(signs))
	}
	side.MulVec(b.T(), signs)
	for d, c := range mean {
		to[d], to[dim+d] = float32(c-side.AtVec(d)), float32(c+side.AtVec(d))
	}
	return weight
}
