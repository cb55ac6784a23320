package surrogate

import (
	"context"
	"errors"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/internal/panics"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Tails counts what had to be done about generated events outside the range of
// the training events.
type Tails struct {
	Redrawn int64 `json:"redrawn"` // draws that were thrown away
	Clipped int64 `json:"clipped"` // events that stayed outside and were moved to the limit
	// Rejected is the number of events of the model without its ratio that were not accepted.
	Rejected int64 `json:"rejected,omitempty"`
	// Clamped is the number of values at which the inverse of a spline had to be
	// corrected for rounding ([flows.Flow.Clamped]).
	Clamped int64 `json:"clamped"`
	// Copies is the number of events that are copies of training events
	// ([diffusion.Copies]), nil unless the model holds these.
	Copies *int64 `json:"copies,omitempty"`
}

// Add adds other events to the count.
func (t *Tails) Add(other Tails) {
	t.Redrawn += other.Redrawn
	t.Clipped += other.Clipped
	t.Clamped += other.Clamped
	t.Rejected += other.Rejected
	if other.Copies != nil {
		sum := *other.Copies
		if t.Copies != nil {
			sum += *t.Copies
		}
		t.Copies = &sum
	}
}

// margin is how far outside the range of the training events, in units of model
// space where their standard deviation is about 1, generated ones may lie. A normal tail that
// has one of n events beyond the range has a thousandth of an event beyond the margin: what has a density
// is drawn, and what a model makes far from all that it has learnt is not.
func (s *Surrogate) margin() float64 {
	const part = 1e-3 // of an event
	n := float64(max(s.Card.Different, s.Card.Events, 2))
	return distuv.UnitNormal.Quantile(1/n) - distuv.UnitNormal.Quantile(part/n)
}

// redraws is how often an event outside the range is drawn again.
const redraws = 20

// Generate draws the events first, first+1, … of a seed into t, which has the
// columns of [Surrogate.Fields]. Event i depends on (seed, i) alone and, if the
// surrogate is conditional, on its condition: the row of the same place in given,
// which is nil otherwise. Conditions that the training events did not have are met as
// [features.Context.Admit] does by default; whoever wants to know of them calls it before.
// Errors are about what is given, or that of ctx.
//
// An event with a feature further outside the range of the training events than 1.2 to 2 standard
// deviations of model space, where a normal tail has a thousandth of one training event, is drawn
// again, 20 times at most, and then moved to that limit. Where the range ends at zero it ends there. The same holds
// for branches that are no features themselves, such as the momenta of a system; where
// these have a hard edge, as after a cut, nothing is beyond it ([features.Spec.Outside]). With a
// ratio, events are drawn so until one is accepted.
func (s *Surrogate) Generate(ctx context.Context, t, given *rootio.Table, seed, first uint64) (Tails, error) {
	return s.GenerateRows(ctx, t, given, seed, following(first, t.Len()))
}

// following returns n numbers that follow each other.
func following(first uint64, n int) []uint64 {
	numbers := make([]uint64, n)
	for i := range numbers {
		numbers[i] = first + uint64(i)
	}
	return numbers
}

// GenerateRows is like [Surrogate.Generate] for events of the given numbers, which
// need not follow each other.
func (s *Surrogate) GenerateRows(ctx context.Context, t, given *rootio.Table, seed uint64, rows []uint64) (Tails, error) {
	on, err := s.condition(given, rows)
	if err != nil {
		return Tails{}, err
	}
	clamped := s.clamped()
	draw := drawer(s.draw)
	for _, r := range s.ratios() {
		draw = r.over(draw)
	}
	tails, err := draw(ctx, t, on, seed, rows)
	if err != nil {
		return Tails{}, err
	}
	first := &s.Parts[0]
	first.Features.Number(t, rows)
	if err := first.Features.CheckDecoded(t); err != nil {
		return Tails{}, err
	}
	copies, err := first.copies(ctx, t.Len(), tails.z, on.c)
	return Tails{
		Redrawn: int64(tails.redrawn), Clipped: int64(len(tails.clipped)), Rejected: int64(tails.rejected),
		Clamped: s.clamped() - clamped, Copies: copies,
	}, err
}

// drawn counts draws that were thrown away, because they were outside or by a ratio, and has the places of the events that were
// moved to the limit, and the features of all events, if the model has one part.
type drawn struct {
	redrawn, rejected int
	clipped           []int
	z                 []float32
}

// conditions are those of some events.
type conditions struct {
	t *rootio.Table // their columns; nil of a model that is not conditional
	c []float32     // their features
}

// take returns the conditions of the events in some places.
func (g conditions) take(places []int) (some conditions) {
	if g.t == nil {
		return g
	}
	width := len(g.c) / g.t.Len()
	for _, i := range places {
		some.c = append(some.c, g.c[i*width:(i+1)*width]...)
	}
	some.t = g.t.Take(places)
	return some
}

// slice returns the conditions of the events lo to hi.
func (g conditions) slice(lo, hi int) conditions {
	if g.t == nil {
		return g
	}
	width := len(g.c) / g.t.Len()
	return conditions{g.t.Slice(lo, hi), g.c[lo*width : hi*width]}
}

// with returns the events of t with the columns of their conditions.
func (g conditions) with(t *rootio.Table) *rootio.Table {
	if g.t == nil {
		return t
	}
	return &rootio.Table{Columns: slices.Concat(t.Columns, g.t.Columns)}
}

// draw draws the events of the numbers rows, without ratios, and stores them in t.
func (s *Surrogate) draw(ctx context.Context, t *rootio.Table, given conditions, seed uint64, rows []uint64) (all drawn, err error) {
	margin := s.margin()
	if len(s.Parts) == 1 {
		return s.Parts[0].draw(ctx, t, given, margin, seed, rows)
	}
	for k, places := range s.places(seed, rows) {
		if len(places) == 0 {
			continue
		}
		own, numbers := rootio.NewTable(t.Fields(), len(places)), make([]uint64, len(places))
		for j, i := range places {
			numbers[j] = rows[i]
		}
		got, err := s.Parts[k].draw(ctx, own, given.take(places), margin, seed, numbers)
		if err != nil {
			return all, err
		}
		for j, column := range t.Columns {
			column.Put(places, own.Columns[j])
		}
		all.redrawn += got.redrawn
		for _, j := range got.clipped {
			all.clipped = append(all.clipped, places[j])
		}
	}
	slices.Sort(all.clipped)
	return all, nil
}

// places returns the places of the events of the given numbers that each part draws.
func (s *Surrogate) places(seed uint64, rows []uint64) [][]int {
	places := make([][]int, len(s.Parts))
	for i, number := range rows {
		u := float64(philox.Uint64(seed, streamPart, number)>>11) / (1 << 53)
		k := 0
		for k < len(s.Parts)-1 && u >= s.Parts[k].Weight {
			u -= s.Parts[k].Weight
			k++
		}
		places[k] = append(places[k], i)
	}
	return places
}

// draw draws the events of the numbers rows of the part and stores them in t. The margin is that of [Surrogate.margin].
func (p *Part) draw(ctx context.Context, t *rootio.Table, given conditions, margin float64, seed uint64, rows []uint64) (all drawn, err error) {
	const piece = 1 << 13
	n, dim := t.Len(), p.Chain.Dim()
	z := make([]float32, n*dim)
	all.z = z
	if err := p.Chain.Sample(ctx, z, given.c, seed, 0, rows); err != nil {
		return all, err
	}
	var group panics.Group
	parts, failed := make([]drawn, (n+piece-1)/piece), make([]error, (n+piece-1)/piece)
	for from := 0; from < n; from += piece {
		to, k := min(from+piece, n), from/piece
		group.Go(func() {
			part := given.slice(from, to)
			parts[k], failed[k] = p.keepWithin(ctx, t.Slice(from, to), part.t, z[from*dim:to*dim], part.c, margin, seed, rows[from:to])
		})
	}
	group.Wait()
	for k, part := range parts {
		if failed[k] != nil {
			return all, failed[k]
		}
		all.redrawn += part.redrawn
		for _, i := range part.clipped {
			all.clipped = append(all.clipped, k*piece+i)
		}
	}
	return all, nil
}

// condition returns the conditions of events of the given numbers as the model can be asked about
// them, and their features; none if it is not conditional.
func (s *Surrogate) condition(given *rootio.Table, rows []uint64) (on conditions, err error) {
	if s.Context.Dim() == 0 {
		return conditions{}, nil
	}
	if given == nil || given.Len() != len(rows) {
		return conditions{}, errors.New("surrogate: the model is conditional, and the conditions of the events are not given")
	}
	admitted, err := s.Context.Admit(given, "", rows)
	if err != nil {
		return conditions{}, err
	}
	on = conditions{admitted.Table, make([]float32, len(rows)*s.Context.Dim())}
	return on, s.Context.Encode(on.c, on.t, 0)
}

// keepWithin stores the events with the features z in t. Those outside the range of the
// training events are drawn again, as often as they may be, and then clipped. The error is
// that of ctx.
func (p *Part) keepWithin(ctx context.Context, t, given *rootio.Table, z, c []float32, margin float64, seed uint64, rows []uint64) (d drawn, err error) {
	dim, width := p.Chain.Dim(), p.Chain.Context()
	lo, hi := p.Features.Limits(margin)
	feature := func(i int) []float32 { return z[i*dim : (i+1)*dim] }
	decode := func(i int) (event *rootio.Table) {
		var condition *rootio.Table
		if given != nil {
			condition = given.Slice(i, i+1)
		}
		event = t.Slice(i, i+1)
		p.Features.Decode(event, feature(i), condition)
		return event
	}
	var outside []int
	for i := range rows {
		if !within(feature(i), lo, hi) {
			outside = append(outside, i)
		}
	}
	p.Features.Decode(t, z, given) // what is outside makes no sense yet
	outside = union(outside, p.Features.Outside(t, margin))
	for attempt := uint64(1); len(outside) > 0; attempt++ {
		if attempt > redraws {
			for _, i := range outside {
				row := feature(i)
				for j := range row {
					row[j] = min(max(row[j], lo[j]), hi[j])
					if row[j] != row[j] { // NaN
						row[j] = 0
					}
				}
				decode(i)
				p.Features.Clip(t, i, margin)
			}
			d.clipped = outside
			return d, nil
		}
		d.redrawn += len(outside)
		again := make([]float32, len(outside)*dim)
		theirs, numbers := make([]float32, 0, len(outside)*width), make([]uint64, len(outside))
		for k, i := range outside {
			theirs, numbers[k] = append(theirs, c[i*width:(i+1)*width]...), rows[i]
		}
		if err := p.Chain.Sample(ctx, again, theirs, seed, attempt, numbers); err != nil {
			return d, err
		}
		var left []int
		for k, i := range outside {
			row := feature(i)
			copy(row, again[k*dim:])
			event := decode(i)
			if !within(row, lo, hi) || len(p.Features.Outside(event, margin)) > 0 {
				left = append(left, i)
			}
		}
		outside = left
	}
	return d, nil
}

// union returns what is in a or b, both ascending.
func union(a, b []int) []int {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// clamped returns the number of corrections that the density has made so far.
func (s *Surrogate) clamped() (n int64) {
	for _, f := range factorsAs[factor.Clamper](s) {
		n += f.Clamped()
	}
	return n
}

// within reports whether all features are within the limits; NaN is not.
func within(row, lo, hi []float32) bool {
	for j, v := range row {
		if !(v >= lo[j] && v <= hi[j]) {
			return false
		}
	}
	return true
}

// streamMultiplicity is the stream of a seed that draws numbers of objects, and streamPart that which says which part
// draws an event.
const (
	streamMultiplicity = 1 << 49
	streamPart         = 1<<49 + 4
)

// ObjectRow is the number of the row of an object, for [Surrogate.GenerateRows]: an
// object depends on the number of its event and its place in it, and not on how many
// there are in other events. An event has less than 65536 objects.
func ObjectRow(event uint64, object int) uint64 { return event<<16 | uint64(object) }

// Multiplicities draws the numbers of objects of the events first, first+1, … of a
// seed, with the frequencies of the training events.
func (s *Surrogate) Multiplicities(dst []int, seed, first uint64) {
	u := make([]float64, len(dst))
	philox.Uniform64(u, seed, streamMultiplicity, first)
	for i, v := range u {
		n := 0
		for n < len(s.Card.Multiplicity)-1 && v >= s.Card.Multiplicity[n] {
			v -= s.Card.Multiplicity[n]
			n++
		}
		dst[i] = n
	}
}
