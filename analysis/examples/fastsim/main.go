// Command fastsim measures muons in three ways: by a (toy of a) full simulation, by a
// surrogate that has learnt it, and by the parametric smearing of go-hep's fads, on the
// same events.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math"

	"go-hep.org/x/hep/fwk"
	fwkjob "go-hep.org/x/hep/fwk/job"

	_ "github.com/eidolon-hep/eidolon/analysis" // the components
	"github.com/eidolon-hep/eidolon/analysis/examples/internal/demo"
	"github.com/eidolon-hep/eidolon/analysis/job"
)

func main() {
	dir := flag.String("o", ".", "folder for the files")
	flag.Parse()
	responses, err := run(*dir, 50_000, 20_000)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("measured over true pT       mean    width   outside ±15 %")
	for _, r := range responses {
		fmt.Printf("%-25s %6.4f   %6.4f   %5.2f %%\n", r.name, r.h.XMean(), r.h.XStdDev(), 100*r.tails())
	}
}

// run learns the response from some events and simulates others.
func run(dir string, learnt, simulated int) ([]*response, error) {
	model, err := demo.Model(dir, learnt, []string{"response"}, []string{"mu1_pt", "mu1_eta"})
	if err != nil {
		return nil, err
	}
	file, err := demo.Events(dir, simulated)
	if err != nil {
		return nil, err
	}
	const ours = "github.com/eidolon-hep/eidolon/analysis."
	j := fwkjob.New(fwkjob.P{"NProcs": 2, "MsgLevel": fwkjob.MsgLevel("WARN")})
	j.Create(fwkjob.C{Type: ours + "TreeReader", Name: "events", Props: fwkjob.P{"Files": []string{file}}})
	j.Create(fwkjob.C{Type: ours + "FastSim", Name: "surrogate", Props: fwkjob.P{"Model": model, "Prefix": "fast_", "Seed": uint64(1)}})
	j.Create(fwkjob.C{Type: "go-hep.org/x/hep/fads.MomentumSmearing", Name: "fads", Props: fwkjob.P{
		"Input": "muons", "Output": "smeared",
		"Resolution": func(pt, eta float64) float64 { return 0.02 + 0.03*min(1, math.Abs(eta)/2.5) },
	}})
	a := &analyser{TaskBase: fwk.NewTask("analyser", "analyser", j.App())}
	for _, t := range []fwk.Task{&candidates{fwk.NewTask("candidates", "candidates", j.App())}, a} {
		if err := j.App().AddTask(t); err != nil {
			return nil, err
		}
	}
	return a.responses[:], job.Run(context.Background(), j.App())
}
