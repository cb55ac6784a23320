// Package find looks at a sample for the steps that turn its columns into better
// coordinates. Each pass of the table below proposes steps of one kind. A pass is one file and
// one row of the table, with a test with data in which it must act and one in which it must not.
package find

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/analysis/vectors"
	"github.com/eidolon-hep/eidolon/rootio"
)

// passes are done in this order, each on the variables that those before it have not taken.
var passes = []pass{
	{name: "masses", what: "masses that follow from energies and momenta", do: (*Search).findMasses},
	{name: "directions", what: "directions of momenta", do: (*Search).findDirections},
	{name: "sums", what: "sums", do: (*Search).findAllSums},
	{name: "formulas", what: "columns that follow from others by formulas", do: (*Search).findFormulas},
	{name: "lookups", what: "codes that follow from others", do: (*Search).findLookups},
	{name: "equalities", what: "numbers that equal others in many events", do: (*Search).findEqualities},
	{name: "intervals", what: "codes that follow from the interval that a number is in", do: (*Search).findIntervals},
	{name: "systems", do: (*Search).addSystems},
	{name: "polar", do: (*Search).findPolar},
	{name: "fractions", asked: "below", do: (*Search).findFractions},
	{name: "residuals", what: "momenta that others nearly give", do: (*Search).findResiduals},
	{name: "harmonics", what: "numbers that are near to a harmonic in an angle", do: (*Search).findHarmonics},
	{name: "choices", do: (*Search).makeChoices},
	{name: "missing", what: "values that columns have where others say so", do: (*Search).findMissing},
	{name: "rotation", do: (*Search).makeRotation},
	{name: "relative numbers", what: "numbers that are close to others", do: (*Search).findRelativeNumbers},
	{name: "relative angles", what: "angles that are close to others", do: (*Search).findRelativeAngles},
}

// pass looks at a sample for steps, and applies them.
type pass struct {
	name string
	what string // it looks for, where it may be left out when there is no time: else ""
	do   func(*Search)

	// asked, if it is not "", says that the pass acts only on branches that are asked to be
	// treated as asked:BRANCH, see [Search.asked].
	asked string
}

// Requests returns what branches can be asked to be treated as, each as word:BRANCH.
func Requests() (forms []string) {
	for _, p := range passes {
		if p.asked != "" {
			forms = append(forms, p.asked+":BRANCH")
		}
	}
	return forms
}

// IsRequest reports whether a pass can be asked to treat a branch so.
func IsRequest(as string) bool {
	word, branch, _ := strings.Cut(as, ":")
	return branch != "" && slices.Contains(Requests(), word+":BRANCH")
}

// Options say what is known about the columns.
type Options struct {
	Systems []*step.System           // that are declared
	As      map[string]string        // how branches are asked to be treated
	Circles map[string]column.Circle // of the branches that are asked to be treated as angles
	Vectors vectors.Found            // the momenta among the columns

	Choices []Choice // of coordinates for these

	NoFormulas bool            // columns are not computed from others by formulas
	Computed   []*step.Formula // those that are, if it is not nil: they were found before

	// Uniform fills a slice with the deviates of a step that makes a variable, for the values of rounded ones.
	Uniform func(variable string, u []float64)

	// Until, where it is not zero, is when looking for steps ends.
	Until time.Time
}

// Steps looks for steps between the columns of t, and between these and those of the condition,
// given. w are the weights of the events, nil for 1 each. The error is about declared systems,
// or that of ctx when it is cancelled.
func Steps(ctx context.Context, t, given *rootio.Table, w []float64, opts Options) (*Search, error) {
	s := newSearch(ctx, t, given, w, opts)
	for _, p := range passes {
		if err := s.run(p); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// run makes a pass. Of the time that there is, it gets two thirds of what remains, if it may be
// left out.
func (s *Search) run(p pass) error {
	s.until, s.cut = time.Time{}, ""
	if p.what != "" && !s.options.Until.IsZero() {
		now := time.Now()
		s.until = now.Add(s.options.Until.Sub(now) * 2 / 3)
	}
	p.do(s)
	for _, name := range s.Names() { // the next pass needs others
		s.forget(name)
	}
	if s.cut != "" {
		s.Cut = append(s.Cut, p.what+" ("+s.cut+")")
	}
	s.until = time.Time{}
	return cmp.Or(s.ctx.Err(), s.err)
}
