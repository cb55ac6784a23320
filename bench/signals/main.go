// Command signals measures how long the commands of eidolon take to end after a signal.
//
//	go run ./bench/signals [-eidolon BINARY] [-events 100000] [-times 9] [COMMAND…]
//
// Each command runs once to its end, or for 20 s, and then again and again, with a signal at
// times that are spread over that: it falls into all phases, from the opening of files to
// the saving of the output. A line for each command says how long the slowest took, and
// when that was. It leaves with 1 if one took more than two seconds, had the wrong exit code,
// or left a temporary file.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
)

// commands are what is interrupted.
var commands = []struct{ name, args string }{
	{"train", "train -i in.root -o x --resume auto --epochs 3"},
	{"train, many files", "train -i part*.root -o x --resume auto --epochs 1"},
	{"train, denoiser", "train -i in.root -o x --resume auto --model denoiser --hidden 64 --epochs 1"},
	{"generate", "generate -m spline -n 2M -o x.root"},
	{"generate, kernel sums", "generate -m kernels -n 500k -o x.root"},
	{"score", "score -m spline -i in.root -o x.root"},
	{"score, by integration", "score -m denoiser -i in.root -o x.root"},
	{"compare", "compare -r in.root -c other.root -o report"},
	{"reweight", "reweight -s in.root -r other.root -o x.root"},
}

// models are trained beforehand.
var models = []string{
	"train -i in.root -o spline --model spline --hidden 32 --layers 4 --epochs 1",
	"train -i part00.root -o denoiser --model denoiser --hidden 64 --epochs 1",
	"train -i part00.root -o kernels --model diffusion --features mass,pt,y",
}

func main() {
	binary := flag.String("eidolon", "", "the program (default: it is built)")
	events := flag.Int("events", 100_000, "in the files")
	times := flag.Int("times", 9, "signals for each command")
	flag.Parse()
	slow, err := run(*binary, *events, *times, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "signals:", err)
	}
	if err != nil || slow {
		os.Exit(1)
	}
}

func run(binary string, events, times int, only []string) (slow bool, err error) {
	dir, err := os.MkdirTemp("", "signals")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	if binary == "" {
		binary = filepath.Join(dir, "eidolon")
		if out, err := exec.Command("go", "build", "-o", binary, "./cmd/eidolon").CombinedOutput(); err != nil {
			return false, fmt.Errorf("%w: %s", err, out)
		}
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return false, err
	}
	if err := prepare(dir, events); err != nil {
		return false, err
	}
	for _, args := range models {
		cmd := exec.Command(binary, strings.Fields(args)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return false, fmt.Errorf("%s: %w\n%s", args, err, out)
		}
	}
	for _, c := range commands {
		if len(only) > 0 && !slices.Contains(only, c.name) {
			continue
		}
		const longest = 20 * time.Second
		whole, _, code := interrupt(binary, dir, c.args, longest, syscall.SIGTERM)
		worst, at, wrong := time.Duration(0), time.Duration(0), ""
		if code != 0 && code != 128+int(syscall.SIGTERM) {
			wrong = fmt.Sprintf(", exit code %d of itself", code)
		}
		for k := range times {
			signal := []syscall.Signal{syscall.SIGTERM, syscall.SIGINT}[k%2]
			after := whole * time.Duration(k+1) / time.Duration(times+1)
			var took time.Duration
			_, took, code := interrupt(binary, dir, c.args, after, signal)
			if took > worst {
				worst, at = took, after
			}
			if code != 0 && code != 128+int(signal) {
				wrong += fmt.Sprintf(", exit code %d at %.1f s", code, after.Seconds())
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*.part")); len(left) > 0 {
				wrong += fmt.Sprintf(", left %v", left)
			}
		}
		slow = slow || worst > 2*time.Second || wrong != ""
		fmt.Printf("%-24s %5.1f s; the slowest end after a signal took %.2f s, at %.1f s%s\n", c.name, whole.Seconds(), worst.Seconds(), at.Seconds(), wrong)
	}
	return slow, nil
}

// prepare writes the inputs.
func prepare(dir string, events int) error {
	for name, part := range map[string][2]int{"in.root": {0, events}, "other.root": {events, events}} {
		if err := write(filepath.Join(dir, name), part[0], part[1]); err != nil {
			return err
		}
	}
	const parts = 50
	for i := range parts {
		if err := write(filepath.Join(dir, fmt.Sprintf("part%02d.root", i)), i*events/parts, events/parts); err != nil {
			return err
		}
	}
	return nil
}

func write(file string, first, n int) error {
	t := zmumu.Default().Table(1, uint64(first), n)
	return rootio.WriteFile(file, "Events", t)
}

// interrupt runs a command, sends it a signal after a while, and returns how long it ran
// in all, how long after the signal, and its exit code.
func interrupt(binary, dir, args string, after time.Duration, signal os.Signal) (whole, took time.Duration, code int) {
	cmd := exec.Command(binary, strings.Fields(args)...)
	cmd.Dir = dir
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, -1
	}
	var sent time.Time
	done := make(chan struct{})
	told := make(chan struct{})
	go func() {
		defer close(told)
		select {
		case <-done:
		case <-time.After(after):
			sent = time.Now()
			_ = cmd.Process.Signal(signal)
		}
	}()
	err := cmd.Wait()
	close(done)
	<-told
	whole = time.Since(begin)
	if !sent.IsZero() {
		took = time.Since(sent)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	}
	return whole, took, code
}
