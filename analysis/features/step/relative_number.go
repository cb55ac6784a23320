package step

import "math"

// RelativeNumber measures a number y from another one x that it is close to, such as
// what a detector reports from what is true:
//
//	d = y − x,       log|∂d/∂y| = 0
//	d = log(y/x),    log|∂d/∂y| = −log|y|,  for a Ratio
//
// So the resolution is a width of its own, and not one of a thousandth of the range. x may
// be a column of the condition.
type RelativeNumber struct {
	Variable string `json:"variable"`
	To       string `json:"to"`
	Ratio    bool   `json:"ratio,omitempty"`
}

// name of the coordinate.
func (m *RelativeNumber) name() string {
	if m.Ratio {
		return "log(" + m.Variable + " / " + m.To + ")"
	}
	return m.Variable + " − " + m.To
}

func (m *RelativeNumber) Variables() (read, taken []string, made []Coordinate) {
	return []string{m.To}, []string{m.Variable}, []Coordinate{{Name: m.name()}}
}

func (m *RelativeNumber) IsSound() bool { return m.Variable != m.To }

func (m *RelativeNumber) Forward(f *Frame, logDet []float64, _ func([]float64)) {
	d, x := f.Add(m.name()), f.At(m.To)
	for k, y := range f.At(m.Variable) {
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
	f.Take(m.Variable)
}

func (m *RelativeNumber) Inverse(f *Frame) {
	y, x := f.Add(m.Variable), f.At(m.To)
	for k, d := range f.At(m.name()) {
		if m.Ratio {
			y[k] = x[k] * math.Exp(d)
		} else {
			y[k] = d + x[k]
		}
	}
	f.Take(m.name())
}

func (m *RelativeNumber) Describe() string { return "relative to " + m.To }
