package column

import "github.com/eidolon-hep/eidolon/rootio"

// Kind says what the values of a column are.
type Kind string

// The kinds of columns.
const (
	Constant   Kind = "constant"
	Codes      Kind = "codes"
	Integer    Kind = "integer"
	Continuous Kind = "continuous"
	Angle      Kind = "angle"
	Number     Kind = "number" // of an event, a run or a part of it
)

// KindOf returns the kind of the values of a sample. asked is the kind that was asked for, "" if
// none was; what is no kind asks for a continuous column.
func (s *Sample) KindOf(field rootio.Field, asked string) Kind {
	distinct := len(s.Values)
	switch {
	case distinct == 0, distinct == 1 && s.Missing == 0:
		return Constant
	case asked == string(Codes):
		return Codes
	case asked == string(Integer):
		return Integer
	case asked != "":
		return Continuous
	case AreFew(distinct, s.N, field.Kind.IsFloat()):
		return Codes
	case distinct <= MaxUneven && s.isUneven(field):
		return Codes
	case field.Kind.IsInteger():
		return Integer
	}
	return Continuous
}

// isUneven reports whether many events share few values that are not simply
// equidistant or of few bits, not counting spikes: a smooth density would miss them.
func (s *Sample) isUneven(field rootio.Field) bool {
	_, s = s.WithoutSpikes()
	if len(s.Values)*eventsPerFloatCode > s.N {
		return false
	}
	if d := findDecimals(field, s.Values); d != nil && d.filled(s) >= filledEnough {
		return false
	}
	b := findBits(field, s.Values)
	return b == nil || b.filled(s) < filledEnough
}
