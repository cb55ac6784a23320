package main

import (
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
)

func TestRun(t *testing.T) {
	file, err := run(t.TempDir(), 2000)
	if err != nil {
		t.Fatal(err)
	}
	model, err := surrogate.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if names := model.Names(); !slices.Equal(names, []string{"mass", "pt", "deta"}) || model.Card.Events != 2000 {
		t.Errorf("the surrogate has learnt %v from %d events", names, model.Card.Events)
	}
}
