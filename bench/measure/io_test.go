package measure

import (
	"context"
	"testing"
)

// The benchmark reads what it writes, each way.
func TestIO(t *testing.T) {
	results, err := IO(context.Background(), 2000, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Groot <= 0 || r.Read <= 0 || r.Verified <= 0 || r.Ratio <= 0 || r.Bytes <= 0 {
			t.Errorf("%+v", r)
		}
	}
}
