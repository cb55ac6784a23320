package analysis_test

import (
	"fmt"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/internal/origin"
	"github.com/eidolon-hep/eidolon/rootio"
)

// A job without seeds draws them, and its output says which they were: with these the
// events are the same again.
func TestSeedIsDrawn(t *testing.T) {
	plain, conditional := models()
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "in.root", sample(50))
	for name, first := range map[string]string{
		"Source":  "{name: model, type: Source, props: {Model: " + plain + ", N: 50}}",
		"FastSim": "{name: events, type: TreeReader, props: {Files: [in.root]}}\n  - {name: model, type: FastSim, props: {Prefix: fast_, Model: " + conditional + "}}",
	} {
		text := "msglevel: ERROR\ncomponents:\n  - " + first + "\n  - {name: out, type: TreeWriter, props: {File: out.root}}\n"
		run := func(set ...string) (*rootio.Table, *origin.Origin) {
			t.Helper()
			j, err := job.Load(jobFile(t, dir, text))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range set {
				if err := j.Set(s); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := j.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			from, err := origin.Of(t.Context(), "out.root")
			if err != nil || from == nil || from.Seed == nil || from.Component != "model" || len(from.SHA256) != 64 || from.Job != filepath.Join(dir, "job.yaml") {
				t.Fatalf("%s: the output comes from %+v, %v", name, from, err)
			}
			return read(t, "out.root"), from
		}
		a, from := run()
		b, other := run()
		if *from.Seed == *other.Seed || reflect.DeepEqual(a, b) {
			t.Errorf("%s: two jobs have the seeds %d and %d, and the same events: %v", name, *from.Seed, *other.Seed, reflect.DeepEqual(a, b))
		}
		again, _ := run(fmt.Sprintf("model.Seed=%d", *from.Seed))
		equal(t, again, a)
	}
}
