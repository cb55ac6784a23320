// Quality measures how good surrogates are.
//
// On densities that are known in closed form it prints KL(truth ‖ model) in nats, on
// fresh events, for each model; where that is a one-step map, which has no density of its
// own, that of its teacher, and how well boosted trees tell the events of both from true ones:
//
//	go run ./bench/quality [-events N] [-only NAME] [-models autoregressive,spline]
//
// On real files it trains on three events of four and prints what a classifier says
// of generated events and the others, the mean log-density of these, and what
// physicists look at:
//
//	go run ./bench/quality -files FOLDER [-only NAME] [-time 5m]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/gonum/floats"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/bench/internal/heldout"
	"github.com/eidolon-hep/eidolon/internal/known"
	"github.com/eidolon-hep/eidolon/rootio"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("quality: ")
	var (
		events = flag.Int("events", 500_000, "how many events of a known density to train on")
		fresh  = flag.Int("fresh", 100_000, "how many events of it to measure on")
		folder = flag.String("files", "", "measure on the ROOT files in this folder instead")
		only   = flag.String("only", "", "only what has this in its name")
		models = flag.String("models", "", "the models (default: autoregressive, spline, realnvp; "+byDefault+": as eidolon train), for files the first (default: as eidolon train)")
		plan   = flag.Bool("plan", false, "print what was decided for a known density")
		limit  = flag.Duration("time", 3*time.Minute, "how long to train at most; 0: no limit")
		o      surrogate.Options
	)
	flag.IntVar(&o.Hidden, "hidden", 0, "width of the hidden layers")
	flag.IntVar(&o.Depth, "depth", 0, "number of hidden layers")
	flag.IntVar(&o.Components, "components", 0, "normals that a flow or a denoiser begins with")
	flag.IntVar(&o.Layers, "layers", 0, "number of coupling layers")
	flag.IntVar(&o.Train.Epochs, "epochs", 0, "passes over the events")
	flag.IntVar(&o.Train.Batch, "batch", 0, "events of a step")
	flag.Float64Var(&o.Train.Decay, "decay", 0, "weight decay")
	flag.Float64Var(&o.Dropout, "dropout", 0, "of the conditioners of a flow")
	flag.BoolVar(&o.Residual, "residual", false, "residual conditioners")
	flag.StringVar(&o.Activation, "activation", "", "of the conditioners of a flow")
	flag.StringVar(&o.Coordinates, "coordinates", "", "of momenta: mixture, best or plain")
	flag.StringVar(&o.Refine, "refine", "", "by boosted trees: auto, off or a number of rounds")
	flag.BoolVar(&o.Features.NoFormulas, "no-formulas", false, "learn columns that follow from others")
	flag.StringVar(&o.Coupling, "coupling", "", "of realnvp: steep, smooth or lecture")
	flag.Float64Var(&o.Train.Rate, "rate", 0, "the highest learning rate")
	flag.Float64Var(&o.Train.Average, "average", 0, "decay of the moving average")
	flag.IntVar(&o.Train.Patience, "patience", 0, "validations without a better loss")
	flag.Uint64Var(&o.Seed, "seed", 1, "the seed of everything random")
	flag.Parse()
	o.Train.MaxTime = *limit
	if *folder != "" {
		o.Model = strings.Split(*models, ",")[0]
		if err := measureFiles(*folder, *only, o); err != nil {
			log.Fatal(err)
		}
		return
	}
	if *models == "" {
		*models = "autoregressive,spline,realnvp"
	}
	fmt.Printf("%-42s %-14s %18s %8s %10s\n", "density", "model", "KL [nats]", "bar", "training")
	for _, d := range known.All() {
		if !strings.Contains(d.Title, *only) && !strings.Contains(d.Name, *only) {
			continue
		}
		for _, model := range strings.Split(*models, ",") {
			if o.Model = model; model == byDefault {
				o.Model = ""
			}
			r, err := measure(d, o, *events, *fresh)
			if err != nil {
				log.Fatalf("%s, %s: %v", d.Name, model, err)
			}
			fmt.Printf("%-42s %-14s %9.4f ± %.4f %8.3f %8.0f s%s\n", d.Title, model, r.kl, r.sigma, bar(d.Name), r.seconds, r.more)
			if *plan {
				fmt.Println("  " + strings.ReplaceAll(r.plan, "\n", "\n  "))
			}
		}
	}
}

// byDefault is the name of the model that is left to the defaults.
const byDefault = "default"

// bar returns the largest allowed KL(truth ‖ spline) of a density, in nats.
func bar(name string) float64 {
	switch name {
	case "mixture20":
		return 0.05
	case "checkerboard":
		return 0.03
	case "resonance":
		return 0.003
	case "decay", "decay_xyz":
		return 0.005
	case "moons", "spirals", "gaussians":
		return 0.01
	}
	return 0.02
}

// result is what was measured: the divergence of a model, its statistical error, how
// long the training took, and what else there is to say.
type result struct {
	kl, sigma, seconds float64
	more, plan         string
}

// measure trains on n events of d.
func measure(d known.Density, o surrogate.Options, n, fresh int) (r result, err error) {
	if o.Uses("max_time") != nil {
		o.Train.MaxTime = 0
	}
	begin := time.Now()
	training, err := surrogate.New(context.Background(), d.Table(1, 0, n), nil, o)
	if err != nil {
		return r, err
	}
	m, err := training.Run(context.Background())
	if err != nil {
		return r, err
	}
	r.seconds, r.plan = time.Since(begin).Seconds(), m.Card.Plan.String()
	if m.Refined != nil {
		r.plan += "\n" + m.Refined.String()
	}
	t := d.Table(2, 0, fresh)
	truth, model := make([]float64, fresh), make([]float64, fresh)
	d.LogDensity(truth, t)
	if err := m.LogDensity(context.Background(), model, t, 0); err != nil {
		return r, err
	}
	floats.Sub(truth, model)
	r.kl, r.sigma = heldout.Mean(truth)
	if teacher, ok := m.Teacher(); ok {
		for _, s := range []*surrogate.Surrogate{m, teacher} {
			events, _, err := heldout.Draw(s, t, o.Seed+1, 1)
			if err != nil {
				return r, err
			}
			auc, err := heldout.Judge(t, events, true)
			if err != nil {
				return r, err
			}
			r.more += fmt.Sprintf("  AUC %.4f ± %.4f", auc.AUC, auc.AUCError)
		}
	}
	if d.Name == "resonance" {
		const times = 4 // as many events, for the error of the width
		events, _, err := heldout.Draw(m, t, o.Seed+1, times)
		if err != nil {
			return r, err
		}
		r.more += peak(d.Table(3, 0, times*fresh), events)
	}
	return r, nil
}

// peak says how the resonance comes out in generated events: the width of the peak, as the distance between the quartiles of the masses within four
// widths of its middle, beside that of true events, and how many events are below the threshold.
func peak(truth, generated *rootio.Table) string {
	const middle, window, threshold = 91.1876, 4 * 2.4952, 20 // GeV
	width := func(t *rootio.Table) float64 {
		pt1, pt2, dphi := values(t, "pt1"), values(t, "pt2"), values(t, "dphi")
		var masses []float64
		for i := range pt1 {
			if m := math.Sqrt(2 * pt1[i] * pt2[i] * (1 - math.Cos(dphi[i]))); math.Abs(m-middle) < window {
				masses = append(masses, m)
			}
		}
		slices.Sort(masses)
		return quantile(0.75, masses) - quantile(0.25, masses)
	}
	below := 0
	pt1, pt2 := values(generated, "pt1"), values(generated, "pt2")
	for i := range pt1 {
		if min(pt1[i], pt2[i]) < threshold {
			below++
		}
	}
	return fmt.Sprintf("  width of the peak %+.1f %%, %d of %d events below the threshold", 100*(width(generated)/width(truth)-1), below, len(pt1))
}
