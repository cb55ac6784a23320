package measure

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/internal/known"
)

// TestSampleSizes wants a larger sample to be nearer to the truth, more steps to cost less, and an
// exact solution nothing.
func TestSampleSizes(t *testing.T) {
	d, _ := known.Named("moons")
	a := &Accuracy{Density: d.Name, Dim: d.Dim(), Slopes: Slopes{Theory: SlopeOfTheory(2)}}
	for _, n := range []int{300, 1000} {
		s, err := measureSize(t.Context(), d, n, 3)
		if err != nil {
			t.Fatal(err)
		}
		first, last := s.Solver[0].KL, s.Solver[len(s.Solver)-1].KL
		if !(first.Value > 3*first.Error) || !(math.Abs(last.Value) < 0.01) || s.Enough == 0 {
			t.Errorf("K = %d: the solver costs %.4f ± %.4f at first, and %.4f ± %.4f; enough are %d steps", n, first.Value, first.Error, last.Value, last.Error, s.Enough)
		}
		a.Events = append(a.Events, s)
	}
	if few, more := a.Events[0].KL.Value, a.Events[1].KL.Value; !(more < 0.7*few) {
		t.Errorf("KL is %.4f, and %.4f with more events", few, more)
	}

	k, err := learn(t.Context(), d, 0, 300)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPaths(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	excess, err := p.excess(t.Context(), diffusion.Solver{Steps: fineSteps})
	if err != nil {
		t.Fatal(err)
	}
	if mean, sd := stat.MeanStdDev(excess, nil); !(math.Abs(mean) < 0.003+4*sd/math.Sqrt(float64(len(excess)))) {
		t.Errorf("the KL of an exact solution from itself is %.4f", mean)
	}

	a.Solvers = []SolverError{{Steps: []StepsError{{8, 8, 0.1}, {16, 16, 0.025}, {32, 32, 0.00625}}}}
	if order := a.Solvers[0].order(); math.Abs(order-2) > 1e-9 {
		t.Errorf("errors that fall as n⁻² have the order %v", order)
	}
	if _, err := json.Marshal(a); err != nil {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "study.png")
	if err := a.Plot(file); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Size() == 0 {
		t.Errorf("no plot (%v)", err)
	}
}

// TestSlope finds the power of a law, and an error that covers what does not follow it.
func TestSlope(t *testing.T) {
	a := &Accuracy{}
	for _, n := range []int{100, 1000, 10000} {
		kl := math.Pow(float64(n), -2./3)
		a.Events = append(a.Events, SampleSize{Events: n, KL: Value{kl, 0.1 * kl}})
	}
	of := func(s SampleSize) Value { return s.KL }
	exact := a.slope(of)
	if math.Abs(exact.Value+2./3) > 1e-9 || !(exact.Error > 0.02 && exact.Error < 0.04) {
		t.Errorf("slope %v ± %v of K^(−2/3)", exact.Value, exact.Error)
	}
	a.Events[1].KL.Value *= 3
	if bent := a.slope(of); !(bent.Error > 3*exact.Error) {
		t.Errorf("slope %v ± %v of what is no power", bent.Value, bent.Error)
	}
}
