package features

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/column"
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
	s := &Spec{Branches: t.Fields()}
	f := &fitting{
		ctx: ctx, spec: s, table: t, given: given, w: w, as: opts.As,
		numbered: map[string]column.Column{}, gone: map[string]bool{}, circles: map[string]column.Circle{}, cells: map[string]*[2]float64{}, legal: map[string]*[2]float64{},
	}
	if err := checkTable(ctx, f.findEventNumbers(opts.Numbers), w, true); err != nil {
		return nil, err
	}
	f.reset(t.Len())
	declared := slices.Collect(maps.Keys(opts.As)) // branches that nothing else may be done with
	for _, name := range slices.Sorted(maps.Keys(opts.As)) {
		if err := f.checkAs(name, opts.As[name]); err != nil {
			return nil, err
		}
	}
	for _, system := range systems {
		declared = append(declared, system.branches()...)
	}
	if err := f.run(opts.Until, []pass{
		{"", f.findNumbers},
		{"masses that follow from energies and momenta", func() { f.leaveOutMasses(declared) }},
		{"directions of momenta", func() { f.leaveOutDirections(declared) }},
		{"sums", func() { f.leaveOutSums(declared) }},
		{"codes that follow from others", func() { f.leaveOutLookups(declared) }},
		{"", func() { f.err = f.addSystems(systems) }},
		{"", func() { f.addPolar(declared) }},
		{"", f.findAngles},
		{"momenta that others nearly give", func() { f.relateMomenta(declared) }},
		{"numbers that are close to others", func() { f.measureNear(declared) }},
		{"angles that are close to others", f.relateAngles},
		{"", f.findRanges},
		{"", f.fitColumns},
	}); err != nil {
		return nil, err
	}
	if s.Dim() == 0 {
		return nil, fmt.Errorf("features: all %d branches are constant or number the events, there is nothing to learn", len(s.Columns))
	}
	if opts.Plain {
		s = s.Plain()
	}
	if opts.Periodic {
		all := &rootio.Table{Columns: f.table.Columns}
		if f.given != nil {
			all.Columns = slices.Concat(all.Columns, f.given.Columns)
		}
		return s.Periodic(ctx, all, f.w)
	}
	return s, nil
}

// pass looks at a sample for what it adds to a specification.
type pass struct {
	what string // is looked for, where that may be left out when there is no time
	do   func()
}

// run makes passes, one after the other. Of the time until then, if that is not zero, each
// that may be left out gets two thirds of what is left.
func (f *fitting) run(until time.Time, passes []pass) error {
	for _, p := range passes {
		f.until, f.cut = time.Time{}, ""
		if p.what != "" && !until.IsZero() {
			now := time.Now()
			f.until = now.Add(until.Sub(now) * 2 / 3)
		}
		p.do()
		if err := cmp.Or(f.ctx.Err(), f.err); err != nil {
			return err
		}
		if f.cut != "" {
			f.spec.Cut = append(f.spec.Cut, p.what+" ("+f.cut+")")
		}
	}
	return nil
}

// fitting is a sample that a specification is fitted to. Its frame holds variables
// of all events, those of them that are in use.
type fitting struct {
	frame
	ctx   context.Context
	until time.Time // when the pass ends; zero: when it is done
	cut   string    // why it has left something out
	err   error     // that ends the fit
	spec  *Spec
	table *rootio.Table
	given *rootio.Table // the columns of the condition
	w     []float64
	as    map[string]string // how branches are to be treated

	numbered    map[string]column.Column // the branches that number events
	numbers     []rootio.Field           // the branches that relations may be between
	gone        map[string]bool          // the variables that maps have taken
	coordinates []rootio.Field           // what maps make
	circles     map[string]column.Circle // of the angles
	cells       map[string]*[2]float64   // of rounded variables, the outer ends
	legal       map[string]*[2]float64   // where a variable can be
}

// over reports whether the time for the pass is over: it ends where it is.
func (f *fitting) over() bool {
	if !f.until.IsZero() && !time.Now().Before(f.until) {
		f.cut = "no time for all"
		return true
	}
	return f.ctx.Err() != nil
}

// load returns a variable, read from the table if need be.
func (f *fitting) load(name string) []float64 {
	if x := f.at(name); x != nil {
		return x
	}
	x := f.add(name)
	c, ok := f.table.Column(name)
	if !ok {
		c, _ = f.given.Column(name)
	}
	c.Floats(x, 0)
	return x
}

// isGiven reports whether a variable is a column of the condition.
func (f *fitting) isGiven(name string) bool {
	_, ok := f.given.Column(name)
	return ok
}

// field returns the branch of a name.
func (f *fitting) field(name string) rootio.Field {
	return f.spec.Branches[slices.Index(f.spec.Names(), name)]
}

// sample returns the values of a variable as a sample.
func (f *fitting) sample(name string) *column.Sample { return column.NewSample(f.load(name), f.w) }

// kindOf returns the kind of a sample of a variable.
func (f *fitting) kindOf(field rootio.Field, s *column.Sample) column.Kind {
	return s.KindOf(field, f.as[field.Name])
}

// apply adds a map to the specification, and takes the variables through it.
func (f *fitting) apply(m Map) {
	read, taken, made := m.mapping().variables()
	for _, name := range taken {
		f.gone[name] = true
	}
	for _, name := range made {
		delete(f.gone, name)
	}
	for _, name := range read {
		if f.isGiven(name) && !slices.Contains(f.spec.Given, name) {
			f.spec.Given = append(f.spec.Given, name)
		}
	}
	stream := streamMaps + len(f.spec.Maps)
	f.spec.Maps = append(f.spec.Maps, m)
	m.mapping().forward(&f.frame, nil, func(u []float64) { Noise{}.uniform(u, stream, 0) })
}

// round adds the map of a branch to the specification if its values are rounded.
func (f *fitting) round(field rootio.Field) {
	if s := f.sample(field.Name); f.cells[field.Name] == nil && f.kindOf(field, s) == column.Continuous {
		spikes, rest := s.WithoutSpikes()
		f.addRounding(field.Name, column.FindRounding(field, rest.Values), spikes, false)
	}
}

// addRounding adds the map of a branch to the specification whose values, but for spikes, are rounded.
func (f *fitting) addRounding(name string, to column.Rounding, spikes []column.Spike, unbounded bool) {
	if to == nil {
		return
	}
	var within *column.Circle
	if c, ok := f.circles[name]; ok {
		within = &c
	}
	var except []float64
	for _, s := range spikes {
		except = append(except, s.Value)
	}
	switch to := to.(type) {
	case *column.Decimals:
		f.cells[name] = &[2]float64{to.Value(-0.5), to.Value(to.Last + 0.5)}
		f.apply(Map{Rounded: &Rounded{Variable: name, Decimals: *to, Unbounded: unbounded, Within: within, Except: except}})
	case column.Bits:
		p := &Precision{Variable: name, Bits: to, Within: within, Except: except}
		_, rest := f.sample(name).WithoutSpikes()
		lo, _ := p.cell(rest.Values[0])
		_, hi := p.cell(rest.Values[len(rest.Values)-1])
		f.cells[name] = &[2]float64{lo, hi}
		f.apply(Map{Precision: p})
	}
}

// fitColumns adds the columns of the variables that are left to the specification.
func (f *fitting) fitColumns() {
	for _, field := range append(slices.Clone(f.spec.Branches), f.coordinates...) {
		if f.over() {
			return
		}
		if c, ok := f.numbered[field.Name]; ok {
			f.spec.Columns = append(f.spec.Columns, Column{Column: c})
		} else if !f.gone[field.Name] {
			f.fit(field)
		}
	}
}

// fit adds the column of a variable to the specification, and forgets its values.
func (f *fitting) fit(field rootio.Field) {
	if c, ok := f.circles[field.Name]; ok {
		f.round(field)
		f.spec.Columns = append(f.spec.Columns, fitAngle(field, c, f.load(field.Name), f.w))
	} else {
		f.round(field)
		c := fitColumn(field, f.sample(field.Name), f.as[field.Name], f.cells[field.Name], f.legal[field.Name])
		f.spec.Columns = append(f.spec.Columns, c)
	}
	f.take(field.Name)
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
