package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go-hep.org/x/hep/groot"
	"go-hep.org/x/hep/groot/rtree"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/kernels/philox"
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
	line := card(t, dir, "m").Plan.Choice.String()
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

// TestNothingLearnt trains where no parameters can be better than the first ones. What has
// run away is an error that leaves nothing behind; where the features alone are the model,
// that is said.
func TestNothingLearnt(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in.root"), "Events", sample(2000))
	for says, args := range map[string][]string{
		"nothing was learnt: the loss was never below": {"--rate", "9", "--epochs", "5"},
		"nothing was learnt: there was no time":        {"--max-time", "1ns"},
	} {
		args = append([]string{"train", "-i", "in.root", "-o", "m", "--model", "spline", "--features", "mass,pt", "--hidden", "8", "--layers", "2"}, args...)
		_, stderr, code := eidolon(t, dir, args...)
		if code != exitError || !strings.Contains(stderr, says) {
			t.Errorf("exit code %d, does not say %q:\n%s", code, says, stderr)
		}
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("files left behind: %v", got)
	}
	// A tiny rate finds nothing better, and does no harm.
	x := make([]float32, 300)
	philox.Normal(x, 1, 0, 0)
	write(t, filepath.Join(dir, "normal.root"), "Events", &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x)}})
	stdout, stderr, code := eidolon(t, dir, "train", "-i", "normal.root", "-o", "m", "--model", "spline", "--rate", "1e-30", "--epochs", "2", "--hidden", "8", "--layers", "2")
	const warning = "warning: nothing was learnt: no parameters were better than the first ones"
	if code != 0 || !strings.Contains(stderr, warning) || !strings.Contains(stdout, " at step 0") {
		t.Errorf("exit code %d, no warning in:\n%s", code, stderr)
	}
	if text := must(t, dir, "info", "m"); !strings.Contains(text, warning) {
		t.Errorf("info has no warning:\n%s", text)
	}
}

// TestOutcome checks what is said of trainings that have no validation loss.
func TestOutcome(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in.root"), "Events", sample(600))
	write(t, filepath.Join(dir, "few.root"), "Events", sample(7))
	for want, args := range map[string][]string{
		"m: validation loss ":                                               {"-i", "in.root", "--model", "diffusion", "--features", "mass,pt"},
		"m: nothing to train, and no event to validate\n":                   {"-i", "few.root", "--model", "diffusion", "--features", "mass,pt"},
		"m: nothing to train: the frequencies of the codes are the model\n": {"-i", "in.root", "--features", "pdg,flag", "--model", "spline"},
		"m: best loss ": {"-i", "few.root", "--features", "mass,pt", "--model", "spline", "--epochs", "1", "--hidden", "8", "--layers", "2"},
	} {
		stdout := must(t, dir, append([]string{"train", "-o", "m"}, args...)...)
		if !strings.HasPrefix(stdout, want) || strings.Contains(stdout, "0.0000") {
			t.Errorf("train %v says:\n%s", args, stdout)
		}
	}
}

// TestHelpSaysMargin checks that the help of generate states what is done about values
// outside the range of the training events.
func TestHelpSaysMargin(t *testing.T) {
	if text := must(t, t.TempDir(), "generate", "--help"); !strings.Contains(text, "1.2 to 2 standard deviations outside") || !strings.Contains(text, "20 times") {
		t.Errorf("the margin is missing:\n%s", text)
	}
}

// TestNamesThatCannotBeWritten checks that a name that no tree can have is refused before the
// training: the model could write no event.
func TestNamesThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	f, err := groot.Create(filepath.Join(dir, "in.root"))
	if err != nil {
		t.Fatal(err)
	}
	var x, y float64
	w, err := rtree.NewWriter(f, "Events", []rtree.WriteVar{{Name: "x", Value: &x}, {Name: "[]", Value: &y}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		x, y = float64(i%17), float64(i%23)
		if _, err := w.Write(); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := eidolon(t, dir, "train", "-i", "in.root", "-o", "m")
	if code != exitError || !strings.Contains(stderr, `"[]"`) || !strings.Contains(stderr, "--exclude") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"in.root"}) {
		t.Errorf("files left behind: %v", got)
	}
}
