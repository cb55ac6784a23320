package features

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Period is that of the features that are linear in an angle: where all angles are as
// likely, these have the variance 1.
const Period = 2 * 1.7320508075688772935 // √3

// unit returns how far a feature that is linear in the angle counts 1.
func unit(c *column.Circle) float64 { return c.Period / Period }

// isEven reports whether the distribution of an angle, as its spline has it, is nearly
// uniform.
func (c *Column) isEven() bool {
	const nearly = 0.1 // nats
	gain := 0.0
	for i := range column.PartsOfCircle {
		z, logDet := c.encode(*c.Low+c.Circle.Period*(float64(i)+0.5)/column.PartsOfCircle, 0.5)
		log := logNormal(z) + logDet + math.Log(c.Circle.Period) // relative to uniform
		gain += math.Exp(log) * log / column.PartsOfCircle
	}
	return gain < nearly
}

// Wave is what has a number of periods around a circle.
type Wave struct {
	Multiple int     // the number of periods
	Power    float64 // in units of what chance gives it, on average
}

// Waves returns what repeats around the circle of the periodic feature j, as the segments of a
// detector do: the waves that the number of events, or a mean of another feature or its
// square, have around it, the strongest first. z are rows of dim features, w their weights,
// or nil.
//
// Where nothing repeats, the power of a wave is distributed exponentially (a random walk in
// the plane). In one of a thousand such samples any of 64 waves passes. At most some 100,000
// events are looked at.
func Waves(z []float32, dim int, w []float64, j int) []Wave {
	const (
		most      = 3 // standard deviations: a few events far out are no wave
		multiples = 64
		alarms    = 1e-3
		enough    = 100_000
	)
	n := len(z) / dim
	step := max((n+enough-1)/enough, 1)
	weight := func(i int) float64 {
		if w == nil {
			return 1
		}
		return w[i]
	}
	// evaluate stores the functions of an event in g: the first is 1, the others have the
	// mean 0.
	means, g := make([]float64, 1+2*dim), make([]float64, 1+2*dim)
	evaluate := func(i int) {
		g[0] = 1
		for l, v := range z[i*dim : (i+1)*dim] {
			v := min(max(float64(v), -most), most)
			g[1+2*l], g[2+2*l] = v-means[1+2*l], v*v-means[2+2*l]
		}
		g[1+2*j], g[2+2*j] = 0, 0
	}
	sum, mean := 0.0, make([]float64, len(g))
	for i := 0; i < n; i += step {
		evaluate(i)
		floats.AddScaled(mean, weight(i), g)
		sum += weight(i)
	}
	floats.ScaleTo(means[1:], 1/sum, mean[1:])
	power := make([]float64, len(g)) // of a wave by chance, on average
	var sin, cos [multiples]float64
	re, im := make([]float64, len(g)*multiples), make([]float64, len(g)*multiples)
	for i := 0; i < n; i += step {
		evaluate(i)
		s1, c1 := math.Sincos(2 * math.Pi / Period * float64(z[i*dim+j]))
		s, c := s1, c1
		for k := range multiples {
			sin[k], cos[k] = s, c
			s, c = s*c1+c*s1, c*c1-s*s1
		}
		for f, v := range g {
			v *= weight(i)
			power[f] += v * v
			floats.AddScaled(re[f*multiples:(f+1)*multiples], v, cos[:])
			floats.AddScaled(im[f*multiples:(f+1)*multiples], v, sin[:])
		}
	}
	limit := math.Log(float64(len(g)*multiples) / alarms)
	var waves []Wave
	for k := range multiples {
		strongest := 0.0
		for f, p := range power {
			if a, b := re[f*multiples+k], im[f*multiples+k]; p > 0 {
				strongest = max(strongest, (a*a+b*b)/p)
			}
		}
		if strongest > limit {
			waves = append(waves, Wave{k + 1, strongest})
		}
	}
	slices.SortStableFunc(waves, func(a, b Wave) int { return cmp.Compare(b.Power, a.Power) })
	return waves
}

// repeats returns the power of the strongest wave of more than a few periods: a smooth
// function follows the others easily.
func repeats(waves []Wave) float64 {
	const few = 3
	for _, w := range waves {
		if w.Multiple > few {
			return w.Power
		}
	}
	return 0
}

// Relative is the map that measures an angle from another one: back-to-back muons
// are at ±π from each other, wherever they are.
type Relative struct {
	column.Circle
	Variable string `json:"variable"`
	To       string `json:"to"`
}

// name of the coordinate.
func (r *Relative) name() string { return r.Variable + " − " + r.To }

func (r *Relative) variables() (read, taken, made []string) {
	return []string{r.To}, []string{r.Variable}, []string{r.name()}
}

func (r *Relative) isNoisy() bool { return false }

func (r *Relative) forward(f *frame, _ []float64, _ func([]float64)) {
	d, to := f.add(r.name()), f.at(r.To)
	for k, x := range f.at(r.Variable) {
		d[k] = r.Wrap(x-to[k], -r.Period/2)
	}
	f.take(r.Variable)
}

func (r *Relative) inverse(f *frame) {
	x, to := f.add(r.Variable), f.at(r.To)
	for k, d := range f.at(r.name()) {
		x[k] = r.Wrap(d+to[k], r.Start)
	}
	f.take(r.name())
}

func (r *Relative) isSound() bool { return r.Circle.IsSound() }

// findAngles finds the branches that are angles, and keeps them at hand.
func (f *fitting) findAngles() {
	for _, field := range f.spec.Branches {
		if f.over() {
			return
		}
		if _, known := f.circles[field.Name]; f.gone[field.Name] || known || f.as[field.Name] != "" {
			continue
		}
		if c, ok := column.CircleOf(field, f.load(field.Name), f.w); ok {
			f.circles[field.Name] = c
		} else {
			f.take(field.Name)
		}
	}
	for _, field := range f.given.Fields() {
		x := f.load(field.Name)
		if c, ok := column.CircleOf(field, x, f.w); ok && !slices.ContainsFunc(x, math.IsNaN) {
			f.circles[field.Name] = c
		} else {
			f.take(field.Name)
		}
	}
}

// relateAngles adds the maps of angles that are closer to another one, or to one of the
// condition, than they are to any direction.
func (f *fitting) relateAngles() {
	var angles []rootio.Field
	for _, field := range append(slices.Clone(f.spec.Branches), f.coordinates...) {
		if _, ok := f.circles[field.Name]; ok {
			angles = append(angles, field)
		}
	}
	var given []rootio.Field
	for _, field := range f.given.Fields() {
		if _, ok := f.circles[field.Name]; ok {
			given = append(given, field)
		}
	}
	// The last first: what an angle is measured from is still there.
	for j := len(angles) - 1; j >= 0; j-- {
		c := f.circles[angles[j].Name]
		x, d := f.load(angles[j].Name), f.add(scratch)
		gain := max(0.1, 2*evidence(2, len(angles)+len(given))/float64(f.n)) // nats per event, at least: few events have some by chance
		var to *rootio.Field
		least := c.Entropy(x, f.w) - gain
		for _, other := range slices.Concat(given, angles[:j]) {
			if f.over() {
				return
			}
			if f.circles[other.Name].Period != c.Period {
				continue
			}
			for k, v := range f.load(other.Name) {
				d[k] = x[k] - v
			}
			if h := c.Entropy(d, f.w); h < least {
				to, least = &other, h
			}
		}
		if to == nil {
			continue
		}
		f.round(angles[j])
		if !f.isGiven(to.Name) {
			f.round(*to)
		}
		r := &Relative{Circle: c, Variable: angles[j].Name, To: to.Name}
		f.apply(Map{Relative: r})
		f.circles[r.name()] = column.Circle{Start: -c.Period / 2, Period: c.Period}
		f.coordinates = append(f.coordinates, rootio.Field{Name: r.name(), Kind: rootio.Float64})
	}
}
