package compare

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Five ones against five zeros are one of 252 ways to deal them, and the other way round
// is as unequal: p = 2/252, whatever the test.
func TestPValuesOfFewEvents(t *testing.T) {
	ones, zeros := slices.Repeat([]float32{1}, 5), slices.Repeat([]float32{0}, 5)
	nan := slices.Repeat([]float32{float32(math.NaN())}, 5)
	low, high := []float32{1, 2, 3, 4, 5}, []float32{6, 7, 8, 9, 10}
	for _, c := range []struct {
		what      string
		ref, cand []float32
		want      float64
		verdict   Verdict
	}{
		{"ones and zeros", ones, zeros, 2. / 252, Differs},
		{"zeros and ones", zeros, ones, 2. / 252, Differs},
		{"numbers apart", low, high, 2. / 252, Differs},
		{"numbers and none", low, nan, 2. / 252, Differs},
		{"none and numbers", nan, high, 2. / 252, Differs},
		{"equal ones", ones, ones, 1, Compatible},
		{"one event each", ones[:1], zeros[:1], 1, Compatible},
		{"an event and none", ones[:1], nan[:1], 1, Compatible},
		{"three each", ones[:3], zeros[:3], 2. / 20, Compatible},
		{"three codes", append(slices.Repeat([]float32{1}, 3), 2, 2), zeros, 2. / 252, Differs},
	} {
		got := compareOne(t, c.ref, c.cand)
		if math.Abs(got.PValue-c.want) > 1e-9 || got.Verdict != c.verdict {
			t.Errorf("%s: p = %v, %v; want %v, %v (%+v)", c.what, got.PValue, got.Verdict, c.want, c.verdict, got.Tests)
		}
	}
	// Ten events tell of values that never occur little, a hundred do.
	if c := compareOne(t, slices.Repeat([]float32{1}, 100), slices.Repeat([]float32{0}, 100)); c.Verdict != Illegal {
		t.Errorf("%v", c.Verdict)
	}
}

// The exact distribution of the KS distance is that of all ways to deal the values.
func TestKolmogorovExactly(t *testing.T) {
	rng := rand.New(rand.NewPCG(61, 61))
	for range 30 {
		n, m := 1+rng.IntN(4), 1+rng.IntN(4)
		x := make([]float64, n+m)
		for i := range x {
			x[i] = float64(rng.IntN(6)) // some are equal
		}
		of := func(in int) (a, b *values) {
			var p, q []float64
			for i, v := range x {
				if in>>i&1 == 1 {
					p = append(p, v)
				} else {
					q = append(q, v)
				}
			}
			return newValues(rootio.ColumnOf("x", p), sampled{}), newValues(rootio.ColumnOf("x", q), sampled{})
		}
		count := func(in int) (ones int) {
			for ; in > 0; in >>= 1 {
				ones += in & 1
			}
			return ones
		}
		a, b := of(1<<n - 1)
		seen, _, _ := distances(a, b)
		ways, far := 0.0, 0.0
		for in := range 1 << (n + m) {
			if count(in) == n {
				p, q := of(in)
				ways++
				if d, _, _ := distances(p, q); d >= seen-1e-12 {
					far++
				}
			}
		}
		near(t, fmt.Sprintf("p of %v, %d", x, n), kolmogorovExactly(a, b, seen), far/ways, 1e-12)
	}
}

// What cannot be done for lack of events is said, in text and words.
func TestClassifierOfFewEventsIsSaid(t *testing.T) {
	ref, cand := table(rootio.ColumnOf("a", slices.Repeat([]float32{1}, 5))), table(rootio.ColumnOf("a", slices.Repeat([]float32{0}, 5)))
	r := compare(t, ref, cand, Options{})
	if err := r.Classify(context.Background(), ref, cand, classify.Options{}); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{b.String(), strings.Join(r.Words(), "\n")} {
		if !strings.Contains(text, "classifier is left out") {
			t.Errorf("not said in\n%s", text)
		}
	}
	if r.Verdict != Differs {
		t.Errorf("%v", r.Verdict)
	}
}

// Samples that a classifier separates without a mistake are told apart: an error of zero
// is one that cannot be estimated so.
func TestSeparatedSamplesAreToldApart(t *testing.T) {
	rng := rand.New(rand.NewPCG(62, 62))
	ref, cand := table(rootio.ColumnOf("x", normals(rng, 400, 0))), table(rootio.ColumnOf("x", normals(rng, 400, 1000)))
	r := compare(t, ref, cand, Options{})
	if err := r.Classify(context.Background(), ref, cand, classify.Options{Hidden: 8}); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	if c := r.Classifier; c.AUC < 0.9999 || c.AUCError <= 0 || c.PValue > 1e-20 || !strings.Contains(b.String(), "told apart, p") {
		t.Errorf("AUC %v ± %v, p = %v\n%s", c.AUC, c.AUCError, c.PValue, &b)
	}
}

// Means, widths and tails are tested by their own errors, which are right for samples with
// heavy tails, of unequal sizes, and with weights.
func TestMomentsOfEqualSamples(t *testing.T) {
	testenv.Slow(t, "it compares many pairs of samples")
	rng := rand.New(rand.NewPCG(63, 63))
	draw := map[string]func() float64{
		"exponential": rng.ExpFloat64,
		"log-normal":  func() float64 { return math.Exp(1.5 * rng.NormFloat64()) },
		"Cauchy":      func() float64 { return math.Tan(math.Pi * (rng.Float64() - 0.5)) },
		"outliers": func() float64 {
			if rng.Float64() < 1e-4 {
				return 1e6
			}
			return rng.NormFloat64()
		},
	}
	for _, name := range []string{"exponential", "log-normal", "Cauchy", "outliers"} {
		for _, size := range [][2]int{{2000, 2000}, {200, 10_000}, {10_000, 200}} {
			const repetitions = 60
			small := 0
			for range repetitions {
				var x [2][]float64
				for s, n := range size {
					for range n {
						x[s] = append(x[s], draw[name]())
					}
				}
				for _, test := range compareColumn(rootio.ColumnOf("x", x[0]), rootio.ColumnOf("x", x[1]), sampled{}, sampled{}, nil).Tests {
					if test.PValue < 1e-3 {
						small++
					}
				}
			}
			if small > 3 { // of 6 tests each
				t.Errorf("%s, %v: %d p-values below 0.001 in %d comparisons", name, size, small, repetitions)
			}
		}
	}
}

// A reference with weights over many decades knows its tail better than its events are
// worth together. A candidate with too much of it differs, however little that is.
func TestTailsOfWeightedSlices(t *testing.T) {
	rng := rand.New(rand.NewPCG(64, 64))
	power := func(from float64) float64 { return from * math.Pow(1-rng.Float64(), -1/5.) }
	var x, w, y []float64
	for _, from := range []float64{10, 30, 100, 300} {
		for range 1000 {
			v := power(from)
			for v > 3.34*from {
				v = power(from)
			}
			x, w = append(x, v), append(w, math.Pow(from/10, -5))
		}
	}
	tail := func(part float64) (y []float64) {
		for range 20_000 {
			v := power(10)
			if rng.Float64() < part {
				v = power(100)
			}
			y = append(y, v)
		}
		return y
	}
	opts := Options{ReferenceWeight: "w"}
	ref := table(rootio.ColumnOf("x", x), rootio.ColumnOf("w", w))
	y = tail(1.6e-3)
	r := compare(t, ref, table(rootio.ColumnOf("x", y)), opts)
	if c := r.Columns[0]; r.Verdict != Differs {
		t.Errorf("too many in the tail: %v, p = %v, %+v", r.Verdict, c.PValue, c.Tests)
	}
	if r := compare(t, ref, table(rootio.ColumnOf("x", tail(0))), opts); r.Verdict == Differs {
		t.Errorf("the right tail: %v, %+v", r.Verdict, r.Columns[0].Tests)
	}
}

// Equal events are counted and said, those within a sample and those in both.
func TestCopiesAreSaid(t *testing.T) {
	rng := rand.New(rand.NewPCG(65, 65))
	x := normals(rng, 200, 0)
	ref := table(rootio.ColumnOf("x", append(slices.Clone(x), x[:50]...)))
	cand := table(rootio.ColumnOf("x", append(normals(rng, 200, 0), x[100:130]...)))
	r := compare(t, ref, cand, Options{})
	if err := r.Classify(context.Background(), ref, cand, classify.Options{Hidden: 8, Folds: 2}); err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(r.Notes, "\n")
	for _, want := range []string{"reference: 250 events, 200 different", "30 events of one sample are equal to one of the other"} {
		if !strings.Contains(notes, want) {
			t.Errorf("%q is not in\n%s", want, notes)
		}
	}
}
