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
	x := f.At(m.To)
	f.replace(m.Variable, m.name(), func(k int, y float64) float64 {
		if !m.Ratio {
			return y - x[k]
		}
		ratio := y / x[k]
		isPossible := ratio > 0 && !math.IsInf(ratio, 0)
		if logDet != nil && isPossible {
			logDet[k] -= math.Log(math.Abs(y))
		} else if logDet != nil {
			logDet[k] = math.Inf(-1)
		}
		if !isPossible {
			return 0
		}
		return math.Log(ratio)
	})
}

func (m *RelativeNumber) Inverse(f *Frame) {
	x := f.At(m.To)
	f.replace(m.name(), m.Variable, func(k int, d float64) float64 {
		if m.Ratio {
			return x[k] * math.Exp(d)
		}
		return d + x[k]
	})
}

func (m *RelativeNumber) Describe() string { return "relative to " + m.To }
