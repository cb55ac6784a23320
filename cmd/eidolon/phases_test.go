//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The names of variables with which a command that a test runs sends itself a signal, as
// soon as one of its goroutines is in a function.
const (
	asPhase  = "EIDOLON_TEST_PHASE"
	asSignal = "EIDOLON_TEST_SIGNAL"
)

// sent begins the line that says when it was sent.
const sent = "signal sent at "

// signalIn sends the signal of a number when a goroutine is in a function.
func signalIn(function, number string) {
	stacks := make([]byte, 1<<20)
	for {
		n := runtime.Stack(stacks, true)
		if bytes.Contains(stacks[:n], []byte(function+"(")) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	signal, err := strconv.Atoi(number)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(os.Stderr, "%s%d\n", sent, time.Now().UnixNano())
	_ = syscall.Kill(os.Getpid(), syscall.Signal(signal))
}

// stoppedIn runs a command, which writes x, that sends itself a signal in a function. It
// returns its exit code, how long after the signal it ended, and what it printed. Where the
// machine is busy a short function may be over before it is seen: then the command is run again.
func stoppedIn(t *testing.T, dir, function string, signal syscall.Signal, args ...string) (code int, after time.Duration, out string) {
	t.Helper()
	const tries = 5
	for range tries {
		var found bool
		if code, after, out, found = runUntil(t, dir, function, signal, args...); found {
			return code, after, out
		}
		if code != 0 {
			break
		}
		_ = os.Remove(filepath.Join(dir, "x"))
	}
	t.Fatalf("the command was never in %s: exit code %d\n%s", function, code, out)
	return code, after, out
}

// runUntil is one try of stoppedIn.
func runUntil(t *testing.T, dir, function string, signal syscall.Signal, args ...string) (code int, after time.Duration, out string, found bool) {
	t.Helper()
	const hang = time.Minute
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), asCommand+"=1", asPhase+"="+function, asSignal+"="+strconv.Itoa(int(signal)))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.AfterFunc(hang, func() { _ = cmd.Process.Kill() })
	defer deadline.Stop()
	_ = cmd.Wait() // the exit code says it
	ended := time.Now().UnixNano()
	out = stderr.String()
	_, at, found := strings.Cut(out, sent)
	at, _, _ = strings.Cut(at, "\n")
	ns, err := strconv.ParseInt(at, 10, 64)
	return cmd.ProcessState.ExitCode(), time.Duration(ended - ns), out, found && err == nil
}

// TestSignalsInTenPhases sends signals in all that the commands do. Each ends soon, with the
// exit code of the signal and nothing half-written; a training leaves its checkpoint.
func TestSignalsInTenPhases(t *testing.T) {
	const busy = 3 * time.Second // it is two of them, and more where other tests have the machine
	dir := trained(t)
	in, err := os.ReadFile(filepath.Join(dir, "in.root"))
	if err != nil {
		t.Fatal(err)
	}
	many := filepath.Join(t.TempDir(), "many")
	if err := os.Mkdir(many, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := os.WriteFile(filepath.Join(many, fmt.Sprint(i, ".root")), in, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all := filepath.Join(many, "*.root")
	must(t, dir, "train", "-i", "in.root", "-o", "d.eidolon", "--model", "denoiser", "--epochs", "1", "--hidden", "64", "--refine", "off")
	before := names(t, dir)
	for _, p := range []struct {
		phase, function string
		args            []string
		left            []string
		mayFinish       bool // it is over at once
	}{
		{phase: "opening", function: "rootio.OpenOptions.Open", args: []string{"train", "-i", all, "-o", "x"}},
		{phase: "verifying", function: "rootio.verify", args: []string{"train", "-i", all, "-o", "x"}},
		{phase: "fitting columns", function: "features.FitGiven", args: []string{"train", "-i", all, "-o", "x"}},
		{phase: "trial", function: "surrogate.choose", args: []string{"train", "-i", "in.root", "-o", "x", "--components", "1"}},
		{phase: "ensemble", function: "flows.(*Flow).Train", args: []string{"train", "-i", "in.root", "-o", "x"}, left: []string{"x.checkpoint"}},
		{phase: "training", function: "training.(*fit).judge", args: []string{"train", "-i", "in.root", "-o", "x", "--model", "spline"}, left: []string{"x.checkpoint"}},
		{phase: "refining", function: "classify.(*Boosted).Boost", args: []string{"train", "-i", "in.root", "-o", "x", "--model", "spline", "--epochs", "2"}, left: []string{"x.checkpoint"}},
		{phase: "saving", function: "surrogate.(*Surrogate).Save", args: []string{"train", "-i", "in.root", "-o", "x", "--model", "diffusion", "--sigma-min", "0.1"}, mayFinish: true},
		{phase: "sampling", function: "surrogate.(*Surrogate).GenerateRows", args: []string{"generate", "-m", "d.eidolon", "-n", "1e9", "-o", "x"}},
		{phase: "scoring", function: "diffusion.Solver.toNoise", args: []string{"score", "-m", "d.eidolon", "-i", all, "-o", "x"}},
		{phase: "comparing", function: "compare.Compare", args: []string{"compare", "-r", "in.root", "-c", all}},
		{phase: "reweighting", function: "reweight.Fit", args: []string{"reweight", "-s", "in.root", "-r", all, "-o", "x"}},
	} {
		for signal, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
			code, after, out := stoppedIn(t, dir, p.function, signal, p.args...)
			got := names(t, dir)
			wanted := append(slices.Clone(before), p.left...)
			if p.mayFinish && code == 0 {
				want, wanted = 0, append(wanted, "x")
			}
			slices.Sort(wanted)
			if code != want || !slices.Equal(got, wanted) {
				t.Errorf("%s, %v: exit code %d, there are %v\n%s", p.phase, signal, code, got, out)
			}
			t.Logf("%s, %v: %.3f s", p.phase, signal, after.Seconds())
			if after > busy {
				t.Errorf("%s, %v: the command ended %v after the signal, more than %v", p.phase, signal, after, busy)
			}
			for _, name := range got {
				if !slices.Contains(before, name) {
					if err := os.Remove(filepath.Join(dir, name)); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
}
