package surrogate

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/internal/known"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// normalsModel is a model of two normals, which need not be good.
func normalsModel(t *testing.T) *Surrogate {
	t.Helper()
	return train(t, known.TwoNormals().Table(1, 0, 4000), nil,
		Options{Model: spline, Layers: 2, Components: 1, Hidden: 16, Seed: 1, Refine: RefineOff, Train: training.Options{Epochs: 5}})
}

// fitRatio learns the ratio of the densities of two samples.
func fitRatio(t *testing.T, source, target *rootio.Table) *classify.Ratio {
	t.Helper()
	r, _, err := classify.Fit(t.Context(), classify.Sample{Table: source}, classify.Sample{Table: target},
		classify.Options{Folds: 2, Hidden: 32})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// events draws n events of a surrogate.
func events(t *testing.T, s *Surrogate, seed uint64, n int) (*rootio.Table, Tails) {
	t.Helper()
	out := rootio.NewTable(s.Fields(), n)
	tails, err := s.Generate(t.Context(), out, nil, seed, 0)
	if err != nil {
		t.Fatal(err)
	}
	return out, tails
}

// A refined model is p(x) r(x)/Z: its events are distributed so, whatever they are drawn together with, and its log-density says
// so; it is nearer to the density that was looked for.
func TestRefine(t *testing.T) {
	testenv.Slow(t, "it draws and judges many events")
	const n = 6000
	s := normalsModel(t)
	moons, _ := known.Named("moons")
	source, _ := events(t, s, 5, n)
	ratio := fitRatio(t, source, moons.Table(6, 0, n))
	test := moons.Table(7, 0, 20_000)
	truth, before, after := make([]float64, test.Len()), make([]float64, test.Len()), make([]float64, test.Len())
	moons.LogDensity(truth, test)
	if err := s.LogDensity(t.Context(), before, test, 0); err != nil {
		t.Fatal(err)
	}
	plain, _ := events(t, s, 8, 40_000)
	if err := s.Refine(t.Context(), ratio); err != nil {
		t.Fatal(err)
	}
	again := *s
	if err := again.Refine(t.Context(), ratio); err != nil || again.Ratio.Z != s.Ratio.Z || again.Ratio.Largest != s.Ratio.Largest {
		t.Errorf("Z is %v and then %v, %v", s.Ratio, again.Ratio, err)
	}
	if err := s.Save(t.TempDir() + "/m"); err == nil {
		t.Error("a ratio is lost in a file")
	}
	if err := s.LogDensity(t.Context(), after, test, 0); err != nil {
		t.Fatal(err)
	}
	var klBefore, kl float64
	for i, v := range truth {
		klBefore += (v - before[i]) / float64(len(truth))
		kl += (v - after[i]) / float64(len(truth))
	}
	if kl > 0.1 || kl > klBefore/5 {
		t.Errorf("KL %.3f, %.3f without the ratio", kl, klBefore)
	}

	// The log-density is that of the model, times the ratio.
	logs, scored := make([]float64, plain.Len()), make([]float64, plain.Len())
	if err := s.Ratio.logRatio(t.Context(), logs, plain, 0); err != nil {
		t.Fatal(err)
	}
	weights := make([]float64, len(logs))
	var z float64
	for i, v := range logs {
		weights[i] = math.Exp(v)
		z += weights[i] / float64(len(logs))
	}
	if off := z/s.Ratio.Z - 1; math.Abs(off) > 5*math.Hypot(s.Ratio.Error/s.Ratio.Z, 2/math.Sqrt(float64(len(logs)))) {
		t.Errorf("Z is %v, and %.4f by other events", s.Ratio, z)
	}
	unrefined := *s
	unrefined.Ratio = nil
	if err := unrefined.LogDensity(t.Context(), scored, plain, 0); err != nil {
		t.Fatal(err)
	}
	refined := make([]float64, len(scored))
	if err := s.LogDensity(t.Context(), refined, plain, 0); err != nil {
		t.Fatal(err)
	}
	for i := range refined {
		if math.Abs(refined[i]-(scored[i]+logs[i]-math.Log(s.Ratio.Z))) > 1e-9 {
			t.Fatalf("log-density %v of event %d, %v without the ratio, whose logarithm is %v", refined[i], i, scored[i], logs[i])
		}
	}

	// Events that are drawn have the moments of events with weights.
	drawn, tails := events(t, s, 9, 20_000)
	if accepted := 20_000 / (20_000 + float64(tails.Rejected)); math.Abs(accepted/s.Ratio.Efficiency()-1) > 0.05 {
		t.Errorf("%.4f of the events are accepted, %.4f expected", accepted, s.Ratio.Efficiency())
	}
	for j := range drawn.Columns {
		x, y := drawn.Columns[j].Float64s(), plain.Columns[j].Float64s()
		for _, power := range []float64{1, 2, 3} {
			var a, b, spread float64
			for _, v := range x {
				a += math.Pow(v, power) / float64(len(x))
			}
			for _, v := range x {
				spread += (math.Pow(v, power) - a) * (math.Pow(v, power) - a) / float64(len(x))
			}
			for i, v := range y {
				b += weights[i] * math.Pow(v, power) / (z * float64(len(y)))
			}
			if sigma := math.Sqrt(spread/float64(len(x)) + 6*spread/float64(len(y))); math.Abs(a-b) > 4.5*sigma {
				t.Errorf("mean of %s to the power of %v: %.4f, %.4f by weights, σ %.4f", x0(j), power, a, b, sigma)
			}
		}
	}

	// Event i depends on (seed, i) alone.
	part := rootio.NewTable(s.Fields(), 3)
	rows := []uint64{15_000, 7, 123}
	if _, err := s.GenerateRows(t.Context(), part, nil, 9, rows); err != nil {
		t.Fatal(err)
	}
	for k, i := range rows {
		if !equalTables(part.Slice(k, k+1), drawn.Slice(int(i), int(i)+1)) {
			t.Errorf("event %d is another one when it is drawn with others", i)
		}
	}
}

func x0(j int) string { return []string{"x0", "x1"}[j] }

// The bound takes away no more of Z than it may.
func TestBound(t *testing.T) {
	logs := make([]float64, 10_000)
	for i := range logs {
		logs[i] = float64(i%10) / 10
	}
	logs[17], logs[18] = 4, 5 // 0.14 % and 0.6 % of Z
	r := &Ratio{}
	r.bound(logs)
	exact := 0.0
	for _, s := range logs {
		exact += math.Exp(s) / float64(len(logs))
	}
	if r.Largest >= math.Exp(5) || r.CutEvents != 1e-4 || math.Abs(r.Z/exact-1+ratioCut) > 1e-9 {
		t.Errorf("%v of %.6f", r, exact)
	}
}

// A ratio that does not go with a model is refused in one line.
func TestRefineRefuses(t *testing.T) {
	const n = 2000
	s := normalsModel(t)
	normals := known.TwoNormals()
	shifted := func(by float64, names ...string) *rootio.Table {
		t := normals.Table(3, 0, n)
		for j, name := range names {
			x := t.Columns[j].Float64s()
			for i := range x {
				x[i] += by
			}
			t.Columns[j] = rootio.ColumnOf(name, x)
		}
		return t
	}
	conditional := train(t, normals.Table(1, 0, 1000), nil,
		Options{Model: spline, Layers: 2, Components: 1, Hidden: 8, Seed: 1, Condition: []string{"x1"}, Train: training.Options{Epochs: 1}})
	same := fitRatio(t, normals.Table(1, 0, n), shifted(0.5, "x0", "x1"))
	for want, c := range map[string]struct {
		model *Surrogate
		ratio *classify.Ratio
		kind  error
	}{
		"depends on a, b, which the model has not": {s, fitRatio(t, shifted(0, "a", "b"), shifted(1, "a", "b")), ErrOtherRatio},
		"does not depend on x1, which the model has": {s, fitRatio(t, &rootio.Table{Columns: normals.Table(1, 0, n).Columns[:1]},
			&rootio.Table{Columns: shifted(1, "x0", "x1").Columns[:1]}), ErrOtherRatio},
		"conditional on x1":     {conditional, same, ErrOtherRatio},
		"Z cannot be estimated": {s, fitRatio(t, shifted(0, "x0", "x1"), shifted(40, "x0", "x1")), ErrNoOverlap},
	} {
		err := c.model.Refine(t.Context(), c.ratio)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || c.model.Ratio != nil {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if err := s.Refine(t.Context(), same); err != nil {
		t.Error(err)
	}
	if names := same.Names(); !slices.Equal(names, []string{"x0", "x1"}) {
		t.Errorf("the ratio is of %v", names)
	}
}
