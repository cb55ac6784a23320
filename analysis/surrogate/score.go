package surrogate

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/rootio"
)

// LogDensity stores the log-density of the events of t in dst, given the columns of
// the condition, per unit of each other column that is not constant: −Inf where a value is
// an unknown code, and finite where an event is possible, however far outside of the
// training events. Columns of codes
// and integers are dequantised first; the density is that of value + uniform
// deviate, with the deviates of event first+i. Of a mixture it is log Σ w_k p_k, −Inf only
// where it is that of all parts. With ratios it is log p + log r − log Z.
func (s *Surrogate) LogDensity(ctx context.Context, dst []float64, t *rootio.Table, first uint64) error {
	n := t.Len()
	if len(dst) != n {
		panic(fmt.Sprintf("surrogate: LogDensity of %d events into %d values", n, len(dst)))
	}
	admitted, err := s.Context.Admit(t, "", following(first, n))
	if err != nil {
		return err
	}
	t = admitted.Table
	c := make([]float32, n*s.Context.Dim())
	if err := s.Context.Encode(c, t, first); err != nil {
		return err
	}
	noise := features.Noise{Seed: s.Card.Options.Seed, First: first}
	if err := s.Parts[0].logDensity(ctx, dst, t, c, noise); err != nil {
		return err
	}
	if len(s.Parts) > 1 {
		if err := s.mix(ctx, dst, t, c, noise); err != nil {
			return err
		}
	}
	logs := make([]float64, n)
	for _, ratio := range s.ratios() {
		if err := ratio.logFactor(ctx, logs, t, first); err != nil {
			return err
		}
		floats.Add(dst, logs)
	}
	return nil
}

// mix makes of log p of the first part, in dst, that of the mixture: log Σ w_k p_k.
func (s *Surrogate) mix(ctx context.Context, dst []float64, t *rootio.Table, c []float32, noise features.Noise) error {
	log := math.Log(s.Parts[0].Weight)
	for i := range dst {
		dst[i] += log
	}
	p := make([]float64, len(dst))
	for k := range s.Parts[1:] {
		part := &s.Parts[1+k]
		if err := part.logDensity(ctx, p, t, c, noise); err != nil {
			return err
		}
		log := math.Log(part.Weight)
		for i, v := range p {
			dst[i] = logAddExp(dst[i], log+v)
		}
	}
	return nil
}

// isFinite reports whether x is neither NaN nor infinite.
func isFinite(x float64) bool { return x-x == 0 }

// logAddExp returns log(exp a + exp b).
func logAddExp(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(a, -1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}

// logDensity stores the log-density of the events of t in dst, given features c of their conditions.
func (p *Part) logDensity(ctx context.Context, dst []float64, t *rootio.Table, c []float32, noise features.Noise) error {
	n, dim := t.Len(), p.Chain.Dim()
	z := make([]float32, n*dim)
	logDet := make([]float64, n)
	if err := p.Features.Encode(ctx, z, logDet, t, noise); err != nil {
		return err
	}
	if err := p.Chain.LogDensity(ctx, dst, z, c); err != nil {
		return err
	}
	for i, ld := range logDet {
		if math.IsInf(ld, 0) || math.IsNaN(ld) { // of what cannot happen, features are none
			dst[i] = math.Inf(-1)
			continue
		}
		if math.IsInf(dst[i], 0) || math.IsNaN(dst[i]) {
			// Where a network overflows, so far out, the features alone are the model.
			dst[i] = 0
			for _, v := range z[i*dim : (i+1)*dim] {
				dst[i] -= (float64(v)*float64(v) + math.Log(2*math.Pi)) / 2
			}
		}
		dst[i] += ld
	}
	return nil
}
