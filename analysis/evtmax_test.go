package analysis_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/rootio"
)

// A job counts events, however many of them are read at a time: the limit, the number that it
// returns, and those in errors are of events.
func TestEventsAreCounted(t *testing.T) {
	const n = 1000
	dir := t.TempDir()
	in := zmumuFile(t, n)
	all := read(t, in)
	model, _ := models()
	passing := 0
	mass, _ := all.Column("mass")
	for _, v := range mass.Float64s() {
		if v > 91 {
			passing++
		}
	}
	if passing < 200 || passing > 800 {
		t.Fatalf("%d of %d events pass the selection", passing, n)
	}
	for input, there := range map[string]int{
		fmt.Sprintf("{type: TreeReader, name: in, props: {Files: [%s], Ports: [mass], Batch: %%d}}", in):                   n,
		fmt.Sprintf("{type: TreeReader, name: in, props: {Files: [%s], Ports: [mass], Where: mass > 91, Batch: %%d}}", in): passing,
		fmt.Sprintf("{type: Source, name: in, props: {Model: %s, Seed: 1, N: %d, Batch: %%d}}", model, n):                  n,
	} {
		for _, batch := range []int{0, 64, 5000} {
			var want *rootio.Table
			for _, most := range []int{-1, 130, 1, 0} {
				for _, nprocs := range []int{0, 3} {
					out := filepath.Join(dir, "out.root")
					file := filepath.Join(dir, "job.yaml")
					text := fmt.Sprintf("evtmax: %d\nnprocs: %d\ncomponents:\n  - "+input+"\n  - {type: TreeWriter, name: out, props: {File: %s, Batch: %v}}\n", most, nprocs, batch, out, batch > 0)
					if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
					j, err := job.Load(file)
					if err != nil {
						t.Fatal(err)
					}
					events, err := j.Run(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					expected := there
					if most >= 0 {
						expected = min(most, there)
					}
					if most == 0 { // there is nothing to read
						if events != 0 {
							t.Fatalf("%s: %d events were counted", text, events)
						}
						continue
					}
					got := read(t, out)
					if int(events) != expected || got.Len() != expected {
						t.Fatalf("%s: %d events were counted and %d written, want %d", text, events, got.Len(), expected)
					}
					if want == nil {
						want = got
					}
					equal(t, got, want.Slice(0, expected))
				}
			}
		}
	}
	for batch, says := range map[int]string{0: "event 200: ", 50: "events 200 to 249: "} {
		app := newApp(t, -1, 2)
		create(t, app, ours+"TreeReader", "in", props{"Files": []string{in}, "Batch": batch})
		create(t, app, massType, "mass", props{"Batch": batch > 0, "Fault": func(id int64) error {
			if id*int64(max(batch, 1)) == 200 {
				return errors.New("no luck")
			}
			return nil
		}})
		complains(t, job.Run(t.Context(), app), says, `"mass"`, "no luck")
	}
}
