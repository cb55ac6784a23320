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

// Copies returns the share of generated events (m×dim) that are copies of a training event
// (n×dim): nearer to one than 99 % of the training events are to each other, in units in
// which the training events have variance 1 in all directions. Where 1 % or more of the
// training events are equal to another one, only equal events count as copies. The error may
// be that of ctx.
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
	others := &heldOut{dim: dim}
	if err := others.add(ctx, z, nil, len(events)/dim); err != nil {
		return 0, err
	}
	m, err := NewMixture(ctx, z, nil, dim, DefaultEpsilon)
	if err != nil {
		return 0, err
	}
	return shareBelow(m.Nearest(ctx, y), others.quantile(ctx, 0.01)), ctx.Err()
}

// shareBelow is the share of distances below a limit, or at it if that is 0.
func shareBelow(distances []float64, limit float64) float64 {
	n := 0
	for _, d := range distances {
		if d < limit || d == 0 {
			n++
		}
	}
	return float64(n) / float64(len(distances))
}

// heldOut cuts a sample in two: a tenth of the events are held out and judged by the mixture of
// the others. It does so ten times, so that each event is held out once, and less often with a
// large sample, until about mostHeldOut events are.
type heldOut struct {
	dim  int
	n    int         // events
	out  [][]float32 // the events that are held out, of each cut
	rest []*Mixture  // of the others
}

const (
	folds       = 10
	fewHeldOut  = 1000  // events that are enough for a first look
	mostHeldOut = 20000 // events that are held out in all
	streamCut   = 1 << 54
)

// add cuts the events z (n×dim) with weights w, or nil, which are some of so many in all.
func (a *heldOut) add(ctx context.Context, z, w []float32, all int) error {
	dim, n := a.dim, len(z)/a.dim
	a.n += n
	cuts, size := folds, (n+folds-1)/folds
	if all > mostHeldOut {
		cuts = max(mostHeldOut*folds/all, 1)
		size = max(min(size, mostHeldOut*n/all), 1)
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
	for p := range cuts {
		if err := ctx.Err(); err != nil {
			return err
		}
		lo, hi := min(p*size, n), min((p+1)*size, n)
		if lo == hi {
			break
		}
		var out, rest, weights []float32
		for k, i := range order {
			row := z[i*dim : (i+1)*dim]
			if k >= lo && k < hi {
				out = append(out, row...)
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
		// Densities need no coarser events.
		m, err := newMixture(ctx, rest, weights, dim, DefaultEpsilon)
		if err != nil {
			return fmt.Errorf("diffusion: %w", err)
		}
		a.out, a.rest = append(a.out, out), append(a.rest, m)
	}
	return nil
}

// quantile returns the quantile p of the distances from the nearest other event.
func (a *heldOut) quantile(ctx context.Context, p float64) float64 {
	var all []float64
	for i, m := range a.rest {
		all = append(all, m.Nearest(ctx, a.out[i])...)
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[int(p*float64(len(all)))]
}

// likelihood is the mean log-density of the events that are held out, or of a part of them, by
// kernels of width h around the others. It takes so many pairs of events for each.
func (a *heldOut) likelihood(ctx context.Context, h, part float64) (mean, pairs float64) {
	scale := 1 / math.Hypot(1, h)
	sum, n := 0.0, 0
	for i, m := range a.rest {
		p := make([]float64, int(math.Ceil(part*float64(len(a.out[i])/a.dim))))
		before := m.Pairs()
		m.LogDensity(ctx, p, a.out[i][:len(p)*a.dim], scale, h*scale)
		pairs += float64(m.Pairs() - before)
		for _, l := range p {
			sum += l
		}
		n += len(p)
	}
	return sum / float64(n), pairs / float64(n)
}

// The widths that are tried.
const leastWidth, mostWidth = 1e-3, 1.5

// bestWidth returns the width with the largest likelihood. A golden-section search finds it
// for some events that are held out; with all of them, or as many as a second's work allows, it is
// the vertex of the parabola through three widths about that. A sample too small to tell gets
// Silverman's rule.
func (a *heldOut) bestWidth(ctx context.Context) (float64, error) {
	const few = 20
	if a.n < few || len(a.rest) == 0 {
		return math.Pow(4/float64(a.dim+2)/float64(a.n), 1/float64(a.dim+4)), nil
	}
	all := 0
	for _, out := range a.out {
		all += len(out) / a.dim
	}
	part := min(1, fewHeldOut/float64(all))
	golden := (math.Sqrt(5) - 1) / 2
	lo, hi := math.Log(leastWidth), math.Log(mostWidth)
	var pairs float64
	at := func(f float64) (l, p float64) {
		l = lo + f*(hi-lo)
		p, pairs = a.likelihood(ctx, math.Exp(l), part)
		return l, p
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
	best := (lo + hi) / 2

	const (
		work = 1e9  // pairs of events
		step = 0.26 // of log h; a width that is as wrong costs about half as much again
	)
	if more := min(1, work/3/(pairs*float64(all))); more > part {
		var p [3]float64
		for i := range p {
			p[i], _ = a.likelihood(ctx, math.Exp(best+float64(i-1)*step), more)
		}
		if bend := p[0] - 2*p[1] + p[2]; bend < 0 && !math.IsInf(bend, -1) {
			best += min(max(0.5*step*(p[0]-p[2])/bend, -step), step)
		}
	}
	return min(math.Exp(best), mostWidth), ctx.Err()
}
