package diffusion

import (
	"fmt"
	"math"
	"slices"
)

// Waves are functions of features that are angles, which a [Denoiser] reads beside these:
// the sines and cosines of their multiples. The segments of a detector make the density
// repeat around it, which is no smooth function of a feature, but is one of these. Of a
// noisy angle, they are the means of the waves over the noise,
//
//	E[sin kx] = sin(k x̄) exp(−k² σ̄²/2)
//
// for a normal of mean x̄ and width σ̄: what the noise hides is not there (arXiv:2103.13415,
// equation 14).
type Waves struct {
	// Angles are the features, ascending.
	Angles []int `json:"angles,omitempty"`
	// Period is that of the features: z and z + Period are the same angle, and events have
	// it between −Period/2 and Period/2.
	Period float64 `json:"period,omitempty"`
	// Count is the number of multiples, from one wave around the circle on.
	Count int `json:"count,omitempty"`
}

// check says what makes no sense, if anything, for dim features.
func (w Waves) check() error {
	const most = 1 << 12
	switch {
	case len(w.Angles) == 0 && w.Count == 0:
		return nil
	case w.Count < 1 || w.Count > most:
		return fmt.Errorf("there cannot be %d waves of an angle", w.Count)
	case !(w.Period > 0) || math.IsInf(w.Period, 0):
		return fmt.Errorf("the period of an angle cannot be %g", w.Period)
	case len(w.Angles) == 0 || len(w.Angles) > most || w.Angles[0] < 0 || !slices.IsSorted(w.Angles) || len(slices.Compact(slices.Clone(w.Angles))) < len(w.Angles):
		return fmt.Errorf("the features %v cannot be angles", w.Angles)
	}
	return nil
}

// inputs is the number of functions.
func (w Waves) inputs() int { return 2 * w.Count * len(w.Angles) }

// wave is the first wave of an angle of a noisy event: k x̄ is slope times what the network
// reads of the feature, plus at; fade is exp(−k²σ̄²/2).
type wave struct{ slope, at, fade float64 }

// waveOf returns that of a feature with the mean and the spread over all events, for alpha
// and sigma whose squares sum to 1: the normal is what is known of the feature then.
func (w Waves) waveOf(mean, spread, alpha, sigma float64) wave {
	k := 2 * math.Pi / w.Period
	noise := k * spread * sigma
	return wave{k * spread * alpha, k * mean, math.Exp(-noise * noise / 2)}
}

// leastFade is what counts as nothing: numbers that are much smaller are slow to multiply.
const leastFade = 1e-9

// forward writes the waves of the feature x, as the network reads it.
func (v wave) forward(to []float32, x float32) {
	t := v.begin(x)
	for i := 0; i < len(to); i += 2 {
		t.next()
		if t.fade < leastFade {
			clear(to[i:])
			return
		}
		to[i], to[i+1] = float32(t.fade*t.sin), float32(t.fade*t.cos)
	}
}

// backward returns ∂L/∂x, from ∂L/∂ of the waves.
func (v wave) backward(d []float32, x float32) float32 {
	t, sum := v.begin(x), 0.0
	for i := 0; i < len(d); i += 2 {
		t.next()
		sum += float64(i/2+1) * t.fade * (float64(d[i])*t.cos - float64(d[i+1])*t.sin)
	}
	return float32(v.slope * sum)
}

// turn is the multiple n of a wave, of the variance 1 without noise, from n = 0 on.
type turn struct {
	sin, cos, sin1, cos1 float64
	fade, step, stride   float64 // fade is √2 f^n², step f^(2n+1), stride f²
}

func (v wave) begin(x float32) turn {
	sin, cos := math.Sincos(v.slope*float64(x) + v.at)
	return turn{0, 1, sin, cos, math.Sqrt2, v.fade, v.fade * v.fade}
}

func (t *turn) next() {
	t.sin, t.cos = t.sin*t.cos1+t.cos*t.sin1, t.cos*t.cos1-t.sin*t.sin1
	t.fade *= t.step
	t.step *= t.stride
}

// image moves the angle j of a row to where it is across the cut, at ±Period/2, and reports
// whether it is so near to it that a model, which smears the edge, may have density there.
func (w Waves) image(row []float32, j int) bool {
	const near = 1. / 16
	z := float64(row[j])
	z -= w.Period * math.Floor(z/w.Period+0.5)
	if math.Abs(z) < (0.5-near)*w.Period {
		return false
	}
	row[j] = float32(z - math.Copysign(w.Period, z))
	return true
}
