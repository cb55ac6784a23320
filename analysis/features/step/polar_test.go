package step

import (
	"math"
	"testing"
)

// TestPolar checks the Jacobian of the polar coordinates against finite differences of
// the inverse: x, y, z = pT cos φ, pT sin φ, pT sinh η.
func TestPolar(t *testing.T) {
	for _, p := range []*Polar{{X: "x", Y: "y"}, {X: "x", Y: "y", Z: "z"}} {
		f := &Frame{}
		f.Reset(1)
		want := map[string]float64{"x": 3, "y": -2, "z": 5}
		_, taken, made := p.Variables()
		for _, name := range taken {
			f.Add(name)[0] = want[name]
		}
		logDet := []float64{0}
		p.Forward(f, logDet, nil)
		at := map[string]float64{}
		for _, c := range made {
			at[c.Name] = f.At(c.Name)[0]
		}
		volume := 1 / (at[made[0].Name])
		if p.Z != "" {
			const h = 1e-5
			pt := at[made[0].Name]
			volume /= (pt*math.Sinh(at[made[2].Name]+h) - pt*math.Sinh(at[made[2].Name]-h)) / (2 * h)
		}
		if math.Abs(logDet[0]-math.Log(volume)) > 1e-8 {
			t.Errorf("log|det| %g, want %g", logDet[0], math.Log(volume))
		}
		p.Inverse(f)
		for _, name := range taken {
			if math.Abs(f.At(name)[0]-want[name]) > 1e-12 {
				t.Errorf("%s comes back as %g", name, f.At(name)[0])
			}
		}
	}
}
