package classify

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// regression is a logistic regression: s = c₀ + Σ cⱼ xⱼ.
type regression []float64

func (c regression) at(x ...float64) float64 {
	s := c[0]
	for j, v := range x {
		s += c[j+1] * v
	}
	return s
}

// regress finds the regression of y (0 or 1, with weights w) on the columns x that
// has the lowest logistic loss, by Newton's method. A prior that is worth ten
// events, for columns of width one or more, holds it to the start where there is nothing to
// learn, as for a column that hardly varies.
func regress(start regression, y, w []float64, x ...[]float64) regression {
	const (
		prior = 10.0
		steps = 50
		far   = 0.5 // farther, the quadratic form is not trusted
	)
	x, start = slices.Clone(x), slices.Clone(start)
	width := make([]float64, len(x))
	for j, column := range x {
		width[j] = max(stat.PopStdDev(column, nil), 1)
		x[j] = make([]float64, len(column))
		floats.ScaleTo(x[j], 1/width[j], column)
		start[j+1] *= width[j]
	}
	c, n := slices.Clone(start), len(start)
	row := make([]float64, n)
	row[0] = 1
	for range steps {
		g, h := mat.NewVecDense(n, nil), mat.NewSymDense(n, nil)
		for j := range n {
			g.SetVec(j, prior*(c[j]-start[j]))
			h.SetSym(j, j, prior)
		}
		for i := range y {
			for j := range x {
				row[j+1] = x[j][i]
			}
			p := probability(c.at(row[1:]...))
			for j := range n {
				g.SetVec(j, g.AtVec(j)+w[i]*(p-y[i])*row[j])
				for k := range j + 1 { // negative weights must not lengthen steps
					h.SetSym(j, k, h.At(j, k)+math.Abs(w[i])*p*(1-p)*row[j]*row[k])
				}
			}
		}
		var chol mat.Cholesky
		var step mat.VecDense
		if !chol.Factorize(h) || chol.SolveVecTo(&step, g) != nil {
			c = slices.Clone(start)
			break
		}
		largest := mat.Norm(&step, math.Inf(1))
		for j := range c {
			c[j] -= step.AtVec(j) * min(1, far/largest)
		}
		if largest < 1e-6 {
			break
		}
	}
	for j := range x {
		c[j+1] /= width[j]
	}
	return c
}
