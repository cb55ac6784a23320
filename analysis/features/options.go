package features

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/find"
	"github.com/eidolon-hep/eidolon/internal/nearest"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Options say what is known about the columns.
type Options struct {
	// Vectors declare four-vectors, each as name=pt,eta,phi,mass or
	// name=px,py,pz,mass, from the names of branches; the mass may be a number.
	// Whether it is pt, eta, phi (in radians) or px, py, pz is seen in the values:
	// no pt is negative and no azimuth is beyond 2π.
	Vectors []string `json:"vectors,omitempty"`

	// Systems declare sums of vectors, each as name=vector+vector+…. The density is
	// that of the coordinates of the system and its decay (see [System]), so that its
	// mass is learnt.
	Systems []string `json:"systems,omitempty"`

	// As says how branches are treated, by their names, where it is not to be seen
	// in the values: as one of [Treatments].
	As map[string]string `json:"as,omitempty"`

	// Numbers asks for columns that number events, runs or parts of these to be learnt as
	// others are. By default they are not, but for those of As.
	Numbers bool `json:"numbers,omitempty"`

	// Until, where it is not zero, is when looking for relations between columns ends;
	// [Spec.Cut] says of what there was no time for.
	Until time.Time `json:"-"`

	// Plain asks for [Spec.Plain].
	Plain bool `json:"plain,omitempty"`

	// Periodic asks for [Spec.Periodic].
	Periodic bool `json:"periodic,omitempty"`
}

// How columns can be asked to be treated.
const (
	asCodes      = "codes"      // each value is one of a few
	asInteger    = "integer"    // whole numbers
	asContinuous = "continuous" // between edges or with tails, as is seen
	asStandard   = "standard"   // without edges, logarithm or asinh
	asLog        = "log"        // above an edge, or zero
	asAsinh      = "asinh"      // with two heavy tails
	asAngle      = "angle"      // in radians or degrees
)

// Treatments returns what a column can be asked to be treated as.
func Treatments() []string {
	return append([]string{asCodes, asInteger, asContinuous, asStandard, asLog, asAsinh, asAngle}, find.Requests()...)
}

// Check reports whether the options can be understood.
func (o Options) Check() error {
	for name, as := range o.As {
		if !slices.Contains(Treatments(), as) && !find.IsRequest(as) {
			return fmt.Errorf("branch %q cannot be treated as %q, but as %s", name, as, strings.Join(Treatments(), ", "))
		}
	}
	_, err := o.systems()
	return err
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
		circle, flaw := checkAs(c.Field, column.NewSample(x, w), as)
		if flaw != "" {
			return nil, fmt.Errorf("features: branch %q cannot be treated as %s: %s", name, as, flaw)
		}
		if circle != nil {
			circles[name] = *circle
		}
	}
	return circles, nil
}

// checkAs says why the values of a sample cannot be treated as is asked for; "" when they can.
// For an angle it returns the circle.
func checkAs(field rootio.Field, s *column.Sample, as string) (circle *column.Circle, flaw string) {
	if len(s.Values) < 2 {
		return nil, "" // constant, whatever was asked for
	}
	lo, hi := s.Values[0], s.Values[len(s.Values)-1]
	switch as {
	case asCodes:
		if len(s.Values) > column.MaxUneven {
			return nil, fmt.Sprintf("it has %d different values, more than %d", len(s.Values), column.MaxUneven)
		}
	case asInteger:
		if !field.Kind.IsInteger() {
			return nil, fmt.Sprintf("its type is %v", field.Kind)
		}
	case asLog:
		c := Column{Column: column.Column{As: column.Continuous}}
		if c.findEdges(s.Monotone(), lo, hi); c.Low == nil && lo <= 0 {
			return nil, fmt.Sprintf("it has values down to %g, and no edge there", lo)
		}
	case asAngle:
		if s.Missing > 0 {
			return nil, "it has missing values"
		}
		for _, c := range column.Circles {
			if slack := c.Period / 100; lo >= c.Start-slack && hi <= c.Start+c.Period+slack {
				return &c, ""
			}
		}
		return nil, fmt.Sprintf("it goes from %g to %g", lo, hi)
	}
	return nil, ""
}
