package main

import (
	"bytes"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/task"
)

// TestPrintScore prints means that are there, that are not finite, and that are of no event.
func TestPrintScore(t *testing.T) {
	mean := -1.5
	for want, r := range map[string]task.ScoreResult{
		"o: 5 events, mean log_prob -1.5000\n":                                                      {Events: 5, Mean: &mean},
		"o: 5 events, mean log_prob not finite\n":                                                   {Events: 5},
		"o: 5 events, mean log_prob -1.5000 (without 2 events that the model says cannot happen)\n": {Events: 5, Impossible: 2, Mean: &mean},
		"o: 5 events, none of which the model says can happen\n":                                    {Events: 5, Impossible: 5},
	} {
		r.Output = "o"
		var out bytes.Buffer
		if err := printScore(&out, &r); err != nil || out.String() != want {
			t.Errorf("%v: it prints %q, want %q", err, out.String(), want)
		}
	}
}
