package surrogate

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	coordinates "github.com/eidolon-hep/eidolon/analysis/features/find"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
)

// muons returns n pairs of muons, most of them from decays of one mass; or each muon of another event.
func muons(n int, together bool) *rootio.Table {
	r := rand.New(rand.NewPCG(8, 1))
	x := make([][]float64, 6)
	for range n {
		pt, eta, phi := 3+5*r.ExpFloat64(), 2*r.Float64()-1, math.Pi*(2*r.Float64()-1)
		delta, eta2 := 1+r.Float64(), r.NormFloat64()
		m := 9.46 + 0.05*r.NormFloat64()
		if r.IntN(4) == 0 {
			m = 2 + 10*r.ExpFloat64()
		}
		pt2 := m * m / (2 * pt * (math.Cosh(eta-eta2) - math.Cos(delta)))
		for j, v := range []float64{pt, eta, phi, pt2, eta2, math.Remainder(phi+delta, 2*math.Pi)} {
			x[j] = append(x[j], v)
		}
	}
	table := &rootio.Table{}
	for j, name := range []string{"pt1", "eta1", "phi1", "pt2", "eta2", "phi2"} {
		v := x[j]
		if !together && j > 2 {
			v = append(v[1:len(v):len(v)], v[0])
		}
		table.Columns = append(table.Columns, rootio.ColumnOf(name, v))
	}
	return table
}

// compete returns what the search says of a table, and the surrogate.
func compete(t *testing.T, table *rootio.Table, o Options) (*Coordinates, *Surrogate) {
	t.Helper()
	s, err := o.look(t.Context(), table, nil, time.Now())
	must(t, err)
	c, err := o.compete(t.Context(), s, table, nil, time.Now())
	must(t, err)
	return c, s
}

// TestCompete checks that the mass of a pair is learnt where it has a peak, and the columns as they are, or but for rotation symmetry, where each momentum is
// of another event, or where these were asked for, or there are no momenta.
func TestCompete(t *testing.T) {
	testenv.Slow(t, "it trains several models")
	const n = 4000
	peak := muons(n, true)
	c, s := compete(t, peak, Options{Seed: 1, Coordinates: BestCoordinates})
	if c == nil || len(c.Parts) != 1 || len(s.Parts) != 1 {
		t.Fatalf("the coordinates are %+v", c)
	}
	if text := c.String(); !strings.Contains(text, "mass") || !strings.Contains(text, "\nrotation symmetric in φ") || !(c.Gain > 0.1) {
		t.Errorf("%s\n%s", text, strings.Join(c.Table(), "\n"))
	}
	if c, s := compete(t, muons(n, false), Options{Seed: 1, Coordinates: MixedCoordinates}); c != nil && (len(c.Parts[0]) > 1 || len(s.Parts) > 1) {
		t.Errorf("%v\n%s", c, strings.Join(c.Table(), "\n"))
	}
	if c, _ := compete(t, peak, Options{Coordinates: PlainCoordinates}); c != nil {
		t.Errorf("asked for the columns as they are: %v", c)
	}
	few := *peak
	few.Columns = peak.Columns[:4]
	if c, _ := compete(t, &few, Options{Coordinates: MixedCoordinates}); c != nil && (len(c.Parts[0]) != 1 || c.Parts[0][0].Kind != coordinates.Rotation) {
		t.Errorf("with one momentum: %v", c)
	}
}

// TestMixed checks the weights and the gain of a mixture of two densities, of which each explains some of the events.
func TestMixed(t *testing.T) {
	a, b := []float64{-1, -1, -1, -9, math.Inf(-1)}, []float64{-9, -9, -9, -1, -1}
	logs, weights := judges(nil).mixed(a, b)
	weight := weights[1]
	if math.Abs(weight-0.4) > 0.01 {
		t.Errorf("the weight of the second is %g", weight)
	}
	for i, l := range logs {
		if want := math.Log((1-weight)*math.Exp(a[i]) + weight*math.Exp(b[i])); math.Abs(l-want) > 1e-3 {
			t.Errorf("event %d: %g, want %g", i, l, want)
		}
	}
	// Weights of events count as events.
	_, weighted := judges{1, 1, 1, 2, 4}.mixed(a, b)
	if math.Abs(weighted[1]-6.0/9) > 0.01 {
		t.Errorf("the weight of the second is %g in weighted events", weighted[1])
	}
	gain, sigma := judges{1, 3}.paired([]float64{2, 1}, nil)
	if math.Abs(gain-1.25) > 1e-12 || math.Abs(sigma-math.Hypot(0.75, 3*0.25)/4) > 1e-12 {
		t.Errorf("gain %g ± %g", gain, sigma)
	}
	if isBetter(0.02, 0.01) || isBetter(0.005, 0.0001) || !isBetter(0.05, 0.01) {
		t.Error("what counts as a gain")
	}
}

// TestGainOfChoice checks that what is best by chance gains nothing by the events that did not choose it, that a real gain is there
// as it is, and that an impossible event rules coordinates out, but for a mixture.
func TestGainOfChoice(t *testing.T) {
	const n, real = 1000, 0.3
	for seed := range uint64(5) {
		r := rand.New(rand.NewPCG(seed, 2))
		tried := []*candidate{{logs: make([]float64, n)}}
		add := func(gain float64) *candidate {
			c := &candidate{logs: make([]float64, n)}
			for i := range c.logs {
				c.logs[i] = gain + 0.5*r.NormFloat64()
			}
			tried = append(tried, c)
			return c
		}
		for range 30 {
			add(0)
		}
		if gain, sigma := judges(nil).gain(tried, false); gain > 4*sigma+0.01 {
			t.Errorf("seed %d: of nothing but chance: %g ± %g", seed, gain, sigma)
		}
		best := add(real)
		if got := judges(nil).choose(tried, false); len(got.parts) != 1 || got.parts[0] != best {
			t.Errorf("seed %d: the best one is not chosen", seed)
		}
		if gain, sigma := judges(nil).gain(tried, false); math.Abs(gain-real) > 4*sigma {
			t.Errorf("seed %d: %g ± %g, want %g", seed, gain, sigma, real)
		}
		best.logs[7] = math.Inf(-1)
		if got := judges(nil).choose(tried, false); got.parts[0] == best {
			t.Errorf("seed %d: what is impossible in an event is chosen alone", seed)
		}
		if got := judges(nil).choose(tried, true); len(got.parts) != 2 || got.parts[0] != best || got.weights[0] < got.weights[1] {
			t.Errorf("seed %d: a mixture of %d parts with the weights %v", seed, len(got.parts), got.weights)
		}
	}
}

// TestOverlaps checks which choices go together.
func TestOverlaps(t *testing.T) {
	choice := func(kind string, v ...string) coordinates.Choice { return coordinates.Choice{Kind: kind, Vectors: v} }
	mass := []coordinates.Choice{choice(coordinates.Mass, "a", "b")}
	for _, test := range []struct {
		next coordinates.Choice
		want bool
	}{
		{choice(coordinates.Mass, "a", "c"), false}, {choice(coordinates.Mass, "c", "b"), true}, {choice(coordinates.Decay, "a", "b"), true},
		{choice(coordinates.Balance, "met", "a", "b"), false}, {choice(coordinates.Angles, "a", "b"), false}, {choice(coordinates.Ordered, "a", "b"), true},
	} {
		if overlaps(mass, test.next) != test.want {
			t.Errorf("%v beside %v", test.next, mass)
		}
	}
	rotation := []coordinates.Choice{choice(coordinates.Rotation, "a", "b")}
	if !overlaps(rotation, choice(coordinates.Angles, "a", "b")) || overlaps(rotation, mass[0]) {
		t.Errorf("%v overlaps with masses, or not with angles", rotation)
	}
}
