package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// spiky draws values of an exponential distribution, but for the given fractions
// of certain values.
func spiky(rng *rand.Rand, n int, fractions map[float64]float64) []float64 {
	x := make([]float64, 0, n)
	for value, fraction := range fractions {
		for range int(math.Round(fraction * float64(n))) {
			x = append(x, value)
		}
	}
	for len(x) < n {
		x = append(x, rng.ExpFloat64())
	}
	return x
}

func spikeValues(spikes []Spike) []float64 {
	var x []float64
	for _, s := range spikes {
		x = append(x, s.Value)
	}
	return x
}

func TestSpikesAreFound(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 31))
	ref := spiky(rng, 20_000, map[float64]float64{0: 0.6, -999: 0.02, -99: 0.05, 1: 0.009})
	cand := spiky(rng, 30_000, map[float64]float64{0: 0.6, 2: 0.03})
	c := compareOne(t, ref, cand)
	if got := spikeValues(c.Spikes); !slices.Equal(got, []float64{-999, -99, 0, 2}) {
		t.Fatalf("spikes at %v", got)
	}
	for i, want := range [][2]float64{{0.02, 0}, {0.05, 0}, {0.6, 0.6}, {0, 0.03}} {
		s := c.Spikes[i]
		near(t, "reference", s.ReferenceFraction, want[0], 1e-12)
		near(t, "candidate", s.CandidateFraction, want[1], 1e-12)
		if (s.PValue > 0.5) != (want[0] == want[1]) {
			t.Errorf("%+v", s)
		}
	}

	if s := compareOne(t, normals(rng, 50, 0), normals(rng, 60, 0)).Spikes; s != nil {
		t.Errorf("each of fifty events has 2 %%: %v", s)
	}
	counts := func() []int32 {
		x := make([]int32, 20_000)
		for i := range x {
			x[i] = int32(60 * rng.ExpFloat64())
		}
		return x
	}
	if c := compareOne(t, counts(), counts()); c.Distance == nil || c.Spikes != nil {
		t.Errorf("a smooth distribution of integers has %v", c.Spikes)
	}
}

// The Kolmogorov–Smirnov test of a column with a spike tells less than the
// proportion of the spike.
func TestProportionOfSpikeCounts(t *testing.T) {
	rng := rand.New(rand.NewPCG(32, 32))
	c := compareOne(t, spiky(rng, 20_000, map[float64]float64{0: 0.05}), spiky(rng, 20_000, map[float64]float64{0: 0.061}))
	if len(c.Spikes) != 1 || c.Verdict == Compatible || c.Distance.KSPValue < 0.01 || c.Spikes[0].PValue > 1e-4 {
		t.Errorf("%v: %+v, spikes %+v", c.Verdict, c.Distance, c.Spikes)
	}
	// A third of weight one half and the others' of two: the fraction is by weight.
	ref := spiky(rng, 6000, map[float64]float64{0: 0.5})
	w := make([]float64, len(ref))
	for i, x := range ref {
		if w[i] = 1.5; x == 0 {
			w[i] = 0.5
		}
	}
	cand := spiky(rng, 8000, map[float64]float64{0: 0.25})
	r := compare(t, table(rootio.ColumnOf("x", ref), rootio.ColumnOf("w", w)), table(rootio.ColumnOf("x", cand)),
		Options{ReferenceWeight: "w"})
	s := r.Columns[0].Spikes
	if len(s) != 1 || s[0].ReferenceFraction != 0.25 || s[0].PValue < 0.9 {
		t.Errorf("spikes %+v", s)
	}
}

func TestSpikesInTheReport(t *testing.T) {
	rng := rand.New(rand.NewPCG(33, 33))
	x, y := spiky(rng, 5000, map[float64]float64{-999: 0.3}), normals(rng, 5000, 0)
	r := compare(t, table(rootio.ColumnOf("x", x), rootio.ColumnOf("y", y)), table(rootio.ColumnOf("x", x), rootio.ColumnOf("y", y)), Options{})
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if want := "x is -999 in 30.00 % and 30.00 % of the events: p = 1."; !strings.Contains(text.String(), want) {
		t.Errorf("no %q in\n%s", want, text.String())
	}
	x = spiky(rng, 5000, map[float64]float64{-999: 0.3, -99: 0.1, -9: 0.1, -8: 0.1, 0: 0.1})
	many := compare(t, table(rootio.ColumnOf("x", x)), table(rootio.ColumnOf("x", x)), Options{})
	text.Reset()
	if err := many.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(text.String(), "of the events: p"); n != 3 || !strings.Contains(text.String(), "x has 2 more values") {
		t.Errorf("%d of five spikes are listed in\n%s", n, text.String())
	}
	data, err := json.Marshal(r.Columns)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"spikes":[{"value":-999,"reference_fraction":0.3,"candidate_fraction":0.3,"p_value":1}]`; !bytes.Contains(data, []byte(want)) {
		t.Errorf("no %s in\n%s", want, data)
	}
	if n := bytes.Count(data, []byte(`"spikes"`)); n != 1 {
		t.Errorf("%d columns with spikes", n)
	}
}

// The bulk fills the axis however far the spikes are, and can be seen however
// high they are.
func TestSpectrumWithSpikes(t *testing.T) {
	rng := rand.New(rand.NewPCG(34, 34))
	far := map[float64]float64{0: 0.6, -999: 0.02, -99: 0.05, -9: 0.04, -1e6: 0.015}
	c := compareOne(t, spiky(rng, 20_000, far), spiky(rng, 20_000, far))
	s := c.spectrum
	apart := len(s.labels)
	if len(c.Spikes) != 5 || apart != 4 {
		t.Fatalf("%d spikes, %d of them apart", len(c.Spikes), apart)
	}
	if !s.logarithms || s.lo[apart] != 0 || s.hi[len(s.hi)-1] > 20 || s.hi[apart-1] >= 0 {
		t.Errorf("%+v", s)
	}
	if got := s.labels[3]; got != "=0" {
		t.Errorf("the last spike is called %q", got)
	}
	near(t, "outside", s.outside, 0.015, 0.002)
	sum := 0.0
	for k, f := range s.cand {
		if k > 0 && s.lo[k] < s.hi[k-1] {
			t.Fatalf("bins %d and %d overlap", k-1, k)
		}
		sum += f.value
	}
	near(t, "all events", sum+100*s.outside, 100, 1e-9)

	rounded := map[float64]float64{}
	for k := range 9 {
		rounded[float64(k)/4] = 0.1
	}
	if labels := compareOne(t, spiky(rng, 5000, rounded), spiky(rng, 5000, rounded)).spectrum.labels; labels != nil {
		t.Errorf("of nine spikes, %v are apart", labels)
	}

	ticks := besides(s).Ticks(s.lo[0], s.hi[len(s.hi)-1])
	var labelled int
	for _, tick := range ticks {
		if tick.Value < s.lo[0] || tick.Value > s.hi[len(s.hi)-1] {
			t.Errorf("a tick at %v", tick.Value)
		}
		if tick.Value < s.lo[apart] && tick.Label != "" {
			labelled++
		}
	}
	if labelled == 0 {
		t.Error("no spike has its value below")
	}
}

func TestPlotsOfSpikesAndManyCodes(t *testing.T) {
	rng := rand.New(rand.NewPCG(35, 35))
	sample := func() *rootio.Table {
		code := make([]int32, 6000)
		for i := range code {
			code[i] = int32(rng.IntN(250))
		}
		return table(rootio.ColumnOf("zeros", spiky(rng, 6000, map[float64]float64{0: 0.6})), rootio.ColumnOf("code", code))
	}
	dir := t.TempDir()
	if err := compare(t, sample(), sample(), Options{}).Plots(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"zeros", "code", "overview"} {
		pixels(t, filepath.Join(dir, name+".png"))
	}
	var labels nominal
	for range 250 {
		labels = append(labels, "-123")
	}
	if n := len(labels.Ticks(0, 0)); n < 3 || n > 12 {
		t.Errorf("%d labels of four letters", n)
	}
}
