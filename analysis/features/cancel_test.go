package features

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/rootio"
)

// A signal acts within two seconds, in whatever loop over columns it comes.
func TestFitEndsWhenCancelled(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const columns, events = 300, 4000
	table := &rootio.Table{}
	for j := range columns {
		x := make([]float32, events)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		table.Columns = append(table.Columns, rootio.ColumnOf(fmt.Sprint("x", j), x))
	}
	for _, after := range []time.Duration{0, 20 * time.Millisecond, 200 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		begin := time.Now()
		_, err := Fit(ctx, table, nil, Options{})
		cancel()
		if took := time.Since(begin) - after; err != nil && !errors.Is(err, context.DeadlineExceeded) || took > 10*time.Second { // on a machine that others have
			t.Errorf("cancelled after %v: error %v after another %v", after, err, took)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := FitContext(ctx, table, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("FitContext, cancelled: error %v", err)
	}
}

// What there is no time to look for is said, and the rest is as ever.
func TestFitSaysWhatItLeavesOut(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	x, twice := make([]float64, 1000), make([]float64, 1000)
	for i := range x {
		x[i] = r.NormFloat64()
		twice[i] = 2 * x[i]
	}
	table := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x), rootio.ColumnOf("twice", twice)}}
	s, err := Fit(t.Context(), table, nil, Options{})
	if err != nil || s.Dim() != 1 || len(s.Cut) > 0 {
		t.Errorf("with time: %d features, left out: %q, error %v", s.Dim(), s.Cut, err)
	}
	s, err = Fit(t.Context(), table, nil, Options{Until: time.Now()})
	if err != nil || s.Dim() != 2 || !slices.Contains(s.Cut, "sums (no time for all)") {
		t.Errorf("without time: %d features, left out: %q, error %v", s.Dim(), s.Cut, err)
	}
}
