package features

import (
	"math"
	"slices"
	"sort"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// Spline is a monotone rational-quadratic spline through the knots (X, Y), with
// continuous slope, and linear beyond them (Gregory and Delbourgo, IMA J. Numer.
// Anal. 2 (1982) 123). The zero value is the identity.
type Spline struct {
	X []float64 `json:"x"` // ascending
	Y []float64 `json:"y"` // ascending
	D []float64 `json:"d"` // slopes dY/dX at the knots, positive
}

// NewSpline returns the spline through knots that ascend in both coordinates.
// The slopes at the inner knots are weighted harmonic means of those of the two
// chords (Fritsch and Butland, SIAM J. Sci. Stat. Comput. 5 (1984) 300), which
// keeps it monotone and does not overshoot; at the ends they are those of the
// outer chords. Fewer than two knots give the identity.
func NewSpline(x, y []float64) Spline {
	n := len(x)
	if n < 2 {
		return Spline{}
	}
	chord := func(i int) float64 { return (y[i+1] - y[i]) / (x[i+1] - x[i]) }
	d := make([]float64, n)
	d[0], d[n-1] = chord(0), chord(n-2)
	for i := 1; i < n-1; i++ {
		h0, h1 := x[i]-x[i-1], x[i+1]-x[i]
		w0, w1 := 2*h1+h0, h1+2*h0
		d[i] = (w0 + w1) / (w0/chord(i-1) + w1/chord(i))
	}
	return Spline{X: x, Y: y, D: d}
}

// Forward returns the value of the spline at x and its slope.
func (s Spline) Forward(x float64) (y, slope float64) {
	n := len(s.X)
	switch {
	case n == 0:
		return x, 1
	case x <= s.X[0]:
		return s.Y[0] + s.D[0]*(x-s.X[0]), s.D[0]
	case !(x < s.X[n-1]): // or NaN
		return s.Y[n-1] + s.D[n-1]*(x-s.X[n-1]), s.D[n-1]
	}
	k := sort.SearchFloat64s(s.X, x) - 1
	w, h := s.X[k+1]-s.X[k], s.Y[k+1]-s.Y[k]
	d0, d1, c := s.D[k], s.D[k+1], h/w
	t := (x - s.X[k]) / w
	q := c + (d0+d1-2*c)*t*(1-t)
	y = s.Y[k] + h*(c*t*t+d0*t*(1-t))/q
	slope = c * c * (d1*t*t + 2*c*t*(1-t) + d0*(1-t)*(1-t)) / (q * q)
	return y, slope
}

// Inverse returns where the spline has the value y.
func (s Spline) Inverse(y float64) float64 {
	n := len(s.X)
	switch {
	case n == 0:
		return y
	case y <= s.Y[0]:
		return s.X[0] + (y-s.Y[0])/s.D[0]
	case !(y < s.Y[n-1]): // or NaN
		return s.X[n-1] + (y-s.Y[n-1])/s.D[n-1]
	}
	k := sort.SearchFloat64s(s.Y, y) - 1
	w, h := s.X[k+1]-s.X[k], s.Y[k+1]-s.Y[k]
	d0, d1, c := s.D[k], s.D[k+1], h/w
	// a t² + b t + e = 0, the root in [0, 1] in the form without cancellation.
	dy, e2 := y-s.Y[k], d0+d1-2*c
	a := h*(c-d0) + dy*e2
	b := h*d0 - dy*e2
	e := -c * dy
	disc := math.Sqrt(max(b*b-4*a*e, 0))
	t := 2 * e / (-b - disc)
	return s.X[k] + w*min(max(t, 0), 1)
}

// isSound reports whether a spline that was read from a file is one.
func (s Spline) isSound() bool {
	n := len(s.X)
	if n != len(s.Y) || n != len(s.D) || n == 1 || !column.Ascend(s.X) || !column.Ascend(s.Y) ||
		slices.ContainsFunc(s.D, func(d float64) bool { return !(d > 0) }) {
		return false
	}
	return n == 0 || !math.IsInf(s.X[n-1]-s.X[0], 0) && !math.IsInf(s.Y[n-1]-s.Y[0], 0)
}
