package analysis_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/rootio"
)

func jobFile(t *testing.T, dir, text string) string {
	t.Helper()
	file := filepath.Join(dir, "job.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// A job in YAML and the same in JSON do what they say.
func TestJob(t *testing.T) {
	_, model := models()
	dir := t.TempDir()
	t.Chdir(dir)
	given := sample(500)
	write(t, "in.root", given)
	s := load(t, model)
	want := rootio.NewTable(s.Fields(), 300)
	if _, err := s.Generate(t.Context(), want, given.Slice(0, 300), 8, 0); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`
evtmax: 300
nprocs: 2
components:
  - name: events
    type: TreeReader
    props: {Files: [in.root], Batch: 100, Entry: entry}
  - name: detector
    type: analysis.FastSim
    props:
      Model: %s
      Prefix: fast_
      Entry: entry
      Seed: 3
  - name: out
    type: github.com/eidolon-hep/eidolon/analysis.TreeWriter
    props: {File: out.root, Batch: true, Ports: [fast_pt, {fast_mu1_pt: "[]float32"}]}
`, `{"evtmax": 300, "nprocs": 0, "components": [
 {"name": "out", "type": "TreeWriter", "props": {"File": "out.root", "Batch": true, "Ports": {"fast_mu1_pt": "[]float32", "fast_pt": "[]float64"}}},
 {"name": "events", "type": "TreeReader", "props": {"Files": ["in.root"], "Batch": 100, "Entry": "entry"}},
 {"name": "detector", "type": "FastSim", "props": {"Model": "%s", "Prefix": "fast_", "Entry": "entry", "Seed": 3}}]}`} {
		j, err := job.Load(jobFile(t, dir, fmt.Sprintf(text, model)))
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Set("detector.Seed=8"); err != nil {
			t.Fatal(err)
		}
		events, err := j.Run(t.Context())
		if err != nil || events != 300 {
			t.Fatalf("%d events, %v", events, err)
		}
		got := read(t, "out.root")
		for _, c := range want.Columns {
			column, ok := got.Column("fast_" + c.Name)
			if !ok || !reflect.DeepEqual(column.Values(), c.Values()) {
				t.Errorf("column %q is not that of Generate", c.Name)
			}
		}
	}
}
