package features

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// A specification is read step by step, and refused where a step reads, takes or makes what it
// cannot.
func TestSpecificationsThatContradictThemselves(t *testing.T) {
	const one = `{"name":"NAME","kind":"float64","as":"continuous","min":0,"max":1,"std":1}`
	columns := func(names ...string) string {
		var all []string
		for _, name := range names {
			all = append(all, strings.Replace(one, "NAME", name, 1))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	const branches = `[{"name":"x","kind":"float64"},{"name":"y","kind":"float64"},{"name":"z","kind":"float64"}]`
	context := &Context{Columns: []Column{{Column: column.Column{As: column.Constant}}}}
	context.Columns[0].Name, context.Columns[0].Kind = "given", 1
	for _, c := range []struct {
		what, steps, columns string
		given                string
		sound                bool
	}{
		{what: "no steps", columns: columns("x", "y", "z"), sound: true},
		{what: "near another", steps: `{"relative_number":{"variable":"y","to":"x"}}`, columns: columns("x", "z", "y − x"), sound: true},
		{what: "near the condition", steps: `{"relative_number":{"variable":"y","to":"given"}}`, given: `"given"`, columns: columns("x", "z", "y − given"), sound: true},
		{what: "near a branch that there is not", steps: `{"relative_number":{"variable":"y","to":"given"}}`, columns: columns("x", "z", "y − given")},
		{what: "a condition that there is not", given: `"nosuch"`, columns: columns("x", "y", "z")},
		{what: "a condition that is taken", steps: `{"relative_number":{"variable":"given","to":"x"}}`, given: `"given"`, columns: columns("x", "y", "z", "given − x")},
		{what: "a residual of nothing", steps: `{"residual":{"variable":"y","relation":"x cosh y","of":[]}}`, columns: columns("x", "z")},
		{what: "a residual of one", steps: `{"residual":{"variable":"y","relation":"x cosh y","of":["x"]}}`, columns: columns("x", "z")},
		{what: "a residual of what there is not", steps: `{"residual":{"variable":"y","relation":"x cosh y","of":["x","q"]}}`, columns: columns("x", "z")},
		{what: "a residual of itself", steps: `{"residual":{"variable":"y","relation":"x cosh y","of":["x","y"]}}`, columns: columns("x", "z", "y − its value from x, y")},
		{what: "a system of nothing", steps: `{"system":{"name":"s","vectors":[]}}`, columns: columns("x", "y", "z")},
		{what: "a branch that is taken twice", steps: `{"relative_number":{"variable":"y","to":"x"}},{"relative_number":{"variable":"y","to":"z"}}`, columns: columns("x", "z", "y − x")},
		{what: "a branch that is read after it was taken", steps: `{"relative_number":{"variable":"y","to":"x"}},{"relative_number":{"variable":"z","to":"y"}}`, columns: columns("x", "y − x", "z − y")},
		{what: "what there is already", steps: `{"polar":{"x":"x","y":"y"}},{"polar":{"x":"x","y":"y"}}`, columns: columns("z", "pT(x, y)", "φ(x, y)")},
		{what: "a step that makes what it takes", steps: `{"polar":{"x":"x","y":"y","z":"pT(x, y)"}}`, columns: columns("z", "pT(x, y)", "φ(x, y)", "η(x, y, pT(x, y))")},
		{what: "a step that reads numbers of events", steps: `{"relative_number":{"variable":"y","to":"x"}}`, columns: `[{"name":"x","kind":"float64","as":"number"},` + columns("z", "y − x")[1:]},
		{what: "a step that is two", steps: `{"relative_number":{"variable":"y","to":"x"},"polar":{"x":"x","y":"z"}}`, columns: columns("x", "z", "y − x")},
		{what: "a step that is none", steps: `{}`, columns: columns("x", "y", "z")},
		{what: "a lookup of keys that are equal", steps: `{"lookup":{"variable":"y","of":"x","keys":[1,1],"values":[0,0]}}`, columns: columns("x", "z")},
		{what: "a column that is missing", columns: columns("x", "y")},
		{what: "a column that is twice", columns: columns("x", "y", "z", "z")},
		{what: "a column without a name", columns: columns("x", "y", "")},
		{what: "a column without a kind", columns: `[{"name":"x","kind":"float64","max":1,"std":1},` + columns("y", "z")[1:]},
		{what: "codes without proportions", columns: `[{"name":"x","kind":"float64","as":"codes","codes":[1,2],"cumulative":[1]},` + columns("y", "z")[1:]},
		{what: "an angle without a circle", columns: `[{"name":"x","kind":"float64","as":"angle","std":1,"floor":1,"low":0,"high":1,"periodic":true,"spikes":[{"value":1,"fraction":0.1}]},` + columns("y", "z")[1:]},
		{what: "a spline that falls", columns: `[{"name":"x","kind":"float64","as":"continuous","max":1,"std":1,"normal":{"x":[0,1],"y":[1,0],"d":[1,1]}},` + columns("y", "z")[1:]},
		{what: "more spikes than events", columns: `[{"name":"x","kind":"float64","as":"continuous","max":1,"std":1,"spikes":[{"value":0,"fraction":1.5}]},` + columns("y", "z")[1:]},
	} {
		var s Spec
		text := `{"branches":` + branches + `,"steps":[` + c.steps + `],"given":[` + c.given + `],"columns":` + c.columns + `}`
		err := json.Unmarshal([]byte(text), &s)
		if err == nil {
			err = s.Check(context)
		}
		if (err == nil) != c.sound {
			t.Errorf("%s: the error is %v", c.what, err)
		}
	}
}
