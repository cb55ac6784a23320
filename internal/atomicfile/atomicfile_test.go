package atomicfile_test

import (
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/atomicfile"
	"github.com/eidolon-hep/eidolon/internal/testenv"
)

func Example() {
	dir, err := os.MkdirTemp("", "atomicfile")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	write := func(name, text string) error {
		f, err := atomicfile.Create(name)
		if err != nil {
			return err
		}
		defer f.Abort()
		if _, err := io.WriteString(f, text); err != nil {
			return err
		}
		return f.Close()
	}
	name := filepath.Join(dir, "out.txt")
	if err := write(name, "complete"); err != nil {
		log.Fatal(err)
	}
	data, err := os.ReadFile(name)
	fmt.Println(string(data), err)
	// Output: complete <nil>
}

// holds checks that the directory holds these files with these contents, and
// nothing else.
func holds(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(data)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the directory holds %q, not %q", got, want)
	}
}

func TestCloseAndAbort(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	old := map[string]string{"f": "old"}
	if err := atomicfile.WriteFile(name, []byte("old")); err != nil {
		t.Fatal(err)
	}
	holds(t, dir, old)

	f, err := atomicfile.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(name); err != nil || string(data) != "old" {
		t.Errorf("before Close the file holds %q, %v", data, err)
	}
	f.Abort()
	holds(t, dir, old)
	if err := f.Close(); err != nil {
		t.Errorf("Close after Abort: %v", err)
	}
	holds(t, dir, old)

	f, err = atomicfile.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if f.Name() != name {
		t.Errorf("the name is %q", f.Name())
	}
	if _, err := f.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f.Abort()
	if err := f.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	holds(t, dir, map[string]string{"f": "new"})
}

func TestTempAndCommit(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	tmp, err := atomicfile.Temp(name)
	if err != nil {
		t.Fatal(err)
	}
	other, err := atomicfile.Temp(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{tmp, other} {
		if filepath.Dir(n) != dir || !strings.HasSuffix(n, atomicfile.Suffix) {
			t.Errorf("the temporary file is %q", n)
		}
	}
	if tmp == other {
		t.Error("two writers have the same temporary file")
	}
	atomicfile.Discard(other)
	if err := os.WriteFile(tmp, []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Commit(tmp, name); err != nil {
		t.Fatal(err)
	}
	holds(t, dir, map[string]string{"f": "new"})
	if err := atomicfile.Commit(tmp, name); err == nil {
		t.Error("what is not there was committed")
	}
	holds(t, dir, map[string]string{"f": "new"})
}

func TestTargets(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ name, target, text string }{
		{"no name", "", "empty"},
		{"a directory", dir, "is a directory"},
		{"in no directory", filepath.Join(dir, "none", "f"), "no directory"},
		{"a device", os.DevNull, "not a regular file"},
	} {
		f, err := atomicfile.Create(c.target)
		if err == nil {
			f.Abort()
			t.Errorf("%s: no error", c.name)
			continue
		}
		if !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), fmt.Sprintf("%q", c.target)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	holds(t, dir, map[string]string{})
}

// A link stays, and the file that it names is replaced.
func TestLinks(t *testing.T) {
	dir, far := t.TempDir(), t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(far, "f"), link); err != nil {
		testenv.Impossible(t, fmt.Sprintf("there are no links here: %v", err))
	}
	if err := atomicfile.WriteFile(link, nil); err == nil || !strings.Contains(err.Error(), "link to nowhere") {
		t.Errorf("a link to nowhere: %v", err)
	}
	if err := os.WriteFile(filepath.Join(far, "f"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.WriteFile(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	holds(t, far, map[string]string{"f": "new"})
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	if info, err := os.Stat(link); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the permissions have changed: %v, %v", info, err)
	}
}

// A failed Write makes Close fail, and leaves what was there.
func TestFailedWrite(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	f, err := atomicfile.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	atomicfile.CloseFile(f)
	if _, err := f.Write([]byte("new")); err == nil {
		t.Error("a closed file was written")
	}
	if err := f.Close(); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("Close: %v", err)
	}
	holds(t, dir, map[string]string{})
}
