package atomicfile_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/internal/atomicfile"
)

// asWriter names the variable with which this test is run as another program: one that has
// two temporary files for the target that it says, and then waits, or quits.
const asWriter = "ATOMICFILE_TEST_TARGET"

func TestMain(m *testing.M) {
	target := os.Getenv(asWriter)
	if target == "" {
		os.Exit(m.Run())
	}
	tmp, err := atomicfile.Temp(target)
	if err == nil {
		_, err = atomicfile.Temp(tmp)
	}
	fmt.Println(tmp, err)
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil || os.Getenv("ATOMICFILE_TEST_QUIT") == "" {
		select {}
	}
	atomicfile.Quit(time.Second)
	os.Exit(0)
}

// writer starts the other program, and returns when it has its temporary files.
func writer(t *testing.T, target string, env ...string) (*exec.Cmd, io.Closer) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append(env, asWriter+"="+target)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasSuffix(line, atomicfile.Suffix+" <nil>\n") {
		t.Fatalf("the other program says %q, %v", line, err)
	}
	return cmd, in
}

func listed(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestLeftByKilled kills programs that write a target: the next one that writes it removes
// what they have left, and neither what one that is alive is writing, nor files of others.
func TestLeftByKilled(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "out.root")
	foreign := []string{"out.root.part", "out.root.0123456789abcdef.part", "out.root.notes.part", "out.root2"}
	for _, name := range foreign {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	neighbour, _ := writer(t, filepath.Join(dir, "out")) // its files begin alike
	alive, _ := writer(t, target)
	kept := append(listed(t, dir), "out.root")
	for range 3 {
		killed, _ := writer(t, target)
		if err := killed.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = killed.Wait()
	}
	if err := atomicfile.WriteFile(target, []byte("new")); err != nil {
		t.Fatal(err)
	}
	slices.Sort(kept)
	if got := listed(t, dir); !slices.Equal(got, kept) {
		t.Errorf("there are %q, want %q", got, kept)
	}
	for _, cmd := range []*exec.Cmd{neighbour, alive} {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// TestQuit ends a program in the middle of its work, without a trace.
func TestQuit(t *testing.T) {
	dir := t.TempDir()
	cmd, in := writer(t, filepath.Join(dir, "out.root"), "ATOMICFILE_TEST_QUIT=1")
	if n := len(listed(t, dir)); n != 2 {
		t.Fatalf("there are %d temporary files", n)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := listed(t, dir); len(got) > 0 {
		t.Errorf("left behind: %q", got)
	}
}
