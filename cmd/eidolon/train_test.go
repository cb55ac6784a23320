package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
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
