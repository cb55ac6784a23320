package step

import (
	"math"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// Recoil measures a transverse momentum, given as magnitude and azimuth, from the recoil of others, R = −Σ pTᵢ. The azimuth
// is measured from that of R; and if Components is set the two components of the difference,
// along R and across it,
//
//	∥ = pT cos δ − |R|,  ⊥ = pT sin δ,  ∂(∥, ⊥)/∂(pT, φ) = pT,
//
// take the place of magnitude and azimuth: of the missing momentum of an event in which little else is lost they are
// small, whatever R is. Vectors whose magnitude is not positive, as where an object is absent, add nothing to R.
type Recoil struct {
	Name       string      `json:"name"`
	PT         string      `json:"pt"`
	Phi        string      `json:"phi"`
	From       float64     `json:"from,omitempty"` // where the range of the azimuth begins
	Of         [][2]string `json:"of"`             // magnitude and azimuth of the others
	Components bool        `json:"components,omitempty"`
}

// names of the coordinates.
func (r *Recoil) names() (along, across, angle string) {
	return r.Name + " along the recoil", r.Name + " across the recoil", "φ(" + r.Name + ") from the recoil"
}

func (r *Recoil) Variables() (read, taken []string, made []Coordinate) {
	for _, v := range r.Of {
		read = append(read, v[0], v[1])
	}
	along, across, angle := r.names()
	if r.Components {
		return read, []string{r.PT, r.Phi}, []Coordinate{{Name: along}, {Name: across}}
	}
	return read, []string{r.Phi}, []Coordinate{{Name: angle, Circle: &column.Circle{Start: -math.Pi, Period: 2 * math.Pi}}}
}

func (r *Recoil) IsSound() bool {
	for _, v := range r.Of {
		for _, name := range v {
			if name == r.PT || name == r.Phi {
				return false
			}
		}
	}
	return len(r.Of) > 0 && r.PT != r.Phi && !math.IsNaN(r.From) && !math.IsInf(r.From, 0)
}

// recoil stores the size and the azimuth of R of each event.
func (r *Recoil) recoil(f *Frame, size, phi []float64) {
	clear(size)
	clear(phi)
	for _, v := range r.Of { // in size and phi are its components, at first
		pt, azimuth := f.At(v[0]), f.At(v[1])
		for k, p := range pt {
			if p > 0 {
				sin, cos := math.Sincos(azimuth[k])
				size[k] -= p * cos
				phi[k] -= p * sin
			}
		}
	}
	for k, x := range size {
		size[k], phi[k] = math.Hypot(x, phi[k]), math.Atan2(phi[k], x)
	}
}

func (r *Recoil) Forward(f *Frame, logDet []float64, _ func([]float64)) {
	alongName, acrossName, angleName := r.names()
	size, azimuth := f.Add(Scratch), f.Add(Scratch2)
	r.recoil(f, size, azimuth)
	phi := f.At(r.Phi)
	if !r.Components {
		angle := f.Add(angleName)
		for k, v := range phi {
			angle[k] = column.Circle{Start: -math.Pi, Period: 2 * math.Pi}.Wrap(v-azimuth[k], -math.Pi)
		}
		f.Take(r.Phi)
		return
	}
	along, across := f.Add(alongName), f.Add(acrossName)
	for k, pt := range f.At(r.PT) {
		sin, cos := math.Sincos(phi[k] - azimuth[k])
		along[k], across[k] = pt*cos-size[k], pt*sin
		if logDet != nil {
			logDet[k] += math.Log(max(pt, least))
		}
	}
	f.Take(r.PT)
	f.Take(r.Phi)
}

func (r *Recoil) Inverse(f *Frame) {
	alongName, acrossName, angleName := r.names()
	size, azimuth, phi := f.Add(Scratch), f.Add(Scratch2), f.Add(r.Phi)
	r.recoil(f, size, azimuth)
	circle := column.Circle{Start: r.From, Period: 2 * math.Pi}
	if !r.Components {
		for k, d := range f.At(angleName) {
			phi[k] = circle.Wrap(d+azimuth[k], r.From)
		}
		f.Take(angleName)
		return
	}
	pt, across := f.Add(r.PT), f.At(acrossName)
	for k, v := range f.At(alongName) {
		x := v + size[k]
		pt[k], phi[k] = math.Hypot(x, across[k]), circle.Wrap(math.Atan2(across[k], x)+azimuth[k], r.From)
	}
	f.Take(alongName)
	f.Take(acrossName)
}

func (r *Recoil) Describe() string {
	if r.Components {
		return "along and across the recoil of the others"
	}
	return "relative to the recoil of the others"
}
