package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// A job draws the events that generate does; what is wrong is told by exit codes.
func TestJob(t *testing.T) {
	dir := trained(t)
	text := `components:
  - {name: source, type: Source, props: {Model: m.eidolon, Seed: 3, N: 100000, Batch: 1000}}
  - {name: out, type: TreeWriter, props: {File: job.root, Batch: true}}
`
	if err := os.WriteFile(filepath.Join(dir, "job.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, dir, "generate", "-m", "m.eidolon", "-n", "5000", "--seed", "7", "-o", "generated.root")
	out := must(t, dir, "job", "job.yaml", "--evtmax", "5000", "--nprocs", "2", "--set", "source.Seed=7", "--json")
	var report struct{ Events int64 }
	if err := json.Unmarshal([]byte(out), &report); err != nil || report.Events != 5000 {
		t.Errorf("%s: %v", out, err)
	}
	got, want := open(t, filepath.Join(dir, "job.root")), open(t, filepath.Join(dir, "generated.root"))
	for i := range want.Columns {
		want.Columns[i].Title = "" // a port has none
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("the events of the job are not those of generate")
	}
	if err := os.Remove(filepath.Join(dir, "job.root")); err != nil {
		t.Fatal(err)
	}
	before := names(t, dir)
	for _, c := range []struct {
		code int
		text string
		args []string
	}{
		{exitUsage, "one file", []string{"job"}},
		{exitUsage, "evtmx", []string{"job", "job.yaml", "--evtmx", "3"}},
		{exitUsage, `"sourc"`, []string{"job", "job.yaml", "--set", "sourc.Seed=3"}},
		{exitError, `"Sed"`, []string{"job", "job.yaml", "--set", "source.Sed=3"}},
		{exitInput, "none.yaml", []string{"job", "none.yaml"}},
		{exitInput, "none.eidolon", []string{"job", "job.yaml", "--set", "source.Model=none.eidolon"}},
	} {
		_, stderr, code := eidolon(t, dir, c.args...)
		if code != c.code || !strings.Contains(stderr, c.text) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit code %d, %q", c.args, code, stderr)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var stdout, stderr bytes.Buffer
	if code := run(ctx, []string{"job", "job.yaml"}, &stdout, &stderr); code != exitInterrupted {
		t.Errorf("interrupted: exit code %d, %q", code, &stderr)
	}
	if after := names(t, dir); !slices.Equal(after, before) {
		t.Errorf("left: %v, before: %v", after, before)
	}
}
