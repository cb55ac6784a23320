package step

import (
	"fmt"
	"math"
)

// Harmonic measures a number y from its first harmonic in an angle φ:
//
//	d = y − (Offset + Cosine·cos φ + Sine·sin φ),  log|∂d/∂y| = 0
//
// as the impact parameter of a track about a point that the beam passes by: where the beam is at (x, z) of this point, it
// is z cos φ − x sin φ, but for the resolution. So the resolution is a width of its own.
type Harmonic struct {
	Variable string  `json:"variable"`
	Angle    string  `json:"angle"`
	Period   float64 `json:"period"` // of the angle
	Offset   float64 `json:"offset"`
	Cosine   float64 `json:"cosine"`
	Sine     float64 `json:"sine"`
}

// name of the coordinate.
func (h *Harmonic) name() string {
	return fmt.Sprintf("%s − its harmonic in %s", h.Variable, h.Angle)
}

func (h *Harmonic) Variables() (read, taken []string, made []Coordinate) {
	return []string{h.Angle}, []string{h.Variable}, []Coordinate{{Name: h.name()}}
}

func (h *Harmonic) IsSound() bool {
	finite := true
	for _, v := range []float64{h.Period, h.Offset, h.Cosine, h.Sine} {
		finite = finite && v-v == 0
	}
	return finite && h.Period > 0 && h.Variable != h.Angle
}

// At returns the value of the harmonic at an angle.
func (h *Harmonic) At(angle float64) float64 {
	sin, cos := math.Sincos(angle * (2 * math.Pi / h.Period))
	return h.Offset + h.Cosine*cos + h.Sine*sin
}

func (h *Harmonic) Forward(f *Frame, _ []float64, _ func([]float64)) {
	angle := f.At(h.Angle)
	f.replace(h.Variable, h.name(), func(k int, y float64) float64 { return y - h.At(angle[k]) })
}

func (h *Harmonic) Inverse(f *Frame) {
	angle := f.At(h.Angle)
	f.replace(h.name(), h.Variable, func(k int, d float64) float64 { return d + h.At(angle[k]) })
}

func (h *Harmonic) Describe() string { return "relative to its harmonic in " + h.Angle }
