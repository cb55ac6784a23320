package surrogate

import (
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// comb returns events with a code, a variable x that jumps up and down twelve times around
// the angle phi, and this, of which a part is missing where x is up.
func comb(n int, seed uint64) *rootio.Table {
	x, code, phi := make([]float32, 0, n), make([]int32, 0, n), make([]float32, 0, n)
	u, e := make([]float64, 8*n), make([]float32, 2*n)
	philox.Uniform64(u, seed, 0, 0)
	philox.Normal(e, seed, 1, 0)
	for i := 0; len(x) < n; i++ {
		at := math.Pi * (2*u[3*i] - 1)
		up := isUp(at)
		if up > 0 && u[3*i+1] < 0.2 {
			continue
		}
		x, phi, code = append(x, float32(up+0.3*float64(e[i]))), append(phi, float32(at)), append(code, int32(3*u[3*i+2]))
	}
	return &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("code", code), rootio.ColumnOf("x", x), rootio.ColumnOf("phi", phi)}}
}

func isUp(phi float64) float64 { return math.Copysign(1, math.Sin(12*phi)) }

// TestAngleFactor trains on a comb. Its teeth come out where they belong (with the angle among
// the features that a network draws, 0.76 of the events did), and as many as there are; the
// log-density agrees with the truth; events do not depend on each other, nor on the file.
func TestAngleFactor(t *testing.T) {
	testenv.Slow(t, "it trains")
	const n = 50_000
	opts := Options{Model: denoiser, Components: 1, Hidden: 32, Depth: 2, Seed: 1, Refine: RefineOff}
	opts.Train.Epochs = 24
	s := train(t, comb(n, 1), nil, opts)
	if s.Parts[0].Chain.Factors[0].Kind() != "angle" {
		t.Fatalf("a comb is learnt by %v", s.Parts[0].Chain)
	}
	var angle struct{ Multiples []int }
	text, err := json.Marshal(s.Parts[0].Chain.Factors[0])
	must(t, err)
	must(t, json.Unmarshal(text, &angle))
	if !slices.Contains(angle.Multiples, 12) || !slices.Contains(angle.Multiples, 36) || len(angle.Multiples) > 16 {
		t.Errorf("waves %v", angle.Multiples)
	}
	const m = 20_000
	file := filepath.Join(t.TempDir(), "comb.eidolon")
	if err := s.Save(file); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	draw := func(s *Surrogate, first, n int) *rootio.Table {
		out := rootio.NewTable(s.Fields(), n)
		if _, err := s.Generate(t.Context(), out, nil, 3, uint64(first)); err != nil {
			t.Fatal(err)
		}
		return out
	}
	out := draw(s, 0, m)
	floats := func(t *rootio.Table, name string) []float64 {
		c, _ := t.Column(name)
		v := make([]float64, t.Len())
		c.Floats(v, 0)
		return v
	}
	x, phi := floats(out, "x"), floats(out, "phi")
	right, up := 0.0, 0.0
	for i, v := range x {
		if (v > 0) == (isUp(phi[i]) > 0) {
			right++
		}
		if isUp(phi[i]) > 0 {
			up++
		}
	}
	if share := right / m; !(share > 0.968) {
		t.Errorf("%.3f of the events are where they belong", share)
	}
	if want := 0.8 / 1.8; math.Abs(up/m-want) > 4*math.Sqrt(want*(1-want)/m)+0.005 {
		t.Errorf("%.4f of the events are where x is up, want %.4f", up/m, want)
	}
	part := draw(loaded, 1000, 77)
	for _, name := range []string{"code", "x", "phi"} {
		if !slices.Equal(floats(part, name), floats(out, name)[1000:1077]) {
			t.Errorf("%s depends on the other events, or on the file", name)
		}
	}
	fresh := comb(2000, 2)
	p, q := make([]float64, fresh.Len()), make([]float64, fresh.Len())
	if err := s.LogDensity(t.Context(), p, fresh, 0); err != nil {
		t.Fatal(err)
	}
	if err := loaded.LogDensity(t.Context(), q, fresh, 0); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p, q) {
		t.Error("the log-density depends on the file")
	}
	kl := 0.0
	fx, fphi := floats(fresh, "x"), floats(fresh, "phi")
	for i, l := range p {
		truth, up := math.Log(1/(0.9*2*math.Pi)/3), isUp(fphi[i])
		if up > 0 {
			truth += math.Log(0.8)
		}
		d := (fx[i] - up) / 0.3
		truth -= d*d/2 + math.Log(0.3*math.Sqrt(2*math.Pi))
		kl += (truth - l) / float64(len(p))
	}
	// Over five seeds: 0.058 ± 0.008; five standard deviations are allowed.
	if !(kl > 0 && kl < 0.1) {
		t.Errorf("KL(truth ‖ model) = %.3f", kl)
	}
}

// TestAngleIsIndependent draws what does not depend on the angle, and checks that it does not.
func TestAngleIsIndependent(t *testing.T) {
	const n = 20_000
	z := make([]float32, 3*n)
	philox.Uniform(z, 5, 0, 0)
	for i := range z {
		z[i] = features.Period * (z[i] - 0.5)
	}
	events := factor.Events{Features: factor.Features{Dim: 3, Angle: 1}, N: n, Rows: func() []float32 { return z }}
	kind, _ := factor.ByName(realNVP) // untrained: standard normals
	chain, err := compose(t.Context(), kind, events, nil, factor.Settings{Layers: 8, Hidden: 8, Depth: 1, Seed: 1})
	must(t, err)
	if len(chain.Factors) != 2 || chain.Factors[0].Kind() != "angle" {
		t.Fatalf("the chain is %v", chain)
	}
	x, numbers := make([]float32, 3*n), make([]uint64, n)
	for i := range numbers {
		numbers[i] = uint64(i)
	}
	must(t, chain.Sample(t.Context(), x, nil, 1, 0, numbers))
	for k := range 4 {
		for _, sign := range []float64{-1, 1} {
			var re, im float64
			for i := range n {
				s, c := math.Sincos(2*math.Pi/features.Period*float64(x[3*i+1]) + sign*float64(k)*math.Atan2(float64(x[3*i]), float64(x[3*i+2])))
				re, im = re+c/n, im+s/n
			}
			if r := math.Hypot(re, im); r > 4/math.Sqrt(n) {
				t.Errorf("the angle and %g times that of the others: correlation %.3f", sign*float64(k), r)
			}
		}
	}
	p := make([]float64, 1)
	if chain.LogDensity(t.Context(), p, []float32{0, float32(math.Inf(1)), 0}, nil); !math.IsNaN(p[0]) {
		t.Errorf("the log-density of an angle that is not finite is %g", p[0])
	}
}

// TestMissingWave takes a wave from what an angle tells the factors after it: their context does
// not fit then, and the chain is not loaded.
func TestMissingWave(t *testing.T) {
	const n = 1000
	z := make([]float32, 2*n)
	philox.Uniform(z, 5, 0, 0)
	events := factor.Events{Features: factor.Features{Dim: 2, Angle: 1}, N: n, Rows: func() []float32 { return z }}
	for _, model := range []string{realNVP, denoiser} {
		kind, _ := factor.ByName(model)
		chain, err := compose(t.Context(), kind, events, nil, factor.Settings{Layers: 2, Hidden: 8, Depth: 1, Components: 1, Seed: 1})
		must(t, err)
		list, err := chain.describe()
		must(t, err)
		if _, err := loadChain(list, chain.Tensors(), events.Features, 0); err != nil {
			t.Fatal(err)
		}
		var angle map[string]any
		must(t, json.Unmarshal(list[0].Description, &angle))
		angle["multiples"] = angle["multiples"].([]any)[1:]
		list[0].Description, err = json.Marshal(angle)
		must(t, err)
		if _, err := loadChain(list, chain.Tensors(), events.Features, 0); err == nil || !strings.Contains(err.Error(), "context features") {
			t.Errorf("%s: with a wave less the error is %v", model, err)
		}
	}
}

// TestWhoGoesAround checks which models draw an angle first.
func TestWhoGoesAround(t *testing.T) {
	testenv.Slow(t, "it looks at large samples")
	few, err := New(t.Context(), comb(49_999, 1), nil, Options{Model: denoiser, Components: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, got := few.Parts[0].Features.Angle(); got {
		t.Error("few events have a linear angle")
	}
	table := comb(50_000, 1)
	for _, c := range []struct {
		opts Options
		want bool
	}{
		{Options{Model: denoiser, Components: 1}, true},
		{Options{Model: distilled, Components: 1}, true},
		{Options{Model: denoiser, Components: 3}, false},
		{Options{Model: denoiser, Components: 1, Condition: []string{"code"}}, false},
		{Options{Model: distilled, Diffusion: DiffusionOptions{Teacher: kernelSums}}, false},
		{Options{Model: kernelSums}, false},
		{Options{Model: spline, Components: 1}, false},
	} {
		tr, err := New(t.Context(), table, nil, c.opts)
		if err != nil {
			t.Fatal(err)
		}
		got := tr.Parts[0].Chain.Factors[0].Kind() == "angle"
		if _, linear := tr.Parts[0].Features.Angle(); got != c.want || linear != c.want {
			t.Errorf("%+v: %v, linear %v", c.opts, tr.Parts[0].Chain, linear)
		}
		if !got {
			continue
		}
		if f, ok := tr.Parts[0].Chain.last().(factor.Learner); ok {
			taught, _ := tr.Teacher()
			if taught.Parts[0].Chain.last() != f.Teacher() || tr.Parts[0].Chain.last().Kind() != distilled {
				t.Error("the teacher is not in the place of the map")
			}
		}
	}
}
