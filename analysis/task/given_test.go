package task

import (
	"os"
	"path/filepath"
	"testing"
)

func TestGivenTwice(t *testing.T) {
	dir := t.TempDir()
	a, b, link := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "link")
	for _, name := range []string{a, b} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(a, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		files []string
		twice bool
	}{
		{[]string{a, b}, false},
		{[]string{a, b, a}, true},
		{[]string{b, a, link}, true},
		{[]string{a, filepath.Join(dir, ".", "x", "..", "a")}, true},
		{[]string{"root://host//a", "root://host//b"}, false},
		{[]string{"root://host//a", "root://host//a"}, true},
	} {
		if x, y, ok := givenTwice(c.files); ok != c.twice {
			t.Errorf("of %q it says %v (%s and %s)", c.files, ok, x, y)
		}
	}
}
