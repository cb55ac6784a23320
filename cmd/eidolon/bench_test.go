package main

import (
	"bytes"
	"strings"
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

// TestBenchDiffusionUsage wants what makes no sense refused in a line, before the work.
func TestBenchDiffusionUsage(t *testing.T) {
	for args, want := range map[string]string{
		"--density moon":           `no known density "moon": want one of moons, `,
		"--plot study.txt":         "a .png, .svg or .pdf file",
		"--most 10":                "--most",
		"--events 10":              "--events is for --speed",
		"--speed --plot study.png": "--plot has no effect with --speed",
	} {
		_, stderr, code := eidolon(t, t.TempDir(), append([]string{"bench", "diffusion"}, strings.Fields(args)...)...)
		if code != 2 || !strings.Contains(stderr, want) || strings.Contains(stderr, "…\n") {
			t.Errorf("%s: exit code %d, %q, want %q", args, code, stderr, want)
		}
	}
}
