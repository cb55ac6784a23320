package surrogate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// TestMaxTimeBoundsAll trains on many columns for a short time: looking at them, composing
// the model and validating it are part of the time, too, and a model comes out.
func TestMaxTimeBoundsAll(t *testing.T) {
	testenv.Slow(t, "it trains several models")
	const columns, events = 400, 1500
	r := rand.New(rand.NewPCG(1, 4))
	table := &rootio.Table{}
	sum := make([]float64, events)
	for j := range columns {
		x := make([]float32, events)
		for i := range x {
			sum[i] += 0.1 * r.NormFloat64()
			x[i] = float32(sum[i] + r.NormFloat64())
		}
		table.Columns = append(table.Columns, rootio.ColumnOf(fmt.Sprint("x", j), x))
	}
	const slack = 6 * time.Second // for a busy machine
	for limit := 2 * time.Second; ; limit *= 2 {
		begin := time.Now()
		var said []string
		tr, err := New(t.Context(), table, nil, Options{
			Begin: begin, Log: func(line string) { said = append(said, line) },
			Train: training.Options{MaxTime: limit},
		})
		if err != nil {
			t.Fatal(err)
		}
		s, err := tr.Run(t.Context())
		if took := time.Since(begin); took > limit+slack {
			t.Fatalf("%v for %v", took, limit)
		}
		if errors.Is(err, ErrNothingLearnt) && limit < 16*time.Second { // the machine is busy: ask for more time
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if s.Card.History.Stopped != training.OutOfTime || len(s.Parts[0].Features.Cut) == 0 || s.Card.Plan.Choice.Wide == 0 || len(said) < 2 {
			t.Errorf("%q, left out: %q, %v; said: %q", s.Card.History.Stopped, s.Parts[0].Features.Cut, s.Card.Plan.Choice, said)
		}
		return
	}
}
