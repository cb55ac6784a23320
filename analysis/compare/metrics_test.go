package compare

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// found returns what the metric of a type found.
func found[F Finding](t *testing.T, j *Joint) F {
	t.Helper()
	for _, m := range j.Measured {
		if f, ok := m.Finding.(F); ok {
			return f
		}
	}
	t.Fatalf("nothing of the kind was measured: %+v", j)
	panic("not reached")
}

// TestEveryMetricIsReported goes over the table: what a metric finds is in the text, in the
// page and in the JSON of a report, under keys that no other metric has, with a sentence that says what it means.
func TestEveryMetricIsReported(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	ref, cand := table(rootio.ColumnOf("x", normals(rng, 400, 0))), table(rootio.ColumnOf("x", normals(rng, 400, 0)))
	r := compare(t, ref, cand, Options{})
	if err := r.Measure(t.Context(), ref, cand, ref); err != nil {
		t.Fatal(err)
	}
	var text, page strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteHTML(t.Context(), &page, ref, cand); err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{"columns": "the columns"}
	for i, m := range metrics() {
		if i >= len(r.Joint.Measured) || r.Joint.Measured[i].Name != m.name {
			t.Fatalf("%s is not measured: %+v", m.name, r.Joint.Measured)
		}
		if !strings.Contains(text.String(), "\n"+m.name+": ") || !strings.Contains(page.String(), ">"+m.name+"</td>") || !strings.HasSuffix(m.meaning, ".") {
			t.Errorf("%s is not in the reports:\n%s", m.name, &text)
		}
		data, err := json.Marshal(r.Joint.Measured[i].Finding)
		if err != nil {
			t.Fatal(err)
		}
		var own map[string]any
		if err := json.Unmarshal(data, &own); err != nil || len(own) == 0 {
			t.Fatalf("%s: %s (%v)", m.name, data, err)
		}
		for key := range own {
			if keys[key] != "" {
				t.Errorf("%s and %s have the key %s", m.name, keys[key], key)
			}
			keys[key] = m.name
		}
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Joint map[string]any `json:"joint"`
	}
	if err := json.Unmarshal(data, &report); err != nil || len(report.Joint) != len(keys) {
		t.Errorf("the report has %v (%v), not %v", report.Joint, err, keys)
	}
}
