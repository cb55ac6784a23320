package step

import (
	"fmt"
	"math"
	"sort"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// Missing takes one value out of a variable that has it exactly where another one says so, as a branch is −999 where there
// are too few jets. There it becomes a deviate from the distribution of its other values, which says nothing: the density q
// of the deviate is taken from that of the event. The way back puts the value where it belongs. An event that has it
// elsewhere, or not there, is impossible.
type Missing struct {
	Variable string   `json:"variable"`
	Value    *float64 `json:"value,omitempty"` // nil: NaN

	// Of is the variable that says where: where it is from Low to High, any number where one of these is nil; where it is NaN
	// if both are.
	Of   string   `json:"of"`
	Low  *float64 `json:"low,omitempty"`
	High *float64 `json:"high,omitempty"`

	// Fill are quantiles, ascending, of what takes the place of the value; one is as likely between any two of them.
	Fill []float64 `json:"fill"`
}

func (m *Missing) Variables() (read, taken []string, made []Coordinate) {
	return []string{m.Of}, []string{m.Variable}, []Coordinate{{Name: m.Variable}}
}

func (m *Missing) IsSound() bool {
	return len(m.Fill) > 1 && column.Ascend(m.Fill) && m.Of != m.Variable && (m.Low == nil || m.High == nil || *m.Low <= *m.High)
}

// IsNoisy reports that the step needs deviates.
func (m *Missing) IsNoisy() bool { return true }

// MayMiss reports whether the variable is NaN in some events.
func (m *Missing) MayMiss() bool { return m.Value == nil }

// IsWhere reports whether the variable has the value where the other one is x.
func (m *Missing) IsWhere(x float64) bool {
	if m.Low == nil && m.High == nil {
		return math.IsNaN(x)
	}
	return (m.Low == nil || x >= *m.Low) && (m.High == nil || x <= *m.High)
}

// isIt reports whether x is the value.
func (m *Missing) isIt(x float64) bool {
	if m.Value == nil {
		return math.IsNaN(x)
	}
	return x == *m.Value
}

func (m *Missing) Forward(f *Frame, logDet []float64, uniform func([]float64)) {
	x, of, u := f.At(m.Variable), f.At(m.Of), f.Add(Scratch)
	uniform(u)
	bins := float64(len(m.Fill) - 1)
	for k, v := range x {
		is := m.IsWhere(of[k])
		if logDet != nil && is != m.isIt(v) {
			logDet[k] = math.Inf(-1)
		}
		if !is && !(m.Value == nil && v != v) {
			continue
		}
		at := u[k] * bins
		i := min(int(at), len(m.Fill)-2)
		width := m.Fill[i+1] - m.Fill[i]
		x[k] = m.Fill[i] + (at-float64(i))*width
		if logDet != nil {
			logDet[k] += math.Log(bins * width) // −log q
		}
	}
}

func (m *Missing) Inverse(f *Frame) {
	x, of := f.At(m.Variable), f.At(m.Of)
	value := math.NaN()
	if m.Value != nil {
		value = *m.Value
	}
	for k := range x {
		if m.IsWhere(of[k]) {
			x[k] = value
		}
	}
}

// FillOf returns quantiles of values for the fill; nil if they are too few.
func FillOf(values []float64) (fill []float64) {
	const most = 64
	sort.Float64s(values)
	n := min(most, len(values)-1)
	for i := range n + 1 {
		if v := values[i*(len(values)-1)/max(n, 1)]; len(fill) == 0 || v > fill[len(fill)-1] {
			fill = append(fill, v)
		}
	}
	if len(fill) < 2 {
		return nil
	}
	return fill
}

// Describe says where the value is.
func (m *Missing) Describe() string {
	value := "NaN"
	if m.Value != nil {
		value = fmt.Sprintf("%g", *m.Value)
	}
	switch {
	case m.Low == nil && m.High == nil:
		return fmt.Sprintf("%s where %s is NaN", value, m.Of)
	case m.Low == nil:
		return fmt.Sprintf("%s where %s ≤ %g", value, m.Of, *m.High)
	case m.High == nil:
		return fmt.Sprintf("%s where %s ≥ %g", value, m.Of, *m.Low)
	case *m.Low == *m.High:
		return fmt.Sprintf("%s where %s is %g", value, m.Of, *m.Low)
	}
	return fmt.Sprintf("%s where %s is from %g to %g", value, m.Of, *m.Low, *m.High)
}
