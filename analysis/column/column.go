// Package column finds the facts about the values of a branch: what kind of column it is (codes,
// whole numbers, an angle, …), which values many events share, where the values end, and what
// they are rounded to. Package features decides from these facts how a column is turned into a
// feature, package compare what bins it is drawn in, and eidolon info prints them.
//
// A kind of column is one file and one row of a table, see kind.go.
package column

import (
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Column holds what is known of the values of a branch, or of a variable that was made of
// branches.
type Column struct {
	rootio.Field
	As Kind `json:"as"`

	// Min and Max are the least and the greatest value in the data.
	Min float64 `json:"min"`
	Max float64 `json:"max"`

	// Codes are the distinct values, ascending, and Cumulative the proportion
	// of events with a value up to that of each.
	Codes      []float64 `json:"codes,omitempty"`
	Cumulative []float64 `json:"cumulative,omitempty"`

	// Low and High are the hard edges; nil where there is none. Floor is the distance
	// from Low within which about one event is, and so little is known; Roof is that from High.
	Low   *float64 `json:"low,omitempty"`
	High  *float64 `json:"high,omitempty"`
	Floor float64  `json:"floor,omitempty"`
	Roof  float64  `json:"roof,omitempty"`

	// First and Step say how new events are numbered: the one drawn as number i by
	// First + i·Step.
	First float64 `json:"first,omitempty"`
	Step  float64 `json:"step,omitempty"`

	// Circle is the range of an angle.
	Circle *Circle `json:"circle,omitempty"`

	// Spikes are the values that many events share, ascending, and Missing is the
	// proportion of events without a value, NaN. All that is above is about the
	// other events.
	Spikes  []Spike `json:"spikes,omitempty"`
	Missing float64 `json:"missing,omitempty"`
}

// Data are the values that the facts about a column are found from.
type Data struct {
	rootio.Field
	Values  []float64   // of the events, NaN where one is missing
	Weights []float64   // of the events, nil for 1 each
	Sample  *Sample     // the same, sorted; not needed where Circle is known
	Circle  *Circle     // the range of an angle, nil if it is none
	Within  *[2]float64 // where values that are no spikes may lie; nil: as they do
}

// DataOf returns the values x of a branch, with the weights w, nil for 1 each.
func DataOf(field rootio.Field, x, w []float64) Data {
	d := Data{Field: field, Values: x, Weights: w, Sample: NewSample(x, w)}
	if c, ok := CircleOf(field, x, w); ok {
		d.Circle = &c
	}
	return d
}

// Find returns the facts about a column. asked is the kind that a user says it is of, the zero value if
// it is to be seen. Find returns, too, the sample of the continuous variable that [Column.Open] makes,
// without spikes and with weights that are not negative; nil for a column that needs no
// treatment.
func Find(d Data, asked Kind) (c Column, variable *Sample) {
	c = Column{Field: d.Field, As: d.kind(asked)}
	switch s := d.Sample; {
	case s == nil:
		c.Min, c.Max = slices.Min(d.Values), slices.Max(d.Values)
	case len(s.Values) > 0:
		c.Min, c.Max = s.Values[0], s.Values[len(s.Values)-1]
	}
	if s := d.Sample; s != nil && s.Missing > 0 {
		c.Missing = s.Missing / (s.Missing + s.Total)
	}
	return c, c.As.find(&c, &d)
}

// kind returns the kind of the values.
func (d *Data) kind(asked Kind) Kind {
	switch {
	case d.Circle != nil:
		return Angle
	case Constant.is(d):
		return Constant // whatever was asked for
	case asked != Kind{}:
		return asked
	}
	return kinds[slices.IndexFunc(kinds, func(k Kind) bool { return k.is(d) })]
}

// Refuse says why values cannot be taken for a column of the kind that was asked for; "" if they
// can. Of an angle it stores the circle.
func (d *Data) Refuse(asked Kind) string {
	if Constant.is(d) {
		return ""
	}
	return asked.refuse(d)
}

// IsContinuous reports whether the values of a sample are many that may lie anywhere, be it on a
// circle. asked is what the branch is asked to be treated as, "" for nothing.
func (s *Sample) IsContinuous(field rootio.Field, asked string) bool {
	d := Data{Field: field, Sample: s}
	kind := d.kind(Asked(asked))
	return kind == Continuous || kind == Angle
}

// IsSmooth reports whether a sample is continuous, without missing values and without spikes.
func (s *Sample) IsSmooth(field rootio.Field) bool {
	if s.Missing > 0 || !s.IsContinuous(field, "") {
		return false
	}
	spikes, _ := s.WithoutSpikes()
	return len(spikes) == 0
}

// findSpikes adds the spikes to the facts, and returns the sample of the other values.
func (c *Column) findSpikes(d *Data) (rest *Sample) {
	c.Spikes, rest = d.Sample.WithoutSpikes()
	return rest.Monotone()
}

// IsNoisy reports whether the deviate in [Column.Open] matters, or is needed for spikes.
func (c *Column) IsNoisy() bool {
	return c.As.IsLearnt() && (c.As.isNoisy(c) || len(c.Spikes) > 0 || c.Missing > 0)
}

// Open returns the continuous variable of the value x, with the uniform deviate u from [0, 1), and the
// logarithm of the slope, −∞ where the value is impossible: an unknown code, or not the constant. For
// whole numbers it is x + u, with a cell of width 1 for each.
func (c *Column) Open(x, u float64) (y, logSlope float64) { return c.As.open(c, x, u) }

// Close is the inverse of Open. It returns legal values only.
func (c *Column) Close(y float64) float64 { return c.As.close(c, y) }

// Value returns the value of a column that is not learnt, the first where events are numbered.
func (c *Column) Value() float64 { return c.As.close(c, 0) }

// Rest is the proportion of events that are in no spike and not missing.
func (c *Column) Rest() float64 {
	rest := 1 - c.Missing
	for _, s := range c.Spikes {
		rest -= s.Fraction
	}
	return rest
}

// IsSpike reports whether a value is one that many events share.
func (c *Column) IsSpike(x float64) bool {
	return slices.ContainsFunc(c.Spikes, func(s Spike) bool { return s.IsAt(x) })
}

// Describe says in words how the values become continuous, and back.
func (c *Column) Describe() string { return c.As.describe(c) }

// IsCode reports whether a value between two others means nothing.
func (c *Column) IsCode() bool { return c.As.isCode(c) }

// Nearest returns the value next to v that the data have, or that is between those which they
// have. There is none for NaN, which comes back.
func (c *Column) Nearest(v float64) float64 {
	if v != v {
		return v
	}
	return c.As.nearest(c, v)
}

// Had says what the data have.
func (c *Column) Had() string { return c.As.had(c) }

// ConditionDim is the number of features that the column makes in the condition of a density: one for each
// of a few codes, the cosine and the sine of an angle, one for others, none for constants.
func (c *Column) ConditionDim() int { return c.As.width(c) }

// Indicate stores these features of the value v, z being zero before. It reports false, and
// stores nothing, where the feature is that of the treated variable.
func (c *Column) Indicate(v float64, z []float32) bool { return c.As.indicate(c, v, z) }

// IsSound reports whether facts that were read from a file make sense.
func (c *Column) IsSound() bool {
	if c.Kind == 0 || c.As == (Kind{}) {
		return false
	}
	for i, s := range c.Spikes {
		if !(s.Fraction > 0) || i > 0 && !(s.Value > c.Spikes[i-1].Value) {
			return false
		}
	}
	rest := c.Rest()
	return c.Missing >= 0 && rest <= 1 && (rest > 0 || !c.As.IsLearnt()) &&
		c.Floor >= 0 && c.Roof >= 0 && (c.Low == nil || c.High == nil || *c.Low < *c.High) && c.As.isSound(c)
}

// Unusable says why the values of a column cannot be learnt; "" when they can.
func Unusable(field rootio.Field, x []float64, missing bool) string {
	bad, first := 0, 0
	lo, hi := math.Inf(1), math.Inf(-1)
	for k, v := range x {
		isNaN := math.IsNaN(v)
		if !isNaN {
			lo, hi = min(lo, v), max(hi, v)
		}
		if isNaN && !missing || math.IsInf(v, 0) {
			if bad == 0 {
				first = k
			}
			bad++
		}
	}
	switch {
	case bad > 0:
		return fmt.Sprintf("is not finite in %d of %d events, first in entry %d (%v)", bad, len(x), first, x[first])
	case field.Kind.IsInteger() && (lo < -maxExact || hi > maxExact):
		return fmt.Sprintf("has values beyond ±2⁵³ (%g to %g), which cannot be kept exactly", lo, hi)
	}
	return ""
}
