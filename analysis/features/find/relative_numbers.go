package find

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

const (
	// closeEnough is the part of a column's spread that its distance from another one may
	// have, for it to be measured from that.
	closeEnough = 0.1
	// mostCompared is the number of columns up to which each is compared with all others.
	mostCompared = 250
)

// findRelativeNumbers measures columns from others that they are close to, or from columns of
// the condition.
func (s *Search) findRelativeNumbers() {
	s.findAngles()
	if s.N < 50 {
		return
	}
	var fields []rootio.Field
	for _, field := range s.remaining() {
		if s.over() {
			return
		}
		if s.isFree(field.Name) && s.isSmooth(field) {
			if fields = append(fields, field); len(fields)+len(s.given.Columns) > mostCompared {
				s.cut = fmt.Sprintf("there are more than %d columns", mostCompared)
				return
			}
		}
	}
	given := slices.DeleteFunc(s.given.Fields(), func(field rootio.Field) bool { return !s.isSmooth(field) })
	looks := map[string]*look{}
	for _, field := range slices.Concat(fields, given) {
		looks[field.Name] = lookAt(s.some(field.Name, enoughToLook))
	}
	// The last first: what a column is measured from is still there.
	for j := len(fields) - 1; j >= 0; j-- {
		var best *step.RelativeNumber
		least := closeEnough
		for _, to := range slices.Concat(given, fields[:j]) {
			if s.over() {
				return
			}
			if remains, isRatio := looks[fields[j].Name].from(looks[to.Name]); remains < least {
				best, least = &step.RelativeNumber{Variable: fields[j].Name, To: to.Name, Ratio: isRatio}, remains
			}
		}
		if best == nil {
			continue
		}
		s.measure(best)
	}
}

// measure applies the step that measures a number from another one.
func (s *Search) measure(next *step.RelativeNumber) {
	for _, name := range []string{next.Variable, next.To} {
		if c, ok := s.table.Column(name); ok { // and no coordinate or condition
			s.round(c.Field)
		}
	}
	s.apply(next)
}

// measureFrom measures the numbers that are close to a variable from it, but for some, before something else takes its
// place: of a momentum and the true one beside it, the true one goes where the other goes.
func (s *Search) measureFrom(to string, but []string) {
	if s.N < 50 {
		return
	}
	from := lookAt(s.some(to, enoughToLook))
	for _, field := range s.remaining() {
		if field.Name == to || slices.Contains(but, field.Name) || !s.isFree(field.Name) || !s.isSmooth(field) {
			continue
		}
		if remains, isRatio := lookAt(s.some(field.Name, enoughToLook)).from(from); remains < closeEnough {
			s.measure(&step.RelativeNumber{Variable: field.Name, To: to, Ratio: isRatio})
		}
	}
}

// isSmooth reports whether a variable is a real number that takes any value.
func (s *Search) isSmooth(field rootio.Field) bool {
	if !field.Kind.IsFloat() || s.IsAngle(field.Name) {
		return false
	}
	defer s.forget(field.Name)
	return s.sample(field.Name).IsSmooth(field)
}

// look is a column in the events that are looked at.
type look struct {
	x, log     []float64
	spread     float64
	logSpread  float64
	isPositive bool
}

// enoughToLook is the number of events that are looked at.
const enoughToLook = 4096

// lookAt returns the column with the values that it has in some events.
func lookAt(some []float64) *look {
	l := &look{x: some, spread: spreadOf(some), isPositive: slices.Min(some) > 0}
	if l.isPositive {
		l.log = make([]float64, len(some))
		for i, v := range some {
			l.log[i] = math.Log(v)
		}
		l.logSpread = spreadOf(l.log)
	}
	return l
}

// from returns the spread of the distance of y from x, as a part of the spread of y, and whether
// that is the distance of the logarithms.
func (y *look) from(x *look) (remains float64, isRatio bool) {
	positive := y.isPositive && x.isPositive
	const few = 100 // that rule most pairs out
	for _, n := range []int{min(few, len(y.x)), len(y.x)} {
		d, r := make([]float64, n), make([]float64, n)
		for k := range n {
			at := k * len(y.x) / n
			d[k] = y.x[at] - x.x[at]
			if positive {
				r[k] = y.log[at] - x.log[at]
			}
		}
		remains = spreadOf(d) / max(y.spread, math.SmallestNonzeroFloat64)
		if positive {
			ofRatio := spreadOf(r) / max(y.logSpread, math.SmallestNonzeroFloat64)
			// What does not change with x is the better coordinate.
			if n == len(y.x) {
				if isRatio = unevenness(r, x.x) < unevenness(d, x.x); isRatio {
					remains = ofRatio
				}
			} else {
				remains = min(remains, ofRatio)
			}
		}
		if !(remains < 2*closeEnough) {
			break
		}
	}
	return remains, isRatio
}

// unevenness tells how much the spread of d differs between the events with small x and
// those with large.
func unevenness(d, x []float64) float64 {
	order := make([]int, len(d))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(x[a], x[b]), a-b) })
	third := len(d) / 3
	of := func(rows []int) float64 {
		part := make([]float64, len(rows))
		for i, k := range rows {
			part[i] = d[k]
		}
		return spreadOf(part)
	}
	lo, hi := of(order[:third]), of(order[len(d)-third:])
	if lo == 0 && hi == 0 {
		return 0
	}
	return math.Abs(math.Log(lo / hi))
}

// spreadOf returns half of the interval that 68 % of the values are in.
func spreadOf(x []float64) float64 { return column.NewSample(x, nil).HalfWidth() }
