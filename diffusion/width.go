package diffusion

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// nearestSigma is a width so small that of Σ w only the nearest event is left.
const nearestSigma = 0x1p-30

// Nearest returns the distance of each row of x (n×Dim) from the event nearest to it. ctx
// is as for [Mixture.LogDensity].
func (m *Mixture) Nearest(ctx context.Context, x []float32) []float64 {
	n := len(x) / m.dim
	d := make([]float64, n)
	m.LogDensity(ctx, d, x, 1, nearestSigma)
	shift := m.logTotal + float64(m.dim)*(math.Log(nearestSigma)+0.5*math.Log(2*math.Pi))
	for i, l := range d {
		d[i] = nearestSigma * math.Sqrt(max(0, -2*(l+shift)))
	}
	return d
}

// cumulated returns the sums of the events' weights up to each of them.
func (m *Mixture) cumulated() []float64 {
	sums, sum := make([]float64, m.n), 0.0
	for i, w := range m.w {
		sum += float64(w)
		sums[i] = sum
	}
	return sums
}

// Copies returns the share of generated events (m×dim) that are nearer to a training
// event (n×dim) than all but 1 % of the training events are to each other, in units in
// which the training events have variance 1 in all directions. Where training events are
// equal to each other, 1 % or more of them, only equal ones count. The error may be that
// of ctx.
func Copies(ctx context.Context, events, generated []float32, dim int) (float64, error) {
	d := training.Data{X: events, Dim: dim}
	if dim < 1 || len(events)%dim != 0 || len(generated)%dim != 0 || len(generated) == 0 {
		return 0, fmt.Errorf("diffusion: %d and %d values do not make events of %d features", len(events), len(generated), dim)
	}
	white, err := newWhitening(ctx, d)
	if err != nil {
		return 0, err
	}
	z, y := make([]float32, len(events)), make([]float32, len(generated))
	white.forward(ctx, z, events)
	white.forward(ctx, y, generated)
	apart := &apart{dim: dim}
	if err := apart.add(ctx, z, nil, len(events)/dim); err != nil {
		return 0, err
	}
	m, err := NewMixture(ctx, z, nil, dim, DefaultEpsilon)
	if err != nil {
		return 0, err
	}
	return share(m.Nearest(ctx, y), apart.quantile(ctx, 0.01)), ctx.Err()
}

// share is the share of distances below a limit, or at it if that is 0.
func share(distances []float64, limit float64) float64 {
	n := 0
	for _, d := range distances {
		if d < limit || d == 0 {
			n++
		}
	}
	return float64(n) / float64(len(distances))
}

// apart are some events of a sample, and the mixture of those that are left, so that
// the ones can be judged by the others. Of a small sample there are several such pairs,
// in which each event is once among the few.
type apart struct {
	dim  int
	n    int // events
	few  [][]float32
	rest []*Mixture
}

const (
	folds     = 10
	mostApart = 1000 // in a pair, of all events
	streamCut = 1 << 54
)

// add cuts the events z (n×dim) with weights w, or nil, which are a part of all.
func (a *apart) add(ctx context.Context, z, w []float32, all int) error {
	dim, n := a.dim, len(z)/a.dim
	a.n += n
	pairs, size := folds, (n+folds-1)/folds
	if all > folds*mostApart {
		pairs, size = 1, max(min(mostApart*n/all, n/2), 1)
	}
	if n < 2 {
		return nil
	}
	// In no order that the sample might have.
	order, places := make([]int, n), make([]uint64, n)
	for i := range order {
		order[i], places[i] = i, philox.Uint64(0, streamCut, uint64(i))
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Or(cmp.Compare(places[i], places[j]), i-j) })
	for p := range pairs {
		if err := ctx.Err(); err != nil {
			return err
		}
		lo, hi := min(p*size, n), min((p+1)*size, n)
		if lo == hi {
			break
		}
		var few, rest, weights []float32
		for k, i := range order {
			row := z[i*dim : (i+1)*dim]
			if k >= lo && k < hi {
				few = append(few, row...)
				continue
			}
			rest = append(rest, row...)
			if w != nil {
				weights = append(weights, w[i])
			}
		}
		if w != nil && !slices.ContainsFunc(weights, func(w float32) bool { return w > 0 }) {
			continue
		}
		m, err := NewMixture(ctx, rest, weights, dim, DefaultEpsilon)
		if err != nil {
			return err
		}
		a.few, a.rest = append(a.few, few), append(a.rest, m)
	}
	return nil
}

// quantile returns that of the distances from the nearest other event.
func (a *apart) quantile(ctx context.Context, p float64) float64 {
	var all []float64
	for i, m := range a.rest {
		all = append(all, m.Nearest(ctx, a.few[i])...)
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[int(p*float64(len(all)))]
}

// likelihood is the mean log-density of events by mixtures of the others of width h.
func (a *apart) likelihood(ctx context.Context, h float64) float64 {
	scale := 1 / math.Hypot(1, h)
	sum, n := 0.0, 0
	for i, m := range a.rest {
		p := make([]float64, len(a.few[i])/a.dim)
		m.LogDensity(ctx, p, a.few[i], scale, h*scale)
		for _, l := range p {
			sum += l
		}
		n += len(p)
	}
	return sum / float64(n)
}

// The widths that are looked at.
const leastWidth, mostWidth = 1e-3, 1.5

// bestWidth returns the width for which events are most likely by the others, to 2 %
// (golden-section search). A sample too small to tell gets Silverman's rule.
func (a *apart) bestWidth(ctx context.Context) (float64, error) {
	const few = 20
	if a.n < few || len(a.rest) == 0 {
		return math.Pow(4/float64(a.dim+2)/float64(a.n), 1/float64(a.dim+4)), nil
	}
	golden := (math.Sqrt(5) - 1) / 2
	lo, hi := math.Log(leastWidth), math.Log(mostWidth)
	at := func(f float64) (l, p float64) {
		l = lo + f*(hi-lo)
		return l, a.likelihood(ctx, math.Exp(l))
	}
	x1, p1 := at(1 - golden)
	x2, p2 := at(golden)
	for hi-lo > 0.02 {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if p1 > p2 {
			hi, x2, p2 = x2, x1, p1
			x1, p1 = at(1 - golden)
		} else {
			lo, x1, p1 = x1, x2, p2
			x2, p2 = at(golden)
		}
	}
	return math.Exp((lo + hi) / 2), nil
}
