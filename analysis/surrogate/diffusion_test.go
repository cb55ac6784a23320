package surrogate

import (
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// TestDiffusion takes the models of package diffusion, with and without codes beside
// the numbers, through training, files, events and densities.
func TestDiffusion(t *testing.T) {
	const n = 1500
	u, x, y, code := make([]float32, 2*n), make([]float32, n), make([]float64, n), make([]int32, n)
	philox.Normal(u, 1, 0, 0)
	for i := range n {
		x[i], y[i] = u[2*i], float64(u[2*i]+0.5*u[2*i+1])
		code[i] = int32(philox.Uint64(1, 1, uint64(i)) % 2)
	}
	numbers := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x), rootio.ColumnOf("y", y)}}
	codes := &rootio.Table{Columns: append(numbers.Columns[:2:2], rootio.ColumnOf("code", code))}
	for _, c := range []struct {
		model, teacher string
		table          *rootio.Table
		components     int
	}{
		{kernelSums, "", numbers, 0}, {kernelSums, "", codes, 0}, {denoiser, "", codes, 0}, {distilled, "", codes, 0}, {distilled, "", numbers, 0}, {distilled, kernelSums, numbers, 0},
		{denoiser, "", codes, 3}, {distilled, "", codes, 3},
	} {
		opts := Options{Model: c.model, Components: c.components, Seed: 1, Refine: RefineOff}
		if c.model != kernelSums {
			opts.Hidden, opts.Depth, opts.Train.Epochs = 8, 1, 2
		}
		opts.Diffusion.Teacher = c.teacher
		opts.Diffusion.Solver = diffusion.SolverOptions{Steps: 4, Order: 2}
		s := train(t, c.table, nil, opts)
		if s.Card.Copies == nil || !(*s.Card.Copies < 0.2) {
			t.Errorf("%s: copies: %v", c.model, s.Card.Copies)
		}
		if remarks := strings.Join(s.Remarks(), "; "); !strings.Contains(remarks, "copies") || strings.Contains(remarks, "teacher") != (c.model == distilled) {
			t.Errorf("%s: remarks %q", c.model, remarks)
		}
		file := filepath.Join(t.TempDir(), "m")
		if err := s.Save(file); err != nil {
			t.Fatal(err)
		}
		loaded, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		a, b := rootio.NewTable(s.Fields(), 200), rootio.NewTable(s.Fields(), 200)
		tails, err := s.Generate(t.Context(), a, nil, 3, 0)
		if err != nil {
			t.Fatal(err)
		}
		for lo := 0; lo < 200; lo += 70 {
			hi := min(lo+70, 200)
			if _, err := loaded.Generate(t.Context(), b.Slice(lo, hi), nil, 3, uint64(lo)); err != nil {
				t.Fatal(err)
			}
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: the loaded model draws other events, in parts", c.model)
		}
		if (tails.Copies != nil) != (c.model == kernelSums) {
			t.Errorf("%s: counts copies: %v", c.model, tails.Copies)
		}
		p := make([]float64, 50)
		if err := loaded.LogDensity(t.Context(), p, c.table.Slice(0, 50), 0); err != nil {
			t.Fatal(err)
		}
		for _, l := range p {
			if math.IsNaN(l) || math.IsInf(l, 0) {
				t.Fatalf("%s: log p = %v", c.model, l)
			}
		}
		// Inside of a chain, too, the equation can be solved otherwise; a one-step map solves none
		// but for its density, if that is a denoiser's.
		otherwise := diffusion.SolverOptions{Schedule: "shifted:0.001", Order: 3, Steps: 9}
		if err := loaded.SetSolver(otherwise); (err == nil) != (c.model != distilled) || (loaded.Solver() != nil) != (c.model != distilled) {
			t.Errorf("%s: another solver: %v", c.model, err)
		} else if err == nil {
			if _, err := loaded.Generate(t.Context(), b, nil, 3, 0); err != nil || reflect.DeepEqual(a, b) || loaded.Solver().Steps != 9 {
				t.Errorf("%s: the events are the same when the equation is solved by %v (%v)", c.model, loaded.Solver(), err)
			}
		}
		integrated := c.model == denoiser || c.model == distilled && c.teacher == ""
		if err := loaded.SetDensitySolver(otherwise); (err == nil) != integrated || (loaded.DensitySolver() != nil) != integrated {
			t.Errorf("%s: another solver of densities: %v", c.model, err)
		}
		if err := loaded.Direct(); (err == nil) != (c.model == kernelSums) {
			t.Errorf("%s: direct draws: %v", c.model, err)
		}
	}
	zero := 0.0
	for _, o := range []Options{
		{Model: kernelSums, Diffusion: DiffusionOptions{Teacher: kernelSums}},
		{Model: denoiser, Diffusion: DiffusionOptions{Teacher: denoiser}},
		{Model: denoiser, Diffusion: DiffusionOptions{SigmaMin: &zero}},
		{Model: kernelSums, Diffusion: DiffusionOptions{Epsilon: 1}},
		{Model: kernelSums, Diffusion: DiffusionOptions{Solver: diffusion.SolverOptions{Steps: -1}}},
	} {
		if err := o.Check(); err == nil {
			t.Errorf("no error for %+v", o)
		}
	}
	// Conditions of many values are for other models.
	tr, err := New(t.Context(), numbers, nil, Options{Model: kernelSums, Condition: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "few codes") {
		t.Errorf("error %v for a condition of many values", err)
	}
	// Weights of both signs are for other models.
	w := make([]float64, n)
	for i := range w {
		w[i] = 1
	}
	w[7] = -1
	tr, err = New(t.Context(), numbers, w, Options{Model: kernelSums})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "not negative") {
		t.Errorf("error %v for a negative weight", err)
	}
}
