// Command lecture goes through the five systems of docs/lecture.md in Go: a Real NVP and its map,
// reverse-time diffusion by kernel sums, its solvers, a one-step map that is learnt from it, and a
// classifier that turns one density into another. All of them learn two moons, whose density is
// known, so that it prints how far each of them is from the truth.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"os"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/internal/known"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

func main() {
	n := flag.Int("n", 20_000, "events to learn from")
	flag.Parse()
	if err := (&lecture{out: os.Stdout}).run(context.Background(), *n); err != nil {
		log.Fatal(err)
	}
}

// lecture has the events of two moons.
type lecture struct {
	out           io.Writer
	density       known.Density
	events, fresh *rootio.Table // to learn from, and to judge by
}

func (l *lecture) run(ctx context.Context, n int) error {
	l.density, _ = known.Named("moons")
	l.events, l.fresh = l.density.Table(1, 0, n), l.density.Table(1, uint64(n), n/2)

	flow, err := l.flow(ctx)
	if err != nil {
		return err
	}
	if err := l.diffusion(ctx); err != nil {
		return err
	}
	if err := l.oneStep(ctx); err != nil {
		return err
	}
	return l.ratio(ctx, flow)
}

// train learns the events.
func (l *lecture) train(ctx context.Context, o surrogate.Options) (*surrogate.Surrogate, error) {
	o.Seed, o.Refine = 1, surrogate.RefineOff // the ratio is system 5
	training, err := surrogate.New(ctx, l.events, nil, o)
	if err != nil {
		return nil, err
	}
	return training.Run(ctx)
}

// tell prints KL(truth ‖ model), the mean of log p_truth − log p_model over fresh events.
func (l *lecture) tell(ctx context.Context, name string, model *surrogate.Surrogate) error {
	truth, learnt := make([]float64, l.fresh.Len()), make([]float64, l.fresh.Len())
	l.density.LogDensity(truth, l.fresh)
	if err := model.LogDensity(ctx, learnt, l.fresh, 0); err != nil {
		return err
	}
	floats.Sub(truth, learnt)
	kl, std := stat.MeanStdDev(truth, nil)
	_, err := fmt.Fprintf(l.out, "%s: KL %.4f ± %.4f nats\n", name, kl, stat.StdErr(std, float64(len(truth))))
	return err
}

// flow is system 1: log p(x) = log q(y) + log|det J|, y = f(x).
func (l *lecture) flow(ctx context.Context) (*surrogate.Surrogate, error) {
	model, err := l.train(ctx, surrogate.Options{Model: "realnvp", Train: training.Options{Epochs: 30}})
	if err != nil {
		return nil, err
	}
	few := l.fresh.Slice(0, min(1000, l.fresh.Len()))
	image, err := model.Forward(ctx, few, 0)
	if err != nil {
		return nil, err
	}
	back := rootio.NewTable(model.Fields(), few.Len())
	if err := model.Inverse(ctx, back, image.Y, nil, 0); err != nil {
		return nil, err
	}
	worst := 0.0
	for j, c := range few.Columns {
		worst = max(worst, floats.Distance(c.Float64s(), back.Columns[j].Float64s(), math.Inf(1)))
	}
	fmt.Fprintf(l.out, "the map has the layers %v; |x − f⁻¹(f(x))| is at most %.1g\n", model.Layers(), worst)
	return model, l.tell(ctx, "Real NVP", model)
}

// diffusion are the systems 2 and 3: dx/dt = λ x + µ q(t, x) with q from sums over K events, and how the
// equation is solved.
func (l *lecture) diffusion(ctx context.Context) error {
	for _, k := range []int{300, l.events.Len() / 2} {
		model, err := l.train(ctx, surrogate.Options{Model: "diffusion", Diffusion: surrogate.DiffusionOptions{KernelEvents: k}})
		if err != nil {
			return err
		}
		if err := l.tell(ctx, fmt.Sprintf("kernel sums, K = %d", k), model); err != nil {
			return err
		}
		if err := l.solvers(ctx, model); err != nil {
			return err
		}
	}
	return nil
}

// solvers draws the same events by several solvers, and prints how far they are from those of many steps.
func (l *lecture) solvers(ctx context.Context, model *surrogate.Surrogate) error {
	draw := func(o diffusion.SolverOptions) ([]float64, error) {
		if err := model.SetSolver(o); err != nil {
			return nil, err
		}
		t := rootio.NewTable(model.Fields(), 200)
		_, err := model.Generate(ctx, t, nil, 1, 0)
		return t.Columns[0].Float64s(), err
	}
	exact, err := draw(diffusion.SolverOptions{Order: 3, Steps: 300})
	if err != nil {
		return err
	}
	for _, o := range []diffusion.SolverOptions{{Method: "euler", Steps: 24}, {Order: 1, Steps: 24}, {Order: 3, Steps: 24}} {
		x, err := draw(o)
		if err != nil {
			return err
		}
		fmt.Fprintf(l.out, "  solver %v: off by %.1g in the mean\n", model.Solver(), floats.Distance(x, exact, 1)/float64(len(x)))
	}
	return nil
}

// oneStep is system 4: a network that is trained on pairs (y, x) of the equation.
func (l *lecture) oneStep(ctx context.Context) error {
	model, err := l.train(ctx, surrogate.Options{
		Model: "distilled", Hidden: 64, Diffusion: surrogate.DiffusionOptions{Teacher: "diffusion", KernelEvents: l.events.Len() / 2}, Train: training.Options{Epochs: 50},
	})
	if err != nil {
		return err
	}
	t := rootio.NewTable(model.Fields(), l.fresh.Len())
	if _, err := model.Generate(ctx, t, nil, 1, 0); err != nil {
		return err
	}
	judged, err := classify.CrossFit(ctx, classify.Sample{Table: l.fresh}, classify.Sample{Table: t}, classify.Options{Trees: true})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(l.out, "one-step map: AUC %.3f ± %.3f of boosted trees\n", judged.AUC, judged.AUCError)
	return err
}

// ratio is system 5: p(x|1) = p(x|0) C/(1−C), p(x|0) being the density of a flow.
func (l *lecture) ratio(ctx context.Context, flow *surrogate.Surrogate) error {
	zero := rootio.NewTable(flow.Fields(), l.events.Len())
	if _, err := flow.Generate(ctx, zero, nil, 2, 0); err != nil {
		return err
	}
	ratio, _, err := classify.Fit(ctx, classify.Sample{Table: zero}, classify.Sample{Table: l.events}, classify.Options{Seed: 1})
	if err != nil {
		return err
	}
	if err := flow.Refine(ctx, ratio); err != nil {
		return err
	}
	return l.tell(ctx, "Real NVP × C/(1 − C)", flow)
}
