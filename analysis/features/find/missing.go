package find

import (
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

// findMissing finds values, such as NaN, −999 and 0, that columns have exactly where a column of codes is below or above some
// number, or where another column has one of these values.
func (s *Search) findMissing() {
	list := s.saysWhere()
	for _, field := range s.remaining() {
		if s.over() || list == nil {
			return
		}
		s.takeOutMissing(field, list)
		s.forget(field.Name)
		// Where it has been taken out, others can no more refer to it.
	}
}

// says is a variable that may say where others have a value.
type says struct {
	name   string
	isCode bool
}

const fewestMissing = 20 // events with the value, and without

// saysWhere returns those, codes first: the columns in whose place a step has put another one cannot say it any more. It returns
// nil where nothing is to be found.
func (s *Search) saysWhere() (list []says) {
	if s.options.NoFormulas || s.N < 2*fewestMissing {
		return nil
	}
	fields := s.remaining()
	for _, field := range slices.Concat(fields, s.given.Fields()) {
		x := s.load(field.Name)
		if n := countValues(x, column.MaxCodes); n > 1 && n <= column.MaxCodes {
			list = append(list, says{field.Name, true})
		}
		s.forget(field.Name)
	}
	for _, field := range fields {
		if !slices.Contains(list, says{field.Name, true}) {
			list = append(list, says{field.Name, false})
		}
	}
	return list
}

// takeOutMissing takes those values out of a column of which one of the list says where they are.
func (s *Search) takeOutMissing(field rootio.Field, list []says) {
	if !field.Kind.IsFloat() || !s.isFree(field.Name) || s.options.As[field.Name] != "" {
		return
	}
	sample := s.sample(field.Name)
	if !sample.IsContinuous(field, "") {
		return
	}
	is := make([]bool, s.N) // of each event, whether it has the value
	for _, value := range valuesApart(sample) {
		x := s.load(field.Name)
		n := 0
		for k, v := range x {
			if is[k] = v == value || v != v && value != value; is[k] {
				n++
			}
		}
		if n < fewestMissing || s.N-n < fewestMissing {
			continue
		}
		for _, by := range list {
			if by.name == field.Name || s.gone[by.name] {
				continue
			}
			if m := s.missingBy(field.Name, value, by.name, by.isCode, is); m != nil {
				s.applyMissing(field, m, is)
				break
			}
		}
	}
}

// valuesApart returns NaN, if a sample has it, and its spikes.
func valuesApart(sample *column.Sample) (values []float64) {
	if sample.Missing > 0 {
		values = append(values, math.NaN())
	}
	spikes, _ := sample.WithoutSpikes()
	for _, s := range spikes {
		if !s.Outlier {
			values = append(values, s.Value)
		}
	}
	return values
}

// missingBy returns the step of a value that a column has in the events of is, if another one says in which; nil if it does
// not.
func (s *Search) missingBy(name string, value float64, by string, isCode bool, is []bool) *step.Missing {
	x := s.load(by)
	defer s.forget(by)
	with, without := [2]float64{math.Inf(1), math.Inf(-1)}, [2]float64{math.Inf(1), math.Inf(-1)}
	nan, nanWithout := 0, 0
	for k, v := range x {
		at := &without
		if is[k] {
			at = &with
		}
		if v != v {
			if nan++; !is[k] {
				nanWithout++
			}
			continue
		}
		at[0], at[1] = min(at[0], v), max(at[1], v)
	}
	m := &step.Missing{Variable: name, Of: by}
	if value == value {
		m.Value = &value
	}
	switch {
	case nan > 0:
		if nanWithout > 0 || with[0] <= with[1] {
			return nil
		}
	case with[0] == with[1] && (isCode || with[1] < without[0] || with[0] > without[1]):
		m.Low, m.High = &with[0], &with[1]
	case isCode && with[1] < without[0]:
		m.High = &with[1]
	case isCode && with[0] > without[1]:
		m.Low = &with[0]
	default:
		return nil
	}
	for k, v := range x {
		if m.IsWhere(v) != is[k] {
			return nil
		}
	}
	return m
}

// applyMissing applies the step of a value that a column has in the events of is.
func (s *Search) applyMissing(field rootio.Field, m *step.Missing, is []bool) {
	var others []float64
	var weights []float64
	x := s.load(field.Name)
	for k, v := range x {
		if !is[k] {
			others = append(others, v)
			if s.weights != nil {
				weights = append(weights, s.weights[k])
			}
		}
	}
	circle, isAngle := s.circles[field.Name]
	if !isAngle {
		if circle, isAngle = column.CircleOf(field, others, weights); isAngle {
			s.circles[field.Name] = circle
		}
	}
	s.round(field)
	x = s.load(field.Name)
	others = others[:0]
	for k, v := range x {
		if !is[k] {
			others = append(others, v)
		}
	}
	if m.Fill = step.FillOf(others); isAngle {
		m.Fill = []float64{circle.Start, circle.Start + circle.Period}
	}
	if m.Fill != nil {
		s.apply(m)
	}
}
