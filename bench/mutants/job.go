package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/eidolon-hep/eidolon/analysis" // the components
	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/mutate"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// jobFiles are jobs of all components. Each is run for a second at most, in its folder: it may
// rightly ask for more events than that.
var jobFiles = kind{
	name: "job",
	samples: func(dir string) ([]string, error) {
		events := zmumu.Default().Table(1, 0, 200)
		if err := rootio.WriteFile(filepath.Join(dir, "in.root"), "Events", events); err != nil {
			return nil, err
		}
		for name, condition := range map[string][]string{"m.eidolon": nil, "c.eidolon": {"mass"}} {
			tr, err := surrogate.New(context.Background(), events, nil, surrogate.Options{
				Model: "realnvp", Layers: 2, Hidden: 8, Condition: condition, Train: training.Options{Epochs: 1},
			})
			if err != nil {
				return nil, err
			}
			m, err := tr.Run(context.Background())
			if err != nil {
				return nil, err
			}
			if err := m.Save(filepath.Join(dir, name)); err != nil {
				return nil, err
			}
		}
		var files []string
		for i, text := range []string{`msglevel: ERROR
nprocs: 2
components:
  - {name: events, type: TreeReader, props: {Files: [in.root], Where: mass > 80, Batch: 10, Entry: entry}}
  - name: detector
    type: FastSim
    props:
      Model: c.eidolon
      Prefix: fast_
      Entry: entry
      Seed: 3
  - {name: score, type: Score, props: {Model: m.eidolon, Entry: entry}}
  - {name: out, type: TreeWriter, props: {File: out.root, Batch: true, Ports: [fast_pt, {mass: "[]float64"}]}}
  - {name: fit, type: Train, props: {Output: new.eidolon, Ports: [mass, pt], Options: {model: realnvp, hidden: 8, layers: 2, train: {epochs: 1}}}}
`, `{"evtmax": 5, "nprocs": 0, "msglevel": "ERROR", "components": [
 {"name": "source", "type": "Source", "props": {"Model": "m.eidolon", "N": 100, "Seed": 7, "Batch": 20}},
 {"name": "out", "type": "TreeWriter", "props": {"File": "out.root", "Tree": "t", "Batch": true}}]}
`} {
			file := filepath.Join(dir, fmt.Sprintf("job%d.yaml", i))
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				return nil, err
			}
			files = append(files, file)
		}
		return files, nil
	},
	read: func(ctx context.Context, file string) error {
		if err := os.Chdir(filepath.Dir(file)); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		j, err := job.Load(file)
		if err != nil {
			return err
		}
		_, err = j.Run(ctx)
		if err != nil && strings.Contains(err.Error(), "panic") {
			panic(err)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return nil // it was asked for more
		}
		return err
	},
	harms: []harm{
		{"what the file says", func(rng *rand.Rand, b []byte) []byte { return mutate.YAML(rng, b) }},
		{"twice", func(rng *rand.Rand, b []byte) []byte { return mutate.YAML(rng, mutate.YAML(rng, b)) }},
		{"what it says, again", func(rng *rand.Rand, b []byte) []byte { return mutate.YAML(rng, b) }},
	},
}
