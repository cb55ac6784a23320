package main

import (
	"bytes"
	"testing"
)

// TestNoControlCharacters looks at what benchmarks write where there is no terminal: a
// file should hold lines.
func TestNoControlCharacters(t *testing.T) {
	var err bytes.Buffer
	steps(&err)("kernel", 1, 2)
	if err.Len() > 0 {
		t.Errorf("without a terminal the progress is %q", err.String())
	}
	stdout, stderr, code := eidolon(t, t.TempDir(), "bench", "io", "--events", "1000")
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, text := range []string{stdout, stderr} {
		for _, r := range text {
			if r < ' ' && r != '\n' {
				t.Fatalf("control character %q in %q", r, text)
			}
		}
	}
}
