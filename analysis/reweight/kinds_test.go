package reweight

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/compare"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
)

func draw(seed uint64, n int, f func(rng *rand.Rand) float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 9))
	x := make([]float64, n)
	for i := range x {
		x[i] = f(rng)
	}
	return x
}

func of(x []float64, w ...float64) classify.Sample {
	return classify.Sample{Table: &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x)}}, Weights: w}
}

func uniform(lo, hi float64) func(rng *rand.Rand) float64 {
	return func(rng *rand.Rand) float64 { return lo + (hi-lo)*rng.Float64() }
}

func quick(folds int) Options {
	return Options{Classify: classify.Options{Columns: []string{"x"}, Folds: folds, Hidden: 16, Seed: 1}}
}

// A part of the target where the source has nothing is said, with where.
func TestSupportOutOfReach(t *testing.T) {
	source, target := of(draw(1, 1500, uniform(0, 1))), of(draw(2, 1500, uniform(0, 1.5)))
	w, err := Fit(context.Background(), source, target, quick(2))
	if err != nil {
		t.Fatal(err)
	}
	if len(w.OutOfReach) != 1 || math.Abs(w.OutOfReach[0].Fraction-1/3.) > 0.05 || len(w.OutOfReach[0].Gaps) != 1 || math.Abs(w.OutOfReach[0].Gaps[0].Low-1) > 0.02 {
		t.Fatalf("%+v", w.OutOfReach)
	}
	c, err := w.Close(context.Background(), source, target, quick(2))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := w.WriteText(&b, c); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"(x above", "no weight mends that", "told apart, p"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, &b)
		}
	}
}

// Without any overlap the error comes before the training and says where.
func TestNoOverlap(t *testing.T) {
	code := func(values ...int32) classify.Sample {
		x := make([]int32, 900)
		for i := range x {
			x[i] = values[i%len(values)]
		}
		return classify.Sample{Table: &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x)}}}
	}
	for _, c := range []struct {
		source, target classify.Sample
		says           string
	}{
		{of(draw(1, 900, uniform(0, 1))), of(draw(2, 900, uniform(2, 3))), "x above 0.99"},
		{of(draw(1, 900, uniform(2, 3))), of(draw(2, 900, uniform(0, 1))), "x below 2.0"},
		{code(1, 2), code(7, 9), "(7, 9)"},
	} {
		if _, err := Fit(context.Background(), c.source, c.target, quick(5)); !errors.Is(err, ErrNoOverlap) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v", err)
		}
	}
	w, err := Fit(context.Background(), code(1, 2), code(1, 2, 7), quick(2))
	if err != nil || len(w.OutOfReach) != 1 || len(w.OutOfReach[0].Codes) != 1 || w.OutOfReach[0].Codes[0] != 7 {
		t.Errorf("%v, %+v", err, w.OutOfReach)
	}
}

// Nothing is out of reach of samples that cover each other, however their events lie.
func TestNoGapsByChance(t *testing.T) {
	for seed := range uint64(200) {
		exponential := func(rng *rand.Rand) float64 { return rng.ExpFloat64() }
		source, target := of(draw(2*seed, 500, exponential)), of(draw(2*seed+1, 1000, exponential))
		if found := outOfReach(t.Context(), source, target, []string{"x"}); found != nil {
			t.Fatalf("seed %d: %s", seed, &found[0])
		}
	}
}

// The closure is judged by events that the weights were not learnt from: weights that are
// right are not told apart, in either direction.
func TestClosureIsOfOtherEvents(t *testing.T) {
	testenv.Slow(t, "it trains classifiers")
	normal := func(mean float64) func(rng *rand.Rand) float64 {
		return func(rng *rand.Rand) float64 { return mean + rng.NormFloat64() }
	}
	const repetitions = 4
	var mean float64
	for k := range uint64(repetitions) {
		source, target := of(draw(10+k, 1200, normal(0))), of(draw(20+k, 1200, normal(0.5)))
		w, err := Fit(context.Background(), source, target, quick(2))
		if err != nil {
			t.Fatal(err)
		}
		c, err := w.Close(context.Background(), source, target, quick(2))
		if err != nil {
			t.Fatal(err)
		}
		if c.After == nil || c.After.PValue < 1e-3 || c.After.Events[0] > 700 {
			t.Fatalf("%+v", c.After)
		}
		mean += (c.After.Value - 0.5) / c.After.Error / repetitions
	}
	if mean < -1.5 {
		t.Errorf("the AUC after is below one half by %.1f deviations in the mean", -mean)
	}
}

// sWeights, a third of them negative: the weights bring the source to what they are the
// weights of, and are finite and bounded.
func TestSignedTarget(t *testing.T) {
	testenv.Slow(t, "it trains classifiers")
	const n = 4000
	rng := rand.New(rand.NewPCG(31, 31))
	gamma := func(rng *rand.Rand, scale float64) (sum float64) {
		for range 4 {
			sum += scale * rng.ExpFloat64()
		}
		return sum
	}
	x, w := make([]float64, n), make([]float64, n)
	for i := range x { // the weights that subtract what is known of another variable
		signal := rng.Float64() < 0.5
		peak := signal == (rng.Float64() < 0.9)
		w[i] = 1.125
		if !peak {
			w[i] = -0.125
		}
		if x[i] = gamma(rng, 2); !signal {
			x[i] = 3 * rng.ExpFloat64()
		}
	}
	source, target := of(draw(32, n, func(rng *rand.Rand) float64 { return gamma(rng, 1.8) })), of(x, w...)
	found, err := Fit(context.Background(), source, target, quick(3))
	if err != nil {
		t.Fatal(err)
	}
	c, err := found.Close(context.Background(), source, target, quick(3))
	if err != nil {
		t.Fatal(err)
	}
	if k := c.Columns[0]; k.Before < 0.07 || k.After > 0.04 {
		t.Errorf("KS %.3f before, %.3f after", k.Before, k.After)
	}
	if found.Smallest <= 1./n/2 || found.Largest > 20 || math.IsNaN(found.Sum) {
		t.Errorf("ratios from %v to %v, sum %v", found.Smallest, found.Largest, found.Sum)
	}
}

// If samples differ, and no weight has changed that, it is said.
// Two events get all of the weight, as where the target has a fine structure that the source
// has by chance only.
func TestWeightsThatLeaveNothing(t *testing.T) {
	source, target := of(draw(1, 1500, uniform(0, 1))), of(draw(2, 1500, uniform(0, 1)))
	w := &Weights{Weight: make([]float64, 1500), Classifier: &classify.Result{}}
	for i := range w.Weight {
		w.Weight[i] = 1e-6
	}
	w.Weight[7], w.Weight[8] = 1000, 500
	w.Effective = 1.8
	if _, err := w.Close(context.Background(), source, target, quick(2)); !errors.Is(err, ErrWorse) || !strings.Contains(err.Error(), "as good as 1.8") {
		t.Errorf("%v", err)
	}
	w.Effective = 1500
	for i := range w.Weight {
		w.Weight[i] = 1
	}
	if _, err := w.Close(context.Background(), source, target, quick(2)); errors.Is(err, ErrWorse) {
		t.Errorf("equal samples: %v", err)
	}
}

func TestNothingLearnt(t *testing.T) {
	source, target := of(draw(1, 1500, uniform(0, 1))), of(draw(2, 1500, func(rng *rand.Rand) float64 { return math.Sqrt(rng.Float64()) }))
	w, err := Fit(context.Background(), source, target, quick(2))
	if err != nil {
		t.Fatal(err)
	}
	for i := range w.Weight {
		w.Weight[i] = 1
	}
	if _, err := w.Close(context.Background(), source, target, quick(2)); !errors.Is(err, ErrNothingLearnt) || !strings.Contains(err.Error(), "branch x") {
		t.Errorf("%v", err)
	}
	differ := ColumnClosure{Name: "x", Before: 0.3, After: 0.3, VerdictBefore: compare.Differs, VerdictAfter: compare.Differs}
	c := Closure{Columns: []ColumnClosure{differ}}
	if c.unchanged(nil) == nil || c.unchanged([]Reach{{Column: "x"}}) != nil {
		t.Error("what is out of reach is not what was not learnt")
	}
}

// Messages have no names but the user's.
func TestNoInternalNames(t *testing.T) {
	x := draw(1, 300, uniform(0, 1))
	bad := make([]float64, 300)
	bad[7] = math.NaN()
	_, err := Fit(context.Background(), of(x), of(x, bad...), quick(2))
	if err == nil || strings.Contains(err.Error(), "\x00") {
		t.Errorf("%q", err)
	}
}
