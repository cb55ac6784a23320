package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/rootio"
)

// card returns what a model file says of its training.
func card(t *testing.T, dir, model string) surrogate.Card {
	t.Helper()
	var info struct{ Card surrogate.Card }
	if err := json.Unmarshal([]byte(must(t, dir, "info", model, "--json")), &info); err != nil {
		t.Fatal(err)
	}
	return info.Card
}

// TestZeros types zeros that mean something else than the default, as flags and in a card.
func TestZeros(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in.root"), "Events", sample(300))
	must(t, dir, "train", "-i", "in.root", "-o", "m", "--model", "spline", "--hidden", "8", "--layers", "2", "--epochs", "2",
		"--average", "0", "--patience", "0")
	if o := card(t, dir, "m").Options; o.Train.Average != -1 || o.Train.Patience != -1 {
		t.Errorf("no average and no patience were asked for, not %+v", o.Train)
	}
	text := "input: in.root\noutput: m\nmodel: diffusion\nepsilon: 0\nfeatures: [mass, y]\n"
	if err := os.WriteFile(filepath.Join(dir, "card.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, dir, "train", "-c", "card.yaml")
	if o := card(t, dir, "m").Options; o.Diffusion.Epsilon != -1 {
		t.Errorf("exact sums were asked for, not %+v", o.Diffusion)
	}
}

// TestChoice checks that train and info say which model a trial has chosen, and that an
// interrupt of the trial leaves nothing behind.
func TestChoice(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in.root"), "Events", sample(500))
	_, stderr, code := eidolon(t, dir, "train", "-i", "in.root", "-o", "m", "--hidden", "8", "--epochs", "1")
	line := card(t, dir, "m").Choice.String()
	if code != 0 || !strings.Contains(stderr, line+"\n") {
		t.Errorf("train does not say %q:\n%s", line, stderr)
	}
	if text := must(t, dir, "info", "m"); !strings.Contains(text, line+"\n") {
		t.Errorf("info does not say %q:\n%s", line, text)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	err := cancelAfter{&out, "a trial", cancel}
	if code := run(ctx, []string{"train", "-i", "in.root", "-o", "x", "--epochs", "100000"}, &out, &err); code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"in.root", "m"}) {
		t.Errorf("files left behind: %v", got)
	}
}

// TestWeights checks that train, info and --json say what the weights are like.
func TestWeights(t *testing.T) {
	dir := t.TempDir()
	events := sample(400)
	w := make([]float32, 400)
	for i := range w {
		w[i] = 2
		if i%4 == 0 {
			w[i] = -1
		}
	}
	events.Columns = append(events.Columns, rootio.ColumnOf("w", w))
	write(t, filepath.Join(dir, "in.root"), "Events", events)
	_, stderr, code := eidolon(t, dir, "train", "-i", "in.root", "-o", "m", "--weight", "w", "--model", "spline", "--hidden", "8", "--layers", "2", "--epochs", "2")
	const line = "weights: as good as 192 events of equal weight; 25 % of the events have negative ones, which are 14 % of the sum of |weight|\n"
	if code != 0 || !strings.Contains(stderr, line) {
		t.Errorf("train does not say %q:\n%s", line, stderr)
	}
	if text := must(t, dir, "info", "m"); !strings.Contains(text, line) {
		t.Errorf("info does not say %q:\n%s", line, text)
	}
	if got := card(t, dir, "m").Weights; got == nil || math.Abs(got.Effective-500*500.0/1300) > 1e-9 || math.Abs(got.Negative-0.25) > 1e-9 {
		t.Errorf("--json has %+v", got)
	}
}
