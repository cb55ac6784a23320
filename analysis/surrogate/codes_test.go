package surrogate

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// codesAndMore returns n events with two codes that depend on each other, given x a
// third, and a value with a spike at −1: P(a) = 1/2, 1/4, 1/4, b = a for a < 2 and
// else 0 or 1, y normal about a with a spike of 30 % where b = 0.
func codesAndMore(seed uint64, n int) *rootio.Table {
	u, g := make([]float64, 4*n), make([]float32, 2*n)
	philox.Uniform64(u, seed, 0, 0)
	philox.Normal(g, seed, 1, 0)
	a, b, c := make([]int32, n), make([]int32, n), make([]bool, n)
	x, y := make([]float32, n), make([]float32, n)
	for i := range n {
		r := u[4*i : 4*i+4]
		switch {
		case r[0] < 0.5:
			a[i], b[i] = 0, 0
		case r[0] < 0.75:
			a[i], b[i] = 1, 1
		default:
			a[i] = 7
			if r[1] < 0.5 {
				b[i] = 1
			}
		}
		x[i] = g[2*i]
		c[i] = r[2] < 1/(1+math.Exp(-2*float64(x[i])))
		y[i] = g[2*i+1] + float32(a[i])/7
		if b[i] == 0 && r[3] < 0.3 {
			y[i] = -1
		}
	}
	return &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("a", a), rootio.ColumnOf("b", b), rootio.ColumnOf("c", c), rootio.ColumnOf("x", x), rootio.ColumnOf("y", y),
	}}
}

// TestCodesAgainstClosedForm trains on events with codes and a spike, conditional on
// x and not, and compares the log-density with the exact one, and the codes of
// generated events with their probabilities.
func TestCodesAgainstClosedForm(t *testing.T) {
	testenv.Slow(t, "it trains")
	const n = 40000
	opts := Options{Model: "spline", Layers: 2, Hidden: 32, Seed: 1, Refine: RefineOff, Train: training.Options{Epochs: 10}}
	for _, condition := range [][]string{nil, {"x"}} {
		opts.Condition = condition
		s := train(t, codesAndMore(1, n), nil, opts)
		if s.Parts[0].Chain.Factors[0].Kind() != "codes" {
			t.Fatalf("the density is %v", s.Parts[0].Chain)
		}
		file := filepath.Join(t.TempDir(), "m.eidolon")
		if err := s.Save(file); err != nil {
			t.Fatal(err)
		}
		s, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}

		test := codesAndMore(2, n)
		p := make([]float64, n)
		if err := s.LogDensity(t.Context(), p, test, 0); err != nil {
			t.Fatal(err)
		}
		v := make([][]float64, 5)
		for j := range v {
			v[j] = make([]float64, n)
			test.Columns[j].Floats(v[j], 0)
		}
		normal := func(x float64) float64 { return -0.5*x*x - 0.5*math.Log(2*math.Pi) }
		kl := 0.0
		for i := range n {
			a, b, c, x, y := v[0][i], v[1][i], v[2][i], v[3][i], v[4][i]
			truth := math.Log(map[float64]float64{0: 0.5, 1: 0.25, 7: 0.125}[a])
			up := 1 / (1 + math.Exp(-2*x))
			truth += math.Log(c*up + (1-c)*(1-up))
			if condition == nil {
				truth += normal(x)
			}
			switch {
			case y == -1:
				continue // its density is that of the cell that features give it
			case b == 0:
				truth += math.Log(0.7)
			}
			truth += normal(y - a/7)
			kl += (truth - p[i]) / n
		}
		if math.Abs(kl) > 0.02 {
			t.Errorf("condition %v: the mean log-density is off by %g", condition, kl)
		}

		out := rootio.NewTable(s.Fields(), n)
		if _, err := s.Generate(t.Context(), out, test, 5, 0); err != nil {
			t.Fatal(err)
		}
		column := func(name string) []float64 {
			c, ok := out.Column(name)
			if !ok {
				c, _ = test.Column(name)
			}
			x := make([]float64, n)
			c.Floats(x, 0)
			return x
		}
		a, b, c, x, y := column("a"), column("b"), column("c"), column("x"), column("y")
		share := func(what string, want, tolerance float64, is func(i int) (of, has bool)) {
			t.Helper()
			var k, all float64
			for i := range n {
				if of, has := is(i); of {
					all++
					if has {
						k++
					}
				}
			}
			if got := k / all; math.Abs(got-want) > tolerance+5*math.Sqrt(want*(1-want)/all) {
				t.Errorf("condition %v: %s: %g, want %g", condition, what, got, want)
			}
		}
		share("a = 0", 0.5, 0.003, func(i int) (bool, bool) { return true, a[i] == 0 })
		share("b = a where a = 1", 1, 1e-3, func(i int) (bool, bool) { return a[i] == 1, b[i] == 1 })
		share("b where a = 7", 0.5, 0.005, func(i int) (bool, bool) { return a[i] == 7, b[i] == 1 })
		share("the spike where b = 0", 0.3, 0.005, func(i int) (bool, bool) { return b[i] == 0, y[i] == -1 })
		share("the spike where b = 1", 0, 1e-3, func(i int) (bool, bool) { return b[i] == 1, y[i] == -1 })
		share("c where x > 1", 0.9355, 0.01, func(i int) (bool, bool) { return x[i] > 1, c[i] == 1 })
	}
}

// TestNothingButCodes checks that a sample of codes alone is learnt as a table.
func TestNothingButCodes(t *testing.T) {
	table := codesAndMore(1, 5000)
	table.Columns = table.Columns[:3]
	s := train(t, table, nil, small)
	out := rootio.NewTable(s.Fields(), 20000)
	generate(t, s, out, 1, 0)
	p := make([]float64, out.Len())
	if err := s.LogDensity(t.Context(), p, out, 0); err != nil {
		t.Fatal(err)
	}
	sum := map[float64]bool{}
	total := 0.0
	for _, l := range p {
		if key := math.Round(l * 1e6); !sum[key] {
			sum[key] = true
		}
		total += math.Exp(-l)
	}
	// Σ over drawn events of 1/p estimates the number of possible combinations times n.
	if got := total / float64(out.Len()); math.Abs(got-8) > 1 {
		t.Errorf("%g combinations, want 8", got)
	}
}

// TestSplitAndJoin checks that parting features and joining them is lossless.
func TestSplitAndJoin(t *testing.T) {
	table := codesAndMore(3, 5000)
	tr, err := New(t.Context(), table, nil, small)
	if err != nil {
		t.Fatal(err)
	}
	dim, discrete := tr.Parts[0].Features.Dim(), tr.Parts[0].Features.Discrete()
	if len(discrete) < 4 {
		t.Errorf("%d features are one of a few values", len(discrete))
	}
	for _, p := range discrete {
		for i := range table.Len() {
			z := tr.z[0][i*dim+p.Feature]
			code, y, _ := p.Split(z)
			if back, _, _ := p.Split(p.Join(code, y)); back != code {
				t.Fatalf("feature %d: %g has code %d and comes back with %d", p.Feature, z, code, back)
			}
			if again := p.Join(code, y); code == p.Codes-1 && !p.Pure && math.Abs(float64(again-z)) > 1e-4 {
				t.Fatalf("feature %d: %g comes back as %g", p.Feature, z, again)
			}
		}
	}
	if _, err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestCodesOneAfterTheOther trains on events with more codes than there are events for each combination: the
// weights of 60 processes among others, and a channel that nearly follows from the process.
func TestCodesOneAfterTheOther(t *testing.T) {
	testenv.Slow(t, "it trains")
	const n, processes, channels = 6000, 60, 30
	draw := func(seed uint64) *rootio.Table {
		u := make([]float64, 4*n)
		philox.Uniform64(u, seed, 0, 0)
		weight, channel := make([]float64, n), make([]int32, n)
		for i := range n {
			r := u[4*i : 4*i+4]
			weight[i], channel[i] = 1+2*r[1], int32(channels*r[3])
			if r[0] < 0.5 {
				process := int(processes * r[1])
				weight[i] = 1 + math.Sqrt(float64(process+1))/7
				if r[2] < 0.9 {
					channel[i] = int32(process % channels)
				}
			}
		}
		return &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("weight", weight), rootio.ColumnOf("channel", channel)}}
	}
	s := train(t, draw(1), nil, Options{Model: "realnvp", Layers: 2, Hidden: 32, Seed: 1, Refine: RefineOff, Train: training.Options{Epochs: 40}})
	factors := s.Parts[0].Chain.Factors
	if len(factors) != 3 || factors[0].Kind() != "codes" || factors[1].Kind() != "codes" {
		t.Fatalf("the density is %v", s.Parts[0].Chain)
	}
	file := filepath.Join(t.TempDir(), "m.eidolon")
	if err := s.Save(file); err != nil {
		t.Fatal(err)
	}
	s, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	out := rootio.NewTable(s.Fields(), n)
	if _, err := s.Generate(t.Context(), out, nil, 5, 0); err != nil {
		t.Fatal(err)
	}
	// shares returns the share of events with the weight of a process, and of those with its channel among them.
	shares := func(of *rootio.Table) (atom, follows float64) {
		weight, channel := make([]float64, n), make([]float64, n)
		of.Columns[0].Floats(weight, 0)
		of.Columns[1].Floats(channel, 0)
		for i, w := range weight {
			for process := range processes {
				if w == 1+math.Sqrt(float64(process+1))/7 {
					atom++
					if channel[i] == float64(process%channels) {
						follows++
					}
				}
			}
		}
		return atom / n, follows / atom
	}
	atom, follows := shares(draw(2))
	if a, f := shares(out); math.Abs(a-atom) > 0.03 || math.Abs(f-follows) > 0.08 {
		t.Errorf("generated events have the weight of a process in %.3f, and its channel in %.3f of these; want %.3f and %.3f", a, f, atom, follows)
	}
}
