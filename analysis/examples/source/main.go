// Command source is an analysis of generated events: it draws them from a surrogate, as if
// they were read from a file, and makes a histogram of them.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"path/filepath"

	"go-hep.org/x/hep/fwk"
	fwkjob "go-hep.org/x/hep/fwk/job"
	"go-hep.org/x/hep/hbook"
	"go-hep.org/x/hep/hplot"
	"gonum.org/v1/plot/vg"

	_ "github.com/eidolon-hep/eidolon/analysis" // the components
	"github.com/eidolon-hep/eidolon/analysis/examples/internal/demo"
	"github.com/eidolon-hep/eidolon/analysis/job"
)

func main() {
	dir := flag.String("o", ".", "folder for the files")
	flag.Parse()
	h, err := run(*dir, 20_000, 100_000)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d events, mean mass %.1f GeV; see mass.png\n", h.Entries(), h.XMean())
}

// run trains a surrogate on some events and makes a histogram of the mass of others.
func run(dir string, learnt, drawn int) (*hbook.H1D, error) {
	model, err := demo.Model(dir, learnt, []string{"mass", "pt", "y"}, nil)
	if err != nil {
		return nil, err
	}
	j := fwkjob.New(fwkjob.P{"NProcs": 2, "MsgLevel": fwkjob.MsgLevel("WARN")})
	j.Create(fwkjob.C{Type: "github.com/eidolon-hep/eidolon/analysis.Source", Name: "source", Props: fwkjob.P{
		"Model": model, "Seed": uint64(1), "N": int64(drawn), "Batch": 1000,
	}})
	h := &histogram{TaskBase: fwk.NewTask("histogram", "mass", j.App()), h: hbook.NewH1D(60, 60, 120)}
	if err := j.App().AddTask(h); err != nil {
		return nil, err
	}
	if err := job.Run(context.Background(), j.App()); err != nil {
		return nil, err
	}
	p := hplot.New()
	p.X.Label.Text, p.Y.Label.Text = "mass of the muon pair [GeV]", "events per GeV"
	p.Add(hplot.NewH1D(h.h))
	return h.h, p.Save(15*vg.Centimeter, 10*vg.Centimeter, filepath.Join(dir, "mass.png"))
}
