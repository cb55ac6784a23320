package factor

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/eidolon-hep/eidolon/training"
)

// TestWeightsOfForms checks the weights of two forms and their mean log-densities with a closed form: of
// half of the weight of the events each form is certain, and the other says that they are impossible.
func TestWeightsOfForms(t *testing.T) {
	never := math.Inf(-1)
	trials := []*trial{
		{form{name: "one"}, nil, []float64{1, never, never}},
		{form{name: "other"}, nil, []float64{never, 2, 4}},
		{form{name: "none"}, nil, []float64{never, never, never}},
	}
	e := &ensemble{}
	e.weigh(trials, training.Data{Dim: 1, X: make([]float32, 3), W: []float32{4, 3, 1}})
	if len(e.forms) != 2 {
		t.Fatalf("%d forms have a weight", len(e.forms))
	}
	for k, mean := range []float64{1, 2.5} {
		if f := e.forms[k]; math.Abs(f.Weight-0.5) > 1e-12 || math.Abs(f.LogDensity-mean) > 1e-12 {
			t.Errorf("form %q has the weight %g and the mean log-density %g, want 0.5 and %g", f.Form, f.Weight, f.LogDensity, mean)
		}
	}
	if want := (1+2.5)/2 - math.Ln2; math.Abs(e.together-want) > 1e-12 {
		t.Errorf("together they have the mean log-density %g, want %g", e.together, want)
	}
	if _, err := json.Marshal(e); err != nil {
		t.Errorf("it cannot be described: %v", err)
	}
}
