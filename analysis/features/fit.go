package features

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/find"
	"github.com/eidolon-hep/eidolon/analysis/vectors"
	"github.com/eidolon-hep/eidolon/internal/nearest"
	"github.com/eidolon-hep/eidolon/rootio"
)

// ErrUnusable says that there are columns that cannot be learnt as they are.
var ErrUnusable = errors.New("features: leave branches out or remove events")

// Fit returns the specification of the columns of t, chosen by looking at the
// data, and the options. w are the weights of the events, of either sign, nil for 1 each. An error says which
// branch cannot be used and why. When ctx is cancelled it is the error of ctx.
func Fit(ctx context.Context, t *rootio.Table, w []float64, opts Options) (*Spec, error) {
	return FitGiven(ctx, t, &rootio.Table{}, w, opts)
}

// FitGiven is like [Fit] for columns whose density is to be conditional on others, those
// of given: a column that is close to one of these is measured from it.
func FitGiven(ctx context.Context, t, given *rootio.Table, w []float64, opts Options) (*Spec, error) {
	if err := opts.Check(); err != nil {
		return nil, fmt.Errorf("features: %w", err)
	}
	systems, err := opts.systems()
	if err != nil {
		return nil, fmt.Errorf("features: %w", err)
	}
	numbers, learnt := partEventNumbers(t, opts)
	if err := checkTable(ctx, learnt, w, true); err != nil {
		return nil, err
	}
	circles, err := opts.checkValues(learnt, w)
	if err != nil {
		return nil, err
	}
	momenta, err := opts.momenta(learnt)
	if err != nil {
		return nil, err
	}
	found, err := find.Steps(ctx, learnt, given, w, find.Options{
		Systems: systems, As: opts.As, Circles: circles, Until: opts.Until,
		Vectors: *momenta, NoFormulas: opts.NoFormulas, Computed: opts.Computed, Choices: opts.Choices,
		Uniform: func(variable string, u []float64) { Noise{}.uniform(u, Noise{}.stream(variable, 1), 0) },
	})
	if err != nil {
		return nil, err
	}
	s := &Spec{Branches: t.Fields(), Cut: found.Cut, Momenta: momenta, Refused: found.Refused, NotSymmetric: found.NotSymmetric}
	for _, field := range append(t.Fields(), found.Coordinates()...) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if c, ok := numbers[field.Name]; ok {
			s.Columns = append(s.Columns, Column{Column: c})
		} else if v, ok := found.Variable(field); ok {
			c := opts.treat(v)
			c.Independent = field.Name == found.Independent && c.As == column.Angle
			s.Columns = append(s.Columns, c)
		}
	}
	if found.Independent != "" && s.Independent() < 0 {
		s.NotSymmetric = fmt.Sprintf("%s is not learnt as an angle", found.Independent)
		s.Refused = append(s.Refused, opts.Choices...)
	}
	s.Steps, s.Given, s.Ranges = found.Steps, found.Given, rangesOf(learnt, w, found)
	if s.Dim() == 0 {
		return nil, fmt.Errorf("features: all %d branches are constant or number the events, there is nothing to learn", len(s.Columns))
	}
	if opts.Plain {
		s = s.Plain()
	}
	return s, nil
}

// momenta returns the four-vectors among the columns of t.
func (o Options) momenta(t *rootio.Table) (*vectors.Found, error) {
	declared, err := o.declared()
	if err != nil {
		return nil, fmt.Errorf("features: %w", err)
	}
	for _, d := range declared {
		for _, name := range d.Columns() {
			if _, ok := t.Column(name); !ok {
				return nil, fmt.Errorf("features: vector %q: there is no branch %q to learn%s", d.Name, name, nearest.Hint(name, rootio.Names(t.Fields())))
			}
		}
	}
	if o.Momenta != nil {
		return o.Momenta, nil
	}
	found := vectors.Find(t, vectors.Options{None: o.NoVectors, Declared: declared})
	return &found, nil
}

// checkTable reports what of a table and its weights cannot be used, if anything.
// Values may be missing, or not. It returns the error of ctx when that is cancelled.
func checkTable(ctx context.Context, t *rootio.Table, w []float64, missing bool) error {
	n := t.Len()
	if n == 0 {
		return fmt.Errorf("features: there is no event")
	}
	if len(t.Columns) == 0 {
		return fmt.Errorf("features: there is no column")
	}
	if w != nil && len(w) != n {
		panic(fmt.Sprintf("features: %d weights for %d events", len(w), n))
	}
	x := make([]float64, n)
	var bad []string
	for _, col := range t.Columns {
		if err := ctx.Err(); err != nil {
			return err
		}
		col.Floats(x, 0)
		if flaw := column.Unusable(col.Field, x, missing); flaw != "" {
			bad = append(bad, fmt.Sprintf("branch %q %s", col.Name, flaw))
		}
	}
	if len(bad) > 0 {
		const most = 3
		if more := len(bad) - most; more > 0 {
			bad = append(bad[:most], fmt.Sprintf("and %d more branches", more))
		}
		return fmt.Errorf("%w: %s", ErrUnusable, strings.Join(bad, "; "))
	}
	return nil
}
