package features

import (
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Near is the map that measures a number y from another one x that it is close to, such as
// what a detector reports from what is true:
//
//	d = y − x,       log|∂d/∂y| = 0
//	d = log(y/x),    log|∂d/∂y| = −log|y|,  for a Ratio
//
// So the resolution is a width of its own, and not one of a thousandth of the range. x may
// be a column of the condition.
type Near struct {
	Variable string `json:"variable"`
	To       string `json:"to"`
	Ratio    bool   `json:"ratio,omitempty"`
}

// name of the coordinate.
func (m *Near) name() string {
	if m.Ratio {
		return "log(" + m.Variable + " / " + m.To + ")"
	}
	return m.Variable + " − " + m.To
}

func (m *Near) variables() (read, taken, made []string) {
	return []string{m.To}, []string{m.Variable}, []string{m.name()}
}

func (m *Near) isNoisy() bool { return false }

func (m *Near) isSound() bool { return m.Variable != m.To }

func (m *Near) forward(f *frame, logDet []float64, _ func([]float64)) {
	d, x := f.add(m.name()), f.at(m.To)
	for k, y := range f.at(m.Variable) {
		if !m.Ratio {
			d[k] = y - x[k]
			continue
		}
		ratio := y / x[k]
		possible := ratio > 0 && !math.IsInf(ratio, 0)
		if d[k] = 0; possible {
			d[k] = math.Log(ratio)
		}
		switch {
		case logDet == nil:
		case possible:
			logDet[k] -= math.Log(math.Abs(y))
		default:
			logDet[k] = math.Inf(-1)
		}
	}
	f.take(m.Variable)
}

func (m *Near) inverse(f *frame) {
	y, x := f.add(m.Variable), f.at(m.To)
	for k, d := range f.at(m.name()) {
		if m.Ratio {
			y[k] = x[k] * math.Exp(d)
		} else {
			y[k] = d + x[k]
		}
	}
	f.take(m.name())
}

const (
	// near is the part of a column's spread that its distance from another one may
	// have, for it to be measured from that.
	near = 0.1
	// mostNear is the number of columns up to which each is compared with all others.
	mostNear = 250
	// looked is the number of events that are looked at.
	looked = 4096
)

// closeness is a possible map, and the spread that it leaves, as a part of the spread
// before.
type closeness struct {
	Near
	left float64
}

// measureNear replaces columns that are close to others, or to columns of the condition.
// Branches that are kept stay as they are.
func (f *fitting) measureNear(kept []string) {
	if f.n < 50 {
		return
	}
	var fields []rootio.Field
	looks := map[string]*lookedAt{}
	look := func(field rootio.Field, x []float64) bool {
		s := column.NewSample(x, f.w)
		if s.Missing > 0 || f.kindOf(field, s) != column.Continuous {
			return false
		}
		if spikes, _ := s.WithoutSpikes(); len(spikes) > 0 {
			return false
		}
		some := make([]float64, min(len(x), looked))
		for i := range some {
			some[i] = x[i*len(x)/len(some)]
		}
		l := &lookedAt{name: field.Name, x: some, spread: spreadOf(some), isPositive: slices.Min(some) > 0}
		if l.isPositive {
			l.log = make([]float64, len(some))
			for i, v := range some {
				l.log[i] = math.Log(v)
			}
			l.logSpread = spreadOf(l.log)
		}
		looks[field.Name] = l
		return true
	}
	for _, field := range append(slices.Clone(f.spec.Branches), f.coordinates...) {
		if f.over() {
			return
		}
		_, isAngle := f.circles[field.Name]
		if field.Kind.IsFloat() && !isAngle && !f.gone[field.Name] && !slices.Contains(kept, field.Name) && look(field, f.load(field.Name)) {
			if fields = append(fields, field); len(fields)+len(f.given.Columns) > mostNear {
				f.cut = fmt.Sprintf("there are more than %d columns", mostNear)
				return
			}
		}
	}
	var given []rootio.Field
	for _, field := range f.given.Fields() {
		if _, isAngle := f.circles[field.Name]; field.Kind.IsFloat() && !isAngle && look(field, f.load(field.Name)) {
			given = append(given, field)
		}
	}
	// The last first: what a column is measured from is still there.
	for j := len(fields) - 1; j >= 0; j-- {
		best := closeness{left: near}
		for _, to := range slices.Concat(given, fields[:j]) {
			if f.over() {
				return
			}
			if c := compareNear(looks[fields[j].Name], looks[to.Name]); c.left < best.left {
				best = c
			}
		}
		if best.To == "" {
			continue
		}
		for _, name := range []string{best.Variable, best.To} {
			if slices.Contains(f.spec.Names(), name) { // and no coordinate or condition
				f.round(f.field(name))
			}
		}
		f.apply(Map{Near: &best.Near})
		f.coordinates = append(f.coordinates, rootio.Field{Name: best.name(), Kind: rootio.Float64})
	}
}

// lookedAt are the values of a column in the events that are looked at.
type lookedAt struct {
	name       string
	x, log     []float64
	spread     float64
	logSpread  float64
	isPositive bool
}

// compareNear returns how close y is to x.
func compareNear(y, x *lookedAt) closeness {
	c := closeness{Near{Variable: y.name, To: x.name}, math.Inf(1)}
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
		c.left = spreadOf(d) / max(y.spread, math.SmallestNonzeroFloat64)
		if positive {
			left := spreadOf(r) / max(y.logSpread, math.SmallestNonzeroFloat64)
			// What does not change with x is the better coordinate.
			if n == len(y.x) {
				if c.Ratio = unevenness(r, x.x) < unevenness(d, x.x); c.Ratio {
					c.left = left
				}
			} else {
				c.left = min(c.left, left)
			}
		}
		if !(c.left < 2*near) {
			break
		}
	}
	return c
}

// unevenness tells how much the spread of d differs between the events with small x and
// those with large.
func unevenness(d, x []float64) float64 {
	order := make([]int, len(d))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case x[a] < x[b]:
			return -1
		case x[a] > x[b]:
			return 1
		}
		return a - b
	})
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
