package classify

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
)

func table(columns ...rootio.Column) *rootio.Table { return &rootio.Table{Columns: columns} }

func normals(seed uint64, n int, mean float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := make([]float64, n)
	for i := range x {
		x[i] = mean + rng.NormFloat64()
	}
	return x
}

func crossFit(t *testing.T, zero, one Sample, opts Options) *Result {
	t.Helper()
	opts.Hidden = max(opts.Hidden, 16) // enough here
	r, err := CrossFit(context.Background(), zero, one, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// For unit normals a shift δ apart, the best AUC is Φ(δ/√2) and the logarithm of
// the ratio of densities is δx − δ²/2.
func TestShiftedNormals(t *testing.T) {
	const n, delta = 3000, 1.0
	x, y := normals(1, n, 0), normals(2, n, delta)
	zero := Sample{Table: table(rootio.ColumnOf("x", x), rootio.ColumnOf("noise", normals(3, n, 0)))}
	one := Sample{Table: table(rootio.ColumnOf("x", y), rootio.ColumnOf("noise", normals(4, n, 0)))}
	r := crossFit(t, zero, one, Options{Folds: 3})
	want := 0.5 * math.Erfc(-delta/2)
	if math.Abs(r.AUC-want) > 3*r.AUCError {
		t.Errorf("AUC %.4f ± %.4f, want %.4f", r.AUC, r.AUCError, want)
	}
	if naive := math.Sqrt(want * (1 - want) / n); r.AUCError < naive/3 || r.AUCError > naive {
		t.Errorf("error %.4f of the AUC", r.AUCError)
	}
	var worst float64
	for i, s := range r.LogRatio[0] {
		if v := x[i]; math.Abs(v-0.5) < 1.5 {
			worst += math.Abs(s-(delta*v-delta*delta/2)) / n
		}
	}
	if worst > 0.25 {
		t.Errorf("the logarithm of the ratio is off by %.2f in the mean", worst)
	}
	if a, b := r.Columns[0], r.Columns[1]; a.Importance < 0.2 || math.Abs(b.Importance) > 0.02 {
		t.Errorf("importance of x %.3f, of noise %.3f", a.Importance, b.Importance)
	}
}

// What only differs jointly is seen, and so is a change of weights.
func TestCorrelationAndWeights(t *testing.T) {
	const n = 2000
	x, y, u := normals(1, n, 0), normals(2, n, 0), normals(3, n, 0)
	v := make([]float64, n)
	for i := range v {
		v[i] = 0.8*u[i] + 0.6*normals(uint64(100+i), 1, 0)[0]
	}
	zero := Sample{Table: table(rootio.ColumnOf("x", x), rootio.ColumnOf("y", y))}
	one := Sample{Table: table(rootio.ColumnOf("x", u), rootio.ColumnOf("y", v))}
	r := crossFit(t, zero, one, Options{Folds: 2})
	// Over five seeds: 0.757 ± 0.005; five standard deviations are allowed.
	if r.AUC < 0.73 || r.PValue > 1e-9 {
		t.Errorf("AUC %.3f of correlated normals", r.AUC)
	}
	// The ratio of the densities, as weights, takes the difference away; some
	// weights are negative.
	w := make([]float64, n)
	for i := range w {
		a, b := x[i], y[i]
		w[i] = math.Exp(-(a*a-1.6*a*b+b*b)/(2*0.36)+(a*a+b*b)/2) / 0.6
		switch i % 10 {
		case 0:
			w[i] *= -1
		case 1:
			w[i] *= 2.25 // the others' sum is not changed much
		}
	}
	zero.Weights = w
	if r := crossFit(t, zero, one, Options{Folds: 2}); r.AUC > 0.56 {
		t.Errorf("AUC %.3f ± %.3f with weights", r.AUC, r.AUCError)
	}
}

// TestSmallPrint checks that what hardly moves a distribution is seen all the same.
func TestSmallPrint(t *testing.T) {
	const n = 1000
	rounded := normals(1, n, 10)
	for i, v := range rounded {
		rounded[i] = math.Round(1000*v) / 1000
	}
	spiked, near := normals(3, n, 0), normals(4, n, 0)
	withNaN := normals(5, n, 0)
	codes, illegal := make([]int32, n), make([]int32, n)
	for i := range n {
		if i%3 == 0 {
			spiked[i], near[i] = 0, 1e-6*float64(i+1)/n
		}
		if i%4 == 0 {
			withNaN[i] = math.NaN()
		}
		codes[i], illegal[i] = int32(i%40), int32(i%40)
		if i%4 == 1 {
			illegal[i] = 7
		}
	}
	for _, c := range []struct {
		name      string
		ref, cand rootio.Column
		least     float64
		aspect    Aspect
	}{
		{"rounded", rootio.ColumnOf("x", rounded), rootio.ColumnOf("x", normals(2, n, 10)), 0.99, Rounding},
		{"beside a spike", rootio.ColumnOf("x", spiked), rootio.ColumnOf("x", near), 0.63, ""},
		{"not a number", rootio.ColumnOf("x", withNaN), rootio.ColumnOf("x", normals(6, n, 0)), 0.6, ""},
		{"one code of many", rootio.ColumnOf("x", codes), rootio.ColumnOf("x", illegal), 0.6, ""},
		{"other kind", rootio.ColumnOf("x", codes), rootio.ColumnOf("x", spiked), 0.9, ""},
	} {
		r := crossFit(t, Sample{Table: table(c.ref)}, Sample{Table: table(c.cand)}, Options{Folds: 2})
		if r.AUC < c.least || c.aspect != "" && r.Columns[0].Aspect != c.aspect {
			t.Errorf("%s: AUC %.3f, %q", c.name, r.AUC, r.Columns[0].Aspect)
		}
	}
}

// TestRowsStayTogether: a sample and itself, smeared a little in one column, must
// not look less alike than chance because rows are recognised.
func TestRowsStayTogether(t *testing.T) {
	const n = 1000
	x, y := normals(1, n, 0), normals(2, n, 0)
	nearly := slices.Clone(y)
	for i, e := range normals(3, n, 0) {
		nearly[i] += 1e-3 * e
	}
	zero := Sample{Table: table(rootio.ColumnOf("x", x), rootio.ColumnOf("y", y))}
	one := Sample{Table: table(rootio.ColumnOf("x", x), rootio.ColumnOf("y", nearly))}
	r := crossFit(t, zero, one, Options{Folds: 2})
	if math.Abs(r.AUC-0.5) > 0.02 {
		t.Errorf("AUC %v ± %v of a sample and itself", r.AUC, r.AUCError)
	}
}

func TestSameForAnyNumberOfProcessors(t *testing.T) {
	zero := Sample{Table: table(rootio.ColumnOf("x", normals(1, 600, 0)))}
	one := Sample{Table: table(rootio.ColumnOf("x", normals(2, 700, 0.5)))}
	fit := func(procs int) *Result {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		return crossFit(t, zero, one, Options{Folds: 2})
	}
	a, b := fit(1), fit(3)
	if a.AUC != b.AUC || !slices.Equal(a.LogRatio[1], b.LogRatio[1]) {
		t.Errorf("AUC %v on one processor, %v on three", a.AUC, b.AUC)
	}
}

// Only a part of a large sample is trained on, and only asked for all are scored.
func TestMaxEvents(t *testing.T) {
	const n = 3000
	zero := Sample{Table: table(rootio.ColumnOf("x", normals(1, n, 0)))}
	one := Sample{Table: table(rootio.ColumnOf("x", normals(2, n, 0.5)))}
	scored := func(r *Result) (k int) {
		for _, s := range r.LogRatio[0] {
			if !math.IsNaN(s) {
				k++
			}
		}
		return k
	}
	r := crossFit(t, zero, one, Options{MaxEvents: 1000, Folds: 2})
	if k := scored(r); math.Abs(float64(k)-1000) > 100 || r.Events[0] != k {
		t.Errorf("%d events were scored and %d judged, want about 1000", k, r.Events[0])
	}
	all := crossFit(t, zero, one, Options{MaxEvents: 1000, Folds: 2, All: true})
	if k := scored(all); k != n || all.Events != r.Events || all.AUC != r.AUC {
		t.Errorf("%d events were scored, want %d", k, n)
	}
}

func TestErrors(t *testing.T) {
	x := Sample{Table: table(rootio.ColumnOf("x", normals(1, 500, 0)))}
	other := Sample{Table: table(rootio.ColumnOf("y", normals(1, 500, 0)))}
	few := Sample{Table: table(rootio.ColumnOf("x", normals(1, 50, 0)))}
	weighted := func(w float64) Sample {
		s := Sample{Table: x.Table, Weights: slices.Repeat([]float64{1}, 500)}
		s.Weights[7] = w
		return s
	}
	for name, f := range map[string]func() error{
		"no common column": func() error { _, err := CrossFit(context.Background(), x, other, Options{}); return err },
		"no such column": func() error {
			_, err := CrossFit(context.Background(), x, x, Options{Columns: []string{"y"}})
			return err
		},
		"NaN weight":      func() error { _, err := CrossFit(context.Background(), weighted(math.NaN()), x, Options{}); return err },
		"negative weight": func() error { _, err := CrossFit(context.Background(), x, weighted(-1e9), Options{}); return err },
		"one fold":        func() error { _, err := CrossFit(context.Background(), x, x, Options{Folds: 1}); return err },
	} {
		if f() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := CrossFit(context.Background(), few, x, Options{}); !errors.Is(err, ErrFewEvents) {
		t.Errorf("few events: %v", err)
	}
	if _, err := CrossFit(context.Background(), x, weighted(1e9), Options{}); !errors.Is(err, ErrFewEvents) {
		t.Errorf("one event has nearly all of the weight: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := CrossFit(ctx, x, x, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestNothingVaries: constants cannot be told apart, unless they differ.
func TestNothingVaries(t *testing.T) {
	five, six := make([]float32, 200), make([]float32, 200)
	for i := range five {
		five[i], six[i] = 5, 6
	}
	a, b := Sample{Table: table(rootio.ColumnOf("x", five))}, Sample{Table: table(rootio.ColumnOf("x", six))}
	if r := crossFit(t, a, a, Options{}); r.AUC != 0.5 || r.PValue != 1 {
		t.Errorf("equal constants: AUC %v, p %v", r.AUC, r.PValue)
	}
	if r := crossFit(t, a, b, Options{}); r.AUC != 1 {
		t.Errorf("different constants: AUC %v", r.AUC)
	}
}

// The AUC and its variance, by their definitions.
func TestAUCByHand(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	var zero, one scored
	for range 60 {
		zero.add(math.Round(4*rng.NormFloat64()), rng.NormFloat64()+2)
		one.add(math.Round(4*rng.NormFloat64())+1, rng.ExpFloat64())
	}
	var want, sum float64
	for i, s := range zero.score {
		for j, u := range one.score {
			w := zero.weight[i] * one.weight[j]
			sum += w
			switch {
			case u > s:
				want += w
			case u == s:
				want += w / 2
			}
		}
	}
	if got := auc(&zero, &one); math.Abs(got-want/sum) > 1e-12 {
		t.Errorf("AUC %v, want %v", got, want/sum)
	}
	// The spread of the AUC of fixed scores over samples is what DeLong's formula
	// says.
	var aucs, variances []float64
	for range 400 {
		var zero, one scored
		for range 80 {
			zero.add(rng.NormFloat64(), 1)
			one.add(rng.NormFloat64()+1, rng.ExpFloat64())
		}
		aucs = append(aucs, auc(&zero, &one))
		variances = append(variances, variance(&zero, &one))
	}
	ones := slices.Repeat([]float64{1}, len(aucs))
	_, v := mean(aucs, ones)
	expected, _ := mean(variances, ones)
	if ratio := v * float64(len(aucs)) / expected; math.Abs(ratio-1) > 0.25 {
		t.Errorf("variance of the AUC is %.2f of what is said", ratio)
	}
}

// TestRelation: what is computed from other columns must be seen to be a little
// off, though no distribution of one or two columns changes.
func TestRelation(t *testing.T) {
	testenv.Slow(t, "it trains classifiers")
	const n = 2500
	sample := func(seed uint64, smear float64) Sample {
		x, y, e := normals(seed, n, 0), normals(seed+1, n, 0), normals(seed+2, n, 0)
		r := make([]float64, n)
		for i := range r {
			r[i] = math.Hypot(x[i], y[i]) + smear*e[i]
		}
		return Sample{Table: table(rootio.ColumnOf("x", x), rootio.ColumnOf("y", y), rootio.ColumnOf("r", r))}
	}
	r := crossFit(t, sample(1, 0), sample(10, 0.2), Options{Folds: 2, Hidden: 32})
	if r.AUC < 0.65 {
		t.Errorf("AUC %.3f ± %.3f", r.AUC, r.AUCError)
	}
	trees := crossFit(t, sample(1, 0), sample(10, 0.2), Options{Folds: 2, Trees: true})
	if trees.AUC > r.AUC-0.05 { // they see a relation of two columns hardly at all
		t.Errorf("AUC of trees alone %.3f ± %.3f", trees.AUC, trees.AUCError)
	}
}

// Samples of one distribution are not called different, though the folds'
// classifiers know each other's events.
func TestEqualSamples(t *testing.T) {
	testenv.Slow(t, "it judges many pairs of samples")
	const repetitions, n = 40, 120
	low := 0
	for k := range uint64(repetitions) {
		sample := func(seed uint64) Sample {
			return Sample{Table: table(rootio.ColumnOf("x", normals(seed, n, 0)), rootio.ColumnOf("y", normals(seed+1000, n, 0)))}
		}
		if r := crossFit(t, sample(k), sample(100+k), Options{Folds: 3}); r.PValue < 0.05 {
			low++
		}
	}
	if low > 5 { // 5 or fewer of 40 in 98.6 % of the cases if they are 5 %
		t.Errorf("p < 5 %% in %d of %d repetitions", low, repetitions)
	}
}
