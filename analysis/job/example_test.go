package job_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	_ "github.com/eidolon-hep/eidolon/analysis" // the components
	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
)

// A job that copies two branches of a tree. The names of its files are set by the program.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	events, copied := filepath.Join(dir, "zmumu.root"), filepath.Join(dir, "out.root")
	if err := rootio.WriteFile(events, "Events", zmumu.Default().Table(1, 0, 1000)); err != nil {
		log.Fatal(err)
	}
	file := filepath.Join(dir, "job.yaml")
	if err := os.WriteFile(file, []byte(`
nprocs: 2
components:
  - name: events
    type: TreeReader
    props: {Batch: 100}
  - name: out
    type: TreeWriter
    props: {Batch: true, Ports: [mass, pt]}
`), 0o644); err != nil {
		log.Fatal(err)
	}

	j, err := job.Load(file)
	if err != nil {
		log.Fatal(err)
	}
	for _, set := range []string{"events.Files=[" + events + "]", "out.File=" + copied} {
		if err := j.Set(set); err != nil {
			log.Fatal(err)
		}
	}
	n, err := j.Run(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	t, err := rootio.ReadFile(context.Background(), "", copied)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, "events,", t.Len(), "entries of", t.Columns[0].Name, "and", t.Columns[1].Name)
	// Output: 1000 events, 1000 entries of mass and pt
}
