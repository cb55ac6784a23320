package analysis_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/internal/mutate"
	"github.com/eidolon-hep/eidolon/internal/panics"
)

// However a job file is damaged, the job runs or ends with an error in a line.
func TestDamagedJobs(t *testing.T) {
	plain, conditional := models()
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "in.root", sample(100))
	text := `msglevel: ERROR
evtmax: -1
nprocs: 2
components:
  - {name: events, type: TreeReader, props: {Files: [in.root], Batch: 10, Entry: entry}}
  - name: detector
    type: FastSim
    props:
      Model: ` + conditional + `
      Prefix: fast_
      Entry: entry
      Seed: 3
  - {name: score, type: Score, props: {Model: ` + plain + `, Entry: entry}}
  - {name: out, type: TreeWriter, props: {File: out.root, Batch: true, Ports: [fast_pt, {mass: "[]float64"}]}}
`
	for i := range 200 {
		rng := rand.New(rand.NewPCG(8, uint64(i)))
		bad := mutate.YAML(rng, []byte(text))
		if i%4 == 0 {
			bad = []byte(text)
			bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
		}
		file := jobFile(t, dir, string(bad))
		start := time.Now()
		err := within(t, func() error {
			return panics.Guard(func() error {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // a job may ask for very many events
				defer cancel()
				j, err := job.Load(file)
				if err == nil {
					_, err = j.Run(ctx)
				}
				return err
			})
		})
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("mutant %d takes %v: %.300q", i, took, bad)
		}
		if err != nil && (strings.Contains(err.Error(), "panic") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("mutant %d: %v: %.300q", i, err, bad)
		}
	}
}

// What no job can mean is refused, with the limit.
func TestLimitsOfJobs(t *testing.T) {
	plain, _ := models()
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "in.root", sample(10))
	out := "  - {name: out, type: TreeWriter, props: {File: out.root, Batch: true}}\n"
	reader := "components:\n  - {name: events, type: TreeReader, props: {Files: [in.root], Batch: 10}}\n"
	for text, texts := range map[string][]string{
		"nprocs: 1000000000\n" + reader + out:                              {"NProcs", "1000000000", "1024"},
		"evtmax: 9223372036854775807\n" + reader + out:                     {"EvtMax", "1000000000000"},
		strings.Replace(reader, "Batch: 10", "Batch: 1000000000", 1) + out: {`"events"`, "1000000000", "1048576"},
		"components:\n  - {name: source, type: Source, props: {Model: " + plain + ", N: 9000000000000000000, Batch: 10}}\n" + out:                                                                                                                               {`"source"`, "1000000000000"},
		"components:\n  - {name: source, type: Source, props: {Model: " + plain + ", N: 10, Batch: 1000000000}}\n" + out:                                                                                                                                        {`"source"`, "1048576"},
		"a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n" + reader + out: {"aliases", "100000"},
	} {
		j, err := job.Load(jobFile(t, dir, text))
		if err == nil {
			_, err = j.Run(t.Context())
		}
		complains(t, err, texts...)
	}
}
