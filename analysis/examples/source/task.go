package main

import (
	"reflect"
	"sync"

	"go-hep.org/x/hep/fwk"
	"go-hep.org/x/hep/hbook"
)

// histogram is a task of the analysis: it fills a histogram of the mass. Its port carries
// a batch of events.
type histogram struct {
	fwk.TaskBase
	mu sync.Mutex
	h  *hbook.H1D
}

// Configure declares the port.
func (t *histogram) Configure(fwk.Context) error {
	return t.DeclInPort("mass", reflect.TypeFor[[]float64]())
}

func (t *histogram) StartTask(fwk.Context) error { return nil }
func (t *histogram) StopTask(fwk.Context) error  { return nil }

// Process is called for each batch.
func (t *histogram) Process(ctx fwk.Context) error {
	masses, err := ctx.Store().Get("mass")
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range masses.([]float64) {
		t.h.Fill(m, 1)
	}
	return nil
}
