package step

import "math"

// Difference measures a number y from another one x that it equals in many events,
//
//	d = y − x,  log|∂d/∂y| = 0
//
// so that d is exactly 0 in these: a value that many events share, and so a code.
type Difference struct {
	Variable string `json:"variable"`
	From     string `json:"from"`
	Digits   *int   `json:"digits,omitempty"` // behind the point that y and x are rounded to; nil: they are not
}

// name of the coordinate.
func (d *Difference) name() string { return d.Variable + " − " + d.From + " (0 where equal)" }

func (d *Difference) Variables() (read, taken []string, made []Coordinate) {
	return []string{d.From}, []string{d.Variable}, []Coordinate{{Name: d.name()}}
}

func (d *Difference) IsSound() bool {
	const most = 15 // digits
	return d.Variable != d.From && (d.Digits == nil || *d.Digits >= 0 && *d.Digits <= most)
}

// round returns the nearest number of so many digits.
func (d *Difference) round(v float64) float64 {
	if d.Digits == nil {
		return v
	}
	unit := math.Pow10(*d.Digits)
	return math.Round(v*unit) / unit
}

func (d *Difference) Forward(f *Frame, _ []float64, _ func([]float64)) {
	x := f.At(d.From)
	f.replace(d.Variable, d.name(), func(k int, y float64) float64 { return d.round(y - x[k]) })
}

func (d *Difference) Inverse(f *Frame) {
	x := f.At(d.From)
	f.replace(d.name(), d.Variable, func(k int, v float64) float64 { return d.round(v + x[k]) })
}

func (d *Difference) Describe() string {
	return "relative to " + d.From + ", which it equals in many events"
}
