package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDiffusion trains on no flows, draws from them in both ways, and scores.
func TestDiffusion(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in.root"), "Events", sample(1200))
	fast := []string{"--solver", "dpm2m", "--steps", "4", "--refine", "off"}
	for _, model := range []string{"diffusion", "denoiser"} {
		train := append([]string{"train", "-i", "in.root", "--model", model, "-o", model}, fast...)
		if model == "denoiser" {
			train = append(train, "--hidden", "8", "--depth", "1", "--epochs", "1")
		}
		text := must(t, dir, train...)
		if !strings.Contains(text, "copies") {
			t.Errorf("train --model %s says nothing of copies: %s", model, text)
		}
		text = must(t, dir, "generate", "-m", model, "-n", "200", "-o", "out.root")
		if !strings.Contains(text, "copies") || strings.Contains(text, "as counted after its training") != (model == "denoiser") {
			t.Errorf("generate says: %s", text)
		}
		must(t, dir, "score", "-m", model, "-i", "out.root", "-o", "scored.root")
		if text := must(t, dir, "info", model); !strings.Contains(text, "σ_min") || strings.Contains(text, "in noise alone") != (model == "diffusion") {
			t.Errorf("info %s says: %s", model, text)
		}
		if text := must(t, dir, "info", model, "--json"); strings.Contains(text, "effective_events") != (model == "diffusion") {
			t.Errorf("info %s --json says: %s", model, text)
		}
	}
	must(t, dir, "generate", "-m", "diffusion", "--direct", "-n", "200", "-o", "direct.root")

	// The equation is solved otherwise than in the training, and the file says how.
	solver := func(text string) (s struct {
		Solver struct {
			Method, Schedule string
			Steps            int
			Tolerance        float64
		}
	}) {
		t.Helper()
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, model := range []string{"diffusion", "denoiser"} {
		got := solver(must(t, dir, "generate", "-m", model, "-n", "50", "-o", "out.root", "--json")).Solver
		if got.Method != "dpm2m" || got.Schedule != "linear" || got.Steps != 4 {
			t.Errorf("%s: as trained it is %+v", model, got)
		}
		got = solver(must(t, dir, "generate", "-m", model, "-n", "50", "-o", "out.root", "--schedule", "sqrt", "--order", "1", "--steps", "6", "--json")).Solver
		if got.Method != "dpm1" || got.Schedule != "sqrt" || got.Steps != 6 {
			t.Errorf("%s: asked otherwise it is %+v", model, got)
		}
		if text := must(t, dir, "info", "out.root"); !strings.Contains(text, "solved by dpm1 in 6 steps, schedule sqrt") {
			t.Errorf("info says: %s", text)
		}
		got = solver(must(t, dir, "generate", "-m", model, "-n", "50", "-o", "out.root", "--tolerance", "0.01", "--json")).Solver
		if got.Method != "dpm3s" || got.Tolerance != 0.01 || got.Steps != 0 {
			t.Errorf("%s: with a tolerance it is %+v", model, got)
		}
	}
	must(t, dir, "score", "-m", "denoiser", "-i", "out.root", "-o", "scored.root", "--order", "2", "--steps", "12")
	if text := must(t, dir, "info", "scored.root"); !strings.Contains(text, "solved by dpm2m in 12 steps") {
		t.Errorf("info says: %s", text)
	}

	// Of the 1200 events 500 are chosen, by the seed.
	of := map[string]string{}
	for _, seed := range []string{"1", "1", "2"} {
		must(t, dir, "train", "-i", "in.root", "--features", "mass,y", "--model", "diffusion", "--kernel-events", "500", "--refine", "off", "--seed", seed, "-o", "k")
		if text := must(t, dir, "info", "k"); !strings.Contains(text, "kernel sums over 500 of ") {
			t.Errorf("info says: %s", text)
		}
		file, err := os.ReadFile(filepath.Join(dir, "k"))
		if err != nil {
			t.Fatal(err)
		}
		if tensors := string(file[len(file)-4000:]); of[seed] != "" && of[seed] != tensors || seed == "2" && of["1"] == tensors {
			t.Errorf("seed %s: the same events are not chosen by the same seed alone", seed)
		} else {
			of[seed] = tensors
		}
	}
	for model, more := range map[string][]string{"diffusion": nil, "distilled": {"--teacher", "diffusion", "--epochs", "1", "--hidden", "8"}} {
		stdout, stderr, code := eidolon(t, dir, append([]string{"train", "-i", "in.root", "--model", model, "--sigma-min", "0", "--features", "mass,y", "-o", "copies"}, more...)...)
		if code != 0 || !strings.Contains(stderr, "warning: σ_min is 0") || strings.Contains(stdout, "σ_min is 0") {
			t.Errorf("%s: no warning of copies: %s%s", model, stdout, stderr)
		}
		if model == "diffusion" && !strings.HasPrefix(stdout, "copies: nothing to train\n") {
			t.Errorf("train says: %s", stdout)
		}
		if text := must(t, dir, "info", "copies"); !strings.Contains(text, "σ_min is 0") || strings.Contains(text, "loss 0.0000") {
			t.Errorf("info says: %s", text)
		}
		_, stderr, code = eidolon(t, dir, "score", "-m", "copies", "-i", "in.root", "-o", "scored.root")
		if code != 1 || !strings.Contains(stderr, "no density") {
			t.Errorf("score of copies: exit code %d, %s", code, stderr)
		}
	}
	for _, c := range [][]string{
		{"generate", "-m", "diffusion", "--direct", "--steps", "3", "-n", "1", "-o", "x.root"},
		{"generate", "-m", "denoiser", "--schedule", "shifted:0.5", "-n", "1", "-o", "x.root"},
		{"score", "-m", "diffusion", "--steps", "3", "-i", "in.root", "-o", "x.root"},
		{"generate", "-m", "denoiser", "--direct", "-n", "1", "-o", "x.root"},
		{"train", "-i", "in.root", "-o", "x", "--model", "denoiser", "--teacher", "diffusion"},
		{"train", "-i", "in.root", "-o", "x", "--model", "diffusion", "--solver", "rk4"},
		{"train", "-i", "in.root", "-o", "x", "--model", "denoiser", "--sigma-min", "0"},
		{"train", "-i", "in.root", "-o", "x", "--model", "denoiser", "--layers", "4"},
		{"train", "-i", "in.root", "-o", "x", "--model", "diffusion", "--hidden", "8"},
		{"train", "-i", "in.root", "-o", "x", "--model", "diffusion", "--epsilon", "1"},
	} {
		if _, stderr, code := eidolon(t, dir, c...); code != 2 {
			t.Errorf("eidolon %s: exit code %d, says %s", strings.Join(c, " "), code, stderr)
		}
	}
}
