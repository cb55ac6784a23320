package main

import (
	"math"
	"testing"
)

// The surrogate has the tails of the full simulation, which the parametric smearing has
// not.
func TestRun(t *testing.T) {
	responses, err := run(t.TempDir(), 20_000, 20_000)
	if err != nil {
		t.Fatal(err)
	}
	full, fast, fads := responses[0], responses[1], responses[2]
	for _, r := range responses {
		if r.h.Entries() != 20_000 {
			t.Fatalf("%s: %d muons", r.name, r.h.Entries())
		}
	}
	if math.Abs(fast.h.XMean()-full.h.XMean()) > 0.005 || math.Abs(fast.h.XStdDev()/full.h.XStdDev()-1) > 0.15 {
		t.Errorf("the surrogate has response %.4f ± %.4f, the full simulation %.4f ± %.4f",
			fast.h.XMean(), fast.h.XStdDev(), full.h.XMean(), full.h.XStdDev())
	}
	if fast.tails() < 0.6*full.tails() || fads.tails() > 0.3*full.tails() {
		t.Errorf("outside of ±15 %%: full simulation %.4f, surrogate %.4f, fads %.4f", full.tails(), fast.tails(), fads.tails())
	}
}
