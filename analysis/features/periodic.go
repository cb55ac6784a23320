package features

import (
	"cmp"
	"context"
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

// middle returns the angle that is farthest from where the circle is cut.
func (c *Column) middle() float64 { return *c.Low + c.Circle.Period/2 }

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

// Periodic returns a specification that differs in this: the feature of an angle that fills
// its circle evenly, and around which something repeats (see [Waves]), is linear in it, z and
// z + [Period] being the same angle. It is one, that around which something repeats most, and
// none where it is the only feature. t are events to look at, w their weights or nil. The
// error is that of [Spec.Encode].
func (s *Spec) Periodic(ctx context.Context, t *rootio.Table, w []float64) (*Spec, error) {
	periodic := *s
	periodic.Columns = slices.Clone(s.Columns)
	columns := periodic.learnt()
	if len(columns) < 2 || s.Independent() >= 0 { // nothing is around it, or depends on where it is
		return &periodic, nil
	}
	even := false
	for _, c := range columns {
		c.Periodic = c.As == column.Angle && len(c.cells()) == 0 && c.isEven()
		even = even || c.Periodic
	}
	if !even {
		return &periodic, nil
	}
	const enough = 100_000
	step := max((t.Len()+enough-1)/enough, 1)
	var rows []int
	var weights []float64
	for i := 0; i < t.Len(); i += step {
		rows = append(rows, i)
		if w != nil {
			weights = append(weights, w[i])
		}
	}
	z := make([]float32, len(rows)*s.Dim())
	if err := periodic.Encode(ctx, z, nil, t.Take(rows), Noise{}); err != nil {
		return nil, err
	}
	var best *Column
	most := 0.0
	for feature, c := range columns {
		if !c.Periodic {
			continue
		}
		if power := repeats(Waves(z, len(columns), weights, feature)); power > most {
			best, most = c, power
		}
	}
	for _, c := range columns {
		c.Periodic = c == best
	}
	return &periodic, nil
}

// Angle returns the feature that is linear in an angle, and whether there is one.
func (s *Spec) Angle() (feature int, ok bool) {
	feature = slices.IndexFunc(s.learnt(), func(c *Column) bool { return c.Periodic })
	return max(feature, 0), feature >= 0
}

// Independent returns the feature of the angle that is uniform whatever the others are, −1 where there is none.
func (s *Spec) Independent() int {
	return slices.IndexFunc(s.learnt(), func(c *Column) bool { return c.Independent })
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
