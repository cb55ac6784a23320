package step

import "math"

// Fraction measures a number y that is never above another one x, nor below From, as the
// fraction that it has of the room between them:
//
//	f = (y − From)/(x − From),  log|∂f/∂y| = −log(x − From),
//
// as the transverse momentum of the second jet beside that of the first, above a threshold. So
// both bounds are kept in every event that is drawn. x may be a column of the condition.
type Fraction struct {
	Variable string  `json:"variable"`
	Of       string  `json:"of"`
	From     float64 `json:"from,omitempty"`
}

// name of the coordinate.
func (s *Fraction) name() string { return s.Variable + " as a fraction of " + s.Of }

func (s *Fraction) Variables() (read, taken []string, made []Coordinate) {
	return []string{s.Of}, []string{s.Variable}, []Coordinate{{Name: s.name(), Legal: &[2]float64{0, 1}}}
}

func (s *Fraction) IsSound() bool { return s.Variable != s.Of }

func (s *Fraction) Forward(f *Frame, logDet []float64, _ func([]float64)) {
	x := f.At(s.Of)
	f.replace(s.Variable, s.name(), func(k int, y float64) float64 { return (y - s.From) / s.room(x[k]) })
	for k := range logDet {
		logDet[k] -= math.Log(s.room(x[k]))
	}
}

func (s *Fraction) Inverse(f *Frame) {
	x := f.At(s.Of)
	f.replace(s.name(), s.Variable, func(k int, d float64) float64 { return s.From + d*s.room(x[k]) })
}

// room returns x − From, which is positive.
func (s *Fraction) room(x float64) float64 { return max(x-s.From, least) }

func (s *Fraction) Describe() string { return "as a fraction of " + s.Of }
