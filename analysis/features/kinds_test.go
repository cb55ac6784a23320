package features

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/rootio"
)

// ofKind has values of which a column is of each kind.
var ofKind = map[column.Kind]struct {
	kind  rootio.Kind
	value func(r *rand.Rand) float64
	as    string // what is asked for, where it is not recognised
}{
	column.Constant:   {rootio.Int32, func(*rand.Rand) float64 { return 7 }, ""},
	column.Codes:      {rootio.Int32, func(r *rand.Rand) float64 { return []float64{-13, -11, 11, 13}[r.IntN(4)] }, ""},
	column.Integer:    {rootio.Int32, func(r *rand.Rand) float64 { return float64(r.IntN(5000)) - 77 }, ""},
	column.Count:      {rootio.Int32, hits, "count"},
	column.Angle:      {rootio.Float64, func(r *rand.Rand) float64 { return math.Pi * (2*r.Float64() - 1) }, ""},
	column.Continuous: {rootio.Float64, func(r *rand.Rand) float64 { return r.ExpFloat64() }, ""},
}

// TestKinds checks for each kind of column that a value comes back from its feature, that log|det|
// is the slope, and that the model file keeps the specification.
func TestKinds(t *testing.T) {
	for _, k := range column.Kinds() {
		if k == column.Number {
			continue // what becomes of these is decided before: see TestNumbers
		}
		e, ok := ofKind[k]
		if !ok {
			t.Errorf("there is no example of the kind %s", k)
			continue
		}
		table := &rootio.Table{Columns: []rootio.Column{columnOf(e.kind, draw(20000, e.value)), rootio.ColumnOf("y", draw(20000, distributions["normal"]))}}
		opts := Options{}
		if e.as != "" {
			opts.As = map[string]string{"x": e.as}
		}
		s, err := Fit(t.Context(), table, nil, opts)
		if err != nil {
			t.Errorf("%s: %v", k, err)
			continue
		}
		c := &s.Columns[0]
		if c.As != k {
			t.Errorf("%s: treated as %s", k, c.Describe())
			continue
		}
		var again Spec
		if text, err := json.Marshal(s); err != nil {
			t.Errorf("%s: %v", k, err)
		} else if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(again.Columns, s.Columns) {
			t.Errorf("%s: of %+v a file keeps %+v (%v)", k, s.Columns[0], again.Columns[0], err)
		}
		if err := again.Check(&Context{}); err != nil {
			t.Errorf("%s: %v", k, err)
		}
		before, after, _ := roundTrip(t, s, table)
		for i, v := range before[0] {
			if d := math.Abs(after[0][i] - v); d > 1e-5*(1+math.Abs(v)) || d > 0 && k != column.Angle && k != column.Continuous {
				t.Fatalf("%s: %g comes back as %g", k, v, after[0][i])
			}
		}
		if !c.As.IsLearnt() {
			continue
		}
		r := rand.New(rand.NewPCG(5, 3))
		for range 300 {
			x, u := e.value(r), 0.1+0.8*r.Float64()
			const h = 1e-6 // of the deviate, where that matters, or of the value
			dx, du := h, 0.0
			if c.IsNoisy() {
				dx, du = 0, h
			}
			_, logDet := c.encode(x, u)
			above, _ := c.encode(x+dx, u+du)
			below, _ := c.encode(x-dx, u-du)
			if got, want := (above-below)/(2*h), math.Exp(logDet); math.Abs(got-want) > 1e-4*want+1e-6 {
				t.Fatalf("%s: the slope at %g is %g, not %g", k, x, got, want)
			}
		}
	}
}
