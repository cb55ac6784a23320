package compare

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Of five tests the smallest p-value is multiplied by 5, the next by 4, and so on;
// none may end below one that was smaller.
func TestHolm(t *testing.T) {
	p := []float64{0.01, 0.04, 0.03, 0.005, 0.5}
	holm(p)
	for i, want := range []float64{0.04, 0.09, 0.09, 0.025, 0.5} {
		near(t, fmt.Sprint("p-value ", i), p[i], want, 1e-15)
	}
	p = []float64{0.6, 0.7}
	holm(p)
	if p[0] != 1 || p[1] != 1 {
		t.Errorf("p-values %v", p)
	}
	holm(nil)
}

// mixed draws a column of one of ten kinds.
func mixed(rng *rand.Rand, kind, n int) rootio.Column {
	x, code, flag := make([]float64, n), make([]int32, n), make([]bool, n)
	for i := range n {
		e, u := rng.ExpFloat64(), rng.Float64()
		x[i] = rng.NormFloat64()
		switch kind % 10 {
		case 0:
			x[i] = e
		case 1:
			code[i] = int32(3 * e) // a few frequent codes, and rare ones
		case 2:
			if u < 0.3 {
				x[i] = -999
			} else if u < 0.5 {
				x[i] = 0
			}
		case 3:
			code[i] = int32(40 * e) // many codes, with a tail
		case 4:
			if u < 0.002 {
				x[i] = math.NaN()
			}
		case 5:
			flag[i] = u < 0.003
		case 7:
			x[i] = math.Round(100*x[i]) / 10
		case 9:
			if code[i] = int32(20 * u); e > 8 {
				code[i] = 100 + int32(50*u) // in one event of 3,000
			}
		}
	}
	switch kind % 10 {
	case 1, 3, 9:
		return rootio.ColumnOf("x", code)
	case 5:
		return rootio.ColumnOf("x", flag)
	}
	return rootio.ColumnOf("x", x)
}

// Two samples of one distribution are not called different because they have
// many columns.
func TestEqualSamplesAreNotCalledDifferent(t *testing.T) {
	testenv.Slow(t, "it compares many pairs of samples")
	const repetitions, events = 100, 2000
	numbers := []int{5, 20, 50} // of columns
	var wrong [repetitions][3]bool
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for seed := range wrong {
		group.Go(func() error {
			rng := rand.New(rand.NewPCG(21, uint64(seed)))
			all := make([]Column, slices.Max(numbers))
			for i := range all {
				all[i] = compareColumn(mixed(rng, i, events), mixed(rng, i, events), sampled{}, sampled{}, nil)
			}
			for k, n := range numbers {
				r := &Report{Columns: slices.Clone(all[:n])}
				r.judge()
				wrong[seed][k] = r.Verdict != Compatible
			}
			return nil
		})
	}
	_ = group.Wait()
	for k, n := range numbers {
		sum := 0
		for _, w := range wrong {
			if w[k] {
				sum++
			}
		}
		if sum > 5 {
			t.Errorf("%d columns: %d of %d comparisons are not compatible", n, sum, repetitions)
		}
	}
}

// A single column that differs is still found among many.
func TestOneColumnOfManyDiffers(t *testing.T) {
	rng := rand.New(rand.NewPCG(22, 22))
	ref, cand := &rootio.Table{}, &rootio.Table{}
	for i := range 50 {
		a, b := normals(rng, 2000, 0), normals(rng, 2000, 0)
		if i == 30 {
			b = normals(rng, 2000, 0.2)
		}
		ref.Columns = append(ref.Columns, rootio.ColumnOf(fmt.Sprint("x", i), a))
		cand.Columns = append(cand.Columns, rootio.ColumnOf(fmt.Sprint("x", i), b))
	}
	r := compare(t, ref, cand, Options{})
	if r.Verdict != Differs || r.Tests != 300 {
		t.Errorf("%v with %d tests", r.Verdict, r.Tests)
	}
	for i, c := range r.Columns {
		if (c.Verdict == Differs) != (i == 30) {
			t.Errorf("%s: %v, p = %v", c.Name, c.Verdict, c.PValue)
		}
		if want := c.decisive().PValue; c.PValue < want || c.PValue > 300*want {
			t.Errorf("%s: p = %v of tests with %v", c.Name, c.PValue, want)
		}
	}
}

// Exact tests, done by hand.
func TestEqualProportionsOfFewEvents(t *testing.T) {
	// The probability that the second sample has all k of 4000 events.
	all := func(nb, k int) float64 {
		p := 1.0
		for i := range k {
			p *= float64(nb-i) / float64(4000-i)
		}
		return p
	}
	in := func(n int) bin { return bin{n: n, w: float64(n), w2: float64(n)} }
	for _, c := range []struct {
		inA, outA, inB, outB int
		want                 float64
	}{
		{0, 1000, 0, 3000, 1},
		{0, 1000, 4, 2996, 2 * all(3000, 4)},
		{4, 996, 0, 3000, 2 * all(1000, 4)},
		{996, 4, 3000, 0, 2 * all(1000, 4)}, // in and out exchanged
		{3, 997, 1, 2999, 2 * (all(1000, 4) + 4*all(1000, 3)*3000/3997)},
		{5, 0, 0, 5, 2. / 252},
	} {
		got := equalProportions(in(c.inA), in(c.outA), in(c.inB), in(c.outB))
		near(t, fmt.Sprintf("p of %+v", c), got, min(1, c.want), 1e-10)
	}
	// Where the two ways meet, they agree.
	few := equalProportions(in(31), in(9969), in(17), in(9983))
	many := equalProportions(in(32), in(9968), in(18), in(9982))
	if few/many < 0.8 || few/many > 1.5 {
		t.Errorf("p jumps from %v to %v", few, many)
	}
}

// One value of which the candidate has all k events has the probability that all are
// dealt to it.
func TestIllegalPValueByHand(t *testing.T) {
	of := func(x float64, n int) *values {
		return newValues(rootio.ColumnOf("x", slices.Repeat([]float64{x}, n)), sampled{})
	}
	for _, c := range []struct{ ref, cand, illegal int }{{1000, 1000, 10}, {1000, 9000, 60}, {9000, 1000, 3}} {
		b := newValues(rootio.ColumnOf("x", append(make([]float64, c.cand-c.illegal), slices.Repeat([]float64{7}, c.illegal)...)), sampled{})
		got := countValues(of(0, c.ref), b).illegalPValue(rootio.Int32)
		want := 1.0
		for i := range c.illegal {
			want *= float64(c.cand-i) / float64(c.ref+c.cand-i)
		}
		near(t, fmt.Sprintf("p of %+v", c), got, want, 1e-9)
	}
	if p := countValues(of(0, 10), of(0, 20)).illegalPValue(rootio.Int32); p != 1 {
		t.Errorf("nothing illegal: p = %v", p)
	}
}

// A code that the reference is too small to have is no fault of the candidate's,
// nor are many such codes together.
func TestRareCodesAreNotIllegal(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 23))
	single := func(n int) []int32 {
		x := make([]int32, n)
		for i := range x {
			if x[i] = int32(i % 3); rng.Float64() < 3e-5 {
				x[i] = 9
			}
		}
		return x
	}
	tail := func(n int) []int32 {
		x := make([]int32, n)
		for i := range x {
			x[i] = int32(15 * rng.ExpFloat64())
		}
		return x
	}
	for name, draw := range map[string]func(n int) []int32{"one rare code": single, "a tail of them": tail} {
		const repetitions = 40
		var wrong, illegal int
		for range repetitions {
			c := compareOne(t, draw(10_000), draw(100_000))
			illegal += c.Proportions.Illegal
			if c.Verdict != Compatible {
				wrong++
			}
		}
		if wrong > 2 {
			t.Errorf("%s: %d of %d comparisons are not compatible", name, wrong, repetitions)
		}
		if illegal < repetitions {
			t.Errorf("%s: %d illegal values were counted", name, illegal)
		}
	}
}

func TestIllegalIsWhatTheReferenceExcludes(t *testing.T) {
	legal := func(n int) []int32 {
		x := make([]int32, n)
		for i := range x {
			x[i] = int32(i % 40)
		}
		return x
	}
	for _, c := range []struct {
		ref, cand, illegal int
		want               Verdict
	}{
		{20_000, 20_000, 20, Illegal}, {20_000, 20_000, 3, Compatible},
		{10_000, 100_000, 150, Illegal}, {10_000, 100_000, 30, Compatible},
		{100_000, 10_000, 3, Illegal},
	} {
		got := compareOne(t, legal(c.ref), append(legal(c.cand-c.illegal), slices.Repeat([]int32{77}, c.illegal)...))
		if got.Verdict != c.want || got.Proportions == nil || got.Proportions.Illegal != c.illegal {
			t.Errorf("%+v: %v, %+v", c, got.Verdict, got.Proportions)
		}
	}
	// What the reference's type cannot be is illegal at once.
	if c := compareOne(t, legal(10_000), append(make([]float64, 10_000), 0.5)); c.Verdict != Illegal || c.Proportions.Illegal != 1 {
		t.Errorf("an integer of ½: %v", c.Verdict)
	}
	flags := slices.Repeat([]bool{true, false}, 500)
	if c := compareOne(t, flags, append(slices.Repeat([]int8{1, 0}, 500), 2)); c.Verdict != Illegal {
		t.Errorf("a bool of 2: %v", c.Verdict)
	}
	if c := compareOne(t, flags, slices.Repeat([]int8{1, 0}, 500)); c.Verdict != Compatible {
		t.Errorf("a bool of 0 and 1: %v", c.Verdict)
	}
}

// Codes are what analysis/features takes for codes.
func TestWhatCodesAre(t *testing.T) {
	cycle := func(n, codes int) (whole []int32, half []float64) {
		for i := range n {
			whole, half = append(whole, int32(i%codes)), append(half, float64(i%codes)/2)
		}
		return whole, half
	}
	for _, c := range []struct {
		n, codes     int
		whole, float bool
	}{{10_000, 256, true, true}, {10_000, 257, false, false}, {1000, 50, true, true}, {999, 50, true, false}} {
		whole, half := cycle(c.n, c.codes)
		if got := compareOne(t, whole, whole); (got.Proportions != nil) != c.whole {
			t.Errorf("%+v: integers have %+v", c, got.Proportions)
		}
		if got := compareOne(t, half, half); (got.Proportions != nil) != c.float {
			t.Errorf("%+v: floating-point numbers have %+v", c, got.Proportions)
		}
	}
}

// The variation by chance is the mean over repetitions of the experiment, for
// frequent codes and for ones that most samples lack.
func TestTotalVariationByChance(t *testing.T) {
	rng := rand.New(rand.NewPCG(24, 24))
	few, many := distuv.Poisson{Lambda: 1, Src: rng}, distuv.Poisson{Lambda: 40, Src: rng}
	for _, c := range []struct {
		what      string
		code      func() float64
		ref, cand int
	}{
		{"few codes", few.Rand, 2000, 3000},
		{"many codes", many.Rand, 2000, 3000},
		{"more codes than events", func() float64 { return float64(rng.IntN(250)) }, 40, 50},
	} {
		draw := func(n int) []int32 {
			x := make([]int32, n)
			for i := range x {
				x[i] = int32(c.code())
			}
			return x
		}
		var value, chance float64
		const repetitions = 200
		for range repetitions {
			p := compareOne(t, draw(c.ref), draw(c.cand)).Proportions
			value += p.TotalVariation / repetitions
			chance += p.ByChance / repetitions
		}
		near(t, c.what, chance/value, 1, 0.05)
	}
}

// With many codes the total variation has a mean that is not zero; what is
// beyond decides whether samples are close.
func TestCloseInSpiteOfManyCodes(t *testing.T) {
	sample := func(shift int) []int16 {
		var x []int16
		for code := range 200 {
			x = append(x, slices.Repeat([]int16{int16(code)}, 4000+shift*(1-2*(code%2)))...)
		}
		return x
	}
	c := compareOne(t, sample(0), sample(101))
	if p := c.Proportions; c.Verdict != Close || p.TotalVariation < closeKS || c.PValue >= significance {
		t.Errorf("%v: %+v, p = %v", c.Verdict, p, c.PValue)
	}
	if c := compareOne(t, sample(0), sample(200)); c.Verdict != Differs {
		t.Errorf("%v: %+v, p = %v", c.Verdict, c.Proportions, c.PValue)
	}
}

// Zeros are results too.
func TestJSONOfEqualCodes(t *testing.T) {
	x := []int32{1, 2, 2}
	text, err := json.Marshal(compare(t, table(rootio.ColumnOf("x", x)), table(rootio.ColumnOf("x", x)), Options{}))
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Tests   *int
		Columns []struct {
			PValue      *float64 `json:"p_value"`
			Proportions map[string]float64
			Distance    any
		}
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	c := r.Columns[0]
	for _, name := range []string{"total_variation", "total_variation_by_chance", "illegal", "illegal_p_value"} {
		if _, ok := c.Proportions[name]; !ok {
			t.Errorf("no %s in %s", name, text)
		}
	}
	if r.Tests == nil || c.PValue == nil || c.Distance != nil {
		t.Errorf("JSON is %s", text)
	}
}
