//go:build unix

package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asCommand names the variable with which this test is run as the command itself.
const asCommand = "EIDOLON_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		if in := os.Getenv(asPhase); in != "" {
			go signalIn(in, os.Getenv(asSignal))
		}
		main()
	}
	os.Exit(m.Run())
}

// signalled runs a command in a process of its own, and sends it signals when it has printed
// a text, or after a while if there is none. It returns the exit code and what was printed.
func signalled(t *testing.T, dir, text string, signals []syscall.Signal, args ...string) (code int, out string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), asCommand+"=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	const hang = time.Minute // the machine may be busy
	deadline := time.AfterFunc(hang, func() { _ = cmd.Process.Kill() })
	defer deadline.Stop()
	send := func() {
		for _, s := range signals {
			_ = cmd.Process.Signal(s)
			time.Sleep(10 * time.Millisecond)
		}
	}
	if text == "" {
		time.AfterFunc(300*time.Millisecond, send)
	}
	var all strings.Builder
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		all.WriteString(lines.Text() + "\n")
		if text != "" && strings.Contains(lines.Text(), text) {
			text = ""
			send()
		}
	}
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), all.String()
	}
	return 0, all.String()
}

// TestSignals sends signals to a training and a generation: the exit code tells which, no
// temporary file is left, and a training has its checkpoint.
func TestSignals(t *testing.T) {
	// Under nohup, which the command honours, it would ignore this signal, as these tests do: a
	// signal that is caught here is as usual for the processes that begin here.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	dir := trained(t)
	before := names(t, dir)
	for _, s := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGINT, 130}, {syscall.SIGTERM, 143}, {syscall.SIGHUP, 129}, {syscall.SIGUSR1, 75}, {syscall.SIGXCPU, 75}} {
		code, out := signalled(t, dir, "step", []syscall.Signal{s.signal}, "train", "-i", "in.root", "-o", "x", "--model", "spline", "--epochs", "100000", "--patience", "0", "--hidden", "8")
		if got := names(t, dir); code != s.code || !slices.Equal(got, append(slices.Clone(before), "x.checkpoint")) {
			t.Errorf("train, %v: exit code %d, there are %v\n%s", s.signal, code, got, out)
		}
		_ = os.Remove("x.checkpoint")
		code, out = signalled(t, dir, "", []syscall.Signal{s.signal, s.signal}, "generate", "-m", "m.eidolon", "-n", "1e9", "-o", "x.root")
		if got := names(t, dir); code != s.code || !slices.Equal(got, before) {
			t.Errorf("generate, %v: exit code %d, there are %v\n%s", s.signal, code, got, out)
		}
	}
}
