package compare

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

func points2(rng *rand.Rand, n int, mean, sigma float64) *cloud {
	c := &cloud{n: n, dim: 2, x: make([]float64, 2*n)}
	for i := range c.x {
		c.x[i] = mean + sigma*rng.NormFloat64()
	}
	return c
}

// For independent normals the Fréchet distance is Σ (μ₁−μ₂)² + (σ₁−σ₂)².
func TestFrechet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	a, b := points2(rng, 10_000, 0, 1), points2(rng, 10_000, 0.5, 2)
	value, err := fpd(context.Background(), a, b, nil, nil)
	near(t, "FPD", value, 2*(0.25+1), 0.1)
	if !(err > 0 && err < 0.05) {
		t.Errorf("error %g", err)
	}
	// Its bias for samples of finite size, some d²/n, is extrapolated away.
	value, _ = fpd(context.Background(), a, points2(rng, 10_000, 0, 1), nil, nil)
	near(t, "FPD of equal distributions", value, 0, 1e-3)
	// Correlations count: the matrices do not commute.
	c, d := points2(rng, 20_000, 0, 1), points2(rng, 20_000, 0, 1)
	for i := range c.n {
		c.row(i)[1] = 0.8*c.row(i)[0] + 0.6*c.row(i)[1]
		d.row(i)[0] *= 2
	}
	// tr Σ₁ + tr Σ₂ − 2 tr(Σ₁Σ₂)^½, and for 2×2 matrices the last trace is
	// √(tr Σ₁Σ₂ + 2√det Σ₁Σ₂).
	want := 2 + 5 - 2*math.Sqrt(5+2*math.Sqrt(0.36*4))
	near(t, "Fréchet distance", frechet(c, d), want, 0.05)
}

// In one dimension (xy+1)⁴ = Σ C(4,k) xᵏyᵏ: the distance is Σ C(4,k) (difference of
// the k-th moments)².
func TestKernelDistance(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	draw := func(n int, mean float64) *cloud {
		c := &cloud{n: n, dim: 1}
		for range n {
			c.x = append(c.x, mean+0.3*rng.NormFloat64())
		}
		return c
	}
	const m, v = 0.2, 0.09
	moments := [2][5]float64{{1, 0, v, 0, 3 * v * v}, {1, m, m*m + v, m*m*m + 3*m*v, m*m*m*m + 6*m*m*v + 3*v*v}}
	want := 0.0
	for k, binomial := range []float64{1, 4, 6, 4, 1} {
		d := moments[0][k] - moments[1][k]
		want += binomial * d * d
	}
	value, err := kpd(context.Background(), draw(2_000, 0), draw(2_000, m), nil, nil)
	near(t, "KPD", value, want, 4*err)
	if err > want/4 {
		t.Errorf("error %g of %g", err, want)
	}
	value, err = kpd(context.Background(), draw(2_000, 0), draw(2_000, 0), nil, nil)
	near(t, "KPD of equal distributions", value, 0, 4*err)
}

// An event of weight 3 is drawn as often as three events, one of negative weight
// never.
func TestDrawnByWeight(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	c := &cloud{n: 3, dim: 1, x: []float64{0, 1, 2}}
	count := map[float64]int{}
	for _, x := range c.draw(8000, cumulative([]float64{1, 3, -2}), rng).x {
		count[x]++
	}
	near(t, "draws", float64(count[1]), 6000, 200)
	if count[2] > 0 || count[0]+count[1] != 8000 {
		t.Errorf("draws %v", count)
	}
	chosen := 0
	for range 4000 {
		if choose(2, 1, []float64{1, 3}, rng)[0] == 1 {
			chosen++
		}
	}
	near(t, "chosen", float64(chosen), 3000, 120)
}

func TestNeighbours(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	const n = 600
	ref := points2(rng, n, 0, 1)
	equal := neighbours(context.Background(), ref, points2(rng, n, 0, 1))
	near(t, "density of equal samples", equal.Density, 1, 0.15)
	near(t, "coverage of equal samples", equal.Coverage, 1-math.Pow(0.5, neighbour), 0.04)
	if equal.Precision < 0.9 || equal.Recall < 0.9 {
		t.Errorf("equal samples: %+v", equal)
	}
	// A mode that collapsed is precise, and covers little.
	narrow := neighbours(context.Background(), ref, points2(rng, n, 0, 0.2))
	if narrow.Precision < 0.95 || narrow.Recall > 0.3 || narrow.Coverage > 0.5 {
		t.Errorf("collapsed: %+v", narrow)
	}
	wide := neighbours(context.Background(), ref, points2(rng, n, 0, 4))
	if wide.Precision > 0.4 || wide.Recall < 0.8 {
		t.Errorf("wide: %+v", wide)
	}
}

func TestReachByHand(t *testing.T) {
	c := &cloud{n: 5, dim: 1, x: []float64{0, 1, 3, 7, 8}}
	for _, test := range []struct {
		x       float64
		k, skip int
		want    float64
	}{{0, 1, 0, 1}, {0, 2, 0, 9}, {0, 1, -1, 0}, {7.25, 2, -1, 0.75 * 0.75}, {100, 5, -1, 10_000}} {
		if got := c.reach([]float64{test.x}, test.k, test.skip); got != test.want {
			t.Errorf("squared distance from %g to neighbour %d is %g, want %g", test.x, test.k, got, test.want)
		}
	}
}

func TestCopies(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	sample := func(n int) *rootio.Table {
		return table(rootio.ColumnOf("x", normals(rng, n, 0)), rootio.ColumnOf("y", normals(rng, n, 0)))
	}
	training, ref, fresh := sample(1200), sample(1200), sample(1200)
	repeated := rootio.NewTable(training.Fields(), 1200)
	for k, c := range repeated.Columns { // half of the events are copies
		x, y := make([]float64, 1200), make([]float64, 1200)
		training.Columns[k].Floats(x, 0)
		fresh.Columns[k].Floats(y, 0)
		copy(x[:600], y)
		c.SetFloats(0, x)
	}
	measure := func(cand *rootio.Table) *Joint {
		r := compare(t, ref, cand, Options{})
		if err := r.Measure(context.Background(), ref, cand, training); err != nil {
			t.Fatal(err)
		}
		return r.Joint
	}
	if c := measure(fresh).Copies; c.TooMany() || c.Exact > 0 || math.Abs(c.Reference-0.01) > 0.03 {
		t.Errorf("new events: %+v", c)
	}
	j := measure(repeated)
	if c := j.Copies; !c.TooMany() || math.Abs(c.Exact-0.5) > 0.05 {
		t.Errorf("half of them copies: %+v", c)
	}
	// Copies within the training sample do not hide those of the candidate.
	for k, c := range training.Columns {
		training.Columns[k] = c.Concat(c)
	}
	if c := measure(repeated).Copies; !c.TooMany() || math.Abs(c.Exact-0.5) > 0.05 || c.Training != 1200 {
		t.Errorf("half of them copies, of a sample that is given twice: %+v", c)
	}
	if c := measure(fresh).Copies; c.TooMany() {
		t.Errorf("new events, of a sample that is given twice: %+v", c)
	}
	near(t, "precision", j.Candidate.Precision, j.Itself.Precision, 0.05)
	if len(j.Columns) != 2 {
		t.Errorf("columns %v", j.Columns)
	}
}
