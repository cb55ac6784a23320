package bench

import (
	"testing"

	"github.com/eidolon-hep/eidolon/diffusion"
)

// TestAncestor wants the default solver where Heun's method goes in small steps.
func TestAncestor(t *testing.T) {
	a := NewAncestor()
	a.Noise = a.Noise[:200]
	want, _, _, err := a.Solve(a.Heun(200), 0)
	if err != nil {
		t.Fatal(err)
	}
	got, took, n, err := a.Solve(diffusion.Solver{Steps: 60}, diffusion.DefaultEpsilon)
	if err != nil {
		t.Fatal(err)
	}
	if e := Apart(got, want); !(e < 1e-2) || took <= 0 || n < 60 || n > 70 {
		t.Errorf("%d evaluations, %v, apart by %.2g", n, took, e)
	}
}
