package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPlainErrors reads errors as users do, without the names of packages, which must be known
// for every package that puts its name before an error.
func TestPlainErrors(t *testing.T) {
	for text, want := range map[string]string{
		`surrogate: could not load "m": safetensors: it ends too early`: `could not load "m": it ends too early`,
		"a.root, tree \"t\": surrogate: features: no values":            `a.root, tree "t": no values`,
		"my features: none": "my features: none",
	} {
		if got := plain(text); got != want {
			t.Errorf("%q reads %q, want %q", text, got, want)
		}
	}
	before := regexp.MustCompile(`(?:Errorf|errors\.New)\("([a-z0-9]+): `)
	err := filepath.WalkDir("../..", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		source, err := os.ReadFile(file)
		for _, found := range before.FindAllStringSubmatch(string(source), -1) {
			if name := found[1]; name == filepath.Base(filepath.Dir(file)) && plain(name+": x") != "x" {
				t.Errorf("%s: errors of %s are shown with its name", file, name)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	dir := trained(t)
	if err := os.WriteFile(filepath.Join(dir, "bad.root"), []byte("root and no more"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"train", "-i", "bad.root", "-o", "x"},
		{"train", "-i", "in.root", "-t", "none", "-o", "x"},
		{"train", "-i", "in.root", "--features", "none", "-o", "x"},
		{"generate", "-m", "in.root", "-n", "1", "-o", "x.root"},
		{"info", "none"},
	} {
		_, stderr, code := eidolon(t, dir, args...)
		if code == 0 || plain(strings.TrimPrefix(stderr, "eidolon: ")) != strings.TrimPrefix(stderr, "eidolon: ") {
			t.Errorf("%v: exit code %d, %s", args, code, stderr)
		}
	}
}
