package step

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Sum leaves out a branch that others determine:
//
//	y = Offset + Σ Factor·x, or y = √(Offset + Σ Factor·x²) if Squares,
//
// as a copy, a sum, a multiple in another unit, or E² = p² + m². The way back
// computes it from them. An event in which it is something else is impossible.
type Sum struct {
	Variable string      `json:"variable"`
	Kind     rootio.Kind `json:"kind"`
	Terms    []Term      `json:"terms"`
	Offset   float64     `json:"offset,omitempty"`
	Squares  bool        `json:"squares,omitempty"`

	// Unit is what all are measured in before they are squared, where their squares would
	// overflow or vanish; 0: 1.
	Unit float64 `json:"unit,omitempty"`
}

// Term is a term of a [Sum].
type Term struct {
	Variable string  `json:"variable"`
	Factor   float64 `json:"factor"`
}

func (s *Sum) Variables() (read, taken []string, made []Coordinate) {
	for _, t := range s.Terms {
		read = append(read, t.Variable)
	}
	return read, []string{s.Variable}, nil
}

func (s *Sum) IsSound() bool { return len(s.Terms) > 0 && s.Kind != 0 && s.Unit >= 0 }

func (s *Sum) Forward(f *Frame, logDet []float64, _ func([]float64)) {
	if logDet != nil {
		y, largest := f.Add(Scratch), f.Add(Scratch2)
		s.Compute(y, largest, f)
		for k, v := range f.At(s.Variable) {
			if !(s.Off(y[k], v, largest[k]) <= 1) {
				logDet[k] = math.Inf(-1)
			}
		}
	}
	f.Take(s.Variable)
}

func (s *Sum) Inverse(f *Frame) { s.Compute(f.Add(s.Variable), nil, f) }

// unit returns what variables are measured in.
func (s *Sum) unit() float64 { return cmp.Or(s.Unit, 1) }

// Total stores Offset + Σ Factor·x, or x², in y, and the magnitude of the largest
// term in largest, unless that is nil.
func (s *Sum) Total(y, largest []float64, f *Frame) {
	for k := range y {
		y[k] = s.Offset
	}
	for k := range largest {
		largest[k] = math.Abs(s.Offset)
	}
	unit := s.unit()
	for _, t := range s.Terms {
		for k, x := range f.At(t.Variable) {
			if s.Squares {
				x /= unit
				x *= x
			}
			y[k] += t.Factor * x
			if largest != nil {
				largest[k] = max(largest[k], math.Abs(t.Factor*x))
			}
		}
	}
}

// Compute stores the values of the variable in y; largest is as in Total, or its root.
func (s *Sum) Compute(y, largest []float64, f *Frame) {
	s.Total(y, largest, f)
	switch unit := s.unit(); {
	case s.Squares:
		for k, v := range y {
			y[k] = math.Sqrt(max(v, 0)) * unit
		}
		for k, v := range largest {
			largest[k] = math.Sqrt(v) * unit
		}
	case !s.Kind.IsFloat():
		for k, v := range y {
			y[k] = math.Round(v)
		}
	}
}

// Off returns how far the value y, computed from terms up to largest, is from that of the
// file, in units of what the rounding of floating-point numbers may do. A root has the
// errors of what is under it: m² = E² − p² may lose all digits.
func (s *Sum) Off(y, inFile, largest float64) float64 {
	switch largest = max(largest, math.Abs(inFile)); {
	case y == inFile:
		return 0
	case !s.Kind.IsFloat() || s.Squares && inFile < 0:
		return math.Inf(1)
	case s.Squares:
		part, exponent := math.Frexp(largest)
		y, inFile = math.Ldexp(y, -exponent), math.Ldexp(inFile, -exponent)
		return math.Abs(y*y-inFile*inFile) / (LostDigits(s.Kind) * column.ULP(s.Kind, part*part))
	}
	return math.Abs(y-inFile) / (LostDigits(s.Kind) * column.ULP(s.Kind, largest))
}

// LostDigits is how many units in the last place a value may be off that other programs
// have computed: boosts and sums of theirs lose some digits.
func LostDigits(kind rootio.Kind) float64 {
	if kind == rootio.Float64 {
		return 1 << 10
	}
	return 8
}

// Describe writes the sum as a formula.
func (s *Sum) Describe() string {
	var b strings.Builder
	add := func(factor float64, name string) {
		switch {
		case factor < 0 && b.Len() == 0:
			b.WriteString("−")
		case factor < 0:
			b.WriteString(" − ")
		case b.Len() > 0:
			b.WriteString(" + ")
		}
		factor = math.Abs(factor)
		switch {
		case name == "":
			fmt.Fprintf(&b, "%.6g", factor)
		case factor != 1:
			fmt.Fprintf(&b, "%.6g·%s", factor, name)
		default:
			b.WriteString(name)
		}
	}
	power, unit := "", 1.0
	if s.Squares {
		power, unit = "²", s.unit()*s.unit()
	}
	for _, t := range s.Terms {
		add(t.Factor, t.Variable+power)
	}
	if s.Offset != 0 {
		add(s.Offset*unit, "")
	}
	if s.Squares {
		return "= √(" + b.String() + ")"
	}
	return "= " + b.String()
}
