package main

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// writeColumns writes a file in a folder.
func writeColumns(t *testing.T, dir, name string, columns ...rootio.Column) {
	t.Helper()
	write(t, filepath.Join(dir, name), "Events", &rootio.Table{Columns: columns})
}

func numbers(seed uint64, n int, lo, hi float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 3))
	x := make([]float64, n)
	for i := range x {
		x[i] = lo + (hi-lo)*rng.Float64()
	}
	return x
}

// Events with the same event_index are blocks, whatever its number; it is not compared.
func TestCompareBlocks(t *testing.T) {
	dir := t.TempDir()
	writeColumns(t, dir, "a.root", rootio.ColumnOf("x", numbers(1, 300, 0, 1)), rootio.ColumnOf("event_index", make([]int64, 300)))
	index := make([]int64, 300)
	for i := range index {
		index[i] = int64(i / 10)
	}
	writeColumns(t, dir, "b.root", rootio.ColumnOf("x", numbers(2, 300, 0, 1)), rootio.ColumnOf("event_index", make([]int64, 300)), rootio.ColumnOf("event_index_2", index))
	var r struct {
		Candidate struct{ Blocks int }
		Columns   []struct{ Name string }
		Notes     []string
	}
	if err := json.Unmarshal([]byte(must(t, dir, "compare", "-r", "a.root", "-c", "b.root", "--features", "x", "--no-classifier", "--json")), &r); err != nil {
		t.Fatal(err)
	}
	if r.Candidate.Blocks != 30 || len(r.Columns) != 1 || len(r.Notes) == 0 || !strings.Contains(r.Notes[0], "event_index_2") {
		t.Errorf("%+v", r)
	}
}

// What numbers events or runs in one of the samples, such as data beside a simulation of one
// run, is neither compared nor made alike, which is said; what is named is.
func TestNumbersOfEventsAreLeftOut(t *testing.T) {
	dir := t.TempDir()
	const n = 400
	first, event, one, run := make([]int64, n), make([]int64, n), make([]int32, n), make([]int32, n)
	for i := range n {
		first[i], event[i] = int64(i+1), int64(7919*i%100_003)
		one[i], run[i] = 1, int32(321_000+i/100)
	}
	writeColumns(t, dir, "a.root", rootio.ColumnOf("x", numbers(1, n, 0, 1)), rootio.ColumnOf("event", first), rootio.ColumnOf("run", one))
	writeColumns(t, dir, "b.root", rootio.ColumnOf("x", numbers(2, n, 0, 1)), rootio.ColumnOf("event", event), rootio.ColumnOf("run", run))
	type report struct {
		Columns []struct{ Name string }
		Only    []string `json:"only_in_reference"`
		Closure struct{ Columns []struct{ Name string } }
	}
	for _, args := range [][]string{
		{"compare", "-r", "a.root", "-c", "b.root", "--no-classifier"},
		{"compare", "-r", "a.root", "-c", "b.root", "--no-classifier", "--features", "x,run"},
		{"reweight", "-s", "a.root", "-r", "b.root", "-o", "w.root"},
	} {
		stdout, stderr, code := eidolon(t, dir, append(args, "--json")...)
		var r report
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 {
			t.Fatalf("%v: exit code %d, %v, %s", args, code, err, stderr)
		}
		want := 1
		if strings.Contains(strings.Join(args, " "), "x,run") {
			want = 2
		} else if !strings.Contains(stderr, "numbers of events or runs") || !strings.Contains(stderr, "run") {
			t.Errorf("%v: it says %q", args, stderr)
		}
		if got := append(r.Columns, r.Closure.Columns...); len(got) != want || got[0].Name != "x" || len(r.Only) > 0 {
			t.Errorf("%v: %+v", args, r)
		}
	}
}

// What cannot be reached is said before anything is trained, with what to do.
func TestReweightOutOfReach(t *testing.T) {
	dir := t.TempDir()
	run := func(n, number int) rootio.Column {
		x := make([]int32, n)
		for i := range x {
			x[i] = int32(number + i%3)
		}
		return rootio.ColumnOf("run", x)
	}
	writeColumns(t, dir, "source.root", rootio.ColumnOf("x", numbers(1, 600, 0, 1)), run(600, 1))
	writeColumns(t, dir, "target.root", rootio.ColumnOf("x", numbers(2, 600, 0, 1.5)), run(600, 11))
	_, stderr, code := eidolon(t, dir, "reweight", "-s", "source.root", "-r", "target.root", "-o", "out.root")
	for _, want := range []string{"run that the source never has (11, 12, 13)", "--exclude", "source.root and target.root"} {
		if code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("code %d, %q is not in %s", code, want, stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "out.root")); err == nil {
		t.Error("a file is written")
	}
	text := must(t, dir, "reweight", "-s", "source.root", "-r", "target.root", "--exclude", "run", "-o", "out.root")
	if !strings.Contains(text, "no weight mends that") || !strings.Contains(text, "(x above ") {
		t.Errorf("not said in\n%s", text)
	}
}
