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

	"gonum.org/v1/gonum/floats"

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
// data, and the options. w are the weights of the events, nil for 1 each; quantiles and
// proportions count events of negative weight as absent. An error says which
// branch cannot be used and why. When ctx is cancelled it is the error of ctx.
func Fit(ctx context.Context, t *rootio.Table, w []float64, opts Options) (*Spec, error) {
	return FitGiven(ctx, t, &rootio.Table{}, w, opts)
}

// FitGiven is like [Fit] for columns whose density is to be conditional on others, those
// of given: a column that is close to one of these is measured from it.
func FitGiven(ctx context.Context, t, given *rootio.Table, w []float64, opts Options) (*Spec, error) {
	if err := checkTable(ctx, t, w, true); err != nil {
		return nil, err
	}
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
		circles: map[string]Circle{}, cells: map[string]*[2]float64{}, legal: map[string]*[2]float64{},
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
	for _, pass := range []func() error{
		func() error { f.leaveOutDetermined(declared); return nil },
		func() error { return f.addSystems(systems) },
		func() error { f.addPolar(declared); return nil },
		func() error { f.findAngles(); return nil },
		func() error { f.relateMomenta(declared); return nil },
		func() error { f.measureNear(declared); return nil },
		func() error { f.relateAngles(); return nil },
		func() error { f.findRanges(); return nil },
		func() error { f.fitColumns(); return nil },
	} {
		if err := pass(); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	if s.Dim() == 0 {
		return nil, fmt.Errorf("features: all %d branches are constant, there is nothing to learn", len(s.Columns))
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

// fitting is a sample that a specification is fitted to. Its frame holds variables
// of all events, those of them that are in use.
type fitting struct {
	frame
	ctx   context.Context
	spec  *Spec
	table *rootio.Table
	given *rootio.Table // the columns of the condition
	w     []float64
	as    map[string]string // how branches are to be treated

	coordinates []rootio.Field         // what maps make
	circles     map[string]Circle      // of the angles
	cells       map[string]*[2]float64 // of rounded variables, the outer ends
	legal       map[string]*[2]float64 // where a variable can be
}

// over reports whether the time for looking is over: passes end where they are.
func (f *fitting) over() bool { return f.ctx.Err() != nil }

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
	read, _, _ := m.mapping().variables()
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
		f.addRounded(f.sample(field.Name).rounded(field))
	}
}

// addRounded adds a map to the specification, unless it is nil.
func (f *fitting) addRounded(r *Rounded) {
	if r == nil {
		return
	}
	if c, ok := f.circles[r.Variable]; ok {
		r.Within = &c
	}
	f.cells[r.Variable] = &[2]float64{r.value(-0.5), r.value(r.Last + 0.5)}
	f.apply(Map{Rounded: r})
}

// fitColumns adds the columns of the variables that are left to the specification.
func (f *fitting) fitColumns() {
	for _, field := range append(slices.Clone(f.spec.Branches), f.coordinates...) {
		if f.over() {
			return
		}
		if !f.isLeftOut(field.Name) {
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
		if r := s.rounded(field); r != nil && f.cells[field.Name] == nil {
			f.addRounded(r)
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
// equidistant, not counting spikes: a smooth density would miss them.
func (s *sample) isUneven(field rootio.Field) bool {
	_, s = s.withoutSpikes()
	if len(s.value)*eventsPerFloatCode > s.n {
		return false
	}
	r := findRounded(field, s.value, nil)
	return r == nil || r.filled(s) < 0.8
}

// rounded returns the map for a column, if it is one of many values that are
// rounded.
func (s *sample) rounded(field rootio.Field) *Rounded {
	if s.kindOf(field) != Continuous {
		return nil
	}
	spikes, rest := s.withoutSpikes()
	return findRounded(field, rest.value, spikes)
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
				c.High, c.Width = nil, 0
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
	if a := legal[0]; !math.IsInf(a, 0) && (c.Low == nil || *c.Low < a) {
		c.Low = &a
	}
	if b := legal[1]; !math.IsInf(b, 0) && (c.High == nil || *c.High > b) {
		c.High = &b
	}
	if c.Floor == 0 {
		c.Floor = 1e-9 * (hi - lo)
	}
}

// fitAngle is fitColumn for an angle.
func fitAngle(field rootio.Field, circle Circle, x, w []float64) Column {
	lo := circle.cut(x, w)
	hi := lo + circle.Period
	c := Column{Field: field, As: Angle, Circle: &circle, Low: &lo, High: &hi, Min: slices.Min(x), Max: slices.Max(x)}
	c.Floor = 1e-3 * circle.Period / float64(len(x))
	wrapped := make([]float64, len(x))
	for k, v := range x {
		wrapped[k] = circle.wrap(v, lo)
	}
	c.fitScale(newSample(wrapped, w), lo, hi)
	return c
}

// sample is a column sorted, with equal values joined, without missing ones (NaN).
type sample struct {
	value   []float64 // ascending, distinct
	weight  []float64 // the sum of the weights of the events with the value
	count   []int     // their number
	n       int       // of events
	total   float64   // sum of weights
	missing float64   // sum of weights of the events without a value
	as      string    // how it is to be treated, if that was said
}

func newSample(x, w []float64) *sample {
	s := &sample{}
	if w == nil {
		sorted := slices.Clone(x)
		slices.Sort(sorted) // NaN first
		for len(sorted) > 0 && math.IsNaN(sorted[0]) {
			s.missing++
			sorted = sorted[1:]
		}
		for _, v := range sorted {
			s.add(v, 1, 1)
		}
		return s
	}
	var order []int
	for i, v := range x {
		if math.IsNaN(v) {
			s.missing += max(w[i], 0)
		} else {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	for _, i := range order {
		s.add(x[i], max(w[i], 0), 1)
	}
	return s
}

// add adds count events of the value v, none of the values before being larger, and
// the sum w of their weights.
func (s *sample) add(v, w float64, count int) {
	last := len(s.value) - 1
	if last < 0 || s.value[last] != v {
		s.value, s.weight, s.count = append(s.value, v), append(s.weight, 0), append(s.count, 0)
		last++
	}
	s.weight[last] += w
	s.count[last] += count
	s.n += count
	s.total += w
}

// proportions returns the cumulative proportions of the values. Each value has a
// share that is larger than zero.
func (s *sample) proportions() []float64 {
	cum := make([]float64, len(s.value))
	least := max(1e-9*s.total, math.SmallestNonzeroFloat32) / float64(len(s.value))
	sum := 0.0
	for i, w := range s.weight {
		sum += max(w, least)
		cum[i] = sum
	}
	for i := range cum {
		cum[i] /= sum
	}
	cum[len(cum)-1] = 1
	return cum
}

// withoutSpikes returns the values that many events share, and the rest of the
// sample. A sample of nothing but spikes has none.
func (s *sample) withoutSpikes() (spikes []Spike, rest *sample) {
	rest = &sample{}
	for i, k := range s.count {
		neighbours := 0 // the nearest on either side that cannot be spikes themselves
		for _, step := range []int{-1, 1} {
			j := i + step
			for j >= 0 && j < len(s.count) && s.weight[j] > spikeFraction*s.total {
				j += step
			}
			if j >= 0 && j < len(s.count) {
				neighbours = max(neighbours, s.count[j])
			}
		}
		if s.weight[i] > spikeFraction*s.total && k >= fewestInSpike && k >= spikeContrast*neighbours {
			spikes = append(spikes, Spike{s.value[i], s.weight[i] / (s.total + s.missing)})
			continue
		}
		rest.add(s.value[i], s.weight[i], k)
	}
	if rest.total <= 0 || len(rest.value) < 2 {
		return nil, s
	}
	return spikes, rest
}

// steps returns the values of the distribution function in the middle of
// each value's step, and how many events there are up to each value.
func (s *sample) steps() (cdf []float64, events []int) {
	cdf, events = make([]float64, len(s.value)), make([]int, len(s.value))
	sum, n := 0.0, 0
	for i, w := range s.weight {
		cdf[i] = (sum + w/2) / s.total
		sum += w
		n += s.count[i]
		events[i] = n
	}
	return cdf, events
}

// quantile returns the value below which a proportion p of the sample is.
func (s *sample) quantile(p float64) float64 {
	sum := 0.0
	for i, w := range s.weight {
		if sum += w; sum >= p*s.total {
			return s.value[i]
		}
	}
	return s.value[len(s.value)-1]
}

// halfWidth is half of the interval that 68 % of the sample are in.
func (s *sample) halfWidth() float64 { return (s.quantile(0.84) - s.quantile(0.16)) / 2 }

// fitScale finds the scale and the normalising spline of a column of many values,
// which lie between lo and hi.
func (c *Column) fitScale(s *sample, lo, hi float64) {
	if c.As == Integer {
		hi++
		c.Low, c.High = &lo, &hi
		// The deviates fill the cells; here their middle stands for them.
		middles := *s
		middles.value = slices.Clone(s.value)
		floats.AddConst(0.5, middles.value)
		s = &middles
		c.Floor = 1e-9
	}

	y := make([]float64, len(s.value))
	var mean, m2, sum float64
	for i, v := range s.value {
		y[i], _ = c.unbound(v)
		if w := s.weight[i]; w > 0 { // West, Commun. ACM 22 (1979) 532
			sum += w
			d := y[i] - mean
			mean += d * w / sum
			m2 += w * d * (y[i] - mean)
		}
	}
	c.Mean, c.Std = mean, math.Sqrt(m2/sum)
	if !(c.Std > 0) {
		c.Std = 1
	}
	for i := range y {
		y[i] = (y[i] - c.Mean) / c.Std
	}
	c.Normal = normalise(s, y)
	// Among spikes a tail has no room to be longer than that of a normal.
	if len(c.Spikes) == 0 && c.Missing == 0 && isNearlyNormal(s, y, c.Normal) {
		c.Normal = Spline{}
	}
}

// normalise returns the spline that maps y, the values of s after the scale, to
// a standard normal. Its knots are quantiles, and the two ends of the sample, so
// that no event is an outlier in model space, however heavy the tail. They are
// closest where events are many, but less so than the events: spaced as quantiles
// of a normal with twice the variance. They are few: what is jagged here is jagged in
// every density that a flow is to learn, at the same place: of NuWro's events, 111 knots in
// place of 12 or 24 cost 0.2 nats.
func normalise(s *sample, y []float64) Spline {
	n := s.n
	const fewest = 5 // events between the end of the sample and the next knot
	knots := min(int(math.Sqrt(float64(n))/4), 12)
	if knots < 4 {
		return Spline{}
	}
	cdf, events := s.steps()
	least := 0.5 / float64(n)
	var kx, ky []float64
	add := func(i int) {
		if z := normalQuantile(min(max(cdf[i], least), 1-least)); len(kx) == 0 || y[i] > kx[len(kx)-1] && z > ky[len(ky)-1] {
			kx, ky = append(kx, y[i]), append(ky, z)
		}
	}
	last, i := len(y)-1, 0
	add(0)
	if isAlone(y, 0, +1) {
		add(1)
	}
	for k := range knots {
		p := normalCDF(math.Sqrt2 * normalQuantile((float64(k)+0.5)/float64(knots)))
		for i < last && cdf[i] < p {
			i++
		}
		if events[i] > fewest && n-events[i] >= fewest {
			add(i)
		}
	}
	if isAlone(y, last, -1) {
		add(last - 1)
	}
	add(last)
	return NewSpline(kx, ky)
}

// isNearlyNormal reports whether a spline to normal makes the values y hardly more likely,
// and none of them is far out.
func isNearlyNormal(s *sample, y []float64, spline Spline) bool {
	const hardly, far = 0.02, 5
	if max(-y[0], y[len(y)-1]) > far {
		return false
	}
	gain := 0.0
	for i, v := range y {
		z, slope := spline.Forward(v)
		gain += s.weight[i] * (logNormal(z) + math.Log(slope) - logNormal(v))
	}
	return gain < hardly*s.total
}

// isAlone reports whether the value at one end of y is so far out that a spline to
// the next knot would put events in between. In an exponential tail that happens in
// one sample of a thousand.
func isAlone(y []float64, end, inward int) bool {
	const next = 6
	return len(y) > 2*next && math.Abs(y[end]-y[end+inward]) > 5*math.Abs(y[end+inward]-y[end+next*inward])
}

// findEdges decides whether the density of a continuous column ends at a hard
// edge on either side, and where; and, failing that, whether positive values
// have a tail that is heavy enough for a logarithm, or others have any events so far
// out that the rest would be nowhere. The values lie between first
// and last.
func (c *Column) findEdges(s *sample, first, last float64) {
	k := edgeEvents(s.n)
	lo, low := edge(s, k, false)
	hi, high := edge(s, k, true)
	gap := math.Inf(1)
	if low {
		at := placeEdge(first, lo, -1)
		c.Low, gap = &at, lo
	}
	if high {
		at := placeEdge(last, hi, +1)
		c.High, gap = &at, min(gap, hi)
	}
	if low || high {
		c.Floor = 1e-3 * gap
		return
	}
	if first > 0 && heavyTailed(s) {
		c.fromZero(first)
		return
	}
	// Of a million events of an exponential density the outermost is at 17 half-widths.
	const farOut = 25
	if c.bothTails(s); max(last-c.Center, c.Center-first) <= farOut*c.Width {
		c.Center, c.Width = 0, 0
	}
}

// fromZero makes zero the edge below positive values, the least of them first.
func (c *Column) fromZero(first float64) {
	zero := 0.0
	c.Low, c.Floor = &zero, 1e-3*first
}

// bothTails sets the centre and the width for asinh: the median, and half of the
// interval of 68 %.
func (c *Column) bothTails(s *sample) {
	c.Center, c.Width = s.quantile(0.5), s.halfWidth()
}

// edgeEvents is the number of events by which an edge of a sample of n is told; 0 if
// there are so few that one would be mistaken too often.
func edgeEvents(n int) int {
	if n < 1000 {
		return 0
	}
	return min(n/10, 200)
}

// edge reports whether the sample has a hard edge at its lower or upper end, and
// the mean distance of neighbouring events there, looking at 2k of them.
//
// Near a hard edge order statistics are as far apart as further in; in a tail
// they spread. A density that begins as the power p of the distance from its edge
// has its r-th event at a distance ∝ r^(1/(p+1)). With a, b, c the third value
// from the end, the k-th and the 2k-th, this gives (b−a)/(c−b) = 1 for p = 0, 2.1
// for p = 1, 2.9 for p = 2, and 6 for an exponential tail (k = 200). The bar is
// between p = 1 and p = 2: where so little is left at the edge, it cannot be told
// where it is.
func edge(s *sample, k int, upper bool) (spacing float64, hard bool) {
	if k == 0 {
		return 0, false
	}
	at := func(rank int) float64 { // the value of the event of that rank from the end
		i, step := 0, 1
		if upper {
			i, step = len(s.value)-1, -1
		}
		for seen := s.count[i]; seen < rank; seen += s.count[i] {
			i += step
		}
		return s.value[i]
	}
	const first = 3
	a, b, c := at(first), at(k), at(2*k)
	near, far := math.Abs(b-a), math.Abs(c-b)
	if near == 0 { // nearly all of the k events at the very end
		return math.Abs(s.value[len(s.value)-1]-s.value[0]) / float64(len(s.value)), true
	}
	bar := func(power float64) float64 {
		r := func(rank float64) float64 { return math.Pow(rank, 1/(power+1)) }
		return (r(float64(k)) - r(first)) / (r(float64(2*k)) - r(float64(k)))
	}
	return near / float64(k-first), near < math.Sqrt(bar(1)*bar(2))*far
}

// reach is how far from the outermost event an edge is looked for, in mean
// distances of neighbouring events there. A density that begins linearly leaves
// √k of them free on average, 14 at most; an event beyond the edge would have
// probability zero, so it should be far enough that no later sample has one.
const reach = 20

// placeEdge returns where the edge beside the outermost value is, given the mean
// distance of events there: at a multiple of π/2 if that is very near (polar angles
// fill their range), else at the roundest decimal number within reach.
func placeEdge(outermost, spacing, side float64) float64 {
	beside := func(multiple, divisor, reach float64) (at float64, ok bool) {
		at = outermost / multiple * divisor
		if side < 0 {
			at = min(math.Floor(at)*multiple/divisor, outermost) // whatever the rounding
		} else {
			at = max(math.Ceil(at)*multiple/divisor, outermost)
		}
		return at, math.Abs(at-outermost) <= reach*spacing
	}
	if at, ok := beside(math.Pi, 2, 5); ok && at != 0 && math.Abs(at) <= 2*math.Pi && math.Abs(at-outermost) <= 0.01*math.Abs(at) {
		return at
	}
	largest := math.Ceil(math.Log10(max(math.Abs(outermost), spacing)))
	for digits := range 17 {
		for _, digit := range []float64{1, 2} {
			// A power of ten or its half, as a fraction of whole numbers.
			e := largest - float64(digits)
			if at, ok := beside(math.Pow(10, max(e, 0)), digit*math.Pow(10, max(-e, 0)), reach); ok {
				return at
			}
		}
	}
	return outermost + side*reach*spacing
}

// heavyTailed reports whether positive values are more symmetric about their
// median on a logarithmic scale than on a linear one.
func heavyTailed(s *sample) bool {
	lo, mid, hi := s.quantile(0.01), s.quantile(0.5), s.quantile(0.99)
	linear := math.Abs((hi - mid) - (mid - lo))
	log := math.Abs(math.Log(hi/mid) - math.Log(mid/lo))
	return hi-mid > 2*(mid-lo) && log/math.Log(hi/lo) < linear/(hi-lo)
}
