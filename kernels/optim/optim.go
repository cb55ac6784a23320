// Package optim holds the arithmetic of an optimiser: the Adam step in one
// pass over the parameters, the sum of gradients, and the squared norm that clips
// them.
//
// A clipped step is
//
//	scale := min(1, limit/math.Sqrt(optim.SumSquares(g)))
//	adam.Step++
//	adam.Update(w, m, v, g, float32(scale))
//
// where the clipping costs no pass of its own.
package optim

import (
	"fmt"
	"math"
)

//go:generate go run ../../asm/optim -out optim_avx2_amd64.s -stubs optim_avx2_amd64.go -pkg optim

// Adam is the optimiser of Kingma and Ba (arXiv:1412.6980) with the decoupled
// weight decay of Loshchilov and Hutter (arXiv:1711.05101).
type Adam struct {
	Rate    float32 // the step's size
	Beta1   float32 // decay of the gradient's running mean, in [0, 1)
	Beta2   float32 // decay of the squared gradient's running mean, in [0, 1)
	Epsilon float32 // added to the root of the squared gradient's mean
	Decay   float32 // weight decay: w shrinks by Rate·Decay·w in a step
	Step    int     // the number of this step, from 1, for the bias correction
}

// Update takes one step. With g' = scale·g it is
//
//	for i := range w {
//		m[i] = Beta1*m[i] + (1-Beta1)*g'[i]
//		v[i] = Beta2*v[i] + (1-Beta2)*g'[i]*g'[i]
//		mHat := m[i] / (1 - Beta1^Step)
//		vHat := v[i] / (1 - Beta2^Step)
//		w[i] -= Rate * (mHat/(sqrt(vHat)+Epsilon) + Decay*w[i])
//	}
//
// w, m and v are updated, g is not. All have the same length, or Update
// panics, as it does for a Step below 1. Each element is updated by itself:
// how the parameters are cut into slices changes no bit.
func (a Adam) Update(w, m, v, g []float32, scale float32) {
	n := len(w)
	if len(m) != n || len(v) != n || len(g) != n {
		panic(fmt.Sprintf("optim: Adam.Update: w, m, v, g have %d, %d, %d, %d floats, want the same", n, len(m), len(v), len(g)))
	}
	if a.Step < 1 {
		panic(fmt.Sprintf("optim: Adam.Update: step %d, want 1 or more", a.Step))
	}
	if n == 0 {
		return
	}
	c := a.constants(scale)
	adam(w, m, v, g, &c)
}

// constants are the factors of one step: with them it is
//
//	m = beta1·m + gain1·g
//	v = beta2·v + (gain2·g)·g
//	w = keep·w − rate·m/(root·sqrt(v) + epsilon)
//
// The assembly reads them in this order.
type constants struct {
	beta1, gain1, beta2, gain2, keep, rate, root, epsilon float32
}

func (a Adam) constants(scale float32) constants {
	bias := func(beta float32) float64 { return 1 - math.Pow(float64(beta), float64(a.Step)) }
	s := float64(scale)
	return constants{
		beta1:   a.Beta1,
		gain1:   float32((1 - float64(a.Beta1)) * s),
		beta2:   a.Beta2,
		gain2:   float32((1 - float64(a.Beta2)) * s * s),
		keep:    float32(1 - float64(a.Rate)*float64(a.Decay)),
		rate:    float32(float64(a.Rate) / bias(a.Beta1)),
		root:    float32(1 / math.Sqrt(bias(a.Beta2))),
		epsilon: a.Epsilon,
	}
}

// SumSquares returns Σ g², accumulated in float64, so that neither a long
// slice nor a large gradient (any finite float32 can be squared) spoils it.
func SumSquares(g []float32) float64 { return sumSquares(g) }

// Drain adds src to dst and clears it,
//
//	for i := range dst {
//		dst[i] += src[i]
//		src[i] = 0
//	}
//
// which is how gradients that were summed in several places come together. The
// slices must not overlap. If their lengths differ, Drain panics.
func Drain(dst, src []float32) {
	if len(dst) != len(src) {
		panic(fmt.Sprintf("optim: Drain: dst, src have %d, %d floats, want the same", len(dst), len(src)))
	}
	drain(dst, src)
}
