package surrogate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/flows"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// everyKind returns a table with columns of all kinds.
func everyKind(n int) *rootio.Table {
	t := zmumu.Default().Table(1, 0, n)
	code, flag, run, count := make([]int32, n), make([]bool, n), make([]uint64, n), make([]uint16, n)
	for i := range n {
		h := philox.Uint64(2, 0, uint64(i))
		code[i] = []int32{-13, 13, 2212}[h%3]
		flag[i] = h>>8%4 == 0
		run[i] = 160955
		count[i] = uint16(h >> 16 % 2000)
	}
	t.Columns = append(t.Columns[:3:3], rootio.ColumnOf("code", code), rootio.ColumnOf("flag", flag),
		rootio.ColumnOf("run", run), rootio.ColumnOf("count", count))
	return t
}

// The names of the models.
const (
	autoregressive = "autoregressive"
	spline         = "spline"
	realNVP        = "realnvp"
	kernelSums     = "diffusion"
	denoiser       = "denoiser"
	distilled      = "distilled"
)

// small asks for a model that is trained fast: of the columns as they are, and without trees.
var small = Options{Layers: 4, Hidden: 16, Seed: 1, Coordinates: PlainCoordinates, Refine: RefineOff, Train: training.Options{Epochs: 3}}

func train(t *testing.T, table *rootio.Table, w []float64, opts Options) *Surrogate {
	t.Helper()
	tr, err := New(t.Context(), table, w, opts)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tr.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func generate(t *testing.T, s *Surrogate, out *rootio.Table, seed, first uint64) Tails {
	t.Helper()
	tails, err := s.Generate(t.Context(), out, nil, seed, first)
	if err != nil {
		t.Fatal(err)
	}
	return tails
}

func equalTables(a, b *rootio.Table) bool {
	if !slices.Equal(a.Fields(), b.Fields()) || a.Len() != b.Len() {
		return false
	}
	x, y := make([]float64, a.Len()), make([]float64, a.Len())
	for i := range a.Columns {
		a.Columns[i].Floats(x, 0)
		b.Columns[i].Floats(y, 0)
		if !slices.Equal(x, y) {
			return false
		}
	}
	return true
}

// TestGenerateIsReproducible checks the contract that event i depends on (seed, i)
// alone, also through training, a file, the number of processors, and the cuts.
func TestGenerateIsReproducible(t *testing.T) {
	table := everyKind(3000)
	s := train(t, table, nil, small)
	const n = 20000
	want := rootio.NewTable(s.Fields(), n)
	tails := generate(t, s, want, 9, 50)

	old := runtime.GOMAXPROCS(1)
	again := train(t, table, nil, small)
	runtime.GOMAXPROCS(old)
	file := filepath.Join(t.TempDir(), "m.eidolon")
	if err := again.Save(file); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*Surrogate{"trained again on one processor": again, "loaded": loaded} {
		got := rootio.NewTable(m.Fields(), n)
		var sum Tails
		for lo, size := 0, 1; lo < n; lo, size = lo+size, size*3+1 {
			part := generate(t, m, got.Slice(lo, min(lo+size, n)), 9, uint64(50+lo))
			sum.Redrawn += part.Redrawn
			sum.Clipped += part.Clipped
		}
		if !equalTables(got, want) {
			t.Errorf("%s: other events", name)
		}
		if sum != tails {
			t.Errorf("%s: tails %+v, want %+v", name, sum, tails)
		}
	}
	generate(t, s, want, 10, 50)
	got := rootio.NewTable(s.Fields(), n)
	generate(t, s, got, 9, 50)
	if equalTables(got, want) {
		t.Error("another seed gives the same events")
	}
}

func TestGenerateKeepsTypesAndRanges(t *testing.T) {
	table := everyKind(5000)
	s := train(t, table, nil, small)
	out := rootio.NewTable(s.Fields(), 30000)
	generate(t, s, out, 1, 0)
	if !slices.Equal(out.Fields(), table.Fields()) {
		t.Errorf("fields %v, want %v", out.Fields(), table.Fields())
	}
	in, x := make([]float64, table.Len()), make([]float64, out.Len())
	for i, c := range s.Parts[0].Features.Columns {
		table.Columns[i].Floats(in, 0)
		out.Columns[i].Floats(x, 0)
		lo, hi := slices.Min(in), slices.Max(in)
		if c.Kind.IsInteger() || c.Kind == rootio.Bool {
			if slices.Min(x) < lo || slices.Max(x) > hi {
				t.Errorf("%s: generated from %g to %g, data from %g to %g", c.Name, slices.Min(x), slices.Max(x), lo, hi)
			}
		}
		for _, v := range x {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("%s: generated %g", c.Name, v)
			}
		}
		if c.Name == "code" || c.Name == "flag" || c.Name == "run" {
			legal := slices.Compact(slices.Sorted(slices.Values(in)))
			for _, v := range x {
				if !slices.Contains(legal, v) {
					t.Fatalf("%s: generated the illegal value %g", c.Name, v)
				}
			}
		}
	}
}

// TestTails gives a flow parameters with which most draws leave the range of the
// data, and checks that none is further outside than the margin.
func TestTails(t *testing.T) {
	testenv.Slow(t, "it trains")
	s := train(t, zmumu.Default().Table(1, 0, 2000), nil, small)
	for _, tensor := range s.Parts[0].Chain.Tensors() {
		philox.Normal(tensor.Value, 4, 0, 0) // events come to the limits of both sides
	}
	s.Parts[0].Chain.last().(interface{ Update() }).Update()
	out := rootio.NewTable(s.Fields(), 2000)
	tails := generate(t, s, out, 1, 0)
	if tails.Redrawn == 0 || tails.Clipped == 0 {
		t.Errorf("tails %+v of a wild flow", tails)
	}
	// The limits are stated in model space, and so is how exactly an event keeps them: to the
	// rounding of a float32 there and back.
	const rounding = 1e-3
	z := make([]float32, out.Len()*s.Parts[0].Features.Dim())
	must(t, s.Parts[0].Features.Encode(t.Context(), z, nil, out, features.Noise{}))
	lo, hi := s.Parts[0].Features.Limits(s.margin())
	for i, v := range z {
		k := i % len(lo)
		if v < lo[k]-rounding || v > hi[k]+rounding {
			t.Fatalf("feature %d of event %d is %g, the limits are %g and %g", k, i/len(lo), v, lo[k], hi[k])
		}
	}
	// In units of the branches, the furthest limit is that of the long tail of pt: 3.5 widths of
	// the range of the data beyond it, for every wild flow.
	const beyond = 4
	for _, c := range s.Parts[0].Features.Columns {
		column, ok := out.Column(c.Name)
		if !ok {
			continue // an angle from another
		}
		x := make([]float64, out.Len())
		column.Floats(x, 0)
		most := beyond * (c.Max - c.Min)
		if lo, hi := slices.Min(x), slices.Max(x); !(lo >= c.Min-most && hi <= c.Max+most) {
			t.Errorf("%s: generated from %g to %g, data from %g to %g", c.Name, lo, hi, c.Min, c.Max)
		}
	}
}

// TestCut checks that a cut on a momentum holds for generated events, too, where the
// momentum is no feature, and that these depend on (seed, number) alone all the same.
func TestCut(t *testing.T) {
	testenv.Slow(t, "it trains")
	const cut, n = 35, 4000
	g := zmumu.Default()
	all := g.Table(1, 0, 8*n)
	all.Columns = all.Columns[6:] // of the muons
	var names []string
	for _, c := range all.Columns {
		names = append(names, c.Name)
	}
	var rows []int
	x := make([]float64, all.Len())
	all.Columns[3].Floats(x, 0)
	for i, pt := range x {
		if pt > cut {
			rows = append(rows, i)
		}
	}
	table := &rootio.Table{}
	for _, c := range all.Columns {
		table.Columns = append(table.Columns, c.Take(rows))
	}
	opts := small
	opts.Model = spline
	opts.Features = features.Options{
		Vectors: []string{"a=" + strings.Join(names[:3], ",") + ",0.1057", "b=" + strings.Join(names[3:], ",") + ",0.1057"},
		Systems: []string{"Z=a+b"},
	}
	s := train(t, table, nil, opts)
	out := rootio.NewTable(s.Fields(), n)
	tails := generate(t, s, out, 1, 0)
	if tails.Redrawn == 0 {
		t.Error("no event was beyond the cut, there is nothing to test")
	}
	pt := make([]float64, n)
	out.Columns[3].Floats(pt, 0)
	if least := slices.Min(pt); least < cut {
		t.Errorf("%s goes down to %g, the cut is at %d", names[3], least, cut)
	}
	again := rootio.NewTable(s.Fields(), n/2)
	generate(t, s, again, 1, n/4)
	for j, c := range again.Columns {
		if !reflect.DeepEqual(c.Values(), out.Columns[j].Slice(n/4, n/4+n/2).Values()) {
			t.Errorf("%s: other events where fewer are drawn at a time", c.Name)
		}
	}
}

// TestLogDensity compares the density with the truth where that is known.
func TestLogDensity(t *testing.T) {
	testenv.Slow(t, "it trains")
	g := zmumu.Default()
	table := g.Table(1, 0, 20000)
	table.Columns = table.Columns[:6]
	opts := small
	opts.Train.Epochs = 10
	s := train(t, table, nil, opts)
	const n, first = 20000, 1 << 32
	fresh := g.Table(1, first, n)
	p, events := make([]float64, n), make([]zmumu.Event, n)
	if err := s.LogDensity(t.Context(), p, fresh, 0); err != nil {
		t.Fatal(err)
	}
	g.Events(events, 1, first)
	kl := 0.0
	for i, e := range events {
		kl += (g.LogDensity(e) - p[i]) / n
	}
	if !(kl > 0 && kl < 0.06) {
		t.Errorf("KL(truth ‖ model) = %g", kl)
	}
	far := g.Table(1, 0, 4)
	copy(far.Columns[1].Values().([]float64), []float64{1e30, -1e300, 1e5, math.MaxFloat64})
	if err := s.LogDensity(t.Context(), p[:4], far, 0); err != nil {
		t.Fatal(err)
	}
	for i, v := range p[:4] {
		if !(v < -20) {
			t.Errorf("far out, event %d has the log-density %g", i, v)
		}
	}
	if err := s.LogDensity(t.Context(), p[:5], &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("mass", make([]float64, 5))}}, 0); err == nil {
		t.Error("no error for missing branches")
	}
}

// TestWeights checks that a sample with weights is learnt like the sample that
// the weights stand for.
func TestWeights(t *testing.T) {
	const n = 20000
	x, w := make([]float64, n), make([]float64, n)
	philox.Uniform64(x, 1, 0, 0)
	for i, v := range x { // uniform events, weighted to a density 2x, a third of the weight negative
		w[i] = 2 * v
		switch i % 4 {
		case 0:
			w[i] *= -2
		case 1, 2, 3:
			w[i] *= 2
		}
	}
	s := train(t, &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x)}}, w, small)
	out := rootio.NewTable(s.Fields(), n)
	generate(t, s, out, 1, 0)
	mean := 0.0
	for _, v := range out.Columns[0].Values().([]float64) {
		mean += v / n
	}
	if math.Abs(mean-2.0/3) > 0.01 {
		t.Errorf("mean %g, want 2/3", mean)
	}
	for i := range w {
		w[i] = -w[i]
	}
	if _, err := New(t.Context(), &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x)}}, w, small); err == nil {
		t.Error("no error for a negative sum of weights")
	}
}

func TestFewEvents(t *testing.T) {
	for n := 2; n < 14; n++ {
		s := train(t, zmumu.Default().Table(1, 0, n), nil, small)
		out := rootio.NewTable(s.Fields(), 100)
		generate(t, s, out, 1, 0)
		for _, c := range out.Columns {
			x := make([]float64, 100)
			c.Floats(x, 0)
			for _, v := range x {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("%d events: generated %s = %g", n, c.Name, v)
				}
			}
		}
	}
}

func TestInterrupt(t *testing.T) {
	opts := small
	ctx, cancel := context.WithCancel(context.Background())
	opts.Train.Epochs = 10000
	opts.Train.Progress = func(s training.Status) {
		if s.Step == 20 {
			cancel()
		}
	}
	tr, err := New(t.Context(), zmumu.Default().Table(1, 0, 1000), nil, opts)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tr.Run(ctx)
	if !errors.Is(err, context.Canceled) || s == nil {
		t.Fatalf("interrupted training returned %v, error %v", s, err)
	}
	generate(t, s, rootio.NewTable(s.Fields(), 10), 1, 0)
}

// TestCheckLearnt checks which trainings have failed, and which are only warned of.
func TestCheckLearnt(t *testing.T) {
	point := func(step int, valid float64) training.Point { return training.Point{Step: step, Valid: valid} }
	for name, c := range map[string]struct {
		h        training.History
		fails    bool
		warnings []string
	}{
		"learnt":           {training.History{Batch: 9, Best: 2, BestStep: 20, Points: []training.Point{point(10, 9), point(20, 2)}}, false, nil},
		"nothing to train": {training.History{Best: 2, Points: []training.Point{point(0, 2)}}, false, nil},
		"no better":        {training.History{Batch: 9, Best: 2, Points: []training.Point{point(10, 2.1), point(20, 9)}}, false, []string{"the features alone"}},
		"ran away":         {training.History{Batch: 9, Best: 2, Points: []training.Point{point(10, 80), point(20, 9)}}, true, nil},
		"no time":          {training.History{Batch: 9, Best: 2}, true, nil},
		"never finite":     {training.History{Batch: 9, Best: 2, Rollbacks: 3}, true, nil},
		"no way back":      {training.History{Batch: 9, Best: 2, BestStep: 20, Points: []training.Point{{Step: 20, Valid: 2, RoundTrip: 0.2, WorstRoundTrip: 9}}}, false, []string{"not reversible"}},
		"rolled back":      {training.History{Batch: 9, Best: 2, BestStep: 20, Rollbacks: 3, Points: []training.Point{point(20, 2)}}, false, []string{"not finite 3 times"}},
	} {
		if err := checkLearnt(c.h); (err != nil) != c.fails || err != nil && !errors.Is(err, ErrNothingLearnt) {
			t.Errorf("%s: error %v", name, err)
		}
		if c.fails {
			continue
		}
		got := (&Surrogate{Card: Card{History: c.h}}).Warnings()
		if len(got) != len(c.warnings) || len(got) > 0 && !strings.Contains(got[0], c.warnings[0]) {
			t.Errorf("%s: warnings %q", name, got)
		}
	}
}

func TestOptions(t *testing.T) {
	table := zmumu.Default().Table(1, 0, 100)
	for name, opts := range map[string]Options{
		"model":  {Model: "magic"},
		"layers": {Layers: -1},
		"hidden": {Hidden: 1 << 30},

		"no activation is called \"none\"":                            {Activation: "none"},
		"dropout must be":                                             {Dropout: 1},
		"dropout is for the models":                                   {Model: denoiser, Dropout: 0.1},
		"residual is for the models":                                  {Model: kernelSums, Residual: true},
		"no form of couplings is called":                              {Model: realNVP, Coupling: "best"},
		"components cannot be 3 with":                                 {Model: realNVP, Coupling: "lecture", Components: 3},
		"coupling is for the model realnvp: the model \"spline\" has": {Model: spline, Coupling: "lecture"},
		"coupling is for the model realnvp: the default":              {Coupling: "lecture"},
		"activation is for the models":                                {Model: distilled, Activation: "relu"},
		"components is for the models":                                {Model: kernelSums, Components: 3},
		"layers is for the models":                                    {Model: denoiser, Layers: 4},
		"depth is for the models":                                     {Model: kernelSums, Depth: 3},
		"sigma_min is for the models diffusion, denoiser and distilled: the model \"spline\" has":      {Model: spline, Diffusion: DiffusionOptions{SigmaMin: new(float64)}},
		"solver is for the models diffusion":                                                           {Model: realNVP, Diffusion: DiffusionOptions{Solver: diffusion.SolverOptions{Method: "heun"}}},
		"steps is for the models diffusion":                                                            {Model: autoregressive, Diffusion: DiffusionOptions{Solver: diffusion.SolverOptions{Steps: 5}}},
		"the default, a flow, has no use for it":                                                       {Diffusion: DiffusionOptions{Solver: diffusion.SolverOptions{Tolerance: 0.1}}},
		"epsilon is for the models diffusion and distilled from diffusion: the model \"denoiser\" has": {Model: denoiser, Diffusion: DiffusionOptions{Epsilon: 1e-3}},
		"the model \"distilled\" has no use":                                                           {Model: distilled, Diffusion: DiffusionOptions{Epsilon: 1e-3}},
		"the model \"distilled from diffusion\"":                                                       {Model: distilled, Components: 3, Diffusion: DiffusionOptions{Teacher: kernelSums}},
		"teacher is for the model distilled: the":                                                      {Model: denoiser, Diffusion: DiffusionOptions{Teacher: denoiser}},
		"a tolerance chooses the steps":                                                                {Model: denoiser, Diffusion: DiffusionOptions{Solver: diffusion.SolverOptions{Steps: 5, Tolerance: 0.1}}},
		"epochs is for the models autoregressive,":                                                     {Model: kernelSums, Train: training.Options{Epochs: 3}},
		"max_time is for the models":                                                                   {Model: kernelSums, Train: training.Options{MaxTime: 3}},
		"batch is for the models":                                                                      {Model: kernelSums, Train: training.Options{Batch: 3}},
		"rate is for the models":                                                                       {Model: kernelSums, Train: training.Options{Rate: 3}},
		"average is for the models":                                                                    {Model: kernelSums, Train: training.Options{Average: training.Off}},
		"patience is for the models":                                                                   {Model: kernelSums, Train: training.Options{Patience: 3}},
	} {
		if _, err := New(t.Context(), table, nil, opts); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestConditioners checks that the networks of both recipes are those that were asked
// for, also after a file.
func TestConditioners(t *testing.T) {
	for _, model := range []string{autoregressive, spline, realNVP} {
		opts := small
		opts.Model, opts.Activation, opts.Residual, opts.Dropout = model, "silu", true, 0.1
		s := train(t, everyKind(2000), nil, opts)
		if got, want := strings.Split(s.Card.Plan.String(), "\n")[1], "networks of 2 residual blocks of 16, silu, dropout 0.1"; got != want {
			t.Errorf("%s: %q, want %q", model, got, want)
		}
		var layers struct {
			Layers []map[string]flows.Conditioner
		}
		text, err := json.Marshal(s.Parts[0].Chain.last())
		if err == nil {
			err = json.Unmarshal(text, &layers)
		}
		if err != nil {
			t.Fatal(err)
		}
		couplings := 0
		for _, byName := range layers.Layers {
			for name, c := range byName {
				if strings.Contains(name, "coupling") {
					couplings++
					if !c.Residual || c.Dropout != 0.1 || c.Activation != dense.SiLU || len(c.Hidden) != 2 {
						t.Errorf("%s has conditioners %+v", model, c)
					}
				}
			}
		}
		want := 4
		if model == autoregressive { // 4 rounds
			want *= s.Parts[0].Chain.last().Dim()
		}
		if couplings != want {
			t.Errorf("%s: %d couplings, want %d", model, couplings, want)
		}
		file := filepath.Join(t.TempDir(), "m.eidolon")
		if err := s.Save(file); err != nil {
			t.Fatal(err)
		}
		loaded, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		a, b := rootio.NewTable(s.Fields(), 100), rootio.NewTable(s.Fields(), 100)
		generate(t, s, a, 1, 0)
		generate(t, loaded, b, 1, 0)
		if !equalTables(a, b) {
			t.Errorf("%s: other events from a file", model)
		}
	}
}

// TestLoadErrors gives Load files that are no model or damaged in many ways: each
// is an error, none a panic.
func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	s := train(t, everyKind(500), nil, small)
	if err := s.Save(good); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	load := func(data []byte) error {
		file := filepath.Join(dir, "bad")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(file)
		return err
	}
	for _, n := range []int{0, 4, 8, 100, len(data) / 2, len(data) - 1} {
		if err := load(data[:n]); err == nil {
			t.Errorf("no error for the first %d of %d bytes", n, len(data))
		}
	}
	if err := load(append(slices.Clone(data), 0)); err == nil {
		t.Error("no error for a byte too many")
	}
	for _, c := range [][2]string{
		{`"F32"`, `"F64"`}, {`\"features\":6`, `\"features\":8`}, {fmt.Sprintf(`\"format\":%d`, format), `\"format\":999`},
		{`\"keep\":[`, `\"keep\":[9`}, {`"eidolon"`, `"another"`}, {`\"as\":\"codes\"`, `\"as\":\"magic\"`},
	} {
		bad := bytes.ReplaceAll(data, []byte(c[0]), []byte(c[1]))
		if bytes.Equal(bad, data) {
			t.Errorf("the file does not have %s", c[0])
		}
		if err := load(bad); err == nil {
			t.Errorf("no error with %s for %s", c[1], c[0])
		}
	}
	for i := range 300 { // any byte of the header
		bad := slices.Clone(data)
		bad[int(philox.Uint64(1, 0, uint64(i))%4000)] ^= byte(1 + i%255)
		_ = load(bad)
	}
	if _, err := Load(filepath.Join(dir, "missing")); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a missing file gives the error %v", err)
	}
	if err := load([]byte("root but not really, and long enough for a header")); !errors.Is(err, ErrNotModel) {
		t.Errorf("another file gives the error %v", err)
	}
}

// TestResume interrupts a training, goes on from its checkpoint, and finds the
// same model as without the interrupt.
func TestResume(t *testing.T) {
	islands, _ := archipelago(1, 9000)
	for name, table := range map[string]*rootio.Table{"every kind": everyKind(3000), "islands": islands} {
		t.Run(name, func(t *testing.T) { testResume(t, table, small) })
	}
	t.Run("islands, denoiser", func(t *testing.T) {
		opts := Options{Model: denoiser, Hidden: 8, Depth: 1, Components: 6, Seed: 1, Refine: RefineOff, Features: features.Options{Plain: true}}
		opts.Diffusion.Solver.Steps = 4
		testResume(t, islands, opts)
	})
}

func testResume(t *testing.T, table *rootio.Table, opts Options) {
	opts.Train.Epochs = 8
	want := train(t, table, nil, opts)

	file := filepath.Join(t.TempDir(), "m.checkpoint")
	ctx, cancel := context.WithCancel(context.Background())
	opts.Train.Progress = func(s training.Status) {
		if s.Step == 10 {
			cancel()
		}
	}
	tr, err := New(t.Context(), table, nil, opts)
	if err != nil {
		t.Fatal(err)
	}
	tr.CheckpointTo(file, nil)
	if _, err := tr.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	paused, err := LoadCheckpoint(file)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(paused.Columns, want.Names()) {
		t.Errorf("columns %v", paused.Columns)
	}
	if _, err := paused.Resume(t.Context(), table.Slice(0, table.Len()-1), nil); err == nil {
		t.Error("no error for other events")
	}
	tr, err = paused.Resume(t.Context(), table, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tr.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for i, tensor := range want.Parts[0].Chain.Tensors() {
		if !slices.Equal(got.Parts[0].Chain.Tensors()[i].Value, tensor.Value) {
			t.Fatalf("tensor %s differs", tensor.Name)
		}
	}
	if a, b := got.Card.History, want.Card.History; a.Best != b.Best || len(a.Points) != len(b.Points) {
		t.Errorf("history %+v, want %+v", a, b)
	}
	model := filepath.Join(t.TempDir(), "model")
	if err := want.Save(model); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, bytes.Replace(before, []byte(`\"loop\":4`), []byte(`\"loop\":0`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadCheckpoint(other); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("a checkpoint of another version gives the error %v", err)
	}
	if _, err := LoadCheckpoint(model); !errors.Is(err, ErrNotCheckpoint) {
		t.Errorf("a model as checkpoint gives the error %v", err)
	}
	if _, err := Load(file); !errors.Is(err, ErrNotModel) {
		t.Errorf("a checkpoint as model gives the error %v", err)
	}
}

// TestCheckpointCannotBeWritten trains where no checkpoint can be written: that is said once,
// and the training goes on to its end. A file that is no checkpoint is not replaced.
func TestCheckpointCannotBeWritten(t *testing.T) {
	opts := small
	opts.Train.Epochs, opts.Train.SaveEvery = 2, 1
	notes := filepath.Join(t.TempDir(), "notes")
	if err := os.WriteFile(notes, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{filepath.Join(t.TempDir(), "none", "c"), notes} {
		tr, err := New(t.Context(), everyKind(1000), nil, opts)
		if err != nil {
			t.Fatal(err)
		}
		said := 0
		tr.CheckpointTo(file, func(error) { said++ })
		if _, err := tr.Run(t.Context()); err != nil || said != 1 || tr.Checkpointed() {
			t.Errorf("%s: error %v, said %d times", file, err, said)
		}
		if err := tr.RemoveCheckpoint(); err != nil {
			t.Error(err)
		}
	}
	if text, err := os.ReadFile(notes); err != nil || string(text) != "precious" {
		t.Errorf("the notes are %q, %v", text, err)
	}
}

// TestConditional learns p(x|code, c) of a density that is known: x is normal about
// c, shifted and widened by the code. One feature with context.
func TestConditional(t *testing.T) {
	const n = 20000
	draw := func(seed uint64) *rootio.Table {
		u, c, code, x := make([]float32, 2*n), make([]float32, n), make([]int32, n), make([]float64, n)
		philox.Normal(u, seed, 0, 0)
		for i := range n {
			c[i] = u[2*i]
			code[i] = []int32{-13, 13}[philox.Uint64(seed, 1, uint64(i))%2]
			x[i] = float64(c[i]) + float64(u[2*i+1])*0.1
			if code[i] == 13 {
				x[i] += 2 + 0.3*float64(u[2*i+1])
			}
		}
		return &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("c", c), rootio.ColumnOf("x", x), rootio.ColumnOf("code", code)}}
	}
	for _, model := range []string{autoregressive, spline, realNVP} {
		opts := Options{Model: model, Layers: 4, Hidden: 32, Seed: 1, Condition: []string{"code", "c"}, Train: training.Options{Epochs: 15}}
		s := train(t, draw(1), nil, opts)
		file := filepath.Join(t.TempDir(), "m")
		if err := s.Save(file); err != nil {
			t.Fatal(err)
		}
		s, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}

		test := draw(2)
		p := make([]float64, n)
		if err := s.LogDensity(t.Context(), p, test, 0); err != nil {
			t.Fatal(err)
		}
		c, x, code := test.Columns[0].Values().([]float32), test.Columns[1].Values().([]float64), test.Columns[2].Values().([]int32)
		kl := 0.0
		for i := range n {
			mean, sigma := float64(c[i]), 0.1
			if code[i] == 13 {
				mean, sigma = mean+2, 0.4
			}
			z := (x[i] - mean) / sigma
			kl += (-0.5*z*z - math.Log(sigma*math.Sqrt(2*math.Pi)) - p[i]) / n
		}
		if !(kl < 0.05 && kl > -0.01) {
			t.Errorf("%s: KL(truth ‖ model) = %g", model, kl)
		}

		out := rootio.NewTable(s.Fields(), n)
		if _, err := s.Generate(t.Context(), out, test, 1, 0); err != nil {
			t.Fatal(err)
		}
		var shift, square [2]float64
		for i, v := range out.Columns[0].Values().([]float64) {
			k := 0
			if code[i] == 13 {
				k = 1
			}
			d := v - float64(c[i])
			shift[k] += 2 * d / n
			square[k] += 2 * d * d / n
		}
		for k, want := range [][2]float64{{0, 0.1}, {2, 0.4}} {
			if sigma := math.Sqrt(square[k] - shift[k]*shift[k]); math.Abs(shift[k]-want[0]) > 0.05 || math.Abs(sigma-want[1]) > 0.06 {
				t.Errorf("%s: x − c has mean %.3f and width %.3f, want %g and %g", model, shift[k], sigma, want[0], want[1])
			}
		}
		if _, err := s.Generate(t.Context(), out, nil, 1, 0); err == nil {
			t.Error("no error without the conditions")
		}
	}
	for _, condition := range [][]string{{"y"}, {"x", "c", "code"}} {
		if _, err := New(t.Context(), draw(1), nil, Options{Condition: condition}); err == nil {
			t.Errorf("no error for the condition %v", condition)
		}
	}
}

// TestGenerateRows checks that an event is the same among others, whatever their
// numbers, with codes and without.
func TestGenerateRows(t *testing.T) {
	for name, table := range map[string]*rootio.Table{"codes": everyKind(2000), "flow": zmumu.Default().Table(1, 0, 2000)} {
		s := train(t, table, nil, small)
		rows := make([]uint64, 3000)
		for i := range rows {
			rows[i] = ObjectRow(uint64(i/3), i%3)
		}
		got := rootio.NewTable(s.Fields(), len(rows))
		if _, err := s.GenerateRows(t.Context(), got, nil, 9, rows); err != nil {
			t.Fatal(err)
		}
		one := rootio.NewTable(s.Fields(), 1)
		for _, i := range []int{0, 1, 1000, 2999} {
			generate(t, s, one, 9, rows[i])
			if !equalTables(one, got.Slice(i, i+1)) {
				t.Errorf("%s: row %d is another event alone", name, i)
			}
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
