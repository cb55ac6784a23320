package step

import "math"

// Rotated rotates the transverse components X and Y of a momentum by −To, an azimuth in radians: they become those along and across
// that direction.
type Rotated struct {
	X  string `json:"x"`
	Y  string `json:"y"`
	To string `json:"to"`
}

// names of the coordinates.
func (r *Rotated) names() (along, across string) {
	return "(" + r.X + ", " + r.Y + ") along " + r.To, "(" + r.X + ", " + r.Y + ") across " + r.To
}

func (r *Rotated) Variables() (read, taken []string, made []Coordinate) {
	along, across := r.names()
	return []string{r.To}, []string{r.X, r.Y}, []Coordinate{{Name: along}, {Name: across}}
}

func (r *Rotated) IsSound() bool { return r.X != r.Y && r.To != r.X && r.To != r.Y }

func (r *Rotated) Forward(f *Frame, _ []float64, _ func([]float64)) {
	along, across := r.names()
	r.rotate(f, [2]string{r.X, r.Y}, [2]string{along, across}, -1)
}

func (r *Rotated) Inverse(f *Frame) {
	along, across := r.names()
	r.rotate(f, [2]string{along, across}, [2]string{r.X, r.Y}, 1)
}

// rotate puts two variables, rotated by sign times the azimuth, in the place of two others.
func (r *Rotated) rotate(f *Frame, from, to [2]string, sign float64) {
	x, y := f.Add(to[0]), f.Add(to[1])
	a, b, phi := f.At(from[0]), f.At(from[1]), f.At(r.To)
	for k := range x {
		sin, cos := math.Sincos(sign * phi[k])
		x[k], y[k] = a[k]*cos-b[k]*sin, a[k]*sin+b[k]*cos
	}
	f.Take(from[0])
	f.Take(from[1])
}

func (r *Rotated) Describe() string { return "along and across " + r.To }
