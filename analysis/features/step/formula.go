package step

import (
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/formula"
)

// Formula leaves out a branch that a formula gives from others, its parents, within what the rounding of all of them may
// do: a mass of momenta, a distance, a ratio. The way back computes it from the rounded parents, and rounds it, so that it
// agrees with them. An event in which it is something else is impossible, unless Deviates.
type Formula struct {
	Variable string            `json:"variable"`
	Name     string            `json:"name"` // of one of [formula.All]
	Operands []formula.Operand `json:"operands"`

	Precision column.Precision            `json:"precision"` // of the variable
	Parents   map[string]column.Precision `json:"parents"`   // of the columns of the operands

	// From is where the range of an angle begins.
	From float64 `json:"from,omitempty"`

	// Else is what the branch is in events without one of the operands, or without all of them if LeavesOut; nil: NaN. It
	// says nothing where no operand can be absent.
	Else      *float64 `json:"else,omitempty"`
	LeavesOut bool     `json:"leaves_out,omitempty"` // the operands that an event does not have

	// Within is by how much the branch may differ from the formula beyond rounding, where that is so little that it does not
	// matter.
	Within float64 `json:"within,omitempty"`

	// Deviates says that the branch differs from the formula in some events: how much is learnt, as a difference or as the
	// logarithm of the ratio if Ratio, where the branch is positive, and is 0 in the others.
	Deviates bool `json:"deviates,omitempty"`
	Ratio    bool `json:"ratio,omitempty"`
}

// deviation is the name of the coordinate of a branch that deviates.
func (s *Formula) deviation() string {
	return s.Variable + " − the " + s.formula().Describe(s.Operands)
}

func (s *Formula) formula() *formula.Formula { return formula.Named(s.Name) }

// Columns returns the columns of the operands.
func (s *Formula) Columns() (columns []string) {
	for _, o := range s.Operands {
		for _, name := range o.Columns {
			if !slices.Contains(columns, name) {
				columns = append(columns, name)
			}
		}
	}
	return columns
}

func (s *Formula) Variables() (read, taken []string, made []Coordinate) {
	if s.Deviates {
		made = []Coordinate{{Name: s.deviation()}}
	}
	return s.Columns(), []string{s.Variable}, made
}

func (s *Formula) IsSound() bool {
	f := s.formula()
	if f == nil || !f.Takes(len(s.Operands)) || !s.Precision.IsSound() || s.LeavesOut && !f.IsSum || !(s.Within >= 0) {
		return false
	}
	for i := range s.Operands {
		if !s.Operands[i].IsSound() {
			return false
		}
	}
	return !slices.ContainsFunc(s.Columns(), func(name string) bool {
		p, ok := s.Parents[name]
		return !ok || !p.IsSound()
	})
}

// MayMiss reports whether the branch is NaN in some events.
func (s *Formula) MayMiss() bool { return s.Else == nil }

func (s *Formula) Forward(f *Frame, logDet []float64, _ func([]float64)) {
	e := s.Evaluate(f)
	y := f.At(s.Variable)
	if s.Deviates {
		d := f.Add(s.deviation())
		for k, v := range y {
			d[k] = e.Deviation(k, v)
			if !s.Ratio || d[k] == 0 {
				continue
			}
			det := -math.Log(v)
			if !(v > 0) { // no ratio says so
				d[k], det = 0, math.Inf(-1)
			}
			if logDet != nil {
				logDet[k] += det
			}
		}
	} else {
		const slack = 2 // for events that were not there when the formula was found
		for k := range logDet {
			if !(e.Off(k, y[k]) <= slack) {
				logDet[k] = math.Inf(-1)
			}
		}
	}
	f.Take(s.Variable)
}

func (s *Formula) Inverse(f *Frame) {
	y := f.Add(s.Variable)
	e := s.Evaluate(f)
	var d []float64
	if s.Deviates {
		d = f.At(s.deviation())
	}
	for k := range y {
		y[k] = e.Value(k)
		switch {
		case d == nil || d[k] == 0:
		case s.Ratio:
			y[k] *= math.Exp(d[k])
		default:
			y[k] += d[k]
		}
		if e.isThere {
			y[k] = s.Precision.Round(e.wrap(y[k]))
		}
	}
	if d != nil {
		f.Take(s.deviation())
	}
}

// Evaluation computes a formula in the events of a frame.
type Evaluation struct {
	step     *Formula
	of       func(v []*formula.Value) float64
	isAngle  bool
	operands []operand
	list     []*formula.Value
	isThere  bool // what was computed last, not Else
}

// operand is one in the events of a frame.
type operand struct {
	*formula.Operand
	read    func(v *formula.Value, x []float64)
	columns [][]float64
	parents []column.Precision
	x       []float64 // of an event
	value   formula.Value
}

// Evaluate returns the evaluation of the formula in the events of a frame that has its columns.
func (s *Formula) Evaluate(f *Frame) *Evaluation {
	e := &Evaluation{step: s, of: s.formula().Of, isAngle: s.formula().IsAngle, operands: make([]operand, len(s.Operands))}
	for i := range s.Operands {
		o := &e.operands[i]
		o.Operand, o.read = &s.Operands[i], s.Operands[i].Reader()
		for _, name := range o.Columns {
			o.columns, o.parents = append(o.columns, f.At(name)), append(o.parents, s.Parents[name])
		}
		o.x = make([]float64, len(o.columns))
	}
	return e
}

// load reads the operands of event k that are there. ok is false where the branch is Else.
func (e *Evaluation) load(k int) (ok bool) {
	e.list = e.list[:0]
	for i := range e.operands {
		o := &e.operands[i]
		for j, c := range o.columns {
			o.x[j] = o.parents[j].Written(c[k])
		}
		if o.IsAbsent(o.x) {
			if !e.step.LeavesOut {
				return false
			}
			continue
		}
		o.read(&o.value, o.x)
		e.list = append(e.list, &o.value)
	}
	return len(e.list) > 0
}

// Value returns what the formula gives in event k, not rounded.
func (e *Evaluation) Value(k int) float64 {
	if e.isThere = e.load(k); e.isThere {
		return e.of(e.list)
	}
	if e.step.Else == nil {
		return math.NaN()
	}
	return *e.step.Else
}

// Applies reports whether event k has the operands.
func (e *Evaluation) Applies(k int) bool { return e.load(k) }

// wrap moves an angle to the range of the branch.
func (e *Evaluation) wrap(y float64) float64 {
	if !e.isAngle {
		return y
	}
	return column.Circle{Start: e.step.From, Period: 2 * math.Pi}.Wrap(y, e.step.From)
}

// Deviation is what is learnt of a value y in event k that may differ from the formula; 0 if it does not.
func (e *Evaluation) Deviation(k int, y float64) float64 {
	switch v := e.Value(k); {
	case e.Off(k, y) <= 1:
		return 0
	case e.step.Ratio:
		return math.Log(max(y, formula.Least) / max(math.Abs(v), formula.Least))
	default:
		return e.difference(y, v)
	}
}

// Difference is how far y is from what the formula gives in event k.
func (e *Evaluation) Difference(k int, y float64) float64 { return e.difference(y, e.Value(k)) }

// difference is y − v, of an angle the shorter way round.
func (e *Evaluation) difference(y, v float64) float64 {
	if e.isAngle {
		return math.Remainder(y-v, 2*math.Pi)
	}
	return y - v
}

// Off returns how far the value y is from what the formula gives in event k, in units of what the rounding of the
// branch and its parents may do.
func (e *Evaluation) Off(k int, y float64) float64 {
	v := e.Value(k)
	if !e.isThere {
		if y == v || y != y && v != v {
			return 0
		}
		return math.Inf(1)
	}
	off := math.Abs(e.difference(y, v))
	own := safety*e.step.Precision.Error(y) + e.step.Within
	if off <= own {
		return off / own
	}
	return off / (own + e.propagated(v, off))
}

// safety is by how much more than half a step values may have been rounded: some programs cut digits off.
const safety = 2

// Tolerance returns what the rounding of the parents may do to the value of event k, and what that of the
// branch does; zeros where Else is the value.
func (e *Evaluation) Tolerance(k int) (ofParents, own float64) {
	v := e.Value(k)
	if !e.isThere {
		return 0, 0
	}
	return e.propagated(v, math.Inf(1)), safety * e.step.Precision.Error(v)
}

// propagated returns what the rounding of the parents may do to the value v of the event that was loaded: the sum of the
// changes with each of them. Where it is more than enough it may be less than that sum.
func (e *Evaluation) propagated(v, enough float64) (sum float64) {
	for i := range e.operands {
		o := &e.operands[i]
		if o.IsAbsent(o.x) {
			continue
		}
		for j, x := range o.x {
			err := safety * o.parents[j].Error(x)
			if err == 0 {
				continue
			}
			most := 0.0
			for _, moved := range [...]float64{x - err, x + err} {
				o.x[j] = moved
				o.read(&o.value, o.x)
				if d := math.Abs(e.difference(e.of(e.list), v)); d > most {
					most = d
				}
			}
			o.x[j] = x
			o.read(&o.value, o.x)
			if sum += most; sum > enough {
				return sum
			}
		}
	}
	return sum
}

// Describe says what the branch is.
func (s *Formula) Describe() string {
	how := "= " + s.formula().Describe(s.Operands)
	if s.Deviates {
		return how + ", but for what is learnt"
	}
	switch canBeAbsent := slices.ContainsFunc(s.Operands, func(o formula.Operand) bool { return o.Absent != nil }); {
	case s.LeavesOut:
		how += " (those that there are)"
	case canBeAbsent && s.Else != nil:
		how += fmt.Sprintf(" (%g where one is missing)", *s.Else)
	case canBeAbsent:
		how += " (NaN where one is missing)"
	}
	if s.Within > 0 {
		how += fmt.Sprintf(" within %.3g", s.Within)
	}
	return how + ", computed"
}
