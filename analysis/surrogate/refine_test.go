package surrogate

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/vectors"
	"github.com/eidolon-hep/eidolon/internal/known"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// refined trains a model that is too small for two moons, and refines it.
func refined(t *testing.T, refine string) (s *Surrogate, moons known.Density) {
	t.Helper()
	moons, _ = known.Named("moons")
	return train(t, moons.Table(1, 0, 3000), nil,
		Options{Model: spline, Layers: 2, Components: 1, Hidden: 8, Seed: 1, Refine: refine, Train: training.Options{Epochs: 3}}), moons
}

// A refined model is nearer to the truth by what it says that it gained. Its density is normalised, its events are distributed so and
// do not depend on each other, and a file keeps all of it.
func TestRefinement(t *testing.T) {
	testenv.Slow(t, "it trains and refines")
	s, moons := refined(t, "1")
	r := s.Refined
	if r == nil || len(r.Boosted.Rounds) == 0 {
		t.Fatal("nothing was refined")
	}
	plain := *s
	plain.Refined = nil
	test := moons.Table(7, 0, 10_000)
	density := func(s *Surrogate) (mean float64) {
		logs := make([]float64, test.Len())
		if err := s.LogDensity(t.Context(), logs, test, 0); err != nil {
			t.Fatal(err)
		}
		for _, v := range logs {
			mean += v / float64(len(logs))
		}
		return mean
	}
	if gain := density(s) - density(&plain); gain < 0.1 || math.Abs(gain-r.Gain) > 5*r.GainError+0.1*r.Gain {
		t.Errorf("%v, and %.4f with other events", r, gain)
	}
	if r.HeldOut == nil || *r.HeldOut < r.Gain/2 {
		t.Errorf("%+v", r)
	}

	// Z is E_p[r], and the part of the events that are accepted is Z over the largest ratio.
	const n = 16_000
	source, _ := events(t, &plain, 5, n)
	logs, z := make([]float64, n), 0.0
	if err := r.logRatio(t.Context(), logs, source, 0); err != nil {
		t.Fatal(err)
	}
	for _, v := range logs {
		z += math.Exp(v) / n
	}
	if math.Abs(z/r.Z-1) > 0.05 {
		t.Errorf("Z is %v, and %.4f by other events", r.Z, z)
	}
	drawn, tails := events(t, s, 9, n)
	if accepted := n / float64(n+tails.Rejected); math.Abs(accepted/r.Efficiency()-1) > 0.05 {
		t.Errorf("%.3f of the events are accepted, %.3f expected", accepted, r.Efficiency())
	}
	if err := r.logRatio(t.Context(), logs, drawn, 0); err != nil {
		t.Fatal(err)
	}
	inverse := 0.0 // its mean over refined events is 1/Z
	for _, v := range logs {
		inverse += math.Exp(-v) / n
	}
	if math.Abs(inverse*r.Z-1) > 0.1 {
		t.Errorf("E[1/r] is %.4f, want %.4f", inverse, 1/r.Z)
	}

	file := filepath.Join(t.TempDir(), "model")
	if err := s.Save(file); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Refined.String() != r.String() {
		t.Errorf("%v, and from the file %v", r, loaded.Refined)
	}
	part := rootio.NewTable(s.Fields(), 3)
	rows := []uint64{15_000, 7, 123}
	if _, err := loaded.GenerateRows(t.Context(), part, nil, 9, rows); err != nil {
		t.Fatal(err)
	}
	for k, i := range rows {
		if !equalTables(part.Slice(k, k+1), drawn.Slice(int(i), int(i)+1)) {
			t.Errorf("event %d is another one when it is drawn with others", i)
		}
	}

	// A ratio of the user's goes on top.
	ratio := fitRatio(t, drawn.Slice(0, 2000), test.Slice(0, 2000))
	if err := loaded.Refine(t.Context(), ratio); err != nil {
		t.Fatal(err)
	}
	if again, _ := events(t, loaded, 9, 100); again.Len() != 100 {
		t.Error("no events")
	}

	again, _ := refined(t, "1")
	if again.Refined.Z != r.Z || again.Refined.String() != r.String() {
		t.Errorf("the same training gives %v and %v", r, again.Refined)
	}
}

// givenWhere returns events (x, y) that are near (±(1+c), 0), c being uniform between 0 and 1.
func givenWhere(seed uint64, n int) *rootio.Table {
	u, z := make([]float64, 2*n), make([]float32, 2*n)
	philox.Uniform64(u, seed, 1, 0)
	philox.Normal(z, seed, 2, 0)
	x, y, c := make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range n {
		c[i] = u[2*i]
		x[i], y[i] = math.Copysign(1+c[i], u[2*i+1]-0.5)+0.3*float64(z[2*i]), 0.3*float64(z[2*i+1])
	}
	return &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x), rootio.ColumnOf("y", y), rootio.ColumnOf("c", c)}}
}

// A conditional model is refined, too: its density is normalised under each condition, within the error that is stated, and an event
// depends on its condition and its number alone.
func TestRefinementGivenACondition(t *testing.T) {
	testenv.Slow(t, "it trains and refines")
	s := train(t, givenWhere(1, 6000), nil, Options{
		Model: spline, Layers: 2, Components: 1, Hidden: 8, Seed: 1, Refine: "2", Condition: []string{"c"}, Train: training.Options{Epochs: 3},
	})
	r := s.Refined
	if r == nil || r.Given == nil || r.Gain < 0.1 || r.HeldOut == nil || *r.HeldOut < r.Gain/2 {
		t.Fatalf("%+v", r)
	}
	if e := r.LogZError(); !(e > 0 && e < 0.1) {
		t.Errorf("log Z is known to %v", e)
	}
	plain := *s
	plain.Refined = nil
	const cells, wide = 160, 6.0
	for _, at := range []float64{0.1, 0.5, 0.9} {
		n := cells * cells
		x, y, c := make([]float64, n), make([]float64, n), slices.Repeat([]float64{at}, n)
		for i := range n {
			x[i], y[i] = (float64(i%cells)+0.5)/cells*wide-wide/2, ((float64(i/cells)+0.5)/cells-0.5)*wide
		}
		grid := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x), rootio.ColumnOf("y", y), rootio.ColumnOf("c", c)}}
		integral := func(s *Surrogate) (sum float64) {
			logs := make([]float64, n)
			if err := s.LogDensity(t.Context(), logs, grid, 0); err != nil {
				t.Fatal(err)
			}
			for _, v := range logs {
				sum += math.Exp(v) * wide * wide / float64(n)
			}
			return sum
		}
		if got, of := integral(s), integral(&plain); math.Abs(math.Log(got/of)) > 3*r.LogZError() {
			t.Errorf("given %v the integral is %.3f, without the ratio %.3f; log Z is known to %.3f", at, got, of, r.LogZError())
		}
	}

	given := givenWhere(3, 4000)
	given.Columns = given.Columns[2:]
	all := rootio.NewTable(s.Fields(), given.Len())
	tails, err := s.Generate(t.Context(), all, given, 9, 0)
	if err != nil || tails.Rejected == 0 {
		t.Fatalf("%+v, %v", tails, err)
	}
	part, rows := rootio.NewTable(s.Fields(), 3), []int{3500, 7, 123}
	if _, err := s.GenerateRows(t.Context(), part, given.Take(rows), 9, []uint64{3500, 7, 123}); err != nil {
		t.Fatal(err)
	}
	for k, i := range rows {
		if !equalTables(part.Slice(k, k+1), all.Slice(i, i+1)) {
			t.Errorf("event %d is another one when it is drawn with others", i)
		}
	}

	file := filepath.Join(t.TempDir(), "model")
	if err := s.Save(file); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	test := givenWhere(7, 2000)
	logs, again := make([]float64, test.Len()), make([]float64, test.Len())
	if err := errors.Join(s.LogDensity(t.Context(), logs, test, 0), loaded.LogDensity(t.Context(), again, test, 0)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(logs, again) || loaded.Refined.String() != r.String() {
		t.Errorf("%v, and from the file %v", r, loaded.Refined)
	}
}

// refineBy gives a surrogate a refinement of a round of a few trees, of its own events against others.
func refineBy(t testing.TB, s *Surrogate, others *rootio.Table) {
	t.Helper()
	own := rootio.NewTable(s.Fields(), others.Len())
	if _, err := s.Generate(t.Context(), own, nil, 1, 0); err != nil {
		t.Fatal(err)
	}
	folds := make([]int, own.Len())
	b := classify.NewBoosted(s.learntColumns(), vectors.Found{}, false)
	c, err := b.Boost(t.Context(), own, others, slices.Repeat([]float64{1}, own.Len()), [2][]int{folds, folds},
		classify.BoostOptions{Folds: 2, Trees: 3, Rate: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	r := &Refinement{Boosted: b.With(c, 1, 0, 1)}
	r.density = r.Boosted
	if err := r.normalise(t.Context(), s, nil, nil); err != nil {
		t.Fatal(err)
	}
	s.Refined = r
}

// A model that is right is not refined, nor is one that cannot be, which is said.
func TestRefinementIsLeftOut(t *testing.T) {
	testenv.Slow(t, "it trains and refines")
	var said []string
	options := func() Options {
		said = nil
		return Options{Model: spline, Layers: 2, Components: 1, Hidden: 8, Seed: 1, Refine: "1", Train: training.Options{Epochs: 1},
			Log: func(line string) { said = append(said, line) }}
	}
	for name, c := range map[string]struct {
		events int
		change func(*Options)
		w      float64
		says   string
	}{
		"right":       {4000, func(o *Options) { o.Train.Epochs = 4 }, 1, "not refined: "},
		"few":         {500, func(*Options) {}, 1, "events to learn from"},
		"conditional": {4000, func(o *Options) { o.Condition, o.Train.Epochs = []string{"x1"}, 4 }, 1, "not refined: "},
		"negative":    {2000, func(*Options) {}, -0.1, "negative weights"},
	} {
		o := options()
		c.change(&o)
		var w []float64
		if c.w < 0 {
			for i := range c.events {
				w = append(w, 1)
				if i%10 == 0 {
					w[i] = c.w
				}
			}
		}
		s := train(t, known.TwoNormals().Table(1, 0, c.events), w, o)
		if s.Refined != nil || !strings.Contains(strings.Join(said, "\n"), c.says) {
			t.Errorf("%s: %v; %q", name, s.Refined, said)
		}
	}
	if err := (Options{Refine: "often"}).Check(); err == nil {
		t.Error("a number of rounds may be a word")
	}
}

// A training that is interrupted while it refines leaves a checkpoint, and goes on to the same model.
func TestResumeRefinement(t *testing.T) {
	want, moons := refined(t, "1")
	table, o := moons.Table(1, 0, 3000), want.Card.Options
	tr, err := New(t.Context(), table, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "c")
	tr.CheckpointTo(file, func(err error) { t.Error(err) })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { // it is written when all steps are made
		for !IsCheckpoint(file) && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if _, err := tr.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("the refinement was not interrupted: %v", err)
	}
	for _, finish := range []bool{true, false} {
		paused, err := LoadCheckpoint(file)
		if err != nil {
			t.Fatal(err)
		}
		goOn := paused.Resume
		if finish {
			goOn = paused.Finish
		}
		if tr, err = goOn(t.Context(), table, nil); err != nil {
			t.Fatal(err)
		}
		got, err := tr.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if finish != (got.Refined == nil) || !finish && (got.Refined.Z != want.Refined.Z || got.Refined.String() != want.Refined.String()) {
			t.Errorf("finished %v: %v, want %v", finish, got.Refined, want.Refined)
		}
	}
}

// Where there is an eighth of the time that a refinement takes, it takes hardly more, and leaves the best so far.
func TestRefinementInTime(t *testing.T) {
	moons, _ := known.Named("moons")
	o := Options{Model: spline, Layers: 2, Components: 1, Hidden: 8, Seed: 1, Refine: "1", Train: training.Options{Epochs: 3}}
	tr, err := New(t.Context(), moons.Table(1, 0, 3000), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	refine := func() (*Refinement, time.Duration) {
		tr.Refined = nil
		begin := time.Now()
		if err := tr.refine(t.Context()); err != nil {
			t.Fatal(err)
		}
		return tr.Refined, time.Since(begin)
	}
	all, whole := refine()
	if all == nil {
		t.Fatal("nothing was refined")
	}
	in := func(part float64) (*Refinement, time.Duration) {
		tr.Card.Options.Train.MaxTime = time.Hour
		tr.begin = time.Now().Add(-time.Hour + time.Duration(part*float64(whole)))
		return refine()
	}
	if short, took := in(1. / 8); took > whole/2 {
		t.Errorf("%v in the place of %v: %v", took, whole, short)
	}
	if most, _ := in(50); most == nil || most.String() != all.String() || most.Z != all.Z {
		t.Errorf("with time enough %v, without a limit %v", most, all)
	}
}

// A model that knows its events by heart gains nothing from a ratio on others, so it gets none.
func TestCopiesAreNotRefined(t *testing.T) {
	moons, _ := known.Named("moons")
	tr, err := New(t.Context(), moons.Table(1, 0, 1500), nil, Options{Model: "diffusion", Seed: 1, Refine: "1"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := tr.Run(context.Background())
	if err != nil || s.Refined != nil {
		t.Errorf("%v, %v", s.Refined, err)
	}
}
