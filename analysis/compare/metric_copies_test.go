package compare

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

func TestCopies(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	sample := func(n int) *rootio.Table {
		return table(rootio.ColumnOf("x", normals(rng, n, 0)), rootio.ColumnOf("y", normals(rng, n, 0)))
	}
	training, ref, fresh := sample(1200), sample(1200), sample(1200)
	repeated := rootio.NewTable(training.Fields(), 1200)
	for k, c := range repeated.Columns { // half of the events are copies
		x, y := make([]float64, 1200), make([]float64, 1200)
		training.Columns[k].Floats(x, 0)
		fresh.Columns[k].Floats(y, 0)
		copy(x[:600], y)
		c.SetFloats(0, x)
	}
	measure := func(cand *rootio.Table) *Joint {
		r := compare(t, ref, cand, Options{})
		if err := r.Measure(context.Background(), ref, cand, training); err != nil {
			t.Fatal(err)
		}
		return r.Joint
	}
	if c := found[*Copies](t, measure(fresh)); c.TooMany() || c.Exact > 0 || math.Abs(c.Reference-0.01) > 0.03 {
		t.Errorf("new events: %+v", c)
	}
	j := measure(repeated)
	if c := found[*Copies](t, j); !c.TooMany() || math.Abs(c.Exact-0.5) > 0.05 {
		t.Errorf("half of them copies: %+v", c)
	}
	// Copies within the training sample do not hide those of the candidate.
	for k, c := range training.Columns {
		training.Columns[k] = c.Concat(c)
	}
	if c := found[*Copies](t, measure(repeated)); !c.TooMany() || math.Abs(c.Exact-0.5) > 0.05 || c.Training != 1200 {
		t.Errorf("half of them copies, of a sample that is given twice: %+v", c)
	}
	if c := found[*Copies](t, measure(fresh)); c.TooMany() {
		t.Errorf("new events, of a sample that is given twice: %+v", c)
	}
	f := found[*Filling](t, j)
	near(t, "precision", f.Candidate.Precision, f.Itself.Precision, 0.05)
	if len(j.Columns) != 2 {
		t.Errorf("columns %v", j.Columns)
	}
}
