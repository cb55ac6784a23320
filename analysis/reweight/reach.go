package reweight

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/rows"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Reach says which part of the target is where the source has no events, in one column.
// No weight makes events where there are none.
type Reach struct {
	Column   string     `json:"column"`
	Fraction float64    `json:"fraction"` // of the target
	Gaps     []Gap      `json:"gaps,omitempty"`
	Codes    []float64  `json:"codes,omitempty"` // of a column of codes, the values that the source does not have
	Source   [2]float64 `json:"source"`          // the smallest and the largest value there
	Target   [2]float64 `json:"target"`
}

// Gap is an interval without events of the source, and the part of the target in it.
type Gap struct {
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	Fraction float64 `json:"fraction"`
}

// String is a sentence.
func (r *Reach) String() string {
	var where []string
	if r.Codes != nil {
		const most = 8
		for _, x := range r.Codes[:min(len(r.Codes), most)] {
			where = append(where, fmt.Sprintf("%.10g", x))
		}
		text := strings.Join(where, ", ")
		if more := len(r.Codes) - most; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		return fmt.Sprintf("%s of the target has values of %s that the source never has (%s)", rows.Percent(r.Fraction), r.Column, text)
	}
	for _, g := range r.Gaps {
		switch {
		case g.Low < r.Source[0]:
			where = append(where, fmt.Sprintf("%s below %.4g", r.Column, g.High))
		case g.High > r.Source[1]:
			where = append(where, fmt.Sprintf("%s above %.4g", r.Column, g.Low))
		default:
			where = append(where, fmt.Sprintf("%s from %.4g to %.4g", r.Column, g.Low, g.High))
		}
	}
	return fmt.Sprintf("%s of the target is where the source has no events (%s)", rows.Percent(r.Fraction), strings.Join(where, ", "))
}

const (
	fewestOut = 0.005 // of the target, in a gap that is worth a word
	allOut    = 0.99  // of the target: there is nothing to weight
)

// outOfReach looks for parts of the target without events of the source, column by
// column, until ctx is cancelled.
func outOfReach(ctx context.Context, source, target classify.Sample, columns []string) []Reach {
	var found []Reach
	for _, name := range columns {
		if ctx.Err() != nil {
			break
		}
		a, ok := source.Table.Column(name)
		b, good := target.Table.Column(name)
		if ok && good {
			if r := reachOf(name, a, b, source, target); r != nil {
				found = append(found, *r)
			}
		}
	}
	slices.SortStableFunc(found, func(p, q Reach) int { return cmp.Compare(q.Fraction, p.Fraction) })
	return found
}

func reachOf(name string, a, b rootio.Column, source, target classify.Sample) *Reach {
	type event struct{ x, w float64 }
	events := func(c rootio.Column, s classify.Sample) (list []event, sum float64) {
		x := c.Float64s()
		for i, v := range x {
			w := 1.0
			if s.Weights != nil {
				w = s.Weights[i]
			}
			sum += w
			if math.Abs(v) <= 1e75 {
				list = append(list, event{v, w})
			}
		}
		slices.SortFunc(list, func(p, q event) int { return cmp.Compare(p.x, q.x) })
		return list, sum
	}
	from, sumFrom := events(a, source)
	to, sum := events(b, target)
	if len(from) == 0 || len(to) == 0 || sum <= 0 || sumFrom <= 0 {
		return nil
	}
	r := &Reach{Column: name, Source: [2]float64{from[0].x, from[len(from)-1].x}, Target: [2]float64{to[0].x, to[len(to)-1].x}}

	// A part f of the events is missed by n events with the probability (1 − f)ⁿ, and
	// between them are n places where that may be. A part of the target is not known
	// better than its events.
	n, m := float64(len(from)), float64(len(to))
	outer, inner := 7/n+7/m, (7+math.Log(n))*(1/n+1/m)
	different := 1
	for i := range from[1:] {
		if from[i+1].x != from[i].x {
			different++
		}
	}
	codes := column.AreFew(different, len(from), a.Kind.IsFloat())
	k := 0 // the first event of the source that is not below
	for lo := 0; lo < len(to); {
		for k < len(from) && from[k].x < to[lo].x {
			k++
		}
		inside := k < len(from) && from[k].x == to[lo].x
		var w float64
		hi := lo
		for ; hi < len(to) && (to[hi].x == to[lo].x || !inside && !codes && (k == len(from) || to[hi].x < from[k].x)); hi++ {
			w += to[hi].w / sum
		}
		least := outer
		if !codes {
			if least = max(outer, fewestOut); k > 0 && k < len(from) {
				least = max(inner, fewestOut)
			}
		}
		if !inside && w > least {
			r.Fraction += w
			if codes {
				r.Codes = append(r.Codes, to[lo].x)
			} else {
				g := Gap{Low: to[lo].x, High: to[hi-1].x, Fraction: w}
				if k > 0 {
					g.Low = from[k-1].x
				}
				if k < len(from) {
					g.High = from[k].x
				}
				r.Gaps = append(r.Gaps, g)
			}
		}
		lo = hi
	}
	if r.Fraction < fewestOut {
		return nil
	}
	return r
}
