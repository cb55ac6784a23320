//go:build unix

package analysis_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/job"
)

// asked is the environment variable by which TestEnds starts this program as a job.
const asked = "EIDOLON_TEST_JOB"

// aJob is what the program does then: the job with the masses, from in.root to out.root.
func aJob(how string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fault := func(id int64) error {
		if id == 4500 { // of 10000: some baskets are written
			fmt.Println("half way")
			time.Sleep(time.Minute) // if it is not killed
		}
		return nil
	}
	switch how {
	case "full": // a file that grows no further is what a full disk looks like
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 60_000, Max: 60_000}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 3
		}
		fault = nil
	case "terminate":
		fault = func(id int64) error {
			if id == 4500 {
				fmt.Println("half way")
				<-ctx.Done()
			}
			return nil
		}
	}
	var t testing.T
	if err := job.Run(ctx, massJob(&t, "in.root", "out.root", 2, 0, fault)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// However a job ends before its time, the old file is as it was, the exit code is not
// zero, and nothing else is left but, after a SIGKILL, the temporary file.
func TestEnds(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"full", "terminate", "kill"} {
		t.Run(how, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Rename(zmumuFile(t, 10_000), filepath.Join(dir, "in.root")); err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(dir, "out.root")
			if err := os.WriteFile(out, []byte("root: old"), 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(program)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), asked+"="+how)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			half := bufio.NewScanner(stdout).Scan()
			if half == (how == "full") {
				t.Errorf("half way: %v", half)
			}
			switch how {
			case "terminate":
				err = cmd.Process.Signal(syscall.SIGTERM)
			case "kill":
				err = cmd.Process.Kill()
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err == nil {
				t.Error("the exit code is 0")
			}
			text := map[string]string{"full": "file too large", "terminate": "canceled"}[how]
			if !strings.Contains(stderr.String(), text) {
				t.Errorf("it says %q", &stderr)
			}
			if data, err := os.ReadFile(out); err != nil || string(data) != "root: old" {
				t.Errorf("the old file has changed: %v", err)
			}
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				temporary := how == "kill" && strings.HasSuffix(e.Name(), ".part")
				if e.Name() != "in.root" && e.Name() != "out.root" && !temporary {
					t.Errorf("%s is left", e.Name())
				}
			}
		})
	}
}
