package features

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
		if took := time.Since(begin) - after; err != nil && !errors.Is(err, context.DeadlineExceeded) || took > 2*time.Second {
			t.Errorf("cancelled after %v: error %v after another %v", after, err, took)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := FitContext(ctx, table, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("FitContext, cancelled: error %v", err)
	}
}
