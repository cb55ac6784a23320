package step

import (
	"fmt"
	"math"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Direction leaves out an azimuth φ = atan2(Y, X), or a pseudorapidity η = asinh(Y/X)
// of the longitudinal momentum Y and the transverse one X. The way back computes it. An event
// in which it is something else is impossible.
type Direction struct {
	Variable string      `json:"variable"`
	Kind     rootio.Kind `json:"kind"`
	Eta      bool        `json:"eta,omitempty"`
	X        string      `json:"x"`
	Y        string      `json:"y"`
}

func (d *Direction) Variables() (read, taken []string, made []Coordinate) {
	return []string{d.X, d.Y}, []string{d.Variable}, nil
}

func (d *Direction) IsSound() bool { return d.Kind != 0 && d.X != d.Y }

func (d *Direction) Forward(f *Frame, logDet []float64, _ func([]float64)) {
	x, y, v := f.At(d.X), f.At(d.Y), f.Take(d.Variable)
	for k := range logDet {
		if !(d.Off(x[k], y[k], v[k]) <= 1) {
			logDet[k] = math.Inf(-1)
		}
	}
}

func (d *Direction) Inverse(f *Frame) {
	x, y, v := f.At(d.X), f.At(d.Y), f.Add(d.Variable)
	for k := range v {
		v[k] = d.Value(x[k], y[k])
	}
}

// Value returns the angle that x and y make.
func (d *Direction) Value(x, y float64) float64 {
	if d.Eta {
		return math.Asinh(y / x)
	}
	return math.Atan2(y, x)
}

// Off returns how far the angle of x and y is from that of the file, in units of what the
// rounding of floating-point numbers may do. Relative errors ε of x and y change it by ε at
// most; η as ½ log((p+pz)/(p−pz)) loses digits in the difference, until from about 18 on
// there are none.
func (d *Direction) Off(x, y, inFile float64) float64 {
	v := d.Value(x, y)
	rounding := column.ULP(d.Kind, 1) + column.ULP(d.Kind, v)
	if d.Eta {
		cosh := math.Cosh(min(math.Abs(v), 18))
		rounding += column.ULP(rootio.Float64, 1) * cosh * cosh
	}
	const few = 4
	return math.Abs(v-inFile) / (few * rounding)
}

// Describe writes the step as a formula.
func (d *Direction) Describe() string {
	if d.Eta {
		return fmt.Sprintf("= asinh(%s/%s)", d.Y, d.X)
	}
	return fmt.Sprintf("= atan2(%s, %s)", d.Y, d.X)
}
