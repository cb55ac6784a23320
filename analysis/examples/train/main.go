// Command train trains a surrogate in a job of fwk: a reader, a task of the analysis that
// computes one more variable, and a task that learns what flows by.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"path/filepath"
	"reflect"

	"go-hep.org/x/hep/fwk"
	fwkjob "go-hep.org/x/hep/fwk/job"

	_ "github.com/eidolon-hep/eidolon/analysis" // the components
	"github.com/eidolon-hep/eidolon/analysis/examples/internal/demo"
	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/training"
)

func main() {
	dir := flag.String("o", ".", "folder for the files")
	flag.Parse()
	model, err := run(*dir, 20_000)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the surrogate is in", model)
}

// run makes a file of events and learns some of its branches.
func run(dir string, events int) (model string, err error) {
	file, err := demo.Events(dir, events)
	if err != nil {
		return "", err
	}
	const ours = "github.com/eidolon-hep/eidolon/analysis."
	j := fwkjob.New(fwkjob.P{"NProcs": 2, "MsgLevel": fwkjob.MsgLevel("WARN")})
	j.Create(fwkjob.C{Type: ours + "TreeReader", Name: "events", Props: fwkjob.P{"Files": []string{file}}})
	if err := j.App().AddTask(&difference{fwk.NewTask("difference", "difference", j.App())}); err != nil {
		return "", err
	}
	model = filepath.Join(dir, "zmumu.eidolon")
	j.Create(fwkjob.C{Type: ours + "Train", Name: "fit", Props: fwkjob.P{
		"Ports":   []fwk.Port{{Name: "mass"}, {Name: "pt"}, {Name: "deta", Type: reflect.TypeFor[float32]()}},
		"Options": surrogate.Options{Hidden: 32, Seed: 1, Train: training.Options{Epochs: 5}},
		"Output":  model,
	}})
	return model, job.Run(context.Background(), j.App())
}
