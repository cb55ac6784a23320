package step

import (
	"fmt"
	"math"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// Polar turns the components X, Y of a momentum into its magnitude and azimuth, and a
// third, Z, if that is not empty, into the pseudorapidity. It is for momenta of which the
// file has the magnitude, too: cuts are made on that.
type Polar struct {
	X string `json:"x"`
	Y string `json:"y"`
	Z string `json:"z,omitempty"`
}

func (p *Polar) Variables() (read, taken []string, made []Coordinate) {
	pt, phi, eta := p.names()
	taken = []string{p.X, p.Y}
	made = []Coordinate{
		{Name: pt, Legal: &[2]float64{0, math.Inf(1)}},
		{Name: phi, Circle: &column.Circle{Start: -math.Pi, Period: 2 * math.Pi}},
	}
	if p.Z != "" {
		taken, made = append(taken, p.Z), append(made, Coordinate{Name: eta})
	}
	return nil, taken, made
}

// names of the coordinates.
func (p *Polar) names() (pt, phi, eta string) {
	return fmt.Sprintf("pT(%s, %s)", p.X, p.Y), fmt.Sprintf("φ(%s, %s)", p.X, p.Y), fmt.Sprintf("η(%s, %s, %s)", p.X, p.Y, p.Z)
}

func (p *Polar) IsSound() bool { return p.X != p.Y && p.X != p.Z && p.Y != p.Z }

func (p *Polar) Forward(f *Frame, logDet []float64, _ func([]float64)) {
	namePt, namePhi, nameEta := p.names()
	x, y := f.At(p.X), f.At(p.Y)
	pt, phi := f.Add(namePt), f.Add(namePhi)
	for k := range pt {
		pt[k], phi[k] = max(math.Hypot(x[k], y[k]), least), math.Atan2(y[k], x[k])
	}
	for k := range logDet { // dx dy = pT dpT dφ
		logDet[k] -= math.Log(pt[k])
	}
	if p.Z != "" {
		z, eta := f.At(p.Z), f.Add(nameEta)
		for k := range eta {
			eta[k] = math.Asinh(z[k] / pt[k])
		}
		for k := range logDet { // dz = pT cosh η dη
			logDet[k] -= math.Log(math.Hypot(pt[k], z[k]))
		}
		f.Take(p.Z)
	}
	f.Take(p.X)
	f.Take(p.Y)
}

func (p *Polar) Inverse(f *Frame) {
	namePt, namePhi, nameEta := p.names()
	x, y := f.Add(p.X), f.Add(p.Y)
	pt, phi := f.At(namePt), f.At(namePhi)
	for k := range x {
		sin, cos := math.Sincos(phi[k])
		x[k], y[k] = pt[k]*cos, pt[k]*sin
	}
	if p.Z != "" {
		z, eta := f.Add(p.Z), f.At(nameEta)
		for k := range z {
			z[k] = pt[k] * math.Sinh(eta[k])
		}
		f.Take(nameEta)
	}
	f.Take(namePt)
	f.Take(namePhi)
}

func (p *Polar) Describe() string { return "by pT, φ and η" }
