// Command jobs runs jobs with two writers, with 0, 1, 2 and 8 events at a time, and counts
// those whose outputs hold all events, in order.
//
//	go run ./bench/jobs [-n 100]
//
// It leaves with 1 if one was not right.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"time"

	_ "github.com/eidolon-hep/eidolon/analysis" // the components
	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
)

const text = `
components:
  - {name: events, type: TreeReader, props: {Files: [%s], Batch: 10}}
  - {name: first, type: TreeWriter, props: {File: %s, Batch: true, Ports: [mu1_pt]}}
  - {name: second, type: TreeWriter, props: {File: %s, Batch: true, Ports: [mu1_eta]}}
`

// longest is how long a job may run.
const longest = 30 * time.Second

func main() {
	n := flag.Int("n", 100, "jobs for each number of events at a time")
	flag.Parse()
	dir, err := os.MkdirTemp("", "jobs")
	if err == nil {
		err = all(*n, dir)
		_ = os.RemoveAll(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func all(n int, dir string) error {
	name := func(file string) string { return filepath.Join(dir, file) }
	events := zmumu.Default().Table(1, 0, 200)
	if err := rootio.WriteFile(name("in.root"), "Events", events); err != nil {
		return err
	}
	filled := fmt.Sprintf(text, name("in.root"), name("first.root"), name("second.root"))
	if err := os.WriteFile(name("job.yaml"), []byte(filled), 0o644); err != nil {
		return err
	}
	wrong := 0
	for _, nprocs := range []int{0, 1, 2, 8} {
		right := 0
		for range n {
			if err := one(name, nprocs, events); err != nil {
				fmt.Printf("%d events at a time: %v\n", nprocs, err)
			} else {
				right++
			}
		}
		fmt.Printf("%d events at a time: %d of %d jobs right\n", nprocs, right, n)
		wrong += n - right
	}
	if wrong > 0 {
		return fmt.Errorf("%d jobs were wrong", wrong)
	}
	return nil
}

// one runs the job once and compares its outputs with the events.
func one(name func(string) string, nprocs int, events *rootio.Table) error {
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	j, err := job.Load(name("job.yaml"))
	if err != nil {
		return err
	}
	j.NProcs = nprocs
	if _, err := j.Run(ctx); err != nil {
		return err
	}
	for file, column := range map[string]string{"first.root": "mu1_pt", "second.root": "mu1_eta"} {
		got, err := rootio.ReadFile(ctx, "", name(file))
		if err != nil {
			return err
		}
		want, _ := events.Column(column)
		if len(got.Columns) != 1 || !reflect.DeepEqual(got.Columns[0].Values(), want.Values()) {
			return fmt.Errorf("%s does not hold all events in order", file)
		}
		if err := os.Remove(name(file)); err != nil {
			return err
		}
	}
	return nil
}
