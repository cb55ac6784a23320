package task

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/origin"
	"github.com/eidolon-hep/eidolon/internal/output"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// told keeps what a task says.
type told struct {
	lines   []string
	steps   int
	done    int64
	counted bool // to the end
}

func (t *told) progress() Progress {
	return Progress{
		Log:      func(line string) { t.lines = append(t.lines, line) },
		Training: func(training.Status) { t.steps++ },
		Count:    func(done, total int64) { t.done, t.counted = done, done == total },
	}
}

// says reports whether a line has the text.
func (t *told) says(text string) bool {
	return slices.ContainsFunc(t.lines, func(line string) bool { return strings.Contains(line, text) })
}

// small is a model that is trained in no time.
func small() surrogate.Options {
	o := surrogate.Options{Model: "spline", Layers: 2, Hidden: 8, Seed: 3, Refine: surrogate.RefineOff}
	o.Train.Epochs = 2
	return o
}

// read reads a file.
func read(t *testing.T, file string) *rootio.Table {
	t.Helper()
	table, err := rootio.ReadFile(t.Context(), "", file)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestTasks goes from a file to all that can be made of it, as a Go program does.
func TestTasks(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	write(t, in("in.root"), zmumu.Default().Table(1, 0, 1000))
	demo := []string{"mass", "y", "pt", "twice=2*mass"}

	heard := &told{}
	model, err := Train(t.Context(), TrainOptions{Inputs: []string{in("in.root")}, Features: demo, Model: small(), Output: in("m.eidolon")}, heard.progress())
	if err != nil {
		t.Fatal(err)
	}
	if names := model.Names(); !slices.Equal(names, []string{"mass", "y", "pt", "twice"}) {
		t.Errorf("learnt are %q", names)
	}
	if c := model.Card; c.Tree != "Events" || !slices.Equal(c.Inputs, []string{in("in.root")}) || !slices.Equal(c.View.Define, demo[3:]) {
		t.Errorf("the card is %+v", c)
	}
	if heard.steps == 0 || !heard.says("treated as") || !heard.says("to validate") {
		t.Errorf("%d steps, and the lines %q", heard.steps, heard.lines)
	}
	if files, _ := os.ReadDir(dir); len(files) != 2 {
		t.Errorf("the training leaves %v", files)
	}

	heard = &told{}
	seed := uint64(7)
	drawn, err := Generate(t.Context(), GenerateOptions{Model: in("m.eidolon"), N: 500, Seed: &seed, Output: in("a.root"), Tree: "new"}, heard.progress())
	if err != nil {
		t.Fatal(err)
	}
	if drawn.Events != 500 || drawn.Seed != 7 || !heard.counted || heard.done != 500 {
		t.Errorf("generated are %+v", drawn)
	}
	from, err := origin.Of(t.Context(), in("a.root"))
	if err != nil || from == nil || from.File != in("m.eidolon") || *from.Seed != 7 {
		t.Errorf("the origin is %+v, %v", from, err)
	}
	other, err := Generate(t.Context(), GenerateOptions{Model: in("m.eidolon"), N: 500, Output: in("b.root")}, Progress{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Generate(t.Context(), GenerateOptions{Model: in("m.eidolon"), N: 500, Seed: &other.Seed, Output: in("c.root")}, Progress{})
	if err != nil || again.Seed == 0 {
		t.Fatal(again, err)
	}
	for i, c := range read(t, in("b.root")).Columns {
		if !slices.Equal(c.Float64s(), read(t, in("c.root")).Columns[i].Float64s()) {
			t.Errorf("%s: the seed that was drawn does not give the same events", c.Name)
		}
		if slices.Equal(c.Float64s(), read(t, in("a.root")).Columns[i].Float64s()) {
			t.Errorf("%s: another seed gives the same events", c.Name)
		}
	}

	heard = &told{}
	scored, err := Score(t.Context(), ScoreOptions{Model: in("m.eidolon"), Inputs: []string{in("in.root")}, Where: "mass > 91", Output: in("s.root")}, heard.progress())
	if err != nil {
		t.Fatal(err)
	}
	p, ok := read(t, in("s.root")).Column(logProb)
	sum := 0.0
	for _, v := range p.Float64s() {
		sum += v
	}
	if !ok || int64(p.Len()) != scored.Events || scored.Events == 0 || scored.Events == 1000 || scored.Impossible > 0 {
		t.Fatalf("scored are %+v", scored)
	}
	if mean := sum / float64(p.Len()); mean != *scored.Mean {
		t.Errorf("the mean is %g, not %g", *scored.Mean, mean)
	}

	report, err := Compare(t.Context(), CompareOptions{Reference: []string{in("in.root")}, Candidate: []string{in("a.root")}, Features: demo, NoClassifier: true, Report: in("report")}, Progress{})
	if err != nil || len(report.Columns) != 4 {
		t.Fatal(report, err)
	}
	for _, name := range []string{"report.html", "report.txt", "report.json"} {
		if info, err := os.Stat(filepath.Join(dir, "report", name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}

	harder := zmumu.Default()
	harder.PtScale *= 1.3
	write(t, in("harder.root"), harder.Table(2, 0, 800))
	o := ReweightOptions{Source: []string{in("in.root")}, Target: []string{in("harder.root")}, Features: []string{"pt", "y"}, Branch: "w", MaxEvents: 500, Output: in("w.root")}
	weighed, err := Reweight(t.Context(), o, Progress{})
	if err != nil {
		t.Fatal(err)
	}
	w, _ := read(t, in("w.root")).Column("w")
	if !slices.Equal(w.Float64s(), weighed.Weight) {
		t.Error("the weights of the result are not those of the file")
	}
	o.Output = ""
	only, err := Reweight(t.Context(), o, Progress{})
	if err != nil || !slices.Equal(only.Weight, weighed.Weight) {
		t.Errorf("without a file the weights are others (%v)", err)
	}
	for _, result := range []any{drawn, scored, weighed, report} {
		if text, err := json.Marshal(result); err != nil || !json.Valid(text) {
			t.Errorf("%T: %v", result, err)
		}
	}
}

// TestTrainGoesOn stops a training, goes on with it, finishes it, and begins it again.
func TestTrainGoesOn(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.root"), filepath.Join(dir, "m.eidolon")
	write(t, in, zmumu.Default().Table(1, 0, 1000))
	o := TrainOptions{Inputs: []string{in}, Features: []string{"mass", "pt"}, Model: small(), Output: out}
	o.Model.Train.Epochs = 20
	stop := func(o TrainOptions) *told {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		heard := &told{}
		p := heard.progress()
		p.Training = func(s training.Status) {
			if s.Validated {
				cancel()
			}
		}
		_, err := Train(ctx, o, p)
		stopped, ok := errors.AsType[*Unfinished](err)
		if !ok || stopped.Checkpoint != CheckpointOf(out) || !errors.Is(err, context.Canceled) {
			t.Fatalf("a training that is stopped ends with %v", err)
		}
		return heard
	}
	if heard := stop(o); !heard.says("to go on: eidolon train --resume " + CheckpointOf(out)) {
		t.Errorf("it says %q", heard.lines)
	}
	if _, err := Train(t.Context(), o, Progress{}); !errors.Is(err, output.ErrRefused) {
		t.Errorf("another training in the place of the checkpoint: %v", err)
	}
	o.Resume = ResumeAuto
	heard := stop(o)
	if !heard.says("the training goes on from") {
		t.Errorf("it says %q", heard.lines)
	}
	whole, err := Train(t.Context(), TrainOptions{Inputs: []string{in}, Features: o.Features, Model: o.Model, Output: filepath.Join(dir, "whole.eidolon")}, Progress{})
	if err != nil {
		t.Fatal(err)
	}
	half, err := Train(t.Context(), TrainOptions{Resume: CheckpointOf(out), Finish: true, Output: filepath.Join(dir, "half.eidolon")}, Progress{})
	if err != nil {
		t.Fatal(err)
	}
	resumed, err := Train(t.Context(), TrainOptions{Resume: CheckpointOf(out), Output: out}, Progress{})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := resumed.Card.History.Best, whole.Card.History.Best; a != b {
		t.Errorf("the loss is %g after two stops, %g without", a, b)
	}
	if a, b := len(half.Card.History.Points), len(whole.Card.History.Points); a >= b {
		t.Errorf("the model of what was learnt has %d validations of %d", a, b)
	}
	if _, err := os.Stat(CheckpointOf(out)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the checkpoint is left: %v", err)
	}
}

// TestTrainFails has something in the way of the model: that is no interrupt, and nothing
// is said of going on, though there is a checkpoint.
func TestTrainFails(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.root"), filepath.Join(dir, "m.eidolon")
	write(t, in, zmumu.Default().Table(1, 0, 1000))
	o := TrainOptions{Inputs: []string{in}, Features: []string{"mass", "pt"}, Model: small(), Output: out}
	o.Model.Train.SaveEvery = 1
	heard := &told{}
	p := heard.progress()
	p.Training = func(training.Status) { _ = os.MkdirAll(filepath.Join(out, "in the way"), 0o700) }
	_, err := Train(t.Context(), o, p)
	if _, stopped := errors.AsType[*Unfinished](err); err == nil || stopped {
		t.Errorf("a model that cannot be written ends with %v", err)
	}
	if heard.says("to go on") || !surrogate.IsCheckpoint(CheckpointOf(out)) {
		t.Errorf("it says %q", heard.lines)
	}
}

// TestMistakes asks tasks for what cannot be: the error comes before the work, and nothing is
// written or lost.
func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	in, model := filepath.Join(dir, "in.root"), filepath.Join(dir, "m.eidolon")
	write(t, in, zmumu.Default().Table(1, 0, 300))
	if _, err := Train(t.Context(), TrainOptions{Inputs: []string{in}, Features: []string{"mass", "pt"}, Model: small(), Output: model}, Progress{}); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	ctx := t.Context()
	train := func(o TrainOptions) error { _, err := Train(ctx, o, Progress{}); return err }
	generate := func(o GenerateOptions) error { _, err := Generate(ctx, o, Progress{}); return err }
	score := func(o ScoreOptions) error { _, err := Score(ctx, o, Progress{}); return err }
	reweight := func(o ReweightOptions) error { _, err := Reweight(ctx, o, Progress{}); return err }
	compare := func(o CompareOptions) error { _, err := Compare(ctx, o, Progress{}); return err }
	files := []string{in}
	for name, c := range map[string]struct{ err, kind error }{
		"train without files":            {train(TrainOptions{Output: out}), ErrUsage},
		"train over its input":           {train(TrainOptions{Inputs: files, Output: in}), output.ErrRefused},
		"train over a protected file":    {train(TrainOptions{Inputs: files, Output: out, Protected: []string{out}}), output.ErrRefused},
		"finish nothing":                 {train(TrainOptions{Inputs: files, Output: out, Finish: true}), ErrUsage},
		"a model that is none":           {train(TrainOptions{Inputs: files, Output: out, Model: surrogate.Options{Model: "crystal"}}), ErrUsage},
		"resume what is no checkpoint":   {train(TrainOptions{Output: out, Resume: in}), surrogate.ErrNotCheckpoint},
		"n and inputs":                   {generate(GenerateOptions{Model: model, N: 5, Inputs: files, Output: out}), ErrUsage},
		"inputs without a condition":     {generate(GenerateOptions{Model: model, Inputs: files, Output: out}), ErrUsage},
		"generate often without inputs":  {generate(GenerateOptions{Model: model, N: 5, Oversample: 2, Output: out}), ErrUsage},
		"generate over the model":        {generate(GenerateOptions{Model: model, N: 5, Output: model}), output.ErrRefused},
		"generate over the training":     {generate(GenerateOptions{Model: model, N: 5, Output: in}), output.ErrRefused},
		"what to do with what's outside": {generate(GenerateOptions{Model: model, Inputs: files, Outside: "shrug", Output: out}), ErrUsage},
		"score over the input":           {score(ScoreOptions{Model: model, Inputs: files, Output: in}), output.ErrRefused},
		"score nothing":                  {score(ScoreOptions{Model: model, Output: out}), ErrUsage},
		"weights over the target":        {reweight(ReweightOptions{Source: files, Target: []string{out}, Output: out}), output.ErrRefused},
		"a branch that is there":         {reweight(ReweightOptions{Source: files, Target: files, Branch: "pt", Output: out}), ErrUsage},
		"weights below zero":             {reweight(ReweightOptions{Source: files, Target: files, Clip: -1, Output: out}), ErrUsage},
		"weights of no file below zero":  {reweight(ReweightOptions{Source: []string{out}, Target: files, Clip: -1}), ErrUsage},
		"compare nothing":                {compare(CompareOptions{Reference: files}), ErrUsage},
	} {
		if !errors.Is(c.err, c.kind) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("there are %v", entries)
	}
	if n := read(t, in).Len(); n != 300 {
		t.Errorf("the input has %d events", n)
	}
}
