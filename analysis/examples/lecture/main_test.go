package main

import (
	"bytes"
	"regexp"
	"testing"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	if err := (&lecture{out: &out}).run(t.Context(), 1000); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`^Real NVP: KL 0`, `^kernel sums, K = 300: KL 0`, `^one-step map: AUC 0`, `^Real NVP × C/\(1 − C\): KL 0`} {
		if !regexp.MustCompile("(?m)" + line).Match(out.Bytes()) {
			t.Errorf("no line is like %s in\n%s", line, &out)
		}
	}
}
