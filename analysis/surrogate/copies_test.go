package surrogate

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// What is learnt of a sample that is given twice is what is learnt of it: no event is
// judged by its copy.
func TestCopiesAreNotJudgedByTheirLike(t *testing.T) {
	testenv.Slow(t, "it trains with copies of events")
	const n = 900
	u := make([]float32, 2*n)
	philox.Normal(u, 1, 0, 0)
	x, y, code := make([]float32, n), make([]float32, n), make([]int32, n)
	for i := range n {
		x[i], y[i], code[i] = u[2*i], u[2*i]+0.5*u[2*i+1], int32(philox.Uint64(1, 1, uint64(i))%2)
	}
	table := func(times int) *rootio.Table {
		return &rootio.Table{Columns: []rootio.Column{
			rootio.ColumnOf("x", slices.Repeat(x, times)), rootio.ColumnOf("y", slices.Repeat(y, times)), rootio.ColumnOf("code", slices.Repeat(code, times)),
		}}
	}
	var lines []string
	opts := Options{Model: kernelSums, Seed: 1, Refine: RefineOff, Log: func(line string) { lines = append(lines, line) }}
	once := train(t, table(1), nil, opts)
	if len(lines) > 0 {
		t.Errorf("of different events it says %q", lines)
	}
	thrice := train(t, table(3), nil, opts)
	if text := strings.Join(lines, "\n"); !strings.Contains(text, "of 2700 events 900 are different") {
		t.Errorf("it says %q", text)
	}
	if a, b := width(once), width(thrice); math.Abs(math.Log(a/b)) > 0.2 {
		t.Errorf("σ_min is %.3g, and %.3g of the sample given three times", a, b)
	}
	if a, b := once.Card.History.Best, thrice.Card.History.Best; math.Abs(a-b) > 0.2 {
		t.Errorf("the validation loss is %.3g, and %.3g of the sample given three times", a, b)
	}
	if a, b := *once.Card.Copies, *thrice.Card.Copies; math.Abs(a-b) > 0.03 {
		t.Errorf("%.3g of the events are copies, and %.3g of the sample given three times", a, b)
	}
	if valid := thrice.Card.HeldOut; valid != 3*once.Card.HeldOut {
		t.Errorf("%d events validate, and %d of the sample given three times", once.Card.HeldOut, valid)
	}
}

func width(s *Surrogate) float64 { return s.Parts[0].Chain.last().(factor.KernelSums).Width() }

// Whatever rows there are, some are learnt from.
func TestEqualRowsAreSplit(t *testing.T) {
	for name, x := range map[string][]float32{
		"two values":    slices.Repeat([]float32{1, 2}, 500),
		"three rows":    {1, 2, 3},
		"with one copy": {1, 2, 3, 4, 4},
		"one rare":      append(make([]float32, 500), 1),
	} {
		tr, err := New(t.Context(), &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x)}}, nil, Options{Model: spline, Layers: 1, Hidden: 4})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if tr.Card.Learnt() == 0 || tr.Card.Learnt()+tr.Card.HeldOut != len(x) || len(x) > 100 && math.Abs(float64(tr.Card.HeldOut)/float64(len(x))-0.1) > 0.05 {
			t.Errorf("%s: %d events to train on, %d to validate", name, tr.Card.Learnt(), tr.Card.HeldOut)
		}
	}
}
