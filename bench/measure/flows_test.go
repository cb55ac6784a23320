package measure

import (
	"context"
	"testing"
)

// TestFlows takes the first row only.
func TestFlows(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	results, err := Flows(ctx, func(Result, int, int) { cancel() })
	if err != context.Canceled || len(results) != 1 {
		t.Fatalf("%d rows, error %v", len(results), err)
	}
	r := results[0]
	if !(r.Speed > 0) || r.Limit > 0 && !(r.Fraction > 0) {
		t.Errorf("%+v", r)
	}
}
