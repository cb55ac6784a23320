package surrogate

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/internal/known"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// decaysWith returns n decays of two identical particles, each with a column of its own, n1 and n2, and changed.
func decaysWith(n int, change func(x [][]float64, i int)) *rootio.Table {
	density, _ := known.Named("decay")
	t := density.Table(1, 0, n)
	x := make([][]float64, 8)
	for j := range 6 {
		x[j] = t.Columns[j].Float64s()
	}
	x[6], x[7] = make([]float64, n), make([]float64, n)
	for i := range n {
		x[6][i], x[7][i] = math.Hypot(1, x[1][i]), math.Hypot(1, x[4][i])
		change(x, i)
	}
	changed := &rootio.Table{}
	for j, name := range []string{"pt1", "eta1", "phi1", "pt2", "eta2", "phi2", "n1", "n2"} {
		changed.Columns = append(changed.Columns, rootio.ColumnOf(name, x[j]))
	}
	return changed
}

// Identical particles are found where they are not ordered and nothing else tells them apart, with all of their columns.
func TestFindExchanges(t *testing.T) {
	const n = 6000
	for name, c := range map[string]struct {
		change func(x [][]float64, i int)
		want   bool
	}{
		"identical": {func([][]float64, int) {}, true},
		"ordered": {func(x [][]float64, i int) {
			if x[0][i] < x[3][i] {
				for j := range 3 {
					x[j][i], x[j+3][i] = x[j+3][i], x[j][i]
				}
			}
		}, false},
		"wider":    {func(x [][]float64, i int) { x[4][i] *= 1.3 }, false},
		"relation": {func(x [][]float64, i int) { x[7][i] *= 1 + 0.3*float64(i%2) }, false},
		"product": {func(x [][]float64, i int) {
			x[6][i] = math.Abs(x[6][i])
			if i%3 == 0 {
				x[6][i] = -x[6][i]
			}
			if x[7][i] = math.Abs(x[7][i]); i%3 == 0 == (x[2][i] > 0) {
				x[7][i] = -x[7][i]
			}
		}, false},
	} {
		events := decaysWith(n, c.change)
		o := Options{Seed: 1, Coordinates: PlainCoordinates}
		s, err := o.look(t.Context(), events, nil, time.Now())
		must(t, err)
		found, err := o.findExchanges(t.Context(), s, events, nil, time.Now())
		must(t, err)
		if got := len(found) > 0; got != c.want {
			t.Errorf("%s: %v", name, found)
		}
		if c.want && (len(found) != 1 || !slices.Contains(found[0].Columns, [2]string{"n1", "n2"}) || len(found[0].Columns) != 4) {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

// A training with identical particles sees about half of the events in the other order in each pass, never the same half, and what it
// learns is not worse.
func TestExchange(t *testing.T) {
	events := decaysWith(2000, func([][]float64, int) {})
	o := Options{Model: spline, Layers: 2, Components: 1, Hidden: 8, Seed: 1, Refine: RefineOff, Coordinates: PlainCoordinates, Train: training.Options{Epochs: 6}}
	tr, err := New(t.Context(), events, nil, o)
	must(t, err)
	if len(tr.Card.Plan.Exchanges) != 1 || !strings.Contains(tr.Card.Plan.String(), "identical") {
		t.Fatalf("%v", &tr.Card.Plan)
	}
	if tr.exchanged(0) != tr.table {
		t.Error("the first pass is not over the events as they are")
	}
	before := events.Columns[0].Float64s()
	changed := func(pass uint64) (n int) {
		again, _ := tr.exchanged(pass).Column("pt1")
		for i, v := range again.Float64s() {
			if v != before[i] {
				n++
			}
		}
		return n
	}
	for pass := uint64(1); pass < 3; pass++ {
		if n := changed(pass); n < 850 || n > 1150 || equalTables(tr.exchanged(pass), tr.exchanged(pass+1)) || !equalTables(tr.exchanged(pass), tr.exchanged(pass)) {
			t.Errorf("pass %d has %d of 2000 events in the other order", pass, n)
		}
	}
	s, err := tr.Run(t.Context())
	must(t, err)
	plain, err := New(t.Context(), events, nil, o)
	must(t, err)
	plain.Card.Plan.Exchanges = nil
	p, err := plain.Run(t.Context())
	must(t, err)
	test := decaysWith(6000, func([][]float64, int) {}).Slice(2000, 6000)
	a, b := make([]float64, test.Len()), make([]float64, test.Len())
	must(t, s.LogDensity(t.Context(), a, test, 0))
	must(t, p.LogDensity(t.Context(), b, test, 0))
	if gain, sigma := judges(nil).paired(a, b); gain < -3*sigma {
		t.Errorf("events are more likely by %.4f ± %.4f nats", gain, sigma)
	} else {
		t.Logf("events are more likely by %.4f ± %.4f nats", gain, sigma)
	}
}
