// Package column finds the facts about the values of a branch: what kind of column it is (codes,
// whole numbers, an angle, …), which values many events share, where the values end, and what
// they are rounded to. Package features decides from these facts how a column is turned into a
// feature, package compare what bins it is drawn in.
package column

import (
	"fmt"
	"math"

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
