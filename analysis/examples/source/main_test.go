package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRun(t *testing.T) {
	dir := t.TempDir()
	h, err := run(dir, 2000, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	if h.Entries() != 10_000 {
		t.Errorf("the histogram has %d entries", h.Entries())
	}
	if peak := h.XMean(); peak < 85 || peak > 95 {
		t.Errorf("the mean mass is %v GeV", peak)
	}
	if _, err := os.Stat(filepath.Join(dir, "mass.png")); err != nil {
		t.Error(err)
	}
}
