package find

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

// findHarmonics measures numbers from their first harmonic in an angle that they are near to, such as the impact parameters of
// tracks about a point that the beam does not go through.
func (s *Search) findHarmonics() {
	const (
		fewest = 200 // events
		near   = 0.3 // of its spread, which a number may have about its harmonic
	)
	s.findAngles()
	if s.N < fewest {
		return
	}
	var ofMomenta []string
	for i := range s.options.Vectors.Vectors {
		ofMomenta = append(ofMomenta, s.options.Vectors.Vectors[i].Columns()...)
	}
	var angles []string
	var numbers []rootio.Field
	for _, field := range s.table.Fields() {
		switch {
		case !s.isFree(field.Name):
		case s.IsAngle(field.Name):
			angles = append(angles, field.Name)
		case !slices.Contains(ofMomenta, field.Name) && s.isSmooth(field):
			numbers = append(numbers, field)
		}
	}
	if len(angles)*len(numbers) > mostCompared {
		s.cut = fmt.Sprintf("there are more than %d pairs of an angle and a number", mostCompared)
		return
	}
	for _, y := range numbers {
		values := lookAt(s.some(y.Name, enoughToLook))
		var best *step.Harmonic
		least := near * values.spread
		for _, name := range angles {
			if s.over() {
				return
			}
			h := fitHarmonic(values.x, lookAt(s.some(name, enoughToLook)).x, s.circles[name].Period)
			if h == nil {
				continue
			}
			if h.spread < least {
				h.of.Variable, h.of.Angle = y.Name, name
				best, least = &h.of, h.spread
			}
		}
		if best != nil {
			s.round(y)
			s.apply(best)
		}
	}
}

// harmonic is one with the spread about it.
type harmonic struct {
	of     step.Harmonic
	spread float64
}

// fitHarmonic returns the harmonic of y that is near to most events: least squares, repeated with the weights 1/(1+(d/s)²) for the
// distances d of typical size s, so that what is far from it hardly counts. It is nil where the angles do not determine it.
func fitHarmonic(y, angles []float64, period float64) *harmonic {
	const rounds = 12
	n := len(y)
	h := &harmonic{of: step.Harmonic{Period: period}}
	d, size := make([]float64, n), make([]float64, n)
	w := slices.Repeat([]float64{1}, n)
	for range rounds {
		normal, right := mat.NewSymDense(3, nil), mat.NewVecDense(3, nil)
		for k, v := range y {
			sin, cos := math.Sincos(angles[k] * (2 * math.Pi / period))
			row := mat.NewVecDense(3, []float64{1, cos, sin})
			normal.SymRankOne(normal, w[k], row)
			right.AddScaledVec(right, w[k]*v, row)
		}
		var c mat.Cholesky
		if !c.Factorize(normal) || c.Cond() > 1e6 {
			return nil
		}
		var x mat.VecDense
		if c.SolveVecTo(&x, right) != nil {
			return nil
		}
		h.of.Offset, h.of.Cosine, h.of.Sine = x.AtVec(0), x.AtVec(1), x.AtVec(2)
		for k, v := range y {
			d[k] = v - h.of.At(angles[k])
			size[k] = math.Abs(d[k])
		}
		slices.Sort(size)
		typical := stat.Quantile(0.5, stat.Empirical, size, nil)
		for k := range w {
			w[k] = 1 / (1 + (d[k]/typical)*(d[k]/typical))
		}
		if typical == 0 {
			break
		}
	}
	h.spread = spreadOf(d)
	return h
}
