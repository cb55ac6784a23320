package analysis_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"

	"go-hep.org/x/hep/fwk"
	fwkjob "go-hep.org/x/hep/fwk/job"

	"github.com/eidolon-hep/eidolon/analysis"
	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// The examples read events of Z → µµ and write to a folder of their own.

func exampleFiles(n int) (dir, events string) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	events = filepath.Join(dir, "zmumu.root")
	table := zmumu.Default().Table(1, 0, n)
	if err := rootio.WriteFile(events, "Events", table); err != nil {
		panic(err)
	}
	return dir, events
}

func entries(file string) int64 {
	tree, err := rootio.Open(context.Background(), "", file)
	if err != nil {
		panic(err)
	}
	defer tree.Close()
	return tree.Len()
}

// A reader and a writer make a copy of some branches of a tree. Beside them a job has the
// tasks of an analysis.
func ExampleTreeReader() {
	dir, events := exampleFiles(1000)
	defer os.RemoveAll(dir)

	j := fwkjob.New(fwkjob.P{"EvtMax": int64(100), "MsgLevel": fwkjob.MsgLevel("WARN")})
	j.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.TreeReader", Name: "events", Props: fwkjob.P{
		"Files": []string{events},
	}})
	j.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.TreeWriter", Name: "out", Props: fwkjob.P{
		"File":  filepath.Join(dir, "out.root"),
		"Ports": []fwk.Port{{Name: "mass"}, {Name: "mu1_pt"}},
	}})
	if err := job.Run(context.Background(), j.App()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(entries(filepath.Join(dir, "out.root")), "entries")
	// Output: 100 entries
}

// A writer that takes batches of entries, without Run: then the types of all ports have to
// be said.
func ExampleTreeWriter() {
	dir, events := exampleFiles(1000)
	defer os.RemoveAll(dir)

	masses := []fwk.Port{{Name: "mass", Type: reflect.TypeFor[[]float64]()}}
	j := fwkjob.New(fwkjob.P{"MsgLevel": fwkjob.MsgLevel("WARN")})
	j.Create(fwkjob.C{Type: "go-hep.org/x/hep/fwk.InputStream", Name: "in", Props: fwkjob.P{
		"Ports": masses, "Streamer": &analysis.TreeReader{Files: []string{events}, Batch: 300},
	}})
	j.Create(fwkjob.C{Type: "go-hep.org/x/hep/fwk.OutputStream", Name: "out", Props: fwkjob.P{
		"Ports": masses, "Streamer": &analysis.TreeWriter{File: filepath.Join(dir, "out.root"), Batch: true},
	}})
	if err := j.App().Run(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(entries(filepath.Join(dir, "out.root")), "entries")
	// Output: 1000 entries
}

// A surrogate is trained in a job, on what flows by.
func ExampleTrain() {
	dir, events := exampleFiles(500)
	defer os.RemoveAll(dir)

	model := filepath.Join(dir, "zmumu.eidolon")
	j := fwkjob.New(fwkjob.P{"MsgLevel": fwkjob.MsgLevel("WARN")})
	j.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.TreeReader", Name: "events", Props: fwkjob.P{
		"Files": []string{events},
	}})
	j.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.Train", Name: "fit", Props: fwkjob.P{
		"Ports":   []fwk.Port{{Name: "mass"}, {Name: "pt"}, {Name: "y"}},
		"Options": surrogate.Options{Layers: 2, Hidden: 16, Train: training.Options{Epochs: 1}},
		"Output":  model,
	}})
	if err := job.Run(context.Background(), j.App()); err != nil {
		fmt.Println(err)
		return
	}
	s, err := surrogate.Load(model)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Names(), "of", s.Card.Events, "events")
	// Output: [mass pt y] of 500 events
}

// exampleModel trains a small surrogate.
func exampleModel(dir string, options surrogate.Options, branches ...string) string {
	all := zmumu.Default().Table(1, 0, 2000)
	table := &rootio.Table{}
	for _, name := range branches {
		c, _ := all.Column(name)
		table.Columns = append(table.Columns, c)
	}
	options.Layers, options.Hidden, options.Train.Epochs, options.Refine = 2, 16, 1, surrogate.RefineOff
	training, err := surrogate.New(context.Background(), table, nil, options)
	if err != nil {
		panic(err)
	}
	s, err := training.Run(context.Background())
	if err != nil {
		panic(err)
	}
	file := filepath.Join(dir, "model.eidolon")
	if err := s.Save(file); err != nil {
		panic(err)
	}
	return file
}

// Events are drawn from a surrogate as if they were read from a file, and scored.
func ExampleSource() {
	dir, _ := exampleFiles(1)
	defer os.RemoveAll(dir)
	model := exampleModel(dir, surrogate.Options{}, "mass", "pt", "y")

	j := fwkjob.New(fwkjob.P{"NProcs": 2, "MsgLevel": fwkjob.MsgLevel("WARN")})
	j.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.Source", Name: "source", Props: fwkjob.P{
		"Model": model, "Seed": uint64(42), "N": int64(10_000), "Batch": 1000,
	}})
	j.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.Score", Name: "score", Props: fwkjob.P{"Model": model}})
	j.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.TreeWriter", Name: "out", Props: fwkjob.P{
		"File": filepath.Join(dir, "out.root"), "Batch": true, // mass, pt, y and log_prob
	}})
	if err := job.Run(context.Background(), j.App()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(entries(filepath.Join(dir, "out.root")), "entries")
	// Output: 10000 entries
}

// A conditional surrogate simulates what a detector makes of each event.
func ExampleFastSim() {
	dir, events := exampleFiles(1000)
	defer os.RemoveAll(dir)
	model := exampleModel(dir, surrogate.Options{Condition: []string{"mass", "y"}}, "mass", "y", "mu1_pt")

	j := fwkjob.New(fwkjob.P{"NProcs": 2, "MsgLevel": fwkjob.MsgLevel("WARN")})
	j.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.TreeReader", Name: "events", Props: fwkjob.P{
		"Files": []string{events}, "Batch": 250, "Entry": "entry",
	}})
	j.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.FastSim", Name: "detector", Props: fwkjob.P{
		"Model": model, "Entry": "entry", "Prefix": "fast_",
	}})
	j.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.TreeWriter", Name: "out", Props: fwkjob.P{
		"File": filepath.Join(dir, "out.root"), "Batch": true,
		"Ports": []fwk.Port{{Name: "mass"}, {Name: "mu1_pt"}, {Name: "fast_mu1_pt"}},
	}})
	if err := job.Run(context.Background(), j.App()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(entries(filepath.Join(dir, "out.root")), "entries")
	// Output: 1000 entries
}

// The log-density of each entry of a file.
func ExampleScore() {
	dir, events := exampleFiles(1000)
	defer os.RemoveAll(dir)
	model := exampleModel(dir, surrogate.Options{}, "mass", "pt", "y")

	j := fwkjob.New(fwkjob.P{"NProcs": 2, "MsgLevel": fwkjob.MsgLevel("WARN")})
	j.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.TreeReader", Name: "events", Props: fwkjob.P{
		"Files": []string{events},
	}})
	j.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.Score", Name: "score", Props: fwkjob.P{
		"Model": model, "Output": "log_density",
	}})
	j.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.TreeWriter", Name: "out", Props: fwkjob.P{
		"File":  filepath.Join(dir, "out.root"),
		"Ports": []fwk.Port{{Name: "mass"}, {Name: "log_density"}},
	}})
	if err := job.Run(context.Background(), j.App()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(entries(filepath.Join(dir, "out.root")), "entries")
	// Output: 1000 entries
}

// Events are mapped to the base distribution of a surrogate, where they are standard normal, and back.
func ExampleMap() {
	dir, events := exampleFiles(1000)
	defer os.RemoveAll(dir)
	model := exampleModel(dir, surrogate.Options{}, "mass", "pt", "y")

	j := fwkjob.New(fwkjob.P{"NProcs": 2, "MsgLevel": fwkjob.MsgLevel("WARN")})
	j.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.TreeReader", Name: "events", Props: fwkjob.P{
		"Files": []string{events}, "Batch": 250,
	}})
	j.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.Map", Name: "forward", Props: fwkjob.P{"Model": model}})
	j.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.Map", Name: "back", Props: fwkjob.P{
		"Model": model, "Inverse": true, "Prefix": "back_",
	}})
	j.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.TreeWriter", Name: "out", Props: fwkjob.P{
		"File": filepath.Join(dir, "out.root"), "Batch": true,
		"Ports": []fwk.Port{{Name: "mass"}, {Name: "y_mass"}, {Name: "log_q"}, {Name: "log_det_J"}, {Name: "back_mass"}},
	}})
	if err := job.Run(context.Background(), j.App()); err != nil {
		fmt.Println(err)
		return
	}
	out, err := rootio.ReadFile(context.Background(), "", filepath.Join(dir, "out.root"))
	if err != nil {
		fmt.Println(err)
		return
	}
	mass, _ := out.Column("mass")
	back, _ := out.Column("back_mass")
	same := 0
	for i, m := range mass.Float64s() {
		if math.Abs(back.Float64s()[i]-m) < 0.001 {
			same++
		}
	}
	fmt.Println(out.Len(), "entries;", same, "masses come back to within 1 MeV")
	// Output: 1000 entries; 1000 masses come back to within 1 MeV
}
