package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCompareArrays compares samples that differ in their jets alone.
func TestCompareArrays(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.root"), "Events", jets(1000))
	changed := jets(1000)
	for i := range changed.Jagged[0].Values().([]float32) {
		changed.Jagged[0].Values().([]float32)[i] *= 1.5
	}
	write(t, filepath.Join(dir, "b.root"), "Events", changed)
	stdout, stderr, code := eidolon(t, dir, "compare", "-r", "a.root", "-c", "b.root", "--no-classifier", "--json")
	if code != 0 || !strings.Contains(stderr, "not compared (Jet_flavour)") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	var report struct {
		Columns []struct {
			Name    string
			Verdict json.RawMessage
			KS      struct{ Distance float64 }
		}
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range report.Columns {
		names = append(names, c.Name)
	}
	want := []string{"MET", "nJet", "Jet_pt[0]", "sum(Jet_pt)", "len(Vec_e)", "Vec_e[0]", "sum(Vec_e)", "Jet_eta[0]"}
	if !slices.Equal(names, want) {
		t.Errorf("compared are %q, want %q", names, want)
	}
	text := must(t, dir, "compare", "-r", "a.root", "-c", "b.root", "--no-classifier")
	for _, name := range []string{"Jet_pt[0]", "sum(Jet_pt)"} {
		if !strings.Contains(text, name) {
			t.Errorf("no %s in\n%s", name, text)
		}
	}
	must(t, dir, "compare", "-r", "a.root", "-c", "b.root", "--features", "MET,HT=sum(Jet_pt),Jet_eta[1]", "--where", "len(Jet_pt) > 1", "--no-classifier", "-o", "report")
}
