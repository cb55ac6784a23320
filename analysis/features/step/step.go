// Package step has the steps between the branches of a file and the coordinates that
// are learnt. A step is an exact map of some variables to others, with its log|det|, that
// can be undone:
//
//   - [Sum], [Lookup], [Direction]: a branch that follows from others is left out. The way
//     back computes it: copies, sums, multiples, E² = p² + m², φ and η of a momentum,
//     functions of codes.
//   - [Formula]: a branch that a formula of physics gives from others, within the rounding, is computed.
//   - [Missing]: a value that a branch has exactly where another one says so, such as −999, is taken out.
//   - [Polar]: the components of a momentum become pT, φ and η.
//   - [Mass]: the mass of several vectors takes the place of the last one's transverse momentum.
//   - [System]: several momenta become the mass, momentum and decay angles of their sum.
//   - [Rounded]: a rounded value becomes continuous, by a uniform deviate within all that is
//     rounded to it. The way back rounds, to the same floating-point number.
//   - [Residual]: a column that a relation between momenta nearly gives, such as p beside pT
//     and η, is measured from what the relation says.
//   - [Harmonic]: a number is measured from its first harmonic in an angle, as impact parameters are.
//   - [RelativeAngle], [RelativeNumber]: an angle or a number is measured from another one.
//   - [Difference]: a number that equals another one in many events is measured from it.
//   - [Intervals]: a code that nearly follows from a number becomes how usual it is there.
//   - [Fraction]: a number that is never above another one is measured as a fraction of it.
//   - [Between]: a number between edges that depend on the event is measured from these.
//   - [Recoil]: a transverse momentum is measured from the recoil of others.
//   - [Rotated]: transverse components are measured along and across an azimuth.
//
// A kind of step is one file and one row of the table kinds, with an example in the test.
package step

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// kinds are the kinds of steps, by the names that they have in model files.
var kinds = []struct {
	name string
	make func() Step
}{
	{"sum", func() Step { return &Sum{} }},
	{"lookup", func() Step { return &Lookup{} }},
	{"difference", func() Step { return &Difference{} }},
	{"intervals", func() Step { return &Intervals{} }},
	{"direction", func() Step { return &Direction{} }},
	{"polar", func() Step { return &Polar{} }},
	{"system", func() Step { return &System{} }},
	{"mass", func() Step { return &Mass{} }},
	{"rounded", func() Step { return &Rounded{} }},
	{"residual", func() Step { return &Residual{} }},
	{"harmonic", func() Step { return &Harmonic{} }},
	{"relative_angle", func() Step { return &RelativeAngle{} }},
	{"relative_number", func() Step { return &RelativeNumber{} }},
	{"fraction", func() Step { return &Fraction{} }},
	{"formula", func() Step { return &Formula{} }},
	{"missing", func() Step { return &Missing{} }},
	{"between", func() Step { return &Between{} }},
	{"recoil", func() Step { return &Recoil{} }},
	{"rotated", func() Step { return &Rotated{} }},
}

// Step is an exact map of some variables to others.
type Step interface {
	// Variables returns the names of those that are read and stay, and of those that are
	// taken, and what is made in their place. A step may make a variable that it takes.
	Variables() (read, taken []string, made []Coordinate)
	// Forward replaces the variables of a frame and adds log|∂made/∂taken| to logDet
	// unless that is nil: −Inf where an event is impossible. uniform fills a slice with
	// deviates; a step that may need them has a method IsNoisy() bool.
	Forward(f *Frame, logDet []float64, uniform func([]float64))
	// Inverse undoes Forward.
	Inverse(f *Frame)
	// IsSound reports whether a step that was read from a file makes sense. Nothing else
	// may be asked of one that does not.
	IsSound() bool
	// Describe says what becomes of the variables that are taken.
	Describe() string
}

// Coordinate is a variable that a step makes.
type Coordinate struct {
	Name   string
	Legal  *[2]float64    // where its values can be; nil: anywhere
	Circle *column.Circle // its range, if it is an angle; nil: it is none
}

// Steps are done one after the other, and undone in the opposite order.
type Steps []Step

// Forward does the steps. uniform fills a slice with deviates for the step of a number.
func (s Steps) Forward(f *Frame, logDet []float64, uniform func(step int, u []float64)) {
	for i, step := range s {
		step.Forward(f, logDet, func(u []float64) { uniform(i, u) })
	}
}

// Inverse undoes the steps.
func (s Steps) Inverse(f *Frame) {
	for _, step := range slices.Backward(s) {
		step.Inverse(f)
	}
}

// Noisy tells which of the variables that the steps make depend on deviates.
func (s Steps) Noisy() map[string]bool {
	noisy := map[string]bool{}
	for _, step := range s {
		read, taken, made := step.Variables()
		of, ok := step.(interface{ IsNoisy() bool })
		is := ok && of.IsNoisy() || slices.ContainsFunc(slices.Concat(read, taken), func(name string) bool { return noisy[name] })
		for _, c := range made {
			noisy[c.Name] = is
		}
	}
	return noisy
}

// Check reports whether steps that were read from a file are sound, and replaces the
// variables that there are before them by those after them. Those that are given stay.
func (s Steps) Check(there Names, given []string) error {
	for _, step := range s {
		if step == nil || !step.IsSound() {
			return errors.New("features: the specification of a step is damaged")
		}
		read, taken, made := step.Variables()
		for _, name := range read {
			if !there[name] || slices.Contains(taken, name) {
				return fmt.Errorf("features: the step that takes %q reads %q, which is not there", taken, name)
			}
		}
		for _, name := range taken {
			if slices.Contains(given, name) || !there.Remove(name) {
				return fmt.Errorf("features: a step takes %q, which is not there", name)
			}
		}
		for _, c := range made {
			// A step of one variable may put another in its place, under its name.
			if !there.Add(c.Name) || len(taken) > 1 && slices.Contains(taken, c.Name) {
				return fmt.Errorf("features: a step makes %q, which is there already", c.Name)
			}
		}
	}
	return nil
}

// MarshalJSON writes each step as an object with one member: its kind.
func (s Steps) MarshalJSON() ([]byte, error) {
	list := make([]map[string]Step, len(s))
	for i, step := range s {
		list[i] = map[string]Step{KindOf(step): step}
	}
	return json.Marshal(list)
}

// KindOf returns the name of the kind of a step.
func KindOf(s Step) string {
	for _, kind := range kinds {
		if reflect.TypeOf(kind.make()) == reflect.TypeOf(s) {
			return kind.name
		}
	}
	panic(fmt.Sprintf("step: %T has no row in the table of kinds", s))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Steps) UnmarshalJSON(text []byte) error {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	*s = make(Steps, len(list))
	for i, object := range list {
		for _, kind := range kinds {
			if text, ok := object[kind.name]; ok && len(object) == 1 {
				(*s)[i] = kind.make()
				if err := json.Unmarshal(text, (*s)[i]); err != nil {
					return err
				}
			}
		}
		if (*s)[i] == nil {
			return fmt.Errorf("features: there is a step that this program does not know: %q", slices.Sorted(maps.Keys(object)))
		}
	}
	return nil
}

// Names are the names of the variables that there are.
type Names map[string]bool

// Add adds a variable, and reports false if there is one of that name, or none can have it.
func (v Names) Add(name string) bool {
	if v[name] || name == Scratch || name == Scratch2 {
		return false
	}
	v[name] = true
	return true
}

// Remove removes a variable, and reports false if there is none of that name.
func (v Names) Remove(name string) bool {
	there := v[name]
	delete(v, name)
	return there
}
