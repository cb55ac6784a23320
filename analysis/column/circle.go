package column

import (
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/floats"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Circle is the range of an angle: [Start, Start+Period).
type Circle struct {
	Start  float64 `json:"start"`
	Period float64 `json:"period"`
}

// Wrap returns the angle in the range that begins at start.
func (c Circle) Wrap(x, start float64) float64 {
	if far := 1e9 * c.Period; math.Abs(x) > far { // the product below would be rounded
		x = math.Mod(x, c.Period)
	}
	x -= c.Period * math.Floor((x-start)/c.Period)
	if x >= start+c.Period { // rounded up
		return start
	}
	return x
}

// IsSound reports whether a circle that was read from a file makes sense.
func (c Circle) IsSound() bool { return c.Period > 0 && !math.IsInf(c.Period, 0) }

// circles are the ranges that angles have.
var circles = [...]Circle{{-math.Pi, 2 * math.Pi}, {0, 2 * math.Pi}, {-180, 360}, {0, 360}}

// PartsOfCircle is the number of parts of a circle in which angles are counted.
const PartsOfCircle = 64

// count counts the values, with their weights, in equal parts of the circle.
func (c Circle) count(x, w []float64) (parts [PartsOfCircle]float64) {
	for k, v := range x {
		weight := 1.0
		if w != nil {
			weight = max(w[k], 0)
		}
		i := int(PartsOfCircle * (c.Wrap(v, c.Start) - c.Start) / c.Period)
		parts[min(i, PartsOfCircle-1)] += weight
	}
	return parts
}

// Cut returns where few events are, to open the circle there: the start of the range
// if hardly more are there than elsewhere.
func (c Circle) Cut(x, w []float64) float64 {
	parts := c.count(x, w)
	total := 0.0
	for _, p := range parts {
		total += p
	}
	beside := func(i int) float64 { return parts[i] + parts[(i+PartsOfCircle-1)%PartsOfCircle] }
	best := 0
	for i := range parts {
		if beside(i) < beside(best) {
			best = i
		}
	}
	if beside(0) < beside(best)+0.5*2*total/PartsOfCircle {
		best = 0
	}
	return c.Start + c.Period*float64(best)/PartsOfCircle
}

// Entropy returns the entropy of the angles, in nats, up to a constant.
func (c Circle) Entropy(x, w []float64) float64 {
	h, total := 0.0, 0.0
	for _, p := range c.count(x, w) {
		if p > 0 {
			h -= p * math.Log(p)
			total += p
		}
	}
	return h/total + math.Log(total)
}

// CircleOf returns the range that the values x fill, with the weights w, if they are an azimuth's: it
// has hard edges, as near to both of its ends as they must be, or, where the name says that it is
// an azimuth, it leaves a twentieth of it empty at most.
func CircleOf(field rootio.Field, x, w []float64) (c Circle, ok bool) {
	span := floats.Max(x) - floats.Min(x)
	isWide := func(c Circle) bool { return span > 0.9*c.Period && span < 1.1*c.Period }
	if !field.Kind.IsFloat() || !slices.ContainsFunc(circles[:], isWide) {
		return c, false
	}
	s := NewSample(x, w)
	if !s.IsSmooth(field) {
		return c, false
	}
	first, last := s.Values[0], s.Values[len(s.Values)-1]
	step := 0.0 // what the values are rounded to
	if d := findDecimals(field, s.Values); d != nil {
		step = d.Unit()
	} else if b := findBits(field, s.Values); b != nil {
		lo, hi := b.Cell(last)
		step = hi - lo
	}
	k := edgeEvents(s.N)
	_, low := s.endsHard(k, false)
	_, high := s.endsHard(k, true)
	name := strings.ToLower(field.Name)
	isNamed := strings.Contains(name, "phi") || strings.Contains(name, "azim")
	for _, c := range circles {
		beyond := step + 4*ULP(rootio.Float32, c.Period)
		if first < c.Start-beyond || last > c.Start+c.Period+beyond {
			continue
		}
		gap := c.Period - (last - first)
		if low && high && gap <= reach*c.Period/float64(s.N)+2*step || isNamed && gap <= c.Period/20 {
			return c, true
		}
	}
	return c, false
}
