// Command fastsim checks a fast simulation against the full one on real simulation: it
// trains the response of IceCube's PINGU detector in a job, simulates events that were
// held out in another job, and compares them with the full simulation of the same events.
//
//	go run ./bench/fastsim -i ../shared/data/pingu_gen_reco.root
//
// It prints the AUC of a classifier that sees condition and result, the energy response
// (mean, width, tails) in bins of true energy and flavour with pulls, and the speed.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"time"

	"go-hep.org/x/hep/fwk"
	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/analysis"
	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

var (
	condition = []string{"true_energy", "true_coszen", "pdg", "cc"}
	result    = []string{"reco_energy", "reco_coszen"}
)

func main() {
	log.SetFlags(0)
	input := flag.String("i", "../shared/data/pingu_gen_reco.root", "the full simulation")
	limit := flag.Duration("max-time", 4*time.Minute, "time of the training")
	layers := flag.Int("layers", 6, "coupling layers")
	hidden := flag.Int("hidden", 64, "width of the hidden layers")
	average := flag.Float64("average", 0.999, "decay of the moving average of the parameters")
	batch := flag.Int("batch", 0, "events per step of the training")
	seed := flag.Uint64("seed", 1, "of the training")
	flag.Parse()
	opts := surrogate.Options{Model: "spline", Layers: *layers, Hidden: *hidden, Seed: *seed, Condition: condition}
	opts.Train.MaxTime, opts.Train.Average, opts.Train.Batch = *limit, *average, *batch
	if err := run(*input, opts); err != nil {
		log.Fatal(err)
	}
}

func run(input string, opts surrogate.Options) error {
	dir, err := os.MkdirTemp("", "fastsim")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	learn, held, err := split(input, dir)
	if err != nil {
		return err
	}
	model := filepath.Join(dir, "response.eidolon")
	if err := train(learn, model, opts); err != nil {
		return err
	}
	fast := filepath.Join(dir, "fast.root")
	if err := simulate(held, model, fast, 1000); err != nil {
		return err
	}
	full, err := rootio.ReadFile(context.Background(), "", held)
	if err != nil {
		return err
	}
	drawn, err := rootio.ReadFile(context.Background(), "", fast)
	if err != nil {
		return err
	}
	if err := judge(full, drawn); err != nil {
		return err
	}
	responses(full, drawn)
	return speed(held, model, full.Len())
}

// split writes three events in four, by a fixed hash, to one file and the others to another.
func split(input, dir string) (learn, held string, err error) {
	all, err := rootio.ReadFile(context.Background(), "", input)
	if err != nil {
		return "", "", err
	}
	var places [2][]int
	for i := range all.Len() {
		k := 0
		if philox.Uint64(12, 0, uint64(i))%4 == 0 {
			k = 1
		}
		places[k] = append(places[k], i)
	}
	files := [2]string{filepath.Join(dir, "learn.root"), filepath.Join(dir, "held.root")}
	for k, file := range files {
		t := &rootio.Table{}
		for _, name := range append(slices.Clone(condition), result...) {
			c, ok := all.Column(name)
			if !ok {
				return "", "", fmt.Errorf("%s has no branch %q", input, name)
			}
			t.Columns = append(t.Columns, c.Take(places[k]))
		}
		if err := rootio.WriteFile(file, "Events", t); err != nil {
			return "", "", err
		}
	}
	fmt.Printf("%d events to learn from, %d held out\n", len(places[0]), len(places[1]))
	return files[0], files[1], nil
}

const ours = "github.com/eidolon-hep/eidolon/analysis."

// newApp returns an application with a reader of the file, in batches.
func newApp(file string, batch int) (fwk.App, error) {
	app := fwk.NewApp()
	if err := app.SetProp(app, "MsgLevel", fwk.LvlWarning); err != nil {
		return nil, err
	}
	return app, create(app, "TreeReader", "events", map[string]any{"Files": []string{file}, "Batch": batch, "Entry": "entry"})
}

func create(app fwk.App, typ, name string, props map[string]any) error {
	c, err := app.New(ours+typ, name)
	if err != nil {
		return err
	}
	for k, v := range props {
		if err := app.SetProp(c, k, v); err != nil {
			return err
		}
	}
	return nil
}

func train(file, model string, opts surrogate.Options) error {
	app, err := newApp(file, 1000)
	if err != nil {
		return err
	}
	var ports []fwk.Port
	for _, name := range append(slices.Clone(condition), result...) {
		ports = append(ports, fwk.Port{Name: name})
	}
	if err := create(app, "Train", "fit", map[string]any{"Output": model, "Ports": ports, "Options": opts}); err != nil {
		return err
	}
	start := time.Now()
	if err := job.Run(context.Background(), app); err != nil {
		return err
	}
	m, err := surrogate.Load(model)
	if err != nil {
		return err
	}
	fmt.Printf("trained in %v: %v, validation loss %.4f\n\n", time.Since(start).Round(time.Second), m.Chain, m.Card.History.Best)
	return nil
}

// simulate writes the condition of the events and what the surrogate draws for it.
func simulate(file, model, out string, batch int) error {
	app, err := newApp(file, batch)
	if err != nil {
		return err
	}
	if err := create(app, "FastSim", "detector", map[string]any{"Model": model, "Entry": "entry", "Prefix": "fast_", "Seed": uint64(1)}); err != nil {
		return err
	}
	var ports []fwk.Port
	for _, name := range condition {
		ports = append(ports, fwk.Port{Name: name})
	}
	for _, name := range result {
		ports = append(ports, fwk.Port{Name: "fast_" + name})
	}
	if err := create(app, "TreeWriter", "out", map[string]any{"File": out, "Ports": ports, "Batch": true}); err != nil {
		return err
	}
	return job.Run(context.Background(), app)
}

// judge lets a classifier try to tell the fast simulation from the full one.
func judge(full, fast *rootio.Table) error {
	renamed := &rootio.Table{}
	for i, c := range fast.Columns {
		c.Name = full.Columns[i].Name
		renamed.Columns = append(renamed.Columns, c)
	}
	r, err := classify.CrossFit(context.Background(), classify.Sample{Table: full}, classify.Sample{Table: renamed}, classify.Options{Seed: 1})
	if err != nil {
		return err
	}
	fmt.Printf("classifier of (condition, result), full against fast simulation: AUC %.4f ± %.4f (0.5: cannot be told apart)\n\n", r.AUC, r.AUCError)
	return nil
}

// responses prints reconstructed over true energy in bins of true energy and flavour.
func responses(full, fast *rootio.Table) {
	n := full.Len()
	values := func(t *rootio.Table, name string) []float64 {
		c, _ := t.Column(name)
		x := make([]float64, n)
		c.Floats(x, 0)
		return x
	}
	energy, pdg, cc := values(full, "true_energy"), values(full, "pdg"), values(full, "cc")
	reco, drawn := values(full, "reco_energy"), values(fast, "fast_reco_energy")
	sorted := slices.Clone(energy)
	slices.Sort(sorted)
	const bins = 4
	fmt.Println("energy response, reconstructed over true; pulls are differences in units of their statistical error")
	fmt.Println("flavour  true energy [GeV]  events    mean full  fast  pull    width full  fast  pull    tails full  fast   pull")
	var pulls []float64
	for _, f := range []struct {
		name     string
		pdg, cc  float64
		antialso bool
	}{{"nue CC", 12, 1, true}, {"numu CC", 14, 1, true}, {"nutau CC", 16, 1, true}, {"NC", 0, 0, true}} {
		for b := range bins {
			lo, hi := sorted[b*n/bins], sorted[min(n-1, (b+1)*n/bins)]
			var x, y []float64
			for i, e := range energy {
				if e < lo || e >= hi || cc[i] != f.cc || f.pdg != 0 && math.Abs(pdg[i]) != f.pdg {
					continue
				}
				x, y = append(x, reco[i]/e), append(y, drawn[i]/e)
			}
			if len(x) < 50 {
				continue
			}
			a, b := describe(x, x), describe(y, x)
			p := [3]float64{}
			for k := range p {
				p[k] = (b.value[k] - a.value[k]) / math.Hypot(a.sigma[k], b.sigma[k])
				pulls = append(pulls, p[k])
			}
			fmt.Printf("%-8s %6.1f to %6.1f  %7d    %9.3f %5.3f %5.1f    %10.3f %5.3f %5.1f    %10.4f %6.4f %5.1f\n",
				f.name, lo, hi, len(x), a.value[0], b.value[0], p[0], a.value[1], b.value[1], p[1], a.value[2], b.value[2], p[2])
		}
	}
	chi2, worst := 0.0, 0.0
	for _, p := range pulls {
		chi2 += p * p
		worst = max(worst, math.Abs(p))
	}
	fmt.Printf("%d pulls: χ²/ndf = %.2f, the largest is %.1f\n\n", len(pulls), chi2/float64(len(pulls)), worst)
}

// description is mean, standard deviation and fraction in the tails, with errors.
type description struct{ value, sigma [3]float64 }

// describe describes the responses x; the tails are what is more than two standard
// deviations from the mean of the full simulation.
func describe(x, full []float64) (d description) {
	n := float64(len(x))
	mean, std := stat.MeanStdDev(x, nil)
	centre, width := stat.MeanStdDev(full, nil)
	fourth, out := 0.0, 0.0
	for _, v := range x {
		fourth += math.Pow(v-mean, 4) / n
		if math.Abs(v-centre) > 2*width {
			out++
		}
	}
	d.value = [3]float64{mean, std, out / n}
	d.sigma = [3]float64{
		std / math.Sqrt(n),
		math.Sqrt(max(0, fourth-math.Pow(std, 4))/n) / (2 * std), // of the variance, propagated
		math.Sqrt(max(out, 1)) / n,
	}
	return d
}

// speed runs reader and simulation over the events many times.
func speed(file, model string, n int) error {
	const times = 10
	files := slices.Repeat([]string{file}, times)
	app := fwk.NewApp()
	if err := app.SetProp(app, "MsgLevel", fwk.LvlWarning); err != nil {
		return err
	}
	if err := create(app, "TreeReader", "events", map[string]any{"Files": files, "Batch": 5000, "Entry": "entry"}); err != nil {
		return err
	}
	if err := create(app, "FastSim", "detector", map[string]any{"Model": model, "Entry": "entry", "Prefix": "fast_", "Seed": uint64(1)}); err != nil {
		return err
	}
	start := time.Now()
	if err := job.Run(context.Background(), app); err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	fmt.Printf("%.0f events/s in batches of 5000, reading included, %d processors, %v\n",
		float64(times*n)/seconds, runtime.NumCPU(), reflect.TypeFor[analysis.FastSim]())
	return nil
}
