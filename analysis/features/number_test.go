package features

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// TestEventNumbersAreNotLearnt checks numbers of events and runs: they are no features and
// no part of the density, new events are numbered, and what only looks alike is learnt.
func TestEventNumbersAreNotLearnt(t *testing.T) {
	const n = 2000
	r := rand.New(rand.NewPCG(6, 1))
	whole := func(f func(i int) float64) []int64 {
		x := make([]int64, n)
		for i := range x {
			x[i] = int64(f(i))
		}
		return x
	}
	event := make([]uint64, n)
	for i := range event {
		event[i] = math.MaxUint64 - uint64(r.IntN(1<<40))
	}
	x, evt := make([]float64, n), make([]float32, n)
	for i := range x {
		x[i], evt[i] = r.NormFloat64(), float32(r.IntN(1e9))
	}
	table := &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("x", x),
		rootio.ColumnOf("event", event),
		rootio.ColumnOf("EventInfo.evt_number", evt),
		rootio.ColumnOf("Run", whole(func(i int) float64 { return 160000 + math.Floor(float64(i*i)/n/100) })),
		rootio.ColumnOf("luminosityBlock", whole(func(i int) float64 { return 7 + math.Floor(float64(i)/300) })),
		rootio.ColumnOf("id", whole(func(i int) float64 { return 10 + 3*float64(i) })), // always larger

		rootio.ColumnOf("run", whole(func(int) float64 { return 1 + float64(r.IntN(2)) })),             // of two, in any order
		rootio.ColumnOf("evt", whole(func(int) float64 { return float64(r.IntN(30)) })),                // not many
		rootio.ColumnOf("ntracks", whole(func(int) float64 { return 1e6 * r.Float64() })),              // of another name
		rootio.ColumnOf("process", whole(func(i int) float64 { return math.Floor(float64(i) / 500) })), // blocks of another name
		rootio.ColumnOf("lumi", whole(func(int) float64 { return 3 })),                                 // constant
	}}
	s, err := Fit(t.Context(), table, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"event", "EventInfo.evt_number", "Run", "luminosityBlock", "id"}; !slices.Equal(s.Numbers(), want) {
		t.Errorf("numbers of events are %q, want %q", s.Numbers(), want)
	}
	if s.Dim() != 5 {
		t.Errorf("%d features", s.Dim())
	}
	if err := s.Check(&Context{}); err != nil {
		t.Error(err)
	}

	// Without these branches the density is the same.
	rest := &rootio.Table{Columns: slices.Concat(table.Columns[:1], table.Columns[6:])}
	z, logDet := make([]float32, n*s.Dim()), make([]float64, n)
	if err := s.Encode(t.Context(), z, logDet, rest, Noise{}); err != nil {
		t.Fatal(err)
	}
	if k := slices.IndexFunc(logDet, func(v float64) bool { return math.IsInf(v, 0) }); k >= 0 {
		t.Errorf("log|det| of event %d is %g", k, logDet[k])
	}

	drawn := rootio.NewTable(s.Fields(), 3)
	s.Decode(drawn, z[:3*s.Dim()], nil)
	s.Number(drawn, []uint64{0, 1, 41})
	for name, want := range map[string][]float64{
		"event": {1, 2, 42}, "EventInfo.evt_number": {1, 2, 42}, "id": {1, 2, 42},
		"Run": {160000, 160000, 160000}, "luminosityBlock": {7, 7, 7}, "lumi": {3, 3, 3},
	} {
		c, _ := drawn.Column(name)
		got := make([]float64, 3)
		if c.Floats(got, 0); !slices.Equal(got, want) {
			t.Errorf("new events have %s %v, want %v", name, got, want)
		}
	}

	// Who asks for them gets them.
	table.Columns = table.Columns[2:]
	if s, err = Fit(t.Context(), table, nil, Options{Numbers: true}); err != nil || len(s.Numbers()) > 0 {
		t.Errorf("asked for all: numbers of events are %q, error %v", s.Numbers(), err)
	}
	if s, err = Fit(t.Context(), table, nil, Options{As: map[string]string{"id": "integer"}}); err != nil || slices.Contains(s.Numbers(), "id") {
		t.Errorf("asked for id: numbers of events are %q, error %v", s.Numbers(), err)
	}
}
