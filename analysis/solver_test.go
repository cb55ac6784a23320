package analysis_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/internal/origin"
	"github.com/eidolon-hep/eidolon/rootio"
)

// The components of a job solve the equation of a model as they are asked to, and the output
// says so.
func TestSolverOfAJob(t *testing.T) {
	dir := t.TempDir()
	events := &rootio.Table{Columns: sample(500).Columns[:2]}
	tr, err := surrogate.New(t.Context(), events, nil, surrogate.Options{Model: "denoiser", Hidden: 8, Depth: 1, Seed: 1, Train: quick.Train})
	if err != nil {
		t.Fatal(err)
	}
	s, err := tr.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	model, out, file := filepath.Join(dir, "m"), filepath.Join(dir, "out.root"), filepath.Join(dir, "job.yaml")
	if err := s.Save(model); err != nil {
		t.Fatal(err)
	}
	run := func(source, score string) error {
		t.Helper()
		text := fmt.Sprintf(`{nprocs: 1, components: [
			{type: Source, name: in, props: {Model: %q, N: 50, Seed: 3, Batch: 20, Entry: entry, Solver: %s}},
			{type: Score, name: score, props: {Model: %q, Entry: entry, Solver: %s}},
			{type: TreeWriter, name: out, props: {File: %q, Batch: true, Ports: [mass, log_prob]}}]}`, model, source, model, score, out)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := job.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		_, err = j.Run(t.Context())
		return err
	}
	if err := run("{schedule: sqrt, method: heun, order: 2, steps: 6}", "{tolerance: 0.01}"); err != nil {
		t.Fatal(err)
	}
	if err := s.SetSolver(diffusion.SolverOptions{Schedule: "sqrt", Method: "heun", Steps: 6}); err != nil {
		t.Fatal(err)
	}
	if err := s.SetDensitySolver(diffusion.SolverOptions{Tolerance: 0.01}); err != nil {
		t.Fatal(err)
	}
	drawn, p := rootio.NewTable(s.Fields(), 50), make([]float64, 50)
	if _, err := s.Generate(t.Context(), drawn, nil, 3, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.LogDensity(t.Context(), p, drawn, 0); err != nil {
		t.Fatal(err)
	}
	equal(t, read(t, out), &rootio.Table{Columns: []rootio.Column{drawn.Columns[0], rootio.ColumnOf("log_prob", p)}})
	from, err := origin.Of(t.Context(), out)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"heun in 6 steps, schedule sqrt", "dpm3s with tolerance 0.01, schedule linear"} {
		if got := fmt.Sprint(from.Models[i].Solver); got != want {
			t.Errorf("the output says that %s has solved by %s, not %s", from.Models[i].Component, got, want)
		}
	}
	complains(t, run("{order: 4}", "{}"), `"in"`, "orders 1, 2 and 3")
	complains(t, run("{}", "{schedule: shifted:0.5}"), `"score"`, "σ₀ = 0.5")
	complains(t, run("{speed: 4}", "{}"), `"in"`, "Solver", "speed")
}

// A model is trained in a job for the solver that the job asks for, by the same keys.
func TestSolverOfATraining(t *testing.T) {
	dir := t.TempDir()
	in, model, file := write(t, filepath.Join(dir, "in.root"), &rootio.Table{Columns: sample(500).Columns[:2]}), filepath.Join(dir, "m"), filepath.Join(dir, "job.yaml")
	run := func(solver string) error {
		t.Helper()
		text := fmt.Sprintf(`{nprocs: 1, components: [
			{type: TreeReader, name: in, props: {Files: [%q]}},
			{type: Train, name: fit, props: {Output: %q, Options: {model: diffusion, diffusion: {solver: %s}}}}]}`, in, model, solver)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := job.Load(file)
		if err == nil {
			_, err = j.Run(t.Context())
		}
		return err
	}
	complains(t, run("{order: 4}"), `"fit"`, "orders 1, 2 and 3")
	complains(t, run("{tolerance: 0.01, steps: 4}"), `"fit"`, "a tolerance chooses the steps")
	complains(t, run("{speed: 4}"), `"fit"`, "Options", "speed")
	if err := run("{schedule: sqrt, order: 2, steps: 6}"); err != nil {
		t.Fatal(err)
	}
	s, err := surrogate.Load(model)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Solver().String(), "dpm2m in 6 steps, schedule sqrt"; got != want {
		t.Errorf("the model is solved by %s, not %s", got, want)
	}
}
