package reweight

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
)

var features = []string{"mass", "pt", "costheta"}

func sample(g zmumu.Generator, seed uint64, n int) classify.Sample {
	return classify.Sample{Table: g.Table(seed, 0, n)}
}

func fit(t *testing.T, source, target classify.Sample, opts Options) *Weights {
	t.Helper()
	opts.Classify.Columns, opts.Classify.Folds, opts.Classify.Hidden = features, 2, 16
	w, err := Fit(context.Background(), source, target, opts)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// The weights are the ratio of two known densities, and the weighted events have
// the target's means, with weights of both signs in the source.
func TestExactRatio(t *testing.T) {
	const n = 6_000
	a, b := zmumu.Default(), zmumu.Default()
	b.PtScale *= 1.2
	source, target := sample(a, 1, n), sample(b, 2, n)
	events := make([]zmumu.Event, n)
	a.Events(events, 1, 0)
	for _, signed := range []bool{false, true} {
		if signed { // every fifth event counts −1, and the others 1.5
			source.Weights = slices.Repeat([]float64{1.5, 1.5, -1, 1.5, 1.5}, n/5)
		}
		w := fit(t, source, target, Options{})
		var off, exactOff float64
		for i, e := range events {
			exact := math.Exp(b.LogDensity(e) - a.LogDensity(e))
			off += math.Abs(w.Ratio[i]/exact-1) / n
			exactOff += math.Abs(1/exact-1) / n
		}
		// So few events do not tell more; bench/judge has the numbers for many.
		if off > 0.7*exactOff || exactOff < 0.15 {
			t.Errorf("signed %v: weights deviate by %.3f from the exact ratio, which deviates by %.3f from one", signed, off, exactOff)
		}
		want := float64(n)
		if source.Weights != nil {
			want = 0
			for _, v := range source.Weights {
				want += v
			}
		}
		if math.Abs(w.Sum-want) > 1e-6*want || !(w.Effective < want*want/n+1) {
			t.Errorf("sum of weights %g, want %g; %g effective events", w.Sum, want, w.Effective)
		}
	}
}

// Two samples of one distribution get weights of one.
func TestEqualSamples(t *testing.T) {
	testenv.Slow(t, "it trains classifiers for many pairs of samples")
	const n = 3000
	w := fit(t, sample(zmumu.Default(), 1, n), sample(zmumu.Default(), 2, n), Options{})
	var off float64
	for _, r := range w.Ratio {
		off += math.Abs(r-1) / n
	}
	if off > 0.05 || w.Effective < 0.97*n {
		t.Errorf("weights deviate from one by %.3f; %.0f effective events of %d", off, w.Effective, n)
	}
}

// The sizes of the samples do not matter, and clipping is reported.
func TestSizesAndClip(t *testing.T) {
	a, b := zmumu.Default(), zmumu.Default()
	b.PtScale *= 1.5
	source, target := sample(a, 1, 4000), sample(b, 2, 1500)
	w := fit(t, source, target, Options{})
	if math.Abs(w.Sum-4000) > 1e-6 || w.Clipped != 0 || w.ClippedBy != 0 {
		t.Errorf("sum of weights %g, %d clipped", w.Sum, w.Clipped)
	}
	clipped := fit(t, source, target, Options{Clip: 1.5})
	if clipped.Clipped < 100 || clipped.ClippedBy < 0.005 || clipped.ClippedBy > 0.2 {
		t.Errorf("%d clipped, by %g", clipped.Clipped, clipped.ClippedBy)
	}
	if slices.Max(clipped.Ratio) > 1.6/(1-clipped.ClippedBy) || clipped.Effective < w.Effective {
		t.Errorf("largest ratio %g, %g effective events", slices.Max(clipped.Ratio), clipped.Effective)
	}
	opts := Options{Clip: 1.5}
	opts.Classify.Columns, opts.Classify.Folds, opts.Classify.Hidden = features, 2, 16
	c, err := clipped.Close(context.Background(), source, target, opts)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := clipped.WriteText(&text, c); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ratios clipped", "effective", "costheta", "after (told apart"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, &text)
		}
	}
}

func TestErrors(t *testing.T) {
	a := sample(zmumu.Default(), 1, 200)
	for _, clip := range []float64{-1, math.NaN()} {
		if _, err := Fit(context.Background(), a, a, Options{Clip: clip}); err == nil {
			t.Errorf("no error for clip %v", clip)
		}
	}
	if _, err := Fit(context.Background(), a, sample(zmumu.Default(), 2, 10), Options{}); err == nil {
		t.Error("no error for ten events")
	}
}
