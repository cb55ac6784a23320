package surrogate

import (
	"context"
	"fmt"
	"math"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/rootio"
)

// LogDensity stores the log-density of the events of t in dst, given the columns of
// the condition, per unit of each other column that is not constant: −Inf where a value is
// an unknown code, and finite where an event is possible, however far outside of the
// training events. Columns of codes
// and integers are dequantised first; the density is that of value + uniform
// deviate, with the deviates of event first+i. With a ratio it is log p + log r − log Z.
func (s *Surrogate) LogDensity(ctx context.Context, dst []float64, t *rootio.Table, first uint64) error {
	n, dim := t.Len(), s.Chain.Dim()
	if len(dst) != n {
		panic(fmt.Sprintf("surrogate: LogDensity of %d events into %d values", n, len(dst)))
	}
	admitted, err := s.Context.Admit(t, "", following(first, n))
	if err != nil {
		return err
	}
	t = admitted.Table
	z := make([]float32, n*dim)
	logDet := make([]float64, n)
	if err := s.Features.Encode(ctx, z, logDet, t, features.Noise{Seed: s.Card.Options.Seed, First: first}); err != nil {
		return err
	}
	c := make([]float32, n*s.Chain.Context())
	if err := s.Context.Encode(c, t, first); err != nil {
		return err
	}
	if err := s.Chain.LogDensity(ctx, dst, z, c); err != nil {
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
	if s.Ratio == nil {
		return nil
	}
	logs := make([]float64, n)
	if err := s.Ratio.logRatio(ctx, logs, t, first); err != nil {
		return err
	}
	for i, r := range logs {
		dst[i] += r - math.Log(s.Ratio.Z)
	}
	return nil
}
