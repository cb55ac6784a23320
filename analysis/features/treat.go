package features

import (
	"fmt"
	"maps"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/find"
	"github.com/eidolon-hep/eidolon/internal/nearest"
	"github.com/eidolon-hep/eidolon/rootio"
)

// shape is a way to map a continuous variable to the whole line, before it is standardised.
type shape struct {
	name string // by which it is asked for

	// fit finds the parameters for a sample, of which the values lie between first and last.
	fit func(c *Column, s *column.Sample, first, last float64)
	// refuse says why a sample cannot be treated so though that is asked for, "" if it can.
	refuse func(s *column.Sample) string
}

// shapes is the table of these. The first is what is done if nothing is asked for.
var shapes = []shape{
	{column.Continuous.String(), (*Column).fitShape, nil},
	{"standard", func(*Column, *column.Sample, float64, float64) {}, nil},
	{"log", (*Column).fitLog, refuseLog},
	{"asinh", func(c *Column, s *column.Sample, _, _ float64) { c.fitAsinh(s) }, nil},
}

// Treatments returns what a column can be asked to be treated as: a kind of columns, or a
// treatment of continuous ones, or what a pass looks for.
func Treatments() []string {
	names := column.Askable()
	for _, s := range shapes[1:] {
		names = append(names, s.name)
	}
	return append(names, find.Requests()...)
}

// asked returns the kind and the shape that a user asks for by one of [Treatments]; the zero kind for
// "".
func asked(name string) (column.Kind, shape) {
	if i := slices.IndexFunc(shapes, func(s shape) bool { return s.name == name }); i >= 0 {
		return column.Asked(name), shapes[i]
	}
	return column.Asked(name), shapes[0]
}

// treat returns the treatment of a variable, as is asked for it or its values say.
func (o Options) treat(v find.Variable) Column {
	as := o.As[v.Field.Name]
	kind, shape := asked(as)
	facts, s := column.Find(v.Data, kind)
	c := Column{Column: facts}
	if s == nil {
		return c
	}
	if o.Standard && as == "" && c.As == column.Continuous && len(c.cells()) == 0 {
		c.fitScale(s)
		c.Normal = Spline{}
		return c
	}
	if c.As == column.Continuous { // other kinds come with their edges
		first, last := s.Values[0], s.Values[len(s.Values)-1]
		if v.Within != nil {
			first, last = v.Within[0], v.Within[1]
		}
		shape.fit(&c, s, first, last)
		c.confine(v.Legal, first, last)
	}
	c.fitScale(s)
	return c
}

// checkValues reports whether the values of branches of t, with the weights w, can be treated as
// is asked for. It returns the circles of those that are angles.
func (o Options) checkValues(t *rootio.Table, w []float64) (circles map[string]column.Circle, err error) {
	circles = map[string]column.Circle{}
	x := make([]float64, t.Len())
	for _, name := range slices.Sorted(maps.Keys(o.As)) {
		as := o.As[name]
		c, ok := t.Column(name)
		if !ok {
			return nil, fmt.Errorf("features: branch %q, to be treated as %s, is not among those to learn%s", name, as, nearest.Hint(name, rootio.Names(t.Fields())))
		}
		c.Floats(x, 0)
		d := column.Data{Field: c.Field, Sample: column.NewSample(x, w)}
		if len(d.Sample.Values) < 2 {
			continue // constant, whatever was asked for
		}
		kind, shape := asked(as)
		flaw := d.Refuse(kind)
		if flaw == "" && shape.refuse != nil {
			flaw = shape.refuse(d.Sample)
		}
		if flaw != "" {
			return nil, fmt.Errorf("features: branch %q cannot be treated as %s: %s", name, as, flaw)
		}
		if d.Circle != nil {
			circles[name] = *d.Circle
		}
	}
	return circles, nil
}
