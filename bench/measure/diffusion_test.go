package measure

import (
	"runtime"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/diffusion"
)

// TestAncestor wants the default solver where Heun's method goes in small steps.
func TestAncestor(t *testing.T) {
	a := NewAncestor()
	a.Noise = a.Noise[:200]
	want, _, _, err := a.Solve(t.Context(), a.Heun(200), 0)
	if err != nil {
		t.Fatal(err)
	}
	got, took, n, err := a.Solve(t.Context(), diffusion.Solver{Steps: 60}, diffusion.DefaultEpsilon)
	if err != nil {
		t.Fatal(err)
	}
	if e := Apart(got, want); !(e < 1e-2) || took <= 0 || n < 60 || n > 70 {
		t.Errorf("%d evaluations, %v, apart by %.2g", n, took, e)
	}
}

// TestNetworksAreTheDefault wants measured what users get, and named as it is.
func TestNetworksAreTheDefault(t *testing.T) {
	const dim = 8
	byDefault, err := diffusion.NewDenoiser(dim, 0, 1, diffusion.DenoiserOptions{})
	if err != nil {
		t.Fatal(err)
	}
	measured, err := diffusion.NewDenoiser(dim, 0, 1, diffusion.DenoiserOptions{Hidden: denoiserLayers})
	if err != nil {
		t.Fatal(err)
	}
	if byDefault.String() != measured.String() {
		t.Errorf("measured is %v, the default %v", measured, byDefault)
	}
	var maps [2]*diffusion.Distilled
	for i, layers := range [][]int{nil, mapLayers} {
		if maps[i], err = diffusion.NewDistilled(measured, 1, diffusion.DistilledOptions{Hidden: layers}); err != nil {
			t.Fatal(err)
		}
	}
	if maps[0].String() != maps[1].String() {
		t.Errorf("measured is %v, the default %v", maps[1], maps[0])
	}
}

// TestPeakHeap sees memory that is gone at the end.
func TestPeakHeap(t *testing.T) {
	const size = 64 << 20
	bytes, err := peakHeap(func() error {
		b := make([]byte, size)
		time.Sleep(20 * time.Millisecond)
		runtime.KeepAlive(b)
		return nil
	})
	if err != nil || bytes < size || bytes > 2*size {
		t.Errorf("a peak of %g bytes for %d (%v)", bytes, size, err)
	}
}
