package surrogate

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// TestTrial checks which flow is taken for a sample with steps, for one of which the
// features only make sense together, and where something says so.
func TestTrial(t *testing.T) {
	testenv.Slow(t, "it trains several models")
	const n = 1 << 13
	u, z := make([]float64, 3*n), make([]float32, 3*n)
	philox.Uniform64(u, 1, 0, 0)
	philox.Normal(z, 1, 1, 0)
	sample := func(f func(i int) [4]float64) *rootio.Table {
		fields := make([]rootio.Field, 4)
		for j, name := range []string{"a", "b", "c", "d"} {
			fields[j] = rootio.Field{Name: name, Kind: rootio.Float64}
		}
		table := rootio.NewTable(fields, n)
		for j := range fields {
			x := make([]float64, n)
			for i := range x {
				x[i] = f(i)[j]
			}
			table.Columns[j].SetFloats(0, x)
		}
		return table
	}
	steps := sample(func(i int) [4]float64 { // b and c know in which sector a is
		a := u[i]
		sector := math.Floor(8 * a)
		b := math.Mod(3*sector, 8) + u[n+i]/2
		return [4]float64{a, b, math.Mod(5*sector, 8) - 0.3*u[2*n+i], float64(z[i])}
	})
	together := sample(func(i int) [4]float64 { // nothing but a sum
		a, b, c := float64(z[i]), float64(z[n+i]), float64(z[2*n+i])
		return [4]float64{a, b, c, a + b + c + 0.02*(u[i]-0.5)}
	})
	opts := Options{Seed: 1, Hidden: 16, Components: 1}
	for _, test := range []struct {
		name   string
		sample *rootio.Table
		change func(o *Options)
		want   string
	}{
		{"steps", steps, func(*Options) {}, autoregressive},
		{"a sum", together, func(*Options) {}, realNVP}, // which mixes the features before each layer
		{"steps, told otherwise", steps, func(o *Options) { o.Model = spline }, spline},
		{"steps, over a mixture", steps, func(o *Options) { o.Components = 2 }, spline},
	} {
		o := opts
		test.change(&o)
		tr, err := New(t.Context(), test.sample, nil, o)
		if err != nil {
			t.Fatal(err)
		}
		if got := tr.Card.Plan; got.Model != test.want || got.Components != max(o.Components, 1) {
			t.Errorf("%s: %s over %d normals, want %s", test.name, got.Model, got.Components, test.want)
		}
	}
}

// TestCoupling checks that couplings are steep for a density with steps, as they were asked for otherwise, and that
// it is told.
func TestCoupling(t *testing.T) {
	const n = 1 << 12
	u := make([]float64, 2*n)
	philox.Uniform64(u, 1, 0, 0)
	for i, a := range u[:n] {
		u[n+i] += math.Mod(5*math.Floor(8*a), 8)
	}
	steps := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("a", u[:n]), rootio.ColumnOf("b", u[n:])}}
	for asked, want := range map[string]string{"": factor.Steep, factor.Smooth: factor.Smooth} {
		var lines []string
		tr, err := New(t.Context(), steps, nil, Options{
			Model: realNVP, Coupling: asked, Seed: 1, Components: 1, Hidden: 32, Train: training.Options{Epochs: 30},
			Log: func(line string) { lines = append(lines, line) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := tr.Card.Plan.Coupling; got != want {
			t.Errorf("couplings are %s, want %s", got, want)
		}
		if told := len(lines) == 1 && strings.HasPrefix(lines[0], "trial of couplings on 4096 events: steep "); told != (asked == "") {
			t.Errorf("with couplings %q it says %q", asked, lines)
		}
	}
}

// TestChoice checks that a trial is told of before and after, and in a file.
func TestChoice(t *testing.T) {
	var lines []string
	opts := small
	opts.Train.Epochs, opts.Log = 1, func(line string) { lines = append(lines, line) }
	s := train(t, everyKind(500), nil, opts)
	c := s.Card.Plan.Choice
	if c == nil || c.Model != s.Card.Plan.Model || len(c.Losses) != 3 || c.Events != 500 {
		t.Fatalf("the trial is %+v", c)
	}
	if len(lines) != 2 || !strings.Contains(lines[0], "trial") || lines[1] != c.String() {
		t.Errorf("it says %q", lines)
	}
	file := filepath.Join(t.TempDir(), "m")
	if err := s.Save(file); err != nil {
		t.Fatal(err)
	}
	if loaded, err := Load(file); err != nil || !reflect.DeepEqual(loaded.Card.Plan.Choice, c) {
		t.Errorf("a file has %+v (%v)", loaded.Card.Plan.Choice, err)
	}
	opts.Model = realNVP
	if s := train(t, everyKind(500), nil, opts); s.Card.Plan.Choice != nil {
		t.Errorf("what was asked for was chosen: %v", s.Card.Plan.Choice)
	}
	for want, c := range map[string]Choice{
		"trial on 9 events: autoregressive 2.0000, spline 3.0000, realnvp could not be trained nats: autoregressive":                  {Model: autoregressive, Losses: map[string]float64{autoregressive: 2, spline: 3}, Events: 9, Margin: 0.1},
		"trial on 9 events: autoregressive 2.0000, spline 1.9500, realnvp 2.5000 nats: autoregressive (spline must be better by 0.1)": {Model: autoregressive, Losses: map[string]float64{autoregressive: 2, spline: 1.95, realNVP: 2.5}, Events: 9, Margin: 0.1},
		"trial on 9 events: autoregressive could not be trained, spline 1.9500, realnvp 1.8000 nats: realnvp":                         {Model: realNVP, Losses: map[string]float64{spline: 1.95, realNVP: 1.8}, Events: 9, Margin: 0.1},
		"there is no time for a trial: autoregressive, the default":                                                                   {Model: autoregressive, Events: 9},
		"no trial: with 999 features it takes too long: autoregressive, the default":                                                  {Model: autoregressive, Wide: 999},
		"no trial: events that come as islands are for the model spline":                                                              {Model: spline},
	} {
		if got := c.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestInterruptBefore cancels while a model is chosen: in the search for coordinates, in the trial, and
// in the search for islands.
func TestInterruptBefore(t *testing.T) {
	islands, _ := archipelago(1, 20_000)
	for name, c := range map[string]struct {
		table *rootio.Table
		opts  Options
	}{
		"search":  {zmumu.Default().Table(1, 0, 20_000), Options{Components: 1}},
		"trial":   {zmumu.Default().Table(1, 0, 20_000), Options{Components: 1, Coordinates: PlainCoordinates}},
		"islands": {islands, Options{}},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		began := func(string) { time.AfterFunc(20*time.Millisecond, cancel) }
		switch c.opts.Log = began; name { // nothing is said at the beginning of these
		case "islands":
			began("")
		case "search":
			time.AfterFunc(time.Second, cancel)
		}
		begin := time.Now()
		_, err := New(ctx, c.table, nil, c.opts)
		if took := time.Since(begin); !errors.Is(err, context.Canceled) || took > 5*time.Second {
			t.Errorf("%s: error %v after %v", name, err, took)
		}
		cancel()
	}
}

// TestTrialInAHurry checks that a trial of a few steps decides nothing.
func TestTrialInAHurry(t *testing.T) {
	spec, err := features.Fit(t.Context(), everyKind(20_000), nil, features.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Components: 1, Train: training.Options{MaxTime: 20 * time.Millisecond}}
	first := draft{settings: o.settings()}
	first.kind, _ = factor.ByName(autoregressive)
	d, err := choose(t.Context(), (&Surrogate{}).columns(spec), everyKind(20_000), nil, o, first, time.Now())
	if err != nil || d.kind.Name != autoregressive || d.choice.Model != autoregressive || d.choice.Losses != nil {
		t.Errorf("in 20 ms the choice is %v (%v)", d.choice, err)
	}
}

// TestMaxTime checks that the time of a training counts from the beginning, with what
// comes before its first step.
func TestMaxTime(t *testing.T) {
	opts := Options{Seed: 1, Train: training.Options{MaxTime: 3 * time.Second, Epochs: 1 << 20}}
	var inTraining time.Duration
	opts.Train.Progress = func(s training.Status) { inTraining = s.Elapsed }
	begin := time.Now()
	tr, err := New(t.Context(), everyKind(20_000), nil, opts)
	if err != nil {
		t.Fatal(err)
	}
	before := time.Since(begin)
	time.Sleep(300 * time.Millisecond) // counts, too
	if _, err := tr.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > opts.Train.MaxTime+3*time.Second/2 {
		t.Errorf("it took %v, of which %v before the training", took, before)
	}
	if inTraining > opts.Train.MaxTime-before {
		t.Errorf("the training took %v after %v", inTraining, before)
	}
}
