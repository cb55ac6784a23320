package step

import "github.com/eidolon-hep/eidolon/analysis/column"

// RelativeAngle measures an angle from another one: back-to-back muons are at ±π from
// each other, wherever they are. The other one may be a column of the condition.
type RelativeAngle struct {
	column.Circle
	Variable string `json:"variable"`
	To       string `json:"to"`
}

// name of the coordinate.
func (r *RelativeAngle) name() string { return r.Variable + " − " + r.To }

func (r *RelativeAngle) Variables() (read, taken []string, made []Coordinate) {
	return []string{r.To}, []string{r.Variable}, []Coordinate{{Name: r.name(), Circle: &column.Circle{Start: -r.Period / 2, Period: r.Period}}}
}

func (r *RelativeAngle) IsSound() bool { return r.Circle.IsSound() }

func (r *RelativeAngle) Forward(f *Frame, _ []float64, _ func([]float64)) {
	to := f.At(r.To)
	f.replace(r.Variable, r.name(), func(k int, x float64) float64 { return r.Wrap(x-to[k], -r.Period/2) })
}

func (r *RelativeAngle) Inverse(f *Frame) {
	to := f.At(r.To)
	f.replace(r.name(), r.Variable, func(k int, d float64) float64 { return r.Wrap(d+to[k], r.Start) })
}

func (r *RelativeAngle) Describe() string { return "relative to " + r.To }
