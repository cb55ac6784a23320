package classify

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/eidolon-hep/eidolon/internal/nn"
)

// blend is a logistic regression on the outputs a and b of two classifiers:
// s = shift + of[0] a + of[1] b. It is what stacks and calibrates them.
type blend struct {
	shift float64
	of    [2]float64
}

func (l blend) at(a, b float64) float64 { return l.shift + l.of[0]*a + l.of[1]*b }

// fitBlend finds the blend that is best on the rows of d, by Newton's method. A
// prior that is worth ten events holds it to the mean of a and b where there is
// nothing to learn.
func fitBlend(a, b []float64, d nn.Data) blend {
	const (
		prior = 10.0
		steps = 30
	)
	start := [3]float64{0, 0.5, 0.5}
	now := start
	for range steps {
		var g [3]float64
		h := mat.NewSymDense(3, nil)
		for j := range 3 {
			g[j] = prior * (now[j] - start[j])
			h.SetSym(j, j, prior)
		}
		for i := range a {
			x := [3]float64{1, a[i], b[i]}
			w, y := float64(d.W[i]), float64(d.C[i])
			_, p := logistic(now[0]+now[1]*x[1]+now[2]*x[2], y)
			for j := range 3 {
				g[j] += w * (p - y) * x[j]
				for k := range j + 1 {
					h.SetSym(j, k, h.At(j, k)+math.Abs(w)*p*(1-p)*x[j]*x[k])
				}
			}
		}
		var chol mat.Cholesky
		if !chol.Factorize(h) {
			return blend{of: [2]float64{0.5, 0.5}}
		}
		var step mat.VecDense
		if err := chol.SolveVecTo(&step, mat.NewVecDense(3, g[:])); err != nil {
			return blend{of: [2]float64{0.5, 0.5}}
		}
		largest := 0.0
		for j := range 3 {
			largest = max(largest, math.Abs(step.AtVec(j)))
		}
		for j := range 3 { // not farther than the quadratic form can be trusted
			now[j] -= step.AtVec(j) * min(1, 0.5/largest)
		}
		if largest < 1e-6 {
			break
		}
	}
	return blend{now[0], [2]float64{now[1], now[2]}}
}
