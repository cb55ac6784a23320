package features

import (
	"math"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// Counted is the feature of a column of counts, for models that give every count its own probability
// instead of a smooth density. It turns the feature into the count, and back.
type Counted struct {
	// Feature is its place among the features.
	Feature int
	// Least is the least count; there is no largest but that of the branch's type.
	Least float64

	column *Column
}

// Counted lists the features of columns of counts that have no missing values.
func (s *Spec) Counted() []Counted {
	var list []Counted
	feature := 0
	for i := range s.Columns {
		c := &s.Columns[i]
		if c.As == column.Count && len(c.cells()) == 0 {
			list = append(list, Counted{feature, c.Min, c})
		}
		if c.IsLearnt() {
			feature++
		}
	}
	return list
}

// Split returns the count of a feature. The density of the feature is P(count) exp(logDet), since
// the deviate of the count is uniform.
func (d *Counted) Split(z float32) (count, logDet float64) {
	c := d.column
	y := max(c.fromLine(c.Normal.Inverse(push(float64(z)))*c.Std+c.Mean), d.Least)
	count = c.Close(y)
	_, slope := c.encodeRest(count, y-count)
	return count, -slope
}

// Join returns the feature in the middle of the cell of a count.
func (d *Counted) Join(count float64) float32 {
	z, _ := d.column.encodeRest(max(math.Floor(count), d.Least), 0.5)
	return float32(z)
}
