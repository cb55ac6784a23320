package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/rootio"
)

func table(columns ...rootio.Column) *rootio.Table { return &rootio.Table{Columns: columns} }

func compare(t *testing.T, ref, cand *rootio.Table, opts Options) *Report {
	t.Helper()
	r, err := Compare(context.Background(), ref, cand, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// compareOne compares one column called x.
func compareOne[T, U rootio.Value](t *testing.T, ref []T, cand []U) Column {
	t.Helper()
	return compare(t, table(rootio.ColumnOf("x", ref)), table(rootio.ColumnOf("x", cand)), Options{}).Columns[0]
}

func normals(rng *rand.Rand, n int, mean float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = mean + rng.NormFloat64()
	}
	return x
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s = %v, want %v ± %v", what, got, want, tolerance)
	}
}

// For normal distributions a shift δ apart, W₁ = δ and the KS distance is
// 2Φ(δ/2) − 1, half-way between them.
func TestShiftedNormals(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const delta = 0.3
	c := compareOne(t, normals(rng, 40_000, 0), normals(rng, 60_000, delta))
	d := c.Distance
	near(t, "Wasserstein", d.Wasserstein, delta, 4*d.WassersteinError)
	near(t, "KS", d.KS, math.Erf(delta/2/math.Sqrt2), 4*d.KSError)
	near(t, "place of KS", d.KSAt, delta/2, 0.25)
	near(t, "mean", c.Candidate.Mean, delta, 4*c.Candidate.MeanError)
	near(t, "error of the mean", c.Candidate.MeanError, 1/math.Sqrt(60_000), 1e-4)
	near(t, "std", c.Reference.Std, 1, 4*c.Reference.StdError)
	near(t, "error of std", c.Reference.StdError, 1/math.Sqrt(2*40_000), 1e-4)
	if c.Verdict != Differs || d.KSPValue > 1e-6 || c.Chi2.PValue > 1e-6 || c.Chi2.NDF < 40 || c.Chi2.NDF >= chi2Bins {
		t.Errorf("%+v, %+v, %v", d, c.Chi2, c.Verdict)
	}
}

func TestDistancesByHand(t *testing.T) {
	c := compareOne(t, []float64{0, 1, 0, 1}, []float64{0, 3, 0, 3})
	near(t, "KS", c.Distance.KS, 0.5, 0)
	near(t, "Wasserstein", c.Distance.Wasserstein, 1/0.5, 1e-15)
	near(t, "place of KS", c.Distance.KSAt, 1, 0)
}

func TestKSAgreesWithGonum(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for n := 2; n < 200; n += 7 {
		draw := func(n int) (x, w []float64) {
			for range n {
				x = append(x, math.Round(8*rng.NormFloat64())/8) // with ties
				w = append(w, rng.ExpFloat64())
			}
			return x, w
		}
		x, w := draw(n)
		y, v := draw(300 - n)
		for _, weights := range [][2][]float64{{nil, nil}, {w, v}, {nil, v}} {
			a, b := newValues(rootio.ColumnOf("x", x), sampled{w: weights[0]}), newValues(rootio.ColumnOf("x", y), sampled{w: weights[1]})
			ks, _, _ := distances(a, b)
			near(t, "KS", ks, stat.KolmogorovSmirnov(a.x, a.w, b.x, b.w), 1e-12)
		}
	}
}

// Pearson's χ² of homogeneity is Σ (√(N/M) m − √(M/N) n)²/(n + m).
func TestChi2ByHand(t *testing.T) {
	n, m := []float64{10, 20, 30, 0}, []float64{30, 35, 10, 0}
	var want float64
	var a, b []bin
	for k := range n {
		a = append(a, bin{n: int(n[k]), w: n[k], w2: n[k]})
		b = append(b, bin{n: int(m[k]), w: m[k], w2: m[k]})
		if n[k]+m[k] > 0 {
			d := math.Sqrt(60./75)*m[k] - math.Sqrt(75./60)*n[k]
			want += d * d / (n[k] + m[k])
		}
	}
	got := chi2(a, b)
	near(t, "χ²", got.Value, want, 1e-12)
	near(t, "p", got.PValue, math.Exp(-want/2), 1e-12) // two degrees of freedom
	if got.NDF != 2 {
		t.Errorf("%d degrees of freedom", got.NDF)
	}
}

func TestKolmogorov(t *testing.T) {
	const n = 1e12
	// From Smirnov's table, Ann. Math. Statist. 19 (1948) 279.
	for x, want := range map[float64]float64{0.5: 0.963945, 0.8: 0.544142, 1.0: 0.27, 1.36: 0.049486, 2: 0.000671} {
		near(t, fmt.Sprint("p at ", x), kolmogorov(x/math.Sqrt(n), n), want, 2e-6)
	}
	near(t, "jump between the series", kolmogorov(0.9999999/1e6, n), kolmogorov(1.0000001/1e6, n), 1e-5)
	near(t, "p of equal samples", kolmogorov(0, 100), 1, 0)
}

// If nothing differs, p-values are uniform.
func TestPValuesAreUniform(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	const repetitions = 400
	p := map[string][]float64{}
	add := func(test string, value float64) { p[test] = append(p[test], value) }
	weights := func(n int) []float64 {
		w := make([]float64, n)
		for i := range w {
			w[i] = rng.ExpFloat64()
		}
		return w
	}
	codes := func(n int) []int32 {
		x := make([]int32, n)
		for i := range x {
			x[i] = int32(3 * rng.Float64() * rng.Float64() * 2)
		}
		return x
	}
	draw := func(n int, weights []float64) *values {
		return newValues(rootio.ColumnOf("x", normals(rng, n, 0)), sampled{w: weights})
	}
	for range repetitions {
		const n, m = 900, 1500
		for kind, samples := range map[string][2]*values{
			"":          {draw(n, nil), draw(m, nil)},
			"weighted ": {draw(n, weights(n)), draw(m, weights(m))},
		} {
			a, b := samples[0], samples[1]
			na, nb := a.all.effective(), b.all.effective()
			ks, _, _ := distances(a, b)
			add(kind+"KS", kolmogorov(ks, na*nb/(na+nb)))
			edges := quantileEdges(a, b, cells)
			add(kind+"χ²", chi2OfCells(a, b, a.histogram(edges), b.histogram(edges)).PValue)
		}
		add("χ² of codes", compareOne(t, codes(n), codes(m)).Chi2.PValue)
	}
	for test, values := range p {
		slices.Sort(values)
		var d float64
		for i, x := range values {
			d = max(d, x-float64(i)/repetitions, float64(i+1)/repetitions-x)
		}
		limit := 1.63 // 1 %
		if test == "χ² of codes" {
			limit += math.Sqrt(repetitions) * 0.02 // proportions are discrete
		}
		if d*math.Sqrt(repetitions) > limit {
			t.Errorf("%s: the distance of p-values from uniform ones × √n is %.2f", test, d*math.Sqrt(repetitions))
		}
	}
}

// The errors are the spread over repetitions of the experiment.
func TestBootstrapErrors(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	var ks, transport, ksError, transportError []float64
	for range 120 {
		d := compareOne(t, normals(rng, 1500, 0), normals(rng, 1000, 0.4)).Distance
		ks, transport = append(ks, d.KS), append(transport, d.Wasserstein)
		ksError, transportError = append(ksError, d.KSError), append(transportError, d.WassersteinError)
	}
	near(t, "ratio of KS errors", stat.Mean(ksError, nil)/stat.StdDev(ks, nil), 1, 0.25)
	near(t, "ratio of Wasserstein errors", stat.Mean(transportError, nil)/stat.StdDev(transport, nil), 1, 0.25)
}

// An event of weight k counts as k events, but for the errors.
func TestWeightsAreRepetitions(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	x, y := normals(rng, 2000, 0), normals(rng, 1000, 0.2)
	code := make([]int16, len(x))
	w := make([]float32, len(x))
	var repeated []float64
	var repeatedCode []int16
	for i := range x {
		code[i] = int16(rng.IntN(4))
		k := rng.IntN(4)
		w[i] = float32(k)
		for range k {
			repeated, repeatedCode = append(repeated, x[i]), append(repeatedCode, code[i])
		}
	}
	cand := table(rootio.ColumnOf("x", y), rootio.ColumnOf("code", code[:1000]))
	a := compare(t, table(rootio.ColumnOf("x", x), rootio.ColumnOf("code", code), rootio.ColumnOf("w", w)), cand,
		Options{ReferenceWeight: "w"})
	b := compare(t, table(rootio.ColumnOf("x", repeated), rootio.ColumnOf("code", repeatedCode)), cand, Options{})

	near(t, "mean", a.Columns[0].Reference.Mean, b.Columns[0].Reference.Mean, 1e-12)
	near(t, "std", a.Columns[0].Reference.Std, b.Columns[0].Reference.Std, 1e-12)
	near(t, "KS", a.Columns[0].Distance.KS, b.Columns[0].Distance.KS, 1e-12)
	near(t, "Wasserstein", a.Columns[0].Distance.Wasserstein, b.Columns[0].Distance.Wasserstein, 1e-12)
	near(t, "fraction", a.Columns[1].Codes[2].ReferenceFraction, b.Columns[1].Codes[2].ReferenceFraction, 1e-12)
	near(t, "correlation", a.Correlations.Reference[0][1], b.Correlations.Reference[0][1], 1e-12)
	near(t, "sum of weights", a.Reference.SumOfWeights, float64(len(repeated)), 0)
	if len(a.Columns) != 2 || a.OnlyReference != nil {
		t.Error("the weight is compared or listed")
	}
	if a.Reference.EffectiveEvents > 0.75*float64(len(x)) || a.Columns[0].Distance.KSPValue < b.Columns[0].Distance.KSPValue {
		t.Error("weights do not cost significance")
	}
}

// Weights that turn one density into another make the samples compatible.
func TestReweighted(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	ref, cand := normals(rng, 20_000, 0), normals(rng, 20_000, 0.5)
	w := make([]float64, len(cand))
	for i, x := range cand {
		w[i] = math.Exp(((x-0.5)*(x-0.5) - x*x) / 2)
	}
	opts := Options{CandidateWeight: "w"}
	r := compare(t, table(rootio.ColumnOf("x", ref)), table(rootio.ColumnOf("x", cand), rootio.ColumnOf("w", w)), opts)
	if r.Verdict != Compatible {
		t.Errorf("%v: %+v %+v", r.Verdict, r.Columns[0].Distance, r.Columns[0].Chi2)
	}
	for i := range w {
		if i%5 == 0 {
			w[i] = -w[i]
		}
	}
	r = compare(t, table(rootio.ColumnOf("x", ref)), table(rootio.ColumnOf("x", cand), rootio.ColumnOf("w", w)), opts)
	if r.Verdict != Compatible {
		t.Errorf("with negative weights %v: %+v %+v", r.Verdict, r.Columns[0].Distance, r.Columns[0].Chi2)
	}
}

func TestVerdictClose(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	c := compareOne(t, normals(rng, 300_000, 0), normals(rng, 300_000, 0.012))
	if c.Verdict != Close {
		t.Errorf("%v: %+v", c.Verdict, c.Distance)
	}
}

func TestNotFinite(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	x := normals(rng, 5000, 0)
	y := append(normals(rng, 5000, 0), math.NaN(), math.Inf(1), math.Inf(-1), -math.MaxFloat64)
	c := compareOne(t, x, y)
	if c.Reference.LeftOut != 0 || c.Candidate.LeftOut != 4 {
		t.Errorf("%d and %d values left out, want 0 and 4", c.Reference.LeftOut, c.Candidate.LeftOut)
	}
	near(t, "mean", c.Candidate.Mean, 0, 4*c.Candidate.MeanError)
	if c.Verdict != Compatible {
		t.Errorf("four values of 5000: %v", c.Verdict)
	}
	for range 200 {
		y = append(y, math.NaN())
	}
	if c := compareOne(t, x, y); c.Verdict != Differs {
		t.Errorf("4 %% not a number: %v", c.Verdict)
	}
	nan := []float64{math.NaN(), math.NaN()}
	if c := compareOne(t, x, nan); c.Verdict != Differs || c.Distance != nil {
		t.Errorf("nothing but NaN in the candidate: %v", c.Verdict)
	}
	if c := compareOne(t, nan, nan); c.Verdict != NoValues || c.Distance != nil {
		t.Errorf("nothing but NaN: %v", c.Verdict)
	}
}

func TestConstant(t *testing.T) {
	five, six := make([]float32, 100), make([]float32, 100)
	for i := range five {
		five[i], six[i] = 5, 6
	}
	varied := slices.Clone(five)
	varied[3] = 7

	if c := compareOne(t, five, five); c.Verdict != Compatible || len(c.Codes) != 1 || c.Chi2 != nil || c.Distance != nil {
		t.Errorf("equal: %+v", c)
	}
	if c := compareOne(t, five, six); c.Verdict != Illegal || c.Proportions.Illegal != 100 || c.Proportions.TotalVariation != 1 {
		t.Errorf("different: %+v", c)
	}
	if c := compareOne(t, five, varied); c.Verdict != Compatible || c.Proportions.Illegal != 1 {
		t.Errorf("candidate varies once: %+v", c)
	}
	rng := rand.New(rand.NewPCG(9, 9))
	if c := compareOne(t, normals(rng, 1000, 0), five); c.Verdict != Differs || c.Candidate.Std != 0 {
		t.Errorf("candidate is constant: %+v", c)
	}
	if c := compareOne(t, []int8{1}, []int8{1}); c.Verdict != Compatible {
		t.Errorf("one event: %+v", c)
	}
}

func TestCodes(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 10))
	draw := func(n int, from ...int32) []int32 {
		x := make([]int32, n)
		for i := range x {
			x[i] = from[rng.IntN(len(from))]
		}
		return x
	}
	ref := draw(9000, -13, 11, 13)
	c := compareOne(t, ref, draw(12_000, -13, 11, 13))
	if c.Verdict != Compatible || c.Chi2.NDF != 2 || c.Proportions.Illegal != 0 || c.Distance != nil {
		t.Errorf("equal proportions: %+v", c)
	}
	values := []float64{}
	for _, code := range c.Codes {
		values = append(values, code.Value)
		near(t, "fraction", code.ReferenceFraction, float64(code.Reference)/9000, 1e-15)
	}
	if !slices.Equal(values, []float64{-13, 11, 13}) {
		t.Errorf("codes %v", values)
	}
	if c := compareOne(t, ref, draw(12_000, -13, 13)); c.Verdict != Differs {
		t.Errorf("a code is missing: %v", c.Verdict)
	}
	illegal := slices.Repeat([]int32{12}, 30)
	if c := compareOne(t, ref, append(draw(12_000, -13, 11, 13), illegal...)); c.Verdict != Illegal || c.Proportions.Illegal != 30 || len(c.Codes) != 4 {
		t.Errorf("an illegal code: %+v", c)
	}
	if c := compareOne(t, ref, append(draw(12_000, -13, 11, 13), illegal[:2]...)); c.Verdict != Compatible || c.Proportions.Illegal != 2 || len(c.Codes) != 4 {
		t.Errorf("an illegal code that the reference may have missed: %+v", c)
	}
	// Many illegal values are all counted, the most frequent ones listed.
	c = compareOne(t, ref, append(normals(rng, 500, 0), 7.5, 7.5))
	if c.Proportions.Illegal != 502 || len(c.Codes) != 3+maxIllegal || c.CandidateKind != rootio.Float64 {
		t.Errorf("%d illegal, %d codes, kind %v", c.Proportions.Illegal, len(c.Codes), c.CandidateKind)
	}
	if !slices.ContainsFunc(c.Codes, func(c Code) bool { return c.Value == 7.5 && c.Candidate == 2 }) {
		t.Error("the most frequent illegal value is not listed")
	}
	near(t, "total variation", c.Proportions.TotalVariation, 1, 1e-12)
}

func TestBool(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 11))
	draw := func(n int, p float64) []bool {
		x := make([]bool, n)
		for i := range x {
			x[i] = rng.Float64() < p
		}
		return x
	}
	if c := compareOne(t, draw(5000, 0.3), draw(5000, 0.3)); c.Verdict != Compatible || len(c.Codes) != 2 {
		t.Errorf("equal: %+v", c)
	}
	if c := compareOne(t, draw(5000, 0.3), draw(5000, 0.4)); c.Verdict != Differs {
		t.Errorf("different: %+v", c)
	}
	if c := compareOne(t, []bool{true, false}, []bool{false, true, true}); c.Codes == nil {
		t.Error("a bool is always categorical")
	}
}

func TestCounts(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 12))
	draw := func() []uint16 {
		x := make([]uint16, 4000)
		for i := range x {
			x[i] = uint16(100 * rng.ExpFloat64())
		}
		return x
	}
	c := compareOne(t, draw(), draw())
	if c.Verdict != Compatible || c.Codes != nil || c.Distance == nil {
		t.Errorf("%+v", c)
	}
	for k := range c.spectrum.lo {
		if lo := c.spectrum.lo[k]; lo-math.Floor(lo) != 0.5 {
			t.Fatalf("a bin begins at %v", lo)
		}
	}
}

func TestCorrelations(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 13))
	sample := func(n int, rho float64) *rootio.Table {
		x, y, z, one := normals(rng, n, 3), normals(rng, n, 0), normals(rng, n, 0), make([]int8, n)
		for i := range y {
			y[i] = 10 * (rho*(x[i]-3) + math.Sqrt(1-rho*rho)*y[i])
		}
		return table(rootio.ColumnOf("x", x), rootio.ColumnOf("z", z), rootio.ColumnOf("one", one), rootio.ColumnOf("y", y))
	}
	c := compare(t, sample(20_000, 0.8), sample(30_000, 0.5), Options{}).Correlations
	if !slices.Equal(c.Columns, []string{"x", "z", "y"}) || c.Largest.Columns != [2]string{"x", "y"} {
		t.Fatalf("columns %v, largest %+v", c.Columns, c.Largest)
	}
	near(t, "ρ", c.Reference[0][2], 0.8, 0.02)
	near(t, "ρ", c.Candidate[2][0], 0.5, 0.02)
	near(t, "diagonal", c.Candidate[1][1], 1, 1e-12)
	near(t, "difference", c.Largest.Difference, -0.3, 4*c.Largest.Error)
	near(t, "error", c.Largest.Error, math.Hypot(0.36/math.Sqrt(20_000), 0.75/math.Sqrt(30_000)), 2e-4)
	near(t, "root mean square", c.RMSDifference, 0.3/math.Sqrt(3), 0.02)
}

func TestColumnsOfOneSample(t *testing.T) {
	x := []float64{1, 2, 3}
	ref := table(rootio.ColumnOf("a", x), rootio.ColumnOf("b", x), rootio.ColumnOf("c", x))
	cand := table(rootio.ColumnOf("d", x), rootio.ColumnOf("c", x), rootio.ColumnOf("b", x))
	r := compare(t, ref, cand, Options{})
	if len(r.Columns) != 2 || r.Columns[0].Name != "b" || r.Columns[1].Name != "c" {
		t.Errorf("columns %+v", r.Columns)
	}
	if !slices.Equal(r.OnlyReference, []string{"a"}) || !slices.Equal(r.OnlyCandidate, []string{"d"}) {
		t.Errorf("only in reference %v, only in candidate %v", r.OnlyReference, r.OnlyCandidate)
	}
	r = compare(t, ref, cand, Options{Columns: []string{"c", "c"}})
	if len(r.Columns) != 1 || r.Columns[0].Name != "c" {
		t.Errorf("selected columns %+v", r.Columns)
	}
}

func TestErrors(t *testing.T) {
	x := []float64{1, 2, 3}
	good := table(rootio.ColumnOf("x", x), rootio.ColumnOf("w", []float64{1, 0, 2}))
	for name, c := range map[string]struct {
		ref, cand *rootio.Table
		opts      Options
		want      string
	}{
		"nothing in common": {good, table(rootio.ColumnOf("y", x)), Options{}, "no column in common"},
		"empty reference":   {table(rootio.ColumnOf("x", x[:0])), good, Options{}, "reference has no events"},
		"empty candidate":   {good, table(), Options{}, "candidate has no events"},
		"missing column":    {good, good, Options{Columns: []string{"x", "y"}}, `no column "y"`},
		"missing weight":    {good, good, Options{CandidateWeight: "v"}, `no column "v"`},
		"weight is NaN": {
			good, table(rootio.ColumnOf("x", x), rootio.ColumnOf("w", []float64{1, math.NaN(), 1})),
			Options{CandidateWeight: "w"}, "NaN in entry 1",
		},
		"no weight": {
			table(rootio.ColumnOf("x", x), rootio.ColumnOf("w", []float64{1, -2, 0})), good,
			Options{ReferenceWeight: "w"}, "add up to -1",
		},
		"ragged": {good, table(rootio.ColumnOf("x", x), rootio.ColumnOf("w", x[:2])), Options{}, `column "w" of the candidate has 2 values`},
	} {
		_, err := Compare(context.Background(), c.ref, c.cand, c.opts)
		if err == nil || !strings.HasPrefix(err.Error(), "compare: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// nasty has all that can go wrong in a column.
func nasty() (ref, cand *rootio.Table) {
	rng := rand.New(rand.NewPCG(14, 14))
	const n = 3000
	build := func(shift float64) *rootio.Table {
		x, heavy, huge, tiny := normals(rng, n, shift), normals(rng, n, 0), normals(rng, n, 0), normals(rng, n, 0)
		narrow, spike, nan, zero := normals(rng, n, 0), normals(rng, n, 0), normals(rng, n, 0), make([]float64, n)
		event, mask, flag := make([]int64, n), make([]uint64, n), make([]bool, n)
		for i := range x {
			heavy[i] = 1 / heavy[i] / heavy[i]
			huge[i] *= 1e74
			tiny[i] *= 1e-300
			narrow[i] = 1e15 + math.Round(8*narrow[i])/8
			if i%1000 != 0 {
				spike[i] = 0
			}
			nan[i] = math.NaN()
			event[i] = int64(i) * 1e14
			mask[i] = 1<<uint(rng.IntN(64)) | uint64(i)
			flag[i] = i%3 == 0
		}
		return table(
			rootio.ColumnOf("x", x), rootio.ColumnOf("heavy", heavy), rootio.ColumnOf("huge", huge),
			rootio.ColumnOf("tiny", tiny), rootio.ColumnOf("narrow", narrow), rootio.ColumnOf("spike", spike),
			rootio.ColumnOf("nan", nan), rootio.ColumnOf("zero", zero), rootio.ColumnOf("event", event),
			rootio.ColumnOf("mask", mask), rootio.ColumnOf("flag", flag),
			rootio.ColumnOf("a_name_that_is_longer_than_the_table_is_ready_to_show_in_any_of_its_lines", x),
			rootio.ColumnOf("π/2", x), rootio.ColumnOf("Overview", x), rootio.ColumnOf("../up", x),
		)
	}
	ref, cand = build(0), build(0.1)
	cand.Columns[0] = rootio.ColumnOf("x", make([]float32, n))
	ref.Columns = append(ref.Columns, rootio.ColumnOf("mine", make([]int8, n)))
	for i := range 40 {
		cand.Columns = append(cand.Columns, rootio.ColumnOf(fmt.Sprintf("yours%d", i), make([]int8, n)))
	}
	return ref, cand
}

func TestJSON(t *testing.T) {
	ref, cand := nasty()
	text, err := json.Marshal(compare(t, ref, cand, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Verdict   string `json:"verdict"`
		Reference struct {
			Events float64 `json:"events"`
		} `json:"reference"`
		Columns []struct {
			Name          string         `json:"name"`
			Kind          string         `json:"kind"`
			CandidateKind string         `json:"candidate_kind"`
			Verdict       string         `json:"verdict"`
			Distance      map[string]any `json:"distance"`
			Chi2          map[string]any `json:"chi2"`
			Codes         []any          `json:"codes"`
		} `json:"columns"`
		OnlyReference []string       `json:"only_in_reference"`
		Correlations  map[string]any `json:"correlations"`
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if r.Reference.Events != 3000 || len(r.Columns) != 15 || r.Verdict != string(Differs) || len(r.OnlyReference) != 1 {
		t.Errorf("%+v", r)
	}
	if c := r.Columns[0]; c.Name != "x" || c.Kind != "float64" || c.CandidateKind != "float32" || c.Distance["ks"] == nil || c.Chi2["p_value"] == nil {
		t.Errorf("first column %+v", c)
	}
	if c := r.Columns[10]; c.Name != "flag" || c.CandidateKind != "" || len(c.Codes) != 2 {
		t.Errorf("flag %+v", c)
	}
	if r.Correlations["largest"] == nil {
		t.Error("no largest correlation")
	}
}

func TestText(t *testing.T) {
	ref, cand := nasty()
	ref.Columns = append(ref.Columns, rootio.ColumnOf("w", slices.Repeat([]float32{0.5, 1.5}, 1500)))
	r := compare(t, ref, cand, Options{ReferenceWeight: "w", CandidateLabel: "generated"})
	var b bytes.Buffer
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 120 {
			t.Errorf("%d characters: %s", n, line)
		}
	}
	rows := map[string]string{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if _, ok := rows[words[0]]; !ok { // the row of the table; lines on its spikes may follow
			rows[words[0]] = strings.TrimSpace(line)
		}
	}
	for _, c := range r.Columns {
		row, ok := rows[cut(c.Name, longestName)]
		if !ok || !strings.Contains(text, string(c.Verdict)) {
			t.Errorf("no line for %q", c.Name)
		}
		if c.Name != "x" && c.Name != "nan" && !strings.HasSuffix(row, string(c.Verdict)) {
			t.Errorf("%s: %q, want %s at the end", c.Name, row, c.Verdict)
		}
	}
	for _, want := range []string{"generated", "weighted by w", "mine", "yours39", "x is float64 in reference and float32 in generated", "left out", "Largest difference"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing about %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Errorf("a number is none in\n%s", text)
	}
}

func TestPlusMinus(t *testing.T) {
	for _, c := range []struct {
		value, err float64
		want       string
	}{
		{1.2345, 0.0678, "1.23±0.07"}, {12.345, 1.234, "12.3±1.2"}, {123.45, 12.3, "123±12"},
		{-0.001, 0.33, "0.00±0.33"}, {0.5, 0, "0.5"}, {3e7, 1, "3e+07"},
	} {
		if got := pm(c.value, c.err); got != c.want {
			t.Errorf("%v ± %v is written %q, want %q", c.value, c.err, got, c.want)
		}
	}
	if grouped(1234567) != "1,234,567" || grouped(123) != "123" || grouped(0) != "0" {
		t.Error("thousands")
	}
}

func TestSameReportHoweverTheWorkIsCut(t *testing.T) {
	ref, cand := nasty()
	first := compare(t, ref, cand, Options{Seed: 5})
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if second := compare(t, ref, cand, Options{Seed: 5}); !reflect.DeepEqual(first, second) {
		t.Error("the same comparison gives another report")
	}
	other := compare(t, ref, cand, Options{Seed: 6})
	if other.Columns[1].Distance.KSError == first.Columns[1].Distance.KSError {
		t.Error("the seed does not matter")
	}
}

func TestInputIsNotChanged(t *testing.T) {
	x := []float64{3, 1, math.NaN(), 2}
	compareOne(t, x, []float64{2, 1})
	if x[0] != 3 || x[1] != 1 || x[3] != 2 {
		t.Errorf("the column is now %v", x)
	}
}

func ExampleCompare() {
	rng := rand.New(rand.NewPCG(1, 2))
	sample := func(n int, width float64) *rootio.Table {
		mass, charge := make([]float64, n), make([]int32, n)
		for i := range mass {
			mass[i] = 91.2 + width*rng.NormFloat64()
			charge[i] = 2*int32(rng.IntN(2)) - 1
		}
		return &rootio.Table{Columns: []rootio.Column{
			rootio.ColumnOf("mass", mass), rootio.ColumnOf("charge", charge),
		}}
	}
	r, err := Compare(context.Background(), sample(20_000, 2.5), sample(20_000, 3), Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range r.Columns {
		fmt.Println(c.Name, c.Verdict)
	}
	// Output:
	// mass differs
	// charge compatible
}

func ExampleReport_WriteText() {
	events := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("run", []int32{1, 1, 1})}}
	r, err := Compare(context.Background(), events, events, Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := r.WriteText(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// reference               3 events
	// candidate               3 events
	//
	// column        codes total variation % by chance %   χ²/ndf        p illegal values  verdict
	// run               1              0.00        0.00        –        1              0  compatible
}
