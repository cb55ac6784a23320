package find

import (
	"math"
	"math/rand/v2"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

// This file tells true relations from those that hold by chance, or because floating-point numbers
// are rounded. Nothing here depends on the units of the columns.

// evidence is what a relation must have, in nats, where each of so many columns may be one
// of so many branches: the chance that any of these relations holds by accident is below
// e^−9, 1 in 8000.
func evidence(columns, branches int) float64 {
	return 9 + float64(columns)*math.Log(float64(branches))
}

// spacing is the distance of neighbouring numbers of a kind at x, if their exponents had
// no ends.
func spacing(kind rootio.Kind, x float64) float64 {
	part, exponent := math.Frexp(x)
	if part == 0 {
		return 0
	}
	return math.Ldexp(column.ULP(kind, part), exponent)
}

// isMeant reports whether a relation gives the values y of all events, and the value of an event
// rather than those of other events. off(k, v) is how far the value v is from what the
// relation says of event k, in units of what rounding may do to it; columns is the number of
// columns, and free that of the parameters that were fitted.
//
// The values of other events are the test: where these are as near as the event's own in a
// part p of the cases, n events agree by accident with the probability pⁿ. So a relation
// says nothing of a column whose spread is below the rounding, nor does one that is the same
// for all events.
func (s *Search) isMeant(y []float64, columns, free int, off func(k int, v float64) float64) bool {
	worst := 0.0
	for k, v := range y {
		d := off(k, v)
		if !(d <= 1) {
			return false
		}
		worst = max(worst, d)
	}
	const draws = 4096
	r := rand.New(rand.NewPCG(1, 2))
	near := 1
	for range draws {
		if off(r.IntN(len(y)), y[r.IntN(len(y))]) <= worst {
			near++
		}
	}
	return -float64(len(y)-free)*math.Log(float64(near)/(draws+1)) >= evidence(columns, len(s.table.Fields()))
}

// isPrecise reports whether computed values are those of the file, y, to their own precision,
// in half of the events at least that are not zero, as many formulas of zeros are: in others
// the terms may cancel.
func isPrecise(kind rootio.Kind, y []float64, computed func(k int) float64) bool {
	exact, of := 0, 0
	for k, v := range y {
		if v == 0 {
			continue
		}
		of++
		if math.Abs(computed(k)-v) <= step.LostDigits(kind)*column.ULP(kind, v) {
			exact++
		}
	}
	return 2*exact >= of
}
