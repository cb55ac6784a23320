package training

import (
	"math"
)

// Density is an [Objective] whose loss is −log p of a row, p being a density: its workers are [Likelihood].
type Density interface {
	Objective
	NewWorker() Worker // a Likelihood
}

// Likelihood is a worker whose loss is −log p, in two halves.
type Likelihood interface {
	Worker
	// LogDensity stores log p of each row in dst (N). It may overwrite the rows.
	LogDensity(dst []float64, rows Rows)
	// Backward adds the gradient of −Σ w log p to grad, for the rows of the last LogDensity and weights w (N).
	Backward(grad, w []float32)
}

// Mixture is the objective of a mixture of densities of the same events, each in coordinates of its own. The loss of an
// event is
//
//	−log Σ_k w_k exp(a_k + log p_k(x_k|c_k)),
//
// x_k and c_k being its features and its context in the coordinates of part k, and a_k the logarithm of the density of the
// event relative to p_k, such as log|det ∂x_k/∂x|. Its gradient is that of the parts, each with the
// responsibilities r_k = w_k exp(a_k) p_k / Σ as weights of the events: every step is one of the expectation-maximisation
// algorithm (A. P. Dempster, N. M. Laird and D. B. Rubin, J. R. Stat. Soc. B 39 (1977) 1) that is made
// in part.
//
// A row has the features of all parts one after the other, and then a_k of all parts; its context is that of all
// parts one after the other.
type Mixture struct {
	parts        []MixturePart
	params       []float32 // of all parts, and then the logits of the weights
	dim, context int       // of a row
}

// MixturePart is a part of a [Mixture]: a density, the numbers of its features and of those of its context, and the
// weight from which the training begins.
type MixturePart struct {
	Density
	Dim, Context int
	Weight       float64
}

// NewMixture returns the mixture of some parts.
func NewMixture(parts []MixturePart) *Mixture {
	m := &Mixture{parts: parts, dim: len(parts)}
	for _, p := range parts {
		m.params = append(m.params, p.Params()...)
		m.dim += p.Dim
		m.context += p.Context
	}
	for _, p := range parts {
		m.params = append(m.params, float32(math.Log(p.Weight)))
	}
	return m
}

// Dim returns the number of features of a row, and Context that of its context.
func (m *Mixture) Dim() int     { return m.dim }
func (m *Mixture) Context() int { return m.context }

// Params returns the parameters of the parts, and the logits of their weights.
func (m *Mixture) Params() []float32 { return m.params }

// logits returns those of the weights in a vector laid out as the parameters.
func (m *Mixture) logits(flat []float32) []float32 { return flat[len(flat)-len(m.parts):] }

// Weights returns the weights of the parts: the softmax of the logits.
func (m *Mixture) Weights() []float64 {
	w := make([]float64, len(m.parts))
	m.logWeights(w)
	for k, log := range w {
		w[k] = math.Exp(log)
	}
	return w
}

func (m *Mixture) logWeights(dst []float64) {
	for k, v := range m.logits(m.params) {
		dst[k] = float64(v)
	}
	sum := logSumExp(dst)
	for k := range dst {
		dst[k] -= sum
	}
}

// Pack lets each part take over its parameters. A part is one piece of work.
func (m *Mixture) Pack(piece, pieces int) {
	at := 0
	for k, p := range m.parts {
		own := p.Params()
		if k%pieces == piece {
			copy(own, m.params[at:])
			p.Pack(0, 1)
		}
		at += len(own)
	}
}

// NewWorker returns a worker for one goroutine.
func (m *Mixture) NewWorker() Worker {
	w := &mixtureWorker{of: m, logWeights: make([]float64, len(m.parts)), sums: make([]float64, len(m.parts))}
	for _, p := range m.parts {
		w.parts = append(w.parts, p.NewWorker().(Likelihood))
		w.rows = append(w.rows, newTile(Data{Dim: p.Dim, Context: p.Context}, 0))
		w.logs = append(w.logs, make([]float64, Tile))
	}
	return w
}

// RoundTrip returns the mean and the largest |f⁻¹(f(x)) − x| of the parts that have a map.
func (m *Mixture) RoundTrip(x, c []float32) (mean, largest float64) {
	n, at, atContext, maps := len(x)/m.dim, 0, 0, 0.0
	for _, p := range m.parts {
		if inverter, ok := p.Density.(Inverter); ok {
			own, ownC := make([]float32, n*p.Dim), make([]float32, n*p.Context)
			for i := range n {
				copy(own[i*p.Dim:(i+1)*p.Dim], x[i*m.dim+at:])
				copy(ownC[i*p.Context:(i+1)*p.Context], c[i*m.context+atContext:])
			}
			a, b := inverter.RoundTrip(own, ownC)
			mean, largest, maps = mean+a, max(largest, b), maps+1
		}
		at, atContext = at+p.Dim, atContext+p.Context
	}
	return mean / max(maps, 1), largest
}

type mixtureWorker struct {
	of               *Mixture
	parts            []Likelihood
	rows             []Rows      // of each part
	logs             [][]float64 // w_k exp(a_k) p_k of each part
	logWeights, sums []float64   // of each part
}

// Loss returns −Σ w log Σ_k w_k exp(a_k) p_k and adds its gradient to grad.
func (w *mixtureWorker) Loss(grad []float32, rows Rows) float64 {
	m := w.of
	m.logWeights(w.logWeights)
	at, atContext, offsets := 0, 0, m.dim-len(m.parts)
	for k, p := range m.parts {
		own := &w.rows[k]
		own.N, own.Seed, own.Pass, own.Index = rows.N, rows.Seed, rows.Pass, rows.Index
		own.X, own.C, own.W = own.X[:rows.N*p.Dim], own.C[:rows.N*p.Context], own.W[:rows.N]
		for i := range rows.N {
			copy(own.X[i*p.Dim:(i+1)*p.Dim], rows.X[i*m.dim+at:])
			copy(own.C[i*p.Context:(i+1)*p.Context], rows.C[i*m.context+atContext:])
		}
		logs := w.logs[k][:rows.N]
		w.parts[k].LogDensity(logs, *own)
		for i := range logs {
			logs[i] += w.logWeights[k] + float64(rows.X[i*m.dim+offsets+k])
		}
		at, atContext = at+p.Dim, atContext+p.Context
	}
	loss := 0.0
	for i, weight := range rows.W {
		for k := range w.parts {
			w.sums[k] = w.logs[k][i]
		}
		log := logSumExp(w.sums)
		loss -= float64(weight) * log
		for k := range w.parts { // the responsibilities
			w.rows[k].W[i] = weight * float32(math.Exp(w.logs[k][i]-log))
		}
	}
	if grad == nil {
		return loss
	}
	logits := m.logits(grad)
	at = 0
	for k, p := range m.parts {
		n := len(p.Params())
		w.parts[k].Backward(grad[at:at+n], w.rows[k].W)
		at += n
		prior := float32(math.Exp(w.logWeights[k]))
		for i, weight := range rows.W {
			logits[k] += prior*weight - w.rows[k].W[i]
		}
	}
	return loss
}

// logSumExp returns log Σ exp(v).
func logSumExp(v []float64) float64 {
	most := math.Inf(-1)
	for _, x := range v {
		most = max(most, x)
	}
	if math.IsInf(most, 0) || math.IsNaN(most) {
		return most
	}
	sum := 0.0
	for _, x := range v {
		sum += math.Exp(x - most)
	}
	return most + math.Log(sum)
}
