package factor

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// uniform returns n deviates between lo and hi.
func uniform(n int, seed uint64, lo, hi float64) []float32 {
	u, x := make([]float64, n), make([]float32, n)
	philox.Uniform64(u, seed, 0, 0)
	for i, v := range u {
		x[i] = float32(lo + (hi-lo)*v)
	}
	return x
}

// numbers returns 0, 1, …, n−1.
func numbers(n int) []uint64 {
	all := make([]uint64, n)
	for i := range all {
		all[i] = uint64(i)
	}
	return all
}

// found is what there is for a kind of factor to be found in: events, and a density of the own
// part, positive where the factor's is, whose integral is known.
type found struct {
	events Events
	other  func(own []float32) (p, integral float64)
}

// events of 3000 for each kind that is found among the features. A new kind needs an entry.
func foundBy(t *testing.T) map[string]found {
	const n = 3000
	angles := uniform(3*n, 1, -features.Period/2, features.Period/2)
	code, more, x := make([]int32, n), make([]int32, n), make([]float64, n)
	for i := range n {
		h := philox.Uint64(2, 0, uint64(i))
		code[i], x[i] = int32(h%3), float64(angles[i])
		more[i] = int32(h>>8%3) * 5
	}
	spec, z := encoded(t, nil, rootio.ColumnOf("code", code), rootio.ColumnOf("x", x), rootio.ColumnOf("more", more))
	return map[string]found{
		"counts": {
			foundCounts(t, n),
			func(own []float32) (p, integral float64) { // a Poisson distribution
				const mean = 6.0
				l, _ := math.Lgamma(float64(own[0]) + 1)
				return math.Exp(float64(own[0])*math.Log(mean) - mean - l), 1
			},
		},
		"angle": {
			Events{Features: Features{Dim: 3, Angle: 2}, N: n, Rows: func() []float32 { return angles }},
			func([]float32) (p, integral float64) { return 1 / features.Period, 1 },
		},
		"independent": {
			Events{Features: Features{Dim: 3, Angle: -1, Independent: []int{1}}, N: n, Rows: func() []float32 { return angles }},
			func(own []float32) (p, integral float64) { return math.Exp(-math.Abs(float64(own[0]))) / 2, 1 },
		},
		"codes": {
			Events{Features: Of(spec), N: n, Rows: func() []float32 { return z }},
			func([]float32) (p, integral float64) { return 1, 3 * 3 },
		},
	}
}

// foundCounts returns events with a column of counts of the mean 8 and the variance 8 + 8²/2, and a
// number.
func foundCounts(t *testing.T, n int) Events {
	x, k := uniform(n, 8, 0, 1), make([]int32, n)
	for i, u := range uniform(n, 9, 0, 1) {
		k[i] = int32(quantile(float64(u), 8, 2))
	}
	spec, rows := encoded(t, map[string]string{"k": "count"}, rootio.ColumnOf("k", k), rootio.ColumnOf("x", x))
	return Events{Features: Of(spec), N: n, Rows: func() []float32 { return rows }}
}

// encoded returns the features of columns.
func encoded(t *testing.T, as map[string]string, columns ...rootio.Column) (*features.Spec, []float32) {
	t.Helper()
	table := &rootio.Table{Columns: columns}
	spec, err := features.Fit(t.Context(), table, nil, features.Options{As: as})
	must(t, err)
	z := make([]float32, table.Len()*spec.Dim())
	must(t, spec.Encode(t.Context(), z, nil, table, features.Noise{}))
	return spec, z
}

// TestCounts compares a fit with what the counts were drawn from, given a number that they depend on,
// and with the density that the features have; and checks that what is no negative binomial is not
// taken for one.
func TestCounts(t *testing.T) {
	const n = 20_000
	c, own := uniform(n, 1, -1, 1), make([]float32, n)
	for i, u := range uniform(n, 2, 0, 1) {
		own[i] = float32(quantile(float64(u), math.Exp(2+float64(c[i])), 3))
	}
	m := newCounts(countsDescription{Context: 1, Spread: 1}, Features{Dim: 1})
	_, err := m.Train(t.Context(), training.Data{X: own, Dim: 1, C: c, Context: 1}, training.Data{}, training.Options{})
	must(t, err)
	for i, want := range []float64{2, 1, math.Log(3), 0} {
		if got := float64(m.params[i]); math.Abs(got-want) > 0.08 {
			t.Errorf("parameter %d is %.3f, want %.3f", i, got, want)
		}
	}
	sum := 0.0
	for k := range 2000 {
		sum += math.Exp(logNegativeBinomial(float64(k), 12, 0.7))
	}
	if math.Abs(sum-1) > 1e-9 {
		t.Errorf("probabilities add up to %g", sum)
	}
	events := foundCounts(t, 2000)
	z, of := events.Rows(), events.Counts[0]
	for i := range 100 {
		count, _ := of.Split(z[i*events.Dim+of.Feature])
		if back, _ := of.Split(of.Join(count)); back != count {
			t.Errorf("a count of %g comes back as %g", count, back)
		}
	}
	two := make([]int32, 2000) // islands
	for i, u := range uniform(len(two), 3, 0, 1) {
		two[i] = int32(quantile(float64(u), 5, 1e4)) + 200*int32(i%2)
	}
	spec, rows := encoded(t, map[string]string{"k": "count"}, rootio.ColumnOf("k", two))
	f, err := findCounts(t.Context(), Events{Features: Of(spec), N: len(two), Rows: func() []float32 { return rows }}, Settings{})
	if err != nil || f != nil {
		t.Errorf("two islands are %v (%v)", f, err)
	}
}

// narrow is the density of a narrow normal, of a feature about the other.
func narrow(own []float32) (p, integral float64) {
	gauss := func(x float32, sigma float64) float64 {
		r := float64(x) / sigma
		return math.Exp(-0.5*r*r) / (sigma * math.Sqrt(2*math.Pi))
	}
	return gauss(own[0], 0.35) * gauss(own[1]-own[0], 0.2), 1
}

// TestKinds takes every kind of factor of the table through its life: it is made and trained, its
// events are those of its density and the same in any batch, its cut can be undone, and so it is
// all again after a file.
func TestKinds(t *testing.T) {
	const n, draws = 3000, 4096
	there := foundBy(t)
	for _, kind := range Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			asked := Settings{Seed: 1}
			for option, ask := range map[string]func(){
				"hidden": func() { asked.Hidden = 8 }, "depth": func() { asked.Depth = 1 }, "layers": func() { asked.Layers = 2 },
				"epochs":  func() { asked.Train.Epochs = 2 },
				"teacher": func() { asked.Teacher, asked.Solver.Steps = kind.Teachers[len(kind.Teachers)-1], 4 },
			} {
				if kind.Uses(option, asked) {
					ask()
				}
			}
			z := uniform(2*n, 3, -1.5, 1.5)
			for i := range n { // one feature about the other
				z[2*i+1] = z[2*i] + 0.5*z[2*i+1]
			}
			events, other := Events{Features: Features{Dim: 2, Angle: -1}, N: n, Rows: func() []float32 { return z }}, narrow
			var f Factor
			if kind.Find != nil {
				of, ok := there[kind.Name]
				if !ok {
					t.Fatal("there is nothing to find: foundBy needs an entry")
				}
				events, other = of.events, of.other
				var err error
				f, err = kind.Find(t.Context(), events, asked)
				must(t, err)
				nothing, err := kind.Find(t.Context(), Events{Features: Features{Dim: 2, Angle: -1}, N: n, Rows: func() []float32 { return z }}, asked)
				if err != nil || nothing != nil {
					t.Errorf("found where there is nothing: %v (%v)", nothing, err)
				}
			} else {
				s, err := kind.Decide(asked, n, events.Dim)
				must(t, err)
				asked = s
				f, err = kind.Make(events.Dim, 0, nil, s)
				must(t, err)
			}
			own := events.Rows()
			if cut := f.Cut(); cut != nil {
				own = checkCut(t, f, events)
			}
			rows := training.Data{X: own, Dim: f.Dim(), C: []float32{}, Context: 0}
			if _, err := f.Train(t.Context(), rows, training.Data{}, asked.Train); err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(f)
			must(t, err)
			loaded, err := kind.Load(text, f.Tensors(), events.Features)
			must(t, err)
			if again, err := json.Marshal(loaded); err != nil || string(again) != string(text) || loaded.Kind() != kind.Name || loaded.String() != f.String() {
				t.Errorf("%v comes back as %v: %s\n%s (%v)", f, loaded, text, again, err)
			}
			x, p := make([]float32, draws*f.Dim()), make([]float64, draws)
			must(t, f.Sample(t.Context(), x, nil, 5, 0, numbers(draws)))
			must(t, f.LogDensity(t.Context(), p, x, nil))
			part, same := make([]float32, 77*f.Dim()), make([]float64, 77)
			must(t, loaded.Sample(t.Context(), part, nil, 5, 0, numbers(draws)[1000:1077]))
			must(t, loaded.LogDensity(t.Context(), same, part, nil))
			if !slices.Equal(part, x[1000*f.Dim():1077*f.Dim()]) || !slices.Equal(same, p[1000:1077]) {
				t.Error("events or densities depend on the others, or on the file")
			}
			if _, ok := f.(Learner); ok {
				return // the density is that of its teacher
			}
			// The mean of q/p over events of p is the integral of q.
			mean, squares, want := 0.0, 0.0, 0.0
			for i, l := range p {
				q, integral := other(x[i*f.Dim() : (i+1)*f.Dim()])
				r := q / math.Exp(l)
				mean, squares, want = mean+r/draws, squares+r*r/draws, integral
			}
			sigma := math.Sqrt((squares - mean*mean) / draws)
			if !(sigma < 0.1*want) || math.Abs(mean-want) > 4*sigma+0.01*want {
				t.Errorf("the integral of another density is %.3f ± %.3f by events and density, want %.3f", mean, sigma, want)
			}
		})
	}
}

// checkCut checks that the parts of events can be joined again, and returns the own part.
func checkCut(t *testing.T, f Factor, events Events) (own []float32) {
	t.Helper()
	cut, z, n := f.Cut(), events.Rows(), events.N
	rest := cut.Rest(events.Features)
	if rest.Dim != cut.Left() || rest.Dim > events.Dim {
		t.Errorf("of %d features %d are left, or %d", events.Dim, rest.Dim, cut.Left())
	}
	own, left := make([]float32, n*f.Dim()), make([]float32, n*cut.Left())
	cut.Split(own, left, nil, z)
	x, again, leftAgain := make([]float32, len(z)), make([]float32, len(own)), make([]float32, len(left))
	cut.Join(x, own, left)
	cut.Split(again, leftAgain, nil, x)
	if !slices.Equal(own, again) || !slices.Equal(left, leftAgain) {
		t.Error("what is split and joined is not split as before")
	}
	told := make([]float32, cut.Told())
	cut.Tell(told, own[:f.Dim()])
	for _, v := range told {
		if v != v {
			t.Errorf("the factors after it are told %v", told)
		}
	}
	return own
}

// TestDensityOfTheAngle compares the density of the angle with what it was made of, and with
// the angles that are drawn.
func TestDensityOfTheAngle(t *testing.T) {
	const n = 100_000
	z, u := make([]float32, 0, n), make([]float64, 4*n)
	philox.Uniform64(u, 1, 0, 0)
	density := func(z float64) float64 { return (1 + 0.3*math.Cos(18*2*math.Pi/features.Period*z)) / features.Period }
	for i := 0; len(z) < n; i++ {
		v := features.Period * (u[2*i] - 0.5)
		if 1.3*u[2*i+1] < density(v)*features.Period {
			z = append(z, float32(v))
		}
	}
	pairs := make([]float32, 2*n) // with a feature that is 0
	for i, v := range z {
		pairs[2*i] = v
	}
	a := newAngle(Events{Features: Features{Dim: 2}, N: n, Rows: func() []float32 { return pairs }})
	drawn := make([]float32, n)
	must(t, a.Sample(t.Context(), drawn, nil, 1, 0, numbers(n)))
	for what, rows := range map[string][]float32{"events": z, "drawn ones": drawn} {
		p := make([]float64, n)
		must(t, a.LogDensity(t.Context(), p, rows, nil))
		kl := 0.0
		for i, l := range p {
			kl += (math.Log(density(float64(rows[i]))) - l) / n
		}
		if math.Abs(kl) > 0.001 {
			t.Errorf("of %s the log-density is off by %.4f on average", what, kl)
		}
	}
}

// TestDamagedAngle checks that descriptions of an angle that cannot be are errors.
func TestDamagedAngle(t *testing.T) {
	events := foundBy(t)["angle"].events
	a := newAngle(events)
	for _, damage := range []func(*angleDescription){
		func(d *angleDescription) { d.Feature = 3 },
		func(d *angleDescription) { d.Feature = 1 },
		func(d *angleDescription) { d.Density = make([]harmonic, 65) },
		func(d *angleDescription) { d.Feature = -1 },
		func(d *angleDescription) { d.Multiples = nil },
		func(d *angleDescription) { d.Multiples = []int{3, 1} },
		func(d *angleDescription) { d.Multiples = []int{1, 65} },
		func(d *angleDescription) { d.Multiples = []int{1, 1, 2} },
		func(d *angleDescription) { d.Density = []harmonic{{0, 1, 1}} },
		func(d *angleDescription) { d.Density = []harmonic{{1, math.MaxFloat64, 1}} },
	} {
		broken := *a
		damage(&broken.about)
		text, err := broken.MarshalJSON()
		must(t, err)
		if _, err := loadAngle(text, nil, events.Features); err == nil {
			t.Errorf("no error for %+v", broken.about)
		}
	}
}

// TestCancelled checks that every kind stops with the error of its context.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, of := range foundBy(t) {
		kind, _ := ByName(name)
		f, err := kind.Find(t.Context(), of.events, Settings{Seed: 1})
		must(t, err)
		x, p := make([]float32, f.Dim()), make([]float64, 1)
		if err := f.Sample(ctx, x, nil, 1, 0, numbers(1)); err == nil {
			t.Errorf("%s is drawn without end", name)
		}
		if err := f.LogDensity(ctx, p, x, nil); err == nil {
			t.Errorf("%s is scored without end", name)
		}
	}
}
