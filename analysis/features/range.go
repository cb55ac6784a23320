package features

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/find"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Range is where the values of a branch are that steps turn into other coordinates, such
// as a transverse momentum that becomes part of a system. Its own range is not that of
// any feature: a cut on it is a curved surface among these, which no smooth density
// keeps to.
type Range struct {
	Name   string  `json:"name"`
	Min    float64 `json:"min"` // in the data, or the hard edge beside it
	Max    float64 `json:"max"`
	Spread float64 `json:"spread"` // the standard deviation

	// HardMin and HardMax say that there is an edge: nothing is beyond.
	HardMin bool `json:"hard_min,omitempty"`
	HardMax bool `json:"hard_max,omitempty"`
}

// limits returns the range, wider by a margin, in units of the spread, on each side
// that is no edge, as numbers of a kind.
func (r *Range) limits(margin float64, kind rootio.Kind) (lo, hi float64) {
	lo, hi = r.Min, r.Max
	if !r.HardMin {
		lo -= margin * r.Spread
	}
	if !r.HardMax {
		hi += margin * r.Spread
	}
	if kind == rootio.Float32 {
		lo, hi = float64(float32(lo)), float64(float32(hi))
	}
	return lo, hi
}

func (r *Range) isSound() bool { return r.Min <= r.Max && r.Spread >= 0 && !math.IsInf(r.Spread, 0) }

// Outside returns the events of t, which has the columns of [Spec.Fields], with a branch
// that is outside its range by more than margin standard deviations, or by anything
// where the range ends at a hard edge, or with one that is not finite and cannot be missing. It is
// about branches that steps turn into other coordinates; [Spec.Limits] are those of the features.
func (s *Spec) Outside(t *rootio.Table, margin float64) (rows []int) {
	x, missing := make([]float64, t.Len()), s.missing()
	for _, c := range t.Columns {
		if !c.Kind.IsFloat() {
			continue
		}
		c.Floats(x, 0)
		for k := range x {
			if notFinite(x[k:k+1], missing[c.Name]) == 0 {
				rows = append(rows, k)
			}
		}
	}
	for i := range s.Ranges {
		c, _ := t.Column(s.Ranges[i].Name)
		c.Floats(x, 0)
		lo, hi := s.Ranges[i].limits(margin, c.Kind)
		for k, v := range x {
			if !(v >= lo && v <= hi) {
				rows = append(rows, k)
			}
		}
	}
	slices.Sort(rows)
	return slices.Compact(rows)
}

// Clip moves the branches of an event that are outside their ranges by more than the
// margin to its end.
func (s *Spec) Clip(t *rootio.Table, event int, margin float64) {
	x := make([]float64, 1)
	for i := range s.Ranges {
		c, _ := t.Column(s.Ranges[i].Name)
		c.Floats(x, event)
		lo, hi := s.Ranges[i].limits(margin, c.Kind)
		if v := x[0]; !(v >= lo && v <= hi) {
			if x[0] = min(max(v, lo), hi); v != v {
				x[0] = lo
			}
			c.SetFloats(event, x)
		}
	}
}

// rangesOf returns the ranges of the branches of t, with the weights w, that steps turn into
// other coordinates. Angles have none.
func rangesOf(t *rootio.Table, w []float64, found *find.Search) (ranges []Range) {
	for _, s := range found.Steps {
		_, taken, made := s.Variables()
		if len(made) == 0 {
			continue
		}
		for _, name := range taken {
			c, ok := t.Column(name)
			if !ok || found.IsAngle(name) || slices.ContainsFunc(made, func(c step.Coordinate) bool { return c.Name == name }) {
				continue
			}
			x := c.Float64s()
			s := column.NewSample(x, w)
			r := Range{Name: name, Min: s.Values[0], Max: s.Values[len(s.Values)-1], Spread: stat.StdDev(x, nil)}
			r.HardMin, r.HardMax = r.Min == 0, r.Max == 0
			if w, ok := s.Edge(r.Min, false); ok && !r.HardMin {
				r.Min, r.HardMin = w.At, true
			}
			if w, ok := s.Edge(r.Max, true); ok && !r.HardMax {
				r.Max, r.HardMax = w.At, true
			}
			ranges = append(ranges, r)
		}
	}
	return ranges
}
