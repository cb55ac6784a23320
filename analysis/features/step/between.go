package step

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Bounds are the edges between which a positive variable lies in every event: numbers, or other
// variables of the event. What is not there is nil or "".
type Bounds struct {
	Low   *float64 `json:"low,omitempty"`
	High  *float64 `json:"high,omitempty"`
	Above string   `json:"above,omitempty"` // the variable is never below this one
	Below string   `json:"below,omitempty"` // nor above this one
}

// variables returns those that the bounds read.
func (b *Bounds) variables() []string {
	return slices.DeleteFunc([]string{b.Above, b.Below}, func(name string) bool { return name == "" })
}

func (b *Bounds) isSound() bool {
	isNumber := func(x *float64) bool { return x == nil || *x >= 0 && !math.IsInf(*x, 0) }
	return isNumber(b.Low) && isNumber(b.High) && (b.Low == nil || b.High == nil || *b.Low < *b.High)
}

// at returns the edges in event k: 0 and +∞ where there is none. above and below are the values of the variables of these names, nil
// where there is no such name.
func (b *Bounds) at(k int, above, below []float64) (lo, hi float64) {
	lo, hi = 0, math.Inf(1)
	if b.Low != nil {
		lo = *b.Low
	}
	if b.High != nil {
		hi = *b.High
	}
	if above != nil {
		lo = max(lo, above[k])
	}
	if below != nil {
		hi = min(hi, below[k])
	}
	return lo, hi
}

// bend maps u, between the edges lo and hi of an event, to the whole line,
//
//	y = u + s log(1 − exp(−(u − lo)/s)) − s log(1 − exp(−(hi − u)/s)),
//
// s the softness. Far from both edges in units of s it is u itself, so that a peak stays where it is whatever
// the edges are; near to one it is the logarithm of the distance. An edge may be infinite. The
// inverse is, with L(a, b) = s log(exp(a/s) + exp(b/s)),
//
//	u = hi + L(y, lo) − L(y, hi),
//
// or L(y, lo) with no upper edge. From a millionth of s before an edge on, and beyond it, y goes on as the
// logarithm of the distance from there: what is beyond is far out, and possible.
type bend struct{ lo, hi, s float64 }

// bendBetween returns the bend between the edges of an event. Edges with nothing between them cannot both be kept: the
// lower one is.
func bendBetween(lo, hi, softness float64) bend {
	if !(hi-lo > leastRoom) {
		hi = math.Inf(1)
	}
	return bend{lo, hi, softness}
}

// leastRoom is the distance of edges, in the units of a logarithm, from which on there is something between them: a
// millionth of it, as in [bend.sure], must be seen in the logarithm of any momentum.
const leastRoom = 1e-7

// sure returns where u is not too near to an edge.
func (b bend) sure() (from, to float64) {
	const millionth = 1e-6
	near := millionth * min(b.s, b.hi-b.lo)
	return b.lo + near, b.hi - near
}

// inside returns y, and its derivative, of what is not too near to an edge.
func (b bend) inside(u float64) (y, slope float64) {
	y, slope = u, 1
	if !math.IsInf(b.lo, 0) {
		e := math.Expm1((u - b.lo) / b.s) // log(1 − exp(−x)) = log(e/(1+e))
		y -= b.s * math.Log1p(1/e)
		slope += 1 / e
	}
	if !math.IsInf(b.hi, 0) {
		e := math.Expm1((b.hi - u) / b.s)
		y += b.s * math.Log1p(1/e)
		slope += 1 / e
	}
	return y, slope
}

// forward returns y and the logarithm of its derivative.
func (b bend) forward(u float64) (y, logSlope float64) {
	from, to := b.sure()
	at := min(max(u, from), to)
	y, slope := b.inside(at)
	logSlope = math.Log(slope)
	if at == u {
		return y, logSlope
	}
	tail := math.Log1p(min(math.Abs(u-at)*slope/b.s, math.MaxFloat64))
	return y + math.Copysign(b.s*tail, u-at), logSlope - tail
}

// inverse undoes forward.
func (b bend) inverse(y float64) float64 {
	from, to := b.sure()
	if !math.IsInf(from, 0) {
		if first, slope := b.inside(from); y < first {
			return from - b.s/slope*math.Expm1((first-y)/b.s)
		}
	}
	if !math.IsInf(to, 0) {
		if last, slope := b.inside(to); y > last {
			return to + b.s/slope*math.Expm1((y-last)/b.s)
		}
	}
	switch {
	case math.IsInf(b.lo, 0) && math.IsInf(b.hi, 0):
		return y
	case math.IsInf(b.hi, 0):
		return b.sum(y, b.lo)
	case math.IsInf(b.lo, 0):
		return y + b.hi - b.sum(y, b.hi)
	}
	return b.hi + b.sum(y, b.lo) - b.sum(y, b.hi)
}

// sum is s log(exp(x/s) + exp(y/s)).
func (b bend) sum(x, y float64) float64 {
	return max(x, y) + b.s*math.Log1p(math.Exp(-math.Abs(x-y)/b.s))
}

// Between measures a positive number x that lies between edges, some of which depend on the event, by the [bend] of
// its logarithm between those: the transverse momentum of the second jet, above a threshold and never above
// that of the first. So both are kept in every event that is drawn.
type Between struct {
	Variable string  `json:"variable"`
	Softness float64 `json:"softness"`
	Bounds
}

// name of the coordinate.
func (s *Between) name() string { return "log " + s.Variable + " between its edges" }

func (s *Between) Variables() (read, taken []string, made []Coordinate) {
	return s.variables(), []string{s.Variable}, []Coordinate{{Name: s.name()}}
}

func (s *Between) IsSound() bool {
	return s.isSound() && s.Softness > 0 && !math.IsInf(s.Softness, 0) && s.Variable != s.Below && s.Variable != s.Above
}

// bend returns that of event k.
func (s *Between) bend(k int, above, below []float64) bend {
	lo, hi := s.at(k, above, below)
	return bendBetween(math.Log(lo), math.Log(max(hi, least)), s.Softness)
}

func (s *Between) Forward(f *Frame, logDet []float64, _ func([]float64)) {
	above, below := s.values(f)
	for k := range logDet {
		x := max(f.At(s.Variable)[k], least)
		_, logSlope := s.bend(k, above, below).forward(math.Log(x))
		logDet[k] += logSlope - math.Log(x)
	}
	f.replace(s.Variable, s.name(), func(k int, x float64) float64 {
		y, _ := s.bend(k, above, below).forward(math.Log(max(x, least)))
		return y
	})
}

func (s *Between) Inverse(f *Frame) {
	above, below := s.values(f)
	f.replace(s.name(), s.Variable, func(k int, y float64) float64 { return math.Exp(s.bend(k, above, below).inverse(y)) })
}

// values returns those of the variables that bound, nil where there is none.
func (b *Bounds) values(f *Frame) (above, below []float64) {
	if b.Above != "" {
		above = f.At(b.Above)
	}
	if b.Below != "" {
		below = f.At(b.Below)
	}
	return above, below
}

func (s *Between) Describe() string { return "by its logarithm " + s.String() }

// String says between what, such as “above 3 and below pt1”; nothing where there are no edges.
func (b *Bounds) String() string {
	list := func(word, variable string, number *float64) string {
		var parts []string
		if number != nil {
			parts = append(parts, strconv.FormatFloat(*number, 'g', 6, 64))
		}
		if variable != "" {
			parts = append(parts, variable)
		}
		if len(parts) == 0 {
			return ""
		}
		return word + " " + strings.Join(parts, " and ")
	}
	edges := []string{list("above", b.Above, b.Low), list("below", b.Below, b.High)}
	return strings.Join(slices.DeleteFunc(edges, func(edge string) bool { return edge == "" }), ", ")
}
