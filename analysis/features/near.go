package features

import (
	"math"
	"slices"

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
	values := map[string][]float64{} // of the events that are looked at
	look := func(field rootio.Field, x []float64) bool {
		s := newSample(x, f.w)
		if s.missing > 0 || s.kindOf(field) != Continuous {
			return false
		}
		if spikes, _ := s.withoutSpikes(); len(spikes) > 0 {
			return false
		}
		some := make([]float64, min(len(x), looked))
		for i := range some {
			some[i] = x[i*len(x)/len(some)]
		}
		values[field.Name] = some
		return true
	}
	for _, field := range append(slices.Clone(f.spec.Branches), f.coordinates...) {
		if f.over() {
			return
		}
		_, isAngle := f.circles[field.Name]
		if field.Kind.IsFloat() && !isAngle && !f.isLeftOut(field.Name) && !slices.Contains(kept, field.Name) && look(field, f.load(field.Name)) {
			fields = append(fields, field)
		}
	}
	var given []rootio.Field
	for _, field := range f.given.Fields() {
		if _, isAngle := f.circles[field.Name]; field.Kind.IsFloat() && !isAngle && look(field, f.load(field.Name)) {
			given = append(given, field)
		}
	}
	if len(fields)+len(given) > mostNear {
		return
	}
	// The last first: what a column is measured from is still there.
	for j := len(fields) - 1; j >= 0; j-- {
		best := closeness{left: near}
		for _, to := range slices.Concat(given, fields[:j]) {
			if f.over() {
				return
			}
			if c := compareNear(fields[j].Name, to.Name, values[fields[j].Name], values[to.Name]); c.left < best.left {
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

// compareNear returns how close y is to x.
func compareNear(yName, xName string, y, x []float64) closeness {
	c := closeness{Near{Variable: yName, To: xName}, math.Inf(1)}
	const few = 100 // that rule most pairs out
	for _, n := range []int{min(few, len(y)), len(y)} {
		d, r := make([]float64, n), make([]float64, n)
		positive := true
		for k := range n {
			at := k * len(y) / n
			d[k] = y[at] - x[at]
			r[k] = math.Log(y[at] / x[at])
			positive = positive && y[at] > 0 && x[at] > 0
		}
		c.left = spreadOf(d) / max(spreadOf(y), math.SmallestNonzeroFloat64)
		if positive {
			logs := make([]float64, len(y))
			for k, v := range y {
				logs[k] = math.Log(v)
			}
			left := spreadOf(r) / max(spreadOf(logs), math.SmallestNonzeroFloat64)
			// What does not change with x is the better coordinate.
			if n == len(y) {
				if c.Ratio = unevenness(r, x) < unevenness(d, x); c.Ratio {
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
func spreadOf(x []float64) float64 { return newSample(x, nil).halfWidth() }
