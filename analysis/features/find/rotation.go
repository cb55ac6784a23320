package find

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
)

// makeRotation, where the choice [Rotation] is asked for, measures all azimuths and transverse components from one azimuth. The choice
// is refused where that one is not uniform, or depends on anything else, by more than chance.
func (s *Search) makeRotation() {
	i := slices.IndexFunc(s.options.Choices, func(c Choice) bool { return c.Kind == Rotation })
	if i < 0 || slices.ContainsFunc(s.Refused, func(c Choice) bool { return c.Kind == Rotation }) {
		return
	}
	s.findAngles()
	angle, why := s.rotate()
	if why == "" {
		why = s.dependsOn(angle)
	}
	if why != "" {
		s.Refused, s.NotSymmetric = append(s.Refused, s.options.Choices[i]), why
		return
	}
	s.Independent = angle
}

// rotate measures azimuths and transverse components of all momenta from one azimuth, which it returns; or it says why that is not
// possible.
func (s *Search) rotate() (angle, why string) {
	var azimuths []string // free ones, those of momenta that are complete and always there first
	var pairs [][2]string // components
	complete := 0         // so many azimuths are of such momenta
	add := func(name string, isComplete bool) {
		switch {
		case s.gone[name] || slices.Contains(azimuths, name):
		case isComplete:
			azimuths = slices.Insert(azimuths, complete, name)
			complete++
		default:
			azimuths = append(azimuths, name)
		}
	}
	for i := range s.options.Vectors.Vectors {
		v := &s.options.Vectors.Vectors[i]
		if v.Relative {
			continue // a difference of azimuths stays what it is
		}
		if v.Phi != "" {
			add(v.Phi, !v.Absent && !v.Transverse)
		}
		if v.PX == "" || v.PY == "" {
			continue
		}
		switch {
		case s.gone[v.PX] != s.gone[v.PY]:
			return "", fmt.Sprintf("%s and %s are not treated alike", v.PX, v.PY)
		case !s.gone[v.PX]:
			pairs = append(pairs, [2]string{v.PX, v.PY})
		}
	}
	for _, made := range s.coordinates { // azimuths of momenta in polar coordinates, and of systems
		if slices.ContainsFunc(s.Steps, func(st step.Step) bool { return isAzimuthOf(st, made.Name) }) {
			add(made.Name, true)
		}
	}
	for _, p := range pairs {
		if !s.isFree(p[0]) || !s.isFree(p[1]) || !s.areContinuous(p[:]) {
			return "", fmt.Sprintf("%s and %s are not continuous", p[0], p[1])
		}
		s.roundOnce(p[0])
		s.roundOnce(p[1])
	}
	switch {
	case len(azimuths)+len(pairs) == 0:
		return "", "there is no azimuth"
	case len(pairs) > 0 && complete == 0:
		polar := &step.Polar{X: pairs[0][0], Y: pairs[0][1]}
		pairs = pairs[1:]
		s.apply(polar)
		_, _, made := polar.Variables()
		azimuths = slices.Insert(azimuths, 0, made[1].Name)
	}
	for _, name := range azimuths {
		if c, ok := s.circles[name]; !ok || math.Abs(c.Period-2*math.Pi) > 1e-9 || !s.isFree(name) {
			return "", fmt.Sprintf("%s is not an angle in all events", name)
		}
		if c, ok := s.table.Column(name); ok {
			s.round(c.Field)
		}
	}
	lead := azimuths[0]
	for _, name := range azimuths[1:] {
		s.apply(&step.RelativeAngle{Circle: s.circles[name], Variable: name, To: lead})
	}
	for _, p := range pairs {
		s.apply(&step.Rotated{X: p[0], Y: p[1], To: lead})
	}
	return lead, ""
}

// isAzimuthOf reports whether a step makes a variable as an azimuth that a rotation changes.
func isAzimuthOf(st step.Step, name string) bool {
	var at int
	switch st.(type) {
	case *step.Polar:
		at = 1
	case *step.System:
		at = 3
	default:
		return false
	}
	_, _, made := st.Variables()
	return made[at].Name == name
}

// dependsOn says of an angle φ in which way it is not uniform, or not independent of the other variables and the condition; nothing
// where it may be both. For each function g of these, and of pairs of them, and each k the sum Σ g exp(ikφ) is a walk in the plane: where φ is
// uniform and independent its square over Σ g² is distributed exponentially (Rayleigh). g is 1, a variable's rank, the square of that, or sine
// and cosine of an angle, or a product of two such. The largest square is compared with that of as many walks.
func (s *Search) dependsOn(angle string) string {
	const (
		alone    = 32   // k, for g = 1
		together = 4    // k, for others
		alarm    = 0.01 // probability by chance
		enough   = 50_000
		work     = 1 << 28 // products
		most     = 60      // variables of which pairs are looked at
	)
	type function struct {
		name string
		x    []float64
	}
	phi := s.some(angle, enough)
	n := len(phi)
	w := make([]float64, n)
	for i := range w {
		if w[i] = 1; s.weights != nil {
			w[i] = s.weights[i*s.N/n]
		}
	}
	var functions []function
	add := func(name string, x []float64, of func(v float64) float64) {
		values := make([]float64, n)
		for k, v := range x {
			values[k] = of(v)
		}
		mean := stat.Mean(values, nil)
		for k := range values {
			values[k] -= mean
		}
		functions = append(functions, function{name, values})
	}
	for _, field := range slices.Concat(s.remaining(), s.given.Fields()) {
		x := s.some(field.Name, enough)
		switch c, isAngle := s.circles[field.Name]; {
		case field.Name == angle || countValues(x, 1) < 2:
		case isAngle:
			turn := 2 * math.Pi / c.Period
			for k := 1.0; k <= 2; k++ {
				add(field.Name, x, func(v float64) float64 { return finite(math.Cos(k * turn * v)) })
				add(field.Name, x, func(v float64) float64 { return finite(math.Sin(k * turn * v)) })
			}
		default:
			ranks := column.Ranks(x)
			add(field.Name, ranks, func(r float64) float64 { return r })
			add(field.Name, ranks, func(r float64) float64 { return r * r })
		}
		if s.ctx.Err() != nil {
			return "there was no time"
		}
	}
	harmonics := func(k int) (cos, sin []float64) {
		cos, sin = make([]float64, n), make([]float64, n)
		for i, v := range phi {
			sin[i], cos[i] = math.Sincos(float64(k) * v)
		}
		return cos, sin
	}
	largest, which, tests := 0.0, "", 0
	look := func(name string, k, every int, cos, sin, g, h []float64) {
		tests++
		var re, im, squares float64
		for i := 0; i < len(g); i += every {
			v := w[i] * g[i] * h[i]
			re += v * cos[i]
			im += v * sin[i]
			squares += v * v
		}
		if p := (re*re + im*im) / max(squares, math.SmallestNonzeroFloat64); p > 1.05*largest { // what is about the same is called by the simplest name
			largest, which = p, fmt.Sprintf("%s, harmonic %d", name, k)
		}
	}
	one := slices.Repeat([]float64{1}, n)
	for k := 1; k <= alone; k++ {
		cos, sin := harmonics(k)
		look("its distribution", k, 1, cos, sin, one, one)
		if k > together {
			continue
		}
		for _, f := range functions {
			look("its dependence on "+f.name, k, 1, cos, sin, f.x, one)
		}
		if len(functions) > 2*most {
			continue
		}
		pairs := len(functions) * (len(functions) + 1) / 2
		m := min(n, max(work/(together*pairs+1), 1000))
		for i, f := range functions {
			for _, g := range functions[:i+1] {
				look("its dependence on "+f.name+" and "+g.name, k, n/m, cos, sin, f.x, g.x)
			}
		}
		if s.ctx.Err() != nil {
			return "there was no time"
		}
	}
	if p := float64(tests) * math.Exp(-largest); p < alarm {
		return fmt.Sprintf("%s is not uniform and independent (%s; by chance with a probability of %.1g)", angle, which, p)
	}
	return ""
}

// finite replaces what is no number.
func finite(v float64) float64 {
	if v-v != 0 {
		return 0
	}
	return v
}
