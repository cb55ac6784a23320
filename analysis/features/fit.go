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

	"github.com/eidolon-hep/eidolon/rootio"
)

// analysis/compare tells codes and spikes by the same numbers.
const (
	// maxCodes is the number of distinct values up to which a column is one of
	// codes; maxUneven that for values that are not equidistant.
	maxCodes  = 256
	maxUneven = 4096
	// eventsPerFloatCode is the number of events per distinct value above which
	// floating-point values are codes rather than a small sample.
	eventsPerFloatCode = 20
	// maxExact is the largest integer up to which all are exact in float64.
	maxExact = 1 << 53
	// spikeFraction is the proportion of events above which a value may be a
	// spike; spikeContrast is how many times the events of the neighbouring
	// values it must have, so that a column of rounded values has none.
	spikeFraction = 0.01
	spikeContrast = 10
	fewestInSpike = 20
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
		numbered: map[string]Column{}, gone: map[string]bool{}, circles: map[string]Circle{}, cells: map[string]*[2]float64{}, legal: map[string]*[2]float64{},
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

	numbered    map[string]Column      // the branches that number events
	numbers     []rootio.Field         // the branches that relations may be between
	gone        map[string]bool        // the variables that maps have taken
	coordinates []rootio.Field         // what maps make
	circles     map[string]Circle      // of the angles
	cells       map[string]*[2]float64 // of rounded variables, the outer ends
	legal       map[string]*[2]float64 // where a variable can be
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
func (f *fitting) sample(name string) *sample {
	s := newSample(f.load(name), f.w)
	s.as = f.as[name]
	return s
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
	if f.cells[field.Name] == nil {
		f.addRounding(f.sample(field.Name).rounding(field))
	}
}

// addRounding adds the map of rounded values to the specification, unless it is nil.
func (f *fitting) addRounding(m *Map) {
	if m == nil {
		return
	}
	_, taken, _ := m.mapping().variables()
	name := taken[0]
	var within *Circle
	if c, ok := f.circles[name]; ok {
		within = &c
	}
	if r := m.Rounded; r != nil {
		r.Within = within
		f.cells[name] = &[2]float64{r.value(-0.5), r.value(r.Last + 0.5)}
	}
	if p := m.Precision; p != nil {
		p.Within = within
		_, rest := f.sample(name).withoutSpikes()
		lo, _ := p.cell(rest.value[0])
		_, hi := p.cell(rest.value[len(rest.value)-1])
		f.cells[name] = &[2]float64{lo, hi}
	}
	f.apply(*m)
}

// fitColumns adds the columns of the variables that are left to the specification.
func (f *fitting) fitColumns() {
	for _, field := range append(slices.Clone(f.spec.Branches), f.coordinates...) {
		if f.over() {
			return
		}
		if c, ok := f.numbered[field.Name]; ok {
			f.spec.Columns = append(f.spec.Columns, c)
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
		s := f.sample(field.Name)
		if m := s.rounding(field); m != nil && f.cells[field.Name] == nil {
			f.addRounding(m)
			s = f.sample(field.Name)
		}
		f.spec.Columns = append(f.spec.Columns, s.fitColumn(field, f.cells[field.Name], f.legal[field.Name]))
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
		if flaw := unusable(col.Field, x, missing); flaw != "" {
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

// unusable says why the values of a column cannot be learnt; "" when they can.
func unusable(field rootio.Field, x []float64, missing bool) string {
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

// kindOf chooses how the values of a sample are treated.
func (s *sample) kindOf(field rootio.Field) Kind {
	distinct := len(s.value)
	dense := distinct*eventsPerFloatCode <= s.n
	switch {
	case distinct == 0, distinct == 1 && s.missing == 0:
		return Constant
	case s.as == asCodes:
		return Codes
	case s.as == asInteger:
		return Integer
	case s.as != "":
		return Continuous
	case distinct <= maxCodes && (dense || !field.Kind.IsFloat()), distinct == 1:
		return Codes
	case distinct <= maxUneven && s.isUneven(field):
		return Codes
	case field.Kind.IsInteger():
		return Integer
	}
	return Continuous
}

// isUneven reports whether many events share few values that are not simply
// equidistant or of few bits, not counting spikes: a smooth density would miss them.
func (s *sample) isUneven(field rootio.Field) bool {
	_, s = s.withoutSpikes()
	if len(s.value)*eventsPerFloatCode > s.n {
		return false
	}
	const enough = 0.8 // of the values that such a column can have
	if r := findRounded(field, s.value, nil); r != nil && r.filled(s) >= enough {
		return false
	}
	p := findPrecision(field, s.value, nil)
	return p == nil || p.filled(s) < enough
}

// rounding returns the map for a column, if it is one of many values that are
// rounded: to decimals, or to fewer bits than its type has.
func (s *sample) rounding(field rootio.Field) *Map {
	if s.kindOf(field) != Continuous {
		return nil
	}
	spikes, rest := s.withoutSpikes()
	return findRounding(field, rest.value, spikes)
}

// findRounding returns the map for the values of a column, without its spikes, if they are
// rounded: where both kinds of them would do, for that which has fewer values there.
func findRounding(field rootio.Field, values []float64, spikes []Spike) *Map {
	r, p := findRounded(field, values, spikes), findPrecision(field, values, spikes)
	switch {
	case p != nil && (r == nil || 2*p.between(values) < r.Last):
		return &Map{Precision: p}
	case r != nil:
		return &Map{Rounded: r}
	}
	return nil
}

// fitColumn returns the treatment of a column. The values that are no spikes may lie
// anywhere in the interval within, and cannot lie outside the interval legal, if these
// are not nil.
func (s *sample) fitColumn(field rootio.Field, within, legal *[2]float64) Column {
	c := Column{Field: field, As: s.kindOf(field)}
	if s.missing > 0 {
		c.Missing = s.missing / (s.missing + s.total)
	}
	if len(s.value) > 0 {
		c.Min, c.Max = s.value[0], s.value[len(s.value)-1]
	}
	switch c.As {
	case Codes:
		c.Codes = s.value
		c.Cumulative = s.proportions()
	case Integer, Continuous:
		as := s.as
		c.Spikes, s = s.withoutSpikes()
		s = s.monotone()
		lo, hi := s.value[0], s.value[len(s.value)-1]
		if within != nil {
			lo, hi = within[0], within[1]
			c.Min, c.Max = min(c.Min, lo), max(c.Max, hi)
		}
		if c.As == Continuous {
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
func fitAngle(field rootio.Field, circle Circle, x, w []float64) Column {
	lo := circle.cut(x, w)
	hi := lo + circle.Period
	c := Column{Field: field, As: Angle, Circle: &circle, Low: &lo, High: &hi, Min: slices.Min(x), Max: slices.Max(x)}
	c.Floor = 1e-3 * circle.Period / float64(len(x)) // nothing is beyond
	wrapped := make([]float64, len(x))
	for k, v := range x {
		wrapped[k] = circle.wrap(v, lo)
	}
	c.fitScale(newSample(wrapped, w).monotone(), lo, hi)
	return c
}
