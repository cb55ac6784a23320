package surrogate

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/known"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// TestSmallSamples checks what is learnt, by default, of a few hundred events without edges: an
// ensemble, by the bars that bench/quality/small says peers are far from, and no event is impossible.
func TestSmallSamples(t *testing.T) {
	testenv.Slow(t, "it trains ensembles")
	for _, c := range []struct {
		density string
		n       int
		bar     float64 // nats
	}{
		{"normal2", 300, 0.03}, {"moons", 500, 0.13}, {"student2", 300, 0.15},
	} {
		d, _ := known.Named(c.density)
		s := train(t, d.Table(5, 0, c.n), nil, Options{Seed: 1})
		if s.Card.Plan.Model != ensembleModel {
			t.Errorf("%s: %s was trained", c.density, s.Card.Plan.Model)
		}
		const fresh = 20_000
		test, p, truth := d.Table(6, 0, fresh), make([]float64, fresh), make([]float64, fresh)
		d.LogDensity(truth, test)
		must(t, s.LogDensity(t.Context(), p, test, 0))
		kl := 0.0
		for i, l := range p {
			kl += (truth[i] - l) / fresh
		}
		if !(kl < c.bar) {
			t.Errorf("%s: of %d events, the divergence is %.4f nats, above %g", c.density, c.n, kl, c.bar)
		}
		if s.CheckMap() == nil {
			t.Errorf("%s: an ensemble is a map", c.density)
		}
		again := filepath.Join(t.TempDir(), "model.eidolon")
		must(t, s.Save(again))
		loaded, err := Load(again)
		must(t, err)
		q := make([]float64, fresh)
		must(t, loaded.LogDensity(t.Context(), q, test, 0))
		if !slices.Equal(p, q) {
			t.Errorf("%s: a loaded ensemble has another density", c.density)
		}
		whole, part := rootio.NewTable(s.Fields(), 3000), rootio.NewTable(s.Fields(), 10)
		generate(t, s, whole, 3, 0)
		generate(t, loaded, part, 3, 2000)
		if !equalTables(part, whole.Slice(2000, 2010)) {
			t.Errorf("%s: events depend on those that are drawn with them", c.density)
		}
	}
}

// TestWhatIsPossibleIsDrawn checks that as many events as the density says are beyond the
// range of a small sample.
func TestWhatIsPossibleIsDrawn(t *testing.T) {
	testenv.Slow(t, "it trains an ensemble")
	d, _ := known.Named("student2")
	sample := &rootio.Table{Columns: d.Table(1, 0, 200).Columns[:1]}
	s := train(t, sample, nil, Options{Seed: 1})
	c := s.Parts[0].Features.Columns[0]
	// The integral of the density beyond the range, and of all, by steps that grow.
	var at, step []float64
	for side := range 2 {
		x, h := c.Max, 1e-3
		for ; x < 1e4; h *= 1.01 {
			if side == 0 {
				at = append(at, x+h/2)
			} else {
				at = append(at, c.Min-(x-c.Max)-h/2)
			}
			step, x = append(step, h), x+h
		}
	}
	beyond := len(at)
	const inner = 20_000
	for i := range inner {
		h := (c.Max - c.Min) / inner
		at, step = append(at, c.Min+(float64(i)+0.5)*h), append(step, h)
	}
	p := make([]float64, len(at))
	must(t, s.LogDensity(t.Context(), p, &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf(c.Name, at)}}, 0))
	outside, all := 0.0, 0.0
	for i, l := range p {
		share := math.Exp(l) * step[i]
		if all += share; i < beyond {
			outside += share
		}
	}
	if math.Abs(all-1) > 1e-3 {
		t.Errorf("the integral of the density is %.5f", all)
	}
	const n = 100_000
	out := rootio.NewTable(s.Fields(), n)
	generate(t, s, out, 1, 0)
	drawn := 0.0
	for _, v := range out.Columns[0].Float64s() {
		if v < c.Min || v > c.Max {
			drawn++
		}
	}
	if want := outside * n; outside < 1e-3 || math.Abs(drawn-want) > 5*math.Sqrt(want) {
		t.Errorf("%.0f of %d events are beyond the range of the sample, the density says %.1f", drawn, n, want)
	}
}

// TestInterruptedEnsemble stops the training of an ensemble: from its checkpoint it goes on to the same
// model, to the bit, and nothing can be made of it before.
func TestInterruptedEnsemble(t *testing.T) {
	d, _ := known.Named("normal2")
	events, file := d.Table(5, 0, 60), filepath.Join(t.TempDir(), "checkpoint")
	opts := Options{Model: ensembleModel, Seed: 1, Refine: RefineOff}
	opts.Train.Epochs = 2
	whole := train(t, events, nil, opts)

	ctx, cancel := context.WithCancel(t.Context())
	tr, err := New(ctx, events, nil, opts)
	must(t, err)
	tr.Progress = func(training.Status) { cancel() }
	tr.CheckpointTo(file, func(err error) { t.Error(err) })
	if _, err := tr.Run(ctx); !errors.Is(err, context.Canceled) || !tr.Checkpointed() {
		t.Fatalf("an interrupt: %v", err)
	}
	paused, err := LoadCheckpoint(file)
	must(t, err)
	if !paused.IsOf(events, nil, opts) {
		t.Error("the checkpoint is of another training")
	}
	tr, err = paused.Finish(t.Context(), events, nil)
	must(t, err)
	if _, err := tr.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "without --finish") {
		t.Errorf("finished: %v", err)
	}
	tr, err = paused.Resume(t.Context(), events, nil)
	must(t, err)
	again, err := tr.Run(t.Context())
	must(t, err)
	p, q := make([]float64, 60), make([]float64, 60)
	must(t, whole.LogDensity(t.Context(), p, events, 0))
	must(t, again.LogDensity(t.Context(), q, events, 0))
	if !slices.Equal(p, q) {
		t.Error("a training that goes on ends elsewhere")
	}
}

// TestMixedEnsembles checks that the coordinates of a small sample are found, each event judging what has learnt from others, and
// that ensembles in two sets of them are a mixture where each set is best for some events: new events are more likely than in
// either.
func TestMixedEnsembles(t *testing.T) {
	testenv.Slow(t, "it trains ensembles")
	of := Options{Seed: 2, Model: ensembleModel, Refine: RefineOff, Train: training.Options{Epochs: 3}}
	peak, continuum := muons(4000, true), muons(4000, false)
	half := func(lo, hi int) *rootio.Table { // of the events from each
		both := &rootio.Table{}
		for j, c := range peak.Columns {
			both.Columns = append(both.Columns, rootio.ColumnOf(c.Name, slices.Concat(c.Float64s()[lo:hi], continuum.Columns[j].Float64s()[lo:hi])))
		}
		return both
	}
	table, fresh := half(0, 450), half(1000, 2000)
	s := train(t, table, nil, of)
	c := s.Card.Plan.Coordinates
	if c == nil || c.HeldOut != table.Len() || len(c.Parts) != 2 || len(s.Parts) != 2 {
		t.Fatalf("there are %d parts, coordinates %+v", len(s.Parts), c)
	}
	p, q := make([]float64, fresh.Len()), make([]float64, fresh.Len())
	must(t, s.LogDensity(t.Context(), p, fresh, 0))
	for k := range s.Parts {
		alone := *s
		alone.Parts = []Part{s.Parts[k]}
		alone.Parts[0].Weight = 1
		must(t, alone.LogDensity(t.Context(), q, fresh, 0))
		if gain, sigma := judges(nil).paired(p, q); !(gain > 3*sigma) {
			t.Errorf("new events are more likely by %.3f ± %.3f nats than by part %d alone", gain, sigma, k)
		}
	}
}
