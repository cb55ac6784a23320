package task_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/analysis/task"
)

// From a ROOT file to a model, and to new events. Demo writes the file.
func Example() {
	dir, err := os.MkdirTemp("", "task")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	if _, err := task.Demo(ctx, task.DemoOptions{Folder: dir, N: 500, Seed: 1}, task.Progress{}); err != nil {
		log.Fatal(err)
	}

	options := surrogate.Options{Model: "spline", Hidden: 16, Seed: 1}
	options.Train.Epochs = 3
	model, err := task.Train(ctx, task.TrainOptions{
		Inputs:   []string{filepath.Join(dir, "zmumu.root")},
		Features: []string{"mass", "pt", "y"},
		Model:    options,
		Output:   filepath.Join(dir, "pt.eidolon"),
	}, task.Progress{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("learnt:", model.Names())

	seed := uint64(1)
	result, err := task.Generate(ctx, task.GenerateOptions{
		Model:  filepath.Join(dir, "pt.eidolon"),
		N:      1000,
		Seed:   &seed,
		Output: filepath.Join(dir, "new.root"),
	}, task.Progress{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("events:", result.Events)
	// Output:
	// learnt: [mass pt y]
	// events: 1000
}
