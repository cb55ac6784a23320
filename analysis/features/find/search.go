package find

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Search is a sample and the steps that were found for it: what the passes share. Its
// frame holds variables of all events, as the steps so far have made them: those that
// are in use. A variable is a branch, a column of the condition, or a coordinate that a step made.
type Search struct {
	step.Frame
	Steps   step.Steps
	Given   []string // the columns of the condition that steps read
	Cut     []string // what was not looked for everywhere, and why
	Refused []Choice // that cannot be made for these columns

	Independent  string // the azimuth that is uniform whatever the other variables are, where [Rotation] was chosen
	NotSymmetric string // why there is none, where it was

	ctx     context.Context
	table   *rootio.Table
	given   *rootio.Table // the columns of the condition
	weights []float64
	options Options

	until time.Time // when the pass ends; zero: when it is done
	cut   string    // why the pass has left something out
	err   error     // that ends the search

	kept        []string                 // the branches that are declared, which only their own pass takes
	numbers     []rootio.Field           // the branches that relations may be between
	gone        map[string]bool          // the variables that steps have taken
	changed     map[string]bool          // those that are no longer what is in the table
	coordinates []rootio.Field           // what steps have made
	circles     map[string]column.Circle // of the angles
	sawAngles   bool                     // whether these are all that there are
	cells       map[string]*[2]float64   // of rounded variables: the outer ends
	legal       map[string]*[2]float64   // where a variable can be
}

func newSearch(ctx context.Context, t, given *rootio.Table, w []float64, opts Options) *Search {
	s := &Search{
		ctx: ctx, table: t, given: given, weights: w, options: opts, kept: slices.Collect(maps.Keys(opts.As)),
		gone: map[string]bool{}, changed: map[string]bool{}, circles: map[string]column.Circle{}, cells: map[string]*[2]float64{}, legal: map[string]*[2]float64{},
	}
	maps.Copy(s.circles, opts.Circles)
	for _, system := range opts.Systems {
		read, taken, _ := system.Variables()
		s.kept = slices.Concat(s.kept, read, taken)
	}
	s.Reset(t.Len())
	// Relations are between branches that vary, and have no missing values, which have a
	// pattern of their own.
	for _, field := range t.Fields() {
		if ctx.Err() != nil {
			break
		}
		if x := s.load(field.Name); countValues(x, 1) > 1 && !slices.ContainsFunc(x, math.IsNaN) {
			s.numbers = append(s.numbers, field)
		}
		s.forget(field.Name)
	}
	return s
}

// countValues returns the number of distinct values; more than most where there are more.
func countValues(x []float64, most int) int {
	seen := map[float64]struct{}{}
	for _, v := range x {
		if seen[v] = struct{}{}; len(seen) > most {
			break
		}
	}
	return len(seen)
}

// over reports whether the time for the pass is over: it ends where it is.
func (s *Search) over() bool {
	if !s.until.IsZero() && !time.Now().Before(s.until) {
		s.cut = "no time for all"
		return true
	}
	return s.ctx.Err() != nil
}

// load returns a variable, read from the table if need be.
func (s *Search) load(name string) []float64 {
	if x := s.At(name); x != nil {
		return x
	}
	x := s.Add(name)
	c, ok := s.table.Column(name)
	if !ok {
		c, _ = s.given.Column(name)
	}
	c.Floats(x, 0)
	return x
}

// forget gives the memory of a variable that can be read from the table again.
func (s *Search) forget(name string) {
	if _, ok := s.table.Column(name); (ok || s.isGiven(name)) && !s.changed[name] {
		s.Take(name)
	}
}

// some returns the values of a variable in up to n events that are spread over all, and forgets the others.
func (s *Search) some(name string, n int) []float64 {
	all := s.load(name)
	some := make([]float64, min(n, len(all)))
	for i := range some {
		some[i] = all[i*len(all)/len(some)]
	}
	s.forget(name)
	return some
}

// sample returns the values of a variable as a sample.
func (s *Search) sample(name string) *column.Sample { return column.NewSample(s.load(name), s.weights) }

// remaining returns the branches and coordinates that no step has taken.
func (s *Search) remaining() []rootio.Field {
	return slices.DeleteFunc(append(s.table.Fields(), s.coordinates...), func(f rootio.Field) bool { return s.gone[f.Name] })
}

// isFree reports whether a pass may take a branch.
func (s *Search) isFree(name string) bool { return !s.gone[name] && !slices.Contains(s.kept, name) }

// isGiven reports whether a variable is a column of the condition.
func (s *Search) isGiven(name string) bool {
	_, ok := s.given.Column(name)
	return ok
}

// asked returns the branches that are asked to be treated as word:BRANCH, each with that branch.
func (s *Search) asked(word string) map[string]string {
	asked := map[string]string{}
	for name, as := range s.options.As {
		if of, ok := strings.CutPrefix(as, word+":"); ok {
			asked[name] = of
		}
	}
	return asked
}

// IsAngle reports whether a variable is an angle.
func (s *Search) IsAngle(name string) bool {
	_, ok := s.circles[name]
	return ok
}

// findAngles finds the branches, and the columns of the condition, that are angles, once.
func (s *Search) findAngles() {
	if s.sawAngles {
		return
	}
	s.sawAngles = true
	for _, field := range slices.Concat(s.table.Fields(), s.given.Fields()) {
		if s.ctx.Err() != nil {
			return
		}
		if s.gone[field.Name] || s.IsAngle(field.Name) || s.options.As[field.Name] != "" {
			continue
		}
		if c, ok := column.CircleOf(field, s.load(field.Name), s.weights); ok {
			s.circles[field.Name] = c
		} else {
			s.forget(field.Name)
		}
	}
}

// apply adds a step to those of the search, and takes the variables through it.
func (s *Search) apply(next step.Step) {
	read, taken, made := next.Variables()
	for _, name := range slices.Concat(read, taken) {
		s.load(name)
	}
	for _, name := range taken {
		s.gone[name] = true
	}
	for _, c := range made {
		delete(s.gone, c.Name)
		if slices.Contains(taken, c.Name) {
			s.changed[c.Name] = true
			continue
		}
		s.coordinates = append(s.coordinates, rootio.Field{Name: c.Name, Kind: rootio.Float64})
		if c.Circle != nil {
			s.circles[c.Name] = *c.Circle
		}
		if c.Legal != nil {
			s.legal[c.Name] = c.Legal
		}
	}
	for _, name := range read {
		if s.isGiven(name) && !slices.Contains(s.Given, name) {
			s.Given = append(s.Given, name)
		}
	}
	s.numbers = slices.DeleteFunc(s.numbers, func(f rootio.Field) bool { return s.gone[f.Name] })
	s.Steps = append(s.Steps, next)
	next.Forward(&s.Frame, nil, func(u []float64) { s.options.Uniform(made[0].Name, u) })
}

// round adds the step of a variable whose values are rounded, if they are.
func (s *Search) round(field rootio.Field) {
	if s.cells[field.Name] == nil {
		s.roundSample(field, s.sample(field.Name))
	}
}

// roundSample is round with the sample at hand. It reports whether the values are rounded.
func (s *Search) roundSample(field rootio.Field, sample *column.Sample) bool {
	if !sample.IsContinuous(field, s.options.As[field.Name]) {
		return false
	}
	spikes, rest := sample.WithoutSpikes()
	r := column.FindRounding(field, rest.Values)
	s.addRounding(field.Name, r, spikes, false)
	return r != nil
}

// roundComponent is round for a component of a momentum.
func (s *Search) roundComponent(name string) {
	c, _ := s.table.Column(name)
	s.addRounding(name, column.FindRounding(c.Field, s.sample(name).Values), nil, true)
}

// addRounding adds the step of rounded values, unless r is nil. isComponent says that they are
// a component of a momentum.
func (s *Search) addRounding(name string, r column.Rounding, spikes []column.Spike, isComponent bool) {
	var within *column.Circle
	if c, ok := s.circles[name]; ok {
		within = &c
	}
	var except []float64
	for _, spike := range spikes {
		except = append(except, spike.Value)
	}
	rounded := &step.Rounded{Variable: name, Unbounded: isComponent, Within: within, Except: except}
	switch r := r.(type) {
	case nil:
		return
	case *column.Decimals:
		rounded.Decimals = r
		s.cells[name] = &[2]float64{r.Value(-0.5), r.Value(r.Last + 0.5)}
	case column.Significant:
		rounded.Significant = &r
	case column.Bits:
		rounded.Bits = &r
	}
	if rounded.Decimals == nil { // the cells depend on the value
		_, rest := s.sample(name).WithoutSpikes()
		lo, _ := rounded.Cell(rest.Values[0])
		_, hi := rounded.Cell(rest.Values[len(rest.Values)-1])
		s.cells[name] = &[2]float64{lo, hi}
	}
	s.apply(rounded)
}

// Variable is a branch or a coordinate that is left when all passes are done.
type Variable struct {
	column.Data             // what was rounded is continuous; there is no Sample of an angle
	Legal       *[2]float64 // outside of which values cannot lie; nil: anywhere
}

// Coordinates returns what steps have made, in their order.
func (s *Search) Coordinates() []rootio.Field { return s.coordinates }

// Variable returns a variable, made continuous if its values are rounded, and forgets it. ok
// is false if a step has taken it.
func (s *Search) Variable(field rootio.Field) (v Variable, ok bool) {
	name := field.Name
	if s.gone[name] {
		return v, false
	}
	s.findAngles()
	v = Variable{column.Data{Field: field, Weights: s.weights}, s.legal[name]}
	if c, ok := s.circles[name]; ok {
		v.Circle = &c
		s.round(field)
	} else if v.Sample = s.sample(name); s.cells[name] == nil && s.roundSample(field, v.Sample) {
		v.Sample = s.sample(name)
	}
	v.Values, v.Within = s.load(name), s.cells[name]
	s.Take(name)
	return v, true
}
