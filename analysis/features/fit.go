package features

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/find"
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
	found, err := find.Steps(ctx, learnt, given, w, find.Options{
		Systems: systems, As: opts.As, Circles: circles, Until: opts.Until,
		Uniform: func(step int, u []float64) { Noise{}.uniform(u, streamSteps+step, 0) },
	})
	if err != nil {
		return nil, err
	}
	s := &Spec{Branches: t.Fields(), Cut: found.Cut}
	for _, field := range append(t.Fields(), found.Coordinates()...) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if c, ok := numbers[field.Name]; ok {
			s.Columns = append(s.Columns, Column{Column: c})
		} else if v, ok := found.Variable(field); ok {
			s.Columns = append(s.Columns, treat(v, opts.As[field.Name], w))
		}
	}
	s.Steps, s.Given, s.Ranges = found.Steps, found.Given, rangesOf(learnt, w, found)
	if s.Dim() == 0 {
		return nil, fmt.Errorf("features: all %d branches are constant or number the events, there is nothing to learn", len(s.Columns))
	}
	if opts.Plain {
		s = s.Plain()
	}
	if opts.Periodic {
		return s.Periodic(ctx, &rootio.Table{Columns: slices.Concat(t.Columns, given.Columns)}, w)
	}
	return s, nil
}

// treat returns the treatment of a variable, as is asked for it or its values say. w are the
// weights of the events.
func treat(v find.Variable, asked string, w []float64) Column {
	if v.Circle != nil {
		return fitAngle(v.Field, *v.Circle, v.Values, w)
	}
	return fitColumn(v.Field, v.Sample, asked, v.Within, v.Legal)
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

// fitColumn returns the treatment of a column. The values that are no spikes may lie
// anywhere in the interval within, and cannot lie outside the interval legal, if these
// are not nil.
func fitColumn(field rootio.Field, s *column.Sample, as string, within, legal *[2]float64) Column {
	c := Column{Column: column.Column{Field: field, As: s.KindOf(field, as)}}
	if s.Missing > 0 {
		c.Missing = s.Missing / (s.Missing + s.Total)
	}
	if len(s.Values) > 0 {
		c.Min, c.Max = s.Values[0], s.Values[len(s.Values)-1]
	}
	switch c.As {
	case column.Codes:
		c.Codes = s.Values
		c.Cumulative = s.Proportions()
	case column.Integer, column.Continuous:
		c.Spikes, s = s.WithoutSpikes()
		s = s.Monotone()
		lo, hi := s.Values[0], s.Values[len(s.Values)-1]
		if within != nil {
			lo, hi = within[0], within[1]
			c.Min, c.Max = min(c.Min, lo), max(c.Max, hi)
		}
		if c.As == column.Continuous {
			switch as {
			case asStandard:
			case asLog:
				if c.findEdges(s, lo, hi); c.Low == nil {
					c.fromZero(lo)
				}
				c.High, c.Roof, c.Width = nil, 0, 0
			case asAsinh:
				c.bothTails(s)
			default:
				c.findEdges(s, lo, hi)
			}
			c.confine(legal, lo, hi)
		}
		c.fitScale(s, lo, hi)
	}
	return c
}

// confine adds edges where values between lo and hi cannot be beyond, unless there
// are nearer ones, or the tails before them are so thin that asinh is looked at.
func (c *Column) confine(legal *[2]float64, lo, hi float64) {
	if legal == nil || c.Width > 0 {
		return
	}
	least := 1e-9 * (hi - lo)
	if a := legal[0]; !math.IsInf(a, 0) && (c.Low == nil || *c.Low < a) {
		c.Low, c.Floor = &a, least
	}
	if b := legal[1]; !math.IsInf(b, 0) && (c.High == nil || *c.High > b) {
		c.High, c.Roof = &b, least
	}
}

// fitAngle is fitColumn for an angle.
func fitAngle(field rootio.Field, circle column.Circle, x, w []float64) Column {
	lo := circle.Cut(x, w)
	hi := lo + circle.Period
	c := Column{
		Column: column.Column{Field: field, As: column.Angle, Circle: &circle, Min: slices.Min(x), Max: slices.Max(x)},
		Low:    &lo, High: &hi,
	}
	c.Floor = 1e-3 * circle.Period / float64(len(x)) // nothing is beyond
	wrapped := make([]float64, len(x))
	for k, v := range x {
		wrapped[k] = circle.Wrap(v, lo)
	}
	c.fitScale(column.NewSample(wrapped, w).Monotone(), lo, hi)
	return c
}
