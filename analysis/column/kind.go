package column

import (
	"fmt"
	"slices"
)

// kinds is the table of the kinds of columns. Each is one file. What is seen in the values is the
// first of them that recognises these; what is asked for is that kind, if the values admit it.
var kinds = []Kind{Number, Constant, Codes, Integer, Count, Angle, Continuous}

// Kind is what the values of a column are. The zero value is none.
type Kind struct{ rules }

// rules are what makes columns of a kind what they are.
type rules interface {
	name() string

	// is reports whether values are of the kind, if they are of none that is before it in the table.
	is(d *Data) bool
	// refuse says why values cannot be taken for such a column if a user asks for it; "" if they
	// can.
	refuse(d *Data) string
	// find adds what is known of such a column only. It returns the sample of the variable that
	// open makes; nil where that needs no treatment.
	find(c *Column, d *Data) *Sample

	// open returns the continuous variable of the value x, with the uniform deviate u from [0, 1),
	// and the logarithm of the slope; −∞ where the value is impossible.
	open(c *Column, x, u float64) (y, logSlope float64)
	// close is the inverse of open. It returns legal values only.
	close(c *Column, y float64) float64

	IsLearnt() bool          // other columns have a value that is known beforehand
	IsUniform() bool         // whether the continuous variable is uniform in [0, 1), and so needs no treatment
	IsLimited() bool         // whether values far outside of the data may be impossible, so that none is drawn
	isNoisy(*Column) bool    // whether the deviate matters
	isSound(*Column) bool    // whether what was read from a file makes sense
	describe(*Column) string // how it is treated

	// In the condition of a density:

	// isCode reports whether a value between two others means nothing.
	isCode(*Column) bool
	// nearest returns the value next to v that the data have, or that is between those which they have.
	nearest(c *Column, v float64) float64
	// had says what the data have.
	had(*Column) string
	// width is the number of features.
	width(*Column) int
	// indicate stores features that are not that of the variable: ok is false if there are none.
	indicate(c *Column, v float64, z []float32) (ok bool)
}

// Kinds returns all kinds of columns.
func Kinds() []Kind { return slices.Clone(kinds) }

// Named returns the kind of a name.
func Named(name string) (k Kind, ok bool) {
	for _, k := range kinds {
		if k.name() == name {
			return k, true
		}
	}
	return Kind{}, false
}

// Asked returns the kind that a user asks for by a name, the zero value for "". What is no kind is a way to
// treat a continuous column.
func Asked(name string) Kind {
	k, ok := Named(name)
	if !ok && name != "" {
		return Continuous
	}
	return k
}

// Askable returns the names of the kinds that a user can ask for.
func Askable() (names []string) {
	for _, k := range kinds {
		if k.IsLearnt() {
			names = append(names, k.name())
		}
	}
	return names
}

// String returns the name of the kind.
func (k Kind) String() string {
	if k.rules == nil {
		return "unknown"
	}
	return k.name()
}

// MarshalText returns the name of the kind.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText sets the kind by its name.
func (k *Kind) UnmarshalText(name []byte) error {
	named, ok := Named(string(name))
	if !ok {
		return fmt.Errorf("column: there is no kind %q of columns", name)
	}
	*k = named
	return nil
}

// common has what most kinds have in common.
type common struct{}

func (common) refuse(*Data) string                                { return "" }
func (common) open(_ *Column, x, _ float64) (y, logSlope float64) { return x, 0 }
func (common) IsLearnt() bool                                     { return true }
func (common) IsUniform() bool                                    { return false }
func (common) IsLimited() bool                                    { return false }
func (common) isNoisy(*Column) bool                               { return false }
func (common) isSound(c *Column) bool                             { return c.Min <= c.Max }
func (common) isCode(*Column) bool                                { return false }
func (common) nearest(c *Column, v float64) float64               { return min(max(v, c.Min), c.Max) }
func (common) had(c *Column) string                               { return fmt.Sprintf("%.6g to %.6g", c.Min, c.Max) }
func (common) width(*Column) int                                  { return 1 }
func (common) indicate(*Column, float64, []float32) bool          { return false }

// unlearnt has what the kinds have in common that no density is learnt of: their value is known.
type unlearnt struct{ common }

func (unlearnt) find(*Column, *Data) *Sample { return nil }
func (unlearnt) IsLearnt() bool              { return false }
func (unlearnt) width(*Column) int           { return 0 }
