package surrogate

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/vectors"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Exchange is of two objects that are identical: events are as likely when their columns change places. Training sees both orders.
type Exchange struct {
	Objects [2]string   `json:"objects"`
	Columns [][2]string `json:"columns"` // that change places
}

// String says what it is, in a line.
func (e *Exchange) String() string {
	return fmt.Sprintf("%s and %s are identical, and not ordered: training sees them in both orders", e.Objects[0], e.Objects[1])
}

// isSound reports whether columns of a table can change places.
func (e *Exchange) isSound(t *rootio.Table) bool {
	var seen []string
	for _, pair := range e.Columns {
		a, ok := t.Column(pair[0])
		b, there := t.Column(pair[1])
		if !ok || !there || a.Kind != b.Kind || slices.Contains(seen, pair[0]) || pair[0] == pair[1] || slices.Contains(seen, pair[1]) {
			return false
		}
		seen = append(seen, pair[:]...)
	}
	return len(e.Columns) > 0
}

// of returns the events of t, with the objects exchanged in some places.
func (e *Exchange) of(t *rootio.Table, places []int) *rootio.Table {
	exchanged := &rootio.Table{Columns: slices.Clone(t.Columns)}
	at := func(name string) *rootio.Column {
		return &exchanged.Columns[slices.IndexFunc(t.Columns, func(c rootio.Column) bool { return c.Name == name })]
	}
	all := upTo(t.Len())
	for _, pair := range e.Columns {
		a, b := at(pair[0]), at(pair[1])
		first, second := a.Take(all), b.Take(all)
		first.Put(places, b.Take(places))
		second.Put(places, a.Take(places))
		*a, *b = first, second
	}
	return exchanged
}

// findExchanges returns the objects of the surrogate that are identical: those with the same columns that trees cannot tell from each
// other in events. Ordered objects are not.
func (o Options) findExchanges(ctx context.Context, s *Surrogate, t *rootio.Table, w []float64, begin time.Time) (found []Exchange, err error) {
	const (
		fewest = 1000 // events, in which an order is seen
		most   = 20_000
		trees  = 60
		rate   = 0.2
		chance = 2 // standard errors
	)
	momenta := s.Parts[0].Features.Momenta
	if momenta == nil || len(o.Condition) > 0 || w != nil || t.Len() < fewest {
		return nil, nil
	}
	if n := min(t.Len(), most); n < t.Len() {
		t, _ = spread[float64](t, nil, n, 0)
	}
	learnt := s.learntColumns()
	for _, e := range exchangesOf(t, momenta.Vectors, learnt) {
		if !e.isUnordered(t, learnt) || o.Train.MaxTime > 0 && time.Since(begin) > o.Train.MaxTime/2 {
			continue
		}
		n, half := t.Len(), t.Len()/2
		other := e.of(t, upTo(n))
		folds := make([]int, n)
		for i := range folds {
			folds[i] = int(philox.Uint64(0, streamExchange, uint64(i)) % 2)
		}
		fitted, err := classify.NewBoosted(learnt, *momenta, false).Boost(ctx, other.Slice(0, half), t.Slice(half, n), slices.Repeat([]float64{1}, n-half),
			[2][]int{folds[:half], folds[half:]}, classify.BoostOptions{Folds: 2, Trees: trees, Rate: rate, Seed: o.Seed})
		if err != nil {
			return nil, err
		}
		g := gainOf(fitted, slices.Repeat([]float64{1}, n-half), folds[half:], func(int) bool { return true })
		if gain, sigma := g.at(1, math.Inf(1)), g.error(1, math.Inf(1)); gain > chance*sigma {
			continue
		}
		found = append(found, e)
	}
	return found, nil
}

// exchangesOf returns the pairs of momenta that have the same columns, with what else these have by the names of the columns.
func exchangesOf(t *rootio.Table, found []vectors.Vector, learnt []string) (all []Exchange) {
	const most = 6 // momenta
	var alike []vectors.Vector
	for _, v := range found {
		if !v.Transverse && !v.Absent && len(v.Parts) == 0 && v.Level == "" {
			alike = append(alike, v)
		}
	}
	for i := range alike[:min(len(alike), most)] {
		for j := range i {
			a, b := &alike[j], &alike[i]
			e := Exchange{Objects: [2]string{a.Name, b.Name}}
			own, theirs := a.Columns(), b.Columns()
			if len(own) != len(theirs) || len(own) == 0 {
				continue
			}
			from, to := difference(own[0], theirs[0])
			isAlike := from != "" && to != ""
			for k := range own {
				e.Columns = append(e.Columns, [2]string{own[k], theirs[k]})
				f, t := difference(own[k], theirs[k])
				isAlike = isAlike && f == from && t == to
			}
			if !isAlike {
				continue
			}
			for _, name := range learnt {
				if slices.Contains(own, name) || slices.Contains(theirs, name) || isOfOther(name, alike, a, b) {
					continue
				}
				if partner := strings.Replace(name, from, to, 1); partner != name && slices.Contains(learnt, partner) && !slices.Contains(theirs, partner) && !isOfOther(partner, alike, a, b) {
					e.Columns = append(e.Columns, [2]string{name, partner})
				}
			}
			if e.isSound(t) {
				all = append(all, e)
			}
		}
	}
	return all
}

// isOfOther reports whether a column is one of another momentum than a and b.
func isOfOther(name string, of []vectors.Vector, a, b *vectors.Vector) bool {
	return slices.ContainsFunc(of, func(v vectors.Vector) bool {
		return v.Name != a.Name && v.Name != b.Name && slices.Contains(v.Columns(), name)
	})
}

// difference returns what differs in two names that begin and end alike.
func difference(a, b string) (inA, inB string) {
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for a != "" && b != "" && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}

// isUnordered reports whether means of ranks, and of products of two of them, are the same when the objects change places, but for chance.
// Trees find no product without a hint, such as that of two charges.
func (e *Exchange) isUnordered(t *rootio.Table, learnt []string) bool {
	const (
		alarm = 0.01 // probability by chance
		most  = 60   // columns
	)
	partner := map[string]string{}
	for _, pair := range e.Columns {
		partner[pair[0]], partner[pair[1]] = pair[1], pair[0]
	}
	learnt = learnt[:min(len(learnt), most)]
	x, exchanged := make([][]float64, len(learnt)), make([][]float64, len(learnt))
	for j, name := range learnt {
		other := name
		if to, ok := partner[name]; ok {
			other = to
		}
		a, _ := t.Column(name)
		b, _ := t.Column(other)
		both := column.Ranks(append(a.Float64s(), b.Float64s()...))
		x[j], exchanged[j] = both[:t.Len()], both[t.Len():]
	}
	largest, tests := 0.0, 0
	look := func(difference func(i int) float64) {
		tests++
		sum, squares := 0.0, 0.0
		for i := range t.Len() {
			d := difference(i)
			sum += d
			squares += d * d
		}
		if squares > 0 {
			largest = max(largest, math.Abs(sum)/math.Sqrt(squares))
		}
	}
	for j := range x {
		a, b := x[j], exchanged[j]
		look(func(i int) float64 { return a[i] - b[i] })
		for k := range x[:j+1] {
			c, d := x[k], exchanged[k]
			look(func(i int) float64 { return a[i]*c[i] - b[i]*d[i] })
		}
	}
	return float64(tests)*math.Erfc(largest/math.Sqrt2) > alarm
}

// exchanged returns the events for a pass over them: in the first one as they are, later with identical objects in one order or
// another, at random.
func (tr *Training) exchanged(pass uint64) *rootio.Table {
	t := tr.table
	if pass == 0 {
		return t
	}
	for k := range tr.Card.Plan.Exchanges {
		var places []int
		for i := range t.Len() {
			if philox.Uint64(tr.Card.Options.Seed+uint64(k), streamExchange+pass, uint64(i))&1 == 1 {
				places = append(places, i)
			}
		}
		t = tr.Card.Plan.Exchanges[k].of(t, places)
	}
	return t
}

// exchange takes up what is identical among the objects of the events, where all of these are possible in another order, too.
func (tr *Training) exchange(ctx context.Context, found []Exchange) error {
	isPossible := func(t *rootio.Table) (bool, error) {
		for _, p := range tr.Parts {
			logDet := make([]float64, t.Len())
			if err := p.Features.Encode(ctx, make([]float32, t.Len()*p.Features.Dim()), logDet, t, tr.noise()); err != nil {
				return false, err
			}
			if slices.ContainsFunc(logDet, func(l float64) bool { return !isFinite(l) }) {
				return false, nil
			}
		}
		return true, nil
	}
	t := tr.table
	for _, e := range found {
		next := e.of(t, upTo(t.Len()))
		possible, err := isPossible(next)
		if err != nil {
			return err
		}
		if possible {
			tr.Card.Plan.Exchanges, t = append(tr.Card.Plan.Exchanges, e), next
			tr.Card.Options.log("%v", &e)
		}
	}
	return nil
}

// streamExchange, with the pass, is the stream of a seed that says in which order identical objects are.
const streamExchange = 1 << 46
