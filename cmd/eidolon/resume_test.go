package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// interrupted runs a command until it prints a text, and then a signal stops it.
func interrupted(t *testing.T, dir, text string, args ...string) string {
	t.Helper()
	t.Chdir(dir)
	ctx, cancel := context.WithCancelCause(context.Background())
	var out bytes.Buffer
	err := cancelAfter{&out, text, func() { cancel(stopSignals()[1]) }}
	if code := run(ctx, args, &out, &err); code != exitTerminated {
		t.Fatalf("eidolon %s: exit code %d, want %d\n%s", strings.Join(args, " "), code, exitTerminated, out.String())
	}
	return out.String()
}

// sameValues checks that two ROOT files hold the same columns.
func sameValues(t *testing.T, a, b string) {
	t.Helper()
	for i, c := range open(t, a).Columns {
		if !reflect.DeepEqual(c.Values(), open(t, b).Columns[i].Values()) {
			t.Errorf("column %s of %s and %s differs", c.Name, a, b)
		}
	}
}

// TestInterruptedTraining stops a training: there is a checkpoint and no model. It goes on to
// the same model as without the stop, or is finished as it is.
func TestInterruptedTraining(t *testing.T) {
	dir := trained(t)
	command := []string{"train", "-i", "in.root", "-o", "r.eidolon", "--epochs", "3", "--hidden", "16", "--layers", "4", "--refine", "off"}
	out := interrupted(t, dir, "step", command...)
	if got := names(t, dir); !slices.Equal(got, []string{"in.root", "m.eidolon", "r.eidolon.checkpoint"}) {
		t.Fatalf("the training has left %v", got)
	}
	for _, way := range []string{"eidolon train --resume r.eidolon.checkpoint -o r.eidolon;", "eidolon train --resume r.eidolon.checkpoint --finish -o r.eidolon\n"} {
		if !strings.Contains(out, way) {
			t.Errorf("does not say %q:\n%s", way, out)
		}
	}
	// Nothing but these ways goes on, and nothing else makes away with the checkpoint.
	data, err := os.ReadFile(filepath.Join(dir, "r.eidolon.checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "c"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, command,
		[]string{"train", "--resume", "r.eidolon.checkpoint", "-o", "r.eidolon", "--epochs", "4"},
		[]string{"train", "--resume", "c", "-o", "r.eidolon"},
		[]string{"train", "-i", "in.root", "-o", "x", "--checkpoint", "c"},
		[]string{"train", "-i", "in.root", "-o", "x", "--finish"},
		[]string{"train", "--resume", "c", "-o", "c"},
	)

	for _, args := range [][]string{{"info", "c"}, {"generate", "-m", "c", "-n", "10", "-o", "x.root"}} {
		if _, stderr, code := eidolon(t, dir, args...); code != exitInput || !strings.Contains(stderr, "eidolon train --resume c --finish") {
			t.Errorf("%v: exit code %d, %s", args, code, stderr)
		}
	}
	must(t, dir, "train", "--resume", "c", "--finish", "-o", "f.eidolon")
	if h := card(t, dir, "f.eidolon").History; h.Stopped != "finished before its time" || len(h.Points) == 0 || h.BestStep == 0 {
		t.Errorf("the history of a training that was finished early: %+v", h)
	}
	must(t, dir, "train", "--resume", "r.eidolon.checkpoint", "-o", "r.eidolon")
	for _, m := range []string{"m", "r"} {
		must(t, dir, "generate", "-m", m+".eidolon", "-n", "500", "--seed", "1", "-o", m+".root")
	}
	sameValues(t, filepath.Join(dir, "m.root"), filepath.Join(dir, "r.root"))
	if got := names(t, dir); slices.Contains(got, "r.eidolon.checkpoint") || !slices.Contains(got, "c") {
		t.Errorf("after it is finished there are %v", got)
	}
}

// TestResumeAuto runs one command again and again, as a batch system does: it goes on where it
// was stopped, and begins from the start where the training is another one.
func TestResumeAuto(t *testing.T) {
	dir := trained(t)
	command := []string{"train", "-i", "in.root", "-o", "r.eidolon", "--epochs", "3", "--hidden", "16", "--layers", "4", "--refine", "off", "--resume", "auto"}
	const goesOn = "goes on from r.eidolon.checkpoint"
	if out := interrupted(t, dir, "step", command...); strings.Contains(out, goesOn) {
		t.Errorf("the first training goes on:\n%s", out)
	}
	if _, stderr, code := eidolon(t, dir, append(slices.Clone(command), "--exclude", "pt", "--checkpoint", "r.eidolon.checkpoint")...); code != 0 || !strings.Contains(stderr, "is of another training") {
		t.Errorf("another training: exit code %d\n%s", code, stderr)
	}
	if _, stderr, code := eidolon(t, dir, command...); code != 0 || !strings.Contains(stderr, goesOn) {
		t.Errorf("exit code %d, does not go on:\n%s", code, stderr)
	}
	for _, m := range []string{"m", "r"} {
		must(t, dir, "generate", "-m", m+".eidolon", "-n", "500", "--seed", "1", "-o", m+".root")
	}
	sameValues(t, filepath.Join(dir, "m.root"), filepath.Join(dir, "r.root"))
	if slices.Contains(names(t, dir), "r.eidolon.checkpoint") {
		t.Error("the checkpoint of a finished training is left")
	}
}

// TestStaleCheckpoint resumes a training on other events, as many and from a file of the same
// name.
func TestStaleCheckpoint(t *testing.T) {
	dir := trained(t)
	interrupted(t, dir, "step", "train", "-i", "in.root", "-o", "r.eidolon", "--epochs", "3", "--hidden", "8", "--layers", "2")
	other := sample(5000)
	pt := other.Columns[2].Values().([]float64)
	pt[0], pt[1] = pt[1], pt[0]
	write(t, filepath.Join(dir, "in.root"), "Events", other)
	before := contents(t, dir)
	for _, finish := range []string{"", "--finish"} {
		args := []string{"train", "--resume", "r.eidolon.checkpoint", "-o", "r.eidolon"}
		if finish != "" {
			args = append(args, finish)
		}
		_, stderr, code := eidolon(t, dir, args...)
		if code != exitError || !strings.Contains(stderr, "not the events that the training of the checkpoint began with") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit code %d, %s", args, code, stderr)
		}
	}
	if !reflect.DeepEqual(contents(t, dir), before) {
		t.Error("files have changed")
	}
}

// TestCheckpointCannotBeWritten takes the folder of the checkpoint away while the training
// runs: it ends with a model, and one warning.
func TestCheckpointCannotBeWritten(t *testing.T) {
	dir := trained(t)
	t.Chdir(dir)
	for _, stop := range []bool{false, true} {
		if err := os.Mkdir("gone", 0o777); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var out bytes.Buffer
		err := cancelAfter{&out, "step", func() {
			if err := os.RemoveAll("gone"); err != nil {
				t.Error(err)
			}
			if stop {
				cancel()
			}
		}}
		f := []string{"train", "-i", "in.root", "-o", "g.eidolon", "--checkpoint", "gone/c", "--epochs", "3", "--hidden", "8", "--layers", "2"}
		code := run(ctx, f, &out, &err)
		if stop && (code != exitInterrupted || strings.Count(out.String(), "warning: there is no checkpoint") != 1 || strings.Contains(out.String(), "to go on")) {
			t.Errorf("an interrupt without a checkpoint: exit code %d\n%s", code, out.String())
		}
		if !stop && code != 0 {
			t.Errorf("exit code %d\n%s", code, out.String())
		}
	}
	if got := names(t, dir); !slices.Equal(got, []string{"g.eidolon", "in.root", "m.eidolon"}) {
		t.Errorf("there are %v", got)
	}
}
